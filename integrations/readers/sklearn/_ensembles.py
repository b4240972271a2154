"""Reader of scikit-learn's ensembles of whole models: votes, stacks, calibrated and transformed models.

If the output is a linear function of additive outputs, the ensemble is a `Mixture` and is explained exactly by linearity.
Otherwise it is a `Composite`: a function of its members' outputs, whose coalitions are evaluated member by member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._feature_space import over_raw
from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import PASSTHROUGH, Composite, FittedModel, Mixture
from automl_explain.explainers.model._registry import describe as describe_any
from automl_explain.explainers.model._structures import Linear, Matrix, Opaque, OutputSpace
from automl_explain.explainers.scoring.models._class_shares import (
    Calibrated,
    Calibrator,
    Isotonic,
    OnePerClass,
    Sigmoid,
)
from automl_explain.integrations.readers._checks import require_fitted
from automl_explain.integrations.readers._matrix import as_array, to_matrix
from automl_explain.integrations.readers.sklearn._estimators import (
    classifier,
    classifier_outputs,
    names_of,
    regressor,
)
from automl_explain.integrations.readers.sklearn._targets import (
    blocks_of,
    classifier_of_targets,
    labels_of,
    regressor_of_targets,
    target_names,
)


def describe_voting(model: Any, examples: Any = None) -> FittedModel:
    """Describe a VotingClassifier or VotingRegressor: soft votes and means are weighted sums of members."""
    require_fitted(model)
    members = [member_of(member, examples) for member in model.estimators_]
    names = _names(model)
    weights = np.asarray(model._weights_not_none or [1.0] * len(members), dtype=np.float64)
    weights = weights / weights.sum()
    if not hasattr(model, "classes_"):
        mean = weighted(members, weights, "response", "a weighted mean of its members", names)
        return _columns_of(regressor(model, mean), members[0])
    outputs, space = classifier_outputs(model)
    if model.voting == "hard":
        return classifier(
            model, outputs, space, Opaque("a majority vote, which is not a function of its members' outputs")
        )
    _check_classes(model, members)
    vote = weighted(members, weights, "probability", "a soft vote of its members", names)
    return _columns_of(classifier(model, outputs, space, vote), members[0])


def _columns_of(ensemble: FittedModel, first: FittedModel) -> FittedModel:
    """Return an ensemble without its columns if its first member, from which scikit-learn takes them, leaves some out."""
    return replace(ensemble, n_features=None, feature_names=None) if first.n_features is None else ensemble


def member_of(estimator: Any, examples: Any = None) -> FittedModel:
    """Describe a member over the ensemble's table; the preprocessing of a pipeline is part of the member."""
    return over_raw(describe_any(estimator, examples))


def _names(model: Any) -> tuple[str, ...]:
    """Return the names of the members that a vote or stack has not dropped."""
    return tuple(str(name) for name, estimator in model.estimators if estimator != "drop")


def weighted(
    members: Sequence[FittedModel], weights: Matrix, space: OutputSpace, why: str, names: Sequence[str]
) -> Mixture | Composite:
    """Return the structure of a weighted mean of members' outputs in one space."""
    width = members[0].n_outputs
    blocks = tuple(weight * np.eye(width) for weight in weights)
    return weighted_sum([(member, space) for member in members], blocks, np.zeros(width), why, names)


def weighted_sum(
    members: Sequence[tuple[FittedModel, OutputSpace]],
    weights: Sequence[Matrix],
    constant: Matrix,
    why: str,
    names: Sequence[str],
) -> Mixture | Composite:
    """Return the structure of a weighted sum: a `Mixture` if the members are additive in these outputs, else a `Composite`."""
    if all(member.output_space == space for member, space in members):
        return Mixture(tuple(member for member, _ in members), tuple(weights), constant, tuple(names))
    return Composite.weighted(tuple(members), tuple(weights), constant, why, tuple(names))


def describe_calibrated(model: Any, examples: Any = None) -> FittedModel:
    """Describe a CalibratedClassifierCV: the mean of calibrators, each a function of one model's outputs."""
    require_fitted(model)
    outputs, space = classifier_outputs(model)
    if model.method not in ("sigmoid", "isotonic"):
        return classifier(model, outputs, space, Opaque(f"calibrated by {model.method}"))
    members: list[FittedModel] = []
    for calibrated in model.calibrated_classifiers_:
        member = member_of(calibrated.estimator, examples)
        how = "decision_function" if hasattr(calibrated.estimator, "decision_function") else "predict_proba"
        source = _space_of(member, how)
        if source is None or member.n_outputs != len(model.classes_):
            return classifier(
                model, outputs, space, Opaque("calibrated on outputs without a structure that could be used")
            )
        members.append(_calibrated(calibrated, member, source))
    count = len(members)
    why, names = f"the mean of {count} calibrated models", [f"fold {number}" for number in range(count)]
    blocks = tuple(np.eye(len(model.classes_)) / count for _ in members)
    entering = tuple((member, space) for member in members)
    mean = Composite.weighted(entering, blocks, np.zeros(len(model.classes_)), why, tuple(names))
    return classifier(model, outputs, space, mean)


def _calibrated(calibrated: Any, member: FittedModel, source: OutputSpace) -> FittedModel:
    """Describe one calibrated model: a function of its model's outputs in that space."""
    combine = Calibrated(tuple(_calibrator(one) for one in calibrated.calibrators))
    read = member.outputs[source]
    return replace(
        member,
        outputs={"probability": lambda table: combine(read(table))},
        output_space="probability",
        structure=Composite(((member, source),), combine, False, "calibrated"),
    )


def _calibrator(fitted: Any) -> Calibrator:
    """Return a fitted calibrator as data."""
    if hasattr(fitted, "X_thresholds_"):
        return Isotonic(
            np.asarray(fitted.X_thresholds_, dtype=np.float64), np.asarray(fitted.y_thresholds_, dtype=np.float64)
        )
    return Sigmoid(float(fitted.a_), float(fitted.b_))


def describe_frozen(model: Any, examples: Any = None) -> FittedModel:
    """Describe a FrozenEstimator by the estimator inside it."""
    return describe_any(model.estimator, examples)


def describe_threshold(model: Any, examples: Any = None) -> FittedModel:
    """Describe a classifier with a decision threshold by the classifier inside it, whose probabilities it returns."""
    return describe_any(getattr(model, "estimator_", model.estimator), examples)


def describe_transformed_target(model: Any, examples: Any = None) -> FittedModel:
    """Describe a TransformedTargetRegressor: the inverse transform of its regressor's response."""
    require_fitted(model)
    member = member_of(model.regressor_, examples)
    if member.task == "multitarget":
        return regressor(model, Opaque("a transform of several targets"), member.n_outputs)
    why = f"a function of the response of {member.name}"

    def inverse(columns: Matrix, rows: Any = None) -> Matrix:
        found = model.transformer_.inverse_transform(columns)
        return np.asarray(found, dtype=np.float64).reshape(len(columns), -1)

    if _is_affine(model.transformer_):
        at_zero, at_one = inverse(np.array([[0.0], [1.0]]))
        scaled = weighted_sum([(member, "response")], [(at_one - at_zero)[None, :]], at_zero, why, ["regressor"])
        return regressor(model, scaled)
    return regressor(model, Composite(((member, "response"),), inverse, False, why))


def _is_affine(transformer: Any) -> bool:
    """Whether the inverse of a target's transformer is an affine function."""
    if type(transformer) is FunctionTransformer:
        return transformer.inverse_func is None
    return type(transformer) in (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)


def describe_targets(model: Any, examples: Any = None) -> FittedModel:
    """Describe a MultiOutputClassifier, MultiOutputRegressor or multilabel OneVsRestClassifier: one model per target."""
    require_fitted(model)
    labels, about = labels_of(model), names_of(model)
    opaque = Opaque("one model per target, without outputs that could be used")
    if labels is None:
        described = regressor_of_targets(model, len(model.estimators_), opaque, about)
    else:
        described = classifier_of_targets(model, labels, opaque, about)
        if not all(hasattr(member, "classes_") for member in model.estimators_):
            return described  # a label that all training rows or none had
    members, space = [member_of(estimator, examples) for estimator in model.estimators_], described.output_space
    if any(space not in member.outputs for member in members):
        return described
    blocks, constant = blocks_of(members, described.n_outputs), np.zeros(described.n_outputs)
    names = target_names(len(members))
    why = "one model per target"
    return replace(
        described, structure=weighted_sum([(member, space) for member in members], blocks, constant, why, names)
    )


def describe_one_vs_rest(model: Any, examples: Any = None) -> FittedModel:
    """Describe a OneVsRestClassifier: the probabilities of its binary models, divided by their sum."""
    require_fitted(model)
    if model.multilabel_:
        return describe_targets(model, examples)
    outputs, space = classifier_outputs(model)
    if any(not hasattr(member, "classes_") for member in model.estimators_):
        return classifier(
            model, outputs, space, Opaque("one-versus-rest with a class that all training rows or none had")
        )
    members = [member_of(member, examples) for member in model.estimators_]
    if space != "probability" or any("probability" not in member.outputs for member in members) or len(members) < 3:
        return classifier(model, outputs, space, Opaque("one-versus-rest without probabilities"))

    why = "the probabilities of one model per class, divided by their sum"
    names = tuple(f"class {label}" for label in model.classes_)
    entering = tuple((member, space) for member in members)
    return classifier(model, outputs, space, Composite(entering, OnePerClass(), False, why, names))


def _space_of(member: FittedModel, how: str) -> OutputSpace | None:
    """Return the output space that an ensemble uses of a member when it calls this method."""
    wanted: dict[str, tuple[OutputSpace, ...]] = {
        "predict_proba": ("probability",),
        "predict": ("response",),
        "decision_function": ("margin", "log_odds"),
    }
    if how == "decision_function" and "margin" not in member.outputs and member.output_space != "log_odds":
        return None  # the log-odds of the probabilities may differ from the decision function
    return next((space for space in wanted[how] if space in member.outputs), None)


def _check_classes(model: Any, members: Sequence[FittedModel]) -> None:
    for member in members:
        if member.n_outputs != len(model.classes_):
            raise InvalidInputError(
                f"The members of {type(model).__name__} must be trained on its {len(model.classes_)} classes. {member.name} "
                f"was trained on {member.n_outputs}."
            )


def describe_stacking(model: Any, examples: Any = None) -> FittedModel:
    """Describe a StackingClassifier or StackingRegressor.

    A linear final estimator over outputs that are additive makes it a `Mixture`; any other a `Composite`.
    """
    require_fitted(model)
    final = member_of(model.final_estimator_)
    is_classifier = hasattr(model, "classes_")
    if is_classifier:
        outputs, space = classifier_outputs(model)
        described = classifier(model, outputs, space, Opaque("a stack"))
    else:
        described = regressor(model, Opaque("a stack"))
    members: list[tuple[FittedModel, OutputSpace]] = []
    for estimator, how in zip([e for e in model.estimators_ if e != "drop"], model.stack_method_, strict=True):
        member = member_of(estimator, examples)
        source = _space_of(member, how)
        if source is None:
            return replace(described, structure=Opaque(f"a stack that reads the {how} of {member.name}"))
        members.append((member, source))
    described = _columns_of(described, members[0][0])
    why = f"a stack of {', '.join(member.name for member, _ in members)} under {final.name}"
    by_table = model.passthrough and final.recode is not None
    described = replace(described, by_table=by_table)
    scores = _scores(model, described, final, members, why)
    if isinstance(scores, Mixture):
        return _in_scores(model, described, final, scores)
    space = described.output_space if described.output_space in final.outputs else "probability"
    if scores is not None and space == final.output_space:
        return _in_scores(model, described, final, scores)
    reads = np.concatenate(_columns_read(model, [member for member, _ in members]))
    passed = _passed_through(final)
    combine = FinalModel(final, space, reads, passed if model.passthrough else None, by_table)
    stack = Composite(tuple(members), combine, model.passthrough, why, _names(model), passed=passed, by_table=by_table)
    if scores is None:
        return replace(described, output_space=space, structure=stack)
    seen = _in_scores(model, described, final, scores)
    return replace(seen, output_space=space, structure=replace(stack, scores=(final.output_space, scores)))


def _passed_through(final: FittedModel) -> Callable[[Any], Any]:
    """Return the function from a table to the columns that are passed through to a final estimator, as it reads them."""
    recode = final.recode

    def passed(table: Any) -> Any:
        array = as_array(table)
        return recode(array) if recode is not None and array.dtype.kind == "O" else array

    return passed


def _columns_read(model: Any, members: Sequence[FittedModel]) -> list[npt.NDArray[np.intp]]:
    """Return, for each member, which columns of the members' concatenated outputs the final estimator reads.

    It reads all probabilities, except that of the first class if the stack has two classes. Of a decision function of two
    classes it reads one column.
    """
    two = len(getattr(model, "classes_", ())) == 2
    parts, end = [], 0
    for member, how in zip(members, model.stack_method_, strict=True):
        start, end = end, end + member.n_outputs
        one_less = two if how == "predict_proba" else member.n_outputs == 2
        parts.append(np.arange(start + one_less, end))
    return parts


def _scores(
    model: Any,
    described: FittedModel,
    final: FittedModel,
    members: Sequence[tuple[FittedModel, OutputSpace]],
    why: str,
) -> Mixture | Composite | None:
    """Return the weighted sum that a linear final estimator computes from its inputs; None for any other.

    Columns that are passed through are a member of their own.
    """
    if not isinstance(final.structure, Linear):
        return None
    coef, intercept = final.structure.coef, final.structure.intercept
    if described.classes is not None and len(coef) == 1:
        coef, intercept = np.vstack([-coef, coef]), np.concatenate([-intercept, intercept])
    weights, start, parts, names = [], 0, list(members), _names(model)
    for (member, _), read in zip(members, _columns_read(model, [member for member, _ in members]), strict=True):
        block = np.zeros((member.n_outputs, len(coef)))
        block[member.n_outputs - len(read) :] = coef[:, start : start + len(read)].T
        weights.append(block)
        start += len(read)
    if model.passthrough:
        direct = coef[:, start:]
        structure = Linear(direct, np.zeros(len(direct)))
        read_columns = _passed_through(final)

        def encode(table: Any) -> Matrix:
            return to_matrix(read_columns(table))

        outputs = {final.output_space: lambda table: encode(table) @ direct.T}
        passed = FittedModel(
            outputs, final.output_space, described.task, structure, classes=described.classes, encode=encode,
            by_table=final.recode is not None, name="passed-through columns",
        )  # fmt: skip
        parts.append((passed, final.output_space))
        weights.append(np.eye(len(direct)))
        names = (*names, PASSTHROUGH)
    return weighted_sum(parts, weights, intercept, why, names)


def _in_scores(model: Any, described: FittedModel, final: FittedModel, scores: Mixture | Composite) -> FittedModel:
    """Describe a stack by the scores of its linear final estimator."""
    space = final.output_space

    def predict(table: Any) -> Matrix:
        return final.outputs[space](model.transform(table))

    return replace(described, outputs={**described.outputs, space: predict}, output_space=space, structure=scores)
