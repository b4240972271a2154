"""How scikit-learn's ensembles of whole models are read: votes, stacks, calibrated and transformed models.

Where the output is a linear function of outputs that are themselves additive, the ensemble is a `Mixture` and explained
exactly by linearity. Elsewhere it is a `Composite`: a function of its members' outputs, whose coalitions are evaluated
member by member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers._model import Composite, FittedModel, Linear, Matrix, Mixture, Opaque, OutputSpace
from automl_explain.explainers._model import Structure
from automl_explain.explainers._registry import describe as describe_any
from automl_explain.integrations._matrix import to_matrix
from automl_explain.integrations._sklearn import check_fitted, classifier, classifier_outputs, regressor

METHOD_SPACE: dict[str, OutputSpace] = {"predict_proba": "probability", "predict": "response"}
"""What a stack feeds its final estimator -> output space of the member; other methods make the stack a black box."""


def describe_voting(model: Any) -> FittedModel:
    """Describe a VotingClassifier or VotingRegressor: soft votes and means are weighted sums of members."""
    check_fitted(model)
    members = [describe_any(member) for member in model.estimators_]
    weights = np.asarray(model._weights_not_none or [1.0] * len(members), dtype=np.float64)
    weights = weights / weights.sum()
    if not hasattr(model, "classes_"):
        return regressor(model, weighted(members, weights, "response", "a weighted mean of its members"))
    outputs, space = classifier_outputs(model)
    if model.voting == "hard":
        return classifier(model, outputs, space, Opaque("a majority vote, which is no function of its members' outputs"))
    _check_classes(model, members)
    return classifier(model, outputs, space, weighted(members, weights, "probability", "a soft vote of its members"))


def weighted(members: Sequence[FittedModel], weights: Matrix, space: OutputSpace, why: str) -> Structure:
    """Return the structure of a weighted sum of members' outputs in one space.

    A `Mixture` where every member is additive in that space, else a `Composite`.
    """
    width = members[0].n_outputs
    if all(member.output_space == space for member in members):
        return Mixture(
            tuple(members), tuple(weight * np.eye(width) for weight in weights), np.zeros(width)
        )

    def combine(columns: Matrix, rows: Any) -> Matrix:
        return np.einsum("nmk,m->nk", columns.reshape(len(columns), len(weights), width), weights)

    return Composite(tuple((member, space) for member in members), combine, False, why)


def describe_stacking(model: Any) -> FittedModel:
    """Describe a StackingClassifier or StackingRegressor.

    A linear final estimator over outputs that are additive makes it a `Mixture`; any other a `Composite`.
    """
    check_fitted(model)
    final = describe_any(model.final_estimator_)
    is_classifier = hasattr(model, "classes_")
    if is_classifier:
        outputs, space = classifier_outputs(model)
        described = classifier(model, outputs, space, Opaque("a stack"))
    else:
        described = regressor(model, Opaque("a stack"))
    described = replace(described, encode=_member_encode(model, described))
    kinds = set(model.stack_method_)
    if not kinds <= set(METHOD_SPACE):
        unknown = sorted(kinds - set(METHOD_SPACE))
        return replace(described, structure=Opaque(f"a stack whose final estimator reads the members' {unknown}"))
    fitted = [member for member in model.estimators_ if member != "drop"]
    members = [(describe_any(member), METHOD_SPACE[how]) for member, how in zip(fitted, model.stack_method_, strict=True)]
    names = ", ".join(member.name for member, _ in members)
    why = f"a stack of {names} under {final.name}"
    linear = _linear_stack(model, described, final, members)
    if linear is not None:
        return linear
    space = described.output_space if described.output_space in final.outputs else "probability"
    combine = _final_outputs(model, final, space, members)
    return replace(described, output_space=space, structure=Composite(tuple(members), combine, model.passthrough, why))


def _member_encode(model: Any, described: FittedModel) -> Callable[[Any], Matrix]:
    return to_matrix if described.encode is None else described.encode


def _meta_columns(columns: Matrix, members: Sequence[tuple[FittedModel, OutputSpace]]) -> Matrix:
    """The columns that scikit-learn gives the final estimator: of a binary member only the second class's."""
    parts, start = [], 0
    for member, _ in members:
        stop = start + member.n_outputs
        parts.append(columns[:, stop - 1 : stop] if member.n_outputs == 2 else columns[:, start:stop])
        start = stop
    return np.hstack(parts)


def _final_outputs(
    model: Any, final: FittedModel, space: OutputSpace, members: Sequence[tuple[FittedModel, OutputSpace]]
) -> Callable[[Matrix, Any], Matrix]:
    predict = final.outputs[space]

    def combine(columns: Matrix, rows: Any) -> Matrix:
        meta = _meta_columns(columns, members)
        if model.passthrough:
            meta = np.hstack([meta, to_matrix(rows)])
        return predict(meta)

    return combine


def _linear_stack(
    model: Any, described: FittedModel, final: FittedModel, members: Sequence[tuple[FittedModel, OutputSpace]]
) -> FittedModel | None:
    """Describe a stack as a mixture, where its final estimator is linear and every member additive in what it feeds."""
    if not isinstance(final.structure, Linear) or any(member.output_space != space for member, space in members):
        return None
    coef, intercept = final.structure.coef, final.structure.intercept
    if described.classes is not None and len(coef) == 1:
        coef, intercept = np.vstack([-coef, coef]), np.concatenate([-intercept, intercept])
    weights, start = [], 0
    for member, _ in members:
        width = 1 if member.n_outputs <= 2 else member.n_outputs
        block = coef[:, start : start + width].T
        weights.append(np.vstack([np.zeros_like(block), block]) if member.n_outputs == 2 else block)
        start += width
    parts = [member for member, _ in members]
    if model.passthrough:
        direct = coef[:, start:]
        structure = Linear(direct, np.zeros(len(direct)))
        outputs = {final.output_space: lambda table: to_matrix(table) @ direct.T}
        parts.append(
            FittedModel(
                outputs, final.output_space, described.task, structure, classes=described.classes, encode=to_matrix,
                name="passed-through columns",
            )
        )  # fmt: skip
        weights.append(np.eye(len(direct)))
    mixture = Mixture(tuple(parts), tuple(weights), intercept)
    space = final.output_space
    functions = dict(described.outputs)
    functions[space] = _mixture_outputs(mixture)
    return replace(described, outputs=functions, output_space=space, structure=mixture)


def _mixture_outputs(mixture: Mixture) -> Callable[[Any], Matrix]:
    def predict(table: Any) -> Matrix:
        parts = [member.predict(table) @ w for member, w in zip(mixture.members, mixture.weights, strict=True)]
        return np.asarray(mixture.constant + np.sum(parts, axis=0))

    return predict
