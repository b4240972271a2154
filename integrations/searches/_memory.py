"""A rough estimate of the memory that a fitted model takes, without serialising it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.exceptions import NotFittedError

from automl_explain.integrations.sealed._limits import GIB, released

LEAST = 100_000
"""Bytes that a model takes at least, for what is not counted."""
MOST_PARTS = 2000
"""Parts of a model without a rule that are looked at; the rest are taken for as large as these."""


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
        worst.release(released(limit))


def _loss(trial: Held) -> float:
    return math.inf if trial.loss is None or math.isnan(trial.loss) else trial.loss


def model_bytes(model: Any) -> int:
    """Estimate the bytes that a fitted model takes. It must be fast, since it runs during a search."""
    counted = _by_rule(RULES, model)
    return max(_held(model), LEAST) if counted is None else counted


def _by_rule(rules: Mapping[str, Callable[[Any], int]], part: Any) -> int | None:
    """Return what the rule of a class counts, or None if there is none, or if the part is not fitted."""
    rule = next((rules[cls.__name__] for cls in type(part).__mro__ if cls.__name__ in rules), None)
    try:
        return None if rule is None else rule(part)
    except (AttributeError, NotFittedError, TypeError):
        return None  # such as the templates that stacks and bags keep beside their fitted copies


def _held(model: Any) -> int:
    """Return the bytes of the arrays that a model holds, each counted once."""
    waiting, seen, total, looked = deque([model]), set[int](), 0, 0
    while waiting and looked < MOST_PARTS:
        part = waiting.popleft()
        if id(part) in seen or isinstance(part, str | bytes | int | float | type | type(None)):
            continue
        seen.add(id(part))
        looked += 1
        counted = _by_rule(PARTS, part)
        if counted is not None:
            total += counted
        elif isinstance(part, np.ndarray):
            total += part.nbytes
            waiting.extend(part.ravel()[:MOST_PARTS] if part.dtype == object else ())
        elif isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple | set):
            waiting.extend(part)
        else:
            waiting.extend(getattr(part, "__dict__", {}).values())
    return total * (looked + len(waiting)) // max(looked, 1)


def _forest(model: Any) -> int:
    trees = [tree.tree_ for tree in model.estimators_]
    return sum(tree.node_count * (72 + 8 * tree.max_n_classes * tree.n_outputs) for tree in trees)


def _lightgbm(model: Any) -> int:
    # about 150 bytes per leaf, for the booster and the bins of the training data that it keeps
    return int(model.booster_.num_trees() * (model.get_params()["num_leaves"] * 150 + 2000))


def _xgboost(model: Any) -> int:
    model.get_booster()  # refuses a model that is not fitted
    parameters = model.get_params()
    leaves = parameters.get("max_leaves") or 2 ** min(parameters.get("max_depth") or 6, 12)
    return int((parameters.get("n_estimators") or 100) * leaves * 120)


def _catboost(model: Any) -> int:
    depth = model.get_params().get("depth") or 6
    return int(model.tree_count_ * 2**depth * 16 * max(len(model.classes_), 1))


def _pipeline(model: Any) -> int:
    return sum(model_bytes(step) for _, step in model.steps)


RULES: dict[str, Callable[[Any], int]] = {
    "BaseForest": _forest,
    "CatBoost": _catboost,
    "LGBMModel": _lightgbm,
    "Pipeline": _pipeline,
    "XGBModel": _xgboost,
}
"""Class name, looked up along the class hierarchy -> estimate of the bytes."""

PARTS: dict[str, Callable[[Any], int]] = {
    "BinaryTree": lambda tree: sum(np.asarray(array).nbytes for array in tree.get_arrays()),
    "DataFrame": lambda table: int(table.memory_usage(index=True).sum()),
    "Module": lambda network: sum(one.numel() * one.element_size() for one in network.parameters()),
    "Tree": lambda tree: tree.node_count * (72 + 8 * tree.max_n_classes * tree.n_outputs),
    "spmatrix": lambda table: table.data.nbytes + table.indices.nbytes,
    "sparray": lambda table: table.data.nbytes + table.indices.nbytes,
    **RULES,
}
"""Class name of a part of a model -> its bytes, where attributes do not tell them."""
