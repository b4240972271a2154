"""Word vectors are read from GloVe's text format, and a file that is not one is refused with the line."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.text.han._embedding import DIMENSION, initial_embedding
from automl_explain.explainers.text.han._vocabulary import FIRST, Vocabulary

WORDS = Vocabulary(("bad", "good", "strange"))
NUMBERS = " ".join(f"{number / 8}" for number in range(DIMENSION))
ALL_BUT_ONE = NUMBERS.rsplit(" ", 1)[0]
ROW = np.arange(DIMENSION, dtype=np.float32) / 8


def read(path):
    return initial_embedding(WORDS, path, np.random.default_rng(0))


def test_words_of_the_vocabulary_get_the_vectors_of_the_file_and_others_random_ones(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(f"the {NUMBERS}\ngood {NUMBERS}\n. . . {NUMBERS}\nbad {NUMBERS}\n", encoding="utf-8")
    vectors, n_found = read(path)
    assert n_found == 2
    np.testing.assert_array_equal(vectors[[FIRST, FIRST + 1]], [ROW, ROW])
    random = initial_embedding(WORDS, None, np.random.default_rng(0))
    assert random.n_found is None
    np.testing.assert_array_equal(vectors[FIRST + 2], random.vectors[FIRST + 2])
    assert not vectors[0].any(), "an absent word is zero"


def test_the_first_line_may_count_words_and_numbers(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(f"2 {DIMENSION}\nbad {NUMBERS}\nthe {NUMBERS}\n", encoding="utf-8")
    assert read(path).n_found == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"bad 1 2 3", "Got 3 numbers in line 2"),
        (b"", "Got 0 numbers in line 2"),
        (f"bad {NUMBERS} {NUMBERS}".encode(), "Got 200 numbers in line 2"),
        (f"bad {ALL_BUT_ONE} one".encode(), "followed by numbers. Got, in line 2"),
        (f"bad {ALL_BUT_ONE} nan".encode(), "finite numbers. Got another one in line 2"),
        (b"\xff\xfe " + NUMBERS.encode(), "UTF-8. Got another encoding in line 2"),
    ],
    ids=["few", "empty", "another dimension", "no number", "nan", "encoding"],
)
def test_a_bad_line_is_named(tmp_path, line, said):
    path = tmp_path / "vectors.txt"
    path.write_bytes(f"the {NUMBERS}\n".encode() + line + b"\n")
    with pytest.raises(InvalidInputError, match=said):
        read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(f"good {NUMBERS}\n".encode()), "is packed by gzip: unpack it first"),
        (b"PK\x03\x04 good.txt", "is packed by zip: unpack it first"),
        (b"3 100\ngood " + np.zeros(300, np.float32).tobytes(), "is binary: write the vectors as text in UTF-8"),
        (f"good {NUMBERS}\n".encode("utf-16"), "is binary"),
        (b"", "must have words of the texts.*such as 'bad'. Got none of the 3 words"),
        (f"1 {DIMENSION}\n".encode(), "Got none of the 3 words"),
        (
            f"GOOD {NUMBERS}\nder {NUMBERS}\n".encode(),
            "words of the texts, in lower case.*pass vectors of the language",
        ),
    ],
    ids=["gzip", "zip", "binary", "UTF-16", "empty", "header only", "other words"],
)
def test_a_file_without_the_words_as_text_is_refused(tmp_path, content, said):
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=said):
        read(path)


def test_the_mark_of_utf_8_is_not_part_of_the_first_word(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(f"good {NUMBERS}\n", encoding="utf-8-sig")
    assert read(path).n_found == 1


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="cannot be read: "):
        read(tmp_path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="'embedding' parameter must be a file of word vectors.*No such file"):
        read(tmp_path / "none.txt")
