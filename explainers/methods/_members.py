"""Contributions of the members of an ensemble: the computations behind `MemberExplanation`.

Shapley values are linear in the model. If the output is a weighted sum of the members' outputs, each weighted member
defines a game, and the value of a feature is the sum of its values in these games. This split is exact, and it is the only
one in which a member's share equals the values of that weighted member alone. If the output is another function of the
members' outputs, feature values have no such split. The members are then the players of a game, and the output as a whole
is split among them. For a weighted sum both agree: a member's feature values add up to its contribution as a player.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.methods._base import Engine, Question
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._mixture import MixtureEngine, weigh
from automl_explain.explainers.model._fitted_model import PASSTHROUGH, Composite, FittedModel, Mixture, Prepared
from automl_explain.explainers.model._structures import Linear, Matrix, Opaque, OutputSpace, RadialBasis
from automl_explain.explainers.neural._dense_chain import DenseNetwork
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.tables._table import RowNumbers, Table, stack_rows
from automl_explain.explainers.trees._tree_ensemble import Trees

Values = npt.NDArray[np.float64]

ALL_COALITIONS = 12
"""Maximum number of members for which all coalitions of members are evaluated."""
EXAMPLES = 64
"""Background rows used to detect the link between two output spaces."""
ONE_MODEL: dict[type, str] = {
    Trees: "its trees are explained as one model",
    Linear: "a linear model",
    RadialBasis: "a sum of kernels is explained as one model",
    Prepared: "a pipeline within an ensemble",
    **dict.fromkeys((Network, DenseNetwork), "a neural network"),
}
"""Structure -> why models of this structure have no members."""
SPLIT = (
    "the output is a weighted sum of the members' outputs, so a member's share of a feature's value is the feature's "
    "value in that member times the member's weight"
)
WHOLE = (
    "not a weighted sum of the members' outputs, so feature values have no unique split among the members; the output "
    "is split by Shapley values with the members as players"
)


@dataclass(frozen=True, eq=False)
class Shares:
    """Contributions of M members to the K outputs of n rows.

    Parameters
    ----------
    names : tuple of str
    totals : ndarray, shape (M, K, n)
        Contribution of each member to the output, minus its mean over the background.
    values : ndarray of shape (M, K, n, P), or None
        Share of each member in the value of each player, if the output is a weighted sum; otherwise None.
    base_values : ndarray of shape (M, K), or None
        Mean contribution of each member over the background, if the output is a weighted sum; otherwise None.
    errors : ndarray or None
        Standard errors of `values`, or of `totals` if `values` is None. None if they are exact.
    reason : str
        Whether feature values or the output were split, and why.
    notes : tuple of str
        What readers of these values need to know.
    """

    names: tuple[str, ...]
    totals: Values
    values: Values | None
    base_values: Values | None
    errors: Values | None
    reason: str
    notes: tuple[str, ...] = ()


def has_members(model: FittedModel) -> bool:
    """Return whether a model is a function of several members, or of a single model that is."""
    structure = model.structure
    if isinstance(structure, Mixture):
        structure = structure.as_composite()
    if not isinstance(structure, Composite):
        return False
    return len(structure.members) > 1 or structure.passthrough or has_members(structure.members[0][0])


def find_ensemble(model: FittedModel, examples: Any) -> Composite:
    """Return a model as a function of several members.

    If the model is a function of a single model, such as a transformed target, that model is searched for members, and
    the function is applied to its result.

    Parameters
    ----------
    model : FittedModel
    examples : table
        Engineered rows used to detect the link between two output spaces.

    Raises
    ------
    UnsupportedModelError
        If the model has no members, or its members are not known.
    """
    structure = model.structure
    if isinstance(structure, Mixture):
        structure = structure.as_composite()
    if not isinstance(structure, Composite):
        what = structure.why if isinstance(structure, Opaque) else ONE_MODEL[type(structure)]
        raise UnsupportedModelError(
            "explain_members expects an ensemble of models, such as a soft vote, a stack, or bagged or calibrated models. "
            f"Got {model.name}: {what}. Use explain_local, which explains any model."
        )
    if len(structure.members) > 1 or structure.passthrough:
        return structure
    member, space = structure.members[0]
    return _composed(structure, find_ensemble(member.in_space(space, examples), examples), space)


def share_out(question: Question, engine: Engine, rows: Table) -> Shares:
    """Return the contributions of the members to the outputs of engineered rows.

    Parameters
    ----------
    question : Question
        The question about the whole ensemble.
    engine : Engine
        The engine that explains the ensemble. Its values are split, over the background rows that it uses.
    rows : Table
        Engineered rows.

    Raises
    ------
    UnsupportedModelError
        If the model is not an ensemble, or the engine does not explain it as one.
    """
    background = question.background
    examples = None if background is None else background.take(np.arange(min(EXAMPLES, len(background)))).data
    ensemble = find_ensemble(question.model, examples)
    names = ensemble.names or tuple(f"member {number}" for number in range(len(ensemble.members)))
    if isinstance(engine, MixtureEngine):
        return _of_mixture(question, engine, names, rows)
    if not isinstance(engine, KernelEngine):
        raise UnsupportedModelError(
            f"explain_members expects an explainer of the ensemble itself. This one explains {question.model.name} by the "
            f"{engine.method} method: pass the ensemble to TabularExplainer."
        )
    settings = question.settings.with_sampling(background_size=len(engine.background))
    question = replace(question, background=engine.background, weights=engine.share, settings=settings)
    if ensemble.weights is None:
        return _of_output(question, ensemble, names, rows)
    return _of_values(question, ensemble, ensemble.weights, names, rows)


def _composed(outer: Composite, inner: Composite, space: OutputSpace) -> Composite:
    """Return the inner ensemble, followed by the function that `outer` applies to its outputs."""
    weights = None
    if outer.weights is not None and inner.weights is not None:
        weights = tuple(weight @ outer.weights[0] for weight in inner.weights)
    return replace(
        inner,
        combine=lambda columns, rows: outer.combine(inner.combine(columns, rows), None),
        weights=weights,
        scores=(space, inner) if inner.weights is not None else inner.scores,
        why=outer.why,
    )


def _of_mixture(question: Question, engine: MixtureEngine, names: tuple[str, ...], rows: Table) -> Shares:
    """Return the shares of a weighted sum, each member explained by the engine for its structure."""
    structure = question.model.structure
    assert isinstance(structure, Mixture)
    if len(engine.engines) == 1:
        inner = share_out(replace(question, model=structure.members[0]), engine.engines[0], rows)
        return _times(inner, structure.weights[0])
    parts = engine.parts(rows)
    values = np.stack([part.values for part in parts])
    errors = [np.zeros_like(part.values) if part.standard_errors is None else part.standard_errors for part in parts]
    sampled = any(part.standard_errors is not None for part in parts)
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    base = np.stack(engine.base_parts)
    return Shares(names, values.sum(axis=-1), values, base, np.stack(errors) if sampled else None, SPLIT, notes)


def _times(shares: Shares, weights: Matrix) -> Shares:
    """Return the shares of an ensemble, multiplied by the weights of its outputs."""

    def of(values: Values | None, power: int = 1) -> Values | None:
        return None if values is None else np.stack([weigh(one, weights**power) for one in values])

    errors = of(None if shares.errors is None else shares.errors**2, 2)
    totals = of(shares.totals)
    assert totals is not None
    return replace(
        shares,
        totals=totals,
        values=of(shares.values),
        base_values=of(shares.base_values),
        errors=None if errors is None else np.sqrt(errors),
    )


def _of_values(
    question: Question, ensemble: Composite, weights: tuple[Matrix, ...], names: tuple[str, ...], rows: Table
) -> Shares:
    """Return the shares of a weighted sum that is explained from coalitions.

    The members' weighted outputs are the outputs of one model, so that all members are explained with the same coalitions
    and their shares add up.
    """
    ends = np.cumsum([len(weight) for weight in weights])

    def combine(columns: Matrix, _: Any) -> Matrix:
        blocks = np.split(columns, ends[:-1], axis=1)
        return np.hstack([block @ weight for block, weight in zip(blocks, weights, strict=True)])

    apart = Composite(ensemble.members, combine, False, ensemble.why)
    engine = KernelEngine(replace(question, model=_with(question.model, apart)))
    found = engine.attribute(rows)
    shape = len(weights), -1, *found.values.shape[1:]
    values = found.values.reshape(shape)
    errors = None if found.standard_errors is None else found.standard_errors.reshape(shape)
    base = engine.base_values.reshape(len(weights), -1)
    return Shares(names, values.sum(axis=-1), values, base, errors, SPLIT, found.notes)


def _with(model: FittedModel, structure: Composite) -> FittedModel:
    """Return a model of the given structure over the same table."""

    def predict(table: Any) -> Matrix:
        return structure.combine(structure.member_outputs(table), None)

    return replace(model, outputs={model.output_space: predict}, structure=structure)


def _of_output(question: Question, ensemble: Composite, names: tuple[str, ...], rows: Table) -> Shares:
    """Return the split of the output by a game whose players are the members.

    A present member has its output for the explained row, an absent one its output for the background row. This is the game
    of a model whose table holds the members' outputs. The columns that are passed through are one player; in that table
    they are represented by the number of the row that they come from.
    """
    assert question.background is not None
    owners = np.repeat(np.arange(len(ensemble.members)), [member.n_outputs for member, _ in ensemble.members])
    n_columns = len(owners)
    stacked = stack_rows([Table(ensemble.passed(table.data)) for table in (rows, question.background)])
    mine, theirs = (ensemble.member_outputs(table.data) for table in (rows, question.background))
    if ensemble.passthrough:
        owners, names = np.append(owners, len(ensemble.members)), (*names, PASSTHROUGH)
        numbers = np.arange(len(stacked), dtype=np.float64)[:, None]
        mine, theirs = np.hstack([mine, numbers[: len(rows)]]), np.hstack([theirs, numbers[len(rows) :]])

    def combine(columns: Matrix, _: Any) -> Matrix:
        passed: RowNumbers = np.rint(columns[:, n_columns:]).astype(np.intp).ravel()
        read = stacked.take(passed).data if ensemble.passthrough else None
        return ensemble.combine(columns[:, :n_columns], read)

    columns = FittedModel({"response": np.asarray}, "response", "regression", Opaque("the members' outputs, unchanged"))
    outer = Composite(((columns, "response"),), combine, False, ensemble.why)
    settings = question.settings
    if len(names) <= ALL_COALITIONS:
        settings = settings.with_sampling(nsamples=2 ** len(names))
    model = _with(question.model, outer)
    engine = KernelEngine(Question(model, Table(theirs), owners, len(names), settings, question.weights))
    found = engine.attribute(Table(mine))
    errors = None if found.standard_errors is None else np.moveaxis(found.standard_errors, -1, 0)
    reason = f"{ensemble.why}: {WHOLE}{_hint(question.model, ensemble)}"
    return Shares(names, np.moveaxis(found.values, -1, 0), None, None, errors, reason, found.notes)


def _hint(model: FittedModel, ensemble: Composite) -> str:
    """Return a hint at the output space in which feature values can be split, or an empty string."""
    space = ensemble.scores[0] if ensemble.scores else model.output_space
    if space == model.output_space or space not in model.outputs:
        return ""
    return f". With output={space!r} it is a weighted sum, and feature values are split among the members"
