"""Random ensembles in the flat format, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.trees import _split_flags as fmt
from automl_explain.explainers.trees._tree_ensemble import Trees


@dataclass
class Nodes:
    """Columns of a table of nodes that grows in preorder."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)

    def add(self, **columns: Any) -> int:
        blank: dict[str, Any] = {"left": -1, "right": -1, "feature": -1, "threshold": 0.0, "flags": 0}
        self.rows.append(blank | {"start": -1, "size": 0, "value": None} | columns)
        return len(self.rows) - 1

    def build(self, n_features: int, base: npt.ArrayLike, output: list[int], width: int = 1, **rest: Any) -> Trees:
        def column(name: str, kind: Any) -> npt.NDArray[Any]:
            return np.array([row[name] for row in self.rows], dtype=kind)

        values = np.zeros((len(self.rows), width))
        for i, row in enumerate(self.rows):
            if row["value"] is not None:
                values[i] = row["value"]
        return Trees(
            np.array(self.roots, np.int32), column("left", np.int32), column("right", np.int32),
            column("feature", np.int32), column("threshold", float), column("flags", np.uint8),
            column("start", np.int32), column("size", np.int32), np.array(self.words, np.uint32),
            column("cover", float), values, np.array(output, np.int32), np.asarray(base, float), n_features, **rest,
        )  # fmt: skip


def random_trees(
    seed: int, n_features: int = 5, n_trees: int = 4, depth: int = 5, n_outputs: int = 1, vector: bool = False,
    empty: bool = True, **rest: Any,
) -> Trees:  # fmt: skip
    """Trees with numeric and categorical splits, every flag, splits without cover, and stumps."""
    rng = np.random.default_rng(seed)
    nodes = Nodes()
    width = n_outputs if vector else 1

    def grow(cover: float, level: int) -> int:
        if level == 0 or rng.random() < 0.15:
            return nodes.add(cover=cover, value=rng.normal(size=width))
        share = rng.choice([0.0, 1.0]) if empty and rng.random() < 0.1 else rng.uniform(0.05, 0.95)
        flags = rng.choice([0, fmt.MISSING_LEFT]) | rng.choice([0, 0, fmt.NAN_IS_ZERO, fmt.ZERO_IS_MISSING])
        columns: dict[str, Any] = {"threshold": np.round(rng.normal(), 1)}
        if rng.random() < 0.3:
            size = int(rng.integers(1, 3))
            flags |= rng.choice([0, fmt.UNSEEN_LEFT])
            columns = {"start": len(nodes.words), "size": size}
            nodes.words.extend(rng.integers(0, 2**32, size).tolist())
        node = nodes.add(cover=cover, feature=int(rng.integers(n_features)), flags=int(flags), **columns)
        nodes.rows[node]["left"] = grow(cover * share, level - 1)
        nodes.rows[node]["right"] = grow(cover * (1 - share), level - 1)
        return node

    for _ in range(n_trees):
        nodes.roots.append(len(nodes.rows))
        grow(100.0, depth)
    output = [-1 if vector else int(rng.integers(n_outputs)) for _ in range(n_trees)]
    return nodes.build(n_features, rng.normal(size=n_outputs), output, width, **rest)


def random_rows(seed: int, n: int, n_features: int = 5, missing: bool = True) -> npt.NDArray[np.float64]:
    """Rows with values on thresholds, zeros, categories (seen, unseen, negative) and missing values."""
    rng = np.random.default_rng(seed)
    shape = (n, n_features)
    rows = np.where(rng.random(shape) < 0.3, rng.integers(-3, 80, shape), rng.normal(size=shape))
    rows = np.where(rng.random(rows.shape) < 0.5, np.round(rows, 1), rows)
    rows[rng.random(rows.shape) < 0.1] = 0.0
    if missing:
        rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows


def chain(depth: int, n_features: int, seed: int = 0) -> Trees:
    """One deep tree: every split has a leaf on one side."""
    rng = np.random.default_rng(seed)
    nodes = Nodes(roots=[0])

    def grow(cover: float, level: int) -> int:
        if level == depth:
            return nodes.add(cover=cover, value=rng.normal())
        node = nodes.add(cover=cover, feature=level % n_features, threshold=rng.normal())
        share = rng.uniform(0.02, 0.1)
        if rng.random() < 0.5:
            nodes.rows[node]["left"] = nodes.add(cover=cover * share, value=rng.normal())
            nodes.rows[node]["right"] = grow(cover * (1 - share), level + 1)
        else:
            nodes.rows[node]["left"] = grow(cover * (1 - share), level + 1)
            nodes.rows[node]["right"] = nodes.add(cover=cover * share, value=rng.normal())
        return node

    grow(1000.0, 0)
    return nodes.build(n_features, [0.0], [0])


def balanced(depth: int, n_features: int, seed: int = 0) -> Trees:
    """One full tree of 2^(depth + 1) - 1 nodes."""
    rng = np.random.default_rng(seed)
    nodes = Nodes(roots=[0])

    def grow(cover: float, level: int) -> int:
        if level == depth:
            return nodes.add(cover=cover, value=rng.normal())
        node = nodes.add(cover=cover, feature=int(rng.integers(n_features)), threshold=rng.normal())
        nodes.rows[node]["left"] = grow(cover / 2, level + 1)
        nodes.rows[node]["right"] = grow(cover / 2, level + 1)
        return node

    grow(2.0**depth, 0)
    return nodes.build(n_features, [0.0], [0])
