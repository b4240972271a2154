"""One row of an explanation: its numbers, its labels, its words."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from automl_explain import InvalidInputError, ModelExplanation, explain_model
from automl_explain.explainers.formatting._reasons import reason_text

RANDOM = np.random.default_rng(0)
X = pd.DataFrame(RANDOM.normal(size=(60, 3)), columns=["calls", "age", "pay"], index=[f"C{i}" for i in range(60)])
SCORE = X["calls"] - X["pay"]


@pytest.fixture(scope="module")
def binary():
    y = np.where(SCORE > 0, "yes", "no")
    model = LogisticRegression().fit(X, y)
    return model, explain_model(model, X, X)


@pytest.fixture(scope="module")
def multiclass():
    y = pd.cut(SCORE, 3, labels=["low", "middle", "high"]).astype(str)
    model = LogisticRegression().fit(X, y)
    return model, explain_model(model, X, X)


def test_a_row_adds_up_to_the_model_s_own_output(binary):
    model, explained = binary
    row = explained.row(17, "yes")
    own = model.decision_function(X)[17]
    assert row.base + row.to_frame()["contribution"].sum() == pytest.approx(own)
    assert row.output == pytest.approx(own)
    assert row.probability == pytest.approx(model.predict_proba(X)[17, 1]) == pytest.approx(expit(own))
    assert row.predicted == model.predict(X)[17]
    assert explained.row(17, "no").probability == pytest.approx(1 - row.probability)
    cells = row.to_frame().set_index("feature")["value"]
    assert cells.to_dict() == X.iloc[17].to_dict()


def test_probabilities_of_several_classes_are_the_model_s(multiclass):
    model, explained = multiclass
    shares = [[explained.row(i, c).probability for c in explained.classes] for i in range(5)]
    np.testing.assert_allclose(shares, model.predict_proba(X)[:5], atol=1e-9)
    np.testing.assert_allclose(shares[0], softmax(explained.explanation.predictions[0]))
    assert explained.row(3).class_ == model.predict(X)[3] == explained.row(3).predicted


def test_a_forest_has_its_own_probability_and_a_regression_none():
    y = (SCORE > 0).astype(int)
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    assert explain_model(forest, X, X).row(2, 1).probability == pytest.approx(forest.predict_proba(X)[2, 1])
    ridge = Ridge().fit(X, SCORE)
    row = explain_model(ridge, X, X).row(2)
    assert row.probability is None
    assert row.class_ is None
    assert row.predicted == pytest.approx(ridge.predict(X)[2])
    assert "the prediction by" in row.reasons()[0]


def test_rows_by_number_label_and_index(binary):
    _, explained = binary
    assert explained.row("C17").position == explained[17].position == explained["C17"].position == 17
    assert explained.row(-1).label == "C59"
    assert isinstance(explained[2:5], ModelExplanation)
    assert explained[2:5].shap_values[0].shape == (3, 3)
    numbered = explain_model(LogisticRegression().fit(X, SCORE > 0), X, X.set_axis(range(100, 160)))
    assert numbered.row(label=117).position == numbered.row(17).position == 17


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e: e.row(60), "from 0 to 59"),
        (lambda e: e.row("C170"), "Did you mean 'C17'"),
        (lambda e: e.row(0, "maybe"), "There is no class 'maybe'"),
        (lambda e: e.row(True), "from 0 to 59"),
        (lambda e: e.row(0).reasons(0), "top_k"),
    ],
)
def test_rows_that_are_not_there(binary, ask, message):
    with pytest.raises(InvalidInputError, match=message):
        ask(binary[1])


def test_labels_that_are_not_there_or_not_unique():
    ridge = Ridge().fit(X, SCORE)
    with pytest.raises(InvalidInputError, match="have no labels"):
        explain_model(Ridge().fit(X.to_numpy(), SCORE), X.to_numpy(), X.to_numpy()).row("a")
    with pytest.raises(InvalidInputError, match="60 rows have the label 'a'"):
        explain_model(ridge, X, X.set_axis(["a"] * 60)).row("a")


def test_the_text_is_narrow_and_says_what_was_predicted(binary):
    text = binary[1].row(17, "yes").as_text()
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"[+-]…|…[+-]", text)  # bars are drawn to scale, not shortened
    assert text.startswith("row 17 (label C17): predicted")
    assert "; probability of yes = 0." in text
    assert "calls" in binary[1].row(17)._repr_html_()
    document = json.loads(json.dumps(binary[1].row(17).as_dict()))
    assert {"calls", "age", "pay"} == {line["feature"] for line in document["contributions"]}


@pytest.mark.parametrize(
    ("value", "space", "n_classes", "text"),
    [
        (np.log(1.8), "log_odds", 2, "calls = 5 raises the odds of 'yes' by a factor of 1.8"),
        (-np.log(3), "log_odds", 2, "calls = 5 lowers the odds of 'yes' by a factor of 3"),
        (0.01, "log_odds", 2, "calls = 5 raises the odds of 'yes' by a factor of 1.01"),
        (20.0, "log_odds", 2, "calls = 5 raises the log-odds of 'yes' by 20.0"),
        (0.5, "log_odds", 3, "calls = 5 raises the log-odds of 'yes' by 0.500"),
        (-0.25, "probability", 2, "calls = 5 lowers the probability of 'yes' by 0.250"),
        (2.0, "response", 0, "calls = 5 raises the prediction by 2.00"),
    ],
)
def test_reasons_in_words(value, space, n_classes, text):
    assert reason_text("calls", 5, value, space, "yes", n_classes=n_classes) == text
