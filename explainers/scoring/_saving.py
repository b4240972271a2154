"""`save` and `load`: scoring explainers in bundles."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import (
    ExplanationNotFoundError,
    ExternalModelError,
    InvalidInputError,
    UnsupportedModelError,
)
from automl_explain.explainers.bundles._archive import MOST_BYTES
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.methods._settings import SamplingOptions, Settings
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.scoring._bundle import open_manifest, read_bundle, write_bundle
from automl_explain.explainers.scoring._column_map import decode_map, encode_map
from automl_explain.explainers.scoring._explainer import KINDS, ScoringExplainer
from automl_explain.explainers.scoring._model_coding import Arrays, decode_model, encode_model, floats, require
from automl_explain.explainers.scoring._schema import Column, Schema
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.scoring.external._coding import decode_external, encode_external
from automl_explain.explainers.scoring.external._external_scorer import ExternalScorer, described_again
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell

PACKAGES = ("automl-explain", "numpy", "pandas", "scipy", "numba", "scikit-learn", "lightgbm", "xgboost")
"""Packages whose versions a manifest records."""
IMPORTANCE = "importance.explanation"
"""File of the global importance in training."""
BROKEN = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError)
"""What a manifest of another form leads to."""


def save(
    scoring_explainer: ScoringExplainer,
    directory: str | os.PathLike[str],
    exist_ok: bool = False,
    *,
    model: Literal["external"] | None = None,
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
    model : {"external"}, optional
        "external" stores everything but the model, for black boxes, networks that are no chain of dense layers, and
        preprocessing without a form as data. The model is then passed to `load`. The bundle keeps up to 64 rows of the
        background, the model's outputs for them and the SHA-256 of a network's weights, by which another model is refused.
        Default: the model is stored as data.
    facts : mapping, optional
        Anything to record in the manifest, as JSON has it, such as the run of a search. Default: nothing.

    Returns
    -------
    Path
        The directory or file.

    Raises
    ------
    InvalidInputError
        If the directory exists and `exist_ok` is False, the object is no scoring explainer, or `model` does not suit it.
    UnsupportedModelError
        If the model has no form as data, and `model` is not "external".

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

    A black box is passed again:

    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from automl_explain import TabularExplainer
    >>> model = KNeighborsRegressor().fit(X, y)
    >>> scorer = scoring_explainer(TabularExplainer(model, X[:20]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(scorer, f"{folder}/bundle", model="external"), model=model).explain(X.iloc[:3]).shape
    (3, 10)
    """
    if not isinstance(scoring_explainer, ScoringExplainer):
        raise InvalidInputError(
            f"The 'scoring_explainer' parameter must be a scoring explainer, such as scoring_explainer(explainer) returns. Got "
            f"{type(scoring_explainer).__name__}."
        )
    arrays: Arrays = {}
    scorer = scoring_explainer._scorer
    _check_model(scorer, model)
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
    }
    if isinstance(scorer, ExternalScorer):
        explainer["external"] = encode_external(scorer, arrays)
    else:
        explainer["model"] = encode_model(scorer.model, "model", arrays)
    if scorer.feature_map is not None:
        arrays["parent"] = scorer.feature_map.parent
    optional = {"background": scorer.background, "weights": scorer.weights, "players": scorer.players}
    arrays |= {name: array for name, array in optional.items() if array is not None}
    explained = scorer.model
    manifest: dict[str, Any] = {
        "schema": {"named": scorer.schema.named, "columns": [column.as_json() for column in scorer.schema.columns]},
        "classes": None if scorer.classes is None else [encode_cell(_plain(label)) for label in scorer.classes],
        "output_space": explained.output_space,
        "model_name": explained.name,
        "method": scorer.method,
        "versions": _versions(),
        "fingerprint": scorer.fingerprint,
        "facts": dict(facts or {}),
        "explainer": explainer,
    }
    path = Path(directory)
    write_bundle(path, manifest, arrays, _importance_file(scoring_explainer), exist_ok)
    return path


def _importance_file(scoring_explainer: ScoringExplainer) -> dict[str, bytes]:
    if scoring_explainer.importance is None:
        return {}
    with TemporaryDirectory() as folder:
        place = Path(folder) / IMPORTANCE
        scoring_explainer.importance.save(place)
        return {IMPORTANCE: place.read_bytes()}


def _importance_of(files: Mapping[str, bytes]) -> Explanation | None:
    if IMPORTANCE not in files:
        return None
    with TemporaryDirectory() as folder:
        place = Path(folder) / IMPORTANCE
        place.write_bytes(files[IMPORTANCE])
        found: Explanation = Explanation.load(place)
    return found


def _check_model(scorer: Scorer, model: Any) -> None:
    if model not in (None, "external"):
        raise InvalidInputError(f"The 'model' parameter must be 'external' or left out. Got {model!r}.")
    if isinstance(scorer, ExternalScorer) and model is None:
        raise UnsupportedModelError(
            f"{scorer.model.name} cannot be stored as data: {scorer.external.why}. Pass model='external' to save everything but "
            "the model, which is then passed to load; or use MimicExplainer with LGBMExplainableModel, which explains it by "
            "trees that imitate it, and these can be stored."
        )
    if model is not None and not isinstance(scorer, ExternalScorer):
        raise InvalidInputError(
            f"{scorer.model.name} is stored as data, so that its bundle needs no model. Leave 'model' out."
        )


def load(directory: str | os.PathLike[str], *, model: Any = None, max_bytes: int = MOST_BYTES) -> ScoringExplainer:
    """Load a scoring explainer from a bundle.

    Nothing is imported or run that the bundle names. Sizes are limited and hashes compared before anything is parsed. With a
    key in the environment variable AUTOML_EXPLAIN_BUNDLE_KEY, only bundles that were signed with it are loaded.

    Parameters
    ----------
    directory : path-like
        What `save` wrote.
    model : object, optional
        The fitted model, for a bundle that was saved with ``model="external"``; for an explainer with `transformations`, the
        pipeline of these and the model. Its outputs, and the weights of a network, must be those of the explained model.
        Default: the bundle holds its model.
    max_bytes : int, default 4 GiB
        Largest size of all files.

    Returns
    -------
    ScoringExplainer

    Raises
    ------
    InvalidInputError
        If it is no bundle, or has been changed, damaged or not signed with the key.
    ExternalModelError
        If a model is missing, is another one than was explained, or is passed to a bundle that holds its own.
    FormatVersionError
        If a newer version of automl-explain wrote it.
    """
    path = Path(directory)
    manifest, arrays, files = read_bundle(path, max_bytes=max_bytes)
    try:
        return ScoringExplainer._of(_scorer(manifest, arrays, model, path), _importance_of(files))
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
        "fingerprint", "facts", "bytes", "files", "signed", and "external": the class of the model that has to be passed to
        `load`, or None.
    """
    manifest, signed = open_manifest(Path(directory))
    shown = ("format", "schema", "classes", "output_space", "model_name", "method", "versions", "fingerprint", "facts")
    sizes = [facts["size"] for facts in manifest["files"].values()]
    stored = manifest["explainer"] if isinstance(manifest.get("explainer"), dict) else {}
    external = stored.get("external")
    return {
        "kind": stored.get("kind"),
        "external": str(external.get("class_path")) if isinstance(external, dict) else None,
        **{key: manifest.get(key) for key in shown},
        "bytes": sum(sizes),
        "files": len(sizes),
        "signed": signed,
    }


def bundled_importance(directory: str | os.PathLike[str]) -> Explanation:
    """Return the global importance in training that a bundle keeps; errors as in `load`. No model is needed.

    Raises
    ------
    ExplanationNotFoundError
        If the bundle keeps none.
    """
    found = _importance_of(read_bundle(Path(directory))[2])
    if found is None:
        raise ExplanationNotFoundError(
            f"The bundle {directory} keeps no importance of training. Save one made from a run or from the result of "
            "explain_model, or save(scoring_explainer(explainer).with_importance(explainer.explain_global(X_train)), directory)."
        )
    return found


def check_bundle(directory: str | os.PathLike[str]) -> None:
    """Check the hash of each file of a bundle, and its signature; errors as in `load`. No model is needed."""
    read_bundle(Path(directory))


def _scorer(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]], passed: Any, path: Path) -> Scorer:
    stored = manifest["explainer"]
    columns = tuple(Column.of_json(column) for column in manifest["schema"]["columns"])
    schema = Schema(columns, bool(manifest["schema"]["named"]))
    intake, external = decode_map(stored["intake"], "intake", arrays), None
    n_read = intake.n_outputs
    if "external" in stored:
        external = decode_external(stored["external"], schema, arrays)
        model = described_again(passed, external, stored["external"]["description"], path)
        n_read = len(external.engineered.schema.columns)
    elif passed is not None:
        raise ExternalModelError(f"The bundle {path} holds its model. Leave 'model' out: load({str(path)!r}).")
    else:
        model = decode_model(stored["model"], "model", arrays)
    require(len(columns) == intake.n_inputs, "schema")
    require(stored["kind"] in KINDS, "kind")
    background = floats(arrays, "background", 2, finite=False) if "background" in arrays else None
    weights = floats(arrays, "weights", 1) if "weights" in arrays else None
    n_players, players = stored["n_players"], arrays.get("players")
    if background is not None:
        require(len(background) > 0 and background.shape[1] == n_read, "background")
        require(weights is None or (weights.shape == (len(background),) and (weights >= 0).all()), "weights")
    if players is not None:
        players = players.astype(np.intp)
        require(type(n_players) is int and 0 < n_players <= 1 << 24, "players")
        require(players.shape == (n_read,) and players.min() >= 0 and players.max() < n_players, "players")
    names, classes, subset = stored["features"], manifest["classes"], stored["subset"]
    settings = Settings(
        SamplingOptions(**stored["settings"]["sampling"]), stored["settings"]["random_state"], None, False
    )
    made = Scorer if external is None else partial(ExternalScorer, external=external)
    return made(
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
        feature_map=_feature_map(stored, arrays),
        method=str(manifest["method"]),
        reason=str(stored["reason"]),
        notes=tuple(map(str, stored["notes"])),
        kind=stored["kind"],
        fidelity=None if stored["fidelity"] is None else Fidelity(**stored["fidelity"]),
        subset=None if subset is None else tuple(decode_cell(one) for one in subset),
        fingerprint=str(manifest["fingerprint"]),
    )


def _feature_map(stored: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> FeatureMap | None:
    if stored["raw_names"] is None:
        return None
    parent, n_raw = arrays["parent"].astype(np.intp), len(stored["raw_names"])
    require(parent.ndim == 1 and not (len(parent) and (parent.min() < 0 or parent.max() >= n_raw)), "parent")
    return FeatureMap(tuple(stored["raw_names"]), parent)


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
