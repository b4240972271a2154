"""Compilation of the tree kernels before the first request."""

from __future__ import annotations

import numpy as np

from automl_explain.explainers.coalitions._masked_rows import MixedRows
from automl_explain.explainers.coalitions._tree_game import CoalitionGame
from automl_explain.explainers.coalitions.sampling._walks import cuts_of, draw_walks
from automl_explain.explainers.compiled._arrays import LANES
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.trees._predict import predict_leaves, predict_trees
from automl_explain.explainers.trees._split_flags import MISSING_LEFT, ZERO_IS_MISSING
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees._tree_shap import Interventional, PathDependent


def warm_up(*, interactions: bool = False) -> None:
    """Compile the kernels of the tree explainers, or load those that an earlier process has compiled.

    A service calls this when it starts. The first compilation takes seconds, loading less than a second.

    Parameters
    ----------
    interactions : bool, default False
        Also compile the kernels of interaction values.
    """
    trees = _sample()
    rows, players = np.zeros((2, trees.n_features)), 2
    predict_leaves(trees, rows, n_jobs=1)
    explainers = PathDependent(trees), Interventional(trees, rows)
    narrow = _sample(3)
    PathDependent(narrow).shap_values(np.zeros((1, narrow.n_features)), n_jobs=1)  # explained from tables
    for n_rows in (1, LANES):  # single rows have kernels of their own
        explained = np.zeros((n_rows, trees.n_features))
        predict_trees(trees, explained, n_jobs=1)
        for explainer in explainers:
            explainer.shap_values(explained, n_jobs=1)
    for explainer in explainers:
        if interactions:
            explainer.interaction_values(rows, n_jobs=1)
    game, table = CoalitionGame(trees, rows, np.arange(trees.n_features) % players), Table(rows)
    for asked in (
        MixedRows(table, range(2), np.ones((4, players), np.bool_)),
        MixedRows.of_coalitions(table, 2, np.ones((1, players), np.bool_)),
        MixedRows.of_walks(table, range(2), draw_walks(players, range(2), range(1), cuts_of(players), 0)),
    ):
        game.outputs(rows, asked, n_jobs=1)


def _sample(depth: int = 17) -> Trees:
    """Return a tree that uses all kernels: a chain with a new player at each split, one of them a general split."""
    n_nodes = 2 * depth + 1
    nodes = np.arange(n_nodes, dtype=np.int32)
    inner = (nodes % 2 == 0) & (nodes < n_nodes - 1)
    flags = np.where(inner, MISSING_LEFT, 0).astype(np.uint8)
    flags[0] |= ZERO_IS_MISSING
    return Trees(
        roots=np.zeros(1, np.int32),
        left=np.where(inner, nodes + 1, -1).astype(np.int32),
        right=np.where(inner, nodes + 2, -1).astype(np.int32),
        feature=np.where(inner, nodes // 2, -1).astype(np.int32),
        threshold=np.zeros(n_nodes),
        flags=flags,
        category_start=np.full(n_nodes, -1, np.int32),
        category_size=np.zeros(n_nodes, np.int32),
        categories=np.zeros(0, np.uint32),
        cover=(depth - nodes // 2).astype(np.float64) + inner,
        values=np.where(inner, 0.0, 1.0 + nodes)[:, None],
        output=np.zeros(1, np.int32),
        base=np.zeros(1),
        n_features=depth,
    )
