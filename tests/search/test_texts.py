"""Columns of texts in searches: they are found, their words are counted, and words are explained."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from automl_explain import AutoMLConfig, InvalidInputError, RunHistory, explain_model
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.searches._word_columns import WordColumns, Words, holds_texts, text_columns
from automl_explain.integrations.sklearn_search import ExplainingScorer
from automl_explain.search._job import run_search
from automl_explain.search.engines._preprocessing import for_linear, for_trees


def reviews(n=80):
    rng = np.random.default_rng(0)
    words = ["fine", "awful", "film", "plot", "cast", "end", "very", "not", "scene", "music"]
    text = [" ".join([*rng.choice(words, 6), f"w{j}"]) for j in range(n)]
    stars = np.array([review.count("fine") > review.count("awful") for review in text])
    frame = pd.DataFrame({"review": text, "fine": rng.normal(size=n), "city": rng.choice(["a", "b"], n)})
    frame.loc[3, "review"] = None
    return frame, pd.Series(np.where(stars, "good", "bad"), name="stars")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a b c", "d e f", None], True),
        (["a b c d"] * 9, False),
        (["one", "two", "three"], False),
        ([1, 2, 3], False),
        ([None, None], False),
        (["a b c", 3, "d e f"], False),
        (["房间很脏,服务很差", "酒店很好", "早餐也很好吃"], True),
        (["王小明", "李雷", "韩梅梅"], False),
    ],
)
def test_which_columns_hold_texts(cells, expected):
    assert holds_texts(pd.Series(cells, dtype=object)) is expected
    assert not holds_texts(pd.Series(cells, dtype=object).astype(str).astype("category"))


def test_words_are_columns_with_the_name_of_their_column():
    frame, _ = reviews()
    words = Words("review").fit(frame.review)
    assert "review: fine" in words.get_feature_names_out()
    assert words.transform(pd.Series([None, "fine film"])).getnnz(axis=1).tolist() == [0, 2]
    assert text_columns(frame) == ("review",)
    unspaced = Words("评论").fit(["房间很好, not bad", "x1 ห้อง"])
    assert {"评论: 房", "评论: not", "评论: x1", "评论: ห"} <= set(unspaced.get_feature_names_out())
    assert text_columns(frame.to_numpy()) == ()


def test_training_rows_have_the_weights_that_other_rows_get():
    frame, _ = reviews()
    words = WordColumns(frame, "auto")
    pd.testing.assert_frame_equal(words.training_rows, words.transform(frame))
    assert words.columns == ("review",)
    numbers = frame[["fine"]]
    assert WordColumns(numbers, "auto").training_rows is numbers


@pytest.mark.parametrize("pipeline", [for_linear, for_trees])
def test_pipelines_read_texts_beside_numbers_and_categories(pipeline):
    frame, stars = reviews()
    names = pipeline(frame, LogisticRegression()).fit(frame.fillna({"fine": 0}), stars)[:-1].get_feature_names_out()
    assert {"review: fine", "fine"} <= set(names)
    assert not any(name.startswith("review_") for name in names)


def test_engines_and_messages():
    frame, stars = reviews()
    config = AutoMLConfig(X=frame, y=stars)
    assert config.engine == "optuna"
    assert "texts: the words of review are counted, each is a feature" in config.said
    assert AutoMLConfig(X=frame[["fine"]], y=stars).engine == "flaml"
    said = AutoMLConfig(X=frame, y=stars, engine="flaml").said
    assert "texts: the words of review are counted, each is a feature" in said


@pytest.mark.parametrize("engine", ["optuna", "flaml"])
def test_a_search_explains_words(engine, tmp_path):
    frame, stars = reviews()
    config = AutoMLConfig(
        X=frame, y=stars, estimators=["lrl2"], max_iter=2, time_budget=30, history=RunHistory(tmp_path / "history"),
        engine=engine,
    )  # fmt: skip
    result = run_search(config, tmp_path / "out")
    assert {"review: fine", "review: awful"} <= set(result.explained.overall_imp[:3])
    raw = result.explained.raw
    assert raw.features == ("review", "fine", "city")
    assert "review: fine" in result.report.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["lgbm", "xgboost", "rf"])
def test_flaml_takes_rows_with_texts_and_explains_them(learner, tmp_path):
    frame, stars = reviews(200)
    automl = AutoML(model_explainability=True, history=tmp_path, text_columns="auto")
    automl.fit(
        frame[:150], stars[:150], task="classification", estimator_list=[learner], max_iter=2, verbose=0,
        explainability_options={"feature_space": "both"},
    )  # fmt: skip
    rows = frame[150:]
    assert (automl.predict(rows) == stars[150:].to_numpy()).mean() > 0.7
    by_word = explain_model(automl, frame[:150], rows)
    assert {"review: fine", "review: awful"} <= set(by_word.overall_imp[:4])
    raw = explain_model(automl, frame[:150], rows[:3], feature_space="raw", text_detail="review")
    assert raw.explanation.features == ("review", "fine", "city")
    assert raw.overall_imp[0] == "review"
    for explained, own in ((by_word, rows), (raw, rows[:3])):
        probability = automl.predict_proba(own)
        outputs = probability if explained.output_space == "probability" else np.log(probability / probability[:, ::-1])
        np.testing.assert_allclose(explained.explanation.predictions, outputs, atol=1e-4)
    assert raw.texts["review"].texts == tuple(rows.review[:3])
    np.testing.assert_allclose(raw.texts["review"].predictions, raw.explanation.predictions, atol=1e-4)
    assert automl.best_run.status == "explained"
    assert automl.best_run.explanation.get_raw_explanation().features == ("review", "fine", "city")
    with pytest.raises(InvalidInputError, match=r"columns of texts \['review'\]. Missing: \['review'\]"):
        automl.predict(rows[["fine", "city"]])


@pytest.mark.parametrize(
    ("X", "columns", "message"),
    [
        (reviews()[0], ["reviews"], "must name columns of X_train. Got 'reviews'. Did you mean 'review'"),
        (reviews()[0].to_numpy(), "auto", "columns of X_train as a DataFrame. Got ndarray"),
        (reviews()[0].assign(city="-"), "city", "'city' of 'text_columns' must hold texts with words"),
    ],
)
def test_columns_without_texts_are_refused_before_a_search_of_flaml(X, columns, message):
    with pytest.raises(InvalidInputError, match=message):
        AutoML().fit(X, reviews()[1], task="classification", max_iter=1, text_columns=columns)


@pytest.mark.parametrize("texts", [["a b", "c"], pd.Series(["a b", "c"]), np.array(["a b"]), pd.Series([None, "c"])])
def test_searches_over_texts_say_how_to_search_over_a_table(texts):
    with pytest.raises(InvalidInputError, match="Got texts as 'X_train': search over a frame with ColumnTransformer"):
        ExplainingScorer("accuracy", texts)
    with pytest.raises(InvalidInputError, match="Got texts as 'X_train'"):
        TrialExplainer(texts)
    assert len(ExplainingScorer("accuracy", pd.DataFrame({"text": texts}))._background) == len(texts)
