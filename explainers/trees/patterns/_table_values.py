"""The values that rows look up in tables."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from automl_explain.explainers.compiled._arrays import LANES, Floats, Patterns
from automl_explain.explainers.trees._paths import Paths
from automl_explain.explainers.trees._routing import BlockedRows
from automl_explain.explainers.trees._row_splits import RowSplits, read_splits
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.explainers.trees.patterns._lookups import PatternTables, add_from_tables, add_row_from_tables
from automl_explain.explainers.trees.patterns._pattern_tables import node_masks, row_layout
from automl_explain.explainers.trees.patterns._table_kernels import Subtrees


class TableValues:
    """Looks up the values of rows, and their outputs if all leaves are in tables whose entries have room for them.

    Parameters
    ----------
    trees : Trees
    paths : Paths
    tables : PatternTables
    others : Subtrees
        The leaves below splits that have no table.
    """

    def __init__(self, trees: Trees, paths: Paths, tables: PatternTables, others: Subtrees) -> None:
        self._paths, self._tables = paths, tables
        self._n_outputs, self._width = trees.n_outputs, row_layout(paths.n_players)[1]
        self.holds_outputs = tables.output_place >= 0 and not len(others.nodes)
        is_whole_tree = (trees.left < 0) & (paths.width == 0)
        self._same_for_all = trees.base + trees.sum_by_output(np.where(is_whole_tree[:, None], trees.values, 0.0))

    def __bool__(self) -> bool:
        return len(self._tables.trees) > 0

    @cached_property
    def _splits(self) -> RowSplits:
        return read_splits(self._paths, self._tables.trees, 2)[0]

    @cached_property
    def _sizes(self) -> tuple[int, int, int]:
        """Numbers of patterns of a cluster, of numbers of its entries, and of masks of a tree's nodes."""
        patterns, sums = self._space()
        return len(patterns), len(sums), len(node_masks(self._paths))

    def _space(self) -> tuple[Patterns, Floats]:
        """Return space for the patterns of a cluster and for its entries."""
        tables = self._tables
        patterns = np.empty(int(np.diff(tables.first_group).max(initial=0)) * LANES, np.uint32)
        return patterns, np.empty(int(tables.stride.max(initial=0)) * LANES)

    def new_sums(self, n_rows: int) -> Floats:
        """Return what `add` adds to, (n, K, places): zeros for the players, and then, with `holds_outputs`, the output.

        The output begins with what all rows have in common; further places are for the layout of entries.
        """
        sums = np.zeros((n_rows, self._n_outputs, self._width))
        if self.holds_outputs:
            sums[:, :, self._paths.n_players] = self._same_for_all
        return sums

    def add(self, rows: BlockedRows, phi: Floats) -> None:
        """Add the values of rows to `phi`, the sums of `new_sums` as (n, K * places)."""
        patterns, sums = self._space()
        add_from_tables(
            self._paths, self._tables, rows, phi.shape[1], phi.reshape(-1), patterns, node_masks(self._paths), sums
        )

    def add_row(self, row: Floats, phi: Floats) -> None:
        """Add the values of a single row (f,) to `phi` (K * places,)."""
        n_patterns, n_entries, n_masks = self._sizes
        add_row_from_tables(
            self._tables, self._splits, row, phi, np.empty(n_patterns, np.uint32), np.empty(n_masks, np.uint64),
            np.empty(n_entries),
        )  # fmt: skip
