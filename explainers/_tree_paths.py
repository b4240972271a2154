"""What every tree kernel needs to know of `Trees`: how rows are routed, and which splits of a path share a player.

A *player* is what joins or leaves a coalition: a column, or several columns together. An *edge* is named after the node
it leads to; its player is that of its parent's split. A row passes a player on a path when it passes all of the path's
splits of that player.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._jit import inlined, kernel
from automl_explain.explainers._lanes import LANES, rows_below

if TYPE_CHECKING:
    from automl_explain.explainers._trees import Trees

MISSING_LEFT, NAN_IS_ZERO, ZERO_IS_MISSING, UNSEEN_LEFT = 1, 2, 4, 8  # as in _trees, where they are documented
ZERO_THRESHOLD = float(np.float32(1e-35))
NUMERIC, NUMERIC_NAN_LEFT, GENERAL = 0, 1, 2
"""Kinds of splits: compared in one instruction, NaN right or left; and those that need `goes_left`."""
NO_COVER = 1e-12
"""Share of an edge that no training row took: small enough for the limit, large enough to divide by."""

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Paths:
    """An ensemble's edges: T trees, M nodes. Node-wise arrays have shape (M,).

    Parameters
    ----------
    ends : ndarray of int32, shape (T,)
        Node behind the last one of each tree.
    parent, depth : ndarray of int32
        Parent (-1 at a root) and number of edges above.
    player : ndarray of int32
        Player of the edge to the node; -1 at a root.
    ancestor : ndarray of int32
        Nearest edge above of the same player; -1 if there is none.
    slot : ndarray of int32
        Place of the edge's player in the order in which the path meets its players.
    width : ndarray of int32
        Number of players on the path to the node.
    ratio : ndarray of float64
        Share of the parent's cover that took the edge; 1 at a root.
    kind : ndarray of uint8
        NUMERIC, NUMERIC_NAN_LEFT or GENERAL: how the node's split is evaluated.
    n_players : int
        Number of players P.
    """

    ends: Ints
    parent: Ints
    depth: Ints
    player: Ints
    ancestor: Ints
    slot: Ints
    width: Ints
    ratio: Floats
    kind: npt.NDArray[np.uint8]
    n_players: int


def read_paths(trees: Trees, player: npt.ArrayLike | None = None) -> Paths:
    """Return the edges of `trees`; `player` maps columns to players, by default each to its own."""
    of_column = np.arange(trees.n_features) if player is None else np.asarray(player)
    if of_column.shape != (trees.n_features,) or of_column.dtype.kind not in "iu" or (of_column < 0).any():
        raise InvalidInputError(
            f"The 'player' parameter must give one non-negative integer for each of the {trees.n_features} columns. "
            f"Got an array of shape {of_column.shape} and type {of_column.dtype}."
        )
    n_nodes = len(trees.left)
    starts = np.sort(trees.roots)
    ends = np.append(starts, n_nodes)[np.searchsorted(starts, trees.roots, side="right")].astype(np.int32)
    arrays = [np.full(n_nodes, fill, np.int32) for fill in (-1, 0, -1, -1, 0, 0)]
    ratio = np.ones(n_nodes)
    of_column = of_column.astype(np.int32)
    _link(trees.roots, ends, trees.left, trees.right, trees.feature, of_column, trees.cover, *arrays, ratio)
    flags, numeric = trees.flags, trees.category_size == 0
    # Without a missing value of its own, NaN takes the side of 0.
    nan_left = np.where(flags & NAN_IS_ZERO, trees.threshold >= 0.0, (flags & MISSING_LEFT) > 0)
    general = ~numeric | ((flags & ZERO_IS_MISSING) > 0)
    kind = np.where(general, GENERAL, np.where(nan_left, NUMERIC_NAN_LEFT, NUMERIC)).astype(np.uint8)
    n_players = int(of_column.max(initial=-1)) + 1
    return Paths(ends, *arrays, ratio, kind, n_players)


@kernel
def _link(
    roots: Ints, ends: Ints, left: Ints, right: Ints, feature: Ints, of_column: Ints, cover: Floats,
    parent: Ints, depth: Ints, player: Ints, ancestor: Ints, slot: Ints, width: Ints, ratio: Floats,
) -> None:  # fmt: skip
    """Fill the arrays of `Paths`; parents come before children."""
    for tree in range(len(roots)):
        for node in range(roots[tree], ends[tree]):
            if left[node] >= 0:
                for child in (left[node], right[node]):
                    parent[child] = node
                    depth[child] = depth[node] + 1
                    player[child] = of_column[feature[node]]
                    if cover[node] > 0.0:
                        ratio[child] = min(max(cover[child] / cover[node], NO_COVER), 1.0)
                    else:  # nothing is known below an empty node: both sides alike
                        ratio[child] = 0.5
                    edge = node
                    while edge >= 0 and player[edge] != player[child]:
                        edge = parent[edge]
                    ancestor[child] = edge
                    slot[child] = width[node] if edge < 0 else slot[edge]
                    width[child] = width[node] + (1 if edge < 0 else 0)


@inlined
def goes_left(
    x: float, threshold: float, flags: int, start: int, size: int, categories: npt.NDArray[np.uint32]
) -> bool:
    """Say whether a split sends the value `x` left."""
    if np.isnan(x) and flags & NAN_IS_ZERO:
        x = 0.0
    if np.isnan(x) or (flags & ZERO_IS_MISSING and abs(x) <= ZERO_THRESHOLD):
        return bool(flags & MISSING_LEFT)
    if size == 0:
        return x <= threshold
    if x <= -1.0 or x >= 32.0 * size:
        return bool(flags & UNSEEN_LEFT)
    category = int(x)
    return bool((categories[start + (category >> 5)] >> np.uint32(category & 31)) & np.uint32(1))


@inlined
def rows_left(
    x: Floats, at: int, kind: int, threshold: float, flags: int, start: int, size: int,
    categories: npt.NDArray[np.uint32],
) -> Any:  # fmt: skip
    """Return the mask of those rows of a block that a split sends left; their values lie at ``x[at:at + LANES]``."""
    if kind != GENERAL:
        return rows_below(x, at, threshold, kind)
    mask = np.uint64(0)
    for row in range(LANES):
        if goes_left(x[at + row], threshold, flags, start, size, categories):
            mask |= np.uint64(1) << np.uint64(row)
    return mask


@kernel
def find_leaves(
    x: Floats, roots: Ints, left: Ints, right: Ints, feature: Ints, threshold: Floats, flags: npt.NDArray[np.uint8],
    start: Ints, size: Ints, categories: npt.NDArray[np.uint32], leaves: Ints,
) -> None:  # fmt: skip
    """Write the leaf that each row of `x` (n, f) reaches in each tree into `leaves` (n, T)."""
    for tree in range(len(roots)):
        for row in range(len(x)):
            node = roots[tree]
            while left[node] >= 0:
                value = x[row, feature[node]]
                if goes_left(value, threshold[node], flags[node], start[node], size[node], categories):
                    node = left[node]
                else:
                    node = right[node]
            leaves[row, tree] = node


@kernel
def add_leaves(leaves: Ints, values: Floats, output: Ints, out: Floats) -> None:
    """Add the output of each row's `leaves` (n, T) to `out` (n, K), tree by tree."""
    for row in range(len(leaves)):
        for tree in range(leaves.shape[1]):
            node = leaves[row, tree]
            if values.shape[1] == out.shape[1]:
                for column in range(out.shape[1]):
                    out[row, column] += values[node, column]
            else:
                out[row, output[tree]] += values[node, 0]


def as_matrix(trees: Trees, X: npt.ArrayLike, name: str = "X") -> Floats:
    """Return `X` as the float64 matrix that the trees compare, rounded as their library does.

    Raises
    ------
    InvalidInputError
        If `X` is no numeric matrix, its number of columns differs, or it holds NaN for which the trees have no rule.
    """
    try:
        matrix = np.ascontiguousarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The '{name}' parameter must be a numeric matrix. Got {type(X).__name__}.") from error
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


def as_blocks(matrix: Floats) -> Floats:
    """Return the rows of (n, f) in blocks with the rows last, (n_blocks, f, LANES); missing rows are 0."""
    n, n_features = matrix.shape
    n_blocks = -(-n // LANES)
    blocks = np.zeros((n_blocks, LANES, n_features))
    blocks.reshape(-1, n_features)[:n] = matrix
    return np.ascontiguousarray(blocks.transpose(0, 2, 1))
