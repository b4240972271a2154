"""What all explainers of texts promise: the same input is taken and refused, and nothing of the caller's is changed.

An explainer joins the contract with one line in `EXPLAINERS`.
"""

from __future__ import annotations

import pickle
from copy import copy
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automl_explain import (
    Explanation,
    HANTextExplainer,
    InvalidInputError,
    SamplingOptions,
    TextExplainer,
    TextExplanation,
)

ADJECTIVES = {"good": 1, "fine": 1, "great": 1, "bad": 0, "awful": 0, "dull": 0}
TEXTS = [
    f"We saw a {noun}. It was {word}!" for word in ADJECTIVES for noun in ("film", "plot", "cast", "end", "song")
] * 2
LABELS = np.array(["no", "yes"])[[label for label in ADJECTIVES.values() for _ in range(5)] * 2]
MODEL = make_pipeline(CountVectorizer(), LogisticRegression(C=5.0)).fit(TEXTS, LABELS)
TFIDF = make_pipeline(TfidfVectorizer(), LogisticRegression(C=5.0)).fit(TEXTS, LABELS)
ROUGH = {"epochs": 8, "fine_tune": False, "progress": False}

EXPLAINERS = {
    "linear": lambda: TextExplainer(MODEL),
    "coalitions": lambda: TextExplainer(TFIDF.predict_proba, sampling=SamplingOptions(nsamples=60)),
    "lime": lambda: TextExplainer(MODEL, method="lime", sampling=SamplingOptions(nsamples=60)),
    "sentences": lambda: TextExplainer(MODEL, level="sentence"),
    "han": lambda: HANTextExplainer(MODEL, TEXTS, **ROUGH),
    "han, attention": lambda: attending(made("han")),
}
made = cache(lambda name: EXPLAINERS[name]())


def attending(explainer):
    """Return a network's explainer with the other importance, without training it again."""
    other = copy(explainer)
    other._importance = "attention"
    return other


by_name = pytest.mark.parametrize("name", EXPLAINERS)
NEW = ["The song was awful.", "What a great, great end! We saw it.", "bad"]


@by_name
def test_a_list_an_array_a_series_and_single_texts_are_explained_alike(name):
    expected = made(name).explain_local(NEW)
    assert isinstance(expected, TextExplanation)
    assert len(expected) == 3
    for form in (np.array(NEW), np.array(NEW, object), pd.Series(NEW, index=[5, 6, 7]), tuple(NEW)):
        found = made(name).explain_local(form)
        for one, other in zip(found.documents, expected.documents, strict=True):
            np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_allclose(
        made(name).explain_local(NEW[0]).documents[0].values, expected.documents[0].values, atol=1e-12
    )


@by_name
def test_odd_texts_have_values(name):
    odd = ["", "   ", "...", "awful", "xyzzy", "שלום 你好 😀 <b>bad</b>", "a\x00b \ud800 bad"]
    explanation = made(name).explain_local(odd)
    for text, document in zip(odd, explanation.documents, strict=True):
        assert document.text == text
        assert np.isfinite(document.values).all()
        assert all(0 <= start < end <= len(text) for spans in document.spans for start, end in spans)
    assert explanation.documents[0].values.shape == (2, 0)
    assert explanation.documents[0].notes, "an empty text is noted"


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        (["good", None], "missing"),
        (["good", float("nan")], "missing"),
        (["good", b"bad"], "bytes"),
        (["good", 3], "int"),
        (3, "int"),
        (pd.DataFrame({"a": NEW, "b": NEW}), "DataFrame of shape"),
        ({"text": NEW}, "dict"),
    ],
    ids=["none", "nan", "bytes", "int", "number", "frame", "dict"],
)
@by_name
def test_what_is_no_text_is_refused(name, documents, said):
    with pytest.raises(InvalidInputError, match=said):
        made(name).explain_local(documents)


@by_name
def test_nothing_that_the_caller_owns_is_changed_and_asking_twice_gives_the_same(name):
    texts, state = list(NEW), np.random.get_state()[1].copy()
    seeded = torch.random.get_rng_state(), torch.get_num_threads()
    first = made(name).explain_local(texts)
    made(name).explain_local(TEXTS[:2])
    again = made(name).explain_local(texts)
    for one, other in zip(first.documents, again.documents, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    assert texts == NEW
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert torch.equal(torch.random.get_rng_state(), seeded[0])
    assert torch.get_num_threads() == seeded[1]


@by_name
def test_explanations_rank_words_and_come_back_from_files_and_pickles(name, tmp_path):
    explanation = made(name).explain_local(NEW)
    assert isinstance(made(name).explain_global(NEW), Explanation)
    explanation.save(tmp_path / "texts.zip")
    for loaded in (Explanation.load(tmp_path / "texts.zip"), pickle.loads(pickle.dumps(explanation))):
        assert isinstance(loaded, TextExplanation)
        assert (loaded.method, loaded.reason, loaded.notes, loaded.kind) == (
            explanation.method, explanation.reason, explanation.notes, explanation.kind,
        )  # fmt: skip
        np.testing.assert_array_equal(loaded.documents[1].values, explanation.documents[1].values)


@by_name
def test_an_explainer_comes_back_from_a_pickle(name):
    loaded = pickle.loads(pickle.dumps(made(name)))
    expected = made(name).explain_local(NEW).documents[1].values
    np.testing.assert_array_equal(loaded.explain_local(NEW).documents[1].values, expected)


@pytest.mark.slow
def test_text_explainer_reaches_the_network_on_request_only():
    explainer = TextExplainer(MODEL, method="han", initialization_examples=TEXTS, progress=False)
    network = HANTextExplainer(MODEL, TEXTS, progress=False)
    found, expected = explainer.explain_local(NEW[:1]), network.explain_local(NEW[:1])
    np.testing.assert_array_equal(found.documents[0].values, expected.documents[0].values)
    assert (explainer.method, explainer.reason, explainer.notes) == ("han", network.reason, network.notes)
    assert (explainer.classes, explainer.model.name) == (("no", "yes"), network.model.name)
    assert TextExplainer(MODEL, initialization_examples=TEXTS).method == "linear"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "pass texts as 'initialization_examples'. Got none"),
        ({"initialization_examples": TEXTS, "level": "sentence"}, "does not have the parameters 'level'"),
        ({"initialization_examples": TEXTS, "occurrences": True, "absent": "x"}, "'absent', 'occurrences'"),
        ({"initialization_examples": TEXTS[:3]}, "at least 20 different texts"),
    ],
    ids=["no texts", "sentences", "two", "few"],
)
def test_a_network_is_refused_what_it_does_not_have(given, said):
    with pytest.raises(InvalidInputError, match=said):
        TextExplainer(MODEL, method="han", **given)
