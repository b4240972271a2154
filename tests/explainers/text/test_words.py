"""Words and sentences of texts in many scripts, masked texts, and the documents that are read."""

import builtins

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from automl_explain import InvalidInputError, MissingExtraError
from automl_explain.explainers.text._masking import MaskedTexts, without
from automl_explain.explainers.text._reading import is_texts, read_texts
from automl_explain.explainers.text._sentences import find_sentences
from automl_explain.explainers.text._words import find_words, places_by


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop: 3.14 and e-mail, ok...", ["Don't", "stop", "3.14", "and", "e-mail", "ok"]),
        ("see https://x.org/a?b=1 now", ["see", "https://x.org/a?b=1", "now"]),
        ("<br /> a_b naïve café", ["br", "a_b", "naïve", "café"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("می‌خواهم مرحبا", ["می‌خواهم", "مرحبا"]),
        ("我喜欢 it very", ["我", "喜", "欢", "it", "very"]),
        ("カナ", ["カ", "ナ"]),
        ("👩‍👩‍👧 👍🏽 🇩🇪 ❤️", ["👩‍👩‍👧", "👍🏽", "🇩🇪", "❤️"]),
        ("mail jane.doe+x@mail.example.org, please", ["mail", "jane.doe+x@mail.example.org", "please"]),
        ("great :) thanks :-D <3 ;p", ["great", ":)", "thanks", ":-D", "<3", ";p"]),
        ("as follows:(a) f(x)=(1) C:/x a:3 x<3y", ["as", "follows", "a", "f", "x", "1", "C", "x", "a", "3", "x", "3y"]),
        ("a" * 70 + "@b", ["a" * 70, "b"]),
        ("", []),
        (" ... \n", []),
    ],
)
def test_words(text, words):
    assert [text[start:end] for start, end in find_words(text)] == words


def test_own_tokenizers_return_words_or_places():
    text = "ab ab c"
    assert places_by(str.split)(text) == [(0, 2), (3, 5), (6, 7)]
    assert places_by(lambda text: [(0, 2), (3, 7)])(text) == [(0, 2), (3, 7)]
    assert places_by(lambda text: [(0, 0), (0, 2), (3, 7), (0, 0)])(text) == [(0, 2), (3, 7)]


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (lambda text: ["AB"], "Got 'AB', which is not in the text"),
        (lambda text: [(0, 2), (1, 3)], "without overlap. Got \\(1, 3\\) after 2"),
        (lambda text: [(0, 20)], "in a text of 7 characters"),
        (lambda text: [3], "their places as \\(start, end\\). Got 3"),
        (lambda text: 1 / 0, "The 'tokenizer' raised ZeroDivisionError"),
    ],
)
def test_tokenizers_that_do_not_fit(tokenizer, message):
    with pytest.raises(InvalidInputError, match=message):
        places_by(tokenizer)("ab ab c")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith came at 3 p.m. today. He left.  ", ["Dr. Smith came at 3 p.m. today.", "He left."]),
        ("你好。世界。", ["你好。", "世界。"]),
        ("हिन्दी है। ठीक है।", ["हिन्दी है।", "ठीक है।"]),
        ("a\n\nb", ["a", "b"]),
        ("   ", []),
    ],
)
def test_sentences(text, sentences):
    pytest.importorskip("sentencex")
    assert [text[start:end] for start, end in find_sentences(text)] == sentences


def test_without_the_extra_the_pip_line_is_said(monkeypatch):
    imported = builtins.__import__

    def without_sentencex(name, *rest):
        if name == "sentencex":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_sentencex)
    with pytest.raises(MissingExtraError, match=r"pip install 'automl-explain\[text\]'"):
        find_sentences("a")


def test_masked_texts():
    masked = MaskedTexts("x a, b a!", [[(2, 3), (7, 8)], [(5, 6)]])
    assert masked(np.array([[True, True], [False, True], [True, False], [False, False]])) == [
        "x a, b a!",
        "x , b !",
        "x a,  a!",
        "x ,  !",
    ]
    assert MaskedTexts("a b", [[(0, 1)], [(2, 3)]], "[MASK]")(np.array([[False, True]])) == ["[MASK] b"]
    assert without("a b c", [(4, 5), (0, 1)], "?") == "? b ?"


@pytest.mark.parametrize(
    "documents",
    ["a", ["a"], ("a",), np.array(["a"]), np.array(["a"], object), np.array([["a"]]), pd.Series(["a"], [7]),
     pd.DataFrame({"t": ["a"]}), pd.Series(["a"], dtype="string"), pl.Series(["a"]), pl.DataFrame({"t": ["a"]}),
     pa.array(["a"]), pa.chunked_array([["a"]]), pa.table({"t": ["a"]})],
    ids=lambda given: type(given).__name__,
)  # fmt: skip
def test_documents_in_any_form(documents):
    assert read_texts(documents) == ["a"]
    assert type(read_texts(documents)[0]) is str


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (["a", None], r"cell at position 1 is missing \(None\): fill missing texts with ''"),
        (["a", float("nan")], "position 1 is missing"),
        (pd.Series(["a", pd.NA], dtype="string"), "position 1 is missing"),
        ([b"a"], "Got bytes at position 0: decode them"),
        (b"a", "must be a text, or a list, array or Series of texts. Got bytes"),
        ([3], "Got int at position 0: convert it with str"),
        ([["a"]], "Got list at position 0"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), r"Got DataFrame of shape \(1, 2\)"),
        (pl.DataFrame({"a": ["x"], "b": ["y"]}), r"Got DataFrame of shape \(1, 2\)"),
        (pa.table({"a": ["x"], "b": ["y"]}), r"Got Table of shape \(1, 2\)"),
        (pa.table({"a": ["x", None]}), "position 1 is missing"),
        ({"a": 1}, "Got dict"),
        (None, "Got NoneType"),
        (7, "Got int"),
    ],
)
def test_what_is_not_a_text(documents, message):
    with pytest.raises(InvalidInputError, match=message):
        read_texts(documents)


def test_what_counts_as_texts():
    texts = ["a", ["a"], [None, "a"], np.array(["a"]), pd.Series([pd.NA, "a"]), pl.Series(["a"])]
    assert all(map(is_texts, [*texts, pa.array([None, "a"]), pa.chunked_array([["a"]])]))
    tables = [pd.DataFrame({"a": ["x"]}), pa.table({"a": ["x"]}), [["a"]]]
    assert not any(map(is_texts, [["a"][:0], [1], [None], np.zeros(3), None, pa.array([1]), *tables]))
