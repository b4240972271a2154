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
_FACTS = ("output_space", "method", "reason", "level", "absent", "notes", "image_notes", "is_global", "model_kind")
"""Fields that the manifest holds as they are."""


def save_image_fields(path: str | os.PathLike[str], explanation: ImageValues) -> None:
    """Write an explanation to one file."""
    arrays = {member: array for member, name in _ARRAYS.items() if (array := getattr(explanation, name)) is not None}
    arrays["segments"] = arrays["segments"].astype(np.min_scalar_type(int(arrays["segments"].max())))
    form = explanation.form
    manifest = {
        **{name: getattr(explanation, name) for name in _FACTS},
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
    labels, form = manifest["labels"], manifest["form"]
    fields: dict[str, Any] = {name: arrays.get(member) for member, name in _ARRAYS.items()}
    return {
        **fields,
        **{name: manifest[name] for name in _FACTS},
        "segments": arrays["segments"].astype(np.intp),
        "kind": manifest["values_kind"],
        "notes": tuple(manifest["notes"]),
        "image_notes": tuple(map(tuple, manifest["image_notes"])),
        "classes": None if labels is None else tuple(map(decode_cell, labels)),
        "form": ImageForm(tuple(form["shape"]), form["channels"], form["dtype"], form["is_flat"]),
    }
