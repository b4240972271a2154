"""Categories in CatBoost's JSON: the hashes that name them, and target statistics (CTR) of a column as functions of its category.

A model keeps a table of counts for each statistic, under a hash of the category: ``m * m * h`` modulo 2^64, with a fixed odd
number m and the hash h by which one-hot splits name the category. It can be inverted, so that the tables say which categories
there are. A category without counts has the statistic of no rows. A split on a statistic is then one on a set of categories.

A statistic of several columns is not a function of any one of them, and is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import MissingExtraError

Saved: TypeAlias = Mapping[str, Any]
"""A part of a model in CatBoost's JSON."""

CTR_SPLIT = "OnlineCtr"
"""Type of a split on a statistic."""
NO_CATEGORY = 2**64 - 1
"""Hash of the empty places of a table of counts."""
UNHASH = pow(0x4906BA494954CB65, -2, 2**64)
"""Inverse of CatBoost's m * m modulo 2^64."""
FREQUENCIES = ("Counter", "FeatureFreq")
"""Statistics that count the rows of a category."""
MEANS = ("BinarizedTargetMeanValue", "FloatTargetMeanValue")
"""Statistics with the sum of the targets of a category, and its rows."""


@dataclass(frozen=True, eq=False)
class Statistic:
    """A statistic of one column, as a function of its category.

    Parameters
    ----------
    column : int
        Position of the column in the table.
    values : mapping of int to float32
        Hash of each category with counts -> value.
    other : float32
        Value of any other category.
    borders : list of float
        Borders to which splits compare it.
    """

    column: int
    values: Mapping[int, np.float32]
    other: np.float32
    borders: Sequence[float]

    def left(self, border: float, codes: Mapping[int, int]) -> npt.NDArray[np.bool_]:
        """Return whether a split sends left the categories of these codes, 0, 1, ..., and after them any other one."""
        values = np.full(len(codes) + 1, self.other)
        for category, value in self.values.items():
            values[codes[category]] = value
        return np.asarray(values <= np.float32(border))


Codes: TypeAlias = Mapping[int, Mapping[int, int]]
"""Categorical column -> hash of each category that a split uses -> its code."""

Statistics: TypeAlias = Mapping[int, tuple[Statistic, float]]
"""Number of a split on a target statistic -> the statistic, and the border to which it is compared."""


def codes_of(columns: Sequence[Saved], statistics: Statistics) -> Codes:
    """Return a code for each category that a split uses."""
    codes: dict[int, dict[int, int]] = {
        int(column["flat_feature_index"]): {value: code for code, value in enumerate(column.get("values", []))}
        for column in columns
    }
    for statistic in dict.fromkeys(statistic for statistic, _ in statistics.values()):
        of_column = codes[statistic.column]
        for category in statistic.values:
            of_column.setdefault(category, len(of_column))
    return codes


def read_statistics(saved: Saved) -> Statistics | None:
    """Return the statistic and the border of each split on a statistic, by the number of the split.

    Splits are numbered through: borders of numbers, then values of one-hot columns, then borders of statistics.

    Parameters
    ----------
    saved : mapping
        A model in CatBoost's JSON.

    Returns
    -------
    dict, or None
        None if a statistic is of several columns, or of a kind that is not known.
    """
    features = saved["features_info"]
    columns = {part["feature_index"]: part["flat_feature_index"] for part in features.get("categorical_features", [])}
    number = sum(len(part.get("borders") or ()) for part in features.get("float_features", []))
    number += sum(len(part.get("values") or ()) for part in features.get("categorical_features", []))
    found: dict[int, tuple[Statistic, float]] = {}
    for part in features.get("ctrs", []):
        statistic = _read(part, saved.get("ctr_data", {}), columns)
        if statistic is None:
            return None
        for border in statistic.borders:
            found[number] = statistic, border
            number += 1
    return found


def _read(part: Saved, tables: Saved, columns: Mapping[int, int]) -> Statistic | None:
    """Return the statistic that a part of the JSON describes; None if it is not a function of one column."""
    elements = part["elements"]
    if len(elements) != 1 or elements[0]["combination_element"] != "cat_feature_value":
        return None
    table, kind = tables.get(part["identifier"]), part["ctr_type"]
    if table is None:
        return None
    stride, entries = table["hash_stride"], table["hash_map"]
    hashes = [_category(int(key)) for key in entries[::stride]]
    counts = np.array([entries[place::stride] for place in range(1, stride)], np.float64).astype(np.float32)
    if kind in FREQUENCIES:
        good, total, of_none = counts[0], np.float32(table["counter_denominator"]), table["counter_denominator"]
    elif kind in MEANS:
        (good, total), of_none = counts, 0
    elif kind == "Buckets":
        good, total, of_none = counts[part["target_border_idx"]], counts.sum(axis=0), 0
    elif kind == "Borders":
        good, total, of_none = counts[part["target_border_idx"] + 1 :].sum(axis=0), counts.sum(axis=0), 0
    else:
        return None
    # CatBoost computes in float32.
    prior, weight, shift, scale = (
        np.float32(part[name]) for name in ("prior_numerator", "prior_denomerator", "shift", "scale")
    )
    values = ((good + prior) / (total + weight) + shift) * scale
    other = (prior / (np.float32(of_none) + weight) + shift) * scale
    known = {category: value for category, value in zip(hashes, values, strict=True) if category is not None}
    return Statistic(columns[elements[0]["cat_feature_index"]], known, np.float32(other), part["borders"])


def _category(key: int) -> int | None:
    """Return the hash of the category of a key of a table, a signed integer of 32 bits; None for an empty place."""
    if key == NO_CATEGORY:
        return None
    category = key * UNHASH % 2**64
    return category - 2**64 if category >> 63 else category


def category_hash(text: str) -> int:
    """Return the number that identifies a category in a one-hot split of CatBoost.

    It is the low 32 bits of CityHash64, version 1.0, of the UTF-8 bytes, as a signed integer.
    """
    low = city_hash_64()(text.encode()) & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def city_hash_64() -> Callable[[bytes], int]:
    """Return CityHash64, version 1.0, of bytes; raise a `MissingExtraError` if its package is not installed."""
    try:
        from clickhouse_cityhash.cityhash import CityHash64
    except ImportError as error:
        raise MissingExtraError(
            "CatBoost models with categories need clickhouse-cityhash: pip install 'automl-explain[catboost]'"
        ) from error
    hash_64: Callable[[bytes], int] = CityHash64
    return hash_64
