"""Class names from `y_train`: taken only where it is certain which label a code stands for."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import LabelEncoder

from automl_explain import InvalidInputError, explain_model

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(150, 3)), columns=["a", "b", "c"])
CODES = np.clip(np.floor(X["a"].to_numpy() + 1.5), 0, 2).astype(int)
MODEL = RandomForestClassifier(5, max_depth=3, random_state=0)


def classes_of(y, codes):
    return explain_model(MODEL.fit(X, codes), X, X[:2], y_train=y).classes


LABELS = {
    "words": (["a", "b", "c"], ("a", "b", "c")),
    "numbers": ([1, 2, 10], (1, 2, 10)),
    "fractions": ([0.5, 2.0, 10.0], (0.5, 2.0, 10.0)),
    "negative numbers": ([-10, -2, 3], (-10, -2, 3)),
    "codes": ([0, 1, 2], (0, 1, 2)),
    "numbers as text in one order": (["1", "2", "3"], ("1", "2", "3")),
    "dates": ([pd.Timestamp("2020-01-02"), pd.Timestamp("2020-02-01"), pd.Timestamp("2021-01-01")], None),
}


@pytest.mark.parametrize("form", ["array of objects", "series of objects", "list", "category", "column of a frame"])
@pytest.mark.parametrize("kind", LABELS)
def test_labels_in_the_order_of_an_encoder_name_the_codes(kind, form):
    labels, expected = LABELS[kind]
    own = [labels[code] for code in CODES]
    y = {
        "array of objects": np.array(own, dtype=object),
        "series of objects": pd.Series(own, dtype=object),
        "list": own,
        "category": pd.Series(pd.Categorical(own, categories=labels)),
        "column of a frame": pd.DataFrame({"y": own}),
    }[form]
    found = classes_of(y, CODES)
    assert found == expected if expected else len(set(map(str, found))) == 3


def test_an_encoder_agrees():
    words = np.array(["mid", "low", "high"], dtype=object)[CODES]
    encoder = LabelEncoder().fit(words)
    assert classes_of(words, encoder.transform(words)) == tuple(encoder.classes_)


def test_an_ordered_category_given_by_its_codes_is_refused():
    levels = pd.Categorical.from_codes(CODES, ["low", "mid", "high"], ordered=True)
    with pytest.raises(
        InvalidInputError, match=r"cannot be matched.*classes=\{code: name\}, such as \{0: 'low', 1: 'mid'"
    ):
        classes_of(pd.Series(levels), CODES)
    named = {0: "low", 1: "mid", 2: "high"}
    assert explain_model(MODEL.fit(X, CODES), X, X[:2], classes=named).classes == ("low", "mid", "high")


def test_numbers_as_text_of_which_the_order_is_open_are_refused():
    with pytest.raises(InvalidInputError, match="their order as numbers"):
        classes_of(np.array(["1", "2", "10"], dtype=object)[CODES], CODES)


def test_labels_of_several_types_are_refused():
    with pytest.raises(InvalidInputError, match="labels of one type, which have an order. Got int, str"):
        classes_of(np.array([1, "b", 3], dtype=object)[CODES], CODES)


@pytest.mark.parametrize("order", [["mid", "low", "high"], ["low", "mid", "high"]])
def test_codes_in_the_order_of_appearance_are_refused_by_the_predictions(order):
    words = np.array(order, dtype=object)[CODES]
    with pytest.raises(InvalidInputError, match="by the predictions of X_train"):
        classes_of(words, CODES)


def test_a_weak_model_does_not_cast_doubt():
    noise = RNG.integers(0, 3, len(X))
    model = LogisticRegression().fit(X, noise)
    words = np.array(["a", "b", "c"])[noise]
    assert explain_model(model, X, X[:2], y_train=words).classes == ("a", "b", "c")


def test_a_model_that_knows_its_labels_keeps_them():
    words = np.array(["c", "a", "b"])[CODES]
    assert classes_of(np.array(["x", "y", "z"])[CODES], words) == ("a", "b", "c")
