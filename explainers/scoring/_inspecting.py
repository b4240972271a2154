"""What is read of a bundle without its explainer: its manifest, whether it is whole, the importance in training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import ExplanationNotFoundError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.scoring._bundle import open_manifest, read_bundle
from automl_explain.explainers.scoring.columns._schema import Schema
from automl_explain.explainers.scoring.external._bundled_format import format_among

IMPORTANCE = "importance.explanation"
"""File of the global importance in training."""
BROKEN = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError)
"""What a manifest of another form leads to."""


@checked
def inspect_bundle(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what the manifest of a bundle says, without reading its arrays.

    Parameters
    ----------
    directory : path-like
        What `save` wrote.

    Returns
    -------
    dict
        With the keys "kind", "format", "schema", "classes", "output_space", "model_name", "method", "versions",
        "fingerprint", "facts", "bytes", "files", "signed"; "external": the class of the model that has to be passed to
        `load`, or None; and "model_file": the "format" of the model in the bundle, its "class", the "packages" that reading it
        needs, and "runs_code", whether it has to be allowed; None if it is stored as data or passed.

    Raises
    ------
    InvalidInputError
        If there is no bundle, or its manifest is damaged.
    FormatVersionError
        If a newer version wrote it.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import TabularExplainer, inspect_bundle, save, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = save(scoring_explainer(TabularExplainer(Ridge().fit(X, y), X)), f"{folder}/bundle")
    ...     about = inspect_bundle(saved)
    >>> about["kind"], about["model_name"], about["output_space"], about["signed"]
    ('linear', 'Ridge', 'response', False)
    """
    path = Path(directory)
    manifest, signed = open_manifest(path)
    try:
        return {**_facts_of(manifest), "signed": signed}
    except BROKEN as error:
        raise not_described(path, error) from error


def _facts_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of a manifest, which may be anyone's."""
    stored, external, classes = manifest["explainer"], manifest["explainer"].get("external"), manifest["classes"]
    form = format_among(name.rpartition("/")[2] for name in manifest["files"])
    class_path = None if external is None else str(external["class_path"])
    in_bundle = None
    if form is not None and external is not None:
        packages = tuple(map(str, external.get("packages") or form.packages))
        in_bundle = {"format": form.name, "class": class_path, "packages": packages, "runs_code": form.runs_code}
    sizes = [facts["size"] for facts in manifest["files"].values()]
    return {
        "kind": str(stored["kind"]),
        "external": None if in_bundle else class_path,
        "model_file": in_bundle,
        "format": manifest["format"],
        "schema": Schema.of_json(manifest["schema"]).as_json(),
        "classes": None if classes is None else list(classes),
        **{key: str(manifest[key]) for key in ("output_space", "model_name", "method", "fingerprint")},
        **{key: {str(name): value for name, value in manifest[key].items()} for key in ("versions", "facts")},
        "bytes": sum(sizes),
        "files": len(sizes),
    }


def bundled_importance(directory: str | os.PathLike[str]) -> Explanation:
    """Return the global importance in training that a bundle keeps; errors as in `load`. No model is needed.

    Raises
    ------
    ExplanationNotFoundError
        If the bundle keeps none.
    """
    found = importance_among(read_bundle(Path(directory))[2])
    if found is None:
        raise ExplanationNotFoundError(
            f"The bundle {directory} keeps no importance of training. Save one made from a run or from the result of "
            "explain_model, or save(scoring_explainer(explainer).with_importance(explainer.explain_global(X_train)), directory)."
        )
    return found


def check_bundle(directory: str | os.PathLike[str]) -> None:
    """Check the hash of each file of a bundle, and its signature; errors as in `load`. No model is needed."""
    read_bundle(Path(directory))


def importance_file(importance: Explanation | None) -> dict[str, bytes]:
    """Return the file of a bundle that keeps the importance in training, if there is one."""
    if importance is None:
        return {}
    with TemporaryDirectory() as folder:
        place = Path(folder) / IMPORTANCE
        importance.save(place)
        return {IMPORTANCE: place.read_bytes()}


def importance_among(files: Mapping[str, bytes]) -> Explanation | None:
    """Return the importance in training that is among the files of a bundle; None if none is."""
    if IMPORTANCE not in files:
        return None
    with TemporaryDirectory() as folder:
        place = Path(folder) / IMPORTANCE
        place.write_bytes(files[IMPORTANCE])
        found: Explanation = Explanation.load(place)
    return found


def not_described(path: Path, error: Exception) -> InvalidInputError:
    """Return the error of a manifest of another form."""
    return InvalidInputError(
        f"The manifest of {path} does not describe a scoring explainer: {type(error).__name__}: {error}."
    )
