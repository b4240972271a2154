"""Reader of XGBoost models, from the binary JSON that XGBoost saves.

XGBoost compares in float32 and sends ``x < threshold`` left, which is ``x <= nextafter(threshold, -inf)``. A missing
value goes where the split says; an entry that a sparse table does not store is missing too. A categorical split lists
the categories that go right; unknown ones go left.

The margin is additive. Which space that is, and on which scale the model keeps its base score, follows from the
objective: see `OBJECTIVES`. Predictions are float32, so that sums of leaves agree with them to about seven digits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
from scipy.special import logit, softmax

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers._model import FittedModel, Linear, Matrix, OutputSpace, Predict
from automl_explain.explainers._trees import MISSING_LEFT, UNSEEN_LEFT, Trees
from automl_explain.integrations._fitted import require_fitted
from automl_explain.integrations._matrix import category_columns, real_names, to_matrix
from automl_explain.integrations._outputs import both_margins, both_probabilities, columns
from automl_explain.integrations._preorder import in_preorder
from automl_explain.integrations._ubjson import loads


def _same(base: Matrix) -> Matrix:
    return base


@dataclass(frozen=True)
class _Objective:
    """What follows from an objective: the margin's space and how the base score becomes a margin."""

    space: OutputSpace
    link: Any = _same


OBJECTIVES: Mapping[str, _Objective] = {
    "binary:logistic": _Objective("log_odds", logit),
    "binary:logitraw": _Objective("log_odds"),
    "binary:hinge": _Objective("log_odds"),
    "multi:softprob": _Objective("log_odds"),
    "multi:softmax": _Objective("log_odds"),
    "reg:logistic": _Objective("margin", logit),
    "reg:gamma": _Objective("margin", np.log),
    "reg:tweedie": _Objective("margin", np.log),
    "count:poisson": _Objective("margin", np.log),
    "survival:cox": _Objective("margin", np.log),
    "survival:aft": _Objective("margin", np.log),
}
"""Objectives whose margin is not the prediction itself; with every other one it is."""


@dataclass(frozen=True, eq=False)
class _Model:
    """A booster and how it is called: its saved form, the missing value and the number of rounds that predict."""

    booster: Any
    learner: Mapping[str, Any]
    missing: float
    n_rounds: int

    @property
    def objective(self) -> str:
        return str(self.learner["objective"]["name"])

    @property
    def n_targets(self) -> int:
        return int(self.learner["learner_model_param"].get("num_target", 1))

    @property
    def n_outputs(self) -> int:
        return max(int(self.learner["learner_model_param"]["num_class"]), self.n_targets, 1)

    @property
    def n_features(self) -> int:
        return int(self.learner["learner_model_param"]["num_feature"])

    @property
    def base(self) -> npt.NDArray[np.float64]:
        """The base score as a margin, one per output; a single number stands for all."""
        scores = json.loads(self.learner["learner_model_param"]["base_score"])
        link = OBJECTIVES.get(self.objective, _Objective("response")).link
        return np.array(np.broadcast_to(link(np.atleast_1d(np.float64(scores))), self.n_outputs))


def describe(model: Any) -> FittedModel:
    """Describe an XGBClassifier, XGBRegressor, XGBRanker or one of the two random forest classes.

    A model that stopped early is read up to its best iteration, as its `predict` does. With a custom objective XGBoost
    itself predicts margins: they are the response of a regressor or a binary classifier, and the log-odds of a
    multiclass one.
    """
    require_fitted(model, "_Booster")
    booster = model.get_booster()
    best = booster.attr("best_iteration")
    n_rounds = 0 if best is None or model.booster == "gblinear" else int(best) + 1
    read = _Model(booster, loads(booster.save_raw("ubj"))["learner"], float(model.missing), n_rounds)
    n_classes = getattr(model, "n_classes_", None)
    return _describe(
        read,
        type(model).__name__,
        None if n_classes is None else tuple(range(n_classes)),
        is_custom=callable(model.objective),
    )


def describe_booster(booster: Any) -> FittedModel:
    """Describe a Booster; all its trees count, as in its `predict`, and its classes are the numbers 0, 1, ..."""
    return _describe(_Model(booster, loads(booster.save_raw("ubj"))["learner"], np.nan, 0), "Booster", None)


def read_trees(booster: Any, n_rounds: int = 0) -> Trees:
    """Read a tree booster.

    Parameters
    ----------
    booster : xgboost.Booster
        With trees (gbtree or dart), of one output, of several, or with vector leaves.
    n_rounds : int, default 0
        Number of boosting rounds to read, from the first; 0 for all.

    Returns
    -------
    Trees
        The margin.
    """
    return _assemble(_Model(booster, loads(booster.save_raw("ubj"))["learner"], np.nan, n_rounds))


# ---------------------------------------------------------------------------------------------------- description


def _describe(model: _Model, name: str, classes: tuple[int, ...] | None, is_custom: bool = False) -> FittedModel:
    if model.n_targets > 1:
        raise UnsupportedModelError(
            f"This {name} predicts {model.n_targets} targets at once. Models of one target are supported: fit one "
            "model per target and explain each."
        )
    space = OBJECTIVES.get(model.objective, _Objective("response")).space
    if model.n_outputs > 1 or (classes is not None and not is_custom):
        space = "log_odds"
    if space != "log_odds":
        classes = None
    elif classes is None:
        classes = tuple(range(max(2, model.n_outputs)))
    is_linear = model.learner["gradient_booster"]["name"] == "gblinear"
    return FittedModel(
        outputs=_outputs(model, space, is_custom),
        output_space=space,
        task="regression" if classes is None else "binary" if len(classes) == 2 else "multiclass",
        structure=_linear(model) if is_linear else _assemble(model),
        classes=classes,
        feature_names=real_names(model.learner["feature_names"] or None, "f{}"),
        n_features=model.n_features,
        encode=partial(_encode, _category_labels(model), model.missing, is_linear),
        name=name,
    )


def _outputs(model: _Model, space: OutputSpace, is_custom: bool) -> dict[OutputSpace, Predict]:
    margin, value = partial(_predict, model, "margin"), partial(_predict, model, "value")
    if space == "response":
        return {"response": partial(columns, value)}
    if space == "margin":
        return {"margin": partial(columns, margin), "response": partial(columns, value)}
    score = both_margins if model.n_outputs == 1 else columns
    outputs: dict[OutputSpace, Predict] = {"log_odds": partial(score, margin)}
    if model.objective == "multi:softmax":  # it predicts class numbers
        outputs["probability"] = partial(_softmax, margin)
    elif model.objective in OBJECTIVES and model.objective != "binary:logitraw" and not is_custom:
        outputs["probability"] = partial(both_probabilities if model.n_outputs == 1 else columns, value)
    return outputs


def _predict(model: _Model, kind: str, table: Any) -> Any:
    if scipy.sparse.issparse(table):
        table = scipy.sparse.csr_matrix(table)
    if model.learner["gradient_booster"]["name"] != "gblinear":
        return model.booster.inplace_predict(
            table, iteration_range=(0, model.n_rounds), predict_type=kind, missing=model.missing
        )
    import xgboost

    data = xgboost.DMatrix(table, missing=model.missing)
    return model.booster.predict(data, output_margin=kind == "margin", validate_features=False)


def _softmax(margin: Any, table: Any) -> Matrix:
    return np.asarray(softmax(columns(margin, table), axis=1))


# ---------------------------------------------------------------------------------------------------- tables


def _encode(labels: dict[int, list[Any] | None], missing: float, missing_is_zero: bool, table: Any) -> Matrix:
    numbers = category_columns(table)
    for number in numbers:
        _refuse_unknown(table.iloc[:, number], labels.get(number))
    matrix = to_matrix(table, {number: labels.get(number) for number in numbers}, absent=np.nan)
    if not np.isnan(missing):
        with np.errstate(over="ignore"):
            matrix = np.where(matrix.astype(np.float32) == np.float32(missing), np.nan, matrix)
    # A linear booster skips missing values.
    return np.nan_to_num(matrix, nan=0.0) if missing_is_zero else matrix


def _refuse_unknown(column: pd.Series, labels: Sequence[Any] | None) -> None:
    """Raise for a category that training did not see, as XGBoost does."""
    if labels is None:
        return
    unknown = column[column.notna() & ~column.isin(labels)]
    if len(unknown):
        raise InvalidInputError(
            f"Column {column.name!r} has the category {unknown.iloc[0]!r}, which was not in the training data. XGBoost "
            "predicts known categories and missing values only."
        )


def _category_labels(model: _Model) -> dict[int, list[Any] | None]:
    """Return the labels of each categorical column in the order of their codes, where XGBoost keeps them (>= 3.1)."""
    body = model.learner["gradient_booster"].get("gbtree", model.learner["gradient_booster"])["model"]
    encodings = body.get("cats", {}).get("enc", [])
    return {number: _labels(encoding) for number, encoding in enumerate(encodings) if len(encoding["values"])}


def _labels(encoding: Mapping[str, Any]) -> list[Any]:
    if "offsets" not in encoding:
        return list(np.asarray(encoding["values"]).tolist())
    text = np.asarray(encoding["values"]).astype(np.uint8).tobytes()
    offsets = np.asarray(encoding["offsets"]).tolist()
    return [text[start:stop].decode() for start, stop in pairwise(offsets)]


# ---------------------------------------------------------------------------------------------------- structures


def _linear(model: _Model) -> Linear:
    weights = np.asarray(model.learner["gradient_booster"]["model"]["weights"], dtype=np.float64)
    weights = weights.reshape(model.n_features + 1, model.n_outputs)
    # A linear booster adds the base score of the first class to all of them.
    return Linear(coef=weights[:-1].T.copy(), intercept=weights[-1] + model.base[0])


def _assemble(model: _Model) -> Trees:
    gradient_booster = model.learner["gradient_booster"]
    body = gradient_booster.get("gbtree", gradient_booster)["model"]
    n_trees = int(body["iteration_indptr"][model.n_rounds]) if model.n_rounds else len(body["trees"])
    trees = body["trees"][:n_trees]
    if not trees:
        raise UnsupportedModelError("This XGBoost model has no trees. Train it for at least one round.")
    weights = np.asarray(gradient_booster.get("weight_drop", np.ones(n_trees)), dtype=np.float64)[:n_trees]
    sizes = np.array([len(tree["left_children"]) for tree in trees])
    roots = np.cumsum(sizes) - sizes
    offset = np.repeat(roots, sizes)

    def joined(key: str) -> npt.NDArray[Any]:
        return np.concatenate([tree[key] for tree in trees])

    left, right = joined("left_children"), joined("right_children")
    has_vectors = int(trees[0]["tree_param"]["size_leaf_vector"]) > 1
    values = _vector_leaves(trees, model.n_outputs) if has_vectors else joined("split_conditions")[:, None]
    is_category = (joined("split_type") > 0) & (left >= 0)
    flags = np.where(joined("default_left") > 0, MISSING_LEFT, 0) | np.where(is_category, UNSEEN_LEFT, 0)
    start, words, categories = _bit_sets(trees, roots, len(left))
    below = np.nextafter(joined("split_conditions"), np.float32(-np.inf))
    return in_preorder(
        Trees(
            roots=roots.astype(np.int32),
            left=np.where(left < 0, -1, left + offset).astype(np.int32),
            right=np.where(left < 0, -1, right + offset).astype(np.int32),
            feature=joined("split_indices").astype(np.int32),
            threshold=np.where(is_category, 0.0, below.astype(np.float64)),
            flags=flags.astype(np.uint8),
            category_start=start,
            category_size=words,
            categories=categories,
            cover=_cover(trees),
            values=values.astype(np.float64) * np.repeat(weights, sizes)[:, None],
            output=np.asarray([-1] * n_trees if has_vectors else body["tree_info"][:n_trees], dtype=np.int32),
            base=model.base,
            n_features=model.n_features,
            float32=True,
        )
    )


def _vector_leaves(trees: Sequence[Mapping[str, Any]], n_outputs: int) -> Matrix:
    """Return the vectors of the leaves; a leaf's right child is its number among the leaves."""
    values = []
    for tree in trees:
        is_leaf = tree["left_children"] < 0
        vectors = np.zeros((len(is_leaf), n_outputs))
        leaf_vectors = tree.get("leaf_weights")
        if leaf_vectors is None:  # XGBoost 2 keeps a vector per node
            vectors = tree["base_weights"].reshape(-1, n_outputs)
        else:
            vectors[is_leaf] = leaf_vectors.reshape(-1, n_outputs)[tree["right_children"][is_leaf]]
        values.append(vectors)
    return np.concatenate(values)


def _cover(trees: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
    if "sum_hessian" not in trees[0]:
        raise UnsupportedModelError(
            "This model with multi_strategy='multi_output_tree' was saved by an XGBoost that keeps no node weights. "
            "Train it with a newer XGBoost (>= 3.2), or with multi_strategy='one_output_per_tree'."
        )
    return np.concatenate([tree["sum_hessian"] for tree in trees]).astype(np.float64)


def _bit_sets(
    trees: Sequence[Mapping[str, Any]], roots: npt.NDArray[np.int64], n_nodes: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint32]]:
    """Return first word and number of words per node, and all words: ones but for the categories that go right."""
    start = np.full(n_nodes, -1, dtype=np.int32)
    size = np.zeros(n_nodes, dtype=np.int32)
    with_sets = [(root, tree) for root, tree in zip(roots, trees, strict=True) if len(tree["categories_nodes"])]
    if not with_sets:
        return start, size, np.zeros(0, dtype=np.uint32)
    nodes = np.concatenate([root + tree["categories_nodes"] for root, tree in with_sets])
    lengths = np.concatenate([tree["categories_sizes"] for _, tree in with_sets])
    right = np.concatenate([tree["categories"] for _, tree in with_sets]).astype(np.int64)
    owner = np.repeat(np.arange(len(nodes)), lengths)
    highest = np.zeros(len(nodes), dtype=np.int64)
    np.maximum.at(highest, owner, right)
    n_words = highest // 32 + 1
    first = np.cumsum(n_words) - n_words
    words = np.full(n_words.sum(), 2**32 - 1, dtype=np.uint32)
    bit = np.left_shift(np.uint32(1), (right % 32).astype(np.uint32))
    np.bitwise_and.at(words, first[owner] + right // 32, ~bit)
    start[nodes], size[nodes] = first, n_words
    return start, size, words
