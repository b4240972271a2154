"""`save` and `load`: scoring explainers in bundles."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.methods._settings import SamplingOptions, Settings
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.scoring._bundle import MOST_BYTES, open_manifest, read_bundle, write_bundle
from automl_explain.explainers.scoring._column_map import decode_map, encode_map
from automl_explain.explainers.scoring._explainer import KINDS, ScoringExplainer
from automl_explain.explainers.scoring._model_coding import Arrays, decode_model, encode_model, floats, require
from automl_explain.explainers.scoring._schema import Column, Schema
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell

PACKAGES = ("automl-explain", "numpy", "pandas", "scipy", "numba", "scikit-learn", "lightgbm", "xgboost")
"""Packages whose versions a manifest records."""
BROKEN = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError)
"""What a manifest of another form leads to."""


def save(
    scoring_explainer: ScoringExplainer,
    directory: str | os.PathLike[str],
    exist_ok: bool = False,
    *,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Save a scoring explainer as a bundle: a manifest and arrays, without pickle.

    With a key in the environment variable AUTOML_EXPLAIN_BUNDLE_KEY the bundle is signed.

    Parameters
    ----------
    scoring_explainer : ScoringExplainer
    directory : path-like
        Directory to write, or a name that ends in ``.zip`` for one file.
    exist_ok : bool, default False
        Whether the directory may exist. A bundle in it is replaced; other files stay.
    facts : mapping, optional
        Anything to record in the manifest, as JSON has it, such as the run of a search. Default: nothing.

    Returns
    -------
    Path
        The directory or file.

    Raises
    ------
    InvalidInputError
        If the directory exists and `exist_ok` is False, or the object is no scoring explainer.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import LinearExplainer, load, save, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = scoring_explainer(LinearExplainer(Ridge().fit(X, y), X))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(scorer, directory=f"{folder}/bundle")).explain(X.iloc[:3]).shape
    (3, 10)
    """
    if not isinstance(scoring_explainer, ScoringExplainer):
        raise InvalidInputError(
            f"The 'scoring_explainer' parameter must be a scoring explainer, such as scoring_explainer(explainer) returns. Got "
            f"{type(scoring_explainer).__name__}."
        )
    arrays: Arrays = {}
    scorer = scoring_explainer._scorer
    explainer: dict[str, Any] = {
        "kind": scorer.kind,
        "engine": scorer.engine_name,
        "settings": {"sampling": asdict(scorer.settings.sampling), "random_state": scorer.settings.random_state},
        "features": scorer.features,
        "is_raw": scorer.is_raw,
        "is_raw_space": scorer.is_raw_space,
        "n_players": scorer.n_players,
        "reason": scorer.reason,
        "notes": scorer.notes,
        "subset": None if scorer.subset is None else [encode_cell(one) for one in scorer.subset],
        "fidelity": None if scorer.fidelity is None else asdict(scorer.fidelity),
        "raw_names": None if scorer.feature_map is None else scorer.feature_map.raw_names,
        "intake": encode_map(scorer.intake, "intake", arrays),
        "model": encode_model(scorer.model, "model", arrays),
    }
    if scorer.feature_map is not None:
        arrays["parent"] = scorer.feature_map.parent
    optional = {"background": scorer.background, "weights": scorer.weights, "players": scorer.players}
    arrays |= {name: array for name, array in optional.items() if array is not None}
    model = scorer.model
    manifest: dict[str, Any] = {
        "schema": {"named": scorer.schema.named, "columns": [column.as_json() for column in scorer.schema.columns]},
        "classes": None if scorer.classes is None else [encode_cell(_plain(label)) for label in scorer.classes],
        "output_space": model.output_space,
        "model_name": model.name,
        "method": scorer.method,
        "versions": _versions(),
        "fingerprint": scorer.fingerprint,
        "facts": dict(facts or {}),
        "explainer": explainer,
    }
    path = Path(directory)
    write_bundle(path, manifest, arrays, {}, exist_ok)
    return path


def load(directory: str | os.PathLike[str], *, max_bytes: int = MOST_BYTES) -> ScoringExplainer:
    """Load a scoring explainer from a bundle.

    Nothing is imported or run that the bundle names. Sizes are limited and hashes compared before anything is parsed. With a
    key in the environment variable AUTOML_EXPLAIN_BUNDLE_KEY, only bundles that were signed with it are loaded.

    Parameters
    ----------
    directory : path-like
        What `save` wrote.
    max_bytes : int, default 4 GiB
        Largest size of all files.

    Returns
    -------
    ScoringExplainer

    Raises
    ------
    InvalidInputError
        If it is no bundle, or has been changed, damaged or not signed with the key.
    FormatVersionError
        If a newer version of automl-explain wrote it.
    """
    path = Path(directory)
    manifest, arrays, _ = read_bundle(path, max_bytes=max_bytes)
    try:
        return ScoringExplainer._of(_scorer(manifest, arrays))
    except InvalidInputError:
        raise
    except BROKEN as error:
        raise InvalidInputError(
            f"The manifest of {path} does not describe a scoring explainer: {type(error).__name__}: {error}."
        ) from error


def inspect_bundle(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what the manifest of a bundle says, without reading its arrays; errors as in `load`.

    Parameters
    ----------
    directory : path-like
        What `save` wrote.

    Returns
    -------
    dict
        With the keys "kind", "format", "schema", "classes", "output_space", "model_name", "method", "versions",
        "fingerprint", "facts", "bytes", "files" and "signed".
    """
    manifest, signed = open_manifest(Path(directory))
    shown = ("format", "schema", "classes", "output_space", "model_name", "method", "versions", "fingerprint", "facts")
    sizes = [facts["size"] for facts in manifest["files"].values()]
    kind = manifest["explainer"].get("kind") if isinstance(manifest.get("explainer"), dict) else None
    return {
        "kind": kind,
        **{key: manifest.get(key) for key in shown},
        "bytes": sum(sizes),
        "files": len(sizes),
        "signed": signed,
    }


def _scorer(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Scorer:
    stored = manifest["explainer"]
    columns = tuple(Column.of_json(column) for column in manifest["schema"]["columns"])
    schema = Schema(columns, bool(manifest["schema"]["named"]))
    intake, model = decode_map(stored["intake"], "intake", arrays), decode_model(stored["model"], "model", arrays)
    require(len(columns) == intake.n_inputs, "schema")
    require(stored["kind"] in KINDS, "kind")
    background = floats(arrays, "background", 2, finite=False) if "background" in arrays else None
    weights = floats(arrays, "weights", 1) if "weights" in arrays else None
    n_players, players = stored["n_players"], arrays.get("players")
    if background is not None:
        require(len(background) > 0 and background.shape[1] == intake.n_outputs, "background")
        require(weights is None or (weights.shape == (len(background),) and (weights >= 0).all()), "weights")
    if players is not None:
        players = players.astype(np.intp)
        require(type(n_players) is int and 0 < n_players <= 1 << 24, "players")
        require(players.shape == (intake.n_outputs,) and players.min() >= 0 and players.max() < n_players, "players")
    names, classes, subset = stored["features"], manifest["classes"], stored["subset"]
    feature_map = None
    if stored["raw_names"] is not None:
        parent = arrays["parent"].astype(np.intp)
        require(
            parent.ndim == 1 and not (len(parent) and (parent.min() < 0 or parent.max() >= len(stored["raw_names"]))),
            "parent",
        )
        feature_map = FeatureMap(tuple(stored["raw_names"]), parent)
    settings = Settings(
        SamplingOptions(**stored["settings"]["sampling"]), stored["settings"]["random_state"], None, False
    )
    return Scorer(
        schema=schema,
        intake=intake,
        model=model,
        background=background,
        weights=weights,
        players=players,
        n_players=n_players,
        engine_name=str(stored["engine"]),
        settings=settings,
        features=None if names is None else tuple(map(str, names)),
        classes=None if classes is None else tuple(decode_cell(label) for label in classes),
        is_raw=bool(stored["is_raw"]),
        is_raw_space=bool(stored["is_raw_space"]),
        feature_map=feature_map,
        method=str(manifest["method"]),
        reason=str(stored["reason"]),
        notes=tuple(map(str, stored["notes"])),
        kind=stored["kind"],
        fidelity=None if stored["fidelity"] is None else Fidelity(**stored["fidelity"]),
        subset=None if subset is None else tuple(decode_cell(one) for one in subset),
        fingerprint=str(manifest["fingerprint"]),
    )


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
