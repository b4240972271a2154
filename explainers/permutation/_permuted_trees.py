"""Responses of a tree ensemble to permuted rows, computed from the trees whose paths test the permuted column.

The numbers must equal those of the library to the last bit, since a score can depend on ties. Ways of summing the trees and
links of the sum are therefore tried on the original rows. A way is used only if it reproduces the library's response bit for
bit on all of them. If there is none, the trees still show which rows change their leaves, and the library predicts only
those rows again.
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
"""Minimum number of rows for equal bits not to be a coincidence."""
BLOCK = 1024
"""Rows of a copy per task of a thread."""

Response: TypeAlias = npt.NDArray[Any]
Link: TypeAlias = Callable[[npt.NDArray[Any]], Response]
"""Function from the sums of the trees, (n, K), to the response of a method of the library."""


class Way(NamedTuple):
    """A way to compute a response from the trees that equals the library's bit for bit.

    Parameters
    ----------
    single : bool
        Whether the trees are summed in float32.
    link : callable
        Function from the sums to the response.
    """

    single: bool
    link: Link


class PermutedTrees:
    """Evaluates the trees of a described model on the permuted copies of one table.

    Parameters
    ----------
    model : FittedModel
        A model of structure `Trees`, without preprocessing or with a feature map.
    table : Table
        The original rows, in raw columns.
    orders : ndarray of int, shape (n_repeats, n)
        Row that each cell of a permuted column is taken from.
    n_jobs : int or None
        Threads. None: all cores available to the process.
    """

    def __init__(self, model: FittedModel, table: Table, orders: RowNumbers, n_jobs: int | None) -> None:
        assert isinstance(model.structure, Trees)
        self._model, self._orders, self._n_jobs = model, np.ascontiguousarray(orders, np.int64), n_jobs
        self._trees = model.structure.for_kernels()
        self._x = as_matrix(self._trees, model.encoded(model.transform(table.data, "X"), "X"))
        self._router = read_router(self._trees)
        self._leaves = np.ascontiguousarray(predict_leaves(self._trees, self._x, n_jobs=n_jobs).T)
        self._last_column = -1
        self._tests = self._find_tests(np.zeros(self._x.shape[1], np.bool_))
        self._unmoved = self._tests

    def sums(self, single: bool, batch: Sequence[Copy] | None = None) -> Floats:
        """Return the outputs for the copies of a batch, (len(batch), n, K), or for the original rows, (1, n, K)."""
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
        """Return which rows of each copy reach other leaves than the original rows, (len(batch), n)."""
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
        """Return a way that reproduces the library's response for the original rows bit for bit, or None.

        None is returned for few rows, where equality could be a coincidence, and for models that average probabilities,
        such as forests, whose sums never equal the library's to the last bit.
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
        """Return the library's response to each copy."""
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
        """Return the tests of a copy's columns, the rows that they are taken from, and the new values of a single column."""
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


def can_route_again(model: FittedModel) -> bool:
    """Return whether permuted columns can be mapped to columns of the trees."""
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
    """Logistic function of each output in the precision of the sums, as in LightGBM and XGBoost."""
    margins = np.require(sums, None, ["C", "W"])
    out = np.empty_like(margins)
    (write_logistic if sums.dtype == np.float64 else write_logistic_single)(margins.reshape(-1), out.reshape(-1))
    return _flat(out)


def _exponential(sums: npt.NDArray[Any]) -> Response:
    """Exponential of each output by the C library, as in LightGBM."""
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
    """Probabilities by SciPy's and NumPy's functions, as in scikit-learn's boosting."""
    from scipy.special import expit
    from sklearn.utils.extmath import softmax

    return _of_both_classes(np.asarray(expit(sums[:, 0]))) if sums.shape[1] == 1 else np.asarray(softmax(sums))


PROBABILITIES: tuple[Link, ...] = (_library_probabilities, _numpy_probabilities)
"""Functions from sums to class probabilities, as in boosting libraries."""
