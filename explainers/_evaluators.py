"""How the outputs of mixed rows are computed: one way per structure, all of the same shape.

An evaluator is made for a block of rows and a background; for coalitions of players it returns the outputs of every row,
every background row and every coalition, where present players take the row's columns and absent ones the background
row's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._cubes import CoalitionGame
from automl_explain.explainers._design import Coalitions
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._model import Composite, FittedModel, Linear, Matrix, Mixture, Opaque, OwnValues
from automl_explain.explainers._outputs import all_outputs
from automl_explain.explainers._table import Mixer, Rows, Table
from automl_explain.explainers._trees import Trees

Outputs = npt.NDArray[np.float64]
"""(n, B, m, K): rows, background rows, coalitions, outputs."""

Players = npt.NDArray[np.intp]
"""(f,): the player of each column."""

LATTICE_PLAYERS = 14
"""Players up to which a tree ensemble's outputs for all coalitions are computed even where some are asked for."""
BYTE_BUDGET = 64 * 2**20
"""Upper bound on the memory of one batch of mixed rows."""


class Evaluator(Protocol):
    """Outputs of mixed rows of one block of rows."""

    def __call__(self, coalitions: Coalitions) -> Outputs:
        """Return (n, B, m, K) for coalitions of players, (m, P)."""
        ...


def evaluator(model: FittedModel, rows: Table, background: Table, players: Players) -> Evaluator:
    """Return the evaluator that the model's structure asks for; `players` is the player of each column."""
    return EVALUATORS[type(model.structure)](model, rows, background, players)


class _Predicted:
    """Any model: each distinct mixed row of a (row, background row) pair is predicted once."""

    def __init__(self, model: FittedModel, rows: Table, background: Table, players: Players) -> None:
        self._model = model
        self._players = players
        self._shape = len(rows), len(background)
        self._mixer = Mixer(rows, background)
        self._different = self._mixer.differences()

    def __call__(self, coalitions: Coalitions) -> Outputs:
        columns = coalitions[:, self._players]
        n, n_background = self._shape
        m, width = columns.shape
        pairs = np.array([(i, b) for i in range(n) for b in range(n_background)], dtype=np.intp)
        per_batch = max(1, BYTE_BUDGET // (16 * max(1, width) * m))
        parts = [self._pairs(pairs[i : i + per_batch], columns) for i in range(0, len(pairs), per_batch)]
        return np.concatenate(parts).reshape(n, n_background, m, -1)

    def _pairs(self, pairs: Rows, columns: Coalitions) -> Matrix:
        masks, inverses, owners, offset = [], [], [], 0
        for position, (row, background) in enumerate(pairs):
            distinct, inverse = _distinct_rows(columns & self._different[row, background])
            masks.append(distinct)
            inverses.append(inverse + offset)
            owners.append(np.full(len(distinct), position))
            offset += len(distinct)
        owner = np.concatenate(owners)
        mixed = self._mixer.mix(pairs[owner, 0], pairs[owner, 1], np.vstack(masks))
        return predict_finite(self._model, mixed)[np.concatenate(inverses)]


class _LinearOutputs:
    """A linear model: the background row's output plus the differences of the present columns."""

    def __init__(self, model: FittedModel, rows: Table, background: Table, players: Players) -> None:
        assert isinstance(model.structure, Linear)
        self._model = model
        coef = model.structure.coef
        mine, theirs = model.encode(rows.data), model.encode(background.data)
        steps = (mine[:, None, :] - theirs[None, :, :])[..., None] * coef.T
        self._steps = np.stack(
            [steps[:, :, players == player].sum(axis=2) for player in range(players.max() + 1)], axis=2
        )
        self._base = theirs @ coef.T + model.structure.intercept

    def __call__(self, coalitions: Coalitions) -> Outputs:
        present = coalitions[:, : self._steps.shape[2]].astype(np.float64)  # further players have no column
        outputs = np.einsum("mp,nbpk->nbmk", present, self._steps, optimize=True)
        return _every_output(outputs + self._base[None, :, None, :], self._model)


class _TreeOutputs:
    """A tree ensemble: its trees walked once per pair of rows, for any number of coalitions."""

    def __init__(self, model: FittedModel, rows: Table, background: Table, players: Players) -> None:
        assert isinstance(model.structure, Trees)
        self._model = model
        self._rows = model.encode(rows.data)
        self._game = CoalitionGame(model.structure, model.encode(background.data), players)

    def __call__(self, coalitions: Coalitions) -> Outputs:
        n_players = self._game.n_players
        present = coalitions[:, :n_players]  # further players have no column
        if n_players <= LATTICE_PLAYERS and 2**n_players <= 16 * len(present):
            number = present @ (1 << np.arange(n_players))
            parts = [self._game.values(row)[number] for row in self._rows]
        else:
            parts = [self._game.values(row, present) for row in self._rows]
        return _every_output(np.stack(parts).transpose(0, 2, 1, 3), self._model)


class _MixtureOutputs:
    """A linear combination of its members' outputs."""

    def __init__(self, model: FittedModel, rows: Table, background: Table, players: Players) -> None:
        assert isinstance(model.structure, Mixture)
        self._structure = model.structure
        self._members = [evaluator(member, rows, background, players) for member in model.structure.members]

    def __call__(self, coalitions: Coalitions) -> Outputs:
        parts = [
            member(coalitions) @ weights for member, weights in zip(self._members, self._structure.weights, strict=True)
        ]
        total: Outputs = self._structure.constant + np.sum(parts, axis=0)
        return total


class _CompositeOutputs:
    """A function of its members' outputs, and of the mixed rows themselves where they are passed through."""

    def __init__(self, model: FittedModel, rows: Table, background: Table, players: Players) -> None:
        assert isinstance(model.structure, Composite)
        self._structure = model.structure
        self._players = players
        self._shape = len(rows), len(background)
        examples = background.take(np.arange(min(64, len(background)))).data
        self._members = [
            evaluator(member.in_space(space, examples), rows, background, players)
            for member, space in model.structure.members
        ]
        self._mixer = Mixer(rows, background) if model.structure.passthrough else None

    def __call__(self, coalitions: Coalitions) -> Outputs:
        n, n_background = self._shape
        m = len(coalitions)
        columns = np.concatenate([member(coalitions) for member in self._members], axis=-1)
        flat = columns.reshape(n * n_background * m, -1)
        mixed = None
        if self._mixer is not None:
            row, other, which = (part.ravel() for part in np.indices((n, n_background, m)))
            mixed = self._mixer.mix(row, other, coalitions[:, self._players][which])
        return self._structure.combine(flat, mixed).reshape(n, n_background, m, -1)


EVALUATORS: dict[type, Callable[[FittedModel, Table, Table, Players], Evaluator]] = {
    Trees: _TreeOutputs,
    Linear: _LinearOutputs,
    Mixture: _MixtureOutputs,
    Composite: _CompositeOutputs,
    OwnValues: _Predicted,
    Opaque: _Predicted,
}
"""Structure -> how its outputs for mixed rows are computed."""


def predict_finite(model: FittedModel, data: object) -> Matrix:
    """Return a model's outputs for engineered rows; a Shapley value needs numbers.

    Raises
    ------
    InvalidInputError
        If an output is NaN or infinite.
    """
    outputs = model.predict(data)
    if not np.isfinite(outputs).all():
        raise InvalidInputError(
            f"{model.name} predicted {int((~np.isfinite(outputs)).sum())} values that are NaN or infinite in "
            f"{model.output_space}; a Shapley value needs finite outputs."
        )
    return outputs


def _every_output(outputs: Outputs, model: FittedModel) -> Outputs:
    """Outputs of a structure, last axis, as outputs of the model: both classes of a binary one."""
    return np.moveaxis(all_outputs(np.moveaxis(outputs, -1, 0), model), 0, -1)


def _distinct_rows(masks: Coalitions) -> tuple[Coalitions, npt.NDArray[np.intp]]:
    packed = np.packbits(masks, axis=1)
    width = packed.shape[1]
    if width <= 8:
        keys = np.zeros((len(packed), 8), dtype=np.uint8)
        keys[:, :width] = packed
        flat = keys.view(np.uint64).ravel()
    else:
        flat = np.ascontiguousarray(packed).view(f"V{width}").ravel()
    _, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    return masks[first], inverse.ravel()
