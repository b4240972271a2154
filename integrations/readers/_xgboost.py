"""Reader of XGBoost models, from the binary JSON format in which XGBoost saves them.

XGBoost compares in float32 and sends ``x < threshold`` left, which is ``x <= nextafter(threshold, -inf)``. Missing values
go to the split's default side; entries that a sparse table does not store are missing, too. A categorical split lists the
categories that go right; unknown categories go left.

The margin is additive. Its output space and the scale of the model's base score follow from the objective: see
`OBJECTIVES`. Predictions are float32, so that sums of leaves agree with them to about seven digits.
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
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Linear, Matrix, OutputSpace, Predict
from automl_explain.explainers.tables._column_functions import ColumnFunction, Columnwise
from automl_explain.explainers.trees._split_flags import MISSING_LEFT, UNSEEN_LEFT
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.integrations.readers._checks import require_classes, require_fitted, task_of
from automl_explain.integrations.readers._matrix import category_columns, real_names, to_matrix
from automl_explain.integrations.readers._predictions import both_margins, both_probabilities, columns
from automl_explain.integrations.readers._preorder import in_preorder
from automl_explain.integrations.readers._ubjson import loads
from automl_explain.integrations.readers.sklearn._targets import quantile_names, target_names


def _same(base: Matrix) -> Matrix:
    return base


@dataclass(frozen=True)
class _Objective:
    """Properties of an objective: the space of the margin, whether labels are classes, and the link of the base score."""

    space: OutputSpace = "response"
    classifies: bool = False
    link: Any = _same


OBJECTIVES: Mapping[str, _Objective] = {
    "binary:logistic": _Objective("log_odds", classifies=True, link=logit),
    "binary:logitraw": _Objective("log_odds", classifies=True),
    "binary:hinge": _Objective("margin", classifies=True),
    "multi:softprob": _Objective("log_odds", classifies=True),
    "multi:softmax": _Objective("log_odds", classifies=True),
    "reg:logistic": _Objective("margin", link=logit),
    "reg:gamma": _Objective("margin", link=np.log),
    "reg:tweedie": _Objective("margin", link=np.log),
    "count:poisson": _Objective("margin", link=np.log),
    "survival:cox": _Objective("margin", link=np.log),
    "survival:aft": _Objective("margin", link=np.log),
}
"""Objectives whose margin differs from the prediction; for all others the two are equal."""


@dataclass(frozen=True, eq=False)
class _Caller:
    """A booster with the settings of its predictions: the value of missing cells, and the number of rounds (0: all)."""

    booster: Any
    missing: float = np.nan
    n_rounds: int = 0
    is_linear: bool = False

    def margin(self, table: Any) -> Any:
        """Return the sums before the link."""
        return self._predict(table, "margin")

    def value(self, table: Any) -> Any:
        """Return the predictions."""
        return self._predict(table, "value")

    def _predict(self, table: Any, kind: str) -> Any:
        if scipy.sparse.issparse(table):
            table = scipy.sparse.csr_matrix(table)
        if not self.is_linear:
            return self.booster.inplace_predict(
                table, iteration_range=(0, self.n_rounds), predict_type=kind, missing=self.missing
            )
        import xgboost

        data = xgboost.DMatrix(table, missing=self.missing)
        return self.booster.predict(data, output_margin=kind == "margin", validate_features=False)


class _Saved:
    """The saved form of a booster."""

    def __init__(self, booster: Any) -> None:
        learner = loads(booster.save_raw("ubj"))["learner"]
        self.sizes: Mapping[str, str] = learner["learner_model_param"]
        self.gradient_booster: Mapping[str, Any] = learner["gradient_booster"]
        self.body: Mapping[str, Any] = self.gradient_booster.get("gbtree", self.gradient_booster)["model"]
        # Of dropout: in the booster before XGBoost 3.4, in its model from then on.
        self.tree_weights = list(self.body.get("weight_drop", self.gradient_booster.get("weight_drop", ())))
        self.is_linear = self.gradient_booster["name"] == "gblinear"
        self.objective_state: Mapping[str, Any] = learner["objective"]
        self.objective: str = self.objective_state["name"]
        self.rules = OBJECTIVES.get(self.objective, _Objective())
        self.n_features = int(self.sizes["num_feature"])
        self.n_targets = int(self.sizes.get("num_target", 1))
        self.n_outputs = max(int(self.sizes["num_class"]), self.n_targets, 1)
        self.names: list[str] | None = learner["feature_names"] or None
        self.categorical = [number for number, kind in enumerate(learner["feature_types"]) if kind == "c"]

    @property
    def quantiles(self) -> list[float]:
        """The quantiles that are predicted; empty for another objective."""
        own = self.objective_state.get("quantile_loss_param", {}).get("quantile_alpha", "[]")
        return [float(quantile) for quantile in json.loads(own)]

    @property
    def base(self) -> npt.NDArray[np.float64]:
        """The base score as a margin, one per output; a single number applies to all."""
        scores = np.atleast_1d(np.float64(json.loads(self.sizes["base_score"])))
        return np.array(np.broadcast_to(self.rules.link(scores), self.n_outputs))


def describe(model: Any) -> FittedModel:
    """Describe an XGBClassifier, XGBRegressor, XGBRanker or one of the two random forest classes.

    A model with early stopping is read up to its best iteration, as its `predict` does. With a custom objective, XGBoost
    predicts margins: the response of a regressor or ranker, and the only output of a classifier.
    """
    require_fitted(model, "_Booster")
    booster = model.get_booster()
    saved = _Saved(booster)
    best = booster.attr("best_iteration")
    n_rounds = 0 if best is None or saved.is_linear else int(best) + 1
    caller = _Caller(booster, float(model.missing), n_rounds, saved.is_linear)
    classes = tuple(np.asarray(model.classes_).tolist()) if hasattr(model, "n_classes_") else None
    return _describe(saved, caller, type(model).__name__, classes, has_link=not callable(model.objective))


def describe_booster(booster: Any) -> FittedModel:
    """Describe a Booster with all its trees, as its `predict` uses them; its classes are 0, 1, ..."""
    saved = _Saved(booster)
    return _describe(saved, _Caller(booster, is_linear=saved.is_linear), "Booster", None)


def read_trees(booster: Any, n_rounds: int = 0) -> Trees:
    """Read a tree booster.

    Parameters
    ----------
    booster : xgboost.Booster
        A gbtree or dart booster with one output, several outputs, or vector leaves.
    n_rounds : int, default 0
        Number of boosting rounds to read, from the first; 0 for all.

    Returns
    -------
    Trees
        The margin.
    """
    return _assemble(_Saved(booster), n_rounds)


# ---------------------------------------------------------------------------------------------------- description


def _describe(
    saved: _Saved, caller: _Caller, name: str, classes: tuple[Any, ...] | None, *, has_link: bool = True
) -> FittedModel:
    several = saved.n_targets > 1
    if several:
        classes = quantile_names(saved.quantiles) or target_names(saved.n_outputs)
    elif classes is None and (saved.rules.classifies or saved.n_outputs > 1):
        classes = tuple(range(max(2, saved.n_outputs)))
    require_classes(name, classes)
    space = saved.rules.space
    if classes and not several and (space == "response" or not has_link):
        space = "margin"
    has_classes = saved.rules.classifies if several else bool(classes)
    return FittedModel(
        outputs=_outputs(saved, caller, space, has_classes, has_link),
        output_space=space,
        task="multitarget" if several else task_of(classes),
        structure=_linear(saved) if saved.is_linear else _assemble(saved, caller.n_rounds),
        classes=classes,
        feature_names=real_names(saved.names, "f{}"),
        n_features=saved.n_features,
        encode=_Columns(_category_labels(saved), saved.categorical, caller.missing, saved.is_linear),
        name=name,
    )


def _outputs(
    saved: _Saved, caller: _Caller, space: OutputSpace, has_classes: bool, has_link: bool
) -> dict[OutputSpace, Predict]:
    if not has_classes:
        return {space: partial(columns, caller.margin), "response": partial(columns, caller.value)}
    is_binary = saved.n_outputs == 1
    outputs: dict[OutputSpace, Predict] = {space: partial(both_margins if is_binary else columns, caller.margin)}
    if saved.objective == "multi:softmax":  # it predicts class numbers
        outputs["probability"] = partial(_softmax, caller.margin)
    elif saved.rules.classifies and saved.objective != "binary:logitraw" and has_link:
        outputs["probability"] = partial(both_probabilities if is_binary else columns, caller.value)
    return outputs


def _softmax(margin: Any, table: Any) -> Matrix:
    return np.asarray(softmax(columns(margin, table), axis=1))


# ---------------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True, eq=False)
class _Columns(Columnwise):
    """How a booster reads a table: labels in the order of their codes, categorical columns, and the missing value."""

    labels: Mapping[int, Sequence[Any]]
    categorical: list[int]
    missing: float
    missing_is_zero: bool  # a linear booster skips missing values

    def __call__(self, table: Any) -> Matrix:
        """Return the matrix that the booster reads."""
        return _encode(self, table)

    def columns(self, inputs: tuple[ColumnFunction, ...]) -> tuple[ColumnFunction, ...]:
        """Return the columns of the matrix, as functions of those before the table."""
        steps: list[tuple[str, float]] = [] if np.isnan(self.missing) else [("missing_if", self.missing)]
        steps += [("fill", 0.0)] if self.missing_is_zero else []
        coded = [("as_category", -1.0)] if not self.missing_is_zero else []
        return tuple(
            column.then(*steps, *(coded if number in self.categorical else [])) for number, column in enumerate(inputs)
        )


def _encode(known: _Columns, table: Any) -> Matrix:
    numbers = category_columns(table)
    for number in numbers:
        _refuse_unknown(table.iloc[:, number], known.labels.get(number))
    matrix = to_matrix(table, {number: known.labels.get(number) for number in numbers}, absent=np.nan)
    if not np.isnan(known.missing):
        with np.errstate(over="ignore"):
            matrix = np.where(matrix.astype(np.float32) == np.float32(known.missing), np.nan, matrix)
    if known.missing_is_zero:
        return np.nan_to_num(matrix, nan=0.0)
    if known.categorical:
        # A number that is negative as float32 is an unknown category, even if its integer part is 0.
        codes = matrix[:, known.categorical]
        matrix = matrix.copy()
        matrix[:, known.categorical] = np.where(codes.astype(np.float32) < 0, -1.0, codes)
    return matrix


def _refuse_unknown(column: pd.Series, labels: Sequence[Any] | None) -> None:
    """Raise an error for a category that is not in the training data, as XGBoost does."""
    if labels is None:
        return
    unknown = column[column.notna() & ~column.isin(labels)]
    if len(unknown):
        raise InvalidInputError(
            f"Column {column.name!r} has the category {unknown.iloc[0]!r}, which was not in the training data. XGBoost "
            "predicts known categories and missing values only."
        )


def _category_labels(saved: _Saved) -> dict[int, list[Any]]:
    """Return the labels of each categorical column in the order of their codes; XGBoost keeps them since version 3.1."""
    encodings = saved.body.get("cats", {}).get("enc", [])
    return {number: _labels(encoding) for number, encoding in enumerate(encodings) if len(encoding["values"])}


def _labels(encoding: Mapping[str, Any]) -> list[Any]:
    if "offsets" not in encoding:
        return list(np.asarray(encoding["values"]).tolist())
    text = np.asarray(encoding["values"]).astype(np.uint8).tobytes()
    offsets = np.asarray(encoding["offsets"]).tolist()
    return [text[start:stop].decode() for start, stop in pairwise(offsets)]


# ---------------------------------------------------------------------------------------------------- structures


def _linear(saved: _Saved) -> Linear:
    weights = np.asarray(saved.body["weights"], dtype=np.float64).reshape(saved.n_features + 1, saved.n_outputs)
    # A linear booster adds the base score of the first class to all of them.
    return Linear(coef=weights[:-1].T.copy(), intercept=weights[-1] + saved.base[0])


def _assemble(saved: _Saved, n_rounds: int) -> Trees:
    n_trees = int(saved.body["iteration_indptr"][n_rounds]) if n_rounds else len(saved.body["trees"])
    trees = saved.body["trees"][:n_trees]
    if not trees:
        raise UnsupportedModelError("This XGBoost model has no trees. Train it for at least one round.")
    weights = np.asarray(saved.tree_weights or np.ones(n_trees), dtype=np.float64)[:n_trees]
    sizes = np.array([len(tree["left_children"]) for tree in trees])
    roots = np.cumsum(sizes) - sizes
    offset = np.repeat(roots, sizes)

    def joined(key: str) -> npt.NDArray[Any]:
        return np.concatenate([tree[key] for tree in trees])

    left, right = joined("left_children"), joined("right_children")
    has_vectors = int(trees[0]["tree_param"]["size_leaf_vector"]) > 1
    values = _vector_leaves(trees, saved.n_outputs) if has_vectors else joined("split_conditions")[:, None]
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
            output=np.asarray([-1] * n_trees if has_vectors else saved.body["tree_info"][:n_trees], dtype=np.int32),
            base=saved.base,
            n_features=saved.n_features,
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
            "This model with multi_strategy='multi_output_tree' was saved by an XGBoost version that keeps no node weights. "
            "Train it with a newer XGBoost (>= 3.2), or with multi_strategy='one_output_per_tree'."
        )
    return np.concatenate([tree["sum_hessian"] for tree in trees]).astype(np.float64)


def _bit_sets(
    trees: Sequence[Mapping[str, Any]], roots: npt.NDArray[np.int64], n_nodes: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint32]]:
    """Return the first word and the number of words per node, and all words; bits are 0 for categories that go right."""
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
