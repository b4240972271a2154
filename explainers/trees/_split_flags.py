"""Flags of a split, which are the bits of `Trees.flags`."""

from __future__ import annotations

import numpy as np

MISSING_LEFT = 1
"""A missing value goes left; without this flag it goes right."""
NAN_IS_ZERO = 2
"""NaN is compared as 0.0 (LightGBM's missing type None)."""
ZERO_IS_MISSING = 4
"""0.0 counts as missing (LightGBM's zero_as_missing)."""
UNSEEN_LEFT = 8
"""Categorical split: a category outside the range of the bit set goes left; without this flag it goes right."""

ZERO_THRESHOLD = float(np.float32(1e-35))
"""Largest magnitude that LightGBM reads as zero: a float32 constant, slightly above 1e-35."""
