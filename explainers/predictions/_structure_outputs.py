"""The outputs of a model, computed from its structure alone: no library is asked.

`PREDICTORS` is the table from structure to predictor. A structure with a part that cannot be read has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture, Prepared
from automl_explain.explainers.model._structures import Linear, Matrix, RadialBasis
from automl_explain.explainers.neural._dense_chain import DenseNetwork
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.trees._predict import TreePredictor
from automl_explain.explainers.trees._tree_ensemble import Trees

LARGEST_SINGLE, LARGEST = float(np.finfo(np.float32).max), float(np.finfo(np.float64).max)
StructurePredictor: TypeAlias = Callable[[Table], Matrix]
"""A function from engineered rows to the outputs of the model in its output space, (n, K)."""
_Make: TypeAlias = Callable[[FittedModel, Any], StructurePredictor | None]


class KnownOutputs(NamedTuple):
    """What an engine that walked the trees of a model before knows of its outputs.

    Parameters
    ----------
    predictor : TreePredictor
        The outputs of the trees.
    background : ndarray of shape (B, K), or None
        Those of all background rows.
    """

    predictor: TreePredictor
    background: Matrix | None = None


def structure_predictor(
    model: FittedModel, examples: Any = None, known: KnownOutputs | None = None
) -> StructurePredictor | None:
    """Return the function that computes a model's outputs from its structure; None if a part of it cannot be read.

    Outputs are sums in float64. They are those of the library bit by bit for LightGBM's raw scores; libraries that add
    in float32, such as XGBoost, differ by their rounding, up to ``16 * eps(float32)`` times the largest output; others
    differ by the rounding of float64.

    Parameters
    ----------
    model : FittedModel
    examples : table, optional
        Engineered rows used to detect the links of members that enter an ensemble in another output space than the one in
        which they are additive. Without them, such an ensemble has no predictor.
    known : KnownOutputs, optional
        What is known of the outputs of a model of trees.
    """
    if known is not None and isinstance(model.structure, Trees):
        return MatrixOutputs(model, known.predictor, NumberRules.of_trees(model.structure), known.background)
    make = PREDICTORS.get(type(model.structure))
    return None if make is None else make(model, examples)


@dataclass(frozen=True)
class NumberRules:
    """Which numbers a structure's outputs are known for; libraries refuse others, or treat them by a rule of their own.

    Parameters
    ----------
    allows_missing : bool
        Whether NaN is among them.
    largest : float
        The largest absolute value.
    """

    allows_missing: bool = False
    largest: float = LARGEST

    @staticmethod
    def of_trees(trees: Trees) -> NumberRules:
        """Return the rules of a tree ensemble."""
        return NumberRules(trees.allows_missing, LARGEST_SINGLE if trees.float32 else LARGEST)

    def allow(self, encoded: Any) -> bool:
        """Return whether all numbers of encoded rows are allowed."""
        cells = encoded if isinstance(encoded, np.ndarray) else encoded.data  # the entries of a sparse matrix
        sizes = np.abs(cells)
        if (sizes <= self.largest).all():
            return True
        return self.allows_missing and not (sizes > self.largest).any()


@dataclass(frozen=True, eq=False)
class MatrixOutputs:
    """A structure that reads the encoded rows as numbers."""

    model: FittedModel
    outputs: Callable[[Any], Matrix]
    rules: NumberRules = NumberRules()
    of_background: Matrix | None = None

    def __call__(self, rows: Table) -> Matrix:
        return self.of_encoded(self.model.read(rows))

    def background(self, rows: Table, numbers: npt.NDArray[np.intp]) -> Matrix:
        """Return the outputs of the background rows of these numbers."""
        known = None if self.of_background is None else self.of_background[numbers]
        return self.of_encoded(self.model.read(rows), known)

    def of_encoded(self, encoded: Any, known: Matrix | None = None) -> Matrix:
        """Return the outputs of rows that were encoded before, of which the sums may be known."""
        if not self.rules.allow(encoded):
            raise InvalidInputError(
                f"{self.model.name} must be given finite numbers to be predicted from its structure. Got NaN or infinity."
            )
        sums = self.outputs(encoded) if known is None else known
        return expand_binary(np.asarray(sums), self.model, axis=1)


@dataclass(frozen=True, eq=False)
class _LinearSum:
    coef: Matrix
    intercept: Matrix

    def __call__(self, matrix: Any) -> Matrix:
        return np.asarray(matrix @ self.coef.T) + self.intercept


@dataclass(frozen=True, eq=False)
class _KernelSum:
    structure: RadialBasis

    def __call__(self, matrix: Any) -> Matrix:
        scale, outputs = np.sqrt(self.structure.gamma), self.structure.intercept
        for part in self.structure.parts():
            outputs = outputs + np.exp(-cdist(matrix * scale, part.centres * scale, "sqeuclidean")) @ part.weights
        return np.asarray(outputs)


@dataclass(frozen=True, eq=False)
class _MixtureOutputs:
    structure: Mixture
    members: tuple[StructurePredictor, ...]

    def __call__(self, rows: Table) -> Matrix:
        parts = [member(rows) @ weights for member, weights in zip(self.members, self.structure.weights, strict=True)]
        return np.asarray(self.structure.constant + np.sum(parts, axis=0))


@dataclass(frozen=True, eq=False)
class _CompositeOutputs:
    """A function of the members' outputs; `final` computes it in place of the library if that is a model, too."""

    structure: Composite
    members: tuple[StructurePredictor, ...]
    final: StructurePredictor | None

    def __call__(self, rows: Table) -> Matrix:
        structure, combine = self.structure, self.structure.combine
        outputs = np.hstack([member(rows) for member in self.members])
        passed = rows.through(structure.passed, by_table=structure.by_table) if structure.passthrough else None
        if self.final is None or not isinstance(combine, FinalModel):
            return np.asarray(combine(outputs, passed))
        return self.final(Table(combine.inputs(outputs[:, combine.reads], passed)))


@dataclass(frozen=True, eq=False)
class _PreparedOutputs:
    structure: Prepared
    inner: StructurePredictor

    def __call__(self, rows: Table) -> Matrix:
        return self.inner(self.structure.table(rows))


def _trees(model: FittedModel, _examples: Any) -> StructurePredictor | None:
    trees = model.structure
    assert isinstance(trees, Trees)
    return MatrixOutputs(model, TreePredictor(trees), NumberRules.of_trees(trees))


def _linear(model: FittedModel, _examples: Any) -> StructurePredictor | None:
    assert isinstance(model.structure, Linear)
    return MatrixOutputs(model, _LinearSum(model.structure.coef, model.structure.intercept))


def _radial(model: FittedModel, _examples: Any) -> StructurePredictor | None:
    assert isinstance(model.structure, RadialBasis)
    return MatrixOutputs(model, _KernelSum(model.structure))


def _dense(model: FittedModel, _examples: Any) -> StructurePredictor | None:
    assert isinstance(model.structure, DenseNetwork)
    return MatrixOutputs(model, model.structure.outputs)


def _mixture(model: FittedModel, examples: Any) -> StructurePredictor | None:
    assert isinstance(model.structure, Mixture)
    members = _all_of([structure_predictor(member, examples) for member in model.structure.members])
    return None if members is None else _MixtureOutputs(model.structure, members)


def _composite(model: FittedModel, examples: Any) -> StructurePredictor | None:
    structure = model.structure
    assert isinstance(structure, Composite)
    entering = [member.in_space(space, examples) for member, space in structure.members]
    members = _all_of([structure_predictor(member, examples) for member in entering])
    if members is None:
        return None
    if type(structure.combine) is not FinalModel:  # a final model that was stored computes from its structure itself
        return _CompositeOutputs(structure, members, None)
    inputs = None
    if examples is not None and structure.combine.space != structure.combine.model.output_space:
        table = Table(examples)
        outputs = np.hstack([member(table) for member in members])
        passed = table.through(structure.passed, by_table=structure.by_table) if structure.passthrough else None
        inputs = structure.combine.inputs(outputs[:, structure.combine.reads], passed)
    final = structure_predictor(structure.combine.model.in_space(structure.combine.space, inputs), inputs)
    return None if final is None else _CompositeOutputs(structure, members, final)


def _prepared(model: FittedModel, examples: Any) -> StructurePredictor | None:
    structure = model.structure
    assert isinstance(structure, Prepared)
    inner = structure_predictor(structure.model, None if examples is None else structure.table(Table(examples)).data)
    return None if inner is None else _PreparedOutputs(structure, inner)


def _all_of(predictors: list[StructurePredictor | None]) -> tuple[StructurePredictor, ...] | None:
    found = tuple(predictor for predictor in predictors if predictor is not None)
    return found if len(found) == len(predictors) else None


PREDICTORS: Mapping[type, _Make] = {
    Trees: _trees,
    Linear: _linear,
    RadialBasis: _radial,
    Mixture: _mixture,
    Composite: _composite,
    Prepared: _prepared,
    DenseNetwork: _dense,
}
"""Structure -> how its outputs are computed. Structures that are not listed are predicted by their library."""
