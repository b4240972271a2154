"""Column labels that are not strings, and classifiers with a decision threshold."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from automl_explain import PFIExplainer, explain_model

X = np.random.default_rng(0).normal(size=(80, 3))
RESPONSE = X @ np.array([2.0, 1.0, -1.0])
LABELS = (RESPONSE > 0).astype(int)
COLUMNS = {
    "numbers": [0, 1, 2],
    "numbers in another order": [2, 0, 1],
    "dates": list(pd.date_range("2020-01-01", periods=3)),
    "mixed": ["a", 1, None],
    "levels": pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "x")]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_arrow_columns_whose_labels_are_not_strings(name):
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(X, RESPONSE)
    frame = pd.DataFrame(X).convert_dtypes(dtype_backend="pyarrow")
    frame.columns = COLUMNS[name]
    explained = explain_model(model, frame.iloc[:20], frame.iloc[:4])
    expected = explain_model(model, X[:20], X[:4])
    np.testing.assert_allclose(explained.shap_values, expected.shap_values, atol=1e-12)
    assert list(frame.columns) == list(COLUMNS[name])
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)


def test_columns_of_several_levels_are_those_that_xgboost_joins():
    frame = pd.DataFrame(X, columns=COLUMNS["levels"])
    model = xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(frame, RESPONSE)
    explained = explain_model(model, frame.iloc[:20], frame.iloc[:4])
    expected = explain_model(xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(X, RESPONSE), X[:20], X[:4])
    np.testing.assert_array_equal(explained.shap_values, expected.shap_values)
    assert explained.explanation.features == ("('a', 'x')", "('a', 'y')", "('b', 'x')")
    swapped = explain_model(model, frame.iloc[:20], frame.iloc[:4, [2, 0, 1]])
    np.testing.assert_array_equal(swapped.shap_values, expected.shap_values)
    importance = PFIExplainer(model, metric="r2").explain_global(frame, true_labels=RESPONSE)
    assert importance.global_importance_values[0] > 0


THRESHOLDS = {
    "tuned": (TunedThresholdClassifierCV(RandomForestClassifier(5, random_state=0), cv=2), "tree"),
    "fixed": (FixedThresholdClassifier(LogisticRegression()), "linear"),
}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_threshold_is_read_through_to_its_classifier(name):
    model, method = THRESHOLDS[name]
    model.fit(X, LABELS)
    explained = explain_model(model, X[:20], X[:4])
    assert explained.method == method
    direct = explain_model(model.estimator_, X[:20], X[:4])
    np.testing.assert_array_equal(np.asarray(explained.shap_values), np.asarray(direct.shap_values))


def test_a_threshold_over_a_frozen_classifier():
    frozen = FrozenEstimator(LogisticRegression().fit(X, LABELS))
    assert explain_model(FixedThresholdClassifier(frozen), X[:20], X[:4]).method == "linear"
