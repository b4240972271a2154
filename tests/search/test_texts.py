"""Columns of texts in searches: they are found, their words are counted, and words are explained."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from automl_explain import AutoMLConfig, RunHistory
from automl_explain.search._job import run_search
from automl_explain.search._texts import holds_texts, text_columns
from automl_explain.search.engines._preprocessing import Words, for_linear, for_trees


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
    assert text_columns(frame.to_numpy()) == ()


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
    assert "texts: flaml reads review as categories; --engine optuna counts words" in said


def test_a_search_explains_words(tmp_path):
    frame, stars = reviews()
    config = AutoMLConfig(
        X=frame, y=stars, estimators=["lrl2"], max_iter=2, time_budget=30, history=RunHistory(tmp_path / "history")
    )
    result = run_search(config, tmp_path / "out")
    assert {"review: fine", "review: awful"} <= set(result.explained.overall_imp[:3])
    raw = result.explained.raw
    assert raw.features == ("review", "fine", "city")
    assert "review: fine" in result.report.read_text(encoding="utf-8")
