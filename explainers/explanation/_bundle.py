"""A file of arrays and a JSON manifest, written without pickle and read without executing code.

A bundle is an uncompressed zip archive: ``manifest.json`` plus one ``.npy`` member per array. The manifest's `kind` says
what the bundle holds, and `protocol` in which layout.

Upgrade manual: a layout change that older code would misread raises the protocol of that kind by one, and the reader of
that kind keeps reading all older protocols. New fields that older code may ignore need no new protocol.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import FormatVersionError, InvalidInputError
from automl_explain.explainers._files import written_whole

PRIVATE = 0o600
"""Permissions of a bundle, which may hold rows of the user's data."""


def write_bundle(
    path: str | os.PathLike[str],
    kind: str,
    protocol: int,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
) -> None:
    """Write a bundle; the file appears whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write; replaced if it exists.
    kind : str
        What the bundle holds.
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
        written_whole(target, mode=PRIVATE) as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive,
    ):
        archive.writestr("manifest.json", json.dumps({"kind": kind, "protocol": protocol, **manifest}))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def bundle_kind(path: str | os.PathLike[str]) -> str:
    """Return the kind of a bundle, without reading its arrays.

    Raises
    ------
    InvalidInputError
        If the file is not a bundle.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read("manifest.json"))["kind"])
    except (zipfile.BadZipFile, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInputError(f"{os.fspath(path)} is not a file that automl-explain wrote: {error}.") from error


def read_bundle(
    path: str | os.PathLike[str], kind: str, protocol: int
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Read a bundle.

    Returns
    -------
    tuple of dict, dict
        Manifest and arrays.

    Raises
    ------
    InvalidInputError
        If the file is not a bundle of that kind.
    FormatVersionError
        If a newer version of automl-explain wrote it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            if manifest.get("kind") != kind:
                raise InvalidInputError(f"{os.fspath(path)} holds a {manifest.get('kind')!r}, not a {kind!r}.")
            if manifest["protocol"] > protocol:
                raise FormatVersionError(
                    f"{os.fspath(path)} has protocol {manifest['protocol']}; this version of automl-explain reads up to "
                    f"{protocol}. Upgrade automl-explain to read it."
                )
            return manifest, {
                name.removesuffix(".npy"): _read_array(archive, name)
                for name in archive.namelist()
                if name.endswith(".npy")
            }
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise InvalidInputError(f"{os.fspath(path)} is not a file that automl-explain wrote: {error}.") from error


def _read_array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(name) as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))
