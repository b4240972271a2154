"""Models to serve: numbers and categories, a regression and a classification."""

from functools import cache

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from automl_explain import scoring_explainer
from automl_explain.search.engines._preprocessing import for_trees
from automl_explain.service.models._bundle_model import BundleModel


def table(n_rows=300):
    """Rows in which an age is always known."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(n_rows, 3))
    numbers[rng.random((n_rows, 3)) < 0.05] = np.nan
    made = pd.DataFrame(numbers, columns=["age", "income", "debt ratio"])
    made["town"] = pd.Categorical(rng.choice(["Aarhus", "Bonn", "Český"], n_rows), ["Aarhus", "Bonn", "Český"])
    made["age"] = made["age"].fillna(0.0)
    return made


@cache
def fitted():
    """A classifier that reads raw columns and has no rule for a missing age."""
    X = table()
    y = np.where(X["age"] + (X["town"] == "Bonn") > 0.3, "yes", "no")
    prepare = ColumnTransformer(
        [
            ("age", "passthrough", ["age"]),
            ("rest", SimpleImputer(), ["income", "debt ratio"]),
            ("town", OneHotEncoder(), ["town"]),
        ]
    )
    return make_pipeline(prepare, GradientBoostingClassifier(n_estimators=20, random_state=0)).fit(X, y)


def classifier():
    return BundleModel(scoring_explainer(fitted(), table()))


@cache
def _prices():
    X = table()
    y = X["age"] * 2 + X["income"].fillna(1.0) * (X["town"] == "Bonn")
    return LGBMRegressor(n_estimators=20, num_leaves=7, min_child_samples=5, verbose=-1, n_jobs=1).fit(X, y)


def regressor():
    return BundleModel(scoring_explainer(_prices(), table()))


def dated(n_rows=300):
    """The rows with dates, with and without a time zone."""
    rng = np.random.default_rng(1)
    since = pd.Timestamp("2020-02-29T08:30:00.25") + pd.to_timedelta(rng.integers(0, 900, n_rows), "D")
    seen = pd.Timestamp("2024-01-31", tz="UTC") + pd.to_timedelta(rng.integers(0, 900, n_rows), "h")
    return table(n_rows).assign(since=pd.Series(since).where(rng.random(n_rows) > 0.1), seen=seen)


def visits():
    """A model of two targets that reads dates."""
    X = dated()
    y = np.column_stack([X["age"] * 2, (X["since"].dt.year.fillna(2020) - 2020) + X["seen"].dt.day / 10])
    model = for_trees(X, RandomForestRegressor(n_estimators=5, max_depth=5, random_state=0)).fit(X, y)
    return BundleModel(scoring_explainer(model, X))


def records(X):
    """Return rows as JSON has them."""
    made = X.to_dict("records")
    return [
        {k: None if v != v else v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in made
    ]
