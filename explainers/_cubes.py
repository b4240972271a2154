"""Outputs of a tree ensemble for mixtures of two rows: any number of coalitions for one walk through the trees.

A row and a background row are sent through a tree together. Where a split sends both the same way there is nothing to
decide; where it parts them, the leaf that is reached depends on whether the split's player is present. Every leaf that
some mixture reaches is a *cube*: it is reached exactly by the coalitions that hold all of a set of players and none of
another, so a coalition's output is the sum of the leaves of the cubes it lies in.

For up to `LATTICE_PLAYERS` players the outputs of all coalitions are found at once: the indicator of "none of N" is
expanded into signed terms "all of T" for T within N, and a sum over subsets adds the terms up. For more players each cube
is tested against each coalition, bit sets in one machine word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._jit import kernel, run_blocks
from automl_explain.explainers._tree_paths import Router, as_matrix, goes_left, read_router
from automl_explain.explainers._trees import Trees

Floats = npt.NDArray[np.float64]

LATTICE_PLAYERS = 14
"""Players up to which the outputs of all coalitions are computed, whichever are asked for."""
WORD_PLAYERS = 64
"""Players that fit one machine word; beyond, mixed rows are sent through the trees one by one."""


class CoalitionOutputs:
    """Outputs of a tree ensemble for coalitions of players between pairs of rows.

    Parameters
    ----------
    trees : Trees
    background : array_like, shape (B, f)
        Rows from which absent players take their columns.
    player : array_like of int, shape (f,), optional
        Player of each column; each its own by default.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from automl_explain import describe
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> trees = describe(DecisionTreeRegressor().fit(X, [0.0, 1.0, 2.0, 5.0])).structure
    >>> outputs = CoalitionOutputs(trees, X[:1])(X[3:], np.array([[False, False], [True, False], [True, True]]))
    >>> outputs[0, 0, :, 0]
    array([0., 2., 5.])
    """

    def __init__(self, trees: Trees, background: npt.ArrayLike, player: npt.ArrayLike | None = None) -> None:
        self._trees = trees
        self._background = as_matrix(trees, background, "background")
        self._player = np.arange(trees.n_features) if player is None else np.asarray(player, dtype=np.int64)
        self._n_players = int(self._player.max(initial=-1)) + 1
        self._router = read_router(trees)

    def __call__(self, X: npt.ArrayLike, coalitions: npt.NDArray[np.bool_], *, n_jobs: int | None = None) -> Floats:
        """Return the outputs, (n, B, m, K).

        Parameters
        ----------
        X : array_like, shape (n, f)
            Rows from which present players take their columns.
        coalitions : ndarray of bool, shape (m, P)
            True where a player is present.
        n_jobs : int, optional
            Number of threads; by default every core that this process may use.
        """
        rows = as_matrix(self._trees, X)
        coalitions = coalitions[:, : self._n_players]  # further players have no column
        trees, background = self._trees, self._background
        outputs = np.empty((len(rows), len(background), len(coalitions), trees.n_outputs))
        if self._n_players > WORD_PLAYERS:
            columns = coalitions[:, self._player]
            for i, b in np.ndindex(len(rows), len(background)):
                outputs[i, b] = trees.predict(np.where(columns, rows[i], background[b]), n_jobs=n_jobs)
            return outputs
        words = (coalitions.astype(np.uint64) << np.arange(coalitions.shape[1], dtype=np.uint64)).sum(axis=1)
        lattice = self._n_players <= LATTICE_PLAYERS and 2**self._n_players <= 16 * len(coalitions)

        def compute(block: tuple[int, slice]) -> int:
            i, part = block
            scratch = np.zeros((trees.n_outputs, 2**self._n_players if lattice else len(words)))
            for b in range(*part.indices(len(background))):
                scratch[:] = 0.0
                add = _add_to_lattice if lattice else _add_to_coalitions
                add(self._router, trees.values, trees.output, self._player, rows[i], background[b], words, scratch)
                found = scratch[:, words.astype(np.int64)] if lattice else scratch
                outputs[i, b] = found.T + trees.base
            return 1

        step = max(1, len(background) // 8)
        blocks = [(i, slice(b, b + step)) for i in range(len(rows)) for b in range(0, len(background), step)]
        run_blocks(compute, blocks, n_jobs)
        return outputs


@kernel
def _collect(
    router: Router, player: Any, tree: int, x: Any, other: Any, present: Any, absent: Any, leaf: Any, stack: Any
) -> int:
    """Write a tree's cubes: players that must be present and absent, and the leaf; return how many there are."""
    one = np.uint64(1)
    count, top = 0, 0
    stack[0, 0], stack[0, 1], stack[0, 2] = np.uint64(router.roots[tree]), np.uint64(0), np.uint64(0)
    while top >= 0:
        node, yes, no = np.int64(stack[top, 0]), stack[top, 1], stack[top, 2]
        top -= 1
        while router.left[node] >= 0:
            column = router.feature[node]
            mine = goes_left(router, node, x[column])  # type: ignore[arg-type]  # compiled: any integer
            theirs = goes_left(router, node, other[column])  # type: ignore[arg-type]
            left, right = router.left[node], router.right[node]
            if mine == theirs:
                node = left if mine else right
                continue
            bit = one << np.uint64(player[column])
            with_row, with_other = (left, right) if mine else (right, left)
            if yes & bit:
                node = with_row
            elif no & bit:
                node = with_other
            else:
                top += 1
                stack[top, 0], stack[top, 1], stack[top, 2] = np.uint64(with_other), yes, no | bit
                node, yes = with_row, yes | bit
        present[count], absent[count], leaf[count] = yes, no, node
        count += 1
    return count


@kernel
def _add_to_lattice(
    router: Router, values: Any, output: Any, player: Any, x: Any, other: Any, words: Any, lattice: Any
) -> None:
    """Add the ensemble's outputs for every coalition to `lattice` (K, 2^P).

    The subset sum is the zeta transform of Yates (1937); Bjorklund et al., "Fourier meets Moebius",
    doi:10.1145/1250790.1250801.
    """
    size = 1
    for tree in range(len(router.roots)):
        size = max(size, router.ends[tree] - router.roots[tree])
    present, absent = np.empty(size, np.uint64), np.empty(size, np.uint64)
    leaf, stack = np.empty(size, np.int64), np.empty((size + 1, 3), np.uint64)
    one = np.uint64(1)
    for tree in range(len(router.roots)):
        count = _collect(router, player, tree, x, other, present, absent, leaf, stack)
        for cube in range(count):
            subset, sign = absent[cube], 1.0
            bits = subset
            while bits:
                sign = -sign
                bits &= bits - one
            while True:
                at = present[cube] | subset
                if output[tree] >= 0 and values.shape[1] == 1:
                    lattice[output[tree], at] += sign * values[leaf[cube], 0]
                else:
                    for column in range(values.shape[1]):
                        lattice[column, at] += sign * values[leaf[cube], column]
                if subset == 0:
                    break
                smaller = (subset - one) & absent[cube]
                bits = subset ^ smaller
                while bits:
                    sign = -sign
                    bits &= bits - one
                subset = smaller
    for column in range(len(lattice)):
        half = 1
        while half < lattice.shape[1]:
            for start in range(0, lattice.shape[1], 2 * half):
                for at in range(start, start + half):
                    lattice[column, at + half] += lattice[column, at]
            half *= 2


@kernel
def _add_to_coalitions(
    router: Router, values: Any, output: Any, player: Any, x: Any, other: Any, words: Any, sums: Any
) -> None:
    """Add the ensemble's outputs for the coalitions in `words` to `sums` (K, m), each cube tested against each."""
    size = 1
    for tree in range(len(router.roots)):
        size = max(size, router.ends[tree] - router.roots[tree])
    present, absent = np.empty(size, np.uint64), np.empty(size, np.uint64)
    leaf, stack = np.empty(size, np.int64), np.empty((size + 1, 3), np.uint64)
    for tree in range(len(router.roots)):
        count = _collect(router, player, tree, x, other, present, absent, leaf, stack)
        for cube in range(count):
            every, wanted = present[cube] | absent[cube], present[cube]
            scalar = output[tree] >= 0 and values.shape[1] == 1
            for column in range(values.shape[1]):
                value = values[leaf[cube], column]
                target = sums[output[tree] if scalar else column]
                for i in range(len(words)):
                    target[i] += value if words[i] & every == wanted else 0.0
