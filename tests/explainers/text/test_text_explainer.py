"""`TextExplainer`: every way of computing values against Shapley values by definition, over masked texts."""

import pickle
import time
import zlib

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, SelectPercentile, VarianceThreshold, chi2, f_regression
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler, Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from automl_explain import (
    AdditivityError,
    InvalidInputError,
    NotFittedError,
    SamplingOptions,
    TextExplainer,
    TextExplanation,
    UnsupportedModelError,
    explain_model,
)
from automl_explain.explainers.text._masking import MaskedTexts
from automl_explain.explainers.text.games._bag_of_words import CELLS_AT_ONCE
from tests.oracles import shapley_values

TEXTS = [
    "good film good",
    "bad film",
    "good plot",
    "a bad, bad plot",
    "The plot is good, a film",
    "not a good film",
    "not bad",
    "Bad plot, good film",
]
STARS = [5, 1, 4, 0, 4, 1, 3, 2]
CLASSES = ["yes" if stars > 2 else "no" for stars in STARS]
THREE = ["low", "low", "high", "low", "high", "low", "middle", "middle"]


def small_trees(**options):
    return LGBMClassifier(n_estimators=4, min_child_samples=1, verbose=-1, **options)


PIPELINES = {
    "counts": (make_pipeline(CountVectorizer(), LogisticRegression()), CLASSES, "linear"),
    "binary counts": (make_pipeline(CountVectorizer(binary=True), Ridge()), STARS, "linear"),
    "sublinear": (make_pipeline(TfidfVectorizer(norm=None, sublinear_tf=True), LogisticRegression()), THREE, "linear"),
    "tfidf": (make_pipeline(TfidfVectorizer(), LogisticRegression()), THREE, "linear"),
    "tfidf l1": (make_pipeline(TfidfVectorizer(norm="l1"), Ridge()), STARS, "linear"),
    "n-grams": (make_pipeline(CountVectorizer(ngram_range=(1, 3)), Ridge()), STARS, "linear"),
    "n-grams alone": (make_pipeline(CountVectorizer(ngram_range=(2, 2)), Ridge()), STARS, "linear"),
    "n-grams, stop words": (
        make_pipeline(CountVectorizer(ngram_range=(1, 2), stop_words=["a", "the"]), Ridge()), STARS, "linear",
    ),
    "n-grams of tfidf": (make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC()), CLASSES, "kernel"),
    "hashes": (make_pipeline(HashingVectorizer(n_features=64, norm=None), Ridge()), STARS, "linear"),
    "colliding hashes": (make_pipeline(HashingVectorizer(n_features=3, norm=None), Ridge()), STARS, "linear"),
    "colliding hashes l2": (make_pipeline(HashingVectorizer(n_features=3), Ridge()), STARS, "linear"),
    "colliding hashes, binary": (
        make_pipeline(HashingVectorizer(n_features=3, norm=None, binary=True, alternate_sign=False), Ridge()),
        STARS,
        "linear",
    ),
    "hashes l2": (make_pipeline(HashingVectorizer(), SGDClassifier(random_state=0)), CLASSES, "linear"),
    "hashed n-grams": (make_pipeline(HashingVectorizer(ngram_range=(1, 2)), Ridge()), STARS, "kernel"),
    "two steps": (make_pipeline(CountVectorizer(), TfidfTransformer(norm=None), Ridge()), STARS, "linear"),
    "two steps l2": (make_pipeline(CountVectorizer(), TfidfTransformer(), Ridge()), STARS, "linear"),
    "union": (make_pipeline(make_union(TfidfVectorizer(norm=None), CountVectorizer()), Ridge()), STARS, "linear"),
    "union of patterns": (
        make_pipeline(
            FeatureUnion(
                [
                    ("words", Pipeline([("count", CountVectorizer()), ("weigh", TfidfTransformer())])),
                    ("parts", CountVectorizer(token_pattern=r"\S+", lowercase=False)),
                ],
                transformer_weights={"parts": 0.5},
            ),
            Ridge(),
        ),
        STARS,
        "linear",
    ),
    "naive Bayes": (make_pipeline(CountVectorizer(), MultinomialNB()), CLASSES, "linear"),
    "naive Bayes of three": (make_pipeline(TfidfVectorizer(), MultinomialNB()), THREE, "linear"),
    "complement naive Bayes": (make_pipeline(CountVectorizer(), ComplementNB()), THREE, "linear"),
    "naive Bayes of presence": (make_pipeline(CountVectorizer(), BernoulliNB()), CLASSES, "kernel"),
    "trees": (make_pipeline(CountVectorizer(dtype=float), small_trees()), CLASSES, "tree"),
    "trees of three": (make_pipeline(TfidfVectorizer(norm=None), small_trees()), THREE, "tree"),
    "forest": (make_pipeline(CountVectorizer(), RandomForestRegressor(5, random_state=0)), STARS, "tree"),
    "trees of tfidf": (make_pipeline(TfidfVectorizer(), small_trees()), CLASSES, "kernel"),
    "trees of n-grams": (make_pipeline(CountVectorizer(ngram_range=(1, 2), dtype=float), small_trees()), CLASSES, "kernel"),
    "latent": (make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0), Ridge()), STARS, "linear"),
    "latent, normalised": (
        make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0), Normalizer(), Ridge()), STARS, "kernel",
    ),
    "latent trees": (
        make_pipeline(CountVectorizer(dtype=float), TruncatedSVD(2, random_state=0), small_trees()), CLASSES, "kernel",
    ),
    "best of tfidf": (make_pipeline(TfidfVectorizer(), SelectKBest(chi2, k=3), LogisticRegression()), THREE, "linear"),
    "best of counts, scaled": (
        make_pipeline(CountVectorizer(), SelectPercentile(f_regression, percentile=60), MaxAbsScaler(), Ridge()), STARS, "linear",
    ),
    "best, then weighed": (
        make_pipeline(CountVectorizer(), SelectKBest(f_regression, k=4), TfidfTransformer(), Ridge()), STARS, "linear",
    ),
    "best, then sublinear": (
        make_pipeline(CountVectorizer(), SelectKBest(f_regression, k=4), TfidfTransformer(sublinear_tf=True, norm="l1"), Ridge()),
        STARS,
        "linear",
    ),
    "scaled, then normalised": (
        make_pipeline(
            TfidfVectorizer(norm=None), VarianceThreshold(0.5), StandardScaler(with_mean=False), Normalizer(), Ridge()
        ),
        STARS,
        "linear",
    ),
    "normalised twice": (
        make_pipeline(TfidfVectorizer(), SelectKBest(f_regression, k=4), Normalizer(), Ridge()), STARS, "kernel",
    ),
    "best n-grams": (
        make_pipeline(CountVectorizer(ngram_range=(1, 2)), SelectKBest(f_regression, k=5), MaxAbsScaler(), Ridge()),
        STARS,
        "linear",
    ),
    "union of selections": (
        make_pipeline(
            FeatureUnion(
                [
                    ("words", make_pipeline(TfidfVectorizer(), SelectKBest(f_regression, k=3), MaxAbsScaler())),
                    ("hashes", HashingVectorizer(n_features=8, norm=None)),
                ],
                transformer_weights={"words": 0.5},
            ),
            SelectKBest(f_regression, k=6),
            Ridge(),
        ),
        STARS,
        "linear",
    ),
    "trees of the best": (
        make_pipeline(CountVectorizer(dtype=float), SelectKBest(chi2, k=3), MaxAbsScaler(), small_trees()), CLASSES, "tree",
    ),
    "calibrated": (make_pipeline(TfidfVectorizer(), CalibratedClassifierCV(LinearSVC(), cv=2)), CLASSES, "kernel"),
    "characters": (make_pipeline(CountVectorizer(analyzer="char", ngram_range=(1, 3)), Ridge()), STARS, "kernel"),
    "whole model": (CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LinearSVC()), cv=2), CLASSES, "kernel"),
    "search": (
        GridSearchCV(make_pipeline(CountVectorizer(), Ridge()), {"ridge__alpha": [1.0, 2.0]}, cv=2), STARS, "linear",
    ),
    "accents": (make_pipeline(CountVectorizer(strip_accents="unicode", token_pattern=r"\w+"), Ridge()), STARS, "linear"),
    "own tokenizer": (make_pipeline(CountVectorizer(tokenizer=str.split, token_pattern=None), Ridge()), STARS, "linear"),
}  # fmt: skip


OCCURRENCES = (
    "binary counts",
    "sublinear",
    "tfidf",
    "tfidf l1",
    "colliding hashes l2",
    "n-grams",
    "colliding hashes",
    "trees",
    "characters",
)
"""Pipelines whose occurrences of words are explained as well."""


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def get(name):
        if name not in made:
            pipeline, labels, _ = PIPELINES[name]
            made[name] = pipeline.fit(TEXTS, labels)
        return made[name]

    return get


def by_definition(explainer, document, absent=None):
    """Shapley values of a document by definition, from the model's outputs of all of its masked texts."""
    n_players = len(document.words)
    masks = (np.arange(2**n_players)[:, None] >> np.arange(n_players)) & 1 == 1
    absent = explainer._games.absent if absent is None else absent
    outputs = explainer._games.model.outputs(MaskedTexts(document.text, document.spans, absent)(masks))
    return shapley_values(lambda present: outputs[sum(1 << player for player in present)], n_players)


@pytest.mark.parametrize(
    ("name", "occurrences"), [*((name, False) for name in PIPELINES), *((name, True) for name in OCCURRENCES)]
)
def test_values_are_shapley_values(name, occurrences, fitted):
    explainer = TextExplainer(fitted(name), occurrences=occurrences)
    explanation = explainer.explain_local(TEXTS)
    assert explainer.method == explanation.method == PIPELINES[name][2]
    assert explainer.reason
    assert explanation.additivity_error < 1e-10
    for document in explanation.documents:
        assert document.standard_errors is None
        np.testing.assert_allclose(document.values, by_definition(explainer, document), atol=1e-10)


def test_functions_and_their_outputs():
    seen = []

    def score(texts):
        seen.append(len(texts))
        assert all(type(text) is str for text in texts)
        return [len(text.split()) + 2.0 * ("good" in text and "not" in text) for text in texts]

    explainer = TextExplainer(score)
    document = explainer.explain_local("not a good film").documents[0]
    assert explainer.method == "kernel"
    assert document.words == ("not", "a", "good", "film")
    np.testing.assert_allclose(document.values, [[2.0, 1.0, 2.0, 1.0]])
    assert document.base_values == [0.0]
    assert document.outputs == [6.0]


def test_labels_with_scores_as_transformers_return_them():
    def pipeline(texts):
        return [
            [
                {"label": "POSITIVE", "score": 0.2 + 0.5 * ("good" in text)},
                {"label": "NEGATIVE", "score": 0.8 - 0.5 * ("good" in text)},
            ]
            for text in texts
        ]

    explanation = TextExplainer(pipeline).explain_local(["a good film", "film"])
    assert explanation.classes == ("NEGATIVE", "POSITIVE")
    assert explanation.output_space == "probability"
    np.testing.assert_allclose(explanation.documents[0].values[1], [0.0, 0.5, 0.0], atol=1e-12)
    with pytest.raises(InvalidInputError, match="must return the scores of all labels.*top_k=None"):
        TextExplainer(lambda texts: [{"label": "a", "score": 1.0} for _ in texts])


def test_sentences_are_explained_exactly(fitted):
    pytest.importorskip("sentencex")
    text = "A good film. Bad plot! Not a good film? The film is good."
    for name in ("tfidf", "counts", "characters", "n-grams"):
        explainer = TextExplainer(fitted(name), level="sentence")
        explanation = explainer.explain_local(text)
        (document,) = explanation.documents
        assert explanation.level == "sentence"
        assert document.words[1] == "Bad plot!"
        assert document.sentences == tuple(span for (span,) in document.spans)
        assert document.standard_errors is None
        np.testing.assert_allclose(document.values, by_definition(explainer, document), atol=1e-10)


@pytest.mark.parametrize("absent", ["[MASK]", "good"])
def test_another_text_in_the_place_of_absent_words(absent, fitted):
    for name in ("tfidf", "n-grams", "characters"):
        explainer = TextExplainer(fitted(name), absent=absent)
        (document,) = explainer.explain_local("a bad, bad plot").documents
        np.testing.assert_allclose(document.values, by_definition(explainer, document, absent), atol=1e-10)


def test_own_tokenizers(fitted):
    (document,) = (
        TextExplainer(fitted("counts"), tokenizer=lambda text: [(0, 9), (9, 14)])
        .explain_local("good film plot")
        .documents
    )
    assert document.words == ("good film", " plot")
    explainer = TextExplainer(fitted("counts"), tokenizer=str.split)
    (document,) = explainer.explain_local("Good good, film").documents
    assert document.words == ("Good", "good,", "film")
    np.testing.assert_allclose(document.values, by_definition(explainer, document), atol=1e-10)


def test_words_that_respelling_moves_are_not_shown_elsewhere():
    """A ligature becomes two letters and a combining accent none: as many as before, at other places."""
    vectorizer = CountVectorizer(strip_accents="unicode", tokenizer=str.split, token_pattern=None)
    model = make_pipeline(vectorizer, LogisticRegression()).fit([*TEXTS, "fine cafe"], [*CLASSES, "yes"])
    (document,) = TextExplainer(model).explain_local("\ufb01ne cafe\u0301").documents
    assert document.words == ("\ufb01ne", "cafe\u0301")


def long_text(n_words=60):
    rng = np.random.default_rng(0)
    return " ".join(
        rng.permutation([*["good", "bad", "film", "plot", "not", "is"], *(f"w{j}" for j in range(n_words - 6))])
    )


def test_many_words_are_sampled_with_standard_errors():
    pipeline = make_pipeline(TfidfVectorizer(token_pattern=r"\w+"), Ridge()).fit([*TEXTS, long_text()], [*STARS, 9])
    exact = TextExplainer(pipeline).explain_local(long_text()).documents[0]
    explainer = TextExplainer(lambda texts: pipeline.predict(texts), sampling=SamplingOptions(nsamples=400))
    sampled = explainer.explain_local(long_text()).documents[0]
    error = np.abs(sampled.values - exact.values)
    assert sampled.standard_errors.shape == sampled.values.shape
    assert np.sqrt(np.mean(error**2)) < 3 * np.sqrt(np.mean(sampled.standard_errors**2))
    assert np.sqrt(np.mean(error**2)) < 0.2 * np.abs(exact.values).max()


def test_default_number_of_masked_texts():
    seen = []

    def score(texts):
        seen.append(len(texts))
        return np.array([len(set(text.split())) ** 0.5 for text in texts])

    document = TextExplainer(score).explain_local(long_text()).documents[0]
    assert 590 <= sum(seen) <= 640
    assert document.standard_errors is not None
    assert abs(document.additivity_gap) < 1e-9


def test_lime_weights_are_those_of_a_linear_model(fitted):
    explainer = TextExplainer(
        fitted("counts"), method="lime", output="log_odds", sampling=SamplingOptions(nsamples=3000)
    )
    explanation = explainer.explain_local(TEXTS[4:5])
    exact = TextExplainer(fitted("counts")).explain_local(TEXTS[4:5]).documents[0]
    assert explanation.method == "lime"
    assert not explanation.is_additive
    assert explanation.additivity_error is None
    np.testing.assert_allclose(explanation.documents[0].values, exact.values, atol=0.02 * np.abs(exact.values).max())
    assert TextExplainer(fitted("counts"), method="lime").explain_local("good").output_space == "probability"


def test_global_ranking(fitted):
    ranking = TextExplainer(fitted("tfidf")).explain_global(TEXTS)
    explanation = TextExplainer(fitted("tfidf")).explain_local(TEXTS)
    assert ranking.get_ranked_global_names() == explanation.get_ranked_global_names()
    assert set(ranking.features) == set(fitted("tfidf")[0].vocabulary_)
    assert ranking.per_class_values.shape == (3, len(ranking.features))
    values = explanation.local_importance_values
    np.testing.assert_allclose(ranking.per_class_values, np.abs(values).mean(axis=1))


@pytest.mark.parametrize("name", ["counts", "tfidf", "trees", "characters"])
def test_texts_without_words_one_word_and_unknown_words(name, fitted):
    explanation = TextExplainer(fitted(name)).explain_local(["", "good", "  ...", "zzz qqq"])
    empty, one, blank, unknown = explanation.documents
    for document in (empty, blank):
        assert document.words == ()
        assert document.values.shape == (len(document.base_values), 0)
        np.testing.assert_allclose(document.base_values, document.outputs)
        assert "the text has no words" in document.notes
    assert one.words == ("good",)
    np.testing.assert_allclose(one.values[:, 0], one.outputs - one.base_values)
    assert unknown.words == ("zzz", "qqq")
    if name != "characters":
        assert (unknown.values == 0).all()
        assert "the model knows none of the words of this text" in unknown.notes
    assert explanation.additivity_error < 1e-10


def test_many_words_of_one_hash_are_explained_from_coalitions(fitted):
    text = " ".join(f"word{number}" for number in range(40))
    (document,) = TextExplainer(fitted("colliding hashes l2")).explain_local(text).documents
    assert any("several players of this text fill one column" in note for note in document.notes)
    assert document.additivity_gap < 1e-9


@pytest.mark.parametrize("name", ["best of tfidf", "best of counts, scaled", "trees of the best"])
def test_a_text_whose_words_are_not_selected_has_a_note(name, fitted):
    known, unread = TextExplainer(fitted(name)).explain_local(["a bad plot", "a film, not plot"]).documents
    assert known.values.any()
    assert not known.notes
    np.testing.assert_allclose(unread.values, 0.0, atol=1e-12)
    assert "the model knows none of the words of this text" in unread.notes


def test_other_outputs_and_class_names(fitted):
    explainer = TextExplainer(fitted("counts"), output="probability", classes={"no": "bad", "yes": "good"})
    (document,) = explainer.explain_local("not a good film").documents
    assert explainer.classes == ("bad", "good")
    assert explainer.model.output_space == "probability"
    np.testing.assert_allclose(document.outputs, fitted("counts").predict_proba(["not a good film"])[0])
    np.testing.assert_allclose(document.values, by_definition(explainer, document), atol=1e-10)


def test_counts_that_do_not_tell_the_outputs_are_not_used():
    class Odd(CountVectorizer):
        """Counts words, and the characters of the text."""

        def transform(self, texts):
            counts = super().transform(texts).astype(float)
            counts.data *= np.repeat([len(text) for text in texts], np.diff(counts.indptr))
            return counts

    pipeline = make_pipeline(CountVectorizer(), Ridge()).fit(TEXTS, STARS)
    pipeline.steps[0] = ("countvectorizer", pipeline[0])
    odd = Odd().fit(TEXTS)
    pipeline[0].transform = odd.transform  # the class is known, what it does is not
    explainer = TextExplainer(pipeline)
    explanation = explainer.explain_local(TEXTS[:3])
    assert explainer.method == "kernel"
    assert "the counts of its vectorizer do not tell the outputs of masked texts" in explanation.notes
    np.testing.assert_allclose(
        explanation.documents[0].values, by_definition(explainer, explanation.documents[0]), atol=1e-9
    )


def test_random_outputs_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(AdditivityError, match="answers to the same rows differ between calls"):
        TextExplainer(lambda texts: rng.normal(size=len(texts))).explain_local("a good film")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "shap"}, "'method' parameter must be one of .*'auto', 'lime'.* Got 'shap'"),
        ({"level": "letter"}, "'level' parameter must be one of"),
        ({"absent": None}, "'absent' parameter must be a text"),
        ({"tokenizer": "words"}, "'tokenizer' parameter must be a function"),
        ({"output": "probability"}, "'output' parameter must be 'auto' or one of"),
        ({"classes": ["a"]}, "is a regression"),
        ({"sampling": 3}, "must be SamplingOptions"),
    ],
)
def test_parameters_that_do_not_fit(options, message, fitted):
    with pytest.raises(InvalidInputError, match=message):
        TextExplainer(fitted("n-grams"), **options)


def test_models_that_cannot_be_explained(fitted):
    with pytest.raises(NotFittedError, match="TfidfVectorizer is not fitted"):
        TextExplainer(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    with pytest.raises(NotFittedError, match="Ridge is not fitted"):
        TextExplainer(Pipeline([("v", CountVectorizer().fit(TEXTS)), ("r", Ridge())]))
    with pytest.raises(UnsupportedModelError, match="has no predict or predict_proba"):
        TextExplainer(object())
    with pytest.raises(UnsupportedModelError, match="pass a fitted instance"):
        TextExplainer(Ridge)
    with pytest.raises(InvalidInputError, match="KeyError: 'x'. It gets texts as a list of texts; pass a function"):
        TextExplainer(lambda texts: {}["x"]).explain_local("a good film")
    with pytest.raises(InvalidInputError, match="must return numbers"):
        TextExplainer(lambda texts: ["yes" for _ in texts])
    with pytest.raises(InvalidInputError, match="position 1 is missing"):
        TextExplainer(fitted("counts")).explain_local(pd.Series(["a", None]))


def test_a_function_whose_outputs_change_their_number():
    def score(texts):
        return np.ones((len(texts), 2 if len(texts) < 4 else 3)) / 2

    with pytest.raises(InvalidInputError, match="must return 2 outputs per row. Got 3"):
        TextExplainer(score).explain_local("a good film")


def test_languages(fitted):
    texts = ["我喜欢这部电影", "фильм хороший", "הסרט טוב מאוד", "👍🏽 film 👎", "<b>good</b> https://x.org/good"]
    for name in ("characters", "counts", "tfidf"):
        explanation = TextExplainer(fitted(name)).explain_local(texts)
        assert explanation.additivity_error < 1e-10
        assert all(document.words for document in explanation.documents[1:])
    characters = TextExplainer(fitted("characters")).explain_local(texts).documents
    assert characters[0].words == tuple("我喜欢这部电影")
    assert characters[3].words == ("👍🏽", "film", "👎")


def test_explainers_can_be_pickled(fitted):
    explainer = pickle.loads(pickle.dumps(TextExplainer(fitted("tfidf"))))
    found, known = explainer.explain_local(TEXTS), TextExplainer(fitted("tfidf")).explain_local(TEXTS)
    assert isinstance(found, TextExplanation)
    for one, other in zip(found.documents, known.documents, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_explain_model_takes_texts(fitted):
    explained = explain_model(fitted("tfidf"), TEXTS, pd.Series(TEXTS[:3]))
    shap_values, expected_values, values, names, per_class, class_names = explained
    assert isinstance(explained.explanation, TextExplanation)
    assert [block.shape for block in shap_values] == [(3, 4)] * 3
    assert expected_values.shape == (3,)
    assert len(names) == len(values) == per_class.shape[1] == class_names.shape[1] == 4
    named = explain_model(fitted("counts"), TEXTS, TEXTS[:1], classes=["bad", "good"])
    assert named.classes == ("bad", "good")
    codes = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, [label == "yes" for label in CLASSES])
    codes.steps[-1][1].classes_ = np.array([0, 1])
    assert explain_model(codes, TEXTS, TEXTS[:1], y_train=CLASSES).classes == ("no", "yes")
    assert explain_model(fitted("counts"), TEXTS, "good film").explanation.texts == ("good film",)
    with pytest.raises(UnsupportedModelError, match="Got texts: leave out members=True"):
        explain_model(fitted("counts"), TEXTS, TEXTS, members=True)
    with pytest.raises(InvalidInputError, match="Got texts, whose words are the names"):
        explain_model(fitted("counts"), TEXTS, TEXTS, features=["text"])
    with pytest.raises(InvalidInputError, match="The 'X_test' parameter must hold texts. The cell at position 1"):
        explain_model(fitted("counts"), TEXTS, ["good", None])


def test_long_texts_take_few_masked_texts():
    seen = []

    def score(texts):
        seen.append(len(texts))
        return [float(text.count("w0")) for text in texts]

    document = (
        TextExplainer(score, progress=False).explain_local(" ".join(f"w{j % 400}" for j in range(50_000))).documents[0]
    )
    assert len(document.words) == 50
    assert document.words[-1] == "(351 further words)"
    assert sum(seen) < 120
    assert any("the first 49 have values of their own" in note for note in document.notes)
    assert abs(document.additivity_gap) < 1e-9


def test_a_column_of_texts_is_explained_as_texts_where_the_pipeline_counts_their_words():
    model, _, _ = PIPELINES["tfidf"]
    model.fit(TEXTS, THREE)
    known = explain_model(model, TEXTS, TEXTS[:2]).explanation
    frame = pd.DataFrame({"review": TEXTS})
    for column in (frame, frame.to_numpy(), pa.table({"review": TEXTS}), pl.DataFrame({"review": TEXTS})):
        found = explain_model(model, column, column[:2], y_train=THREE).explanation
        assert isinstance(found, TextExplanation)
        for one, other in zip(found.documents, known.documents, strict=True):
            np.testing.assert_array_equal(one.values, other.values)
    for column in (pa.array(TEXTS), pl.Series(TEXTS), pd.Series([None, *TEXTS])):
        assert explain_model(model, column, TEXTS[:2]).explanation.texts == tuple(TEXTS[:2])
    for cells, said in (([b"good"], "Got bytes at position 0"), ([3], "Got int at position 0"), ({}, "Got dict")):
        with pytest.raises(InvalidInputError, match=f"The 'X_test' parameter must .*{said}"):
            explain_model(model, cells, cells)
    table = make_pipeline(ColumnTransformer([("words", TfidfVectorizer(), "review")]), LogisticRegression())
    table.fit(frame, THREE)
    assert explain_model(table, frame, frame[:2]).overall_imp[0].startswith("words__")
    with pytest.raises(InvalidInputError, match="with a column of texts, use explain_model.*text_detail='column'"):
        TextExplainer(table)


class Subwords:
    """A small network with an embedding of pieces of words, in their order, as transformers read texts."""

    def __init__(self):
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            self.pieces = torch.nn.Embedding(997, 8)
            layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
            self.body = torch.nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
            self.head = torch.nn.Linear(8, 2)

    def tokens(self, text):
        """Pieces of up to three letters; all but the first of a word are marked, as by WordPiece."""
        words = ["[CLS]", *text.split()]
        pieces = [
            word[at : at + 3] if not at else f"##{word[at : at + 3]}" for word in words for at in range(0, len(word), 3)
        ]
        return [zlib.crc32(piece.encode()) % 997 for piece in pieces]

    def __call__(self, texts):
        with torch.no_grad():
            made = [self.body(self.pieces(torch.tensor([self.tokens(text)]))).mean(dim=1) for text in texts]
            return torch.softmax(3 * self.head(torch.cat(made)), dim=1).numpy().astype(float)


def test_models_of_subwords_give_values_to_whole_words():
    model, text = Subwords(), "An unbelievably disappointing, 'overacted' blockbuster"
    explained = TextExplainer(lambda texts: model(texts)).explain_local(text)
    document = explained.documents[0]
    assert document.words == ("An", "unbelievably", "disappointing", "overacted", "blockbuster")
    masks = (np.arange(32)[:, None] >> np.arange(5)) & 1 == 1
    outputs = model(MaskedTexts(text, document.spans)(masks))
    known = shapley_values(lambda present: outputs[sum(1 << j for j in present)], 5)
    np.testing.assert_allclose(document.values, known, atol=1e-6)
    assert np.abs(document.values).max() > 0.01


LONG = [f"w{j}" for j in range(8_000)]


@pytest.mark.parametrize("vectorizer", [TfidfVectorizer(), CountVectorizer(ngram_range=(1, 2))], ids=["l2", "n-grams"])
def test_exact_values_of_long_texts_take_seconds(vectorizer):
    rng = np.random.default_rng(0)
    train = [" ".join(LONG), *(" ".join(rng.choice(LONG, 50)) for _ in range(20))]
    model = make_pipeline(vectorizer, Ridge()).fit(train, rng.normal(size=21))
    explainer, before = TextExplainer(model), time.process_time()
    (document,) = explainer.explain_local(" ".join(rng.permutation(LONG))).documents
    assert time.process_time() - before < 10.0
    assert explainer.method == "linear"
    assert len(document.words) == len(LONG)
    assert document.standard_errors is None
    assert document.additivity_gap < 1e-10


def test_counts_of_long_texts_are_held_in_parts():
    seen = []

    class Watched(TruncatedSVD):
        def transform(self, rows):
            seen.append(rows.shape[0])
            return super().transform(rows)

    words = LONG[:5000]
    train = [" ".join(words), *TEXTS]
    model = make_pipeline(TfidfVectorizer(), Watched(2, random_state=0), Ridge()).fit(train, [*STARS, 9])
    (document,) = TextExplainer(model, sampling=SamplingOptions(nsamples=1500)).explain_local(train[0]).documents
    assert max(seen) * 3 * len(words) < 2 * CELLS_AT_ONCE
    assert sum(seen) >= 1500
    assert document.additivity_gap < 1e-10
