"""What each member of an ensemble brings to a prediction: the mathematics behind `MemberExplanation`.

Shapley values are linear in the model. Where the output is a weighted sum of the members' outputs, each member's part of
it is a game of its own, and the value of every feature is the sum of its values in these games: the split is exact, and
the only one that gives a member what it would have alone. Where the output is another function of the members' outputs,
no such split exists; there the members themselves are the players, and what is shared out is the output as a whole. In a
weighted sum both agree: a member's values add up to what it brings as a player.
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
from automl_explain.explainers.model._fitted_model import (
    PASSTHROUGH,
    Composite,
    FittedModel,
    Linear,
    Matrix,
    Mixture,
    Opaque,
    OutputSpace,
    Prepared,
    RadialBasis,
)
from automl_explain.explainers.tables._table import RowNumbers, Table, stack_rows
from automl_explain.explainers.trees._tree_ensemble import Trees

Values = npt.NDArray[np.float64]

ALL_COALITIONS = 12
"""Members up to which all coalitions of them are looked at."""
EXAMPLES = 64
"""Background rows on which links between output spaces are recognised."""
ONE_MODEL: dict[type, str] = {
    Trees: "its trees are explained as one model",
    Linear: "a linear model",
    RadialBasis: "a sum of kernels is explained as one model",
    Prepared: "a pipeline within an ensemble",
}
"""Structure -> why a model of it has no members."""
SPLIT = (
    "the output is a weighted sum of the members' outputs, so each member's share of every feature's value is the "
    "feature's value in that member, times its weight"
)
WHOLE = (
    "not a weighted sum of the members' outputs, so a feature's value has no one split among them; what is split is the "
    "output, by Shapley values with the members as players"
)


@dataclass(frozen=True, eq=False)
class Shares:
    """What M members bring to the K outputs of n rows.

    Parameters
    ----------
    names : tuple of str
    totals : ndarray, shape (M, K, n)
        The member's part of the output, minus its mean over the background.
    values : ndarray of shape (M, K, n, P), or None
        Of each player's value, where the output is a weighted sum.
    base_values : ndarray of shape (M, K), or None
        Mean of each member's part over the background, there.
    errors : ndarray or None
        Standard errors of `values`, or of `totals` where there are no values; None where exact.
    reason : str
        Which of both was computed, and why.
    notes : tuple of str
    """

    names: tuple[str, ...]
    totals: Values
    values: Values | None
    base_values: Values | None
    errors: Values | None
    reason: str
    notes: tuple[str, ...] = ()


def has_members(model: FittedModel) -> bool:
    """Whether a model is a function of several members, or of a single one of which that is true."""
    structure = model.structure
    if isinstance(structure, Mixture):
        structure = structure.as_composite()
    if not isinstance(structure, Composite):
        return False
    return len(structure.members) > 1 or structure.passthrough or has_members(structure.members[0][0])


def find_ensemble(model: FittedModel, examples: Any) -> Composite:
    """Return a model as a function of several members; through links on a single one, such as a target's transform.

    Parameters
    ----------
    model : FittedModel
    examples : table
        Engineered rows on which links between output spaces are recognised.

    Raises
    ------
    UnsupportedModelError
        If the model has no members, or none that are known.
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
    return _through(structure, find_ensemble(member.in_space(space, examples), examples), space)


def share_out(question: Question, engine: Engine, rows: Table) -> Shares:
    """Return what each member brings to engineered rows.

    Parameters
    ----------
    question : Question
        Of the whole ensemble.
    engine : Engine
        What explains it; the shares are of its values, over its background rows.
    rows : Table

    Raises
    ------
    UnsupportedModelError
        If the model is no ensemble.
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


def _through(outer: Composite, inner: Composite, space: OutputSpace) -> Composite:
    """Return the ensemble within a function of a single model, with that function after its own."""
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
    """Each member's values by the engine that its own structure asks for."""
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
    """Shares of an ensemble as shares of a weighted sum of its outputs."""

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
    """The members' weighted outputs side by side, as one model: the same coalitions for all, so that shares add up."""
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
    """A model of the given structure over the same table."""

    def predict(table: Any) -> Matrix:
        return structure.combine(structure.member_outputs(table), None)

    return replace(model, outputs={model.output_space: predict}, structure=structure)


def _of_output(question: Question, ensemble: Composite, names: tuple[str, ...], rows: Table) -> Shares:
    """The game whose players are the members: present ones say what they say of the row, absent ones of the background.

    It is the game of a model whose table holds the members' outputs; columns that are passed through are one player,
    and stand in that table as the number of the row that they come from.
    """
    assert question.background is not None
    owners = np.repeat(np.arange(len(ensemble.members)), [member.n_outputs for member, _ in ensemble.members])
    n_columns, stacked = len(owners), stack_rows([rows, question.background])
    mine, theirs = (ensemble.member_outputs(table.data) for table in (rows, question.background))
    if ensemble.passthrough:
        owners, names = np.append(owners, len(ensemble.members)), (*names, PASSTHROUGH)
        numbers = np.arange(len(stacked), dtype=np.float64)[:, None]
        mine, theirs = np.hstack([mine, numbers[: len(rows)]]), np.hstack([theirs, numbers[len(rows) :]])

    def combine(columns: Matrix, _: Any) -> Matrix:
        passed: RowNumbers = np.rint(columns[:, n_columns:]).astype(np.intp).ravel()
        read = stacked.take(passed).data if ensemble.passthrough else None
        return ensemble.combine(columns[:, :n_columns], read)

    columns = FittedModel(
        {"response": np.asarray}, "response", "regression", Opaque("the members' outputs as they are")
    )
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
    """In which output space the values could be split, if in one."""
    space = ensemble.scores[0] if ensemble.scores else model.output_space
    if space == model.output_space or space not in model.outputs:
        return ""
    return f". With output={space!r} it is a weighted sum, and every feature's value is split"
