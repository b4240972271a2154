"""Archives whose files are read only after their names and sizes have been checked."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automl_explain.explainers._errors import InvalidInputError

MOST_BYTES = 4 << 30
"""Largest size of all files of a bundle."""
MOST_MANIFEST_BYTES = 64 << 20
"""Largest size of a manifest."""
MOST_FILES = 100_000
MOST_RATIO = 200
"""Largest ratio of the size of a file in an archive to its compressed size."""
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)?")
"""Names of files in a bundle: at most one folder deep, and never a hidden file or the folder above."""


class Archive:
    """The files of a zip archive, by name.

    Raises
    ------
    InvalidInputError
        If a name leaves the folder, is there twice, or is a link, or if there are more files than bundles have, or one
        that grows too much when it is unpacked.
    """

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
        """Return the size of a file; raise KeyError if there is none."""
        return self._members[name.lower()].file_size

    def is_stored(self, name: str) -> bool:
        """Whether a file is not compressed, so that it is no larger than the archive."""
        return self._members[name.lower()].compress_type == zipfile.ZIP_STORED

    def read(self, name: str) -> bytes:
        """Return the content of a file; raise KeyError if there is none."""
        member = self._members[name.lower()]
        with self._archive.open(member) as stream:
            return stream.read(member.file_size)


@contextmanager
def opened_archive(path: Path) -> Iterator[Archive]:
    """Yield the archive at a path.

    Raises
    ------
    FileNotFoundError
        If there is none.
    InvalidInputError
        If it is not a regular file, not an archive, or damaged, also where it is read in the block.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a pipe or device would be waited for
        os.close(descriptor)
        raise InvalidInputError(f"{path} is not a file.")
    with os.fdopen(descriptor, "rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                yield Archive(archive, path)
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            NotImplementedError,
            EOFError,
            OSError,
            RuntimeError,
        ) as error:
            raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> InvalidInputError:
    """Return the error of a file that cannot be read as a bundle."""
    return InvalidInputError(f"{path} is not a file that automl-explain wrote, or is damaged: {error}.")
