"""Reader of scikit-learn's histogram gradient boosting.

Numbers are compared in float64; ``x <= threshold`` goes left. Categories are first replaced by codes, and unknown ones by
missing values. The model then moves its categorical columns to the front, which the reader undoes. Missing values go to the
split's default side.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Matrix, OutputSpace, Predict
from automl_explain.explainers.trees._split_flags import MISSING_LEFT, UNSEEN_LEFT
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.integrations.readers._checks import require_classes, require_fitted, task_of
from automl_explain.integrations.readers._matrix import as_fitted, predict_as_fitted
from automl_explain.integrations.readers._predictions import both_margins, columns
from automl_explain.integrations.readers._preorder import in_preorder
from automl_explain.integrations.readers.sklearn._estimators import feature_names

LOG_LINKS = ("gamma", "poisson")
"""Losses for which the raw prediction is the log of the response."""


def describe_classifier(model: Any) -> FittedModel:
    """Describe a HistGradientBoostingClassifier; the log-odds are its `decision_function`."""
    require_fitted(model, "_predictors")
    require_classes(type(model).__name__, tuple(model.classes_))
    names = feature_names(model)
    score = both_margins if len(model.classes_) == 2 else columns
    outputs: dict[OutputSpace, Predict] = {
        "log_odds": partial(score, partial(predict_as_fitted, model.decision_function, names)),
        "probability": partial(columns, partial(predict_as_fitted, model.predict_proba, names)),
    }
    return _describe(model, outputs, "log_odds")


def describe_regressor(model: Any) -> FittedModel:
    """Describe a HistGradientBoostingRegressor; with a Poisson or gamma loss it is additive in the log of the response."""
    require_fitted(model, "_predictors")
    names = feature_names(model)
    response = partial(columns, partial(predict_as_fitted, model.predict, names))
    if model.loss in LOG_LINKS:
        raw = partial(columns, partial(predict_as_fitted, model._raw_predict, names))
        return _describe(model, {"margin": raw, "response": response}, "margin")
    return _describe(model, {"response": response}, "response")


def read_trees(model: Any) -> Trees:
    """Read a histogram gradient boosting model.

    Parameters
    ----------
    model : fitted HistGradientBoostingClassifier or HistGradientBoostingRegressor

    Returns
    -------
    Trees
        The raw prediction, one column per class of a multiclass model. It reads the matrix of `FittedModel.encode`.
    """
    trees = [tree for round_ in model._predictors for tree in round_]
    nodes = np.concatenate([tree.nodes for tree in trees])
    sizes = np.array([len(tree.nodes) for tree in trees])
    roots = np.cumsum(sizes) - sizes
    offset = np.repeat(roots, sizes)
    is_leaf = nodes["is_leaf"] > 0
    is_category = (nodes["is_categorical"] > 0) & ~is_leaf
    first_set, words = _bit_sets(trees)
    set_start = words.shape[1] * (np.repeat(first_set, sizes) + nodes["bitset_idx"])
    n_outputs = model.n_trees_per_iteration_
    missing_left = nodes["missing_go_to_left"] > 0
    # A category that the model does not know is treated as a missing value.
    flags = np.where(missing_left, np.where(is_category, MISSING_LEFT | UNSEEN_LEFT, MISSING_LEFT), 0)
    return in_preorder(
        Trees(
            roots=roots.astype(np.int32),
            left=np.where(is_leaf, -1, nodes["left"] + offset).astype(np.int32),
            right=np.where(is_leaf, -1, nodes["right"] + offset).astype(np.int32),
            feature=_seen_columns(model)[nodes["feature_idx"]].astype(np.int32),
            threshold=np.where(is_category, 0.0, nodes["num_threshold"]),
            flags=flags.astype(np.uint8),
            category_start=np.where(is_category, set_start, -1).astype(np.int32),
            category_size=np.where(is_category, words.shape[1], 0).astype(np.int32),
            categories=words.ravel(),
            cover=nodes["count"].astype(np.float64),
            values=nodes["value"].astype(np.float64)[:, None],
            output=np.tile(np.arange(n_outputs), len(model._predictors)).astype(np.int32),
            base=np.array(model._baseline_prediction, dtype=np.float64).reshape(n_outputs),
            n_features=int(model.n_features_in_),
        )
    )


def _bit_sets(trees: Sequence[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Return the number of each tree's first bit set, and all bit sets as rows of words."""
    counts = np.array([len(tree.raw_left_cat_bitsets) for tree in trees])
    words = np.concatenate([tree.raw_left_cat_bitsets for tree in trees]).astype(np.uint32)
    return np.cumsum(counts) - counts, words


def _seen_columns(model: Any) -> npt.NDArray[np.intp]:
    """Return the table's column for each column that the trees see; the categorical columns come first."""
    if model.is_categorical_ is None:
        return np.arange(model.n_features_in_)
    return np.concatenate([np.flatnonzero(model.is_categorical_), np.flatnonzero(~model.is_categorical_)])


def _encode(model: Any, names: tuple[str, ...] | None, table: Any) -> Matrix:
    seen = model._preprocess_X(as_fitted(names, table), reset=False)
    matrix = np.empty(seen.shape)
    matrix[:, _seen_columns(model)] = seen
    return matrix


def _describe(model: Any, outputs: dict[OutputSpace, Predict], space: OutputSpace) -> FittedModel:
    classes = tuple(model.classes_.tolist()) if "probability" in outputs else None
    return FittedModel(
        outputs=outputs,
        output_space=space,
        task=task_of(classes),
        structure=read_trees(model),
        classes=classes,
        feature_names=feature_names(model),
        n_features=int(model.n_features_in_),
        encode=partial(_encode, model, feature_names(model)),
        name=type(model).__name__,
    )
