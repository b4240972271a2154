"""Checks of sparse matrices, whose index arrays compiled code follows without looking."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError

MINOR = {"csr": 1, "csc": 0, "bsr": 1}
"""Format -> the axis that its `indices` are positions on."""


def check_indices(matrix: Any, what: str) -> None:
    """Refuse a sparse matrix with an index outside its shape; the matrix is left as it is.

    Parameters
    ----------
    matrix : sparse matrix or array
        In any format of SciPy. Those without index arrays are checked by SciPy itself.
    what : str
        Name of the table, for messages.

    Raises
    ------
    InvalidInputError
        If an index lies outside, or the index arrays do not fit each other.
    """
    if matrix.dtype.kind not in "biufc":
        raise InvalidInputError(f"{what} must be a sparse matrix of numbers. Got cells of type {matrix.dtype}.")
    if any(getattr(matrix, name).dtype.kind not in "iu" for name in ("indices", "indptr") if hasattr(matrix, name)):
        raise InvalidInputError(f"{what} is a damaged sparse matrix: its index arrays must hold whole numbers.")
    if matrix.format == "coo":
        inside = all(_lie_in(each, size) for each, size in zip(matrix.coords, matrix.shape, strict=True))
    elif matrix.format in MINOR and matrix.ndim == 2:
        axis = MINOR[matrix.format]
        starts, block = matrix.indptr, matrix.blocksize if matrix.format == "bsr" else (1, 1)
        inside = (
            len(starts) == matrix.shape[1 - axis] // block[1 - axis] + 1
            and starts[0] == 0
            and not (np.diff(starts) < 0).any()
            and starts[-1] <= min(len(matrix.indices), len(matrix.data))
            and _lie_in(matrix.indices[: starts[-1]], matrix.shape[axis] // block[axis])
        )
    else:
        return
    if not inside:
        raise InvalidInputError(
            f"{what} is a damaged sparse matrix: it has an index outside its shape {tuple(matrix.shape)}. "
            "matrix.check_format(full_check=True) says where."
        )


def _lie_in(indices: Any, size: int) -> bool:
    return len(indices) == 0 or (int(indices.min()) >= 0 and int(indices.max()) < size)
