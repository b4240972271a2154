"""Numbers of a coded column as the cells that they stand for: what `Schema.read` reads, the other way round."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers.scoring.columns._schema import Column
from automl_explain.explainers.tables._moments import dates_of


def cells_of(
    column: Column,
    numbers: npt.NDArray[np.float64],
    *,
    empty: Any = np.nan,
    ordered: bool = False,
    as_array: bool = False,
) -> Any:
    """Return the cells of a coded column.

    Parameters
    ----------
    column : Column
    numbers : ndarray of shape (n,)
        As `Schema.read` makes them.
    empty : object
        The missing cell of a column of objects.
    ordered : bool
        Whether the categories have an order.
    as_array : bool
        Return an array also where a frame would have a type of pandas' own.

    Returns
    -------
    ndarray or Series of shape (n,)
        Of the column's type, if it can hold missing cells or there are none.
    """
    missing = np.isnan(numbers)
    if column.kind == "date":
        cells = dates_of(numbers, column.dtype)
        return cells.to_numpy() if as_array else cells
    if column.categories is None:
        dtype = column.dtype
        whole = re.fullmatch(r"u?int\d+|bool", dtype) is not None
        if (whole and missing.any()) or dtype == "category":
            return numbers
        if as_array:
            return numbers.astype(dtype)
        return pd.Series(numbers).astype(dtype).to_numpy() if dtype == "object" else pd.Series(numbers, dtype=dtype)
    codes = np.where(missing, -1, numbers).astype(np.intp)
    if column.dtype == "category":
        known = pd.CategoricalDtype(pd.Index(list(column.categories)), ordered=ordered)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=known))
    made = np.empty(len(column.categories) + 1, dtype=object)
    made[:-1], made[-1] = column.categories, empty
    return made[codes] if as_array else pd.Series(made[codes], dtype=column.dtype)
