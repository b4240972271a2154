"""Ensembles whose members are pipelines: explained over the table that the ensemble takes, as by definition."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from automl_explain import TabularExplainer, explain_model
from tests.oracles import model_game, shapley_values

RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "age": RNG.normal(40, 9, 90),
        "town": RNG.choice(["a", "b", "c"], 90),
        "size": RNG.normal(size=90),
        "n": RNG.random(90),
    }
)
Y = (X["age"] / 10 + 2 * (X["town"] == "a") + X["size"] * X["n"]).to_numpy()
LABELS = np.array(["no", "yes"])[np.digitize(Y, [np.median(Y)])]
CLASSES = np.array(["x", "y", "z"])[np.digitize(Y, np.quantile(Y, [0.3, 0.7]))]


def piped(model, mixes=False):
    columns = ColumnTransformer(
        [("town", OneHotEncoder(sparse_output=False), ["town"]), ("rest", StandardScaler(), ["size", "n", "age"])]
    )
    return make_pipeline(columns, PCA(4, random_state=0), model) if mixes else make_pipeline(columns, model)


def trees(cls):
    return cls(n_estimators=8, min_child_samples=5, verbose=-1, n_jobs=1)


def members(forest, booster, mixes=False):
    return [("forest", piped(forest(6, max_depth=3, random_state=0), mixes)), ("booster", piped(trees(booster)))]


REGRESSORS = members(RandomForestRegressor, LGBMRegressor)
CLASSIFIERS = members(RandomForestClassifier, LGBMClassifier)
CASES = {
    "vote": (VotingRegressor(REGRESSORS), Y, "mixture"),
    "vote of a pipeline and a model behind one": (
        make_pipeline(
            ColumnTransformer([("town", OneHotEncoder(sparse_output=False), ["town"])], remainder="passthrough"),
            VotingRegressor([("scaled", make_pipeline(StandardScaler(), Ridge())), ("ridge", Ridge())]),
        ),
        Y,
        "mixture",
    ),
    "stack": (StackingRegressor(REGRESSORS, LinearRegression(), cv=3), Y, "mixture"),
    "stack of trees over linear": (StackingRegressor([("ridge", piped(Ridge()))], trees(LGBMRegressor), cv=3), Y, "ensemble"),
    "vote with a step that mixes columns": (VotingRegressor(members(RandomForestRegressor, LGBMRegressor, True)), Y, "mixture"),
    "transformed target": (TransformedTargetRegressor(piped(Ridge()), func=np.log, inverse_func=np.exp), Y, "ensemble"),
    "soft vote": (VotingClassifier(CLASSIFIERS, voting="soft"), LABELS, "ensemble"),
    "binary stack": (StackingClassifier(CLASSIFIERS, LogisticRegression(), cv=3), LABELS, "ensemble"),
    "multiclass stack": (StackingClassifier(CLASSIFIERS, LogisticRegression(max_iter=900), cv=3), CLASSES, "ensemble"),
    "calibrated": (CalibratedClassifierCV(piped(LogisticRegression()), cv=2), LABELS, "ensemble"),
    "one against the rest": (OneVsRestClassifier(piped(LogisticRegression())), CLASSES, "ensemble"),
}  # fmt: skip


def scores(model, table):
    margins = model.decision_function(table)
    return np.column_stack([-margins, margins]) if margins.ndim == 1 else margins


OUTPUTS = {
    "response": lambda model, table: model.predict(table)[:, None],
    "probability": lambda model, table: model.predict_proba(table),
    "log_odds": scores,
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_the_whole_over_its_own_columns(name):
    model, target, method = CASES[name]
    model = model.fit(X, target)
    explained = explain_model(model, X[:15], X[15:18], feature_space="raw")
    assert explained.method == method
    assert explained.explanation.features == tuple(X)
    outputs = OUTPUTS[explained.output_space]
    for row in range(3):
        game = model_game(lambda table: outputs(model, table), X[15 + row : 16 + row], X[:15])
        values = explained.explanation.local_importance_values
        found = values[None, row] if values.ndim == 2 else values[:, row]
        np.testing.assert_allclose(found, shapley_values(game, 4), atol=1e-6)
    np.testing.assert_allclose(explained.explanation.predictions, outputs(model, X[15:18]), atol=1e-9)


def test_members_of_a_vote_of_pipelines_have_their_shares():
    vote = VotingRegressor(REGRESSORS).fit(X, Y)
    explainer = TabularExplainer(vote, X[:15])
    shares = explainer.explain_members(X[15:18])
    own = explain_model(vote.estimators_[0], X[:15], X[15:18], feature_space="raw")
    np.testing.assert_allclose(shares.local_importance_values[0], own.shap_values / 2, atol=1e-12)
    values = explainer.explain_local(X[15:18]).local_importance_values
    np.testing.assert_allclose(shares.local_importance_values.sum(axis=0), values, atol=1e-12)


def test_bagged_pipelines():
    numbers = X[["age", "size", "n"]].to_numpy()
    for share in (1.0, 0.7):
        model = BaggingRegressor(make_pipeline(StandardScaler(), Ridge()), 4, max_features=share, random_state=0).fit(
            numbers, Y
        )
        explained = explain_model(model, numbers[:15], numbers[15:17])
        game = model_game(lambda table, model=model: model.predict(table)[:, None], numbers[15:16], numbers[:15])
        np.testing.assert_allclose(explained.shap_values[:1], shapley_values(game, 3), atol=1e-9)
