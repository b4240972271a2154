"""Find the rows of one frame in others by their cells, such as the original of a table that was shuffled and split."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd


def row_hashes(frame: pd.DataFrame) -> npt.NDArray[np.uint64]:
    """Return a hash of each row's cells. The same number has the same hash in every numeric type, and so has a category."""
    numbers = {name: np.float64 for name, dtype in frame.dtypes.items() if pd.api.types.is_numeric_dtype(dtype)}
    return np.asarray(pd.util.hash_pandas_object(frame.astype(numbers), index=False, categorize=False))


def find_same_rows(wanted: pd.DataFrame, blocks: Iterable[pd.DataFrame]) -> npt.NDArray[np.intp] | None:
    """Return where each row of a frame is found in a table.

    Parameters
    ----------
    wanted : DataFrame
        The rows to find.
    blocks : iterable of DataFrame
        The table in consecutive blocks of rows, with the same columns. It is read no further than needed.

    Returns
    -------
    ndarray of shape (n,), or None
        Row numbers. Equal rows get different numbers, in order, as far as there are any. None: a row is not in the table.
    """
    hashes = row_hashes(wanted).tolist()
    left: defaultdict[int, int] = defaultdict(int)
    for one in hashes:
        left[one] += 1
    found: dict[int, deque[int]] = {}
    start, missing = 0, len(hashes)
    for block in blocks:
        for number, one in enumerate(row_hashes(block).tolist(), start=start):
            if left.get(one, 0):
                left[one] -= 1
                missing -= 1
                found.setdefault(one, deque()).append(number)
        start += len(block)
        if not missing:
            break
    numbers = []
    for one in hashes:
        places = found.get(one)
        if places is None:
            return None
        numbers.append(places[0])
        places.rotate(-1)
    return np.array(numbers, dtype=np.intp)
