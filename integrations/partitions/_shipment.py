"""What workers get: the scoring form of an explainer as bytes of a bundle, read once by each worker process.

Workers get data, not pickles of libraries: a bundle is a zip of arrays and a manifest. A worker keeps the explainers that it
has read, with their kernels warmed, so that later partitions and jobs find them ready.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.compiled._jit import at_most_threads
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.parts._partial_importance import PartialImportance, merged
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.scoring._kinds import choose_scoring_explainer
from automl_explain.explainers.scoring._row_columns import RowColumns, block_rows, located
from automl_explain.explainers.scoring._saving import load, save
from automl_explain.explainers.tables._arrow_tables import as_coded_frame

MOST_KEPT = 4
"""Explainers that a worker keeps."""

MERGED_AT_ONCE = 16
"""Partitions whose importance a worker merges, before it reaches the caller."""

_kept: OrderedDict[str, ScoringExplainer] = OrderedDict()
_lock = threading.Lock()


class Shipment(NamedTuple):
    """A scoring explainer for workers, of plain values only: a worker without this package can still say that it lacks it.

    Parameters
    ----------
    identity : str
        By which workers know an explainer that they have read.
    content : bytes
        The bundle.
    """

    identity: str
    content: bytes


def pack(explainer: Any) -> tuple[ScoringExplainer, Shipment]:
    """Return the scoring form of an explainer, and what is sent to workers.

    Parameters
    ----------
    explainer : ScoringExplainer or explainer of Shapley values

    Raises
    ------
    UnsupportedModelError
        If the model has no form as data, so that only this process can explain with it.
    InvalidInputError
        If it is no such explainer.
    """
    scorer = explainer if isinstance(explainer, ScoringExplainer) else choose_scoring_explainer(explainer)
    with TemporaryDirectory() as folder:
        try:
            path = save(scorer, Path(folder, "explainer.zip"))
        except UnsupportedModelError as error:
            raise UnsupportedModelError(
                f"Only this process can explain with {scorer.model.name}: workers get models as data, not as pickles, and "
                f"this one has no such form. {error}"
            ) from error
        return scorer, Shipment(scorer.identity, path.read_bytes())


def unpack(identity: str, content: bytes) -> ScoringExplainer:
    """Return the explainer of a shipment, in a worker: read and warmed up once in its process."""
    with _lock:
        if identity not in _kept:
            with TemporaryDirectory() as folder, at_most_threads(1):
                path = Path(folder, "explainer.zip")
                path.write_bytes(content)
                scorer = load(path)
                scorer.warm_up()
            _kept[identity] = scorer
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(identity)
        return _kept[identity]


def explained_frame(
    scorer: ScoringExplainer, columns: RowColumns, frame: pd.DataFrame, where: str, first: int = 0
) -> pd.DataFrame:
    """Return the table of the rows of a partition, on one thread: engines have a slot for each.

    Parameters
    ----------
    scorer : ScoringExplainer
    columns : RowColumns
    frame : DataFrame
        At least one row.
    where : str
        Which partition this is, for errors.
    first : int
        Rows of the partition before these.
    """
    tables, n_rows = [], block_rows(scorer)
    with at_most_threads(1):
        for start in range(0, len(frame), n_rows):
            rows = frame.iloc[start : start + n_rows]
            tables.append(located(lambda some: columns.of(scorer, some)[0], rows, where, first + start))
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def explained_arrow(scorer: ScoringExplainer, columns: RowColumns, table: Any, where: str, first: int = 0) -> Any:
    """Return the table of the rows of a partition as Arrow has it: the columns kept stay as they are, in every type."""
    import pyarrow as pa

    made = columns.without_copies()
    schema, rows = made.arrow_schema(scorer), None
    if len(table):
        read = table.select(list(scorer.schema.found_in(table.column_names, where, columns.columns)))
        frame = explained_frame(scorer, made, as_coded_frame(read, scorer.schema.names), where, first)
        rows = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    kept = table.select(list(columns.columns))
    for field in schema:
        kept = kept.append_column(field, pa.array([], field.type) if rows is None else rows.column(field.name))
    return kept


def importance_of(scorer: ScoringExplainer, frames: Iterable[pd.DataFrame], where: str) -> PartialImportance:
    """Return the importance of the rows of frames, explained a block at a time; `where` names them in errors."""
    part, n_rows = PartialImportance(), block_rows(scorer)
    for frame in frames:
        for start in range(0, len(frame), n_rows):
            part.add(located(scorer.explain_local, frame.iloc[start : start + n_rows], where, part.num_rows))
    return part


def partial_bytes(scorer: ScoringExplainer, frames: Iterable[pd.DataFrame], where: str) -> bytes | None:
    """Return the importance of the rows of a partition, as a file has it; None for an empty partition."""
    with at_most_threads(1):
        part = importance_of(scorer, frames, where)
    return _written(part.explanation()) if part.num_rows else None


def merged_partial(parts: Iterable[bytes | None]) -> bytes | None:
    """Return several results of `partial_bytes` as one, in a worker: so many parts would be too much for the caller."""
    found = [part for part in parts if part is not None]
    return _written(merged_bytes(found)) if found else None


def merged_bytes(parts: Iterable[bytes | None]) -> Explanation:
    """Return the global values of all rows from what `partial_bytes` returned for each partition."""
    return merged(_read(content) for content in parts if content is not None)


def _written(explanation: Explanation) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "part.explanation")
        explanation.save(path)
        return path.read_bytes()


def _read(content: bytes) -> Explanation:
    with TemporaryDirectory() as folder:
        path = Path(folder, "part.explanation")
        path.write_bytes(content)
        found: Explanation = Explanation.load(path)
        return found


def read_columns(columns: RowColumns | None, present: Iterable[Any], scorer: ScoringExplainer) -> RowColumns:
    """Return the columns of the result; by default all of the data are kept.

    Raises
    ------
    InvalidInputError
        If it is no `RowColumns`, or does not suit the model.
    """
    names = tuple(str(name) for name in present)
    found = RowColumns(names) if columns is None else columns
    if not isinstance(found, RowColumns):
        raise InvalidInputError(f"The 'columns' parameter must be RowColumns. Got {type(found).__name__}.")
    scorer.schema.found_in(names, "The table", found.columns)
    found.check(scorer, names)
    return found
