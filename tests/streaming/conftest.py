"""A model of numbers and categories, its scoring explainer, and rows with missing cells."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier

from automl_explain import TabularExplainer, scoring_explainer


@pytest.fixture(scope="session")
def rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(2_000, 4)), columns=["a", "b", "c", "d"])
    X.loc[::7, "a"] = np.nan
    X["state"] = pd.Categorical(rng.choice(["CA", "NY", "New Mexico"], len(X)))
    X.loc[::11, "state"] = np.nan
    return X


@pytest.fixture(scope="session")
def scorer(rows):
    y = (rows.a.fillna(0) + rows.b + (rows.state == "CA")) > 0
    return scoring_explainer(TabularExplainer(LGBMClassifier(n_estimators=10, verbose=-1).fit(rows, y), rows[:50]))


@pytest.fixture(scope="session")
def numbered(rows):
    """The rows with an id."""
    return rows.assign(id=[f"{number:05}" for number in range(len(rows))])
