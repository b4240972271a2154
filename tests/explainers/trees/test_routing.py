"""Rows in blocks go the way that each split's rules say, whatever its flags."""

from dataclasses import replace

import numpy as np
import pytest

from automl_explain.explainers.trees._routing import LANES, read_router, read_rows
from tests.explainers.trees.random_trees import random_trees
from tests.oracles import goes_left

CELLS = (0.0, 1.0, 3.0, 31.0, 32.0, 40.5, 63.9, 64.0, -0.5, -1.0, -7.0, 1e300, -np.inf, np.inf, np.nan, 1e-40, 17.0)
"""Categories of two words, fractions of them, what is outside of them, and missing cells."""


@pytest.mark.parametrize("flags", range(16))
def test_categorical_splits_of_blocks_are_those_of_single_rows(flags):
    trees = random_trees(flags)
    words = np.random.default_rng(1).integers(0, 1 << 32, 2, dtype=np.uint64).astype(np.uint32)
    trees = replace(
        trees,
        flags=np.full_like(trees.flags, flags),
        category_start=np.zeros_like(trees.category_start),
        category_size=np.full_like(trees.category_size, 2),
        categories=words,
    )
    matrix = np.repeat(np.array(CELLS)[:, None], trees.n_features, axis=1)
    rows, splits = read_rows(read_router(trees), matrix), np.flatnonzero(trees.left >= 0)
    assert len(splits) > 10
    for masks, node in zip(rows.general.reshape(len(splits), rows.n_blocks), splits.tolist(), strict=True):
        found = [bool(int(masks[row // LANES]) >> (row % LANES) & 1) for row in range(len(CELLS))]
        assert found == [goes_left(trees, node, cell) for cell in CELLS]
