"""How an `Explanation` is laid out in a bundle.

Protocol 2, the current one
---------------------------
Each array is stored only where there is one.

- Of the explanation: ``values``, ``expected``, ``predictions``, ``errors``, ``folds``, ``global``, ``class``,
  ``importances``, ``fidelity``, ``intercepts``, ``left_out``, and ``parent`` of the feature map. Of two classes whose values
  are each other's negative, ``values`` holds the second class only, and the manifest's `mirrored` is true.
- Of the data: ``data`` for an array; ``data.values``, ``data.indices`` and ``data.indptr`` for a sparse matrix; ``column.0``,
  ``column.1``, ... for a frame, with the coding of each in the manifest's `columns`.
- Of the members of an ensemble: ``members.totals``, ``members.values``, ``members.base``, ``members.errors`` and
  ``members.left_out``, coded as those of the explanation. The manifest's `members` holds names, reason and notes;
  everything else is shared with the explanation.

The manifest's `explanation_kind` is the explanation's `kind`, and `metric` the metric of a permutation importance.

Upgrading from protocol 1
-------------------------
It had neither `explanation_kind` nor `metric`. An explanation with ``importances`` was a permutation importance, and its
`output_space` the name of the metric; the output space of its model is not known and is read as "response". One with
``fidelity`` held weights of local linear models. Everything else held Shapley values.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers.explanation._bundle import read_bundle, write_bundle
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._values import ExplanationValues
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.tables._table import Table

KIND = "explanation"
PROTOCOL = 2

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


def save_values(path: str | os.PathLike[str], explanation: ExplanationValues, members: MemberValues | None) -> None:
    """Write an explanation, and the contributions of ensemble members if given, to one file."""
    arrays = {member: array for member, name in _ARRAYS.items() if (array := getattr(explanation, name)) is not None}
    manifest: dict[str, Any] = {
        "features": explanation.features,
        "classes": None if explanation.classes is None else [_plain(label) for label in explanation.classes],
        "explanation_kind": explanation.kind,
        "metric": explanation.metric,
        "output_space": explanation.output_space,
        "method": explanation.method,
        "reason": explanation.reason,
        "is_raw": explanation.is_raw,
        "notes": explanation.notes,
        "model_kind": explanation.model_kind,
        "fidelity": None if explanation.fidelity is None else asdict(explanation.fidelity),
    }
    values = explanation.local_importance_values
    if values is not None and values.ndim == 3 and len(values) == 2 and np.array_equal(values[0], -values[1]):
        manifest["mirrored"] = True
        arrays["values"] = values[1:]
    if explanation.feature_map is not None:
        manifest["raw_names"] = explanation.feature_map.raw_names
        arrays["parent"] = explanation.feature_map.parent
    if explanation.data is not None:
        _put_table(explanation.data, manifest, arrays)
    if members is not None:
        _put_members(members, manifest, arrays)
    write_bundle(path, KIND, PROTOCOL, manifest, arrays)


def load_fields(path: str | os.PathLike[str]) -> StoredFields:
    """Read the fields of an explanation from one file."""
    manifest, arrays = read_bundle(path, KIND, PROTOCOL)
    for protocol in range(manifest["protocol"], PROTOCOL):
        _UPGRADES[protocol](manifest, arrays)
    if manifest.get("mirrored"):
        arrays["values"] = np.concatenate([-arrays["values"], arrays["values"]])
    fields: dict[str, Any] = {
        **{name: arrays.get(member) for member, name in _ARRAYS.items()},
        "features": None if manifest["features"] is None else tuple(manifest["features"]),
        "classes": None if manifest["classes"] is None else tuple(manifest["classes"]),
        "kind": manifest["explanation_kind"],
        "metric": manifest["metric"],
        "output_space": manifest["output_space"],
        "method": manifest["method"],
        "reason": manifest["reason"],
        "is_raw": manifest["is_raw"],
        "notes": tuple(manifest["notes"]),
        "model_kind": manifest.get("model_kind"),
        "fidelity": Fidelity(**manifest["fidelity"]) if manifest.get("fidelity") else None,
        "data": _get_table(manifest, arrays),
        "feature_map": FeatureMap(tuple(manifest["raw_names"]), arrays["parent"]) if "parent" in arrays else None,
    }
    return StoredFields(fields, _get_members(fields, manifest["members"], arrays) if "members" in manifest else None)


def _upgrade_1(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Add the kind, which protocol 1 only implied by the arrays stored."""
    members = {"importances": "permutation", "fidelity": "local_linear"}
    manifest["explanation_kind"] = next((kind for member, kind in members.items() if member in arrays), "shapley")
    manifest["metric"] = None
    if manifest["explanation_kind"] == "permutation":
        manifest["metric"], manifest["output_space"] = manifest["output_space"], "response"


_UPGRADES = {1: _upgrade_1}
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


def _plain(label: Any) -> Any:
    """Return a class label as JSON can hold it: numbers and text unchanged, anything else as text."""
    label = label.item() if isinstance(label, np.generic) else label
    return label if isinstance(label, str | int | float | bool) else str(label)


def _put_table(table: Table, manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    if table.is_sparse:
        arrays |= {"data.values": table.data.data, "data.indices": table.data.indices, "data.indptr": table.data.indptr}
        manifest["sparse_shape"] = table.data.shape
    elif table.is_frame or table.data.dtype.kind not in "biuf":
        frame = table.data if table.is_frame else pd.DataFrame(table.data)
        if not frame.index.equals(pd.RangeIndex(len(frame))) and frame.index.nlevels == 1:
            manifest["index"], arrays["index"] = _code_column(frame.index.to_series())
        columns = [_code_column(frame.iloc[:, j]) for j in range(frame.shape[1])]
        manifest["columns"] = [how for how, _ in columns]
        manifest["names"] = table.names
        arrays |= {f"column.{j}": codes for j, (_, codes) in enumerate(columns)}
    else:
        arrays["data"] = table.data


def _code_column(series: pd.Series) -> tuple[dict[str, Any], npt.NDArray[Any]]:
    series = series.infer_objects()
    dtype = series.dtype
    if pd.api.types.is_bool_dtype(dtype) and not series.hasnans:
        return {"as": "number"}, series.to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        plain = isinstance(dtype, np.dtype)
        return {"as": "number"}, series.to_numpy() if plain else series.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(dtype):
        utc = series.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(dtype, "tz", None) is not None else series
        times = utc.to_numpy()
        return {"as": "time", "unit": np.datetime_data(times.dtype)[0]}, times.view(np.int64)
    category = series if isinstance(dtype, pd.CategoricalDtype) else series.astype(object).map(_text).astype("category")
    return {
        "as": "category",
        "labels": [_plain(label) for label in category.cat.categories],
    }, category.cat.codes.to_numpy()


def _text(cell: Any) -> Any:
    return cell if pd.api.types.is_scalar(cell) and pd.isna(cell) else str(cell)


def _get_table(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Table | None:
    if "sparse_shape" in manifest:
        parts = (arrays["data.values"], arrays["data.indices"], arrays["data.indptr"])
        return Table(sparse.csr_matrix(parts, shape=tuple(manifest["sparse_shape"])))
    if "columns" in manifest:
        read = [_decode_column(how, arrays[f"column.{j}"]) for j, how in enumerate(manifest["columns"])]
        frame = pd.DataFrame(dict(enumerate(read)))
        names = manifest["names"]
        if names is None:
            return Table(frame.to_numpy(dtype=object))
        frame.columns = pd.Index(names)
        if "index" in manifest:
            frame.index = pd.Index(_decode_column(manifest["index"], arrays["index"]))
        return Table(frame, tuple(names))
    return Table(arrays["data"]) if "data" in arrays else None


def _decode_column(how: dict[str, Any], codes: npt.NDArray[Any]) -> Any:
    if how["as"] == "category":
        return pd.Categorical.from_codes(codes, categories=how["labels"])
    return pd.Series(codes.view(f"datetime64[{how['unit']}]")) if how["as"] == "time" else codes
