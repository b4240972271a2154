"""Word vectors from a file in GloVe's text format, of which only the vocabulary's rows are kept."""

from __future__ import annotations

import codecs
import os
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.text.han._vocabulary import Vocabulary

DIMENSION = 100
"""Numbers per word."""
SPREAD = 0.3
"""Standard deviation of the vectors of words that are not in the file."""
PACKED = {b"\x1f\x8b": "gzip", b"PK": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
"""First bytes of packed files -> their format."""
LOOKED_AT = 4096
"""Bytes at the start of a file that show whether it is text."""


class Embedding(NamedTuple):
    """Word vectors of a vocabulary: (V, DIMENSION) float32, and how many words the file has; None without a file."""

    vectors: npt.NDArray[np.float32]
    n_found: int | None


def initial_embedding(
    vocabulary: Vocabulary, path: str | os.PathLike[str] | None, rng: np.random.Generator
) -> Embedding:
    """Return word vectors to start from: those of a file, and random ones for all other words.

    The file is read a line at a time, and only rows of the vocabulary are kept. The vector of an absent word is zero.

    Parameters
    ----------
    vocabulary : Vocabulary
    path : path-like or None
        File with a word and its numbers per line, separated by spaces. Default: random vectors.
    rng : Generator

    Raises
    ------
    InvalidInputError
        If there is no such file, it is packed or binary, a line is not a word with numbers, the dimension is not
        `DIMENSION`, or the file has none of the words.
    """
    vectors = rng.normal(0.0, SPREAD, (vocabulary.size, DIMENSION)).astype(np.float32)
    vectors[0] = 0.0
    if path is None:
        return Embedding(vectors, None)
    try:
        with open(path, "rb") as file:
            _check_is_text(file, path)
            n_found = _read(file, path, vocabulary, vectors)
    except OSError as error:
        raise InvalidInputError(
            f"The 'embedding' parameter must be a file of word vectors in GloVe's text format. Got {os.fspath(path)!r}, which "
            f"cannot be read: {error.strerror}."
        ) from error
    return Embedding(vectors, n_found)


def _check_is_text(file: BinaryIO, path: str | os.PathLike[str]) -> None:
    """Raise `InvalidInputError` if a file is packed, binary or in UTF-16: one without lines would be read as a whole."""
    head = file.read(LOOKED_AT)
    file.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
    packed = next((kind for start, kind in PACKED.items() if head.startswith(start)), None)
    if packed or b"\x00" in head:
        is_now = f"packed by {packed}: unpack it first" if packed else "binary: write the vectors as text in UTF-8"
        raise InvalidInputError(
            f"The 'embedding' parameter must be a file of word vectors in GloVe's text format. {os.fspath(path)!r} is {is_now}."
        )


def _read(
    file: BinaryIO, path: str | os.PathLike[str], vocabulary: Vocabulary, vectors: npt.NDArray[np.float32]
) -> int:
    """Write the file's vectors over those of the vocabulary's words, and return how many of them it has."""
    known, found = vocabulary.numbers, set()
    for number, line in enumerate(file, 1):
        entry = _Line(line.rstrip(), number, path)
        if number == 1 and entry.is_header:
            continue
        row = known.get(entry.word)
        if row is not None and row not in found:
            vectors[row] = entry.vector
            found.add(row)
    if not found:
        raise InvalidInputError(
            f"The file of word vectors must have words of the texts, in lower case, such as {vocabulary.words[0]!r}. Got none of "
            f"the {len(known):,} words in {os.fspath(path)!r}: pass vectors of the language of the texts, or leave out "
            "'embedding'."
        )
    return len(found)


class _Line:
    """A line of a file of vectors; its numbers are read only for words of the vocabulary."""

    def __init__(self, line: bytes, number: int, path: str | os.PathLike[str]) -> None:
        self._line, self._where = line, f"line {number} of {os.fspath(path)}"

    @property
    def is_header(self) -> bool:
        """Whether the line gives the numbers of words and dimensions, as the first one of word2vec's text format does."""
        parts = self._line.split()
        return len(parts) == 2 and all(part.isdigit() for part in parts)

    @property
    def word(self) -> str:
        """The word, which may contain spaces."""
        n_spaces = self._line.count(b" ")
        part = self._line.split(b" ", 1)[0] if n_spaces == DIMENSION else self._line.rsplit(b" ", DIMENSION)[0]
        if n_spaces < DIMENSION or not part or (n_spaces > DIMENSION and _is_number(part.rsplit(b" ", 1)[-1])):
            raise InvalidInputError(
                f"Vectors must have a word and {DIMENSION} numbers per line, separated by spaces. Got {n_spaces} numbers in "
                f"{self._where}. Pass vectors of dimension {DIMENSION}, such as glove.6B.{DIMENSION}d.txt."
            )
        try:
            return part.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"Vectors must be in UTF-8. Got another encoding in {self._where}: {error}."
            ) from error

    @property
    def vector(self) -> npt.NDArray[np.float32]:
        """The numbers after the word."""
        parts = self._line.rsplit(b" ", DIMENSION)[1:]
        try:
            vector = np.array([float(part) for part in parts], np.float32)
        except ValueError as error:
            raise InvalidInputError(f"A word must be followed by numbers. Got, in {self._where}: {error}.") from error
        if not np.isfinite(vector).all():
            raise InvalidInputError(f"Vectors must have finite numbers. Got another one in {self._where}.")
        return vector


def _is_number(part: bytes) -> bool:
    try:
        float(part)
    except ValueError:
        return False
    return True
