"""The file of an `ImageExplanation`: a bundle of arrays and a manifest, see `explainers/bundles/_array_file.py`.

Protocol 1: arrays ``values``, ``base``, ``outputs``, ``segments``, ``images``, ``classes`` (the class of each output of each
image) and, if there are any, ``errors`` and ``r2``. The manifest holds the other fields, with class labels coded as in
`explainers/tables/_cell_coding.py`.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.bundles._array_file import parts_that_fit, read_bundle, write_bundle
from automl_explain.explainers.bundles._facts import (
    anything,
    check_arrays,
    check_facts,
    flag,
    list_of,
    mapping_of,
    one_of,
    optional,
    text,
    whole,
)
from automl_explain.explainers.explanation._kinds import KINDS
from automl_explain.explainers.explanation._storage import coded_label
from automl_explain.explainers.image._images import ImageForm
from automl_explain.explainers.image._values import ImageValues
from automl_explain.explainers.tables._cell_coding import decode_cell

KIND = "image explanation"
PROTOCOL = 1

_ARRAYS = {
    "values": "local_importance_values",
    "base": "base_values",
    "outputs": "outputs",
    "segments": "segments",
    "images": "images",
    "classes": "class_numbers",
    "errors": "standard_errors",
    "r2": "coalition_r2",
}
"""Member of the bundle -> field of the explanation."""
PLAIN = {
    "output_space": text,
    "method": text,
    "reason": text,
    "level": text,
    "absent": text,
    "notes": list_of(text),
    "image_notes": list_of(list_of(text)),
    "is_global": flag,
    "model_kind": optional(text),
}
"""Fields that the manifest holds as they are."""
FORM = {"shape": list_of(whole), "channels": one_of("none", "first", "last"), "dtype": text, "is_flat": flag}
FACTS = {
    **PLAIN,
    "values_kind": one_of(*KINDS),
    "labels": optional(list_of(anything)),
    "form": lambda part: mapping_of(FORM)(part) and len(part["shape"]) == (2 if part["channels"] == "none" else 3),
}
"""What the manifest holds."""
ARRAYS = {"values": "f", "base": "f", "outputs": "f", "segments": "iu", "images": "biuf", "classes": "iu", "errors": "f",
          "r2": "f"}  # fmt: skip
"""Array -> kinds of its dtype."""


def save_image_fields(path: str | os.PathLike[str], explanation: ImageValues) -> None:
    """Write an explanation to one file."""
    arrays = {member: array for member, name in _ARRAYS.items() if (array := getattr(explanation, name)) is not None}
    arrays["segments"] = arrays["segments"].astype(np.min_scalar_type(int(arrays["segments"].max())))
    form = explanation.form
    manifest = {
        **{name: getattr(explanation, name) for name in PLAIN},
        "values_kind": explanation.kind,
        "labels": None if explanation.classes is None else [coded_label(label) for label in explanation.classes],
        "form": {"shape": form.shape, "channels": form.channels, "dtype": form.dtype, "is_flat": form.is_flat},
    }
    write_bundle(path, KIND, PROTOCOL, manifest, arrays)


def load_image_fields(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the fields of an explanation from its file."""
    manifest, arrays = read_bundle(path, KIND, PROTOCOL)
    with parts_that_fit(path):
        return _fields(manifest, arrays)


def _fields(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    check_facts(manifest, FACTS)
    check_arrays(arrays, ARRAYS, missing=("errors", "r2"))
    np.dtype(manifest["form"]["dtype"])  # raises for what is none
    labels, form = manifest["labels"], manifest["form"]
    fields: dict[str, Any] = {name: arrays.get(member) for member, name in _ARRAYS.items()}
    return {
        **fields,
        **{name: manifest[name] for name in PLAIN},
        "segments": arrays["segments"].astype(np.intp),
        "kind": manifest["values_kind"],
        "notes": tuple(manifest["notes"]),
        "image_notes": tuple(map(tuple, manifest["image_notes"])),
        "classes": None if labels is None else tuple(map(decode_cell, labels)),
        "form": ImageForm(tuple(form["shape"]), form["channels"], form["dtype"], form["is_flat"]),
    }
