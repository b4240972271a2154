"""How an `Explanation` is laid out in a bundle.

Protocol 4, for explanations that share their rows
--------------------------------------------------
It is protocol 3 without the arrays and facts of the data. The manifest's `rows` is the digest of the rows, which are in a
bundle of their own, ``rows-<digest>.zip`` in the same folder, coded in the same way. A run history writes it, whose runs
explain the same rows; everything else is written in protocol 3.

Protocol 3
----------
Each array is stored only where there is one.

- Of the explanation: ``values``, ``expected``, ``predictions``, ``errors``, ``folds``, ``global``, ``class``,
  ``importances``, ``fidelity``, ``intercepts``, ``left_out``, ``groups`` and ``sizes`` of merged rows,
  and ``parent`` of the feature map. Of two classes whose values are each other's negative, ``values`` holds the second
  class only, and the manifest's `mirrored` is true.
- Of the data: ``data`` for an array; ``data.codes`` for an array of objects, with its cells in the manifest's `objects`;
  ``data.values``, ``data.indices`` and ``data.indptr`` for a sparse matrix, or a sparse array where the manifest's
  `sparse_array` is true; ``column.0``, ``column.1``, ... for a frame, with the coding of each in the manifest's `columns`, and
  ``index.0``, ... and ``labels.0``, ... for its index and column labels, with their codings in `index` and `labels`.
  `explainers/tables/_table_coding.py` has the codings. A table with a type that has none is refused.
- Of the members of an ensemble: ``members.totals``, ``members.values``, ``members.base``, ``members.errors`` and
  ``members.left_out``, coded as those of the explanation. The manifest's `members` holds names, reason and notes;
  everything else is shared with the explanation.

Class labels and cells of object columns that JSON does not have are pairs of a tag and a value
(`explainers/tables/_cell_coding.py`). The manifest's `explanation_kind` is the explanation's `kind`, and `metric` the metric
of a permutation importance.

Upgrading from protocol 2
-------------------------
It coded columns as numbers, as times in UTC or as categories with labels of text or numbers, an array of objects as a frame
without `names`, and an index only where it had a single level, as a column. It had no column labels but `names`. What these
codings lost, such as time zones and types with missing cells, is not known. They are still read.

Upgrading from protocol 1
-------------------------
It had neither `explanation_kind` nor `metric`. An explanation with ``importances`` was a permutation importance, and its
`output_space` the name of the metric; the output space of its model is not known and is read as "response". One with
``fidelity`` held weights of local linear models. Everything else held Shapley values.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.bundles._array_file import parts_that_fit, read_bundle, write_bundle
from automl_explain.explainers.bundles._facts import check_facts
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._stored_parts import FACTS, check_parts
from automl_explain.explainers.explanation._values import ExplanationValues
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell
from automl_explain.explainers.tables._sparse import check_indices
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.tables._table_coding import (
    decode_column,
    decode_index,
    decode_objects,
    encode_column,
    encode_index,
    encode_objects,
)

KIND = "explanation"
PROTOCOL = 3
SHARED_ROWS_PROTOCOL = 4
"""Protocol of explanations whose rows are in another file."""
ROWS_KIND = "rows"
ROWS_PROTOCOL = 1

_ARRAYS = {
    "values": "local_importance_values",
    "expected": "expected_values",
    "predictions": "predictions",
    "errors": "standard_errors",
    "folds": "fold_importances",
    "global": "global_values",
    "class": "class_values",
    "importances": "importances",
    "fidelity": "local_fidelity",
    "intercepts": "intercepts",
    "left_out": "left_out",
    "groups": "group_sums",
    "sizes": "group_sizes",
}
"""Member of the bundle -> field of the explanation."""
_SHARES = {
    "members.values": "local_importance_values",
    "members.totals": "local_member_values",
    "members.base": "member_expected_values",
    "members.errors": "standard_errors",
    "members.left_out": "left_out",
}
"""Member of the bundle -> field of a `MemberExplanation`."""
_SHARED = ("expected_values", "features", "classes", "output_space", "predictions", "data", "is_raw", "feature_map")
"""Fields that a `MemberExplanation` has in common with the `Explanation` that it is stored with."""


class StoredFields(NamedTuple):
    """Fields of an `Explanation` except `members`, and the fields of its `MemberExplanation`, if it has one."""

    explanation: dict[str, Any]
    members: dict[str, Any] | None


class EncodedRows(NamedTuple):
    """Rows as they are stored in a file of their own: a digest of their content, and the parts of the bundle."""

    digest: str
    manifest: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]


def encode_rows(table: Table) -> EncodedRows:
    """Return the parts of the bundle that holds a table alone, and a digest of them."""
    manifest: dict[str, Any] = {}
    arrays: dict[str, npt.NDArray[Any]] = {}
    _put_table(table, manifest, arrays)
    digest = hashlib.blake2b(json.dumps(manifest).encode(), digest_size=16)
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return EncodedRows(digest.hexdigest(), manifest, arrays)


def rows_file(folder: Path, digest: str) -> Path:
    """Return the file of the rows that explanations in a folder share."""
    return folder / f"rows-{digest}.zip"


def save_rows(folder: Path, rows: EncodedRows) -> None:
    """Write rows to a file of their own, unless it is there."""
    path = rows_file(folder, rows.digest)
    if not path.exists():
        write_bundle(path, ROWS_KIND, ROWS_PROTOCOL, rows.manifest, rows.arrays)


def save_values(
    path: str | os.PathLike[str], explanation: ExplanationValues, members: MemberValues | None, rows: str | None = None
) -> None:
    """Write an explanation, and the contributions of ensemble members if given, to one file.

    Parameters
    ----------
    path : path-like
        File to write.
    explanation : ExplanationValues
    members : MemberValues or None
    rows : str, optional
        Digest of the explanation's rows, which `save_rows` writes to the same folder. Default: they are in this file.
    """
    arrays = {member: array for member, name in _ARRAYS.items() if (array := getattr(explanation, name)) is not None}
    manifest: dict[str, Any] = {
        "features": explanation.features,
        "classes": None if explanation.classes is None else [coded_label(label) for label in explanation.classes],
        "explanation_kind": explanation.kind,
        "metric": explanation.metric,
        "output_space": explanation.output_space,
        "method": explanation.method,
        "reason": explanation.reason,
        "is_raw": explanation.is_raw,
        "notes": explanation.notes,
        "model_kind": explanation.model_kind,
        "coalition_r2": explanation.coalition_r2,
        "largest_error": explanation.largest_error,
        "input_shapes": explanation.input_shapes,
        "fidelity": None if explanation.fidelity is None else asdict(explanation.fidelity),
    }
    values = explanation.local_importance_values
    if values is not None and values.ndim == 3 and len(values) == 2 and np.array_equal(values[0], -values[1]):
        manifest["mirrored"] = True
        arrays["values"] = values[1:]
    if explanation.feature_map is not None:
        manifest["raw_names"] = explanation.feature_map.raw_names
        arrays["parent"] = explanation.feature_map.parent
    if rows is not None:
        manifest["rows"] = rows
    elif explanation.data is not None:
        _put_table(explanation.data, manifest, arrays)
    if members is not None:
        _put_members(members, manifest, arrays)
    write_bundle(path, KIND, PROTOCOL if rows is None else SHARED_ROWS_PROTOCOL, manifest, arrays)


def load_fields(path: str | os.PathLike[str]) -> StoredFields:
    """Read the fields of an explanation from its file, and from the file of its rows if it shares them.

    Raises
    ------
    InvalidInputError
        If it is no such file, or its parts do not fit each other.
    FormatVersionError
        If a newer version of automl-explain wrote it.
    """
    manifest, arrays = read_bundle(path, KIND, SHARED_ROWS_PROTOCOL)
    with parts_that_fit(path):
        fields = _fields(manifest, arrays, path)
        check_parts(fields.explanation, fields.members)
    return fields


def _fields(
    manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]], path: str | os.PathLike[str]
) -> StoredFields:
    for protocol in range(manifest["protocol"], PROTOCOL):
        _UPGRADES[protocol](manifest, arrays)
    check_facts(manifest, FACTS)
    if manifest.get("mirrored"):
        arrays["values"] = np.concatenate([-arrays["values"], arrays["values"]])
    fields: dict[str, Any] = {
        **{name: arrays.get(member) for member, name in _ARRAYS.items()},
        "features": None if manifest["features"] is None else tuple(manifest["features"]),
        "classes": None if manifest["classes"] is None else tuple(map(decode_cell, manifest["classes"])),
        "kind": manifest["explanation_kind"],
        "metric": manifest["metric"],
        "output_space": manifest["output_space"],
        "method": manifest["method"],
        "reason": manifest["reason"],
        "is_raw": manifest["is_raw"],
        "notes": tuple(manifest["notes"]),
        "model_kind": manifest.get("model_kind"),
        "coalition_r2": manifest.get("coalition_r2"),
        "largest_error": manifest.get("largest_error"),
        "input_shapes": _shapes(manifest.get("input_shapes")),
        "fidelity": Fidelity(**manifest["fidelity"]) if manifest.get("fidelity") else None,
        "data": _shared_rows(path, manifest["rows"]) if "rows" in manifest else _get_table(manifest, arrays),
        "feature_map": FeatureMap(tuple(manifest["raw_names"]), arrays["parent"]) if "parent" in arrays else None,
    }
    return StoredFields(fields, _get_members(fields, manifest["members"], arrays) if "members" in manifest else None)


def _shapes(stored: Any) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
    return None if stored is None else tuple((name, tuple(shape)) for name, shape in stored)


def _shared_rows(path: str | os.PathLike[str], digest: str) -> Table | None:
    if not digest.isalnum():
        raise InvalidInputError(f"{os.fspath(path)} is not a file that automl-explain wrote: its rows are {digest!r}.")
    return _get_table(*read_bundle(rows_file(Path(path).parent, digest), ROWS_KIND, ROWS_PROTOCOL))


def _upgrade_1(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Add the kind, which protocol 1 only implied by the arrays stored."""
    members = {"importances": "permutation", "fidelity": "local_linear"}
    manifest["explanation_kind"] = next((kind for member, kind in members.items() if member in arrays), "shapley")
    manifest["metric"] = None
    if manifest["explanation_kind"] == "permutation":
        manifest["metric"], manifest["output_space"] = manifest["output_space"], "response"


def _upgrade_2(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Describe an index, which protocol 2 stored as a column, as the only level of one."""
    if "index" in manifest:
        manifest["index"] = {"levels": [manifest["index"]], "names": [None], "multi": False}
        arrays["index.0"] = arrays.pop("index")
    elif "columns" in manifest:
        manifest["index"] = {"range": [0, len(arrays["column.0"]), 1], "names": [None]}


_UPGRADES = {1: _upgrade_1, 2: _upgrade_2}
"""Protocol -> function that upgrades a manifest and its arrays to the next protocol."""


def _put_members(members: MemberValues, manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    arrays |= {member: array for member, name in _SHARES.items() if (array := getattr(members, name)) is not None}
    manifest["members"] = {"names": members.members, "reason": members.reason, "notes": members.notes}
    values = members.local_importance_values
    if values is not None and values.ndim == 4 and values.shape[1] == 2 and np.array_equal(values[:, 0], -values[:, 1]):
        manifest["members"]["mirrored"] = True
        arrays["members.values"] = np.ascontiguousarray(values[:, 1:])


def _get_members(
    explanation: dict[str, Any], manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    if manifest.get("mirrored"):
        arrays["members.values"] = np.concatenate([-arrays["members.values"], arrays["members.values"]], axis=1)
    return {
        "members": tuple(manifest["names"]),
        "reason": manifest["reason"],
        "notes": tuple(manifest["notes"]),
        **{name: arrays.get(member) for member, name in _SHARES.items()},
        **{name: explanation[name] for name in _SHARED},
    }


def coded_label(label: Any) -> Any:
    """Return a class label as JSON: numbers of NumPy as those of Python, labels that cannot be stored as text."""
    if isinstance(label, np.generic) and label.dtype.kind in "biufSU":
        label = label.item()
    try:
        return encode_cell(label)
    except InvalidInputError:
        return str(label)


def _put_table(table: Table, manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    if table.is_sparse:
        arrays |= {"data.values": table.data.data, "data.indices": table.data.indices, "data.indptr": table.data.indptr}
        manifest["sparse_shape"], manifest["sparse_array"] = table.data.shape, isinstance(table.data, sparse.sparray)
    elif table.is_frame:
        frame = table.data
        columns = (frame.iloc[:, j] for j in range(frame.shape[1]))
        manifest["columns"] = [encode_column(column, f"column.{j}", arrays) for j, column in enumerate(columns)]
        manifest["index"] = encode_index(frame.index, "index", arrays)
        manifest["labels"] = encode_index(frame.columns, "labels", arrays)
        manifest["names"] = table.names
    elif table.data.dtype.kind == "O":
        manifest["objects"], parts = encode_objects(table.data)
        manifest["objects_shape"], arrays["data.codes"] = table.data.shape, parts[""]
    elif table.data.dtype.kind == "V":
        raise InvalidInputError(f"An array of the type {table.data.dtype} cannot be stored in a file.")
    else:
        arrays["data"] = table.data
    if not table.is_frame and table.names is not None:
        manifest["names"] = table.names


def _get_table(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Table | None:
    names = None if manifest.get("names") is None else tuple(manifest["names"])
    if "sparse_shape" in manifest:
        parts = (arrays["data.values"], arrays["data.indices"], arrays["data.indptr"])
        make = sparse.csr_array if manifest.get("sparse_array") else sparse.csr_matrix
        matrix = make(parts, shape=tuple(manifest["sparse_shape"]))
        check_indices(matrix, "The data of the explanation")
        return Table(matrix, names)
    if "objects" in manifest:
        cells = decode_objects(manifest["objects"], {"": arrays["data.codes"]})
        return Table(cells.reshape(manifest["objects_shape"]), names)
    if "columns" not in manifest:
        return Table(arrays["data"], names) if "data" in arrays else None
    read = [decode_column(how, f"column.{j}", arrays) for j, how in enumerate(manifest["columns"])]
    index = decode_index(manifest["index"], "index", arrays)
    columns = {
        j: pd.Series(column, copy=False, dtype=object if how["as"] == "object" else None).set_axis(index)
        for j, (how, column) in enumerate(zip(manifest["columns"], read, strict=True))
    }
    frame = pd.DataFrame(columns, index=index)
    if names is None:  # an array of objects, as protocol 2 stored it
        return Table(frame.to_numpy(dtype=object))
    frame.columns = decode_index(manifest["labels"], "labels", arrays) if "labels" in manifest else pd.Index(names)
    return Table(frame, names)
