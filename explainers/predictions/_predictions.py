"""Predictions of explained rows, from the structure of a model once its library has been found to agree with it.

The library is asked for all background rows when an explainer is made, and for a sample of the explained rows later. Values
are computed in another way than the predictions, so that their sum checks both. If the library disagrees a little with the
structure, it alone predicts from then on; if it disagrees more, the model is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._agreement import ROUNDING, agree, size_of
from automl_explain.explainers._errors import AdditivityError, InvalidInputError
from automl_explain.explainers._fallback import fall_back
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict import predict_rows
from automl_explain.explainers.model._structures import Matrix
from automl_explain.explainers.predictions._structure_outputs import (
    KnownOutputs,
    MatrixOutputs,
    StructurePredictor,
    structure_predictor,
)
from automl_explain.explainers.tables._table import Table

SHARE = 1e-9
"""Difference, as a share of the spread of an output, in addition to rounding, up to which the library agrees."""
REFUSE_ABOVE = 1e-2
"""Difference, as a share of the spread of an output, above which a model is refused when its explainer is made."""
REFUSE_ROUNDING = 4
"""Multiple of the rounding of a float32 model up to which it is not refused."""
LINK_ROWS = 64
"""Background rows used to detect the links inside an ensemble."""
REPEATED_ROWS = 16
"""Background rows that are predicted again to see whether a disagreeing model gives the same answers twice."""
BLOCK_BYTES = 64 << 20
"""Maximum memory of the background rows that are compared at a time."""
CHECK_EVERY = 256
"""Most rows that are predicted from the structure between two checks, once as many have been compared."""


class Predictions:
    """Predicts the rows that an explainer explains.

    After n rows have been compared with the library, at most n further rows, and at most `CHECK_EVERY`, are predicted
    before the next comparison. A comparison takes up to 16 rows, spread over the table, and one more for each `CHECK_EVERY`
    rows of a large table.

    Parameters
    ----------
    model : FittedModel
    background : Table or None
        Engineered background rows, all of which are compared.
    known : KnownOutputs, optional
        What the engine knows of the outputs of the structure.

    Raises
    ------
    AdditivityError
        If the library predicts the background otherwise than the structure.
    InvalidInputError
        If the library cannot predict the background.
    """

    def __init__(self, model: FittedModel, background: Table | None, known: KnownOutputs | None = None) -> None:
        self._model = model
        examples = None if background is None else background.take(np.arange(min(LINK_ROWS, len(background)))).data
        self._own = fall_back(
            "Predicting from the structure", lambda: structure_predictor(model, examples, known), lambda why: None
        )
        self._n_compared, self._n_unchecked = 0, 0
        if background is not None and self._own is not None:
            self._compare_background(background, self._own)

    def __call__(self, rows: Table) -> Matrix:
        """Return the outputs of engineered rows, (n, K).

        Raises
        ------
        AdditivityError
            If the library predicts them otherwise than the structure, as after fitting the model again.
        InvalidInputError
            If the model cannot predict the rows, or an output is not finite.
        """
        outputs = None if self._own is None else self._of_structure(rows, self._own)
        if outputs is not None:
            self._n_unchecked += len(rows)
            if self._n_unchecked <= min(self._n_compared, CHECK_EVERY) or self._agrees(rows, outputs):
                return outputs
            self._own = None
        return self.of_library(rows)

    def of_few(self, encoded: Any) -> Matrix | None:
        """Return the outputs of a few rows, as the structure reads them; None if the library must be asked first."""
        n_unchecked = self._n_unchecked + len(encoded)
        if not isinstance(self._own, MatrixOutputs) or n_unchecked > min(self._n_compared, CHECK_EVERY):
            return None
        outputs = self._own.of_encoded(encoded)
        if not np.isfinite(outputs).all():
            return None
        self._n_unchecked = n_unchecked
        return outputs

    @property
    def asks_library(self) -> bool:
        """Whether the library predicts all rows."""
        return self._own is None

    def of_library(self, rows: Table) -> Matrix:
        """Return what the library predicts for engineered rows, (n, K)."""
        return predict_rows(self._model, rows, "X")

    def _of_structure(self, rows: Table, own: Callable[[Table], Matrix]) -> Matrix | None:
        """Return the outputs of the structure; None if there are none, so that the library decides what such rows give."""

        def fast() -> Matrix | None:
            try:
                outputs = own(rows)
            except InvalidInputError:
                return None
            return outputs if np.isfinite(outputs).all() else None

        return fall_back("Predicting from the structure", fast, lambda why: None)

    def _agrees(self, rows: Table, outputs: Matrix) -> bool:
        """Compare some of the rows with the library."""
        n_rows = CHECK_EVERY if not self._n_compared else REPEATED_ROWS + len(rows) // CHECK_EVERY
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(n_rows, len(rows))).astype(np.intp))
        compared = rows if len(chosen) == len(rows) else rows.part(chosen)
        known = self.of_library(compared)
        self._n_compared, self._n_unchecked = self._n_compared + len(chosen), 0
        if agree(outputs[chosen], known, SHARE):
            return True
        _refuse(self._model, compared, outputs[chosen], known, "of the rows to explain that were compared", chosen)
        return False

    def _compare_background(self, background: Table, own: StructurePredictor) -> None:
        """Compare all background rows, in blocks of bounded memory."""
        size, known, made = max(1, BLOCK_BYTES // (8 * background.n_columns)), [], []
        for start in range(0, len(background), size):
            numbers = np.arange(start, min(start + size, len(background)))
            block = background.alone() if len(numbers) == len(background) else background.take(numbers)
            of_block = partial(own.background, numbers=numbers) if isinstance(own, MatrixOutputs) else own
            outputs = self._of_structure(block, of_block)
            if outputs is None:
                self._own = None
                return
            known.append(predict_rows(self._model, block, "the background"))
            made.append(outputs)
        self._n_compared = len(background)
        if not agree(np.concatenate(made), np.concatenate(known), SHARE):
            self._own = None
            numbers = np.arange(len(background))
            _refuse(self._model, background, np.concatenate(made), np.concatenate(known), "background rows", numbers)


def _refuse(
    model: FittedModel, rows: Table, outputs: Matrix, known: Matrix, what: str, numbers: npt.NDArray[np.intp]
) -> None:
    """Raise an error if the library's outputs are far from those of the structure; rows have these numbers for the user."""
    spread = np.ptp(known, axis=0)
    bound = REFUSE_ABOVE * spread + REFUSE_ROUNDING * ROUNDING * size_of(outputs, known)
    gaps = np.abs(outputs - known)
    wrong = np.flatnonzero((gaps > bound).any(axis=1))
    if not len(wrong):
        return
    again = predict_rows(model, rows)
    changes = np.abs(again - known).max()
    named = ", ".join(map(str, numbers[wrong[:5]])) + ("" if len(wrong) <= 5 else ", ...")
    said = (
        f"The outputs computed from the structure of {model.name} miss the predictions of its library by up to "
        f"{gaps.max():.3g} in {model.output_space}, in {len(wrong)} of {len(rows)} {what} ({named})"
    )
    if changes > bound.min():
        raise AdditivityError(
            f"{said}; the model's answers to the same rows differ between calls by up to {changes:.3g}. Only answers that stay "
            "the same can be explained: fix the model's random state, switch off dropout, or pass a function that averages "
            "over many calls."
        )
    raise AdditivityError(
        f"{said}. Values of this structure would not be those of the model. If it was changed after training, such as by "
        "fitting it again, make the explainer again; otherwise please report this model."
    )
