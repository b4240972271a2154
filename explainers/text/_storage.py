"""How a `TextExplanation` is laid out in a bundle.

Protocol 1
----------
Arrays, over the players of all texts one after the other: ``values`` and, if a text has any, ``errors``, both (K, players);
``errors`` is NaN in texts without. ``spans`` (places, 2) and ``places`` (players,), the number of places of each player.
``sentences`` (sentences, 2). ``also.*`` (K, players), further measures, NaN in texts without. ``base`` (n, K), and ``outputs``
(n, K), NaN for a text whose outputs are not known.

The manifest's `documents` has the text, its words, its notes and the number of its sentences. The other fields are those of
the explanation, with class labels coded as cells (`explainers/tables/_cell_coding.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.bundles._array_file import parts_that_fit, read_bundle, write_bundle
from automl_explain.explainers.bundles._facts import (
    anything,
    check_arrays,
    check_facts,
    list_of,
    mapping_of,
    number,
    one_of,
    optional,
    require,
    text,
    whole,
)
from automl_explain.explainers.deletion._faithfulness import Faithfulness
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._kinds import KINDS
from automl_explain.explainers.explanation._storage import coded_label
from automl_explain.explainers.explanation._stored_parts import FIDELITY
from automl_explain.explainers.tables._cell_coding import decode_cell
from automl_explain.explainers.text._text_values import ExplainedTexts, TextValues

KIND = "text explanation"
PROTOCOL = 1
ALSO = "also."
"""Before the names of further measures."""

ABOUT = {
    "output_space": text,
    "method": text,
    "reason": text,
    "level": text,
    "notes": list_of(text),
    "kind": one_of(*KINDS),
    "model_kind": optional(text),
}
"""Fields that JSON has as they are; the bundle's own `kind` is another, so that they are in a mapping of their own."""
FACTS = {
    "about": mapping_of(ABOUT),
    "classes": optional(list_of(anything)),
    "fidelity": optional(mapping_of(FIDELITY)),
    "faithfulness": optional(
        mapping_of({"rankings": list_of(text), "share": number, "unit": text, "notes": list_of(text)})
    ),
    "documents": list_of(
        mapping_of({"text": text, "words": list_of(text), "notes": list_of(text), "sentences": whole})
    ),
}
"""What the manifest holds."""
ARRAYS = {"values": "f", "base": "f", "outputs": "f", "errors": "f", "spans": "iu", "places": "iu", "sentences": "iu"}
"""Array -> kinds of its dtype."""


def save_texts(path: str | os.PathLike[str], explanation: ExplainedTexts) -> None:
    """Write an explanation of texts to one file."""
    documents, classes, n_outputs = explanation.documents, explanation.classes, explanation.num_outputs
    manifest = {
        "about": {name: getattr(explanation, name) for name in ABOUT},
        "classes": None if classes is None else [coded_label(label) for label in classes],
        "fidelity": None if explanation.fidelity is None else asdict(explanation.fidelity),
        "faithfulness": None if explanation.faithfulness is None else explanation.faithfulness.to_dict(),
        "documents": [
            {"text": one.text, "words": one.words, "notes": one.notes, "sentences": len(one.sentences)}
            for one in documents
        ],
    }
    spans = [span for one in documents for player in one.spans for span in player]
    sentences = [span for one in documents for span in one.sentences]
    arrays: dict[str, npt.NDArray[Any]] = {
        "values": _joined([one.values for one in documents], n_outputs),
        "spans": np.array(spans, np.int64).reshape(-1, 2),
        "places": np.array([len(player) for one in documents for player in one.spans], np.int64),
        "sentences": np.array(sentences, np.int64).reshape(-1, 2),
        "base": np.array([one.base_values for one in documents], float).reshape(-1, n_outputs),
        "outputs": np.array([_or_nan(one.outputs, one.base_values) for one in documents]).reshape(-1, n_outputs),
    }
    if any(one.standard_errors is not None for one in documents):
        arrays["errors"] = _joined([_or_nan(one.standard_errors, one.values) for one in documents], n_outputs)
    for name in sorted({name for one in documents for name in one.also}):
        also = [_or_nan(one.also.get(name), one.values) for one in documents]
        arrays[f"{ALSO}{name}"] = _joined(also, n_outputs)
    write_bundle(path, KIND, PROTOCOL, manifest, arrays)


def load_fields(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the fields of a `TextExplanation` from its file."""
    manifest, arrays = read_bundle(path, KIND, PROTOCOL)
    with parts_that_fit(path):
        return _fields(manifest, arrays)


def _fields(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    check_facts(manifest, FACTS)
    check_arrays(arrays, ARRAYS, missing=("errors",))
    stored = manifest["documents"]
    players = np.cumsum([0, *(len(one["words"]) for one in stored)])
    places = np.cumsum([0, *arrays["places"].tolist()])
    sentences = np.cumsum([0, *(one["sentences"] for one in stored)])
    n_outputs = 1 if manifest["classes"] is None else len(manifest["classes"])
    wanted = {
        "values": (n_outputs, players[-1]),
        "errors": (n_outputs, players[-1]),
        "places": (players[-1],),
        "spans": (places[-1], 2),
        "sentences": (sentences[-1], 2),
        "base": (len(stored), n_outputs),
        "outputs": (len(stored), n_outputs),
    }
    for name, array in arrays.items():
        shape = wanted["values" if name.startswith(ALSO) else name]
        if array.shape != shape:
            raise ValueError(f"{name} has the shape {array.shape}, not {shape}")
    require(bool((arrays["places"] >= 0).all()), "places")
    for name, counts in (("spans", np.diff(places[players])), ("sentences", np.diff(sentences))):
        starts, ends = arrays[name].T
        lengths = np.repeat([len(one["text"]) for one in stored], counts)
        require(bool(((starts >= 0) & (starts <= ends) & (ends <= lengths)).all()), name)
    documents = []
    for row, one in enumerate(stored):
        first, last = players[row], players[row + 1]
        documents.append(
            TextValues(
                text=one["text"],
                words=tuple(one["words"]),
                spans=tuple(_pairs(arrays["spans"][places[j] : places[j + 1]]) for j in range(first, last)),
                sentences=_pairs(arrays["sentences"][sentences[row] : sentences[row + 1]]),
                values=arrays["values"][:, first:last],
                base_values=arrays["base"][row],
                outputs=_or_none(arrays["outputs"][row]),
                standard_errors=_or_none(arrays["errors"][:, first:last]) if "errors" in arrays else None,
                notes=tuple(one["notes"]),
                also=_also(arrays, slice(first, last)),
            )
        )
    about = manifest["about"]
    return {
        **{name: about[name] for name in ABOUT},
        "documents": tuple(documents),
        "classes": None if manifest["classes"] is None else tuple(map(decode_cell, manifest["classes"])),
        "notes": tuple(about["notes"]),
        "fidelity": None if manifest["fidelity"] is None else Fidelity(**manifest["fidelity"]),
        "faithfulness": Faithfulness.from_dict(manifest["faithfulness"]) if manifest.get("faithfulness") else None,
    }


def _also(arrays: Mapping[str, npt.NDArray[Any]], players: slice) -> dict[str, npt.NDArray[np.float64]]:
    parts = {name.removeprefix(ALSO): array[:, players] for name, array in arrays.items() if name.startswith(ALSO)}
    return {name: part for name, part in parts.items() if not np.isnan(part).any()}


def _joined(parts: Sequence[npt.NDArray[Any]], n_outputs: int) -> npt.NDArray[np.float64]:
    return np.concatenate([np.empty((n_outputs, 0)), *parts], axis=1)


def _or_nan(array: npt.NDArray[Any] | None, like: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.full(like.shape, np.nan) if array is None else np.asarray(array, float)


def _or_none(array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    return None if array.size and np.isnan(array).all() else array


def _pairs(spans: npt.NDArray[Any]) -> tuple[tuple[int, int], ...]:
    return tuple((int(start), int(end)) for start, end in spans)
