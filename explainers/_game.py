"""The coalition game of a model: absent features take their values from background rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._design import Coalitions
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._model import FittedModel, Matrix
from automl_explain.explainers._table import Mixer, Table

BYTE_BUDGET = 64 * 2**20
"""Upper bound on the memory of one batch of mixed rows."""


class Game:
    """Values of coalitions: the mean output over the background when only some players take the row's values.

    Parameters
    ----------
    model : FittedModel
    background : Table
        B rows in the model's engineered format.
    players : ndarray of int, shape (f,), or None
        Player of each column.
    """

    def __init__(self, model: FittedModel, background: Table, players: npt.NDArray[np.intp] | None = None) -> None:
        self._model = model
        self._background = background
        self._players = players
        self.background_outputs = predict_finite(model, background.data)
        self.base_values = self.background_outputs.mean(axis=0)

    def values(self, rows: Table, coalitions: Coalitions) -> tuple[Matrix, Matrix]:
        """Return the values of coalitions for each row, minus that of the empty coalition.

        Parameters
        ----------
        rows : Table
            n rows in the model's engineered format.
        coalitions : ndarray of bool, shape (m, P)

        Returns
        -------
        tuple of ndarray, ndarray
            Values of the coalitions, (n, m, K), and of the grand coalition, (n, K).
        """
        outputs = predict_finite(self._model, rows.data)
        columns = coalitions if self._players is None else coalitions[:, self._players]
        n, m, n_background = len(rows), len(columns), len(self._background)
        values = np.zeros((n, m, outputs.shape[1]))
        if m:
            mixer = Mixer(rows, self._background)
            different = mixer.differences()
            per_batch = max(1, BYTE_BUDGET // (16 * max(1, columns.shape[1]) * m))
            pairs = np.array([(i, b) for i in range(n) for b in range(n_background)], dtype=np.intp)
            for start in range(0, len(pairs), per_batch):
                self._add_pairs(pairs[start : start + per_batch], columns, different, mixer, outputs, values)
            values /= n_background
        return values - self.base_values, outputs - self.base_values

    def _add_pairs(
        self,
        pairs: npt.NDArray[np.intp],
        columns: Coalitions,
        different: npt.NDArray[np.bool_],
        mixer: Mixer,
        outputs: Matrix,
        values: Matrix,
    ) -> None:
        """Evaluate all coalitions of some (row, background) pairs, each distinct mixed row once."""
        masks, inverses, owners = [], [], []
        offset = 0
        for position, (row, background) in enumerate(pairs):
            distinct, inverse = _distinct_rows(columns & different[row, background])
            masks.append(distinct)
            inverses.append(inverse + offset)
            owners.append(np.full(len(distinct), position))
            offset += len(distinct)
        owner = np.concatenate(owners)
        mixed = mixer.mix(pairs[owner, 0], pairs[owner, 1], np.vstack(masks))
        predicted = predict_finite(self._model, mixed)
        for (row, _), inverse in zip(pairs, inverses, strict=True):
            values[row] += predicted[inverse]


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
