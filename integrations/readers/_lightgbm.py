"""Reader of LightGBM models, from the text format in which LightGBM saves them.

LightGBM compares in float64 and sends ``x <= threshold`` left. Each split has a missing type: with *NaN*, NaN goes to the
split's default side; with *Zero*, NaN and zero do; with *None*, NaN is compared as zero. A category is the integer part of
a number; missing, negative and unseen categories go right.

The raw score is additive. Its output space follows from the objective: see `SPACES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.compiled._thread_pools import one_thread_below
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Matrix, Opaque, OutputSpace, Predict
from automl_explain.explainers.trees._split_flags import (
    MISSING_LEFT,
    NAN_IS_ZERO,
    ZERO_IS_MISSING,
    ZERO_THRESHOLD,
)
from automl_explain.explainers.trees._tree_ensemble import Trees
from automl_explain.integrations.readers._checks import require_classes, require_fitted, task_of
from automl_explain.integrations.readers._matrix import category_columns, real_names, to_matrix
from automl_explain.integrations.readers._predictions import both_margins, both_probabilities, columns
from automl_explain.integrations.readers._preorder import in_preorder

Lines: TypeAlias = Mapping[str, list[str]]
"""Key of a ``key=value`` line of the trees -> its values, one per tree that has the line, in the order of the trees."""

SPACES: Mapping[str, OutputSpace] = {
    "binary": "log_odds",
    "multiclass": "log_odds",
    "multiclassova": "log_odds",
    "cross_entropy": "margin",
    "cross_entropy_lambda": "margin",
    "poisson": "margin",
    "gamma": "margin",
    "tweedie": "margin",
}
"""Objective -> output space of the raw score; for all other and custom objectives it is the response."""
SMALL_PREDICTION = 50_000
"""Rows times trees up to which LightGBM predicts on the calling thread, which takes it less than a millisecond."""
SMALL_MODEL = 100
"""Number of trees up to which it writes a model as text on the calling thread."""
CLASSIFIES = ("binary", "multiclass", "multiclassova")
"""Objectives whose labels are class numbers."""
CATEGORICAL = 1
"""Bit of the decision type that marks a categorical split; bit 2: missing values go left, bits 4 and 8: the missing type."""
FLAGS = np.zeros(16, dtype=np.uint8)
"""Flags of `Trees` by decision type of a numeric split, with missing type None, Zero or NaN."""
FLAGS[[0, 2]] = NAN_IS_ZERO
FLAGS[4], FLAGS[6] = ZERO_IS_MISSING, ZERO_IS_MISSING | MISSING_LEFT
FLAGS[10] = MISSING_LEFT


@dataclass(frozen=True)
class _Header:
    """The header that LightGBM writes before the trees."""

    objective: str
    space: OutputSpace
    averages: bool
    n_outputs: int
    n_features: int


def describe(model: Any) -> FittedModel:
    """Describe an LGBMClassifier, LGBMRegressor or LGBMRanker.

    With a custom objective, LightGBM predicts raw scores: the response of a regressor or ranker, or the margin of a
    classifier, which then has no probabilities.
    """
    require_fitted(model, "_Booster")
    classes = getattr(model, "classes_", None)
    return _describe(model.booster_, type(model).__name__, None if classes is None else tuple(classes.tolist()))


def describe_booster(booster: Any) -> FittedModel:
    """Describe a Booster; its classes are 0, 1, ..., as in its training labels."""
    return _describe(booster, "Booster", None)


def read_trees(booster: Any) -> Trees:
    """Read the trees of a booster up to its best iteration, if it has one, as its `predict` does.

    Parameters
    ----------
    booster : lightgbm.Booster

    Returns
    -------
    Trees
        The raw score; its mean over the iterations in random forest mode.

    Raises
    ------
    UnsupportedModelError
        If the leaves have linear models.
    """
    structure = _read(*_parse(booster))
    if isinstance(structure, Opaque):
        raise UnsupportedModelError(
            f"Cannot read a LightGBM model as trees: {structure.why}. Train with linear_tree=False."
        )
    return structure


# ---------------------------------------------------------------------------------------------------- description


def _describe(booster: Any, name: str, classes: tuple[Any, ...] | None) -> FittedModel:
    require_classes(name, classes)
    header, lines = _parse(booster)
    structure = _read(header, lines)
    if classes is None and (header.objective in CLASSIFIES or header.n_outputs > 1):
        classes = tuple(range(max(2, header.n_outputs)))
    space: OutputSpace = "margin" if classes and header.space == "response" else header.space
    return FittedModel(
        outputs=_outputs(booster, header, len(lines["num_leaves"]) // header.n_outputs, space, bool(classes)),
        output_space=space,
        task=task_of(classes),
        structure=structure,
        classes=classes,
        feature_names=real_names(booster.feature_name(), "Column_{}"),
        n_features=header.n_features,
        encode=partial(_encode, booster.pandas_categorical or []),
        name=name,
    )


def _outputs(
    booster: Any, header: _Header, n_rounds: int, space: OutputSpace, has_classes: bool
) -> dict[OutputSpace, Predict]:
    # In random forest mode, LightGBM's raw score is a sum, but its prediction is the link of a mean.
    raw = partial(_raw_score, booster, n_rounds if header.averages else 1)
    if not has_classes:
        return {space: partial(columns, raw), "response": partial(columns, partial(_predict, booster))}
    is_binary = header.n_outputs == 1
    outputs: dict[OutputSpace, Predict] = {space: partial(both_margins if is_binary else columns, raw)}
    if header.objective:
        outputs["probability"] = partial(both_probabilities if is_binary else columns, partial(_predict, booster))
    return outputs


def _raw_score(booster: Any, divisor: int, table: Any) -> Any:
    return _predict(booster, table, raw_score=True) / divisor


def _predict(booster: Any, table: Any, **options: Any) -> Any:
    """Predict; convert csr arrays and Arrow-backed pandas columns, which LightGBM does not accept."""
    if isinstance(table, sparse.csr_array):
        table = sparse.csr_matrix(table)
    elif isinstance(table, pd.DataFrame):
        kept = [number for number, dtype in enumerate(table.dtypes) if isinstance(dtype, pd.ArrowDtype)]
        table = table.copy(deep=False) if kept else table
        for number in kept:  # by position, since labels need not be strings
            table.isetitem(number, table.iloc[:, number].to_numpy(np.float64, na_value=np.nan))
    with one_thread_below(table.shape[0] * booster.num_trees(), SMALL_PREDICTION):
        return booster.predict(table, **options)


def _encode(categories: list[list[Any]], table: Any) -> Matrix:
    """Replace the columns of category dtype, in their order, by codes of the categories seen in training."""
    numbers = category_columns(table)
    if numbers and len(numbers) != len(categories):
        raise InvalidInputError(
            f"The model was trained on {len(categories)} columns of category dtype. Got {len(numbers)}: "
            f"{[str(table.columns[number]) for number in numbers]}."
        )
    return to_matrix(table, dict(zip(numbers, categories, strict=False)))


# ---------------------------------------------------------------------------------------------------- text to Trees


def _parse(booster: Any) -> tuple[_Header, Lines]:
    with one_thread_below(booster.num_trees(), SMALL_MODEL):
        head, _, body = booster.model_to_string().partition("\nTree=")
    entries = dict(line.partition("=")[::2] for line in head.splitlines())
    objective, *options = entries.get("objective", "").split() or [""]
    space = SPACES.get(objective, "margin" if "sqrt" in options else "response")
    is_scaled = any(option.startswith("sigmoid:") and float(option[8:]) != 1 for option in options)
    header = _Header(
        objective=objective,
        space="margin" if is_scaled else space,
        averages="average_output" in entries,
        n_outputs=int(entries["num_tree_per_iteration"]),
        n_features=int(entries["max_feature_idx"]) + 1,
    )
    lines: dict[str, list[str]] = {}
    for line in body.partition("\nend of trees")[0].splitlines():
        key, _, value = line.partition("=")
        lines.setdefault(key, []).append(value)
    if not lines:
        raise UnsupportedModelError("This LightGBM model has no trees. Train it for at least one iteration.")
    return header, lines


def _read(header: _Header, lines: Lines) -> Trees | Opaque:
    if "1" in lines.get("is_linear", ()):
        return Opaque("its leaves have linear models (linear_tree=True)")
    n_leaves = _numbers(lines["num_leaves"], np.int64)
    size = 2 * n_leaves - 1
    root = np.cumsum(size) - size
    # For each tree, the inner nodes come first, then the leaves.
    inner, leaf = _ranges(root, n_leaves - 1), _ranges(root + n_leaves - 1, n_leaves)
    tree = np.repeat(np.arange(len(root)), n_leaves - 1)
    total = int(size.sum())

    def child(key: str) -> npt.NDArray[np.int64]:
        number = _numbers(lines[key], np.int64)  # c < 0 is the leaf ~c
        return np.asarray(root[tree] + np.where(number < 0, n_leaves[tree] - 1 + ~number, number))

    decision = _numbers(lines["decision_type"], np.int64)
    threshold = _numbers(lines["threshold"], np.float64)
    is_category = (decision & CATEGORICAL) > 0
    first, words, categories = _bit_sets(lines, tree[is_category], threshold[is_category].astype(np.int64))
    cover = np.empty(total)
    cover[inner] = _numbers(lines["internal_count"], np.float64)
    cover[leaf] = _numbers([count or "0" for count in lines["leaf_count"]], np.float64)
    n_rounds = len(root) // header.n_outputs
    values = _numbers(lines["leaf_value"], np.float64) / (n_rounds if header.averages else 1)
    return in_preorder(
        Trees(
            roots=root.astype(np.int32),
            left=_at(inner, child("left_child"), total, -1, np.int32),
            right=_at(inner, child("right_child"), total, -1, np.int32),
            feature=_at(inner, _numbers(lines["split_feature"], np.int64), total, -1, np.int32),
            threshold=_at(inner, np.where(is_category, 0.0, _outside_zero(threshold)), total, 0, np.float64),
            flags=_at(inner, np.where(is_category, 0, FLAGS[decision & 15]), total, 0, np.uint8),
            category_start=_at(inner[is_category], first, total, -1, np.int32),
            category_size=_at(inner[is_category], words, total, 0, np.int32),
            categories=categories,
            cover=cover,
            values=_at(leaf, values, total, 0, np.float64)[:, None],
            output=np.tile(np.arange(header.n_outputs), n_rounds).astype(np.int32),
            base=np.zeros(header.n_outputs),
            n_features=header.n_features,
        )
    )


def _outside_zero(threshold: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Move thresholds of magnitude up to 1e-35 to the border of this interval.

    LightGBM replaces all numbers in this interval by zero before it compares them.
    """
    below = np.nextafter(-ZERO_THRESHOLD, -np.inf)
    near = np.abs(threshold) <= ZERO_THRESHOLD
    return np.where(near, np.where(threshold < 0, below, ZERO_THRESHOLD), threshold)


def _bit_sets(
    lines: Lines, tree: npt.NDArray[np.int64], number: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Return the first word and the number of words of the bit sets `number` of the trees `tree`, and all words.

    A tree with n bit sets has n + 1 boundaries; a tree without bit sets has no such line.
    """
    boundaries = _numbers(lines.get("cat_boundaries", []), np.int64)
    n_sets = _numbers(lines["num_cat"], np.int64)
    n_boundaries = np.where(n_sets > 0, n_sets + 1, 0)
    start = np.cumsum(n_boundaries) - n_boundaries
    n_words = np.zeros(len(n_sets), dtype=np.int64)
    n_words[n_sets > 0] = boundaries[(start + n_sets)[n_sets > 0]]
    first_word = np.cumsum(n_words) - n_words
    low, high = boundaries[start[tree] + number], boundaries[start[tree] + number + 1]
    words = _numbers(lines.get("cat_threshold", []), np.int64).astype(np.uint32)
    return first_word[tree] + low, high - low, words


def _numbers(texts: list[str], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.fromstring(" ".join(text for text in texts if text), dtype=dtype, sep=" ")


def _ranges(start: npt.NDArray[np.int64], length: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return start[0], start[0] + 1, ... `length[0]` numbers, then those of start[1], and so on."""
    return np.asarray(np.arange(length.sum()) + np.repeat(start - (np.cumsum(length) - length), length))


def _at(
    nodes: npt.NDArray[np.int64], values: npt.NDArray[Any], total: int, other: int, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Return an array with `values` at `nodes` and `other` elsewhere."""
    array = np.full(total, other, dtype=dtype)
    array[nodes] = values
    return array
