"""Spark: the rows of a DataFrame are explained by the workers of the cluster.

>>> from automl_explain.integrations.spark import explain_frame
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from automl_explain.explainers._errors import MissingExtraError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.scoring._row_columns import RowColumns
from automl_explain.explainers.tables._arrow_tables import as_coded_frame
from automl_explain.integrations.partitions._remote import remote
from automl_explain.integrations.partitions._shipment import (
    MERGED_AT_ONCE,
    explained_arrow,
    merged_bytes,
    merged_partial,
    pack,
    partial_bytes,
    read_columns,
    unpack,
)


def explain_frame(explainer: Any, frame: Any, columns: RowColumns | None = None) -> Any:
    """Explain the rows of a Spark DataFrame.

    Parameters
    ----------
    explainer : ScoringExplainer or explainer of Shapley values
        It is sent to the workers as data, once for each of them.
    frame : pyspark.sql.DataFrame
        The columns of the model, with categories as strings, and others.
    columns : RowColumns, optional
        Which columns the result has; ``RowColumns(as_list=True)`` has all values in one array. Default: those of `frame`,
        with their types, then the prediction, the probabilities, and the value of each feature for the predicted class.

    Returns
    -------
    pyspark.sql.DataFrame
        Computed when it is used, as Spark does. An error names the partition and the row.

    Raises
    ------
    ColumnMismatchError
        If columns are missing.
    UnsupportedModelError
        If only this process can explain with the model, such as a function of Python.
    MissingExtraError
        If pyspark is not installed.

    Examples
    --------
    >>> explained = explain_frame(explainer, spark.read.parquet("year/"))  # doctest: +SKIP
    >>> explained.write.parquet("explained/")  # doctest: +SKIP
    """
    types = _spark_types()
    scorer, shipment = pack(explainer)
    columns = read_columns(columns, frame.columns, scorer)
    sent = _sent(frame, tuple(shipment))
    kept = [frame.schema[name] for name in columns.columns]
    made = types.from_arrow_schema(columns.arrow_schema(scorer))
    task = remote(__name__, "_explained_batches", "spark", sent, asdict(columns))
    return frame.mapInArrow(task, type(made)([*kept, *made.fields]))


def explain_whole(explainer: Any, frame: Any) -> Explanation:
    """Return the global importance of a Spark DataFrame, merged over its partitions, without the values of rows.

    ``explainer.explain_global(frame)`` calls it; a scoring explainer that was loaded from a bundle is passed to it directly.

    Parameters
    ----------
    explainer : ScoringExplainer or explainer of Shapley values
        It is sent to the workers as data, once for each of them.
    frame : pyspark.sql.DataFrame
        The columns of the model; others are left out.

    Returns
    -------
    Explanation
        Without the values of rows; its `global_importance` has intervals. An error names the partition and the row.

    Raises
    ------
    ColumnMismatchError
        If columns are missing.
    UnsupportedModelError
        If only this process can explain with the model, such as a function of Python.
    MissingExtraError
        If pyspark is not installed.

    Examples
    --------
    >>> whole = explain_whole(explainer, spark.read.parquet("year/"))  # doctest: +SKIP
    >>> whole.global_importance().to_frame()  # doctest: +SKIP
    """
    _spark_types()
    scorer, shipment = pack(explainer)
    names = scorer.schema.found_in(frame.columns, "The table")
    sent = _sent(frame, tuple(shipment))
    task = remote(__name__, "_partial_batches", "spark", sent)
    merge = remote(__name__, "_merged_batches", "spark")
    parts = frame.select(*(f"`{name}`" for name in names)).mapInArrow(task, "part binary")
    try:  # the workers merge what the caller could not hold at once
        merged = parts.repartition(MERGED_AT_ONCE).mapInArrow(merge, "part binary").collect()
        return merged_bytes(bytes(row.part) for row in merged)
    finally:
        if not isinstance(sent, tuple):
            sent.unpersist()


def _sent(frame: Any, shipment: tuple[Any, ...]) -> Any:
    """Return a handle of a shipment that the workers of the frame's session can open with `_opened`.

    A session of Spark Connect cannot broadcast: the shipment travels within the function, once with each task.
    """
    if type(frame).__module__.startswith("pyspark.sql.connect."):
        return shipment
    return frame.sparkSession.sparkContext.broadcast(shipment)


def _spark_types() -> Any:
    try:
        from pyspark.sql.pandas import types
    except ImportError as error:
        raise MissingExtraError("Explaining Spark frames needs pyspark: pip install 'automl-explain[spark]'") from error
    return types


# ---------------------------------------------------------------------------------------------------------- in the workers


def _opened(sent: Any) -> tuple[Any, ...]:
    return sent if isinstance(sent, tuple) else sent.value


def _explained_batches(sent: Any, columns: dict[str, Any], batches: Iterator[Any]) -> Iterator[Any]:
    """Return the explained rows of the record batches of a partition."""
    import pyarrow as pa

    scorer, wanted, where, first = unpack(*_opened(sent)), RowColumns(**columns), _partition(), 0
    for batch in batches:
        yield from explained_arrow(scorer, wanted, pa.Table.from_batches([batch]), where, first).to_batches()
        first += batch.num_rows


def _partial_batches(sent: Any, batches: Iterator[Any]) -> Iterator[Any]:
    """Return the importance of the record batches of a partition, as one row; none for an empty partition."""
    import pyarrow as pa

    scorer = unpack(*_opened(sent))
    frames = (as_coded_frame(pa.Table.from_batches([batch]), scorer.schema.names) for batch in batches)
    part = partial_bytes(scorer, frames, _partition())
    if part is not None:
        yield pa.RecordBatch.from_pydict({"part": pa.array([part], pa.binary())})


def _merged_batches(batches: Iterator[Any]) -> Iterator[Any]:
    """Return the importance of several partitions as one row; none if there are none."""
    import pyarrow as pa

    part = merged_partial(part for batch in batches for part in batch.column(0).to_pylist())
    if part is not None:
        yield pa.RecordBatch.from_pydict({"part": pa.array([part], pa.binary())})


def _partition() -> str:
    from pyspark import TaskContext

    context = TaskContext.get()
    return f"Partition {context.partitionId() if context is not None else 0}"
