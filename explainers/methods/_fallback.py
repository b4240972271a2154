"""The fast paths of explanations, and the engine that explains a model from its predictions if one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from automl_explain.explainers._errors import AutoMLExplainError, UnsupportedModelError
from automl_explain.explainers._fallback import fall_back
from automl_explain.explainers.coalitions._stacked_trees import FinalTrees
from automl_explain.explainers.coalitions._value_functions import EVALUATORS
from automl_explain.explainers.methods._base import Attribution, Engine, Question
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._library import OwnValuesEngine
from automl_explain.explainers.methods._linear import LinearEngine
from automl_explain.explainers.methods._mixture import MixtureEngine
from automl_explain.explainers.methods._pipeline_member import PreparedEngine
from automl_explain.explainers.methods._rbf import RadialEngine
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.methods.neural._gradients import PathEngine, RescaleEngine
from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import Composite, Mixture, Prepared, Structure
from automl_explain.explainers.model._structures import Opaque, OwnValues
from automl_explain.explainers.tables._table import Table

FAST_PATHS = (
    TreeEngine,
    LinearEngine,
    RadialEngine,
    MixtureEngine,
    PreparedEngine,
    OwnValuesEngine,
    RescaleEngine,
    PathEngine,
    FinalTrees,
    *(made for structure, made in EVALUATORS.items() if not issubclass(structure, Opaque)),
)
"""Every class that reads a model's structure to explain it. If one raises, the model is explained from its predictions."""


def built(question: Question, build: Callable[[Question], Engine], *, may_refuse: bool = False) -> Engine:
    """Return the engine that `build` makes, or one that reads predictions only if that fails.

    With `may_refuse`, errors of this library are refusals, which are raised: the caller asked for this engine.
    """
    if _from_predictions(question.model.structure):
        return build(question)
    raised = (AutoMLExplainError,) if may_refuse else ()
    what = "The method for its structure"
    return fall_back(what, lambda: build(question), lambda why: _predicted(question, why), raised=raised)


def attributed(question: Question, engine: Engine, rows: Table) -> tuple[Engine, Attribution]:
    """Return the attribution of engineered rows and the engine that made it."""
    if _from_predictions(question.model.structure):
        return engine, engine.attribute(rows)

    def slow(why: str) -> tuple[Engine, Attribution]:
        other = _predicted(question, why)
        return other, other.attribute(rows)

    return fall_back(f"The {engine.method} method", lambda: (engine, engine.attribute(rows)), slow)


def failures(structure: Structure) -> Iterator[str]:
    """Yield a note for each part of a model whose reader failed."""
    if isinstance(structure, Opaque) and structure.failed:
        yield f"{structure.why}: explained from predictions"
    parts: list[Structure] = []
    if isinstance(structure, Mixture):
        parts = [member.structure for member in structure.members]
    elif isinstance(structure, Prepared):
        parts = [structure.model.structure]
    elif isinstance(structure, Composite):
        parts = [member.structure for member, _ in structure.members]
        if isinstance(structure.combine, FinalModel):
            parts.append(structure.combine.model.structure)
    for part in parts:
        yield from failures(part)


def _from_predictions(structure: Structure) -> bool:
    return isinstance(structure, Opaque) and not isinstance(structure, OwnValues)


def _predicted(question: Question, why: str) -> KernelEngine:
    """Return the engine that explains a model from its predictions, because its structure could not be used.

    Raises
    ------
    UnsupportedModelError
        If there is no background, without which predictions explain nothing.
    """
    if question.background is None:
        raise UnsupportedModelError(
            f"{why}. This is a fault of automl-explain; please report this model. With initialization_examples, it is explained "
            "from its predictions."
        )
    opaque = replace(question.model, structure=Opaque(why, failed=True))
    engine = KernelEngine(replace(question, model=opaque))
    engine.notes = (*engine.notes, f"{why}: explained from predictions")
    return engine
