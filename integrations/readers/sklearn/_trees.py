"""Reader of scikit-learn's trees and of the ensembles that are sums or averages of them.

scikit-learn rounds the table to float32, compares it with float64 thresholds and sends ``x <= threshold`` left. In models
that accept missing values, these go to the split's default side.

==================  ==================  ================================================================
models              additive in         structure
==================  ==================  ================================================================
trees, forests      probability         mean of the leaves' class shares
their regressors    response            mean of the leaves
GradientBoosting    log_odds, response  initial prediction + learning rate * leaves
AdaBoostClassifier  log_odds, margin    `decision_function`: one vote per leaf
Bagging of trees    as the trees        mean; each tree reads its own columns
IsolationForest     margin              mean path length; the response, ``-2 ** (-length / c)``, is a link on it
==================  ==================  ================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.dummy import DummyClassifier, DummyRegressor

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.model._fitted_model import FittedModel, Structure
from automl_explain.explainers.model._structures import Matrix, Opaque, OutputSpace, Predict
from automl_explain.explainers.trees._split_flags import MISSING_LEFT
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.integrations.readers._checks import require_classes, require_fitted, require_one_target, task_of
from automl_explain.integrations.readers._matrix import as_fitted, predict_as_fitted, to_matrix
from automl_explain.integrations.readers._predictions import both_margins, columns, log_odds_of
from automl_explain.integrations.readers._preorder import in_preorder, levels, numeric_splits
from automl_explain.integrations.readers.sklearn._estimators import feature_names
from automl_explain.integrations.readers.sklearn._targets import (
    Labels,
    classifier_of_targets,
    labels_of,
    outputs_of,
    regressor_of_targets,
)

# ---------------------------------------------------------------------------------------------------- descriptions


def describe_forest(model: Any) -> FittedModel:
    """Describe a decision tree, extra tree, random forest or extra trees model."""
    require_fitted(model, "tree_" if hasattr(model, "get_n_leaves") else "estimators_")
    labels, about = labels_of(model), {"feature_names": feature_names(model), "n_features": int(model.n_features_in_)}
    if labels is not None:
        for classes in labels:
            require_classes(type(model).__name__, tuple(classes))
        return classifier_of_targets(model, labels, read_forest(model), about)
    if getattr(model, "n_outputs_", 1) > 1:
        return regressor_of_targets(model, model.n_outputs_, read_forest(model), about)
    _require_supported(model, "tree_" if hasattr(model, "get_n_leaves") else "estimators_")
    return _averaged(model, read_forest(model))


def describe_boosting(model: Any) -> FittedModel:
    """Describe a GradientBoostingClassifier or GradientBoostingRegressor.

    With the exponential loss, the `decision_function` is half of the log-odds, which is a margin.
    """
    _require_supported(model)
    structure: Structure = read_boosting(model) if _has_constant_start(model) else Opaque(_STARTS_ELSEWHERE)
    return _boosted(model, structure, "log_odds" if model.loss == "log_loss" else "margin")


def describe_adaboost(model: Any) -> FittedModel:
    """Describe an AdaBoostClassifier by its `decision_function`: the log-odds of a binary model, otherwise a margin."""
    _require_supported(model)
    return _boosted(model, _adaboost_structure(model), "log_odds" if len(model.classes_) == 2 else "margin")


def describe_adaboost_regressor(model: Any) -> FittedModel:
    """Describe an AdaBoostRegressor, which is a black box."""
    _require_supported(model)
    return _regression(model, Opaque("it predicts a weighted median of its members, which is not a sum over them"))


def describe_bagging(model: Any) -> FittedModel:
    """Describe a BaggingClassifier or BaggingRegressor of trees."""
    require_fitted(model, "estimators_")
    n_targets = int(getattr(_first(model.estimators_), "n_outputs_", 1))
    if n_targets > 1 and _all_trees(model.estimators_):
        about = {"feature_names": feature_names(model), "n_features": int(model.n_features_in_)}
        return regressor_of_targets(model, n_targets, read_bagging(model), about)
    if n_targets == 1:
        _require_supported(model)
    if not _all_trees(model.estimators_):
        why = f"its members are {type(model.estimators_[0]).__name__} models, not single trees"
        return _averaged(model, Opaque(why))
    return _averaged(model, read_bagging(model))


def describe_isolation_forest(model: Any) -> FittedModel:
    """Describe an IsolationForest by its mean path length; the anomaly score is a monotone function of it.

    The margin is the mean number of splits that isolate a row (fewer is more anomalous), corrected for leaves with several
    training rows. The response is that of `score_samples`, which is not a sum over trees.
    """
    _require_supported(model)
    names = feature_names(model)
    outputs: dict[OutputSpace, Predict] = {
        "margin": partial(_mean_path_length, model, names),
        "response": partial(columns, partial(predict_as_fitted, model.score_samples, names)),
    }
    return _describe(model, outputs, "margin", read_isolation_forest(model))


# ---------------------------------------------------------------------------------------------------- structures


def read_forest(model: Any) -> Trees:
    """Read a single tree or a forest of trees: the mean over its trees.

    Parameters
    ----------
    model : fitted DecisionTree*, ExtraTree*, RandomForest* or ExtraTrees* estimator

    Returns
    -------
    Trees
        Class probabilities (for a binary model, that of the second class only) or the response.
    """
    members = [model] if hasattr(model, "tree_") else model.estimators_
    classes, labels = getattr(model, "n_classes_", None), labels_of(model)
    if labels is not None:
        values = [_shares_of_targets(member, labels) for member in members]
    elif classes is None:
        values = [_response(member) for member in members]
    else:
        values = [_shares(member, np.arange(classes), classes) for member in members]
    return _stack(model, members, values, scale=1 / len(members))


def read_bagging(model: Any) -> Trees:
    """Read a bagging model of single trees; each may have its own columns and classes."""
    members = model.estimators_
    if hasattr(model, "classes_"):
        # A bootstrap sample can lack a class; bagging trains its members on integer labels.
        values = [_shares(member, member.classes_.astype(np.intp), len(model.classes_)) for member in members]
    else:
        values = [_response(member) for member in members]
    return _stack(model, members, values, scale=1 / len(members), seen=model.estimators_features_)


def read_boosting(model: Any) -> Trees:
    """Read a gradient boosting model: its raw score, one column per class of a multiclass model."""
    if not _has_constant_start(model):
        raise UnsupportedModelError(f"Cannot read {type(model).__name__} as trees: {_STARTS_ELSEWHERE}.")
    n_rounds, n_outputs = model.estimators_.shape
    base = model._raw_predict_init(np.zeros((1, model.n_features_in_)))[0]
    members = model.estimators_.ravel()
    values = [_response(member) for member in members]
    output = np.tile(np.arange(n_outputs), n_rounds)
    return _stack(model, members, values, scale=model.learning_rate, output=output, base=base)


def read_adaboost(model: Any) -> Trees:
    """Read an AdaBoostClassifier of trees: each leaf holds the vote of its tree."""
    weights = model.estimator_weights_[: len(model.estimators_)]
    values = [
        weight * _ballots(member, model.classes_) for member, weight in zip(model.estimators_, weights, strict=True)
    ]
    return _stack(model, model.estimators_, values, scale=1 / weights.sum())


def read_isolation_forest(model: Any) -> Trees:
    """Read an isolation forest: the mean path length."""
    members = model.estimators_
    values = [_path_lengths(member) for member in members]
    return _stack(model, members, values, scale=1 / len(members), seen=model.estimators_features_)


# ---------------------------------------------------------------------------------------------------- leaf values


def _response(member: Any) -> Matrix:
    return np.asarray(member.tree_.value[:, :, 0])


def _shares(member: Any, classes: npt.NDArray[np.intp], n_classes: int) -> Matrix:
    """Return class shares per node; `classes` has the positions of the member's classes among all classes."""
    shares = np.zeros((member.tree_.node_count, n_classes))
    shares[:, classes] = member.tree_.value[:, 0, : len(classes)]
    return shares[:, 1:] if n_classes == 2 else shares


def _shares_of_targets(member: Any, labels: Labels) -> Matrix:
    """Return the outputs of several targets per node."""
    return outputs_of(labels, [member.tree_.value[:, t, : len(own)] for t, own in enumerate(labels)])


def _ballots(member: Any, classes: npt.NDArray[Any]) -> Matrix:
    """Return for each node 1 for the class that the member predicts there, and -1 / (K - 1) for the others.

    The decision of a binary model is the second column minus the first.
    """
    winner = np.searchsorted(classes, member.classes_[member.tree_.value[:, 0].argmax(axis=1)])
    ballots = np.where(winner[:, None] == np.arange(len(classes)), 1.0, -1.0 / (len(classes) - 1))
    return ballots[:, 1:] - ballots[:, :1] if len(classes) == 2 else ballots


def _path_lengths(member: Any) -> Matrix:
    """Return the depth of each node, plus the mean depth of a tree grown on the training rows that reach it."""
    tree = member.tree_
    length = _mean_depth(tree.n_node_samples)
    for depth, nodes in enumerate(levels(np.zeros(1, dtype=np.int32), tree.children_left, tree.children_right)):
        length[nodes] += depth
    return length[:, None]


def _mean_depth(n_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean path length of an unsuccessful search in a binary search tree of n rows.

    References
    ----------
    Liu, Ting and Zhou, "Isolation forest", ICDM 2008, equation 1, doi:10.1109/ICDM.2008.17
    """
    many = np.maximum(n_rows, 3).astype(np.float64)
    depth = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(n_rows <= 1, 0.0, np.where(n_rows == 2, 1.0, depth))


def _mean_path_length(model: Any, names: tuple[str, ...] | None, table: Any) -> Matrix:
    """Invert the link ``score = -2 ** (-length / c)`` of `score_samples`."""
    scores = model.score_samples(as_fitted(names, table))
    return np.asarray(-np.log2(-scores) * _mean_depth(np.array([model._max_samples])))[:, None]


# ---------------------------------------------------------------------------------------------------- assembly


def _stack(
    model: Any,
    members: Sequence[Any],
    values: Sequence[Matrix],
    *,
    scale: float = 1.0,
    output: npt.NDArray[Any] | None = None,
    base: npt.NDArray[np.float64] | None = None,
    seen: Sequence[npt.NDArray[Any]] | None = None,
) -> Trees:
    """Concatenate the nodes of single trees.

    `values` has the node values of each tree, and `seen` the columns of the table that each tree reads.
    """
    arrays = [member.tree_ for member in members]
    sizes = np.array([tree.node_count for tree in arrays])
    roots = np.cumsum(sizes) - sizes
    offset = np.repeat(roots, sizes)
    left = np.concatenate([tree.children_left for tree in arrays])
    right = np.concatenate([tree.children_right for tree in arrays])
    features = [tree.feature for tree in arrays]
    if seen is not None:
        # The feature of a leaf, -2, is replaced by a valid column, since it is not used.
        features = [own[np.maximum(feature, 0)] for own, feature in zip(seen, features, strict=True)]
    missing_left = np.concatenate([tree.missing_go_to_left for tree in arrays])
    n_values = values[0].shape[1]
    if output is None:
        output = np.full(len(arrays), 0 if n_values == 1 else -1)
    return in_preorder(
        Trees(
            roots=roots.astype(np.int32),
            left=np.where(left < 0, -1, left + offset).astype(np.int32),
            right=np.where(right < 0, -1, right + offset).astype(np.int32),
            feature=np.concatenate(features).astype(np.int32),
            threshold=np.concatenate([tree.threshold for tree in arrays]),
            flags=np.where(missing_left, MISSING_LEFT, 0).astype(np.uint8),
            cover=np.concatenate([tree.weighted_n_node_samples for tree in arrays]),
            values=scale * np.concatenate(values),
            output=output.astype(np.int32),
            base=np.zeros(n_values) if base is None else np.asarray(base, dtype=np.float64),
            n_features=int(model.n_features_in_),
            float32=True,
            allows_missing=_allows_missing(model),
            **numeric_splits(len(left)),
        )
    )


def _allows_missing(model: Any) -> bool:
    if hasattr(model, "__sklearn_tags__"):
        return bool(model.__sklearn_tags__().input_tags.allow_nan)
    return bool(model._get_tags()["allow_nan"])  # scikit-learn < 1.6


# ---------------------------------------------------------------------------------------------------- variants

_STARTS_ELSEWHERE = "its initial estimator, passed as 'init', is another model, not a constant"


def _has_constant_start(model: Any) -> bool:
    """Whether the boosting starts from one number per output, as it does without an `init`."""
    start = model.init_
    if isinstance(start, str):  # "zero"
        return True
    return isinstance(start, DummyClassifier | DummyRegressor) and start.strategy != "stratified"


def _adaboost_structure(model: Any) -> Structure:
    if not _all_trees(model.estimators_):
        return Opaque(f"its members are {type(model.estimators_[0]).__name__} models, not single trees")
    if getattr(model, "algorithm", "SAMME") == "SAMME.R":
        return Opaque("the SAMME.R algorithm, which scikit-learn has removed, is not supported")
    return read_adaboost(model)


def _all_trees(members: Sequence[Any]) -> bool:
    return all(hasattr(member, "tree_") for member in members)


def _first(members: Any) -> Any:
    """Return the first member of a list, or of an array of any shape; members that are sequences themselves stay whole."""
    return members.flat[0] if isinstance(members, np.ndarray) else members[0]


def _require_supported(model: Any, attribute: str = "estimators_") -> None:
    """Raise an error unless the model is fitted, predicts one target and, if it classifies, has at least two classes."""
    require_fitted(model, attribute)
    name = type(model).__name__
    if not hasattr(model, "predict"):
        raise UnsupportedModelError(f"{name} predicts nothing. Models with a 'predict' method are supported.")
    # Bagging does not store the number of targets.
    counted = model if hasattr(model, "n_outputs_") else _first(model.estimators_)
    n_targets = int(getattr(counted, "n_outputs_", 1))
    require_one_target(name, n_targets)
    require_classes(name, tuple(model.classes_) if hasattr(model, "classes_") else None)


# ---------------------------------------------------------------------------------------------------- FittedModel


def _averaged(model: Any, structure: Structure) -> FittedModel:
    """Describe a model that averages class probabilities or responses."""
    if not hasattr(model, "classes_"):
        return _regression(model, structure)
    probability = partial(predict_as_fitted, model.predict_proba, feature_names(model))
    outputs: dict[OutputSpace, Predict] = {
        "probability": partial(columns, probability),
        "log_odds": partial(log_odds_of, probability),
    }
    return _describe(model, outputs, "probability", structure)


def _boosted(model: Any, structure: Structure, space: OutputSpace) -> FittedModel:
    """Describe a model that sums decision values in `space`, or responses."""
    if not hasattr(model, "classes_"):
        return _regression(model, structure)
    names = feature_names(model)
    score = both_margins if len(model.classes_) == 2 else columns
    outputs: dict[OutputSpace, Predict] = {
        space: partial(score, partial(predict_as_fitted, model.decision_function, names)),
        "probability": partial(columns, partial(predict_as_fitted, model.predict_proba, names)),
    }
    return _describe(model, outputs, space, structure)


def _regression(model: Any, structure: Structure) -> FittedModel:
    response = partial(columns, partial(predict_as_fitted, model.predict, feature_names(model)))
    return _describe(model, {"response": response}, "response", structure)


def _describe(
    model: Any, outputs: Mapping[OutputSpace, Predict], space: OutputSpace, structure: Structure
) -> FittedModel:
    classes = tuple(model.classes_.tolist()) if "probability" in outputs else None
    return FittedModel(
        outputs=outputs,
        output_space=space,
        task=task_of(classes),
        structure=structure,
        classes=classes,
        feature_names=feature_names(model),
        n_features=int(model.n_features_in_),
        encode=to_matrix,
        name=type(model).__name__,
    )
