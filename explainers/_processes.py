"""Which processes of this machine live, and the names of files that they are writing."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
import time
from pathlib import Path

PART = re.compile(r"\..*\.(\d+)(?:-([0-9a-f]{8})-(\d*))?\.[0-9a-f]+\.(?:part|zip)")
"""Name of a file that is being written: with the number of the process that writes it, what `machine` says there, and `born`."""
ABANDONED = 24 * 3600.0
"""Seconds after which a file that a process of another machine was writing counts as left: whether it lives is not known."""
SHOWN = 40
"""Characters of a file's name in that of its temporary one, which must not be longer than a file system allows."""
DEAD = "dead"
"""When a process was started that has ended, and for whose exit code nobody has asked."""


def part_of(target: Path) -> Path:
    """Return a temporary file beside the one to write; its name tells which process of which machine writes it."""
    writer = f"{os.getpid()}-{machine()}-{born(os.getpid())}"
    return target.with_name(f".{target.name[:SHOWN]}.{writer}.{secrets.token_hex(8)}.part")


def writer_of(part: Path) -> int | None:
    """Return the number of the process of this machine that is writing a temporary file; None if it is written no longer.

    Files of other machines count as written no longer.
    """
    found = PART.fullmatch(part.name)
    is_here = found is not None and found[2] in (None, machine())
    return int(found[1]) if found is not None and is_here and is_alive(int(found[1]), found[3] or None) else None


def is_left(part: Path) -> bool:
    """Whether a file is a temporary one that no process writes any longer."""
    found = PART.fullmatch(part.name)
    if found is None:
        return False
    if found[2] in (None, machine()):
        return writer_of(part) is None
    try:
        return time.time() - os.lstat(part).st_mtime > ABANDONED
    except FileNotFoundError:
        return False


def machine() -> str:
    """Return what tells this machine from others that write to the same folder; containers have names of their own."""
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def is_alive(process: int, since: str | None = None) -> bool:
    """Whether a process of this machine lives, and is the one that was started then."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it is another user's
    found = born(process)
    return found != DEAD if since is None else found == since


def born(process: int) -> str:
    """Return when a process was started, so that another one with its number is told apart; "" where this is not known."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[19] if fields[0] != "Z" else DEAD
    except (OSError, IndexError):
        return ""
