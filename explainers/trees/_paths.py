"""The paths of a tree ensemble: edges from the roots to the leaves, and which of them belong to the same player.

A *player* joins or leaves a coalition as a whole: one column, or several columns together. An *edge* has the number of
the node it leads to; its player is that of the split above. A row passes a player on a path if it passes all splits of
that player on the path.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.compiled._arrays import ALL_ROWS, Floats, Ints, Longs, Words
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.trees._routing import (
    BlockedRows,
    Router,
    read_router,
    rows_left,
)
from automl_explain.explainers.trees._tree_ensemble import Trees

NO_COVER = 1e-12
"""Cover ratio of an edge that no training row took: negligible, but large enough to divide by."""


class Paths(NamedTuple):
    """An ensemble's edges; node-wise arrays have shape (M,).

    Parameters
    ----------
    router : Router
        How rows are routed.
    parent, depth : ndarray of int32
        Parent (-1 at a root) and number of edges above.
    player : ndarray of int32
        Player of the edge to the node; -1 at a root.
    ancestor : ndarray of int32
        Nearest edge above of the same player; -1 if there is none.
    slot : ndarray of int32
        Position of the edge's player in the order in which the path meets its players.
    width : ndarray of int32
        Number of players on the path to the node.
    ratio : ndarray of float64
        Share of the parent's cover that took the edge; 1 at a root.
    n_players : int
        Number of players P.
    """

    router: Router
    parent: Ints
    depth: Ints
    player: Ints
    ancestor: Ints
    slot: Ints
    width: Ints
    ratio: Floats
    n_players: int


def read_paths(trees: Trees, player: npt.ArrayLike | None = None) -> Paths:
    """Return the edges of `trees`; `player` maps columns to players, by default each to its own."""
    of_column = np.arange(trees.n_features) if player is None else np.asarray(player)
    if of_column.shape != (trees.n_features,) or of_column.dtype.kind not in "iu" or (of_column < 0).any():
        raise InvalidInputError(
            f"The 'player' parameter must give one non-negative integer for each of the {trees.n_features} columns. "
            f"Got an array of shape {of_column.shape} and type {of_column.dtype}."
        )
    n_nodes, n_players = len(trees.left), int(of_column.max(initial=-1)) + 1
    parent, depth, of_edge, ancestor, slot, width = (np.full(n_nodes, n, np.int32) for n in (-1, 0, -1, -1, 0, 0))
    ratio = np.ones(n_nodes)
    paths = Paths(read_router(trees), parent, depth, of_edge, ancestor, slot, width, ratio, n_players)
    _link(paths, of_column.astype(np.int32), trees.cover)
    return paths


@kernel
def _link(paths: Paths, of_column: Ints, cover: Floats) -> None:
    """Fill the arrays of `paths`; parents come before children."""
    left, right = paths.router.left, paths.router.right
    parent, player, slot, width = paths.parent, paths.player, paths.slot, paths.width
    for node in range(len(left)):
        if left[node] < 0:
            continue
        for child in (left[node], right[node]):
            parent[child] = node
            paths.depth[child] = paths.depth[node] + 1
            player[child] = of_column[paths.router.feature[node]]
            if cover[node] > 0.0:
                paths.ratio[child] = min(max(cover[child] / cover[node], NO_COVER), 1.0)
            else:  # no cover is known below an empty node: both children get the same share
                paths.ratio[child] = 0.5
            edge = node
            while edge >= 0 and player[edge] != player[child]:
                edge = parent[edge]
            paths.ancestor[child] = edge
            slot[child] = width[node] if edge < 0 else slot[edge]
            width[child] = width[node] + (1 if edge < 0 else 0)


@inlined
def pass_masks(paths: Paths, rows: BlockedRows, tree: int, block: int, masks: Words) -> None:
    """Write a tree's masks for a block of rows.

    ``masks[2 e]`` are the rows that pass the player of edge e so far, ``masks[2 s + 1]`` those that split s sends left;
    nodes are counted from the tree's root.
    """
    router, everyone, root = paths.router, np.uint64(ALL_ROWS), paths.router.roots[tree]
    masks[0] = everyone
    for node in range(root, router.ends[tree]):
        left = router.left[node]
        if left >= 0:
            goes = rows_left(router, rows, node, block)
            above = paths.ancestor[left]
            before = everyone if above < 0 else masks[2 * (above - root)]
            masks[2 * (node - root) + 1] = goes
            masks[2 * (left - root)] = before & goes
            masks[2 * (router.right[node] - root)] = before & ~goes


def tree_of(paths: Paths, nodes: Longs) -> Longs:
    """Return the tree of each node."""
    order = np.argsort(paths.router.roots, kind="stable")
    return order[np.searchsorted(paths.router.roots[order], nodes, side="right") - 1]
