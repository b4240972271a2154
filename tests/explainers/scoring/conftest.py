"""Models of every structure with their explainers, small enough for every test."""

import numpy as np
import pandas as pd
import pytest
import xgboost
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR

from automl_explain import (
    DeepExplainer,
    KernelExplainer,
    LGBMExplainableModel,
    LinearExplainableModel,
    LinearExplainer,
    MimicExplainer,
    TabularExplainer,
    TreeExplainer,
)
from automl_explain.search.engines._preprocessing import for_linear, for_trees

X, Y = make_classification(300, 6, n_informative=4, random_state=0)
RANDOM = np.random.default_rng(0)
Y3 = RANDOM.integers(0, 3, 300)
FRAME = pd.DataFrame(X, columns=list("abcdef")).assign(
    town=RANDOM.choice(["Bern", "Oslo", "Rome"], 300), size=pd.Categorical(RANDOM.choice(["L", "S"], 300))
)
FRAME.loc[::7, "a"] = np.nan
FRAME.loc[::11, "town"] = None
DATED = FRAME.assign(
    since=pd.Timestamp("2020-02-29") + pd.to_timedelta(RANDOM.integers(0, 900 * 86400, 300), "s"),
    seen=pd.Timestamp("2024-01-31", tz="UTC") + pd.to_timedelta(RANDOM.integers(0, 900, 300), "h"),
)
DATED.loc[::13, "since"] = pd.NaT
CODED = FRAME.assign(town=FRAME["town"].astype("category"))
TREES = {"n_estimators": 15, "verbose": -1, "random_state": 0}
FOREST = {"n_estimators": 8, "random_state": 0}


def preparation():
    """A preprocessing with steps for numbers and for categories."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return make_column_transformer(
        (numbers, ["a", "b"]),
        (RobustScaler(), ["c"]),
        (MinMaxScaler(clip=True), ["d"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
        (OrdinalEncoder(), ["size"]),
        remainder="passthrough",
    )


def black_box(rows):
    return rows["since"].dt.month.fillna(0.0).to_numpy() + rows["a"].fillna(0.0).to_numpy() + (rows["town"] == "Oslo")


def stack(final=None, **options):
    members = [("forest", RandomForestClassifier(**FOREST)), ("boosted", LGBMClassifier(**TREES))]
    return StackingClassifier(members, final_estimator=final, cv=3, **options)


def pipelines():
    members = [
        ("forest", make_pipeline(preparation(), RandomForestClassifier(**FOREST))),
        ("logistic", make_pipeline(preparation(), LogisticRegression())),
    ]
    return VotingClassifier(members, voting="soft")


NUMBERS, THREE = FRAME[list("abcdef")], FRAME[list("abc")]
CASES = {
    "lightgbm": lambda: (TreeExplainer(LGBMClassifier(**TREES).fit(X, Y), X[:80]), X),
    "lightgbm regression": lambda: (TabularExplainer(LGBMRegressor(**TREES).fit(THREE, X[:, 3]), THREE), THREE),
    "lightgbm categories": lambda: (TabularExplainer(LGBMClassifier(**TREES).fit(CODED, Y), CODED[:80]), CODED),
    "path-dependent": lambda: (TreeExplainer(LGBMClassifier(**TREES).fit(X, Y3)), X),
    "xgboost": lambda: (TabularExplainer(xgboost.XGBClassifier(n_estimators=10).fit(X, Y), X[:80]), X),
    "forest": lambda: (
        TabularExplainer(RandomForestClassifier(**FOREST).fit(X, Y3), X[:80], weights=np.arange(1.0, 81.0)),
        X,
    ),
    "raw columns": lambda: (
        TabularExplainer(
            make_pipeline(preparation(), LGBMClassifier(**TREES)).fit(FRAME, Y), FRAME[:80], feature_space="raw"
        ),
        FRAME,
    ),
    "engineered columns": lambda: (
        TabularExplainer(make_pipeline(preparation(), LogisticRegression()).fit(FRAME, Y), FRAME[:80]),
        FRAME,
    ),
    "linear": lambda: (LinearExplainer(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y3), X[:80]), X),
    "kernels": lambda: (TabularExplainer(SVR().fit(X, X[:, 0]), X[:40]), X),
    "votes of margins": lambda: (TabularExplainer(SVC().fit(X, Y3), X[:20]), X),
    "probability of a booster": lambda: (
        TabularExplainer(LGBMClassifier(**TREES).fit(X, Y3), X[:20], output="probability"),
        X,
    ),
    "probability of a pipeline": lambda: (
        TabularExplainer(
            make_pipeline(preparation(), LogisticRegression()).fit(FRAME, Y),
            FRAME[:20],
            feature_space="raw",
            output="probability",
        ),
        FRAME,
    ),
    "stack": lambda: (TabularExplainer(stack().fit(X, Y), X[:40]), X),
    "stack under trees": lambda: (
        TabularExplainer(stack(LGBMClassifier(**TREES), passthrough=True).fit(X, Y), X[:20]),
        X,
    ),
    "vote of pipelines": lambda: (TabularExplainer(pipelines().fit(FRAME, Y), FRAME[:20]), FRAME),
    "calibrated": lambda: (
        TabularExplainer(CalibratedClassifierCV(LGBMClassifier(**TREES), cv=2, method="isotonic").fit(X, Y3), X[:20]),
        X,
    ),
    "calibrated pipeline": lambda: (
        TabularExplainer(
            CalibratedClassifierCV(make_pipeline(preparation(), LogisticRegression()), cv=2).fit(FRAME, Y), FRAME[:20]
        ),
        FRAME,
    ),
    "one against the rest": lambda: (
        TabularExplainer(OneVsRestClassifier(LogisticRegression()).fit(X, Y3), X[:20]),
        X,
    ),
    "network": lambda: (DeepExplainer(MLPClassifier((8,), max_iter=30, random_state=0).fit(X, Y), X[:20]), X),
    "coalitions": lambda: (KernelExplainer(RandomForestClassifier(**FOREST).fit(X, Y), X[:20]), X),
    "mimic": lambda: (
        MimicExplainer(
            RandomForestClassifier(**FOREST).fit(X, Y).predict_proba,
            X,
            LGBMExplainableModel,
            model_task="classification",
        ),
        X,
    ),
    "dates of an engine": lambda: (
        TabularExplainer(for_trees(DATED, LGBMClassifier(**TREES)).fit(DATED, Y), DATED[:60], feature_space="raw"),
        DATED,
    ),
    "dates of a linear engine": lambda: (
        TabularExplainer(for_linear(DATED, LogisticRegression()).fit(DATED, Y), DATED[:60], feature_space="raw"),
        DATED,
    ),
    "dates that are left out": lambda: (
        TabularExplainer(
            make_pipeline(make_column_transformer((SimpleImputer(), ["a"])), LGBMClassifier(**TREES)).fit(DATED, Y),
            DATED[:60],
            feature_space="raw",
        ),
        DATED,
    ),
    "mimic of dates": lambda: (MimicExplainer(black_box, DATED, LGBMExplainableModel), DATED),
    "linear mimic of dates": lambda: (MimicExplainer(black_box, DATED, LinearExplainableModel), DATED),
    "subset": lambda: (
        TabularExplainer(LGBMClassifier(**TREES).fit(NUMBERS, Y), NUMBERS[:80], explain_subset=["b", "a"]),
        NUMBERS,
    ),
}
"""Name -> explainer and rows."""


@pytest.fixture(scope="session", params=list(CASES))
def case(request):
    """An explainer, and a few rows."""
    explainer, rows = CASES[request.param]()
    return explainer, rows[:12]


@pytest.fixture(scope="session")
def pipeline():
    """An explainer of a pipeline over raw columns with numbers and categories, and its rows."""
    return CASES["raw columns"]()


@pytest.fixture(scope="session")
def bundle(pipeline, tmp_path_factory):
    """A saved bundle of that pipeline."""
    from automl_explain import save, scoring_explainer

    return save(scoring_explainer(pipeline[0]), tmp_path_factory.mktemp("bundles") / "bundle")
