"""A key of this user, with which files are sealed that another process of the same user reads."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers._files import make_private_folder
from automl_explain.explainers._processes import part_of

SIZE = 32
"""Bytes of the key."""


def users_key() -> bytes:
    """Return the key, which lies in the user's data folder; it is made when it is first needed.

    Raises
    ------
    HistoryError
        If it cannot be made or read, or others could have read it.
    """
    import platformdirs

    place = Path(platformdirs.user_data_dir("automl-explain", appauthor=False)) / "models.key"
    try:
        if not place.exists():
            _make(place)
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            key = stream.read(SIZE + 1)
    except OSError as error:
        raise HistoryError(
            f"The key of kept models, {place}, cannot be used: {error.strerror or error}. Name a data folder that can be "
            "written, such as by $XDG_DATA_HOME, or leave keep_models out."
        ) from error
    is_own = not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077)
    if not is_own or len(key) != SIZE or not stat.S_ISREG(found.st_mode):
        raise HistoryError(
            f"The key of kept models, {place}, is damaged, belongs to another user or can be read by others. Remove it; models "
            "that were kept with it cannot be used then."
        )
    return key


def _make(place: Path) -> None:
    """Write a new key, unless another process has written one in the meantime."""
    make_private_folder(place.parent)
    written = part_of(place)
    try:
        with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(SIZE))
        with suppress(FileExistsError):
            os.link(written, place)
    finally:
        written.unlink(missing_ok=True)
