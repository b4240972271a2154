"""A rough estimate of the memory that a fitted model takes, without serialising it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

GIB = 2**30
OTHER = 100_000
"""Bytes assumed for a model without a rule."""


class Held(Protocol):
    """A trial whose models are held in memory."""

    @property
    def nbytes(self) -> int:
        """Bytes that the models take."""

    @property
    def loss(self) -> float | None:
        """Loss by which the trial is ranked."""

    def release(self, why: str) -> None:
        """Drop the models and record why."""


def keep_within_memory(trials: Sequence[Held], limit: float) -> None:
    """Release the models of the worst trials until the rest take at most `limit` GiB."""
    while sum(trial.nbytes for trial in trials) > limit * GIB:
        worst = max((trial for trial in trials if trial.nbytes), key=_loss)
        worst.release(f"its model was released to stay under memory_limit={limit} GiB")


def _loss(trial: Held) -> float:
    return math.inf if trial.loss is None or math.isnan(trial.loss) else trial.loss


def model_bytes(model: Any) -> int:
    """Estimate the bytes that a fitted model takes. It must be fast, since it runs during a search."""
    for cls in type(model).__mro__:
        rule = RULES.get(cls.__name__)
        if rule is not None:
            return rule(model)
    return OTHER


def _forest(model: Any) -> int:
    trees = [tree.tree_ for tree in model.estimators_]
    return sum(tree.node_count * (72 + 8 * tree.max_n_classes * tree.n_outputs) for tree in trees)


def _lightgbm(model: Any) -> int:
    # about 150 bytes per leaf, for the booster and the bins of the training data that it keeps
    return int(model.booster_.num_trees() * (model.get_params()["num_leaves"] * 150 + 2000))


def _xgboost(model: Any) -> int:
    parameters = model.get_params()
    leaves = parameters.get("max_leaves") or 2 ** min(parameters.get("max_depth") or 6, 12)
    return int((parameters.get("n_estimators") or 100) * leaves * 120)


def _pipeline(model: Any) -> int:
    return model_bytes(model.steps[-1][1])


RULES: dict[str, Callable[[Any], int]] = {
    "BaseForest": _forest,
    "LGBMModel": _lightgbm,
    "Pipeline": _pipeline,
    "XGBModel": _xgboost,
}
"""Class name, looked up along the class hierarchy -> estimate of the bytes."""
