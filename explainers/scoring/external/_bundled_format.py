"""Formats in which a bundle keeps a model that has no form as data.

Here is what a format is, and what holds for each: `integrations/model_files/_bundled_formats.py` is the table of them, which
the front door registers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_explain.explainers._errors import (
    AutoMLExplainError,
    ExternalModelError,
    InvalidInputError,
    MissingExtraError,
    UnsupportedModelError,
    UntrustedModelError,
)
from automl_explain.explainers.bundles._manifest import KEY_VARIABLE, signature
from automl_explain.explainers.model._registry import load


@dataclass(frozen=True)
class BundledFormat:
    """A format of the model in a bundle.

    Parameters
    ----------
    name : str
        What `save` calls it.
    file : str
        The bundle's file.
    holds : str
        Which models it can hold, for messages.
    write : str
        ``"module:function"``, from a fitted model to the content of the file. The function raises `UnsupportedModelError`
        with the reason if it cannot hold the model.
    read : str
        ``"module:function"``, from the content and the bundle's path to a fitted model.
    packages : tuple of str
        Distributions that reading needs besides those of the scoring explainer.
    find_packages : str
        ``"module:function"``, from the content to those distributions, where they depend on the model; otherwise empty.
    extra : str
        The extra that installs them; empty if they are the model's own library.
    signed_only : bool
        Whether the library follows positions in the file without checking them, so that a stranger's file could crash it.
    runs_code : bool
        Whether reading it runs what its author put into it.
    """

    name: str
    file: str
    holds: str
    write: str
    read: str
    packages: tuple[str, ...] = ()
    find_packages: str = ""
    extra: str = ""
    signed_only: bool = False
    runs_code: bool = False


_formats: dict[str, BundledFormat] = {}


def register_formats(formats: Iterable[BundledFormat]) -> None:
    """Register the formats of models in bundles."""
    _formats.update((form.name, form) for form in formats)


def known_formats() -> tuple[BundledFormat, ...]:
    """Return the registered formats."""
    return tuple(_formats.values())


def format_among(files: Iterable[str]) -> BundledFormat | None:
    """Return the format of the model that is among the files of a bundle; None if it holds none."""
    names = set(files)
    return next((form for form in _formats.values() if form.file in names), None)


def format_named(name: str) -> BundledFormat:
    """Return a registered format by its name."""
    return _formats[name]


def written_model(form: BundledFormat, model: Any, name: str, *, allow_pickle: bool) -> bytes:
    """Return a fitted model as the content of a bundle's file.

    Parameters
    ----------
    form : BundledFormat
    model : object
    name : str
        What messages call the model.
    allow_pickle : bool
        Whether it may be a pickle.

    Raises
    ------
    UnsupportedModelError
        If the format cannot hold it, or is read from signed bundles only and there is no key.
    UntrustedModelError
        If it is a pickle, which is not allowed.
    MissingExtraError
        If what writes it is not installed.
    """
    if form.runs_code and not allow_pickle:
        raise UntrustedModelError(
            f"A bundle with {name} as a pickle runs its author's code wherever it is loaded. If that is what you want, pass "
            "allow_pickle=True to save, and to load."
        )
    if form.signed_only and not _has_key():
        raise UnsupportedModelError(
            f"{name} can be kept as a file of {form.name} in signed bundles only, since the library does not check what it "
            f"reads. Set a key in {KEY_VARIABLE} where the bundle is saved and where it is loaded; or pass model='external', "
            "and the fitted model to load."
        )
    try:
        content: bytes = load(form.write)(model)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(
            f"{name} {error} A bundle with model={form.name!r} holds {form.holds}. Pass model='external', and the fitted model "
            "to load."
        ) from error
    except ImportError as error:
        raise _missing(form, f"Storing {name}", error) from error
    return content


def packages_in(form: BundledFormat, content: bytes) -> tuple[str, ...]:
    """Return the distributions that reading a model needs, which this process has written."""
    return form.packages if not form.find_packages else tuple(load(form.find_packages)(content))


def read_model(form: BundledFormat, content: bytes, path: Path, *, allow_pickle: bool) -> Any:
    """Return the fitted model in the file of a bundle.

    Raises
    ------
    InvalidInputError
        If it is damaged.
    UntrustedModelError
        If it is a pickle, which is not allowed; has types that are not trusted; or is read from signed bundles only.
    ExternalModelError
        If the libraries that are installed cannot read it.
    MissingExtraError
        If what reads it is not installed.
    """
    if form.runs_code and not allow_pickle:
        raise UntrustedModelError(
            f"The bundle {path} holds its model as a pickle. Loading it runs whatever code its author put into it. If you trust "
            "its author, allow it: load(..., allow_pickle=True) in Python, --allow-pickle in the terminal."
        )
    if form.signed_only and not _has_key():
        raise UntrustedModelError(
            f"The bundle {path} holds its model as a file of {form.name}, which is read from signed bundles only. Set the key "
            f"that signed it in {KEY_VARIABLE}."
        )
    try:
        return load(form.read)(content, path)
    except AutoMLExplainError:
        raise
    except ImportError as error:
        raise _missing(form, f"The model in the bundle {path}", error) from error
    except Exception as error:  # whatever a library raises
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExternalModelError(
            f"The model in the bundle {path}, a file of {form.name}, is damaged, or the libraries that are installed cannot "
            f"read it: {first[:300]}. Install the versions that `automl-explain inspect` shows, or save a new bundle."
        ) from error


def check_name(name: Any) -> None:
    """Refuse what is neither "external" nor the name of a format.

    Raises
    ------
    InvalidInputError
        The message lists them.
    """
    if name not in (None, "external", *_formats):
        known = ", ".join(repr(one) for one in ("external", *_formats))
        raise InvalidInputError(f"The 'model' parameter must be one of {known}, or left out. Got {name!r}.")


def _has_key() -> bool:
    """Whether there is a key; every bundle that is read has then been signed with it."""
    return signature(b"") is not None


def _missing(form: BundledFormat, what: str, error: ImportError) -> MissingExtraError:
    install = f"'automl-explain[{form.extra}]'" if form.extra else error.name
    return MissingExtraError(f"{what} needs {error.name}: pip install {install}")
