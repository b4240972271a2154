"""Models of several targets or labels: one output per target, with a name of its own.

A target of two classes has one output, the probability of its second class; a target of more classes has one per class.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._fitted_model import FittedModel, Structure
from automl_explain.explainers.model._predict_function import as_columns
from automl_explain.explainers.model._structures import Matrix, OutputSpace, Predict
from automl_explain.integrations.readers._matrix import as_fitted, to_matrix
from automl_explain.integrations.readers._predictions import log_odds_of

Labels = tuple[npt.NDArray[Any], ...]
"""The classes of each target."""


def target_names(n_targets: int) -> tuple[str, ...]:
    """Return the names of the targets of a regression; scikit-learn does not keep those of the training table."""
    return tuple(f"target {number}" for number in range(n_targets))


def quantile_names(quantiles: Sequence[float]) -> tuple[str, ...]:
    """Return the names of the outputs of a model of several quantiles."""
    return tuple(f"quantile {float(quantile):.12g}" for quantile in quantiles)


def labels_of(model: Any) -> Labels | None:
    """Return the classes of each target of a classifier of several targets or labels; None for any other model."""
    classes: Any = getattr(model, "classes_", None)
    if isinstance(classes, list | tuple) and classes and all(np.ndim(own) == 1 for own in classes):
        return tuple(np.asarray(own) for own in classes)
    kind = str(getattr(getattr(model, "_label_binarizer", None), "y_type_", ""))
    if getattr(model, "multilabel_", False) or kind.startswith("multilabel"):
        return tuple(np.arange(2) for _ in np.atleast_1d(classes))
    return None


def output_names(labels: Labels) -> tuple[str, ...]:
    """Return one name per output."""
    names: list[str] = []
    for number, classes in enumerate(labels):
        if len(classes) == 2:
            names.append(f"target {number}" if set(classes.tolist()) == {0, 1} else f"target {number}: {classes[1]}")
        else:
            names.extend(f"target {number}: {label}" for label in classes)
    return tuple(names)


def outputs_of(labels: Labels, answer: Any) -> Matrix:
    """Return one column per output, from the probabilities of each target, (n, k) each, or a matrix with one column each."""
    if not isinstance(answer, list):
        return np.asarray(answer, dtype=np.float64)
    parts = [own[:, 1:] if len(classes) == 2 else own for classes, own in zip(labels, answer, strict=True)]
    return np.hstack(parts)


def classifier_of_targets(model: Any, labels: Labels, structure: Structure, about: dict[str, Any]) -> FittedModel:
    """Describe a classifier of several targets by its probabilities, else its decision values, else its labels.

    Parameters
    ----------
    model : object
    labels : tuple of ndarray
    structure : structure
        Of the first of these that the model has.
    about : dict
        Names and number of columns, as arguments of `FittedModel`.
    """
    names, name = output_names(labels), type(model).__name__
    methods: tuple[tuple[str, OutputSpace], ...] = (
        ("predict_proba", "probability"), ("decision_function", "margin"), ("predict", "margin"),
    )  # fmt: skip
    method, space = next(pair for pair in methods if hasattr(model, pair[0]))
    told = partial(_told, model, method, labels, about["feature_names"])
    outputs: dict[OutputSpace, Predict] = {space: as_columns(told, name, len(names))}
    if space == "probability":
        outputs["log_odds"] = partial(log_odds_of, told)
    return FittedModel(outputs, space, "multitarget", structure, classes=names, encode=to_matrix, name=name, **about)


def regressor_of_targets(model: Any, n_targets: int, structure: Structure, about: dict[str, Any]) -> FittedModel:
    """Describe a regression of several targets; the parameters are those of `classifier_of_targets`."""
    names, name = target_names(n_targets), type(model).__name__
    told = partial(_told, model, "predict", (), about["feature_names"])
    outputs: dict[OutputSpace, Predict] = {"response": as_columns(told, name, n_targets)}
    return FittedModel(
        outputs, "response", "multitarget", structure, classes=names, encode=to_matrix, name=name, **about
    )


def blocks_of(members: Sequence[FittedModel], n_outputs: int) -> list[Matrix]:
    """Return the weights of members that each predict one target: the outputs of a member, (K_member, K), in their places."""
    blocks, at = [], 0
    for member in members:
        block = np.zeros((member.n_outputs, n_outputs))
        own = np.arange(1 if member.n_outputs == 2 else 0, member.n_outputs)
        block[own, at + np.arange(len(own))] = 1.0
        at += len(own)
        blocks.append(block)
    return blocks


def _told(model: Any, method: str, labels: Labels, names: tuple[str, ...] | None, table: Any) -> Matrix:
    return outputs_of(labels, getattr(model, method)(as_fitted(names, table)))
