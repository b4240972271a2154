"""Types and block sizes of the arrays that kernels take; each kernel is compiled once for these types."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
"""Node, column and player numbers."""
Longs = npt.NDArray[np.int64]
"""Positions in flat arrays, and numbers that may exceed 32 bits."""
Words = npt.NDArray[np.uint64]
"""Sets as bits: up to 64 rows, leaves or players per word."""
Bools = npt.NDArray[np.bool_]
"""Flags, one byte each."""
Floats = npt.NDArray[np.float64]
"""Feature values, thresholds, outputs and weights."""
Patterns = npt.NDArray[np.uint32]
"""Indices of pattern tables: bit j of a pattern is set if the row passes player or split j."""
Values = npt.NDArray[np.float64]
"""Shapley values, outputs of coalitions, and their standard errors."""

LANES = 16
"""Rows of a block."""
ALL_ROWS = (1 << LANES) - 1
"""Mask of a whole block."""
NODES = 4
"""Quadrature nodes of a vector."""
ENTRY = 8
"""Numbers of a table entry that are added at once."""
