"""The flat format into which tree ensembles of every library are read.

A split sends a row left when ``x <= threshold`` (numeric) or when the bit of category ``int(x)`` is set (categorical).
Other libraries' rules are rewritten to this one when a model is read: ``x < t`` becomes ``x <= nextafter(t, -inf)``
in the precision the library compares in, and ``float32`` says that inputs are rounded to that precision first.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

_TYPES: dict[str, Any] = {
    "threshold": np.float64,
    "flags": np.uint8,
    "categories": np.uint32,
    "cover": np.float64,
    "values": np.float64,
    "base": np.float64,
}
"""Types of the arrays of `Trees` that are not int32."""


@dataclass(frozen=True, eq=False)
class Trees:
    """An ensemble of decision trees in one table of nodes; T trees, M nodes, K outputs, f features.

    The output of a row is ``base + sum over trees of the reached leaf``: the leaves already contain the divisor of an
    average and the learning rate.

    Parameters
    ----------
    roots : ndarray of int32, shape (T,)
        Node of each tree's root. The nodes of a tree are contiguous and in preorder (left child = node + 1).
    left, right : ndarray of int32, shape (M,)
        Children as node numbers of this table; -1 at a leaf.
    feature : ndarray of int32, shape (M,)
        Column tested; -1 at a leaf.
    threshold : ndarray of float64, shape (M,)
        A numeric split sends ``x <= threshold`` left.
    flags : ndarray of uint8, shape (M,)
        Bits MISSING_LEFT, NAN_IS_ZERO, ZERO_IS_MISSING, UNSEEN_LEFT.
    category_start, category_size : ndarray of int32, shape (M,)
        First word and number of words of a categorical split's bit set in `categories`; -1 and 0 for a numeric split.
    categories : ndarray of uint32, shape (W,)
        Bit ``c % 32`` of word ``c // 32`` is set when category c goes left.
    cover : ndarray of float64, shape (M,)
        Training weight that reached each node, in the library's own unit.
    values : ndarray of float64, shape (M, V)
        Leaf outputs (0 at inner nodes): V = 1 with `output` saying the column, or V = K when each leaf holds all.
    output : ndarray of int32, shape (T,)
        Output column that a tree adds to, or -1 when its leaves hold all K outputs.
    base : ndarray of float64, shape (K,)
        Added to every row.
    n_features : int
        Number of columns of the matrix that the trees read.
    float32 : bool, default False
        The library rounds inputs to float32 before comparing.
    allows_missing : bool, default True
        If False, the library has no rule for NaN, and rows with NaN raise `InvalidInputError`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from automl_explain import describe
    >>> trees = describe(DecisionTreeClassifier(max_depth=1).fit(*load_iris(return_X_y=True))).structure
    >>> trees.n_trees, trees.n_outputs, trees.left.tolist()  # one split: a root and two leaves
    (1, 3, [1, -1, -1])
    """

    roots: npt.NDArray[np.int32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float64]
    flags: npt.NDArray[np.uint8]
    category_start: npt.NDArray[np.int32]
    category_size: npt.NDArray[np.int32]
    categories: npt.NDArray[np.uint32]
    cover: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    output: npt.NDArray[np.int32]
    base: npt.NDArray[np.float64]
    n_features: int
    float32: bool = False
    allows_missing: bool = True

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.roots)

    @property
    def n_outputs(self) -> int:
        """Number of outputs K."""
        return len(self.base)

    def for_kernels(self) -> Trees:
        """Return the same trees in contiguous, writable arrays of the documented types.

        Kernels are compiled once for these; another type or layout would compile them again.

        Returns
        -------
        Trees
            This object if its arrays already are.
        """
        changed: dict[str, Any] = {}
        for field in fields(self):
            array = getattr(self, field.name)
            if isinstance(array, np.ndarray):
                required = np.require(array, _TYPES.get(field.name, np.int32), ["C", "W"])
                if required is not array:
                    changed[field.name] = required
        return replace(self, **changed) if changed else self

    def output_columns(self, column: int = 0) -> npt.NDArray[np.int32]:
        """Return the output that each tree's leaf column `column` adds to.

        Parameters
        ----------
        column : int, default 0
            Column of `values`.

        Returns
        -------
        ndarray of int32, shape (T,)
            Output of each tree.
        """
        if self.values.shape[1] == self.n_outputs:
            return np.full(self.n_trees, column, np.int32) if self.n_outputs > 1 else np.zeros(self.n_trees, np.int32)
        return self.output

    def sum_by_output(self, node_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the sums (K,) of numbers given for each node and leaf column, (M, V).

        Parameters
        ----------
        node_values : ndarray of shape (M, V)
            A number per node and leaf column.

        Returns
        -------
        ndarray of shape (K,)
            A sum per output.
        """
        sums = np.zeros(self.n_outputs)
        if self.values.shape[1] == self.n_outputs:
            sums += node_values.sum(axis=0)
            return sums
        starts = np.sort(self.roots)
        of_node = np.repeat(self.output[np.argsort(self.roots)], np.diff(starts, append=len(self.left)))
        np.add.at(sums, of_node, node_values[:, 0])
        return sums
