"""The network reads texts of different lengths together as it reads them one by one, and its contributions add up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from automl_explain.explainers.neural._torch_devices import as_device
from automl_explain.explainers.text.han import _attribution
from automl_explain.explainers.text.han._attribution import word_importance
from automl_explain.explainers.text.han._embedding import initial_embedding
from automl_explain.explainers.text.han._split import split_text
from automl_explain.explainers.text.han._surrogate import Scale, Surrogate
from automl_explain.explainers.text.han._vocabulary import MOST_SENTENCES, MOST_WORDS, Vocabulary, numbered

TEXTS = [
    "A good film. It was good to see it again! Go.",
    "Bad.",
    "",
    "The plot was bad and the film long, but the end was good. Nobody liked it.",
]
SPLIT = [split_text(text) for text in TEXTS]
VOCABULARY = Vocabulary.of(SPLIT)
NUMBERED = [numbered(text, VOCABULARY) for text in SPLIT]


@pytest.fixture(scope="module", params=["probability", "response"])
def surrogate(request):
    rng = np.random.default_rng(0)
    vectors = initial_embedding(VOCABULARY, None, rng).vectors * 3
    vectors[0] = 0.0
    scale = Scale() if request.param == "probability" else Scale(np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 5.0]))
    return Surrogate.initial(vectors, scale, 3, as_device("cpu"), rng)


def test_texts_together_have_the_outputs_of_each_alone(surrogate):
    alone = np.concatenate([surrogate.outputs([text]) for text in NUMBERED])
    np.testing.assert_allclose(surrogate.outputs(NUMBERED), alone, rtol=1e-5, atol=1e-6)
    assert np.ptp(alone, axis=0).max() > 1e-3, "outputs that are all equal would show nothing"


def test_the_network_agrees_with_one_that_reads_word_by_word(surrogate):
    network, text = surrogate.network, NUMBERED[0]

    def attended(part, rows):
        states, _ = part.states(rows[None])
        weights = torch.softmax(part.context(torch.tanh(part.hidden(states[0])))[:, 0], dim=0)
        return weights @ states[0], weights

    with torch.no_grad():
        pieces = torch.split(surrogate.vectors[torch.from_numpy(text.numbers)], text.lengths.tolist())
        sentences, weights = zip(*(attended(network.word, piece) for piece in pieces), strict=True)
        vector, over = attended(network.sentence, torch.stack(sentences))
        wanted = surrogate.scale.outputs(network.output(vector)[None]).numpy()
        attention = torch.cat([each * share for each, share in zip(weights, over, strict=True)]).numpy()
    np.testing.assert_allclose(surrogate.outputs([text]), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(surrogate.attention(text), attention, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text", range(4))
def test_contributions_add_up_and_attention_sums_to_one(surrogate, text):
    n_words = len(SPLIT[text].words)
    found = word_importance(surrogate, NUMBERED[text], n_words)
    output = surrogate.outputs([NUMBERED[text]])[0]
    np.testing.assert_allclose(found.base + found.signed.sum(axis=1), output, rtol=1e-6, atol=1e-7)
    absent = NUMBERED[text].without(np.zeros(n_words, bool))
    np.testing.assert_allclose(found.base, surrogate.outputs([absent])[0], rtol=1e-5, atol=1e-6)
    assert found.attention.sum() == pytest.approx(1.0 if n_words else 0.0, abs=1e-6)


def test_few_intervals_are_near_many(surrogate, monkeypatch):
    few = word_importance(surrogate, NUMBERED[0], len(SPLIT[0].words)).signed
    monkeypatch.setattr(_attribution, "INTERVALS", 100)
    many = word_importance(surrogate, NUMBERED[0], len(SPLIT[0].words)).signed
    assert np.abs(few - many).max() < 0.02 * np.abs(many).max()


def test_a_text_that_is_tuned_keeps_its_outputs_in_a_small_table(surrogate):
    few, text = surrogate.with_few_words(NUMBERED[1])
    assert len(few.vectors) < len(surrogate.vectors)
    np.testing.assert_allclose(few.outputs([text]), surrogate.outputs([NUMBERED[1]]), rtol=1e-6)
    with torch.no_grad():
        next(iter(few.network.parameters())).add_(1.0)
    assert not np.allclose(few.outputs([text]), surrogate.outputs([NUMBERED[1]])), "the network is a copy"


def test_long_texts_are_cut_and_counted():
    text = split_text("Some words are here. " * (MOST_SENTENCES + 5) + "word " * (MOST_WORDS + 7))
    found = numbered(text, Vocabulary.of([text]))
    assert len(found.lengths) == MOST_SENTENCES
    assert found.n_cut == 5 * 4 + MOST_WORDS + 7
    one = split_text("word " * (MOST_WORDS + 7))
    assert numbered(one, Vocabulary.of([one])).n_cut == 7
