"""Tree ensembles of one output each, joined into one of several outputs, over the columns that they test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.trees._tree_ensemble import Trees


def join_trees(members: Sequence[Trees]) -> Trees:
    """Join ensembles of one output each into one ensemble with an output for each."""
    nodes = np.cumsum([0, *(len(member.left) for member in members)])
    words = np.cumsum([0, *(len(member.categories) for member in members)])

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(member, name) for member in members])

    def shifted(name: str, by: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
        parts = [getattr(member, name) for member in members]
        moved = [np.where(part < 0, part, part + start) for part, start in zip(parts, by[:-1], strict=True)]
        return np.concatenate(moved).astype(np.int32)

    plain = ("feature", "threshold", "flags", "category_size", "categories", "cover", "values", "base")
    same: dict[str, Any] = {name: joined(name) for name in plain}
    return replace(
        members[0],
        **same,
        roots=shifted("roots", nodes),
        left=shifted("left", nodes),
        right=shifted("right", nodes),
        category_start=shifted("category_start", words),
        output=np.repeat(np.arange(len(members), dtype=np.int32), [member.n_trees for member in members]),
    )


def compact(trees: Trees) -> tuple[Trees, npt.NDArray[np.intp]]:
    """Return the trees over only the columns that they read, and the positions of these columns."""
    used = np.unique(np.append(trees.feature[trees.feature >= 0], 0))  # trees without splits still need one column
    feature = np.where(trees.feature < 0, -1, np.searchsorted(used, trees.feature)).astype(np.int32)
    return replace(trees, feature=feature, n_features=len(used)), used.astype(np.intp)
