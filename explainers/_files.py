"""Atomic writing of files, and the permissions of those that hold personal data."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from automl_explain.explainers._errors import HistoryError, InvalidInputError
from automl_explain.explainers._processes import part_of

OWNER, GROUP, EXECUTE = 0o700, 0o070, 0o111
"""Permissions of the owner, of the group, and those to execute."""


def private_mode(folder: Path) -> int:
    """Return the permissions of what is made in a folder and may hold personal data, such as rows of a user's table.

    They are those of the owner alone. In a folder with the set-group-ID bit, which people share on purpose, the group may do
    with it what it may do with the folder. Files leave out the right to execute.
    """
    found = os.stat(folder).st_mode
    return OWNER | (found & GROUP if found & stat.S_ISGID else 0)


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, with the permissions of `private_mode`; leave existing ones."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    mode = private_mode(folder.parent)
    folder.mkdir(mode=OWNER, exist_ok=True)
    if mode != OWNER:  # not by its name: the group may have put something else there by now
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                os.chmod(descriptor, mode | stat.S_ISGID)
        finally:
            os.close(descriptor)


def make_private_file(path: Path) -> None:
    """Make an empty file with the permissions of `private_mode`, unless there is a file."""
    with suppress(FileExistsError), open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
        _set_mode(stream, path, private_mode(path.parent) & ~EXECUTE)


@contextmanager
def written_whole(
    path: str | os.PathLike[str], *, private: bool = False, follow_links: bool = True
) -> Iterator[BinaryIO]:
    """Yield a stream to a temporary file, which is renamed to `path` when the block ends without an error.

    If the process is killed, at most the temporary file remains. Its name begins with a dot and ends with ``.part``.

    Parameters
    ----------
    path : path-like
        File to write, in an existing folder. An existing file is replaced and keeps its permissions; a link stays, and the
        file that it names is written.
    private : bool, default False
        Whether a new file may hold personal data: its permissions are then those of `private_mode`, otherwise all that the
        umask leaves.
    follow_links : bool, default True
        False where other users may have put something at the path: it is replaced, whatever it is, and its permissions are
        not kept.

    Raises
    ------
    InvalidInputError
        If there is something else at the path, such as a folder, a device or a pipe.
    """
    target = Path(os.path.realpath(path)) if follow_links else Path(path)
    mode = _permissions(target) if follow_links else None
    if mode is None and private:
        mode = private_mode(target.parent) & ~EXECUTE
    temporary = part_of(target)
    first = 0o666 if mode is None else OWNER & ~EXECUTE
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, first)) as stream:
            if mode is not None:
                _set_mode(stream, temporary, mode)
            yield stream
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):  # the original error is more informative
            temporary.unlink()
        raise


def write_whole(target: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all; its folder is made if there is none.

    Raises
    ------
    HistoryError
        If the file cannot be written.
    InvalidInputError
        As `written_whole`.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as stream:
            stream.write(content)
    except OSError as error:
        why = error.strerror or error  # not the name of the temporary file
        raise HistoryError(f"The file {target} cannot be written: {why}. Name another place.") from error


def _set_mode(stream: BinaryIO, path: Path, mode: int) -> None:
    os.chmod(stream.fileno() if os.chmod in os.supports_fd else path, mode)


def _permissions(target: Path) -> int | None:
    """Return the permissions of an existing file; None if there is none."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInputError(f"{target} is not a file, so that nothing can be written there. Choose another path.")
    return stat.S_IMODE(found.st_mode)
