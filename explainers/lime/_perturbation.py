"""Samples of LIME, drawn once for all rows that are explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.tables._table import Table

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

DISCRETIZERS = {"quartile": (25, 50, 75), "decile": (10, 20, 30, 40, 50, 60, 70, 80, 90)}
"""Percentiles of the training column at the edges between bins."""
LEAST_SPREAD = 1e-11
"""Added to the standard deviation of each bin, as a share of the column's range."""


@dataclass(frozen=True)
class Bins:
    """The b bins of a numeric column. Missing cells are in an additional bin, with number b.

    Parameters
    ----------
    edges : ndarray, shape (b - 1,)
        Edges between bins. A cell is in bin ``searchsorted(edges, cell)``, so the upper edge belongs to a bin.
    low, high, mean, spread : ndarray, shape (b,)
        Ends of each bin, and the mean and standard deviation of the training cells in it.
    """

    edges: Floats
    low: Floats
    high: Floats
    mean: Floats
    spread: Floats

    def find(self, cells: Floats) -> Longs:
        """Return the bin of each cell; b for missing cells."""
        found = np.searchsorted(self.edges, cells)
        return np.where(np.isnan(cells), len(self.low), found).astype(np.int64)

    def draw(self, bins: Longs, rng: np.random.Generator) -> Floats:
        """Draw a cell in each of the given bins, from a normal distribution truncated to the bin."""
        missing = bins == len(self.low)
        which = np.where(missing, 0, bins)
        mean, spread = self.mean[which], self.spread[which]
        low, high = ndtr((self.low[which] - mean) / spread), ndtr((self.high[which] - mean) / spread)
        cells = mean + spread * ndtri(low + (high - low) * rng.random(len(bins)))
        cells = np.clip(cells, self.low[which], self.high[which])
        return np.where(missing, np.nan, cells)


def make_bins(cells: Floats, percentiles: Sequence[float], weights: Floats | None = None) -> Bins:
    """Return the bins of a training column, with percentiles as edges.

    With weights, percentile q is the smallest cell such that cells up to it have at least q percent of the weight.
    """
    kept = ~np.isnan(cells) if weights is None else ~np.isnan(cells) & (weights > 0)
    known, share = cells[kept], None if weights is None else weights[kept]
    if not len(known):
        nothing = np.zeros(1)
        return Bins(np.empty(0), nothing, nothing, nothing, nothing + 1.0)
    if share is None:
        edges = np.unique(np.percentile(known, percentiles))
    else:
        edges = np.unique(np.percentile(known, percentiles, weights=share, method="inverted_cdf"))
    bins = np.searchsorted(edges, known)
    parts = [
        _mean_and_spread(known[bins == b], None if share is None else share[bins == b]) for b in range(len(edges) + 1)
    ]
    return Bins(
        edges,
        np.append(known.min(), edges),
        np.append(edges, known.max()),
        np.array([mean for mean, _ in parts]),
        np.array([spread for _, spread in parts]) + LEAST_SPREAD * (float(np.ptp(known)) or 1.0),
    )


def _mean_and_spread(cells: Floats, weights: Floats | None) -> tuple[float, float]:
    """Return the mean and standard deviation of cells; (0, 0) without cells."""
    if not len(cells):
        return 0.0, 0.0
    if weights is None:
        return float(cells.mean()), float(cells.std())
    mean = np.average(cells, weights=weights)
    return float(mean), float(np.sqrt(np.average((cells - mean) ** 2, weights=weights)))


class Neighbourhood:
    """Draws samples from the training data, column by column, and computes the inputs of the local models.

    For a column with bins or categories, the input is 1 if the drawn cell is in the bin or category of the explained row,
    otherwise 0. For a continuous column, it is the drawn cell, standardized by the training mean and standard deviation.

    Parameters
    ----------
    training : Table
        The training rows, not sparse.
    discretizer : {"quartile", "decile"} or None
        Bins of numeric columns. None: numeric columns stay continuous.
    categorical : sequence of int
        Columns of categories, in addition to those that are not numeric.
    around_row : bool
        Whether continuous columns are drawn around the explained row instead of around the training mean.
    weights : ndarray of shape (B,), optional
        Weights of the training rows, adding up to 1. Default: equal weights.
    """

    def __init__(
        self,
        training: Table,
        discretizer: str | None,
        categorical: Sequence[int],
        around_row: bool = False,
        weights: Floats | None = None,
    ) -> None:
        self._training, self.around_row, self._weights = training, around_row, weights
        self._numeric = [j not in set(categorical) and _is_numeric(training, j) for j in range(training.n_columns)]
        self.binary = np.array([discretizer is not None or not numeric for numeric in self._numeric])
        self._bins: dict[int, Bins] = {}
        self.mean, self.scale = np.zeros(training.n_columns), np.ones(training.n_columns)
        for j in np.flatnonzero(self._numeric).tolist():
            cells = _numbers(training, j)
            if discretizer is not None:
                self._bins[j] = make_bins(cells, DISCRETIZERS[discretizer], weights)
            else:
                _refuse_missing(cells, training, j, "initialization_examples")
                self.mean[j], spread = _mean_and_spread(cells, weights)
                self.scale[j] = spread or 1.0

    def draw(self, n_samples: int, rng: np.random.Generator) -> Drawn:
        """Draw `n_samples` samples, which are the same for all explained rows."""
        n, f = len(self._training), self._training.n_columns
        if self._weights is None:
            source = rng.integers(n, size=(n_samples, f))
        else:
            source = rng.choice(n, size=(n_samples, f), p=self._weights)
        seen = np.empty((n_samples, f))
        cells: list[Any] = []
        for j in range(f):
            if j in self._bins:
                bins = self._bins[j].find(_numbers(self._training, j)[source[:, j]])
                cells.append(self._bins[j].draw(bins, rng))
                seen[:, j] = bins
            elif self._numeric[j]:
                seen[:, j] = rng.standard_normal(n_samples)
                cells.append(seen[:, j] * self.scale[j] + self.mean[j])
                if not self.around_row:
                    seen[:, j] = (cells[-1] - self.mean[j]) / self.scale[j]
            else:
                cells.append(source[:, j])
                seen[:, j] = self._categories(self._training, j)[source[:, j]]
        return Drawn(self, seen, cells)

    def encode(self, rows: Table) -> Floats:
        """Encode rows for the comparison with samples: bins, categories or standardized numbers, (n, f)."""
        seen = np.empty((len(rows), rows.n_columns))
        for j in range(rows.n_columns):
            if j in self._bins:
                seen[:, j] = self._bins[j].find(_read_numbers(rows, j, "X"))
            elif self._numeric[j]:
                cells = _read_numbers(rows, j, "X")
                _refuse_missing(cells, rows, j, "X")
                seen[:, j] = (cells - self.mean[j]) / self.scale[j]
            else:
                seen[:, j] = self._categories(rows, j)
        return seen

    def table(self, cells: list[Any]) -> Table:
        """Return drawn cells as a table in the format of the training rows."""
        training = self._training
        if training.is_frame:
            columns = {
                j: cells[j] if self._numeric[j] else training.data.iloc[:, j].array.take(cells[j])
                for j in range(training.n_columns)
            }
            frame = pd.DataFrame(columns)
            frame.columns = training.data.columns
            return Table(frame, training.names)
        if all(self._numeric):
            return Table(np.column_stack(cells))
        mixed = [cells[j] if self._numeric[j] else training.data[cells[j], j] for j in range(training.n_columns)]
        kind = np.float64 if training.data.dtype.kind in "biuf" else object
        return Table(np.column_stack([column.astype(kind) for column in mixed]))

    def _categories(self, table: Table, j: int) -> Longs:
        """Return the number of each cell's category; -1 for missing cells, -2 for unknown categories."""
        known = pd.unique(pd.Series(self._training.column(j), dtype=object).dropna())
        cells = pd.Series(table.column(j), dtype=object)
        found = pd.Index(known, dtype=object).get_indexer(pd.Index(cells, dtype=object))
        return np.where(cells.isna(), -1, np.where(found < 0, -2, found)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples.

    Parameters
    ----------
    neighbourhood : Neighbourhood
    seen : ndarray, shape (S, f)
        Encoded samples: bins, categories or standardized numbers. Numbers are relative to the explained row if they are
        drawn around it.
    cells : list of arrays of shape (S,)
        Columns of the samples: numbers, or row numbers of the training data.
    """

    neighbourhood: Neighbourhood
    seen: Floats
    cells: list[Any]

    def table(self) -> Table:
        """Return the samples as the model takes them, if they are the same for all explained rows."""
        return self.neighbourhood.table(self.cells)

    def table_around(self, row: Floats) -> Table:
        """Return the samples as the model takes them, with continuous columns around a row given by `encode`."""
        hood = self.neighbourhood
        cells = [
            column if hood.binary[j] else (self.seen[:, j] + row[j]) * hood.scale[j] + hood.mean[j]
            for j, column in enumerate(self.cells)
        ]
        return hood.table(cells)

    def inputs_for(self, row: Floats) -> Floats:
        """Return the inputs of the local model of a row given by `encode`: the row, then the samples, (S + 1, f)."""
        hood = self.neighbourhood
        design = np.empty((len(self.seen) + 1, len(row)))
        design[0] = np.where(hood.binary, 1.0, row)
        if hood.binary.all():
            np.equal(self.seen, row, out=design[1:])
        else:
            numbers = self.seen + row if hood.around_row else self.seen
            design[1:] = np.where(hood.binary, self.seen == row, numbers)
        return design


def _is_numeric(table: Table, j: int) -> bool:
    if table.is_frame:
        dtype = table.data.dtypes.iloc[j]
        return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    if table.data.dtype.kind in "iuf":
        return True
    kinds = ("integer", "floating", "mixed-integer-float")
    return pd.api.types.infer_dtype(table.data[:, j], skipna=True) in kinds


def _numbers(table: Table, j: int) -> Floats:
    if table.is_frame:
        return np.asarray(table.data.iloc[:, j].to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(table.data[:, j], dtype=np.float64)


def _read_numbers(table: Table, j: int, what: str) -> Floats:
    """Return a column that is numeric in the training data."""
    try:
        return _numbers(table, j)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(
            f"{_column_name(table, j)} of {what} must hold numbers, as in training: {error}"
        ) from error


def _column_name(table: Table, j: int) -> str:
    return f"Column {j if table.names is None else repr(table.names[j])}"


def _refuse_missing(cells: Floats, table: Table, j: int, what: str) -> None:
    if np.isnan(cells).any():
        raise InvalidInputError(
            f"{_column_name(table, j)} of {what} has missing cells, which cannot be standardized. Use discretizer='quartile', "
            "which puts missing cells into a bin of their own."
        )
