"""A file of arrays and a JSON manifest, written without pickle and read without executing code.

It is an uncompressed zip archive: ``manifest.json`` plus one ``.npy`` member per array. The manifest's `kind` says what the
file holds, `protocol` in which layout, and `files` the size and SHA-256 of each member. With a key in the environment
variable AUTOML_EXPLAIN_BUNDLE_KEY, files are signed (``manifest.sig``), and only signed ones are read.

Upgrade manual: a layout change that older code would misread raises the protocol of that kind by one, and the reader of
that kind keeps reading all older protocols. New fields that older code may ignore need no new protocol. Files without
`files` were written before there were hashes.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers._files import written_whole
from automl_explain.explainers.bundles._archive import Archive, opened_archive
from automl_explain.explainers.bundles._arrays import array_bytes, array_of_bytes
from automl_explain.explainers.bundles._manifest import (
    MANIFEST,
    SIGNATURE,
    checked_content,
    checked_manifest,
    is_list_of_files,
    listed,
    parsed_manifest,
    signature,
)

WHAT = "a file that automl-explain wrote"
ARRAYS = "biufcMmSU"
"""Kinds of dtype of the arrays."""
MISFITS = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    RecursionError,
)
"""What parts that do not fit each other lead to."""


def write_bundle(
    path: str | os.PathLike[str],
    kind: str,
    protocol: int,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
) -> None:
    """Write a file; it appears whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write; replaced if it exists.
    kind : str
        What the file holds.
    protocol : int
        Layout of that kind.
    manifest : mapping
        JSON-serialisable facts.
    arrays : mapping of str to ndarray
        Arrays without object dtype.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        written_whole(target, private=True) as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive,
    ):
        files: dict[str, Any] = {}
        for name, array in arrays.items():
            content = array_bytes(array)
            files |= listed({f"{name}.npy": content})
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content)  # no time: equal contents are equal files
        facts = json.dumps({"kind": kind, "protocol": protocol, **manifest, "files": files}).encode()
        archive.writestr(zipfile.ZipInfo(MANIFEST), facts)
        signed = signature(facts)
        if signed is not None:
            archive.writestr(zipfile.ZipInfo(SIGNATURE), signed)


def bundle_kind(path: str | os.PathLike[str]) -> str:
    """Return the kind of a file, without reading its arrays.

    Raises
    ------
    InvalidInputError
        If it is not such a file.
    """
    with opened_archive(Path(path)) as archive:
        return str(parsed_manifest(archive, Path(path), WHAT).get("kind"))


def read_bundle(
    path: str | os.PathLike[str], kind: str, protocol: int
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Read a file.

    Returns
    -------
    tuple of dict, dict
        Manifest and arrays.

    Raises
    ------
    InvalidInputError
        If the file is not of that kind, is damaged or has been changed, or is not signed with the key.
    FormatVersionError
        If a newer version of automl-explain wrote it.
    """
    place = Path(path)
    with opened_archive(place) as archive:
        manifest = checked_manifest(archive, place, WHAT, kind, "protocol", protocol)
        return manifest, {name.removesuffix(".npy"): array for name, array in _arrays(archive, manifest, place)}


@contextmanager
def parts_that_fit(path: str | os.PathLike[str]) -> Iterator[None]:
    """Report parts of a file that do not fit each other, on which the block fails, as an `InvalidInputError`."""
    try:
        yield
    except AutoMLExplainError:
        raise
    except MISFITS as error:
        raise InvalidInputError(
            f"The parts of {os.fspath(path)} do not fit each other, so that it was changed or is damaged: "
            f"{type(error).__name__}: {error}."
        ) from error


def _arrays(archive: Archive, manifest: Mapping[str, Any], path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    present = [name for name in archive.names if name not in (MANIFEST, SIGNATURE)]
    files = manifest.get("files")
    if files is not None and (not is_list_of_files(files) or set(files) != set(present)):
        raise InvalidInputError(f"{path} holds members that its manifest does not list, or lacks some that it lists.")
    for name in present:
        if not name.endswith(".npy") or not archive.is_stored(name):
            raise InvalidInputError(f"{path} holds {name!r}, a member that no file of automl-explain has.")
        content = archive.read(name) if files is None else checked_content(archive, name, files[name], path)
        try:
            yield name, array_of_bytes(content, name, ARRAYS)
        except InvalidInputError as error:
            raise InvalidInputError(f"{path} is damaged: {error}") from error
