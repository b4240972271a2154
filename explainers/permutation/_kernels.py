"""Kernels that route permuted rows through only those trees that test a permuted column on the row's path."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import (
    Bools,
    Floats,
    Ints,
    Longs,
)
from automl_explain.explainers.compiled._jit import inlined, kernel
from automl_explain.explainers.trees._routing import (
    GENERAL,
    NUMERIC,
    Router,
    goes_left,
)


class Tests(NamedTuple):
    """Tests of the permuted columns on the paths of an ensemble. Node-wise arrays have shape (M,).

    Parameters
    ----------
    moved : ndarray of bool, shape (f,)
        Columns of the trees that are permuted together.
    first : ndarray of int32
        First split on the path to the node that tests a permuted column, where routing starts again; -1 if there is none.
    above, up_to : ndarray of float64
        If one numeric column is permuted, a row stays at its leaf if its new value v is ``above < v <= up_to``.
    """

    moved: Bools
    first: Ints
    above: Floats
    up_to: Floats


@kernel
def find_tests(router: Router, tests: Tests) -> None:
    """Fill the node-wise arrays of `tests`."""
    first, above, up_to = tests.first, tests.above, tests.up_to
    for tree in range(len(router.roots)):
        root = router.roots[tree]
        first[root], above[root], up_to[root] = -1, -np.inf, np.inf
        for node in range(root, router.ends[tree]):
            left, right = router.left[node], router.right[node]
            if left < 0:
                continue
            first[left] = first[right] = first[node]
            above[left] = above[right] = above[node]
            up_to[left] = up_to[right] = up_to[node]
            if not tests.moved[router.feature[node]]:
                continue
            if first[node] < 0:
                first[left] = first[right] = node
            if router.kind[node] == GENERAL:  # no interval: rows are always routed again
                above[left] = above[right] = np.inf
            else:
                up_to[left] = min(up_to[left], router.threshold[node])
                above[right] = max(above[right], router.threshold[node])


@inlined
def _route_again(router: Router, x: Floats, moved: Bools, row: int, source: int, node: int) -> int:
    """Return the leaf below `node` of a row whose permuted columns are taken from row `source`."""
    while router.left[node] >= 0:
        feature = router.feature[node]
        value = x[source, feature] if moved[feature] else x[row, feature]
        kind = router.kind[node]
        if kind == GENERAL:
            left = goes_left(router, node, value)
        elif kind == NUMERIC:
            left = value <= router.threshold[node]
        else:
            left = not value > router.threshold[node]
        node = router.left[node] if left else router.right[node]
    return node


@inlined
def _leaf_of(router: Router, x: Floats, tests: Tests, row: int, source: int, fresh: float, node: int) -> int:
    """Return the new leaf of a row at leaf `node` when its permuted columns are taken from row `source`.

    `fresh` is the new value of the permuted column, or NaN if several columns are permuted.
    """
    if not tests.above[node] < fresh <= tests.up_to[node] and tests.first[node] >= 0:
        node = _route_again(router, x, tests.moved, row, source, tests.first[node])
    return node


@kernel
def sum_permuted(
    router: Router, x: Floats, tests: Tests, order: Longs, fresh: Floats, leaves: Ints, values: Floats, output: Ints,
    base: Floats, single: bool, start: int, stop: int, sums: Floats,
) -> None:  # fmt: skip
    """Write the outputs of rows `start` to `stop` with permuted columns, summed in the order of the library.

    Parameters
    ----------
    x : ndarray, shape (n, f)
        The original rows.
    tests : Tests
        Filled by `find_tests`.
    order : ndarray of int, shape (n,)
        Row that the permuted cells of each row are taken from.
    fresh : ndarray, shape (n,)
        New values of the permuted column; NaN if several columns are permuted.
    leaves : ndarray of int, shape (T, n)
        Leaves of the original rows.
    values, output, base
        As in `Trees`.
    single : bool
        Whether each sum is rounded to float32.
    sums : ndarray, shape (n, K)
        Outputs.
    """
    n_outputs = len(base)
    every = values.shape[1] == n_outputs
    for row in range(start, stop):
        for k in range(n_outputs):
            sums[row, k] = base[k]
    for tree in range(len(leaves)):
        for row in range(start, stop):
            node = _leaf_of(router, x, tests, row, order[row], fresh[row], leaves[tree, row])
            for column in range(values.shape[1]):
                k = column if every else output[tree]
                total = sums[row, k] + values[node, column]
                sums[row, k] = float(np.float32(total)) if single else total


@kernel
def find_changed(
    router: Router, x: Floats, tests: Tests, order: Longs, fresh: Floats, leaves: Ints, start: int, stop: int,
    changed: Bools,
) -> None:  # fmt: skip
    """Write which of the rows `start` to `stop` change their leaf in any tree. Parameters as in `sum_permuted`."""
    for row in range(start, stop):
        changed[row] = False
        for tree in range(len(leaves)):
            node = leaves[tree, row]
            if _leaf_of(router, x, tests, row, order[row], fresh[row], node) != node:
                changed[row] = True
                break


@kernel
def write_exponential(margins: npt.NDArray[np.floating], out: npt.NDArray[np.floating]) -> None:
    """Write exp(margin), computed by the C library in the precision of the margins."""
    for i in range(len(margins)):
        out[i] = np.exp(margins[i])


@kernel
def write_logistic(margins: Floats, out: Floats) -> None:
    """Write 1 / (1 + exp(-margin)) with the C library's exponential, as LightGBM does; NumPy's differs in the last bit."""
    for i in range(len(margins)):
        out[i] = 1.0 / (1.0 + np.exp(-margins[i]))


@kernel
def write_logistic_single(margins: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
    """Write the logistic function in float32, with XGBoost's small term in the denominator."""
    one, small = np.float32(1.0), np.float32(1e-16)
    for i in range(len(margins)):
        out[i] = one / (np.exp(np.float32(-margins[i])) + one + small)


@kernel
def write_softmax(margins: Floats, out: Floats) -> None:
    """Write the softmax of each row, summing from the first class to the last, as LightGBM does."""
    for row in range(len(margins)):
        largest = margins[row, 0]
        for k in range(margins.shape[1]):
            largest = max(largest, margins[row, k])
        total = 0.0
        for k in range(margins.shape[1]):
            out[row, k] = np.exp(margins[row, k] - largest)
            total += out[row, k]
        for k in range(margins.shape[1]):
            out[row, k] /= total


@kernel
def write_softmax_single(margins: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
    """Write the softmax of each row in float32 with its sum in float64, as XGBoost does."""
    for row in range(len(margins)):
        largest = margins[row, 0]
        for k in range(margins.shape[1]):
            largest = max(largest, margins[row, k])
        total = 0.0
        for k in range(margins.shape[1]):
            out[row, k] = np.exp(np.float32(margins[row, k] - largest))
            total += float(out[row, k])
        for k in range(margins.shape[1]):
            out[row, k] /= np.float32(total)
