"""Shapley values by their definition, in float64 and plain Python: what every fast algorithm is checked against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial, isnan
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers.trees import _split_flags as fmt
from automl_explain.explainers.trees._tree_ensemble import Trees

Floats = npt.NDArray[np.float64]
Game = Callable[[frozenset[int]], Floats]


def goes_left(trees: Trees, node: int, x: float) -> bool:
    flags = int(trees.flags[node])
    if trees.float32:
        x = float(np.float32(x))
    if isnan(x) and flags & fmt.NAN_IS_ZERO:
        x = 0.0
    if isnan(x) or (flags & fmt.ZERO_IS_MISSING and abs(x) <= fmt.ZERO_THRESHOLD):
        return bool(flags & fmt.MISSING_LEFT)
    size = int(trees.category_size[node])
    if size == 0:
        return x <= trees.threshold[node]
    if not 0 <= np.trunc(x) < 32 * size:
        return bool(flags & fmt.UNSEEN_LEFT)
    word = int(trees.categories[trees.category_start[node] + int(x) // 32])
    return bool(word >> (int(x) % 32) & 1)


def leaf_outputs(trees: Trees, tree: int, node: int) -> Floats:
    out = np.zeros(trees.n_outputs)
    if trees.values.shape[1] == trees.n_outputs:
        return out + trees.values[node]
    out[trees.output[tree]] = trees.values[node, 0]
    return out


def predict(trees: Trees, row: Floats) -> Floats:
    total = trees.base.copy()
    for tree, root in enumerate(trees.roots.tolist()):
        node = root
        while trees.left[node] >= 0:
            left = goes_left(trees, node, row[trees.feature[node]])
            node = int(trees.left[node] if left else trees.right[node])
        total = total + leaf_outputs(trees, tree, node)
    return total


def path_dependent_game(trees: Trees, row: Floats, player: Sequence[int]) -> Game:
    """Present players follow the row; absent ones take both sides in proportion to the cover."""

    def expect(tree: int, node: int, present: frozenset[int]) -> Floats:
        left, right = int(trees.left[node]), int(trees.right[node])
        if left < 0:
            return leaf_outputs(trees, tree, node)
        if player[trees.feature[node]] in present:
            return expect(tree, left if goes_left(trees, node, row[trees.feature[node]]) else right, present)
        cover = trees.cover[node]
        shares = [trees.cover[child] / cover if cover > 0 else 0.5 for child in (left, right)]
        return shares[0] * expect(tree, left, present) + shares[1] * expect(tree, right, present)

    def game(present: frozenset[int]) -> Floats:
        return trees.base + sum(expect(t, r, present) for t, r in enumerate(trees.roots.tolist()))

    return game


def interventional_game(
    trees: Trees, row: Floats, background: Floats, player: Sequence[int], weights: Floats | None = None
) -> Game:
    """Present players take the row's values, absent ones a background row's; the outputs are averaged."""
    share = np.full(len(background), 1.0) if weights is None else np.asarray(weights, float)

    def game(present: frozenset[int]) -> Floats:
        inside = np.array([p in present for p in player], bool)
        outputs = [predict(trees, np.where(inside, row, other)) for other in background]
        return np.average(outputs, axis=0, weights=share)

    return game


def _table(game: Game, n_players: int) -> dict[frozenset[int], Floats]:
    return {frozenset(s): game(frozenset(s)) for r in range(n_players + 1) for s in combinations(range(n_players), r)}


def shapley_values(game: Game, n_players: int) -> Floats:
    """Return (K, P)."""
    value = _table(game, n_players)
    phi = np.zeros((n_players, len(value[frozenset()])))
    for s, v in value.items():
        for i in set(range(n_players)) - s:
            weight = factorial(len(s)) * factorial(n_players - len(s) - 1) / factorial(n_players)
            phi[i] += weight * (value[s | {i}] - v)
    return phi.T


def interaction_values(game: Game, n_players: int) -> Floats:
    """Return (K, P, P): half the Shapley interaction index off the diagonal; each row adds up to a Shapley value."""
    value = _table(game, n_players)
    phi = np.zeros((n_players, n_players, len(value[frozenset()])))
    for s, v in value.items():
        for i, j in combinations(sorted(set(range(n_players)) - s), 2):
            weight = factorial(len(s)) * factorial(n_players - len(s) - 2) / factorial(n_players - 1)
            delta = weight * (value[s | {i, j}] - value[s | {i}] - value[s | {j}] + v) / 2
            phi[i, j] += delta
            phi[j, i] += delta
    out = phi.transpose(2, 0, 1)
    diagonal = np.arange(n_players)
    out[:, diagonal, diagonal] = shapley_values(game, n_players) - out.sum(axis=2)
    return out


def model_game(predict: Callable[[Any], Any], row: Any, background: Any, player: Sequence[int] | None = None) -> Game:
    """The game of a predict function; tables are arrays or DataFrames, `row` one of one row."""
    player = range(background.shape[1]) if player is None else player

    def game(present: frozenset[int]) -> Floats:
        mixed = background.copy()
        for column, owner in enumerate(player):
            if owner not in present:
                continue
            if isinstance(mixed, pd.DataFrame):
                cells = pd.Series([row.iloc[0, column]] * len(mixed), index=mixed.index)
                mixed.isetitem(column, cells.astype(mixed.dtypes.iloc[column]))
            else:
                mixed[:, column] = row[0, column]
        return np.asarray(predict(mixed)).mean(axis=0)

    return game
