"""Fitted stages of Spark ML as functions of single columns: StringIndexer, OneHotEncoder, VectorAssembler and scalers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError, UnsupportedModelError
from automl_explain.explainers.tables._column_functions import STEPS, ColumnFunction, Columnwise

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """A StringIndexer: the labels of a column in the order of their indexes.

    Parameters
    ----------
    labels : tuple of str
    keeps_invalid : bool
        Whether missing and unknown cells have an index of their own, after those of the labels.
    """

    labels: tuple[str, ...]
    keeps_invalid: bool

    def index(self, cells: pd.Series, name: str) -> Numbers:
        """Return the indexes of the cells of a column, as Spark makes texts of them."""
        places = {label: float(place) for place, label in enumerate(self.labels)}
        codes, known = pd.factorize(cells, use_na_sentinel=True)
        of_known = [places.get(text, np.nan) for text in map(_as_spark_text, known.tolist())]
        found: Numbers = np.append(np.asarray(of_known, np.float64), np.nan)[codes]
        if (wrong := np.isnan(found)).any():
            if not self.keeps_invalid:
                cell = cells.iloc[int(np.flatnonzero(wrong)[0])]
                raise InvalidInputError(
                    f"Column {name!r} has a cell that its StringIndexer does not know: {cell!r}. Spark refuses such rows or "
                    'leaves them out, except with handleInvalid="keep".'
                )
            found[wrong] = len(self.labels)
        return found


@dataclass(frozen=True)
class Cells:
    """Numbers that stages make of the cells of one raw column.

    Parameters
    ----------
    source : str
        The raw column.
    labels : Labels or None
        How texts become numbers; None if the cells are numbers.
    steps : tuple of (str, float)
        Steps that follow, as in `STEPS`.
    may_be_missing : bool
        Whether cells that are missing after these steps are passed on; Spark refuses them otherwise.
    """

    source: str
    labels: Labels | None = None
    steps: tuple[tuple[str, float], ...] = ()
    may_be_missing: bool = False

    def then(self, *steps: tuple[str, float]) -> Cells:
        """Return the same numbers after more steps."""
        return replace(self, steps=(*self.steps, *steps))

    @property
    def as_function(self) -> ColumnFunction:
        """The same, without its input."""
        if self.labels is None:
            return ColumnFunction(0, self.steps)
        return ColumnFunction(0, (), self.labels.labels)


@dataclass(frozen=True)
class Stages(Columnwise):
    """Stages before a model, as a function from raw tables to the vectors that it takes.

    Parameters
    ----------
    names : tuple of str
        The raw columns.
    cells : tuple of Cells
        The numbers of the vector.
    """

    names: tuple[str, ...]
    cells: tuple[Cells, ...]

    def __call__(self, table: Any) -> Numbers:
        """Return the vectors of raw rows, (n, f)."""
        frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table), columns=list(self.names))
        if missing := [name for name in self.names if name not in frame]:
            raise ColumnMismatchError(f"The table lacks columns that the stages of the pipeline read: {missing[:5]}.")
        made = np.empty((len(frame), len(self.cells)))
        read: dict[tuple[str, Labels | None], Numbers] = {}
        for j, cells in enumerate(self.cells):
            key = (cells.source, cells.labels)
            if key not in read:
                read[key] = _numbers(frame[cells.source], cells)
            column = read[key]
            for step, number in cells.steps:
                column = STEPS[step](column, np.asarray(number))
            if not cells.may_be_missing and np.isnan(column).any():
                raise InvalidInputError(
                    f"Column {cells.source!r} has missing cells. Spark refuses such rows or leaves them out, except with "
                    'VectorAssembler(handleInvalid="keep").'
                )
            made[:, j] = column
        return made

    def columns(self, inputs: tuple[ColumnFunction, ...]) -> tuple[ColumnFunction, ...]:
        """Return the numbers of the vector as functions of the columns before the raw ones; see `Columnwise`."""
        place = {name: j for j, name in enumerate(self.names)}
        made = []
        for cells in self.cells:
            function, before = cells.as_function, inputs[place[cells.source]]
            made.append(before.then(*function.steps, known=function.known))
        return tuple(made)


class StageReader:
    """Follows the stages of a pipeline from its raw columns to the vector of features."""

    def __init__(self) -> None:
        self._made: dict[str, list[Cells]] = {}
        self.labels: dict[str, tuple[str, ...]] = {}
        """Columns that a StringIndexer makes -> its labels."""

    def read(self, stage: Any) -> None:
        """Follow one more stage.

        Raises
        ------
        UnsupportedModelError
            If the stage is not known.
        """
        rule = RULES.get(type(stage).__name__)
        if rule is None:
            raise UnsupportedModelError(
                f"Cannot explain raw columns through {type(stage).__name__} of Spark ML; {', '.join(RULES)} are read. Explain "
                "a function of pandas frames that calls the pipeline's transform instead."
            )
        rule(self, stage)

    def vector(self, column: str) -> list[Cells]:
        """Return the numbers of a column."""
        return self._made.get(column) or [Cells(column)]

    def knows(self, column: str) -> bool:
        """Whether a stage made the column."""
        return column in self._made

    def _string_indexer(self, stage: Any) -> None:
        keeps = stage.getHandleInvalid() == "keep"
        for source, made, labels in zip(*_columns(stage), stage.labelsArray, strict=True):
            self.labels[made] = tuple(labels)
            (before,) = self.vector(source)
            self._made[made] = [replace(before, labels=Labels(tuple(labels), keeps))]

    def _one_hot(self, stage: Any) -> None:
        keeps, drops = stage.getHandleInvalid() == "keep", stage.getDropLast()
        for source, made, size in zip(*_columns(stage), stage.categorySizes, strict=True):
            (before,) = self.vector(source)
            width = size + keeps - drops
            self._made[made] = [before.then(("equals", float(k))) for k in range(width)]

    def _assembler(self, stage: Any) -> None:
        keeps = stage.getHandleInvalid() == "keep"
        parts = [cells for name in stage.getInputCols() for cells in self.vector(name)]
        self._made[stage.getOutputCol()] = [replace(cells, may_be_missing=keeps) for cells in parts]

    def _imputer(self, stage: Any) -> None:
        wanted = float(stage.getMissingValue())
        fills = stage.surrogateDF.first().asDict()
        for source, made in zip(*_columns(stage), strict=True):
            (before,) = self.vector(source)
            steps = [] if np.isnan(wanted) else [("missing_if", wanted)]
            self._made[made] = [before.then(*steps, ("fill", float(fills[source])))]

    def _scaler(self, stage: Any) -> None:
        centre = stage.mean.toArray() if stage.getWithMean() else None
        scale = stage.std.toArray() if stage.getWithStd() else None
        made = []
        for j, cells in enumerate(self.vector(stage.getInputCol())):
            if centre is not None:
                cells = cells.then(("minus", float(centre[j])))
            if scale is not None:  # Spark multiplies by the inverse, and by zero for a constant column
                cells = cells.then(("times", 1.0 / float(scale[j]) if scale[j] else 0.0))
            made.append(cells)
        self._made[stage.getOutputCol()] = made


RULES: dict[str, Callable[[StageReader, Any], None]] = {
    "StringIndexerModel": StageReader._string_indexer,
    "OneHotEncoderModel": StageReader._one_hot,
    "VectorAssembler": StageReader._assembler,
    "ImputerModel": StageReader._imputer,
    "StandardScalerModel": StageReader._scaler,
}
"""Class of a fitted stage -> what it does."""


def _columns(stage: Any) -> tuple[Sequence[str], Sequence[str]]:
    """Return the names of the columns that a stage takes and makes."""
    if stage.isSet("inputCols"):
        return stage.getInputCols(), stage.getOutputCols()
    return [stage.getInputCol()], [stage.getOutputCol()]


def _numbers(column: pd.Series, cells: Cells) -> Numbers:
    if cells.labels is not None:
        return cells.labels.index(column, cells.source)
    try:
        return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise ColumnMismatchError(f"Column {cells.source!r} must have numbers: {error}") from error


def _as_spark_text(cell: Any) -> str:
    """Return a cell as Spark casts it to text."""
    if isinstance(cell, bool | np.bool_):
        return str(cell).lower()
    return str(cell)
