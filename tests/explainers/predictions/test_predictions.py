"""What structures predict is what libraries predict, and a library that disagrees is noticed."""

from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeRegressor

from automl_explain import AdditivityError, InvalidInputError, TabularExplainer, TreeExplainer
from automl_explain.explainers._agreement import ROUNDING
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._structures import Linear
from automl_explain.explainers.predictions._predictions import CHECK_EVERY, Predictions
from automl_explain.explainers.predictions._structure_outputs import structure_predictor
from automl_explain.explainers.tables._table import Table, as_table

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
X[:, 4] = rng.integers(0, 4, 300)
SCORE = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + (X[:, 4] > 1)
TARGETS = {"regression": SCORE, "binary": (SCORE > 0.5).astype(int), "classes": np.digitize(SCORE, [0.0, 1.0])}


def lgbm(kind=lightgbm.LGBMClassifier, **options):
    return kind(n_estimators=12, num_leaves=7, verbose=-1, **options)


def one_hot(model):
    columns = ColumnTransformer([("code", OneHotEncoder(), [4])], remainder=StandardScaler())
    return make_pipeline(columns, model)


MODELS = {
    "LightGBM": (lgbm(lightgbm.LGBMRegressor), "regression"),
    "LightGBM with classes": (lgbm(), "classes"),
    "LightGBM as a forest": (lgbm(boosting_type="rf", subsample=0.6, subsample_freq=1), "binary"),
    "XGBoost": (xgboost.XGBClassifier(n_estimators=12, max_depth=3), "classes"),
    "forest": (RandomForestClassifier(10, random_state=0), "classes"),
    "histograms": (HistGradientBoostingClassifier(max_iter=12), "binary"),
    "ridge": (Ridge(), "regression"),
    "logistic": (LogisticRegression(), "classes"),
    "kernels": (SVR(), "regression"),
    "kernels of pairs": (SVC(), "classes"),
    "vote": (VotingClassifier([("a", RandomForestClassifier(5)), ("b", RandomForestClassifier(5))], voting="soft"), "classes"),
    "vote of boosters": (VotingClassifier([("a", lgbm()), ("b", RandomForestClassifier(5))], voting="soft"), "binary"),
    "linear stack": (StackingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=4))], Ridge()), "regression"),
    "stack of trees": (StackingClassifier([("a", lgbm()), ("b", LogisticRegression())], lgbm(), passthrough=True), "binary"),
    "pipelines in a stack": (
        StackingRegressor([("a", one_hot(Ridge())), ("b", one_hot(RandomForestRegressor(5)))], lgbm(lightgbm.LGBMRegressor)),
        "regression",
    ),
}  # fmt: skip


def fitted(name):
    model, target = MODELS[name]
    return describe(model.fit(X, TARGETS[target]), X)


@pytest.mark.parametrize("name", MODELS)
def test_structures_predict_what_their_libraries_do(name):
    model = fitted(name)
    predict = structure_predictor(model, X[:64])
    outputs, known = predict(Table(X)), model.predict(X)
    assert outputs.shape == known.shape
    tolerance = ROUNDING if name == "XGBoost" else 1e-12
    np.testing.assert_allclose(outputs, known, rtol=tolerance, atol=tolerance * np.abs(known).max())


def test_lightgbms_scores_are_its_own_bit_by_bit():
    model = fitted("LightGBM")
    np.testing.assert_array_equal(structure_predictor(model)(Table(X)), model.predict(X))


def test_frames_with_categories_and_missing_cells_are_predicted():
    frame = pd.DataFrame(X, columns=list("abcde")).assign(e=pd.Categorical(X[:, 4].astype(int).astype(str)))
    frame.iloc[::7, 0] = np.nan
    model = describe(lgbm(lightgbm.LGBMRegressor).fit(frame, SCORE), frame)
    np.testing.assert_array_equal(structure_predictor(model)(as_table(frame)), model.predict(frame))


def test_models_that_cannot_be_read_have_no_predictor():
    assert structure_predictor(describe(KNeighborsRegressor().fit(X, SCORE), X)) is None
    stack = StackingRegressor([("a", Ridge()), ("b", KNeighborsRegressor())], Ridge()).fit(X, SCORE)
    assert structure_predictor(describe(stack, X), X) is None


class Library:
    """A linear model that counts the rows it is asked for, and can be changed."""

    def __init__(self):
        self.rows, self.shift = 0, lambda table: 0.0
        self.model = FittedModel(
            {"response": self.predict},
            "response",
            "regression",
            Linear(np.ones((1, 2)), np.zeros(1)),
            encode=np.asarray,
        )

    def predict(self, table):
        self.rows += len(table)
        return np.asarray(table).sum(axis=1, keepdims=True) + self.shift(table)


def test_the_library_is_asked_for_the_background_and_then_for_a_sample():
    library, rows = Library(), X[:, :2]
    predict = Predictions(library.model, Table(rows))
    assert library.rows == len(rows)
    for row in range(CHECK_EVERY):
        predict(Table(rows[row : row + 1]))
    assert library.rows == len(rows)
    predict(Table(rows[:1]))
    assert library.rows == len(rows) + 1
    np.testing.assert_allclose(predict(Table(rows)), rows.sum(axis=1, keepdims=True))
    assert len(rows) + 1 < library.rows < len(rows) + 20


def test_without_a_background_the_first_rows_are_compared():
    library, rows, asked = Library(), X[:, :2], []
    predict = Predictions(library.model, None)
    for row in range(40):
        before = library.rows
        predict(Table(rows[row : row + 1]))
        asked.append(library.rows - before)
    assert asked[:2] == [1, 0]
    assert sum(asked) < 12


def test_a_library_that_changes_a_little_predicts_from_then_on():
    library, rows = Library(), X[:, :2]
    predict = Predictions(library.model, Table(rows))
    library.shift = lambda table: 1e-3
    for _ in range(2):
        np.testing.assert_allclose(predict(Table(rows)), rows.sum(axis=1, keepdims=True) + 1e-3)
    assert predict.asks_library


def test_a_library_that_changes_more_is_refused_with_its_rows():
    library, rows = Library(), X[:, :2]
    predict = Predictions(library.model, Table(rows))
    library.shift = lambda table: np.where(np.asarray(table)[:, :1] == rows[-1, 0], 1.0, 0.0)
    with pytest.raises(AdditivityError, match=r"up to 1 in response, in 1 of 17 of the rows .* compared \(299\)"):
        predict(Table(rows))


def test_values_of_a_model_that_was_fitted_again_are_refused():
    model = RandomForestRegressor(5, random_state=0).fit(X, SCORE)
    explainer = TabularExplainer(model, X)
    explainer.explain_local(X[:3])
    model.fit(X, -SCORE)
    with pytest.raises(AdditivityError, match="fitting it again, make the explainer again"):
        explainer.explain_local(X)


def test_a_background_that_the_structure_routes_otherwise_is_refused_with_its_rows():
    library, rows = Library(), X[:, :2]
    library.shift = lambda table: np.where(np.asarray(table)[:, :1] == rows[7, 0], 2.5, 0.0)
    with pytest.raises(AdditivityError, match=r"up to 2\.5 in response, in 1 of 300 background rows \(7\)"):
        TabularExplainer(library.model, rows)


def test_a_library_that_predicts_at_random_is_refused_with_the_size_of_its_changes():
    library, noise = Library(), np.random.default_rng(0)
    library.shift = lambda table: noise.normal(size=(len(table), 1))
    with pytest.raises(AdditivityError, match=r"differ between calls by up to \d.*random state"):
        TabularExplainer(library.model, X[:, :2])


def test_a_library_that_disagrees_with_its_dump_is_refused():
    model = describe(lgbm(lightgbm.LGBMRegressor).fit(X, SCORE), X)
    trees = model.structure
    changed = replace(model, structure=replace(trees, threshold=trees.threshold + 0.3))
    with pytest.raises(AdditivityError, match="computed from the structure of LGBMRegressor miss the predictions"):
        TreeExplainer(changed, X[:50])


def test_small_disagreements_leave_the_predictions_to_the_library():
    library, rows = Library(), X[:, :2]
    library.shift = lambda table: 1e-5 * np.asarray(table)[:, :1]
    predict = Predictions(library.model, Table(rows))
    assert predict.asks_library


@pytest.mark.parametrize(("model", "cell"), [(Ridge(), np.nan), (RandomForestRegressor(5), np.inf)])
def test_rows_that_the_library_refuses_are_refused(model, cell):
    explainer = TabularExplainer(model.fit(X, SCORE), X[:20])
    rows = X[:2].copy()
    rows[0, 1] = cell
    with pytest.raises(InvalidInputError, match="cannot take the values of X.*(NaN|infinity)"):
        explainer.explain_local(rows)
