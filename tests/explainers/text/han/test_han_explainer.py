"""`HANTextExplainer` imitates a model, says how well, and leaves everything of the caller's as it was."""

from __future__ import annotations

import hashlib
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from automl_explain import HANTextExplainer, InvalidInputError, NotFittedError, TextExplanation
from automl_explain.explainers._errors import AutoMLExplainWarning, UnsupportedModelError
from automl_explain.explainers.text.han import _explainer
from automl_explain.explainers.text.han._split import split_text
from automl_explain.explainers.text.han._storage import load_han, save_han
from automl_explain.explainers.text.han._training import Labelled, dropped, fidelity
from automl_explain.explainers.text.han._vocabulary import MOST_SENTENCES, MOST_WORDS, numbered

WORDS = {"good": 1, "fine": 1, "great": 1, "bad": 0, "awful": 0, "dull": 0}
NOUNS = ("film", "plot", "cast", "end", "song", "book", "game", "show", "tale", "role")
TEXTS = [f"We saw a {noun}. It was {word}, they say." for word in WORDS for noun in NOUNS]
LABELS = [label for label in WORDS.values() for _ in NOUNS]
MODEL = make_pipeline(CountVectorizer(), LogisticRegression(C=5.0)).fit(TEXTS, np.array(["no", "yes"])[LABELS])
NEW = ["The song was awful.", "What a great, great end! We saw it."]
QUICK = {"epochs": 12, "fine_tune": False, "progress": False}
UNTRAINED = {**QUICK, "epochs": 1}
may_be_rough = pytest.mark.filterwarnings("ignore:The network does not imitate")


@pytest.fixture(scope="module")
def explainer():
    return HANTextExplainer(MODEL, TEXTS, epochs=25, progress=False)


@pytest.fixture(scope="module")
def quick():
    return HANTextExplainer(MODEL, TEXTS, importance="attention", **QUICK)


@pytest.fixture(scope="module")
def explanation(explainer):
    return explainer.explain_local(NEW)


def test_the_words_that_decide_rank_first_for_each_class(explanation):
    assert isinstance(explanation, TextExplanation)
    assert explanation.classes == ("no", "yes")
    for document, word, of_class in zip(explanation.documents, ("awful", "great"), (0, 1), strict=True):
        assert document.words[document.values[of_class].argmax()] == word
        assert document.words[document.values[1 - of_class].argmin()] == word
    assert explanation.documents[1].spans[2] == ((7, 12), (14, 19)), "both places of a word"


def test_values_add_up_to_the_outputs_of_the_network_which_are_near_those_of_the_model(explanation):
    assert explanation.additivity_error < 1e-6
    assert any("not to those of the model" in note for note in explanation.notes)
    np.testing.assert_allclose(explanation.predictions, MODEL.predict_proba(NEW), atol=0.1)
    assert explanation.fidelity.r2 > 0.9
    assert explanation.fidelity.held_out


def test_attention_sums_to_one_and_has_no_sign(quick, explanation):
    other = quick.explain_local(NEW)
    assert (other.kind, other.is_additive, other.additivity_error) == ("attention", False, None)
    for document, signed in zip(other.documents, explanation.documents, strict=True):
        np.testing.assert_allclose(document.values.sum(axis=1), 1.0, atol=1e-6)
        assert (document.values >= 0).all()
        np.testing.assert_array_equal(document.values[0], document.values[1])
        assert set(document.also) == {"signed"}
        np.testing.assert_allclose(signed.also["attention"].sum(axis=1), 1.0, atol=1e-6)
    assert other.overall().unit == "probability"


def test_every_explanation_has_the_faithfulness_of_both(explainer, explanation):
    measured = explanation.faithfulness
    assert measured.rankings == ("signed", "attention", "leave one out", "random")
    assert measured.num_examples == 6
    assert measured.comprehensiveness["signed"] > 2 * measured.comprehensiveness["random"]
    assert any("signed" in note and "random" in note for note in explanation.notes)


@may_be_rough
def test_the_same_seed_gives_the_same_values_and_another_one_others():
    made = [HANTextExplainer(MODEL, TEXTS, random_state=seed, **UNTRAINED) for seed in (1, 1, 2)]
    first, again, other = (one.explain_local(NEW).documents[0].values for one in made)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_values_of_a_text_do_not_depend_on_the_texts_beside_it(explainer, explanation):
    alone = explainer.explain_local(NEW[1]).documents[0]
    np.testing.assert_array_equal(alone.values, explanation.documents[1].values)


@may_be_rough
def test_nothing_of_the_callers_is_changed():
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state(), torch.get_num_threads(), list(TEXTS)
    with torch.no_grad():
        HANTextExplainer(MODEL, TEXTS, epochs=1, progress=False).explain_local(NEW[:1])
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert torch.get_num_threads() == before[2]
    assert before[3] == TEXTS


@pytest.mark.slow
def test_tuning_brings_the_network_nearer_to_the_model_for_a_text():
    rough = HANTextExplainer(MODEL, TEXTS, epochs=4, progress=False)
    tuned = [note for text in rough.explain_local(TEXTS[:4]).documents for note in text.notes]
    found = [[float(part) for part in note.split() if part.replace(".", "").lstrip("-").isdigit()] for note in tuned]
    after, before = np.transpose([pair[-2:] for pair in found])
    assert after.mean() > before.mean() + 0.02


def test_it_is_saved_and_loaded_without_pickle(explainer, explanation, tmp_path):
    explainer.save(tmp_path / "han.zip")
    names = zipfile.ZipFile(tmp_path / "han.zip").namelist()
    assert {name.rsplit(".", 1)[-1] for name in names} == {"json", "npy"}
    loaded = HANTextExplainer.load(tmp_path / "han.zip", MODEL)
    np.testing.assert_array_equal(loaded.explain_local(NEW).documents[0].values, explanation.documents[0].values)
    assert (loaded.fidelity, loaded.notes, loaded.reason) == (explainer.fidelity, explainer.notes, explainer.reason)
    alone = HANTextExplainer.load(tmp_path / "han.zip").explain_local(NEW)
    assert alone.additivity_error < 1e-6
    assert "the same for all texts" in alone.reason
    assert "tuned on each text, which takes the model" in alone.faithfulness.notes[-1]
    with pytest.raises(
        InvalidInputError, match="must have the outputs of Pipeline.*2 outputs in probability. Got 1 output"
    ):
        HANTextExplainer.load(tmp_path / "han.zip", lambda texts: np.zeros(len(texts)))


def test_a_file_with_other_weights_is_refused(explainer, tmp_path):
    explainer.save(tmp_path / "han.zip")
    stored = load_han(tmp_path / "han.zip")
    kept = {name: array for name, array in stored.arrays.items() if not name.startswith("network.word")}
    save_han(tmp_path / "cut.zip", stored._replace(arrays=kept))
    with pytest.raises(InvalidInputError, match="does not hold the weights of a network"):
        HANTextExplainer.load(tmp_path / "cut.zip")


def test_a_file_with_other_settings_is_refused(explainer, tmp_path):
    explainer.save(tmp_path / "han.zip")
    stored = load_han(tmp_path / "han.zip")
    for wrong in ({"importance": "gradient"}, {"random_state": "x"}, {"words": ["one"]}, {"fidelity": {"r3": 1}}):
        save_han(tmp_path / "changed.zip", stored._replace(about={**stored.about, **wrong}))
        with pytest.raises(InvalidInputError):
            HANTextExplainer.load(tmp_path / "changed.zip")


@may_be_rough
def test_word_vectors_of_a_file_are_used_and_their_coverage_is_noted(tmp_path):
    lines = [f"{word} " + " ".join(["0.5"] * 100) for word in ("good", "bad", "unseen")]
    (tmp_path / "vectors.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    explainer = HANTextExplainer(MODEL, TEXTS, embedding=tmp_path / "vectors.txt", **UNTRAINED)
    assert any("has 2 of 23 words (9%)" in note for note in explainer.notes)
    vocabulary, vectors = explainer._imitation.vocabulary, explainer._imitation.surrogate.vectors.detach().numpy()
    found = vectors[[vocabulary.numbers[word] for word in ("good", "film")]]
    assert np.abs(found[0] - 0.5).max() < 0.1 < np.abs(found[1] - 0.5).max()


def test_explanations_and_explainers_come_back_from_files_and_pickles(explainer, explanation, tmp_path):
    explanation.save(tmp_path / "explanation.zip")
    loaded = TextExplanation.load(tmp_path / "explanation.zip")
    np.testing.assert_array_equal(loaded.documents[1].also["attention"], explanation.documents[1].also["attention"])
    np.testing.assert_array_equal(loaded.faithfulness.values, explanation.faithfulness.values)
    copy = pickle.loads(pickle.dumps(explainer))
    np.testing.assert_array_equal(copy.explain_local(NEW[0]).documents[0].values, explanation.documents[0].values)


def test_odd_texts_have_values_and_notes(quick):
    odd = ["", "awful", "Xyzzy plugh.", "שלום 你好 😀 <b>bad</b>", "bad " * 50_000, "Fine. " * 100]
    empty, one, unknown, scripts, long, many = quick.explain_local(odd).documents
    assert empty.values.shape == (2, 0)
    assert empty.notes == ("the text has no words",)
    np.testing.assert_allclose(empty.base_values, empty.outputs)
    np.testing.assert_allclose(one.also["signed"][:, 0], one.outputs - one.base_values, atol=1e-6)
    assert any("knows none of the words" in note for note in unknown.notes)
    assert unknown.also["signed"].any(), "never zeros in silence"
    assert {"שלום", "你", "好", "😀", "bad"} <= set(scripts.words)
    assert any(f"{50_000 - MOST_WORDS:,} words of the text were cut" in note for note in long.notes)
    assert any(f"{100 - MOST_SENTENCES} words" in note for note in many.notes)


@may_be_rough
def test_regressions_and_decision_values_are_imitated_in_their_unit():
    stars = np.array(LABELS) * 40.0 + 10.0
    ridge = make_pipeline(TfidfVectorizer(), Ridge(0.1)).fit(TEXTS, stars)
    explained = HANTextExplainer(ridge, TEXTS, **{**QUICK, "epochs": 25}).explain_local(NEW)
    assert (explained.classes, explained.output_space) == (None, "response")
    np.testing.assert_allclose(explained.predictions[:, 0], ridge.predict(NEW), atol=15)
    assert explained.fidelity.r2 > 0.9
    machine = make_pipeline(TfidfVectorizer(), LinearSVC()).fit(TEXTS, LABELS)
    explained = HANTextExplainer(machine, TEXTS, **UNTRAINED).explain_local(NEW)
    assert (explained.classes, explained.output_space) == ((0, 1), "margin")


def test_a_network_that_does_not_imitate_warns():
    def noise(texts):
        digests = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 16**8 for text in texts]
        return np.column_stack([digests, 1 - np.array(digests)])

    texts = [f"{text} {number}" for number, text in enumerate(TEXTS)]
    with pytest.warns(AutoMLExplainWarning, match="does not imitate.*noise well.*TextExplainer"):
        explainer = HANTextExplainer(noise, texts, **{**QUICK, "epochs": 2})
    assert "does not imitate" in explainer.notes[0]


class Widening:
    """A model whose outputs become more."""

    classes_ = np.array([0, 1])

    def __init__(self) -> None:
        self.n_calls = 0

    def predict_proba(self, texts):
        self.n_calls += 1
        width = 2 if self.n_calls < 3 else 3
        return np.full((len(texts), width), 1 / width)


@pytest.mark.parametrize(
    ("model", "texts", "given", "error", "said"),
    [
        (MODEL, TEXTS[:5], {}, InvalidInputError, "at least 20 different texts with words.*Got 5.*TextExplainer"),
        (MODEL, [*TEXTS[:10] * 6, "", "."], {}, InvalidInputError, "different texts.*Got 10"),
        (MODEL, [*TEXTS, None], {}, InvalidInputError, "missing"),
        (MODEL, [*TEXTS, b"bad"], {}, InvalidInputError, "bytes"),
        (MODEL, [*TEXTS, 3], {}, InvalidInputError, "int at position 60"),
        (MODEL, ["..."] * 30, {}, InvalidInputError, "texts with words"),
        (MODEL, TEXTS, {"importance": "gradient"}, InvalidInputError, "one of .'signed', 'attention'.. Got 'gradient'"),
        (MODEL, TEXTS, {"epochs": 0}, InvalidInputError, "'epochs' parameter must be an integer, 1 or more"),
        (MODEL, TEXTS, {"fine_tune": "yes"}, InvalidInputError, "'fine_tune' parameter must be True or False"),
        (MODEL, TEXTS, {"device": "abacus"}, InvalidInputError, "'device' parameter must name a device.*Got 'abacus'"),
        (MODEL, TEXTS, {"random_state": -1}, InvalidInputError, "'random_state'"),
        (MODEL, TEXTS, {"classes": ["a", "b", "c"]}, InvalidInputError, "2"),
        (MODEL, TEXTS, {"tokenizer": lambda text: ["zebra"]}, InvalidInputError, "'tokenizer'.*zebra"),
        (MODEL, TEXTS, {"embedding": "/nowhere.txt"}, InvalidInputError, "'embedding'"),
        (object(), TEXTS, {}, UnsupportedModelError, "predict"),
        (Widening(), TEXTS, {}, InvalidInputError, "must return 2 outputs per row. Got 3"),
        (Widening().predict_proba, TEXTS, {}, InvalidInputError, "must return 2 outputs per row. Got 3"),
        (lambda texts: np.full(len(texts), np.nan), TEXTS, {}, InvalidInputError, "NaN or infinite"),
        (make_pipeline(CountVectorizer(), LogisticRegression()), TEXTS, {}, NotFittedError, "not fitted"),
    ],
    ids=lambda value: "" if not isinstance(value, str) else value[:20],
)
def test_bad_input_is_one_typed_error(model, texts, given, error, said):
    with warnings.catch_warnings(), pytest.raises(error, match=said):
        HANTextExplainer(model, texts, **{**QUICK, **given})


def test_a_missing_extra_is_told_with_the_command(monkeypatch):
    monkeypatch.setattr(_explainer.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'automl-explain\[han\]'"):
        HANTextExplainer(MODEL, TEXTS)


def test_copies_without_words_are_labelled_by_the_teacher(quick):
    asked = []

    def teach(texts):
        asked.extend(texts)
        return MODEL.predict_proba(texts)

    split = [split_text(text) for text in TEXTS]
    imitation = quick._imitation
    numbers = [numbered(text, imitation.vocabulary) for text in split]
    copies = dropped(Labelled(split, numbers, MODEL.predict_proba(TEXTS)), teach, np.random.default_rng(0))
    np.testing.assert_array_equal(copies.outputs, MODEL.predict_proba(asked))
    for text, whole, left, shown in zip(split, numbers, copies.numbered, asked, strict=True):
        words = {text.words[player] for player, kept in zip(whole.players, left.numbers != 0, strict=True) if kept}
        assert words == set(split_text(shown).words)
    assert fidelity(imitation.surrogate, copies).held_out
