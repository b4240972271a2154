"""Atomic writing of files."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from automl_explain.explainers._errors import HistoryError, InvalidInputError


@contextmanager
def written_whole(path: str | os.PathLike[str], mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a stream to a temporary file, which is renamed to `path` when the block ends without an error.

    If the process is killed, at most the temporary file remains. Its name begins with a dot and ends with ``.part``.

    Parameters
    ----------
    path : path-like
        File to write, in an existing folder. An existing file is replaced and keeps its permissions; a link stays, and the
        file that it names is written.
    mode : int, default 0o666
        Permissions of a new file, before the umask.

    Raises
    ------
    InvalidInputError
        If there is something else at the path, such as a folder, a device or a pipe.
    """
    target = Path(os.path.realpath(path))
    before = _permissions(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
            if before is not None:
                os.chmod(temporary, before)
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


def _permissions(target: Path) -> int | None:
    """Return the permissions of an existing file; None if there is none."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInputError(f"{target} is not a file, so that nothing can be written there. Choose another path.")
    return stat.S_IMODE(found.st_mode)
