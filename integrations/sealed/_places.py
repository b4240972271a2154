"""Where a history keeps what, read and written so that another user of it leads nobody to other files.

A user who shares a history can put a link in place of any of its files and folders, and any text into its index. What is kept
in it is therefore named by texts that lead nowhere else, its folders are opened without following a link where something is
removed, and its small files are read only if they are files.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers._files import make_private_folder, written_whole

HAS_DESCRIPTORS = {os.open, os.unlink, os.rename, os.mkdir, os.rmdir} <= os.supports_dir_fd and hasattr(os, "geteuid")
"""Whether folders can be used through a descriptor; where they cannot, on Windows, a folder is its owner's by inheritance."""
NO_LINK, FOLDER = getattr(os, "O_NOFOLLOW", 0), getattr(os, "O_DIRECTORY", 0)
NO_WAIT, BINARY = getattr(os, "O_NONBLOCK", 0), getattr(os, "O_BINARY", 0)
NAME = re.compile(r"[^./\\:\0][^/\\:\0]{0,199}")
"""Ids that are names of files: none leaves its folder."""
MOST_BYTES = 256 << 20
"""Largest size of a small file."""


def place_of(directory: Path, folder: str, name: str, end: str = "") -> Path:
    """Return where a history keeps what belongs to a run, a search or an explanation.

    Parameters
    ----------
    directory : Path
        Of the history.
    folder : str
        One of its folders.
    name : str
        Id of the run, the search or the explanation.
    end : str, default ""
        End of the file's name.

    Raises
    ------
    HistoryError
        If the id would lead to another folder.
    """
    if not NAME.fullmatch(name):
        raise HistoryError(
            f"The history {directory} holds the id {name[:80]!r}, which automl-explain gives to nothing: somebody has changed "
            "the history, and no file is looked for under that name."
        )
    return directory / folder / f"{name}{end}"


@contextmanager
def opened_folder(folder: Path | str, above: int | None = None) -> Iterator[int | None]:
    """Yield a descriptor of a folder, relative to that of the folder above if given; None where folders have none.

    Raises
    ------
    FileNotFoundError
        If there is none.
    HistoryError
        If it is a link.
    """
    if not HAS_DESCRIPTORS:
        yield None
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | FOLDER | NO_LINK, dir_fd=above)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise HistoryError(
            f"{folder} is not used: {error.strerror}. It must be a folder and no link; put a link in place of the whole history."
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none if there is no folder."""
    with suppress(FileNotFoundError), opened_folder(folder) as descriptor:
        return sorted(os.listdir(folder if descriptor is None else descriptor))
    return []


def remove_file(file: Path) -> None:
    """Remove a file of a history, if it is there."""
    with suppress(FileNotFoundError), opened_folder(file.parent) as descriptor:
        os.unlink(file if descriptor is None else file.name, dir_fd=descriptor)


def read_small(file: Path) -> bytes:
    """Return the content of a small file of a history.

    Raises
    ------
    FileNotFoundError
        If there is none.
    HistoryError
        If it is a link, a pipe, a device or too large.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | NO_LINK | NO_WAIT | BINARY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise HistoryError(f"{file} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
            raise HistoryError(f"{file} is not a file that automl-explain wrote")
        return stream.read()


def write_small(file: Path, content: bytes) -> None:
    """Write a small file of a history, in place of whatever is there."""
    make_private_folder(file.parent)
    with opened_folder(file.parent), written_whole(file, private=True, follow_links=False) as stream:
        stream.write(content)
