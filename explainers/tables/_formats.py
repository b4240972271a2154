"""Table formats of users, each read into one of three: ndarray, DataFrame or csr matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.explainers.tables._sparse import check_indices

Native: TypeAlias = tuple[Any, tuple[str, ...] | None]
"""An ndarray, DataFrame or csr matrix / array, and its column names, if it has any."""

MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
"""Texts that stand for a missing cell: those of pandas, by which the training table was read."""


def read_table(data: Any, what: str) -> Native:
    """Return a user's table in one of the three formats, read by the first matching entry of `FORMATS`."""
    return next(read for fits, read in FORMATS if fits(data))(data, what)


def _is_named_array(data: Any) -> bool:
    return hasattr(data, "data") and hasattr(data, "group_names")


def row_weights(data: Any) -> npt.NDArray[np.float64] | None:
    """Return the row weights of an object such as shap's DenseData; None if it has none or all are equal."""
    weights = getattr(data, "weights", None) if _is_named_array(data) else None
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float64)
    return array if np.ptp(array) != 0 else None


def _has_pandas_form(data: Any) -> bool:
    return hasattr(data, "to_pandas") and not isinstance(data, type)


_last_columns: list[tuple[pd.Index | None, tuple[str, ...]]] = [(None, ())]
"""The column index that was checked last, which frames cut from one another share, and its names."""


def _from_series(series: pd.Series, what: str) -> Native:
    return _from_frame(series.to_frame().T.infer_objects(), what)


def _from_frame(frame: pd.DataFrame, what: str) -> Native:
    columns = frame.columns
    known, names = _last_columns[0]
    if known is None or not known.is_(columns):
        if not columns.is_unique:
            repeated = columns[columns.duplicated()].unique().tolist()
            raise InvalidInputError(f"{what} must have one column per name. Repeated: {repeated[:5]}.")
        names = tuple(map(str, columns))
        if len(set(names)) < len(names):
            alike = next(name for name, times in Counter(names).items() if times > 1)
            found = [column for column, name in zip(columns, names, strict=True) if name == alike]
            raise InvalidInputError(
                f"{what} must have columns whose names differ as text. Got {found[0]!r} and {found[1]!r}: rename one."
            )
        _last_columns[0] = columns, names
    return frame, names


def _from_sparse(matrix: Any, what: str) -> Native:
    check_indices(matrix, what)
    rows = (matrix.reshape((1, -1)) if matrix.ndim == 1 else matrix).tocsr()
    if not rows.has_canonical_format:  # a cell stored in several parts is their sum
        rows = rows.copy()
        rows.sum_duplicates()
    return rows, None


def _from_arrow(table: Any, what: str) -> Native:
    """Read a polars, pyarrow or other frame with its own conversion: dictionaries become categories, nulls missing cells."""
    options = {"date_as_object": False} if type(table).__module__.partition(".")[0] == "pyarrow" else {}
    try:
        frame = table.to_pandas(**options)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} is a {type(table).__module__}.{type(table).__qualname__}, which is read through pyarrow: "
            "pip install 'automl-explain[arrow]'"
        ) from error
    if isinstance(frame, pd.Series):
        raise InvalidInputError(f"{what} must be a table. Got a single column, of type {type(table).__qualname__}.")
    texts = frame.select_dtypes(include="object")
    # Boolean columns with nulls arrive as Python objects.
    flags = [name for name in texts if pd.api.types.infer_dtype(texts[name], skipna=True) == "boolean"]
    return _from_frame(frame.astype(dict.fromkeys(flags, "boolean")), what)


def _from_named_array(data: Any, what: str) -> Native:
    """Read an object with `data` and `group_names`, such as shap's DenseData."""
    if row_weights(data) is not None:
        raise InvalidInputError(
            f"{what} has weights of its own, which are only supported for a background. Pass the rows before they were "
            "summarised, or pass it as the background of TabularExplainer, TreeExplainer, LinearExplainer or KernelExplainer."
        )
    values, names = read_table(data.data, what)
    own = tuple(map(str, data.group_names))
    if len(own) != values.shape[1]:
        raise InvalidInputError(f"{what} must have a group name for each of {values.shape[1]} columns. Got {len(own)}.")
    return values, names or own


def _from_array(data: Any, what: str) -> Native:
    if isinstance(data, str) or not hasattr(data, "__len__"):
        raise InvalidInputError(
            f"{what} must be a table: a 2-D array, a DataFrame or a csr matrix. Got {type(data).__name__}."
        )
    try:
        array: npt.NDArray[Any] = np.asarray(data)
        if array.dtype.kind in "US" and not isinstance(data, np.ndarray):
            array = np.asarray(data, dtype=object)  # so that numbers beside text stay numbers
    except (ValueError, MemoryError) as error:
        why = str(error) or "it does not fit into memory"
        raise InvalidInputError(f"{what} must be a table with rows of equal length: {why}.") from error
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim != 2:
        raise InvalidInputError(
            f"{what} must be a 2-D table, rows by columns. Got {array.ndim} dimensions. DeepExplainer "
            "explains networks of arrays of other shapes."
        )
    return array, None


FORMATS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str], Native]], ...] = (
    (lambda data: isinstance(data, np.ndarray), _from_array),
    (lambda data: isinstance(data, pd.Series), _from_series),
    (lambda data: isinstance(data, pd.DataFrame), _from_frame),
    (sparse.issparse, _from_sparse),
    (_is_named_array, _from_named_array),
    (_has_pandas_form, _from_arrow),
    (lambda data: True, _from_array),
)
