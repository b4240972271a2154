"""Responses of a tree ensemble to permuted rows, from the trees whose path tests the permuted column alone.

The numbers must be those of the library itself, to the last bit, since a score can hang on ties. How a library adds up
its trees and which function it puts on the sum is therefore tried on the rows as they are: a way is taken only if it
reproduces the library's own response bit by bit on all of them. Where none does, the trees still say which rows reach
other leaves, and only those are predicted again, by the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.compiled._arrays import Bools, Floats
from automl_explain.explainers.compiled._jit import run_blocks
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.permutation._kernels import (
    Tests,
    find_changed,
    find_tests,
    sum_permuted,
    write_exponential,
    write_logistic,
    write_logistic_single,
    write_softmax,
    write_softmax_single,
)
from automl_explain.explainers.permutation._permuted_copies import Copy
from automl_explain.explainers.tables._table import RowNumbers, Table
from automl_explain.explainers.trees._predict import predict_leaves
from automl_explain.explainers.trees._routing import as_matrix, read_router
from automl_explain.explainers.trees._tree_ensemble import Trees

LEAST_ROWS = 50
"""Rows on which equal bits are no chance."""
BLOCK = 1024
"""Rows of a copy that one thread walks at a time."""

Response: TypeAlias = npt.NDArray[Any]
Link: TypeAlias = Callable[[npt.NDArray[Any]], Response]
"""From the sums (n, K) of the trees to what a method of the library returns."""


class Way(NamedTuple):
    """A way to compute a response from the trees that gives the library's own bits.

    Parameters
    ----------
    single : bool
        Trees are added up in float32.
    link : callable
        From the sums to the response.
    """

    single: bool
    link: Link


class PermutedTrees:
    """The trees of a described model over the permuted copies of one table.

    Parameters
    ----------
    model : FittedModel
        Of structure `Trees`, its preprocessing, if any, mapping each raw column to columns of its own.
    table : Table
        The rows as they are, raw.
    orders : ndarray of int, shape (n_repeats, n)
        Row that each cell of a permuted column comes from.
    n_jobs : int or None
        Threads.
    """

    def __init__(self, model: FittedModel, table: Table, orders: RowNumbers, n_jobs: int | None) -> None:
        assert isinstance(model.structure, Trees)
        self._model, self._orders, self._n_jobs = model, np.ascontiguousarray(orders, np.int64), n_jobs
        self._trees = model.structure.for_kernels()
        self._x = as_matrix(self._trees, model.encode(model.transform(table.data)))
        self._router = read_router(self._trees)
        self._leaves = np.ascontiguousarray(predict_leaves(self._trees, self._x, n_jobs=n_jobs).T)
        self._last_column = -1
        self._tests = self._find_tests(np.zeros(self._x.shape[1], np.bool_))
        self._unmoved = self._tests

    def sums(self, single: bool, batch: Sequence[Copy] | None = None) -> Floats:
        """Return the outputs of the copies of a batch, (len(batch), n, K), or (1, n, K) of the rows as they are."""
        trees, n = self._trees, len(self._x)
        base = trees.base.astype(np.float32).astype(np.float64) if single else trees.base
        sums = np.empty((1 if batch is None else len(batch), n, trees.n_outputs))

        known = [self._of(None)] if batch is None else [self._of(copy) for copy in batch]

        def run(block: tuple[int, int]) -> int:
            position, start = block
            tests, order, fresh = known[position]
            sum_permuted(
                self._router, self._x, tests, order, fresh, self._leaves, trees.values, trees.output, base,
                single, start, min(start + BLOCK, n), sums[position],
            )  # fmt: skip
            return 1

        run_blocks(run, self._blocks(len(sums)), self._n_jobs)
        return sums

    def changed(self, batch: Sequence[Copy]) -> Bools:
        """Return which rows of each copy reach other leaves than the rows as they are, (len(batch), n)."""
        n = len(self._x)
        changed = np.empty((len(batch), n), np.bool_)
        known = [self._of(copy) for copy in batch]

        def run(block: tuple[int, int]) -> int:
            position, start = block
            tests, order, fresh = known[position]
            stop = min(start + BLOCK, n)
            find_changed(self._router, self._x, tests, order, fresh, self._leaves, start, stop, changed[position])
            return 1

        run_blocks(run, self._blocks(len(batch)), self._n_jobs)
        return changed

    def find_way(self, method: str, response: Response) -> Way | None:
        """Return the way that reproduces the library's response for the rows as they are, bit by bit, if any does.

        On few rows that could be chance. Leaves that are shares of an average, such as those of a forest, never add up to
        the library's last bit.
        """
        classes = self._model.classes
        if len(response) < LEAST_ROWS or (classes is not None and self._model.output_space == "probability"):
            return None
        for single in (False, True):
            sums = self.sums(single)[0]
            sums = sums.astype(np.float32) if single else sums
            for link in _candidates(method, None if classes is None else np.asarray(classes)):
                with np.errstate(all="ignore"):
                    made = link(sums)
                if made.dtype == response.dtype and made.shape == response.shape and np.array_equal(made, response):
                    return Way(single, link)
        return None

    def respond(self, way: Way, batch: Sequence[Copy]) -> list[Response]:
        """Return the library's response for each copy."""
        sums = self.sums(way.single, batch)
        flat = sums.reshape(-1, sums.shape[-1])
        made = way.link(flat.astype(np.float32) if way.single else flat)
        return np.split(made, len(batch))

    def _blocks(self, n_copies: int) -> list[tuple[int, int]]:
        return [(position, start) for position in range(n_copies) for start in range(0, len(self._x), BLOCK)]

    def _find_tests(self, moved: Bools) -> Tests:
        n_nodes = len(self._trees.left)
        tests = Tests(moved, np.empty(n_nodes, np.int32), np.empty(n_nodes), np.empty(n_nodes))
        find_tests(self._router, tests)
        return tests

    def _of(self, copy: Copy | None) -> tuple[Tests, npt.NDArray[np.int64], Floats]:
        """Return, for a copy, where its columns are tested, the rows that they come from, and a single column's values."""
        n, f = self._x.shape
        if copy is None:
            return self._unmoved, np.arange(n), np.full(n, np.nan)
        if copy.column != self._last_column:
            parents = None if self._model.feature_map is None else self._model.feature_map.parent
            self._tests = self._find_tests((np.arange(f) if parents is None else parents) == copy.column)
            self._last_column = copy.column
        order, columns = self._orders[copy.repeat], np.flatnonzero(self._tests.moved)
        fresh = self._x[order, columns[0]] if len(columns) == 1 else np.full(n, np.nan)
        return self._tests, order, fresh


def can_walk_again(model: FittedModel) -> bool:
    """Whether the permuted columns are known to be columns of the trees."""
    return isinstance(model.structure, Trees) and (model.preprocessing is None or model.feature_map is not None)


# ---------------------------------------------------------------------------------------------------------- links


def _candidates(method: str, classes: npt.NDArray[Any] | None) -> Iterator[Link]:
    if method == "predict_proba":
        yield from PROBABILITIES
    elif method == "decision_function":
        yield _flat
    elif method == "predict" and classes is None:
        yield from (_flat, _exponential, _logistic)
    elif method == "predict" and classes is not None:
        for link in PROBABILITIES:
            yield partial(_labels, link, classes)


def _labels(link: Link, classes: npt.NDArray[Any], sums: npt.NDArray[Any]) -> Response:
    labels: Response = classes[np.argmax(link(sums), axis=1)]
    return labels


def _flat(sums: npt.NDArray[Any]) -> Response:
    return sums[:, 0] if sums.shape[1] == 1 else sums


def _logistic(sums: npt.NDArray[Any]) -> Response:
    """Logistic function of each output in the precision of the sums, as LightGBM and XGBoost compute it."""
    margins = np.require(sums, None, ["C", "W"])
    out = np.empty_like(margins)
    (write_logistic if sums.dtype == np.float64 else write_logistic_single)(margins.reshape(-1), out.reshape(-1))
    return _flat(out)


def _exponential(sums: npt.NDArray[Any]) -> Response:
    """Exponential of each output by the C library's function, as LightGBM computes it."""
    margins = np.require(sums, None, ["C", "W"])
    out = np.empty_like(margins)
    write_exponential(margins.reshape(-1), out.reshape(-1))
    return _flat(out)


def _softmax(sums: npt.NDArray[Any]) -> Response:
    margins = np.require(sums, None, ["C", "W"])
    out = np.empty_like(margins)
    (write_softmax if sums.dtype == np.float64 else write_softmax_single)(margins, out)
    return out


def _of_both_classes(second: npt.NDArray[Any]) -> Response:
    return np.vstack((1 - second, second)).T


def _library_probabilities(sums: npt.NDArray[Any]) -> Response:
    return _of_both_classes(_logistic(sums)) if sums.shape[1] == 1 else _softmax(sums)


def _numpy_probabilities(sums: npt.NDArray[Any]) -> Response:
    """Probabilities by SciPy's and NumPy's functions, as scikit-learn's boosting computes them."""
    from scipy.special import expit
    from sklearn.utils.extmath import softmax

    return _of_both_classes(np.asarray(expit(sums[:, 0]))) if sums.shape[1] == 1 else np.asarray(softmax(sums))


PROBABILITIES: tuple[Link, ...] = (_library_probabilities, _numpy_probabilities)
"""Probabilities of the classes from the sums, as boosting libraries compute them."""
