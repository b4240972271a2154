"""A folder of files that only its user can read, each sealed with a key, so that nothing that a stranger planted is unpickled.

The folder may lie in one that other users write to, such as a history that a group shares: they can rename it and put another
one in its place. It is therefore opened once for each use, without following a link, and used through that descriptor after
its owner and permissions were checked. What is read must carry the seal of the key, which only the search and its workers hold.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers._files import OWNER, make_private_folder
from automl_explain.integrations.sealed._places import BINARY, NO_LINK, opened_folder

SEAL, SIZE = 32, 8
"""Bytes of a seal, and of the size of a part."""


class SealedFolder:
    """A folder of sealed files, which is made when the first one is written.

    Parameters
    ----------
    path : Path
    key : bytes
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self.path, self._key = path, key

    def write(self, name: str, *parts: bytes) -> None:
        """Write a file of several parts; it appears whole or not at all.

        Raises
        ------
        OSError
            If it cannot be written; a `HistoryError` if the folder is another user's or can be read by others.
        """
        make_private_folder(self.path.parent)
        with suppress(FileExistsError), opened_folder(self.path.parent) as above:
            os.mkdir(self._name(above), mode=OWNER, dir_fd=above)
        with self._opened() as folder:
            temporary = self._place(f".{secrets.token_hex(8)}.part", folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY
            try:
                with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as stream:
                    for number, part in enumerate(parts):
                        stream.writelines((len(part).to_bytes(SIZE, "little"), self._seal(name, number, part), part))
                os.replace(temporary, self._place(name, folder), src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):  # the original error is more informative
                    os.unlink(temporary, dir_fd=folder)
                raise

    def read(self, name: str, number: int) -> bytes:
        """Return one part of a file.

        Raises
        ------
        HistoryError
            If the folder or the file is not what this search wrote.
        """
        with self._opened() as folder:
            descriptor = os.open(self._place(name, folder), os.O_RDONLY | NO_LINK | BINARY, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as stream:
                for _ in range(number):
                    size = int.from_bytes(stream.read(SIZE), "little")
                    stream.seek(SEAL + size, os.SEEK_CUR)
                size, seal = int.from_bytes(stream.read(SIZE), "little"), stream.read(SEAL)
                part = stream.read(size) if size <= os.fstat(stream.fileno()).st_size else b""
        if not hmac.compare_digest(seal, self._seal(name, number, part)):
            raise HistoryError(f"{self.path / name} is not the file that this search wrote, and is not read.")
        return part

    def names(self) -> list[str]:
        """Return the names of the files, sorted; none if there is no folder."""
        if not self.path.exists():  # also where a file has the place of the folder above
            return []
        with suppress(FileNotFoundError), self._opened() as folder:
            return sorted(os.listdir(self.path if folder is None else folder))
        return []

    def size(self) -> int:
        """Return the bytes that the files take. Another process may write to the folder, or remove files, meanwhile."""
        total = 0
        for name in self.names():
            with suppress(FileNotFoundError):
                total += os.stat(self.path / name).st_size
        return total

    def remove(self, names: Sequence[str]) -> None:
        """Remove files, and the folder if it is empty then."""
        if not self.path.exists():
            return
        with suppress(FileNotFoundError), self._opened() as folder:
            for name in names:
                with suppress(FileNotFoundError):
                    os.unlink(self._place(name, folder), dir_fd=folder)
        with suppress(OSError), opened_folder(self.path.parent) as above:  # it holds files
            os.rmdir(self._name(above), dir_fd=above)

    # ---------------------------------------------------------------- private

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        with opened_folder(self.path.parent) as above, opened_folder(self._name(above), above) as folder:
            if folder is not None:
                found = os.fstat(folder)
                if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
                    raise HistoryError(
                        f"The folder {self.path} belongs to another user or can be read by others, so that models of this "
                        "search are not passed through it. Choose another history with history=DIR."
                    )
            yield folder

    def _name(self, above: int | None) -> str:
        return self.path.name if above is not None else str(self.path)

    def _place(self, name: str, folder: int | None) -> str:
        return name if folder is not None else str(self.path / name)

    def _seal(self, name: str, number: int, part: bytes) -> bytes:
        sealed = hashlib.blake2b(f"{name}\0{number}\0".encode(), key=self._key, digest_size=SEAL)
        sealed.update(part)
        return sealed.digest()
