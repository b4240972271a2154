"""Atomic writing of files."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: str | os.PathLike[str], mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a stream to a temporary file, which is renamed to `path` when the block ends without an error.

    If the process is killed, at most the temporary file remains. Its name begins with a dot and ends with ``.part``.

    Parameters
    ----------
    path : path-like
        File to write, in an existing folder. An existing file is replaced.
    mode : int, default 0o666
        Permissions of the file, before the umask.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
            yield stream
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):  # the original error is more informative
            temporary.unlink()
        raise
