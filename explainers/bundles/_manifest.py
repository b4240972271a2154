"""The manifest of a bundle: JSON that lists the files with their hashes, and its signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from automl_explain.explainers._errors import FormatVersionError, InvalidInputError
from automl_explain.explainers.bundles._archive import MOST_FILES, MOST_MANIFEST_BYTES, NAME, damaged

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
KEY_VARIABLE = "AUTOML_EXPLAIN_BUNDLE_KEY"
"""Environment variable with the key of signatures."""
_without_key: ContextVar[bool] = ContextVar("_without_key", default=False)


class Source(Protocol):
    """The files of a bundle, wherever they are."""

    def size(self, name: str) -> int:
        """Return the size of a file; raise KeyError if there is none."""

    def read(self, name: str) -> bytes:
        """Return the content of a file."""


def listed(contents: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of files: their SHA-256 and size."""
    return {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in contents.items()
    }


def is_list_of_files(files: Any) -> bool:
    """Whether a manifest lists files as `listed` does, whose last parts differ."""
    if not isinstance(files, dict) or len(files) > MOST_FILES:
        return False
    shorts = [name.rpartition("/")[2].lower() for name in files]
    return len(set(shorts)) == len(shorts) and all(
        NAME.fullmatch(name)
        and isinstance(facts, dict)
        and type(facts.get("size")) is int
        and facts["size"] >= 0
        and isinstance(facts.get("sha256"), str)
        for name, facts in files.items()
    )


def checked_content(source: Source, name: str, facts: Mapping[str, Any], path: Path) -> bytes:
    """Return the content of a listed file.

    Raises
    ------
    InvalidInputError
        If it is missing, or has another size or hash.
    """
    try:
        if source.size(name) != facts["size"]:
            raise InvalidInputError(
                f"The bundle {path} has been changed: the size of {name!r} differs from its manifest."
            )
        content = source.read(name)
    except KeyError as error:
        raise InvalidInputError(f"The bundle {path} lacks the file {name!r}.") from error
    if not hmac.compare_digest(hashlib.sha256(content).hexdigest(), facts["sha256"]):
        raise InvalidInputError(f"The bundle {path} has been changed: the hash of {name!r} differs from its manifest.")
    return content


def parsed_manifest(source: Source, path: Path, kind: str) -> dict[str, Any]:
    """Return the manifest of a bundle, whose signature, if a key is set, is right.

    Parameters
    ----------
    source : Source
    path : Path
    kind : str
        What the bundle should be, for messages, such as "a bundle of a scoring explainer".

    Raises
    ------
    InvalidInputError
        If there is none, it is too large or no JSON object, or the signature is missing or wrong.
    """
    try:
        if source.size(MANIFEST) > MOST_MANIFEST_BYTES:
            raise InvalidInputError(f"The manifest of {path} is larger than {MOST_MANIFEST_BYTES} bytes.")
        content = source.read(MANIFEST)
    except KeyError as error:
        raise InvalidInputError(f"{path} is not {kind}: it has no {MANIFEST}.") from error
    _check_signature(source, content, path)
    try:
        manifest = json.loads(content, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    if not isinstance(manifest, dict):
        raise InvalidInputError(f"{path} is not {kind}.")
    return manifest


def checked_manifest(source: Source, path: Path, what: str, kind: str, counter: str, newest: int) -> dict[str, Any]:
    """Return the manifest of a bundle of a kind and of a layout that this version reads.

    Parameters
    ----------
    source : Source
    path : Path
    what : str
        What the bundle should be, for messages, such as "a bundle of a scoring explainer".
    kind : str
        What the manifest's "kind" must be.
    counter : str
        Key of the number of the layout, such as "format".
    newest : int
        Largest number that is read.

    Raises
    ------
    InvalidInputError
        If it is no such bundle, or as in `parsed_manifest`.
    FormatVersionError
        If a newer version of automl-explain wrote it.
    """
    manifest = parsed_manifest(source, path, what)
    found = manifest.get("kind")
    if found != kind:
        said = f"holds a {found[:80]!r}, not a {kind!r}" if isinstance(found, str) else f"is not {what}"
        raise InvalidInputError(f"{path} {said}.")
    number = manifest.get(counter)
    if type(number) is not int or number < 1:
        raise InvalidInputError(f"{path} is not {what}: its manifest has no {counter}.")
    if number > newest:
        raise FormatVersionError(
            f"{path} has {counter} {number}; this version of automl-explain reads up to {newest}. Upgrade automl-explain to "
            "read it."
        )
    return manifest


def bundle_key() -> str | None:
    """Return the key of signatures; None if the environment has none, or in `signatures_unchecked`."""
    return None if _without_key.get() else os.environ.get(KEY_VARIABLE) or None


@contextmanager
def signatures_unchecked() -> Iterator[None]:
    """Read what the caller vouches for, in this block and thread, as if the environment had no key."""
    token = _without_key.set(True)
    try:
        yield
    finally:
        _without_key.reset(token)


def signature(manifest: bytes) -> str | None:
    """Return the HMAC-SHA256 of a manifest with the key of the environment; None without a key."""
    key = bundle_key()
    return hmac.new(key.encode(), manifest, hashlib.sha256).hexdigest() if key else None


def _check_signature(source: Source, manifest: bytes, path: Path) -> None:
    wanted = signature(manifest)
    if wanted is None:
        return
    try:
        found = source.read(SIGNATURE) if source.size(SIGNATURE) <= 1024 else b""
    except KeyError:
        raise InvalidInputError(
            f"The bundle {path} has no signature. {KEY_VARIABLE} is set, so that only bundles signed with this key are loaded. "
            "To sign one that you trust, load it in a process without the variable and save it in one with it; for a run, "
            "`automl-explain bundle RUN DIR --unsigned` does both."
        ) from None
    if not any(hmac.compare_digest(line, wanted.encode()) for line in found.split()):
        raise InvalidInputError(f"The signature of the bundle {path} is not that of the key in {KEY_VARIABLE}.")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the same key twice")
    return found
