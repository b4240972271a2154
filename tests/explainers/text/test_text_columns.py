"""Tables with columns of texts: the column as a player, and its words by `text_detail`."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, OneHotEncoder, StandardScaler

from automl_explain import InvalidInputError, RunHistory, explain_model, retrieve_model_explanation, write_report
from automl_explain.explainers.text._masking import MaskedTexts
from tests.oracles import shapley_values


class OwnVectorizer(CountVectorizer):
    """A vectorizer of another library's kind, which is not known to count words alone."""


def table(n=60):
    rng = np.random.default_rng(0)
    words = ["good", "bad", "fine", "awful", "film", "plot"]
    texts = [" ".join(rng.choice(words, 4)) for _ in range(n)]
    frame = pd.DataFrame({"age": rng.normal(size=n), "review": texts, "city": rng.choice(["a", "b"], n)})
    score = frame.age + frame.review.str.count("good") - frame.review.str.count("bad")
    return frame, np.where(score > 0.2, "yes", "no")


def fitted(last):
    X, y = table()
    parts = [
        ("words", TfidfVectorizer(), "review"),
        ("numbers", StandardScaler(), ["age"]),
        ("cities", OneHotEncoder(), ["city"]),
    ]
    return make_pipeline(ColumnTransformer(parts), last).fit(X, y)


@pytest.mark.parametrize("last", [LogisticRegression(), LGBMClassifier(n_estimators=5, verbose=-1)])
@pytest.mark.parametrize("feature_space", ["raw", "engineered"])
def test_words_of_a_cell_with_the_other_columns_as_they_are(last, feature_space):
    model, (X, _) = fitted(last), table()
    explained = explain_model(model, X, X[:3], feature_space=feature_space, text_detail="review")
    if feature_space == "raw":
        assert explained.explanation.features == ("age", "review", "city")
    words = explained.texts["review"]
    assert words.texts == tuple(X.review[:3])
    assert words.classes == explained.classes
    assert words.output_space == explained.output_space
    np.testing.assert_allclose(words.predictions, explained.explanation.predictions, atol=1e-6)
    for row, document in enumerate(words.documents):
        n_players = len(document.words)
        masks = (np.arange(2**n_players)[:, None] >> np.arange(n_players)) & 1 == 1
        frame = X.iloc[[row] * len(masks)].assign(review=MaskedTexts(document.text, document.spans)(masks))
        probability = model.predict_proba(frame)
        outputs = np.log(probability / probability[:, ::-1])
        known = shapley_values(lambda present, outputs=outputs: outputs[sum(1 << j for j in present)], n_players)
        np.testing.assert_allclose(document.values, known, atol=1e-6)
    assert len(explained[1:].texts["review"]) == 2


def lengths(frame):
    return frame.iloc[:, [0]].map(len).to_numpy(dtype=float)


BEST = make_pipeline(CountVectorizer(dtype=float), SelectKBest(f_regression, k=3), MaxAbsScaler())
COLUMNS = {
    "tfidf": ([("words", TfidfVectorizer(), "review")], {}, [], Ridge(), "linear"),
    "selections": ([("words", BEST, "review")], {"words": 0.5}, [MaxAbsScaler()], Ridge(), "linear"),
    "two vectorizers, behind them a selection": (
        [("words", TfidfVectorizer(), "review"), ("pairs", CountVectorizer(ngram_range=(2, 2)), "review")],
        {"pairs": 0.1}, [VarianceThreshold(0.001)], Ridge(), "linear",
    ),
    "trees": ([("words", CountVectorizer(dtype=float), "review")], {}, [], LGBMRegressor(n_estimators=5, verbose=-1), "tree"),
    "trees of tfidf": ([("words", TfidfVectorizer(), "review")], {}, [], LGBMRegressor(n_estimators=5, verbose=-1), "kernel"),
    "sparse": ([("words", TfidfVectorizer(), "review"), ("more", OneHotEncoder(), ["home"])], {}, [], Ridge(), "linear"),
    "lengths as well": (
        [("words", TfidfVectorizer(), "review"), ("lengths", FunctionTransformer(lengths), ["review"])],
        {}, [], Ridge(), "kernel",
    ),
    "standardised": ([("words", TfidfVectorizer(), "review")], {}, [StandardScaler()], Ridge(), "kernel"),
    "own vectorizer": ([("words", OwnVectorizer(), "review")], {}, [], Ridge(), "kernel"),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_words_that_a_vectorizer_counts_are_explained_from_its_counts(name):
    parts, weights, behind, last, method = COLUMNS[name]
    X, _ = table()
    X["home"] = [f"home {number}" for number in range(len(X))]
    y = X.age + X.review.str.count("good") - X.review.str.count("bad")
    columns = ColumnTransformer([*parts, ("numbers", StandardScaler(), ["age"])], transformer_weights=weights)
    model = make_pipeline(columns, *behind, last).fit(X, y)
    words = explain_model(model, X, X[:20], text_detail="review").texts["review"]
    assert words.method == method
    assert words.additivity_error < 1e-9
    for row, document in list(enumerate(words.documents))[:3]:
        n_players = len(document.words)
        masks = (np.arange(2**n_players)[:, None] >> np.arange(n_players)) & 1 == 1
        gap = "zzgap" if any("gap" in note for note in words.notes) else ""
        frame = X.iloc[[row] * len(masks)].assign(review=MaskedTexts(document.text, document.spans, gap)(masks))
        outputs = model.predict(frame)[:, None]
        known = shapley_values(lambda present, outputs=outputs: outputs[sum(1 << j for j in present)], n_players)
        np.testing.assert_allclose(document.values, known, atol=1e-9)


def test_words_are_stored_with_a_run_and_belong_to_its_most_recent_explanation(tmp_path):
    model, (X, _) = fitted(LogisticRegression()), table()
    history = RunHistory(tmp_path)
    search = history.start_search("my own", "binary", {})
    run = {"number": 0, "learner": "lr", "config": {}, "loss": 0.5, "metric": "log_loss", "kind": "trial"}
    (run_id,) = history.add_runs(search, [run | {"status": "captured", "why": "", "sample_size": None}])
    made = explain_model(model, X, X[:2], history.run(run_id), feature_space="raw", text_detail="review")
    read = retrieve_model_explanation(run_id, history=history)
    assert read.explanation.features == ("age", "review", "city")
    assert list(read.texts) == ["review"]
    assert read.texts["review"].texts == tuple(X.review[:2])
    for one, other in zip(read.texts["review"].documents, made.texts["review"].documents, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    page = write_report(tmp_path / "report.html", read).read_text(encoding="utf-8")
    assert 'href="#words-0">Words of review</a>' in page
    assert page.index('id="words-0"') < page.index('<th scope="col">word</th>') < page.index("raises the output")
    assert "values of the words of columns: texts[&#39;review&#39;]" in read._repr_html_()
    explain_model(model, X, X[:3], history.run(run_id))
    assert retrieve_model_explanation(run_id, history=history).texts == {}


def test_searches_and_missing_cells():
    X, y = table()
    search = GridSearchCV(fitted(LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2).fit(X, y)
    rows = X[:2].reset_index(drop=True)
    rows.loc[0, "review"] = ""
    words = explain_model(search, X, rows, text_detail=["review"]).texts["review"]
    assert words.documents[0].words == ()
    assert words.additivity_error < 1e-9


@pytest.mark.parametrize(
    ("rows", "detail", "message"),
    [
        (lambda X: X, "text", "'text_detail' parameter must name features.*Got 'text'"),
        (lambda X: X, "age", "must hold texts. Got float at position 0"),
    ],
)
def test_what_is_no_column_of_texts(rows, detail, message):
    X, _ = table()
    with pytest.raises(InvalidInputError, match=message):
        explain_model(fitted(LogisticRegression()), X, rows(X[:2]), text_detail=detail)
