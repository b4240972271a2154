"""`load_model`: fitted models out of files, by the ending of the file's name, else by its first bytes."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError, MissingExtraError, UntrustedModelError

HEAD_BYTES = 256
"""First bytes of a file by which its format is recognised."""
SKOPS_SCHEMA = "schema.json"
"""File that every archive of skops has."""
SHOWN_TYPES = 12
"""Types of a file of skops that an error names."""


@dataclass(frozen=True)
class Loading:
    """What a caller allows."""

    trusted: tuple[str, ...] = ()
    allow_pickle: bool = False


@dataclass(frozen=True)
class ModelFormat:
    """A format of model files.

    Parameters
    ----------
    name : str
    endings : tuple of str
        Endings of names that only this format has.
    begins : callable
        Whether a file whose first bytes are these has this format.
    load : callable
        From a path and what is allowed to the fitted model.
    extra : str
        The extra that installs what it needs; empty if that is always installed, or is the model's own library.
    """

    name: str
    endings: tuple[str, ...]
    begins: Callable[[bytes], bool]
    load: Callable[[Path, Loading], Any]
    extra: str = ""


@checked
def load_model(path: str | os.PathLike[str], *, trusted: Sequence[str] = (), allow_pickle: bool = False) -> Any:
    """Load a fitted model from a file.

    The formats are those of skops, LightGBM (text), XGBoost (JSON and UBJSON), CatBoost (cbm) and ONNX, none of which runs
    code of the file, and pickles, which do.

    Parameters
    ----------
    path : path-like
        A ``.skops``, ``.cbm`` or ``.onnx`` file, a model file of LightGBM or XGBoost of any name, or a ``.pkl``, ``.pickle``
        or ``.joblib`` file.
    trusted : sequence of str, default ()
        Types that a skops file may contain besides those that skops trusts itself, such as "lightgbm.sklearn.LGBMClassifier".
        Loading a type can run its code.
    allow_pickle : bool, default False
        Whether a pickle may be loaded. Loading it runs whatever code its author put into it.

    Returns
    -------
    object
        An estimator or booster, or for ONNX an object with `predict`, and for a classifier `predict_proba`.

    Raises
    ------
    InvalidInputError
        If there is no such file, or it is no model or a damaged one.
    UntrustedModelError
        If it is a pickle and those are not allowed, or has types that are not trusted; the message lists them.
    MissingExtraError
        If the library of the format is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import explain_model, load_model
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = LGBMRegressor(n_estimators=20, verbose=-1).fit(X, y).booster_.save_model(f"{folder}/model.txt")
    ...     model = load_model(f"{folder}/model.txt")
    >>> explain_model(model, X, X[:10]).overall_imp[:2]
    ['s5', 'bmi']
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidInputError(f"There is no model file {file}.")
    form = format_of(file)
    if form is None:
        raise InvalidInputError(
            f"{file} is no model file that can be read. Expected a file of {', '.join(one.name for one in FORMATS)}."
        )
    try:
        return form.load(file, Loading(tuple(trusted), allow_pickle))
    except ImportError as error:
        what = f"'automl-explain[{form.extra}]'" if form.extra else error.name
        raise MissingExtraError(
            f"Reading {file}, a model file of {form.name}, needs {error.name}: pip install {what}"
        ) from error
    except InvalidInputError:
        raise
    except Exception as error:  # whatever a library raises on a damaged file
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InvalidInputError(f"{file} cannot be read as a model file of {form.name}: {first}") from error


def format_of(path: Path) -> ModelFormat | None:
    """Return the format of a file; None if it is no model file."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    by_name = [form for form in FORMATS if path.suffix.lower() in form.endings]
    if by_name:
        return by_name[0]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return FORMATS[0] if SKOPS_SCHEMA in archive.namelist() else None
    return next((form for form in FORMATS if form.begins(head)), None)


# ------------------------------------------------------------------------------------------------------------ loaders


def _skops(path: Path, allowed: Loading) -> Any:
    from skops import io

    unknown = sorted(set(io.get_untrusted_types(file=path)) - set(allowed.trusted))
    if unknown:
        more = f" and {len(unknown) - SHOWN_TYPES:,} more" if len(unknown) > SHOWN_TYPES else ""
        raise UntrustedModelError(
            f"{path} has types that skops does not trust: {', '.join(unknown[:SHOWN_TYPES])}{more}. Loading them can run "
            "their code. If you trust them, name them: --trust TYPE ... in the terminal, trusted=[...] in Python."
        )
    return io.load(path, trusted=list(allowed.trusted))


def _lightgbm(path: Path, allowed: Loading) -> Any:
    import lightgbm

    return lightgbm.Booster(model_file=path)


def _xgboost(path: Path, allowed: Loading) -> Any:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(path)
    return booster


def _catboost(path: Path, allowed: Loading) -> Any:
    catboost = import_module("catboost")
    model = catboost.CatBoost().load_model(str(path))
    return catboost.CatBoostClassifier().load_model(str(path)) if len(model.classes_) > 1 else model


def _onnx(path: Path, allowed: Loading) -> Any:
    from automl_explain.integrations.model_files._onnx_models import onnx_model

    return onnx_model(path.read_bytes(), str(path.resolve().parent))


def _pickle(path: Path, allowed: Loading) -> Any:
    if not allowed.allow_pickle:
        raise UntrustedModelError(
            f"{path} is a pickle. Loading it runs whatever code its author put into it. If you trust its author, allow it: "
            "--allow-pickle in the terminal, allow_pickle=True in Python. skops writes files without code: "
            "skops.io.dump(model, 'model.skops')."
        )
    import joblib

    return joblib.load(path)


def _begins_json(head: bytes, *words: bytes) -> bool:
    return head.lstrip()[:1] == b"{" and any(word in head for word in words)


FORMATS: tuple[ModelFormat, ...] = (
    ModelFormat("skops", (".skops",), lambda head: False, _skops, "skops"),
    ModelFormat("CatBoost", (".cbm",), lambda head: head.startswith(b"CBM1"), _catboost, "catboost"),
    ModelFormat("ONNX", (".onnx",), lambda head: False, _onnx, "onnx"),
    ModelFormat("LightGBM", (), lambda head: head.startswith((b"tree\n", b"tree\r\n")), _lightgbm),
    ModelFormat("XGBoost", (), lambda head: _begins_json(head, b"learner", b"Config"), _xgboost),
    ModelFormat(
        "pickle",
        (".pkl", ".pickle", ".joblib"),
        lambda head: head[:1] == b"\x80" and 2 <= head[1] <= 5,
        _pickle,
    ),
)
"""The formats, in the order in which a file is compared with them."""

__all__ = ["load_model"]
