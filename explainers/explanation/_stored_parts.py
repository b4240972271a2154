"""Whether the parts of a stored explanation fit each other: shapes, types, names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError

SHAPES: dict[str, str] = {
    "local_importance_values": "Cnf",
    "expected_values": "K",
    "predictions": "nK",
    "standard_errors": "Cnf",
    "fold_importances": "*f",
    "global_values": "f",
    "class_values": "Cf",
    "importances": "f*",
    "local_fidelity": "Cn",
    "intercepts": "Cn",
    "left_out": "Cn",
    "group_sums": "gCf",
    "group_sizes": "g",
}
"""Field -> its axes: n rows, f features, C classes, left out for a regression, K outputs, g groups, * any length."""
MEMBER_SHAPES: dict[str, str] = {
    "local_member_values": "MCn",
    "local_importance_values": "MCnf",
    "member_expected_values": "MK",
    "left_out": "MCn",
}
"""The same for the contributions of M members."""
TEXTS = ("output_space", "method", "reason")


def check_parts(fields: Mapping[str, Any], members: Mapping[str, Any] | None) -> None:
    """Check the fields of an explanation, and those of its members, which were read from a file.

    Raises
    ------
    InvalidInputError
        If a field has another shape or type than the others ask for; the message names it.
    """
    sizes = _sizes(fields)
    if (groups := fields["group_sums"]) is not None:
        _require(fields["group_sizes"] is not None and groups.ndim > 0, "group_sums")
        sizes["g"] = len(groups)
    _check_arrays(fields, SHAPES, sizes)
    for name in TEXTS:
        _require(isinstance(fields[name], str), name)
    for name in ("features", "notes"):
        _require(fields[name] is None or all(isinstance(one, str) for one in fields[name]), name)
    _require(fields["features"] is None or len(fields["features"]) == sizes["f"], "features")
    _require(fields["classes"] is None or len(fields["classes"]) == sizes["K"], "classes")
    data, parents = fields["data"], fields["feature_map"]
    _require(data is None or not sizes["n"] or len(data) == sizes["n"], "data")
    if parents is not None:
        _require(parents.parent.ndim == 1 and len(parents.parent) == sizes["f"], "feature_map")
        _require(parents.parent.dtype.kind in "iu", "feature_map")
        inside = (parents.parent >= 0).all() and (parents.parent < len(parents.raw_names)).all()
        _require(bool(inside), "feature_map")
    if members is not None:
        sizes = {**sizes, "M": len(members["members"])}
        _require(members["local_member_values"] is not None, "local_member_values")
        errors = "MCnf" if members["local_importance_values"] is not None else "MCn"
        _check_arrays(members, {**MEMBER_SHAPES, "standard_errors": errors}, sizes)


def _sizes(fields: Mapping[str, Any]) -> dict[str, int]:
    expected = fields["expected_values"]
    _require(isinstance(expected, np.ndarray) and expected.ndim == 1 and len(expected) > 0, "expected_values")
    values, overall = fields["local_importance_values"], fields["global_values"]
    if values is not None:
        _require(values.ndim == (2 if fields["classes"] is None else 3), "local_importance_values")
        return {"n": values.shape[-2], "f": values.shape[-1], "K": len(expected)}
    _require(overall is not None and overall.ndim == 1, "global_values")
    return {"n": 0, "f": len(overall), "K": len(expected)}


def _check_arrays(fields: Mapping[str, Any], shapes: Mapping[str, str], sizes: Mapping[str, int]) -> None:
    classes = fields["classes"]
    for name, axes in shapes.items():
        array = fields[name]
        if array is None:
            continue
        _require(isinstance(array, np.ndarray) and array.dtype.kind == "f", name)
        wanted = [(axis, sizes["K"] if axis == "C" else sizes.get(axis)) for axis in axes if axis != "C" or classes]
        _require(array.ndim == len(wanted), name)
        fits = all(size is None or size == length for (_, size), length in zip(wanted, array.shape, strict=True))
        _require(fits, name)


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise InvalidInputError(
            f"The stored explanation is damaged or was changed: its {name!r} does not fit the other parts."
        )
