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

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._model import (
    Composite,
    FittedModel,
    Linear,
    Matrix,
    Mixture,
    Opaque,
    OutputSpace,
    Structure,
)
from automl_explain.explainers._registry import describe as describe_any
from automl_explain.explainers._structure_outputs import structure_outputs
from automl_explain.integrations._matrix import to_matrix
from automl_explain.integrations._sklearn import check_fitted, classifier, classifier_outputs, regressor
from automl_explain.integrations._sklearn_trees import describe_bagging as describe_bagged_trees


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
        return classifier(
            model, outputs, space, Opaque("a majority vote, which is no function of its members' outputs")
        )
    _check_classes(model, members)
    return classifier(model, outputs, space, weighted(members, weights, "probability", "a soft vote of its members"))


def weighted(members: Sequence[FittedModel], weights: Matrix, space: OutputSpace, why: str) -> Structure:
    """Return the structure of a weighted sum of members' outputs in one space.

    A `Mixture` where every member is additive in that space, else a `Composite`.
    """
    width = members[0].n_outputs
    if all(member.output_space == space for member in members):
        return Mixture(tuple(members), tuple(weight * np.eye(width) for weight in weights), np.zeros(width))

    def combine(columns: Matrix, rows: Any) -> Matrix:
        return np.asarray(np.einsum("nmk,m->nk", columns.reshape(len(columns), len(weights), width), weights))

    return Composite(tuple((member, space) for member in members), combine, False, why)


def describe_bagging(model: Any) -> FittedModel:
    """Describe a BaggingClassifier or BaggingRegressor: one ensemble of trees where its members are trees."""
    described = describe_bagged_trees(model)
    if not isinstance(described.structure, Opaque):
        return described
    members = [
        _on_columns(describe_any(member), columns, model.n_features_in_)
        for member, columns in zip(model.estimators_, model.estimators_features_, strict=True)
    ]
    weights = np.full(len(members), 1.0 / len(members))
    space: OutputSpace = "response" if described.classes is None else "probability"
    if described.classes is not None and any(member.n_outputs != described.n_outputs for member in members):
        return described  # a member that never saw some class
    if any(space not in member.outputs for member in members):
        return described
    return replace(described, structure=weighted(members, weights, space, "a mean of bagged members"))


def _on_columns(member: FittedModel, columns: Any, n_features: int) -> FittedModel:
    """The same member over all columns of the table, of which it reads some."""
    columns = np.asarray(columns)
    if np.array_equal(columns, np.arange(n_features)):
        return replace(
            member, outputs={s: _of_chosen(f, columns) for s, f in member.outputs.items()}, feature_names=None
        )
    structure: Structure = Opaque("a bagged member over some of the columns")
    encode: Callable[[Any], Matrix] = member.encode
    if isinstance(member.structure, Linear):
        coef = np.zeros((len(member.structure.coef), n_features))
        coef[:, columns] = member.structure.coef
        structure, encode = Linear(coef, member.structure.intercept), to_matrix
    return replace(
        member,
        outputs={s: _of_chosen(f, columns) for s, f in member.outputs.items()},
        structure=structure,
        encode=encode,
        feature_names=None,
        n_features=n_features,
    )


def _of_chosen(predict: Callable[[Any], Matrix], columns: Any) -> Callable[[Any], Matrix]:
    return lambda table: predict(to_matrix(table)[:, columns])


def describe_calibrated(model: Any) -> FittedModel:
    """Describe a CalibratedClassifierCV: the mean of calibrators, each a function of one model's outputs."""
    check_fitted(model)
    outputs, space = classifier_outputs(model)
    members: list[tuple[FittedModel, OutputSpace]] = []
    calibrators = []
    if model.method not in ("sigmoid", "isotonic"):
        return classifier(model, outputs, space, Opaque(f"calibrated by {model.method}"))
    for calibrated in model.calibrated_classifiers_:
        member = describe_any(calibrated.estimator)
        how = "decision_function" if hasattr(calibrated.estimator, "decision_function") else "predict_proba"
        source = _space_of(member, how)
        if source is None or member.n_outputs != len(model.classes_):
            return classifier(model, outputs, space, Opaque("calibrated on outputs that have no structure to use"))
        members.append((member, source))
        calibrators.append(calibrated)
    width = len(model.classes_)

    def combine(columns: Matrix, rows: Any) -> Matrix:
        parts = columns.reshape(len(columns), len(calibrators), width)
        return np.asarray(np.mean([_calibrate(one, parts[:, i]) for i, one in enumerate(calibrators)], axis=0))

    why = f"the mean of {len(calibrators)} calibrated models"
    return classifier(model, outputs, space, Composite(tuple(members), combine, False, why))


def describe_frozen(model: Any) -> FittedModel:
    """Describe a FrozenEstimator by the estimator it holds."""
    return describe_any(model.estimator)


def _calibrate(calibrated: Any, values: Matrix) -> Matrix:
    """What a calibrated classifier makes of its model's outputs: one calibrator per class, shares normalised."""
    n_classes = values.shape[1]
    if n_classes == 2:
        second = calibrated.calibrators[0].predict(values[:, 1])
        return np.column_stack([1.0 - second, second])
    shares = np.column_stack([one.predict(values[:, k]) for k, one in enumerate(calibrated.calibrators)])
    total = shares.sum(axis=1, keepdims=True)
    uniform = np.full_like(shares, 1.0 / n_classes)
    return np.asarray(np.divide(shares, total, out=uniform, where=total != 0))


def describe_transformed_target(model: Any) -> FittedModel:
    """Describe a TransformedTargetRegressor: the inverse transform of its regressor's response."""
    check_fitted(model)
    member = describe_any(model.regressor_)
    inverse = model.transformer_.inverse_transform

    def combine(columns: Matrix, rows: Any) -> Matrix:
        return np.asarray(inverse(columns), dtype=np.float64).reshape(len(columns), -1)

    why = f"a function of the response of {member.name}"
    return regressor(model, Composite(((member, "response"),), combine, False, why))


def describe_one_vs_rest(model: Any) -> FittedModel:
    """Describe a OneVsRestClassifier: the probabilities of its binary models, divided by their sum."""
    check_fitted(model)
    outputs, space = classifier_outputs(model)
    members = [describe_any(member) for member in model.estimators_]
    if space != "probability" or any("probability" not in member.outputs for member in members) or len(members) < 3:
        return classifier(model, outputs, space, Opaque("one-versus-rest without probabilities"))

    def combine(columns: Matrix, rows: Any) -> Matrix:
        seconds = columns[:, 1::2]
        return np.asarray(seconds / seconds.sum(axis=1, keepdims=True))

    why = "the probabilities of one model per class, divided by their sum"
    return classifier(
        model, outputs, space, Composite(tuple((member, "probability") for member in members), combine, False, why)
    )


def _space_of(member: FittedModel, how: str) -> OutputSpace | None:
    """The output space in which a member enters an ensemble that calls it by that method."""
    wanted: dict[str, tuple[OutputSpace, ...]] = {
        "predict_proba": ("probability",),
        "predict": ("response",),
        "decision_function": ("margin", "log_odds"),
    }
    return next((space for space in wanted[how] if space in member.outputs), None)


def _check_classes(model: Any, members: Sequence[FittedModel]) -> None:
    for member in members:
        if member.n_outputs != len(model.classes_):
            raise InvalidInputError(
                f"The members of {type(model).__name__} must know its {len(model.classes_)} classes. {member.name} knows "
                f"{member.n_outputs}."
            )


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
    members: list[tuple[FittedModel, OutputSpace]] = []
    for estimator, how in zip([e for e in model.estimators_ if e != "drop"], model.stack_method_, strict=True):
        member = describe_any(estimator)
        source = _space_of(member, how)
        if source is None:
            return replace(described, structure=Opaque(f"a stack that reads the {how} of {member.name}"))
        members.append((member, source))
    names = ", ".join(member.name for member, _ in members)
    why = f"a stack of {names} under {final.name}"
    linear = _linear_stack(model, described, final, members)
    if linear is not None:
        return linear
    space = described.output_space if described.output_space in final.outputs else "probability"
    combine = _final_outputs(model, final, space, members)
    return replace(described, output_space=space, structure=Composite(tuple(members), combine, model.passthrough, why))


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
    predict = structure_outputs(final, space)

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
