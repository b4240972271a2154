"""`save` and `load`: scoring explainers in bundles."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import ExternalModelError, InvalidInputError, UnsupportedModelError
from automl_explain.explainers.bundles._archive import MOST_BYTES
from automl_explain.explainers.scoring._bundle import read_bundle, write_bundle
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.scoring._inspecting import BROKEN, importance_among, importance_file, not_described
from automl_explain.explainers.scoring._kinds import KINDS
from automl_explain.explainers.scoring._scorer import Scorer
from automl_explain.explainers.scoring._scorer_coding import decode_scorer, encode_scorer
from automl_explain.explainers.scoring.columns._schema import Schema
from automl_explain.explainers.scoring.external._bundled_format import (
    BundledFormat,
    check_name,
    format_among,
    format_named,
    known_formats,
    packages_in,
    read_model,
    written_model,
)
from automl_explain.explainers.scoring.external._coding import decode_external
from automl_explain.explainers.scoring.external._external_scorer import ExternalScorer, described_again
from automl_explain.explainers.scoring.models._coding import Arrays
from automl_explain.explainers.scoring.models._model_coding import decode_model

PACKAGES = ("automl-explain", "numpy", "pandas", "scipy", "numba", "scikit-learn", "lightgbm", "xgboost")
"""Packages whose versions a manifest records, beside those that the model in the bundle needs."""


@checked
def save(
    scoring_explainer: ScoringExplainer,
    directory: str | os.PathLike[str],
    exist_ok: bool = False,
    *,
    model: Literal["external", "skops", "onnx", "lightgbm", "catboost", "pickle"] | None = None,
    allow_pickle: bool = False,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Save a scoring explainer as a bundle: a manifest and arrays, without pickle unless you ask for one.

    With a key in the environment variable AUTOML_EXPLAIN_BUNDLE_KEY the bundle is signed.

    Parameters
    ----------
    scoring_explainer : ScoringExplainer
        What is saved.
    directory : path-like
        Directory to write, or a name that ends in ``.zip`` for one file.
    exist_ok : bool, default False
        Whether the directory may exist. A bundle in it is replaced; other files stay.
    model : {"external", "skops", "onnx", "lightgbm", "catboost", "pickle"}, optional
        For black boxes, networks that are no chain of dense layers, and preprocessing without a form as data.
        "external" stores everything but the model, which is then passed to `load`; the bundle keeps up to 64 rows of the
        background, the model's outputs for them and the SHA-256 of a network's weights, by which another model is refused.
        Any other value stores the model too: "skops" objects of scikit-learn, and no other type; "onnx" a model that
        `load_model` has read from an ONNX file; "lightgbm" and "catboost" a model in the library's own format, in signed bundles
        only; "pickle" anything, with `allow_pickle`. Where it is loaded, the versions of the libraries should be the same.
        Default: the model is stored as data, or as in the bundle that it came from.
    allow_pickle : bool, default False
        Whether the model may be stored as a pickle, which runs its author's code when it is loaded.
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
        If the model has no form as data, and `model` is left out, or the format cannot hold it.
    UntrustedModelError
        If the model would be stored as a pickle, and `allow_pickle` is False.
    MissingExtraError
        If the library of the format is not installed.

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
    files = importance_file(scoring_explainer.importance)
    manifest = encode_scorer(scorer, arrays)
    packages: tuple[str, ...] = ()
    if isinstance(scorer, ExternalScorer) and (name := (model or scorer.external.form).replace("external", "")):
        form = format_named(name)
        files[form.file] = _model_file(scorer, form, manifest, Path(directory), allow_pickle)
        packages = packages_in(form, files[form.file])
        manifest["explainer"]["external"]["packages"] = packages
    manifest |= {"versions": _versions(*packages), "facts": dict(facts or {})}
    path = Path(directory)
    write_bundle(path, manifest, arrays, files, exist_ok)
    return path


def _check_model(scorer: Scorer, model: Any) -> None:
    check_name(model)
    if isinstance(scorer, ExternalScorer) and model is None and not scorer.external.form:
        ways = "; ".join(f"model={form.name!r} holds {form.holds}" for form in known_formats())
        raise UnsupportedModelError(
            f"{scorer.model.name} cannot be stored as data: {scorer.external.why}. Say how its bundle keeps it: {ways}. "
            "model='external' saves everything but the model, which is then passed to load. Or use MimicExplainer with "
            "LGBMExplainableModel and feature_space='raw', which explains it by trees that imitate it, and these can be stored."
        )
    if isinstance(scorer, ExternalScorer) and scorer.account.fidelity is not None:
        raise UnsupportedModelError(
            f"{scorer.model.name} imitates a model behind preprocessing that has no form as data: {scorer.external.why}. With "
            "feature_space='raw', MimicExplainer imitates the model and its preprocessing together, which can be stored."
        )
    if model is not None and not isinstance(scorer, ExternalScorer):
        raise InvalidInputError(
            f"{scorer.model.name} is stored as data, so that its bundle needs no model. Leave 'model' out."
        )


def _model_file(
    scorer: ExternalScorer, form: BundledFormat, manifest: dict[str, Any], path: Path, allow_pickle: bool
) -> bytes:
    """Return the model of a scorer as a file, which has been read again and compared."""
    content = written_model(form, scorer.model.original, scorer.model.name, allow_pickle=allow_pickle)
    again = read_model(form, content, path, allow_pickle=allow_pickle)
    facts = manifest["explainer"]["external"]["description"]
    described_again(again, replace(scorer.external, form=form.name), facts, path)
    return content


@checked
def load(
    directory: str | os.PathLike[str], *, model: Any = None, allow_pickle: bool = False, max_bytes: int = MOST_BYTES
) -> ScoringExplainer:
    """Load a scoring explainer from a bundle.

    Nothing is imported or run that the bundle names, unless you allow a pickle. Sizes are limited and hashes compared before
    anything is parsed. With a key in the environment variable AUTOML_EXPLAIN_BUNDLE_KEY, only bundles that were signed with it
    are loaded.

    Parameters
    ----------
    directory : path-like
        What `save` wrote.
    model : object, optional
        The fitted model, for a bundle that was saved with ``model="external"``; for an explainer with `transformations`, the
        pipeline of these and the model. Its outputs, and the weights of a network, must be those of the explained model.
        Default: the bundle holds its model.
    allow_pickle : bool, default False
        Whether a model that the bundle keeps as a pickle may be loaded. Loading it runs whatever code its author put into it.
    max_bytes : int, default 4 GiB
        Largest size of all files.

    Returns
    -------
    ScoringExplainer
        It explains and predicts without the model's library.

    Raises
    ------
    InvalidInputError
        If it is no bundle, or has been changed, damaged or not signed with the key.
    ExternalModelError
        If a model is missing, is another one than was explained, or is passed to a bundle that holds its own.
    UntrustedModelError
        If the bundle keeps its model as a pickle, which is not allowed; with types that are not trusted; or in a format that is
        read from signed bundles only.
    FormatVersionError
        If a newer version of automl-explain wrote it.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import TabularExplainer, load, save, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = scoring_explainer(TabularExplainer(Ridge().fit(X, y), X))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(scorer, f"{folder}/bundle")).explain({name: 0.0 for name in X.columns}).shape
    (1, 10)
    """
    path = Path(directory)
    manifest, arrays, files = read_bundle(path, max_bytes=max_bytes)
    try:
        scorer = _scorer(manifest, arrays, files, model, path, allow_pickle)
        return KINDS[scorer.kind].explainer._of(scorer, importance_among(files))
    except InvalidInputError:
        raise
    except BROKEN as error:
        raise not_described(path, error) from error


def _scorer(
    manifest: dict[str, Any], arrays: Arrays, files: Mapping[str, bytes], passed: Any, path: Path, allow_pickle: bool
) -> Scorer:
    stored, schema = manifest["explainer"], Schema.of_json(manifest["schema"])
    form = format_among(files)
    if passed is not None and ("external" not in stored or form is not None):
        raise ExternalModelError(f"The bundle {path} holds its model. Leave 'model' out: load({str(path)!r}).")
    if "external" not in stored:
        return decode_scorer(manifest, arrays, schema, decode_model(stored["model"], "model", arrays), None)
    external = decode_external(stored["external"], schema, arrays)
    if form is not None:
        external = replace(external, form=form.name)
        passed = read_model(form, files[form.file], path, allow_pickle=allow_pickle)
    model = described_again(passed, external, stored["external"]["description"], path)
    return decode_scorer(manifest, arrays, schema, model, external)


def _versions(*others: str) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in dict.fromkeys([*PACKAGES, *others]):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
