"""Dask: the rows of a DataFrame are explained by the workers of the scheduler in use.

>>> from automl_explain.integrations.dask import explain_frame
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from automl_explain.explainers._errors import MissingExtraError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.scoring._row_columns import RowColumns
from automl_explain.integrations.partitions._remote import remote
from automl_explain.integrations.partitions._shipment import (
    MERGED_AT_ONCE,
    explained_frame,
    merged_bytes,
    pack,
    partial_bytes,
    read_columns,
    unpack,
)


def explain_frame(explainer: Any, frame: Any, columns: RowColumns | None = None) -> Any:
    """Explain the rows of a Dask DataFrame.

    Parameters
    ----------
    explainer : ScoringExplainer or explainer of Shapley values
        It is sent to the workers as data, once for each of them.
    frame : dask.dataframe.DataFrame
        The columns of the model and others.
    columns : RowColumns, optional
        Which columns the result has. Default: those of `frame`, then the prediction, the probabilities, and the value of
        each feature for the predicted class.

    Returns
    -------
    dask.dataframe.DataFrame
        With the index and the partitions of `frame`; computed when it is used. An error names the partition and the row.

    Raises
    ------
    ColumnMismatchError
        If columns are missing.
    UnsupportedModelError
        If only this process can explain with the model, such as a function of Python.
    MissingExtraError
        If Dask is not installed.

    Examples
    --------
    >>> explained = explain_frame(explainer, dask.dataframe.read_parquet("year/"))  # doctest: +SKIP
    >>> explained.to_parquet("explained/")  # doctest: +SKIP
    """
    _dask()
    scorer, shipment = pack(explainer)
    columns = read_columns(columns, frame.columns, scorer)
    made = columns.arrow_schema(scorer).empty_table().to_pandas()
    meta = pd.concat([frame._meta[list(columns.columns)], made.set_axis(frame._meta.index[:0])], axis=1)
    task = remote(__name__, "_explained_partition", "dask", asdict(columns))
    return frame.map_partitions(task, _sent(shipment), meta=meta)


def explain_whole(explainer: Any, frame: Any) -> Explanation:
    """Return the global importance of a Dask DataFrame, merged over its partitions, without the values of rows.

    ``explainer.explain_global(frame)`` calls it; a scoring explainer that was loaded from a bundle is passed to it directly.

    Parameters
    ----------
    explainer : ScoringExplainer or explainer of Shapley values
        It is sent to the workers as data, once for each of them.
    frame : dask.dataframe.DataFrame
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
        If Dask is not installed.

    Examples
    --------
    >>> whole = explain_whole(explainer, dask.dataframe.read_parquet("year/"))  # doctest: +SKIP
    >>> whole.global_importance().to_frame()  # doctest: +SKIP
    """
    dask: Any = _dask()
    scorer, shipment = pack(explainer)
    names = scorer.schema.found_in([str(name) for name in frame.columns], "The table")
    task, sent = remote(__name__, "_partial_partition", "dask"), _sent(shipment)
    parts = [dask.delayed(task)(part, sent, number) for number, part in enumerate(frame[list(names)].to_delayed())]
    merge = dask.delayed(remote("automl_explain.integrations.partitions._shipment", "merged_partial", "dask"))
    while len(parts) > MERGED_AT_ONCE:  # the workers merge what the caller could not hold at once
        groups = range(0, len(parts), MERGED_AT_ONCE)
        parts = [merge(parts[start : start + MERGED_AT_ONCE]) for start in groups]
    return merged_bytes(dask.compute(*parts))


def _dask() -> Any:
    try:
        import dask
        import dask.dataframe
    except ImportError as error:
        raise MissingExtraError("Explaining Dask frames needs Dask: pip install 'automl-explain[dask]'") from error
    return dask


def _sent(shipment: Any) -> Any:
    """Return the shipment as a task of its own, which each worker fetches once.

    Data that `scatter` puts on workers is lost with them; a task is done again elsewhere.
    """
    from dask.delayed import delayed

    return delayed(tuple(shipment), name=f"explainer-{shipment.identity}", traverse=False)


# ---------------------------------------------------------------------------------------------------------- in the workers


def _explained_partition(
    columns: dict[str, Any], frame: pd.DataFrame, shipment: tuple[str, bytes], partition_info: Any = None
) -> pd.DataFrame:
    """Return the explained rows of a partition, with its index."""
    scorer, wanted = unpack(*shipment), RowColumns(**columns)
    made = wanted.without_copies()
    schema = made.arrow_schema(scorer)
    where = f"Partition {(partition_info or {}).get('number', 0)}"
    rows = schema.empty_table().to_pandas() if frame.empty else explained_frame(scorer, made, frame, where)
    return pd.concat([frame[list(wanted.columns)], rows.set_axis(frame.index)], axis=1)


def _partial_partition(frame: pd.DataFrame, shipment: tuple[str, bytes], number: int) -> bytes | None:
    """Return the importance of a partition."""
    return partial_bytes(unpack(*shipment), [frame], f"Partition {number}")
