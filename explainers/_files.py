"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: str | os.PathLike[str], mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a stream to a temporary file, which takes the name of `path` when the block ends without an error.

    A process that is killed leaves at most the temporary file, whose name begins with a dot and ends with ``.part``.

    Parameters
    ----------
    path : path-like
        File to write, in a folder that exists; replaced if it exists.
    mode : int, default 0o666
        Permissions of the file, less those that the umask takes away.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
            yield stream
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):  # the error that is raised says more
            temporary.unlink()
        raise
