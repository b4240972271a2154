"""How rows are routed through `Trees`: arrays for kernels, rows in blocks, and the decision at each split."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.compiled._arrays import ALL_ROWS, LANES, Floats, Ints, Longs, Words
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.compiled._simd import add_for_rows, rows_below
from automl_explain.explainers.trees._split_flags import (
    MISSING_LEFT,
    NAN_IS_ZERO,
    UNSEEN_LEFT,
    ZERO_IS_MISSING,
    ZERO_THRESHOLD,
)
from automl_explain.explainers.trees._tree_ensemble import Trees

NUMERIC, NUMERIC_NAN_LEFT, GENERAL = 0, 1, 2
"""Kinds of splits: numeric with NaN going right, numeric with NaN going left, and those that need `goes_left`."""


class Router(NamedTuple):
    """The arrays of `Trees` by which rows are routed, as kernels take them; T trees, M nodes.

    `ends` (T,) holds the node after each tree's last one; `kind` (M,) says how a split is evaluated: NUMERIC,
    NUMERIC_NAN_LEFT or GENERAL; `rank` (M,) counts the GENERAL splits before a node.
    """

    roots: Ints
    ends: Ints
    left: Ints
    right: Ints
    feature: Ints
    kind: npt.NDArray[np.uint8]
    rank: Ints
    threshold: Floats
    flags: npt.NDArray[np.uint8]
    category_start: Ints
    category_size: Ints
    categories: npt.NDArray[np.uint32]


class BlockedRows(NamedTuple):
    """Rows in blocks of LANES, as kernels take them.

    Parameters
    ----------
    x : ndarray of float64
        Inputs (n_blocks, f, LANES), flat; missing rows are 0.
    general : ndarray of uint64
        Masks (n_general, n_blocks) of the rows that each GENERAL split sends left, flat.
    n_rows, n_blocks, n_columns : int
        Numbers of rows, blocks and columns f.
    """

    x: Floats
    general: Words
    n_rows: int
    n_blocks: int
    n_columns: int


def read_router(trees: Trees) -> Router:
    """Return the routing arrays of `trees`."""
    starts = np.sort(trees.roots)
    ends = np.append(starts, len(trees.left))[np.searchsorted(starts, trees.roots, side="right")].astype(np.int32)
    # If NaN does not count as missing, it goes the way of 0.
    nan_left = np.where(trees.flags & NAN_IS_ZERO, trees.threshold >= 0.0, (trees.flags & MISSING_LEFT) > 0)
    general = (trees.left >= 0) & ((trees.category_size > 0) | ((trees.flags & ZERO_IS_MISSING) > 0))
    kind = np.where(general, GENERAL, np.where(nan_left, NUMERIC_NAN_LEFT, NUMERIC)).astype(np.uint8)
    rank = np.cumsum(general, dtype=np.int32) - general
    return Router(
        trees.roots, ends, trees.left, trees.right, trees.feature, kind, rank.astype(np.int32), trees.threshold,
        trees.flags, trees.category_start, trees.category_size, trees.categories,
    )  # fmt: skip


def read_rows(router: Router, matrix: Floats) -> BlockedRows:
    """Return the rows of a matrix from `as_matrix` in blocks."""
    n, n_columns = matrix.shape
    n_blocks = -(-n // LANES)
    blocks = np.zeros((n_blocks, LANES, n_columns))
    blocks.reshape(-1, n_columns)[:n] = matrix
    x = blocks.transpose(0, 2, 1).ravel()
    general = np.flatnonzero(router.kind == GENERAL)
    masks = np.zeros(len(general) * n_blocks, np.uint64)
    if len(masks):
        _find_general(router, general, x, n_blocks, n_columns, masks)
    return BlockedRows(x, masks, n, n_blocks, n_columns)


@inlined
def goes_left(router: Router, node: int, x: float) -> bool:
    """Return whether a split sends the value `x` left."""
    flags = router.flags[node]
    if np.isnan(x) and flags & NAN_IS_ZERO:
        x = 0.0
    if np.isnan(x) or (flags & ZERO_IS_MISSING and abs(x) <= ZERO_THRESHOLD):
        return bool(flags & MISSING_LEFT)
    size = router.category_size[node]
    if size == 0:
        return bool(x <= router.threshold[node])
    if x <= -1.0 or x >= 32.0 * size:
        return bool(flags & UNSEEN_LEFT)
    category = int(x)
    word = router.categories[router.category_start[node] + (category >> 5)]
    return bool((word >> np.uint32(category & 31)) & np.uint32(1))


@inlined
def takes_left(router: Router, node: int, threshold: float, x: float) -> bool:
    """Return the same as `goes_left`, whose rules are looked at for GENERAL splits alone; `threshold` is the split's."""
    kind = router.kind[node]
    if kind == GENERAL:
        return goes_left(router, node, x)
    return bool((x <= threshold) | ((kind == NUMERIC_NAN_LEFT) & np.isnan(x)))


@kernel
def _find_general(router: Router, nodes: Longs, x: Floats, n_blocks: int, n_columns: int, masks: Words) -> None:
    """Write the `general` masks of `Rows`."""
    for i in range(len(nodes)):
        for block in range(n_blocks):
            at = (block * n_columns + router.feature[nodes[i]]) * LANES
            if router.category_size[nodes[i]] > 0 and not router.flags[nodes[i]] & ZERO_IS_MISSING:
                masks[i * n_blocks + block] = _categories_left(router, nodes[i], x, at)
                continue
            mask = np.uint64(0)
            for row in range(LANES):
                if goes_left(router, nodes[i], x[at + row]):
                    mask |= np.uint64(1) << np.uint64(row)
            masks[i * n_blocks + block] = mask


@inlined
def _categories_left(router: Router, node: int, x: Floats, at: int) -> Any:
    """Return the mask of a block's rows that a categorical split sends left, as `goes_left` says, without a branch."""
    flags, first, end = router.flags[node], router.category_start[node], 32.0 * router.category_size[node]
    missing, unseen = np.uint64(flags & MISSING_LEFT != 0), np.uint64(flags & UNSEEN_LEFT != 0)
    fills, mask = flags & NAN_IS_ZERO != 0, np.uint64(0)
    for row in range(LANES):
        value = x[at + row]
        is_missing = value != value
        value = 0.0 if is_missing & fills else value
        inside = (value > -1.0) & (value < end)  # not for NaN
        category = int(value if inside else 0.0)
        word = router.categories[first + (category >> 5)]
        listed = np.uint64((word >> np.uint32(category & 31)) & np.uint32(1))
        outside = missing if is_missing else unseen
        mask |= (listed if inside else outside) << np.uint64(row)
    return mask


@inlined
def rows_left(router: Router, rows: BlockedRows, node: int, block: int) -> Any:
    """Return the mask of a block's rows that a split sends left."""
    kind = router.kind[node]
    if kind == GENERAL:
        return rows.general[router.rank[node] * rows.n_blocks + block]
    at = (block * rows.n_columns + router.feature[node]) * LANES
    return rows_below(rows.x, at, router.threshold[node], kind)


@kernel
def find_leaves(router: Router, x: Floats, leaves: Ints) -> None:
    """Write the leaf that each row of `x` (n, f) reaches in each tree into `leaves` (n, T)."""
    for tree in range(len(router.roots)):
        for row in range(len(x)):
            node = router.roots[tree]
            while router.left[node] >= 0:
                value = x[row, router.feature[node]]
                node = router.left[node] if goes_left(router, node, value) else router.right[node]
            leaves[row, tree] = node


@kernel
def add_row_outputs(router: Router, row: Floats, values: Floats, output: Ints, out: Floats) -> None:
    """Add the leaves that a single row (f,) reaches to `out` (K,), tree by tree."""
    for tree in range(len(router.roots)):
        node = router.roots[tree]
        while router.left[node] >= 0:
            goes = takes_left(router, node, router.threshold[node], row[router.feature[node]])
            node = router.left[node] if goes else router.right[node]
        for column in range(values.shape[1]):
            out[column if values.shape[1] == len(out) else output[tree]] += values[node, column]


@kernel
def find_behind(router: Router, behind: Ints) -> None:
    """Write the node after each subtree into `behind` (M,)."""
    for node in range(len(router.left) - 1, -1, -1):
        behind[node] = node + 1 if router.left[node] < 0 else behind[router.right[node]]


@kernel
def add_outputs(
    router: Router,
    rows: BlockedRows,
    values: Floats,
    output: Ints,
    n_outputs: int,
    reached: Words,
    behind: Ints,
    out: Floats,
) -> None:
    """Add the leaves that rows reach to `out`, flat (n_blocks, K, LANES), tree by tree.

    The rows of a block descend each tree together: each node keeps the mask of the rows that reach it, and a subtree
    that no row reaches is skipped. `behind` is that of `find_behind`; `reached` (nodes of a tree,) is working space.
    """
    left, right, n_columns = router.left, router.right, values.shape[1]
    for tree in range(len(router.roots)):
        root, end = router.roots[tree], router.ends[tree]
        reached[0] = np.uint64(ALL_ROWS)
        for block in range(rows.n_blocks):
            node = root
            while node < end:
                here = reached[node - root]
                if here == 0:
                    node = behind[node]
                    continue
                if left[node] >= 0:
                    goes = rows_left(router, rows, node, block)
                    reached[left[node] - root], reached[right[node] - root] = here & goes, here & ~goes
                else:
                    for column in range(n_columns):
                        to = column if n_columns == n_outputs else output[tree]
                        add_for_rows(out, (block * n_outputs + to) * LANES, here, values[node, column])
                node += 1


def as_matrix(trees: Trees, X: npt.ArrayLike, name: str = "X") -> Floats:
    """Return `X` as the float64 matrix that the trees read, rounded as their library does.

    Raises
    ------
    InvalidInputError
        If `X` is not a numeric matrix, has another number of columns, or holds NaN and the trees have no rule for it.
    """
    if type(X) is np.ndarray and X.dtype == np.float64 and X.flags.carray:
        matrix = X
    else:
        try:
            matrix = np.require(X, np.float64, ["C", "W"])
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"The '{name}' parameter must be a numeric matrix. Got {type(X).__name__}."
            ) from error
    if matrix.ndim != 2 or matrix.shape[1] != trees.n_features:
        raise InvalidInputError(
            f"The '{name}' parameter must be a matrix of {trees.n_features} columns. Got shape {matrix.shape}."
        )
    if not trees.allows_missing:
        missing = np.isnan(matrix).any(axis=0)
        if missing.any():
            columns = np.flatnonzero(missing)[:5].tolist()
            raise InvalidInputError(
                f"The '{name}' parameter must hold no missing values: this model has no rule for them. "
                f"Got NaN in column {', '.join(map(str, columns))}."
            )
    if trees.float32:
        with np.errstate(over="ignore"):
            matrix = matrix.astype(np.float32).astype(np.float64)
    return matrix
