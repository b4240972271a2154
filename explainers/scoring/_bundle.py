"""The files of a scoring explainer: a manifest and arrays, in a directory or one zip archive, without pickle.

Format 2, the current one
-------------------------
``manifest.json`` says what the bundle holds (`kind`, `format`), and lists every other file with its size and SHA-256.
Each array is a ``.npy`` file of booleans, integers or floats in the folder that the manifest's `folder` names. Everything
else about the explainer is in the manifest. ``manifest.sig``, if there is one, is the HMAC-SHA256 of ``manifest.json``; as
the manifest has the hashes of all files, it signs the whole bundle.

Format 1 had no columns of dates, and none of the steps that take parts of dates; nothing else differs.

Upgrade manual: a change of the layout, or of what a stored structure means, that older code would misread raises `FORMAT` by
one, and gets a function in `UPGRADES` from the previous format. New fields that older code may ignore need no new format.
`tests/explainers/scoring/bundles/` keeps a bundle of each format.

What is read comes from strangers. Sizes are limited before anything is read, hashes are compared before anything is parsed,
names cannot leave the folder, links are not followed, and nothing that a file names is imported or run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._files import written_whole
from automl_explain.explainers.bundles._archive import MOST_BYTES, MOST_RATIO, opened_archive
from automl_explain.explainers.bundles._arrays import array_bytes, array_of_bytes
from automl_explain.explainers.bundles._manifest import (
    MANIFEST,
    SIGNATURE,
    Source,
    checked_content,
    checked_manifest,
    is_list_of_files,
    listed,
    signature,
)

KIND = "scoring explainer"
FORMAT = 2
TRIES = 5
"""How often a directory is read in which bundles are replaced meanwhile."""
MOST_SIGNATURE = 64
"""Characters of a signature."""


def _same(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Leave a bundle as it is: what the next format added was not there."""


UPGRADES: dict[int, Callable[[dict[str, Any], dict[str, npt.NDArray[Any]]], None]] = {1: _same}
"""Format -> function that upgrades a manifest and its arrays to the next format."""


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def _file(self, name: str) -> Path:
        place = self._path / name
        for part in (place, place.parent):
            if part != self._path and part.is_symlink():
                raise InvalidInputError(f"The bundle {self._path} holds a link, {name!r}; links are not followed.")
        if not place.is_file():
            raise KeyError(name)
        return place

    def size(self, name: str) -> int:
        try:
            return self._file(name).stat().st_size
        except FileNotFoundError as error:  # the bundle is being replaced
            raise KeyError(name) from error

    def read(self, name: str) -> bytes:
        try:
            return self._file(name).read_bytes()
        except FileNotFoundError as error:
            raise KeyError(name) from error


def write_bundle(
    path: Path,
    facts: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    files: Mapping[str, bytes],
    exist_ok: bool,
) -> None:
    """Write a bundle: a zip archive if the name ends in ``.zip``, otherwise a directory.

    The manifest is written last, by renaming, so that a reader sees the old bundle or the new one, also if the process is killed:
    until then, the file of the signature has those of both.
    """
    is_archive = path.suffix == ".zip"
    if (path.exists() or path.is_symlink()) and not exist_ok:
        raise InvalidInputError(
            f"{path} exists. Pass exist_ok=True to replace the bundle in it, or choose another directory."
        )
    contents = {f"{name}.npy": array_bytes(array) for name, array in arrays.items()} | dict(files)
    of_files = listed(contents)
    digests = {name: each["sha256"] for name, each in of_files.items()}
    folder = f"data-{hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:12]}"
    in_folder = {f"{folder}/{name}": each for name, each in of_files.items()}
    manifest = json.dumps(
        {"kind": KIND, "format": FORMAT, "folder": folder, **facts, "files": in_folder}, indent=1, allow_nan=True
    ).encode()
    signed = signature(manifest)
    if is_archive:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path, private=True) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(MANIFEST, manifest)
            for name, content in contents.items():
                archive.writestr(f"{folder}/{name}", content, _compression(content))
            if signed is not None:
                archive.writestr(SIGNATURE, signed)
        return
    if path.exists() and not path.is_dir():
        raise InvalidInputError(f"{path} is a file. Choose a directory, or a name that ends in .zip.")
    before = _folder_of(path)
    (path / folder).mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        _write(path / folder / name, content)
    both = [signed, _signature_of(path)]
    if any(both):
        _write(path / SIGNATURE, "\n".join(one for one in both if one).encode())
    _write(path / MANIFEST, manifest)
    if signed is None:
        (path / SIGNATURE).unlink(missing_ok=True)
    elif all(both):
        _write(path / SIGNATURE, signed.encode())
    if before is not None and before != folder:
        shutil.rmtree(path / before, ignore_errors=True)


def read_bundle(
    path: Path, *, max_bytes: int = MOST_BYTES
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]], dict[str, bytes]]:
    """Return the manifest, the arrays and the other files of a bundle.

    Raises
    ------
    InvalidInputError
        If it is no bundle, is damaged, has been changed, is larger than `max_bytes`, or its signature is missing or wrong.
    FormatVersionError
        If a newer version of automl-explain wrote it.
    """
    if path.is_dir():
        return _read_folder(path, max_bytes)
    if not path.exists():
        raise InvalidInputError(f"There is no bundle at {path}.")
    with opened_archive(path) as archive:
        return _read(archive, path, max_bytes, archive.names)


def _read_folder(path: Path, max_bytes: int) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]], dict[str, bytes]]:
    """Read a directory, again if another process has replaced the bundle in it meanwhile."""
    for left in reversed(range(TRIES)):
        seen = _manifest_of(path)
        try:
            return _read(_Folder(path), path, max_bytes, None)
        except InvalidInputError:
            if not left or _manifest_of(path) == seen:
                raise
    raise AssertionError


def _read(
    source: Source, path: Path, max_bytes: int, present: list[str] | None
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]], dict[str, bytes]]:
    manifest = read_manifest(source, path)
    files_listed = manifest["files"]
    if present is not None and set(present) - {MANIFEST, SIGNATURE} != set(files_listed):
        raise InvalidInputError(
            f"The bundle {path} holds files that its manifest does not list, or lacks some that it lists."
        )
    if sum(facts["size"] for facts in files_listed.values()) > max_bytes:
        raise InvalidInputError(f"The bundle {path} is larger than {max_bytes} bytes.")
    arrays: dict[str, npt.NDArray[Any]] = {}
    files: dict[str, bytes] = {}
    for name, facts in files_listed.items():
        short = name.rpartition("/")[2]
        content = checked_content(source, name, facts, path)
        if short.endswith(".npy"):
            arrays[short.removesuffix(".npy")] = _array(content, name, path)
        else:
            files[short] = content
    for number in range(manifest["format"], FORMAT):
        UPGRADES[number](manifest, arrays)
    return manifest, arrays, files


def read_manifest(source: Source, path: Path) -> dict[str, Any]:
    """Return a checked manifest whose signature, if a key is set, is right; see `read_bundle`."""
    manifest = checked_manifest(source, path, "a bundle of a scoring explainer", KIND, "format", FORMAT)
    if not is_list_of_files(manifest.get("files")):
        raise InvalidInputError(f"The manifest of {path} does not list the files of a bundle.")
    return manifest


def open_manifest(path: Path) -> tuple[dict[str, Any], bool]:
    """Return the manifest of a bundle, and whether the bundle is signed; nothing else is read."""
    if path.is_dir():
        folder = _Folder(path)
        return read_manifest(folder, path), (path / SIGNATURE).is_file()
    if not path.exists():
        raise InvalidInputError(f"There is no bundle at {path}.")
    with opened_archive(path) as archive:
        return read_manifest(archive, path), SIGNATURE in archive.names


def _array(content: bytes, name: str, path: Path) -> npt.NDArray[Any]:
    try:
        return array_of_bytes(content, name)
    except InvalidInputError as error:
        raise InvalidInputError(f"The bundle {path} is damaged: {error}") from error


def _compression(content: bytes) -> int:
    """Return how a file is packed: not at all if it would grow more than archives may when unpacked."""
    return (
        zipfile.ZIP_DEFLATED if len(content) < MOST_RATIO // 2 * len(zlib.compress(content, 1)) else zipfile.ZIP_STORED
    )


def _write(path: Path, content: bytes) -> None:
    with written_whole(path, private=True) as stream:
        stream.write(content)


def _manifest_of(path: Path) -> tuple[int, ...]:
    """Return what tells the manifest of a bundle in a directory from another one in its place."""
    with suppress(FileNotFoundError):
        found = os.lstat(path / MANIFEST)
        return found.st_ino, found.st_mtime_ns, found.st_size
    return ()


def _signature_of(path: Path) -> str:
    """Return the signature of the bundle in a directory; empty if it has none."""
    with suppress(OSError, ValueError, KeyError):
        return next(iter(_Folder(path).read(SIGNATURE)[:MOST_SIGNATURE].decode().split()), "")
    return ""


def _folder_of(path: Path) -> str | None:
    """Return the folder of the arrays of the bundle in a directory, if there is one."""
    with suppress(OSError, ValueError, AttributeError, KeyError):
        stored = json.loads(_Folder(path).read(MANIFEST))
        folder = stored.get("folder")
        if stored.get("kind") == KIND and isinstance(folder, str) and re.fullmatch(r"data-[0-9a-f]{12}", folder):
            return folder
    return None
