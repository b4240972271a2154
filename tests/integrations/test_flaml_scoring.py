"""The scoring explainers that a FLAML search keeps take the rows that the user has, and predict what FLAML does."""

import json

import numpy as np
import pandas as pd
import pytest

from automl_explain import ExplanationNotFoundError, TabularExplainer, TreeScoringExplainer, scoring_explainer
from automl_explain.integrations.flaml import AutoML

RANDOM = np.random.default_rng(0)
PEOPLE = pd.DataFrame(
    {
        "age": RANDOM.integers(18, 80, 300),
        "income": RANDOM.normal(50, 10, 300),
        "town": RANDOM.choice(["a", "b", "c"], 300),
        "always": 1,
        "grade": pd.Categorical(RANDOM.choice(["high", "low"], 300)),
    }
)
PEOPLE.loc[::9, "income"] = np.nan
PEOPLE.loc[::13, "town"] = None
BOUGHT = np.where(PEOPLE["age"] + 5 * (PEOPLE["town"] == "a") > 50, "yes", "no")
SEARCH = {"task": "classification", "max_iter": 3, "time_budget": 30, "verbose": 0, "seed": 0}
VALID = {"X_val": PEOPLE[220:], "y_val": BOUGHT[220:]}


def searched(history, **settings):
    automl = AutoML(model_explainability=True, history=history)
    automl.fit(PEOPLE[:220], BOUGHT[:220], **{**SEARCH, **VALID, **settings})
    return automl


@pytest.mark.parametrize("learner", ["lgbm", "rf"])
def test_the_best_run_is_kept_over_the_user_s_columns(learner, tmp_path):
    automl = searched(tmp_path, estimator_list=[learner])
    scorer = scoring_explainer(automl.best_run)
    assert scorer.features == tuple(PEOPLE.columns)
    rows = PEOPLE[220:]
    labels = [scorer.classes[k] for k in scorer.predict(rows).argmax(axis=1)]
    assert labels == automl.predict(rows).tolist()
    full = TabularExplainer(automl, PEOPLE[:220], feature_space="raw")
    made = scoring_explainer(full).explain_local(rows[:10])
    assert np.allclose(
        made.local_importance_values, full.explain_local(rows[:10]).local_importance_values, rtol=0, atol=1e-12
    )
    assert scorer.explain({"age": 30, "income": None, "town": "b", "always": 1, "grade": "low"})[1].shape == (1, 5)
    assert scoring_explainer(automl).fingerprint == scoring_explainer(automl.final_run).fingerprint


def test_parts_of_dates_are_data(tmp_path):
    days = pd.Timestamp("2020-02-29T22:10:05") + pd.to_timedelta(RANDOM.integers(0, 900 * 86400, 300), "s")
    people = PEOPLE.assign(since=days, year_since=RANDOM.integers(0, 5, 300))  # a column with the name of a part
    people.loc[::11, "since"] = pd.NaT
    bought = np.where(days.hour + people["age"] / 10 > 16, "yes", "no")
    automl = AutoML(model_explainability=True, history=tmp_path)
    automl.fit(people[:220], bought[:220], X_val=people[220:], y_val=bought[220:], estimator_list=["lgbm"], **SEARCH)
    scorer, rows = scoring_explainer(automl.best_run), people[220:]
    assert type(scorer) is TreeScoringExplainer
    assert [scorer.classes[k] for k in scorer.predict(rows).argmax(axis=1)] == automl.predict(rows).tolist()
    full = TabularExplainer(automl, people[:220], feature_space="raw")
    wanted = full.explain_local(rows[:10]).local_importance_values
    records = json.loads(rows[:10].to_json(orient="records", date_format="iso", double_precision=15))
    for given in (rows[:10], records):
        assert np.allclose(np.stack(scoring_explainer(full).explain(given)), wanted, rtol=0, atol=1e-12)


def test_a_search_that_keeps_none_says_so(tmp_path):
    automl = searched(tmp_path, estimator_list=["lgbm"], explainability_options={"keep_scoring": False})
    assert not (tmp_path / "scoring").exists()
    with pytest.raises(ExplanationNotFoundError, match="has no scoring explainer"):
        scoring_explainer(automl.best_run)
