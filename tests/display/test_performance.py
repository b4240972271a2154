"""How good predictions are, against scikit-learn's metrics."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from automl_explain import InvalidInputError, explain_model, plot_residuals, write_report

RANDOM = np.random.default_rng(0)
X = pd.DataFrame(RANDOM.normal(size=(120, 3)), columns=["calls", "age", "pay"], index=[f"C{i}" for i in range(120)])
SCORE = X["calls"] - X["pay"] + RANDOM.normal(size=120)


@pytest.mark.parametrize(
    "model", [RandomForestClassifier(10, random_state=0), LogisticRegression()], ids=["share", "odds"]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_of_a_classification_are_scikit_learn_s(model, n_classes):
    y = pd.cut(SCORE, n_classes, labels=["low", "middle", "high"][:n_classes]).astype(str)
    model.fit(X[:80], y[:80])
    good = explain_model(model, X[:80], X[80:]).performance(y)
    shares, truth = model.predict_proba(X[80:]), y[80:]
    area = metrics.roc_auc_score(truth, shares[:, 1] if n_classes == 2 else shares, multi_class="ovr")
    expected = {
        "accuracy": metrics.accuracy_score(truth, model.predict(X[80:])),
        "log loss": metrics.log_loss(truth, shares, labels=model.classes_),
        "ROC AUC": area,
    }
    assert good.scores == pytest.approx(expected)
    np.testing.assert_array_equal(good.confusion, metrics.confusion_matrix(truth, model.predict(X[80:])))
    worst = good.worst(1).iloc[0]
    assert worst["error"] == pytest.approx(1 - min(shares[np.arange(40), pd.Index(model.classes_).get_indexer(truth)]))
    assert worst["label"] == X.index[80 + worst["row"]]


def test_scores_and_residuals_of_a_regression():
    ridge = Ridge().fit(X, SCORE)
    good = explain_model(ridge, X, X).performance(SCORE.to_numpy())
    predicted = ridge.predict(X)
    assert good.scores["R2"] == pytest.approx(metrics.r2_score(SCORE, predicted))
    np.testing.assert_allclose(good.to_frame()["error"], SCORE - predicted)
    assert good.confusion is None
    assert abs(good.best(1)["error"].iloc[0]) == pytest.approx(abs(SCORE - predicted).min())
    assert max(map(len, good.as_text().splitlines())) <= 80
    assert "rows with the largest residual" in good._repr_html_()
    assert json.loads(json.dumps(good.as_dict(2)))["worst"][0]["row"] == good.worst(1)["row"].iloc[0]
    ax = plot_residuals(good)
    assert len(ax.collections[0].get_offsets()) == len(X)
    plt.close(ax.figure)


def test_residuals_are_those_of_a_regression():
    explained = explain_model(LogisticRegression().fit(X, SCORE > 0), X, X[:5], y_test=SCORE[:5] > 0)
    with pytest.raises(InvalidInputError, match="Got that of a classification"):
        plot_residuals(explained.performance())
    with pytest.raises(InvalidInputError, match="Got ModelExplanation"):
        plot_residuals(explained)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_report_shows_how_good_the_predictions_are(task, tmp_path):
    model, y = (Ridge(), SCORE) if task == "regression" else (LogisticRegression(), SCORE > 0)
    explained = explain_model(model.fit(X[:80], y[:80]), X[:80], X[80:], y_test=y)
    write_report(tmp_path / "report.html", explained)
    page = (tmp_path / "report.html").read_text()
    assert "How good the predictions are" in page
    assert ("Residuals over predictions" in page) is (task == "regression")
    assert "The true labels were not kept" not in page


def test_labels_are_matched_by_their_index():
    ridge = Ridge().fit(X, SCORE)
    explained = explain_model(ridge, X, X[:30])
    shuffled = SCORE.sample(frac=1, random_state=0)
    assert explained.performance(shuffled).scores == explained.performance(SCORE[:30].to_numpy()).scores


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(7), "each of the 30 rows"),
        (np.full(30, np.nan), "30 missing"),
        (["maybe"] * 30, "must hold the classes"),
    ],
)
def test_labels_that_do_not_fit(y, message):
    model = LogisticRegression().fit(X, SCORE > 0)
    with pytest.raises(InvalidInputError, match=message):
        explain_model(model, X, X[:30]).performance(y)
