"""Reader of linear models, and of all estimators without a reader of their own, which are black boxes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.naive_bayes import MultinomialNB

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.model._fitted_model import FittedModel, Structure
from automl_explain.explainers.model._predict_function import PROBE_ROWS, as_columns, describe_function, probe
from automl_explain.explainers.model._registry import overrides_outputs
from automl_explain.explainers.model._structures import Linear, Matrix, Opaque, OutputSpace, Predict
from automl_explain.explainers.tables._table import as_table, check_same_columns
from automl_explain.integrations.readers._checks import require_fitted, task_of
from automl_explain.integrations.readers._matrix import predict_as_fitted, to_matrix
from automl_explain.integrations.readers._predictions import log_odds_of
from automl_explain.integrations.readers.sklearn._targets import classifier_of_targets, labels_of, regressor_of_targets


def describe(model: Any, examples: Any = None) -> FittedModel:
    """Describe an estimator from its predictions; a classifier from its probabilities if it has them.

    An estimator that does not tell its classes, or that is not scikit-learn's, is called on example rows to find its outputs.
    """
    require_fitted(model)
    if not hasattr(model, "predict") and not hasattr(model, "predict_proba"):
        raise UnsupportedModelError(
            f"Cannot explain {type(model).__name__}: it has no predict or predict_proba method. Pass a fitted model, or a "
            "function that returns predictions."
        )
    opaque = Opaque(f"{type(model).__name__} has no structure that could be used")
    labels = labels_of(model)
    if labels is not None:
        return classifier_of_targets(model, labels, opaque, names_of(model))
    is_classifier = hasattr(model, "predict_proba") or isinstance(model, ClassifierMixin)
    if not is_classifier and examples is not None and not isinstance(model, RegressorMixin):
        found = describe_function(model.predict, few_rows(model, examples), type(model).__name__)
        return replace(found, structure=opaque, encode=to_matrix, **names_of(model))
    if is_classifier:
        return classifier(model, *classifier_outputs(model), opaque, examples=examples)
    return regressor(model, opaque, _count_targets(model, examples))


def few_rows(model: Any, examples: Any) -> Any:
    """Return a few example rows, in the order of the columns with which an estimator was fitted."""
    what = "initialization_examples"
    inputs, rows = names_of(model), as_table(examples, what)
    rows = check_same_columns(rows, inputs["feature_names"], inputs["n_features"], what)
    return rows.take(np.arange(min(PROBE_ROWS, len(rows)))).data


def _count_targets(model: Any, examples: Any) -> int:
    """Return the number of targets of a regressor: those that it predicts for example rows, one without examples."""
    if examples is None:
        return 1
    predict = as_columns(partial(predict_as_fitted, model.predict, feature_names(model)), type(model).__name__)
    return int(probe(predict, few_rows(model, examples), type(model).__name__).shape[1])


def describe_linear_regressor(model: Any) -> FittedModel:
    """Describe a linear regression."""
    require_fitted(model)
    coef = np.atleast_2d(dense(model.coef_))
    intercept = np.broadcast_to(np.ravel(model.intercept_), (len(coef),)).astype(np.float64)
    return regressor(model, Linear(coef, intercept), len(coef))


def describe_linear_classifier(model: Any) -> FittedModel:
    """Describe a linear classifier by its decision function, which is the log-odds of a logistic model, otherwise a margin."""
    require_fitted(model)
    coef = np.atleast_2d(dense(model.coef_))
    intercept = np.broadcast_to(np.ravel(model.intercept_), (coef.shape[0],)).astype(np.float64)
    labels = labels_of(model)
    if labels is not None:
        return classifier_of_targets(model, labels, Linear(coef, intercept), names_of(model))
    margins = as_columns(lambda table: two_sided(model.decision_function(table)), type(model).__name__)
    logistic = is_logistic(model)
    space: OutputSpace = "log_odds" if logistic else "margin"
    outputs: dict[OutputSpace, Predict] = {space: margins}
    if hasattr(model, "predict_proba"):
        outputs["probability"] = as_columns(model.predict_proba, type(model).__name__)
    return classifier(model, outputs, space, Linear(coef, intercept))


def describe_naive_bayes(model: Any) -> FittedModel:
    """Describe a multinomial or complement naive Bayes classifier, whose joint log-likelihoods are linear.

    Of two classes, their difference is the log-odds. Of several, the mean over the classes is taken from each, which leaves the
    probabilities as they are: otherwise every word would lower all classes, a rare one the most.
    """
    require_fitted(model)
    weights = model.feature_log_prob_
    n_classes = len(weights)
    if n_classes < 2:
        return describe(model)
    priors = model.class_log_prior_ if isinstance(model, MultinomialNB) else np.zeros(n_classes)

    def log_odds(table: Any) -> Matrix:
        scores = model.predict_joint_log_proba(table)
        return two_sided(scores[:, 1] - scores[:, 0]) if n_classes == 2 else scores - scores.mean(axis=1, keepdims=True)

    if n_classes == 2:
        structure = Linear(weights[1:] - weights[:1], priors[1:] - priors[:1])
    else:
        structure = Linear(weights - weights.mean(axis=0), priors - priors.mean())
    name = type(model).__name__
    outputs: dict[OutputSpace, Predict] = {
        "log_odds": as_columns(log_odds, name, n_classes),
        "probability": as_columns(model.predict_proba, name, n_classes),
    }
    return classifier(model, outputs, "log_odds", structure)


def describe_soft_vote(model: Any) -> FittedModel:
    """Describe the final estimator of a voting ensemble, whose probabilities are linear in those of the members."""
    require_fitted(model)
    return classifier(model, *classifier_outputs(model), Linear(model.coef_, model.intercept_))


def is_logistic(model: Any) -> bool:
    """Whether the probabilities are the logistic, or softmax, function of the decision function."""
    loss = getattr(model, "loss", "log_loss")
    return hasattr(model, "predict_proba") and loss == "log_loss"


def classifier(
    model: Any, outputs: dict[OutputSpace, Predict], space: OutputSpace, structure: Structure, *, examples: Any = None
) -> FittedModel:
    """Return the description of a classifier with scikit-learn's names and classes.

    The classes of a model that does not tell them are 0, 1, ..., as many as it has outputs for example rows.
    """
    classes = _classes(model, outputs[space], examples)
    return FittedModel(
        outputs, space, task_of(classes), structure,
        classes=classes, encode=to_matrix, name=type(model).__name__, **names_of(model),
    )  # fmt: skip


def _classes(model: Any, predict: Predict, examples: Any) -> tuple[Any, ...]:
    name, labels = type(model).__name__, getattr(model, "classes_", None)
    if labels is not None:
        return tuple(np.asarray(labels).tolist())
    if examples is None:
        raise UnsupportedModelError(
            f"{name} has no 'classes_', so that its number of classes is not known. Set its 'classes_' to the labels in the "
            "order of its outputs, or pass a function that returns its probabilities."
        )
    n_outputs = probe(predict, few_rows(model, examples), name).shape[1]
    if n_outputs < 2:
        raise InvalidInputError(
            f"The probabilities of {name} must have one column per class. Got {n_outputs}: pass a function that returns one "
            "column per class, or its predict method to explain one number."
        )
    return tuple(range(n_outputs))


def regressor(model: Any, structure: Structure, n_targets: int = 1) -> FittedModel:
    """Return the description of a regressor of one or several targets with scikit-learn's names."""
    if n_targets > 1:
        return regressor_of_targets(model, n_targets, structure, names_of(model))
    outputs: dict[OutputSpace, Predict] = {"response": as_columns(model.predict, type(model).__name__, 1)}
    return FittedModel(
        outputs, "response", "regression", structure, encode=to_matrix, name=type(model).__name__, **names_of(model)
    )


def classifier_outputs(model: Any) -> tuple[dict[OutputSpace, Predict], OutputSpace]:
    """Return the outputs of a classifier by space, and the space to use: probabilities, else decision values, else votes."""
    name = type(model).__name__
    if hasattr(model, "predict_proba"):
        labels = getattr(model, "classes_", None)
        probability = as_columns(model.predict_proba, name, None if labels is None else len(labels))
        return {"probability": probability, "log_odds": partial(log_odds_of, model.predict_proba)}, "probability"
    if hasattr(model, "decision_function"):
        return {"margin": as_columns(lambda table: two_sided(model.decision_function(table)), name)}, "margin"
    if not hasattr(model, "classes_"):
        raise UnsupportedModelError(
            f"{name} predicts labels and has no 'classes_'. Set its 'classes_' to all labels, or pass a function that returns "
            "its probabilities."
        )
    classes = np.asarray(model.classes_)

    def votes(table: Any) -> Matrix:
        return np.asarray(np.asarray(model.predict(table))[:, None] == classes[None, :], dtype=np.float64)

    return {"margin": votes}, "margin"


def two_sided(decision: Any) -> Matrix:
    """Return one column per class: a binary decision value is the second class's, its negative the first's."""
    margin = np.asarray(decision, dtype=np.float64)
    return np.column_stack([-margin, margin]) if margin.ndim == 1 else margin


def feature_names(model: Any) -> tuple[str, ...] | None:
    """Return the column names with which a scikit-learn estimator was fitted."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))


def names_of(model: Any) -> dict[str, Any]:
    """Return the names and the number of columns with which an estimator was fitted, as arguments of `FittedModel`.

    They are not known if a subclass may prepare the columns before it calls the class that stored them.
    """
    if overrides_outputs(model):
        return {"feature_names": None, "n_features": None}
    names, n_features = feature_names(model), getattr(model, "n_features_in_", None)
    if names is not None and n_features is not None and len(names) != n_features:
        names = None  # a stack takes the names of its first member that has some, which may read some columns only
    return {"feature_names": names, "n_features": n_features}


def dense(coef: Any) -> Matrix:
    """Return a dense or sparse matrix as a dense matrix of floats."""
    return np.asarray(coef.todense() if sparse.issparse(coef) else coef, dtype=np.float64)
