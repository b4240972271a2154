"""The files of a scoring explainer: a manifest and arrays, in a directory or one zip archive, without pickle.

Format 1, the current one
-------------------------
``manifest.json`` says what the bundle holds (`kind`, `format`), and lists every other file with its size and SHA-256.
Each array is a ``.npy`` file of booleans, integers or floats in the folder that the manifest's `folder` names. Everything
else about the explainer is in the manifest. ``manifest.sig``, if there is one, is the HMAC-SHA256 of ``manifest.json``; as
the manifest has the hashes of all files, it signs the whole bundle.

Upgrade manual: a change of the layout, or of what a stored structure means, that older code would misread raises `FORMAT` by
one, and gets a function in `UPGRADES` from the previous format. New fields that older code may ignore need no new format.
`tests/explainers/scoring/bundles/` keeps a bundle of each format.

What is read comes from strangers. Sizes are limited before anything is read, hashes are compared before anything is parsed,
names cannot leave the folder, links are not followed, and nothing that a file names is imported or run.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import FormatVersionError, InvalidInputError
from automl_explain.explainers._files import written_whole

KIND = "scoring explainer"
FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
KEY_VARIABLE = "AUTOML_EXPLAIN_BUNDLE_KEY"
"""Environment variable with the key of signatures."""
MOST_BYTES = 4 << 30
"""Largest size of all files of a bundle."""
MOST_MANIFEST_BYTES = 64 << 20
"""Largest size of a manifest."""
MOST_FILES = 100_000
MOST_RATIO = 200
"""Largest ratio of the size of a file in an archive to its compressed size."""
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)?")
"""Names of files in a bundle: at most one folder deep, and never a hidden file or the folder above."""
PRIVATE = 0o600
"""Permissions of files, which may hold numbers that were computed from the user's data."""

UPGRADES: dict[int, Callable[[dict[str, Any], dict[str, npt.NDArray[Any]]], None]] = {}
"""Format -> function that upgrades a manifest and its arrays to the next format."""


class Source(Protocol):
    """The files of a bundle, wherever they are."""

    def size(self, name: str) -> int:
        """Return the size of a file; raise KeyError if there is none."""

    def read(self, name: str) -> bytes:
        """Return the content of a file."""


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
        return self._file(name).stat().st_size

    def read(self, name: str) -> bytes:
        return self._file(name).read_bytes()


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        members = archive.infolist()
        if len(members) > MOST_FILES:
            raise InvalidInputError(f"The bundle {path} holds {len(members)} files, more than {MOST_FILES}.")
        for member in members:
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            if not NAME.fullmatch(member.filename) or is_link or member.flag_bits & 1:
                raise InvalidInputError(f"The bundle {path} holds a file that no bundle has: {member.filename[:80]!r}.")
            if member.filename.lower() in self._members:
                raise InvalidInputError(f"The bundle {path} holds two files of the name {member.filename!r}.")
            if member.file_size > MOST_RATIO * max(member.compress_size, 1):
                raise InvalidInputError(
                    f"The bundle {path} holds {member.filename!r}, which grows too much when unpacked."
                )
            self._members[member.filename.lower()] = member
        self.names = [member.filename for member in members]

    def size(self, name: str) -> int:
        return self._members[name.lower()].file_size

    def read(self, name: str) -> bytes:
        member = self._members[name.lower()]
        with self._archive.open(member) as stream:
            return stream.read(member.file_size)


def write_bundle(
    path: Path,
    facts: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    files: Mapping[str, bytes],
    exist_ok: bool,
) -> None:
    """Write a bundle: a zip archive if the name ends in ``.zip``, otherwise a directory.

    The manifest is written last, by renaming, so that a reader sees the old bundle or the new one.
    """
    is_archive = path.suffix == ".zip"
    if (path.exists() or path.is_symlink()) and not exist_ok:
        raise InvalidInputError(
            f"{path} exists. Pass exist_ok=True to replace the bundle in it, or choose another directory."
        )
    contents = {f"{name}.npy": _as_bytes(array) for name, array in arrays.items()} | dict(files)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    folder = f"data-{hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:12]}"
    listed = {f"{folder}/{name}": {"sha256": digests[name], "size": len(content)} for name, content in contents.items()}
    manifest = json.dumps(
        {"kind": KIND, "format": FORMAT, "folder": folder, **facts, "files": listed}, indent=1, allow_nan=True
    ).encode()
    signature = _signature(manifest)
    if is_archive:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path, mode=PRIVATE) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(MANIFEST, manifest)
            for name, content in contents.items():
                archive.writestr(f"{folder}/{name}", content, _compression(content))
            if signature is not None:
                archive.writestr(SIGNATURE, signature)
        return
    if path.exists() and not path.is_dir():
        raise InvalidInputError(f"{path} is a file. Choose a directory, or a name that ends in .zip.")
    before = _folder_of(path)
    (path / folder).mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        _write(path / folder / name, content)
    if signature is not None:
        _write(path / SIGNATURE, signature.encode())
    else:
        (path / SIGNATURE).unlink(missing_ok=True)
    _write(path / MANIFEST, manifest)
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
        return _read(_Folder(path), path, max_bytes, None)
    if not path.exists():
        raise InvalidInputError(f"There is no bundle at {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            source = _Archive(archive, path)
            return _read(source, path, max_bytes, source.names)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise _damaged(path, error) from error


def _read(
    source: Source, path: Path, max_bytes: int, present: list[str] | None
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]], dict[str, bytes]]:
    manifest = read_manifest(source, path)
    listed = manifest["files"]
    if present is not None and set(present) - {MANIFEST, SIGNATURE} != set(listed):
        raise InvalidInputError(
            f"The bundle {path} holds files that its manifest does not list, or lacks some that it lists."
        )
    if sum(facts["size"] for facts in listed.values()) > max_bytes:
        raise InvalidInputError(f"The bundle {path} is larger than {max_bytes} bytes.")
    arrays: dict[str, npt.NDArray[Any]] = {}
    files: dict[str, bytes] = {}
    for name, facts in listed.items():
        short = name.rpartition("/")[2]
        try:
            if source.size(name) != facts["size"]:
                raise InvalidInputError(
                    f"The bundle {path} has been changed: the size of {name!r} differs from its manifest."
                )
            content = source.read(name)
        except KeyError as error:
            raise InvalidInputError(f"The bundle {path} lacks the file {name!r}.") from error
        if not hmac.compare_digest(hashlib.sha256(content).hexdigest(), facts["sha256"]):
            raise InvalidInputError(
                f"The bundle {path} has been changed: the hash of {name!r} differs from its manifest."
            )
        if short.endswith(".npy"):
            arrays[short.removesuffix(".npy")] = _as_array(content, name, path)
        else:
            files[short] = content
    for number in range(manifest["format"], FORMAT):
        UPGRADES[number](manifest, arrays)
    return manifest, arrays, files


def read_manifest(source: Source, path: Path) -> dict[str, Any]:
    """Return a checked manifest whose signature, if a key is set, is right; see `read_bundle`."""
    try:
        if source.size(MANIFEST) > MOST_MANIFEST_BYTES:
            raise InvalidInputError(f"The manifest of {path} is larger than {MOST_MANIFEST_BYTES} bytes.")
        content = source.read(MANIFEST)
    except KeyError as error:
        raise InvalidInputError(f"{path} is no bundle of a scoring explainer: it has no {MANIFEST}.") from error
    _check_signature(source, content, path)
    try:
        manifest = json.loads(content, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise InvalidInputError(f"{path} is no bundle of a scoring explainer.")
    number = manifest.get("format")
    if type(number) is not int or number < 1:
        raise InvalidInputError(f"The manifest of {path} has no format.")
    if number > FORMAT:
        raise FormatVersionError(
            f"{path} has format {number}; this version of automl-explain reads up to {FORMAT}. Upgrade automl-explain to read it."
        )
    if not _is_list_of_files(manifest.get("files")):
        raise InvalidInputError(f"The manifest of {path} does not list the files of a bundle.")
    return manifest


def open_manifest(path: Path) -> tuple[dict[str, Any], bool]:
    """Return the manifest of a bundle, and whether the bundle is signed; nothing else is read."""
    if path.is_dir():
        folder = _Folder(path)
        return read_manifest(folder, path), (path / SIGNATURE).is_file()
    if not path.exists():
        raise InvalidInputError(f"There is no bundle at {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            source = _Archive(archive, path)
            return read_manifest(source, path), SIGNATURE in source.names
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise _damaged(path, error) from error


def _is_list_of_files(files: Any) -> bool:
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


def _check_signature(source: Source, manifest: bytes, path: Path) -> None:
    wanted = _signature(manifest)
    if wanted is None:
        return
    try:
        found = source.read(SIGNATURE) if source.size(SIGNATURE) <= 1024 else b""
    except KeyError:
        raise InvalidInputError(
            f"The bundle {path} has no signature. {KEY_VARIABLE} is set, so that only bundles signed with this key are loaded."
        ) from None
    if not hmac.compare_digest(found.strip(), wanted.encode()):
        raise InvalidInputError(f"The signature of the bundle {path} is not that of the key in {KEY_VARIABLE}.")


def _signature(manifest: bytes) -> str | None:
    key = os.environ.get(KEY_VARIABLE)
    return hmac.new(key.encode(), manifest, hashlib.sha256).hexdigest() if key else None


def _as_bytes(array: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _as_array(content: bytes, name: str, path: Path) -> npt.NDArray[Any]:
    """Return a stored array, whose header must agree with the size of the file."""
    stream = io.BytesIO(content)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise InvalidInputError(f"The bundle {path} holds {name!r} in a version of .npy that bundles do not have.")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    except (ValueError, SyntaxError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from error
    rest = len(content) - stream.tell()
    if (
        dtype.kind not in "biuf"
        or dtype.hasobject
        or fortran
        or prod(shape) * dtype.itemsize != rest
        or min(shape, default=0) < 0
    ):
        raise InvalidInputError(
            f"The bundle {path} holds {name!r}, which is no array of numbers of the size of its file."
        )
    return np.frombuffer(content, dtype=dtype, offset=stream.tell()).reshape(shape).copy()


def _compression(content: bytes) -> int:
    """Return how a file is packed: not at all if it would grow more than archives may when unpacked."""
    return (
        zipfile.ZIP_DEFLATED if len(content) < MOST_RATIO // 2 * len(zlib.compress(content, 1)) else zipfile.ZIP_STORED
    )


def _write(path: Path, content: bytes) -> None:
    with written_whole(path, mode=PRIVATE) as stream:
        stream.write(content)


def _folder_of(path: Path) -> str | None:
    """Return the folder of the arrays of the bundle in a directory, if there is one."""
    with suppress(OSError, ValueError, AttributeError):
        stored = json.loads((path / MANIFEST).read_bytes())
        folder = stored.get("folder")
        if stored.get("kind") == KIND and isinstance(folder, str) and re.fullmatch(r"data-[0-9a-f]{12}", folder):
            return folder
    return None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the same key twice")
    return found


def _damaged(path: Path, error: Exception) -> InvalidInputError:
    return InvalidInputError(f"{path} is damaged, or is no bundle of automl-explain: {error}.")
