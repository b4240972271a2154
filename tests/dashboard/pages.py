"""Pages to look at and to test: a model, its rows and labels, for several kinds of data.

``python -m tests.dashboard.pages churn page.html`` writes one of them.
"""

import sys

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from automl_explain import ExplanationDashboard, explain_model

LONG = "a very long name of a feature for which no axis has room, with <b> and </script> in it"


def cancer():
    """Two classes, 30 numbers, boosted trees: log-odds."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    y = y.map({0: "malignant", 1: "benign"})
    return LGBMClassifier(n_estimators=40, verbose=-1).fit(X, y), X, X, y


def churn_table(n_rows=800, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n_rows),
            "income": rng.lognormal(10, 0.6, n_rows).round(2),
            "city": rng.choice(["Rome", "Oslo", "a town with quite a long name", "O\"Neill's <i>"], n_rows),
            "plan": pd.Categorical(rng.choice(list("SML"), n_rows), categories=list("SML"), ordered=True),
            "member": rng.random(n_rows) < 0.5,
            LONG: rng.normal(size=n_rows),
        }
    )
    table.loc[::9, "income"] = np.nan
    table.loc[::11, "city"] = None
    risk = (table["age"] < 40) * 1.0 + (table["plan"] == "S") * 1.5 + table[LONG] + 0.5 * table["member"]
    return table, np.where(risk + rng.normal(size=n_rows) > 1.2, "leaves", "stays")


def churn():
    """Categories, booleans and missing cells, one-hot behind a pipeline with a linear model."""
    X, y = churn_table()
    numbers = ["age", "income", LONG]
    preprocessing = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("texts", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["city", "plan"]),
            ("flags", "passthrough", ["member"]),
        ]
    )
    return make_pipeline(preprocessing, LogisticRegression()).fit(X, y), X, X, y


def regression():
    """Ten numbers, boosted trees."""
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    return LGBMRegressor(n_estimators=40, verbose=-1).fit(X, y), X, X, y


def four_classes():
    """Four classes."""
    X, y = make_classification(500, 8, n_informative=6, n_classes=4, random_state=0)
    return LGBMClassifier(n_estimators=15, verbose=-1).fit(X, y), X, X, y


def sampled():
    """A black box: standard errors, and no form as data."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:, :14]
    return KNeighborsClassifier().fit(X, y), X.iloc[:30], X.iloc[::10], y.iloc[::10]


CASES = {case.__name__: case for case in (cancer, churn, regression, four_classes, sampled)}


def dashboard_of(case, **options):
    """The dashboard of a case."""
    model, background, rows, labels = CASES[case]()
    return ExplanationDashboard(explain_model(model, background, rows), model, rows, true_labels=labels, **options)


if __name__ == "__main__":
    dashboard_of(sys.argv[1]).save(sys.argv[2])
