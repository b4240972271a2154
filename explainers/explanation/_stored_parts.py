"""Whether the parts of an explanation are what they must be, and those of a stored one fit each other: types, shapes, names."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.bundles._facts import (
    anything,
    flag,
    list_of,
    mapping_of,
    number,
    one_of,
    optional,
    require,
    text,
    whole,
)
from automl_explain.explainers.explanation._kinds import KINDS

FIDELITY = {
    "n_rows": whole,
    "held_out": flag,
    "r2": number,
    "agreement": optional(number),
    "kl_divergence": optional(number),
}
"""What is stored of a `Fidelity`."""
FACTS = {
    "features": optional(list_of(text)),
    "classes": optional(list_of(anything)),
    "explanation_kind": one_of(*KINDS),
    "metric": optional(text),
    "output_space": text,
    "method": text,
    "reason": text,
    "is_raw": flag,
    "notes": list_of(text),
    "model_kind": optional(text),
    "coalition_r2": optional(number),
    "largest_error": optional(number),
    "input_shapes": optional(list_of(lambda pair: _is_shape(pair))),
    "fidelity": optional(mapping_of(FIDELITY)),
    "mirrored": optional(flag),
    "rows": optional(text),
    "members": optional(
        mapping_of({"names": list_of(text), "reason": text, "notes": list_of(text), "mirrored": optional(flag)})
    ),
}
"""What the manifest of an explanation holds, see `_storage.py`."""
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
TYPES: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(SHAPES, (np.ndarray, "an array of numbers, or None")),
    **dict.fromkeys(("features", "classes", "input_shapes"), ((tuple, list), "a tuple, or None")),
    "notes": ((tuple, list), "a tuple"),
    **dict.fromkeys(("output_space", "method", "reason", "kind"), (str, "text")),
    **dict.fromkeys(("model_kind", "metric"), (str, "text, or None")),
    **dict.fromkeys(("coalition_r2", "largest_error"), ((int, float, np.number), "a number, or None")),
}
"""Field -> the types that it may have, and what it must be."""


def check_types(explanation: Any) -> None:
    """Check the types of the fields of an explanation, which anybody may make.

    Raises
    ------
    InvalidInputError
        If one has another type; the message names it.
    """
    for name, (types, what) in TYPES.items():
        value = getattr(explanation, name)
        if value is None and what.endswith("or None"):
            continue
        if not isinstance(value, types):
            raise InvalidInputError(f"The {name!r} of an explanation must be {what}. Got {type(value).__name__}.")
        if types is np.ndarray and value.dtype.kind not in "fiub":
            raise InvalidInputError(f"The {name!r} of an explanation must be numbers. Got cells of type {value.dtype}.")


def check_parts(fields: Mapping[str, Any], members: Mapping[str, Any] | None) -> None:
    """Check the fields of an explanation, and those of its members, which were read from a file.

    Raises
    ------
    InvalidInputError
        If a field has another shape or type than the others ask for; the message names it.
    """
    sizes = _sizes(fields)
    if (groups := fields["group_sums"]) is not None:
        require(fields["group_sizes"] is not None and groups.ndim > 0, "group_sums")
        sizes["g"] = len(groups)
    _check_arrays(fields, SHAPES, sizes)
    require(fields["features"] is None or len(fields["features"]) == sizes["f"], "features")
    require(fields["classes"] is None or len(fields["classes"]) == sizes["K"], "classes")
    shapes = fields["input_shapes"]
    require(shapes is None or sum(prod(shape) for _, shape in shapes) == sizes["f"], "input_shapes")
    data, parents = fields["data"], fields["feature_map"]
    require(data is None or not sizes["n"] or len(data) == sizes["n"], "data")
    if parents is not None:
        require(parents.parent.ndim == 1 and len(parents.parent) == sizes["f"], "feature_map")
        require(parents.parent.dtype.kind in "iu", "feature_map")
        inside = (parents.parent >= 0).all() and (parents.parent < len(parents.raw_names)).all()
        require(bool(inside), "feature_map")
    if members is not None:
        sizes = {**sizes, "M": len(members["members"])}
        require(members["local_member_values"] is not None, "local_member_values")
        errors = "MCnf" if members["local_importance_values"] is not None else "MCn"
        _check_arrays(members, {**MEMBER_SHAPES, "standard_errors": errors}, sizes)


def _sizes(fields: Mapping[str, Any]) -> dict[str, int]:
    expected = fields["expected_values"]
    require(isinstance(expected, np.ndarray) and expected.ndim == 1 and len(expected) > 0, "expected_values")
    values, overall = fields["local_importance_values"], fields["global_values"]
    if values is not None:
        require(values.ndim == (2 if fields["classes"] is None else 3), "local_importance_values")
        return {"n": values.shape[-2], "f": values.shape[-1], "K": len(expected)}
    require(overall is not None and overall.ndim == 1, "global_values")
    return {"n": 0, "f": len(overall), "K": len(expected)}


def _check_arrays(fields: Mapping[str, Any], shapes: Mapping[str, str], sizes: Mapping[str, int]) -> None:
    classes = fields["classes"]
    for name, axes in shapes.items():
        array = fields[name]
        if array is None:
            continue
        require(isinstance(array, np.ndarray) and array.dtype.kind == "f", name)
        wanted = [(axis, sizes["K"] if axis == "C" else sizes.get(axis)) for axis in axes if axis != "C" or classes]
        require(array.ndim == len(wanted), name)
        fits = all(size is None or size == length for (_, size), length in zip(wanted, array.shape, strict=True))
        require(fits, name)


def _is_shape(pair: Any) -> bool:
    """Whether it is the name of an input of a network and its shape."""
    return isinstance(pair, list) and len(pair) == 2 and text(pair[0]) and list_of(whole)(pair[1])
