"""What FLAML's learners make of the tables of a search is made once for all learners of a kind."""

import numpy as np
import pandas as pd
import pytest
from flaml.automl import model as flaml_model

from automl_explain.explainers.tables._shared_tables import SharedTables
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.readers._flaml import sharing_steps
from automl_explain.integrations.searches.flaml._kept import described
from automl_explain.integrations.searches.workers._explain_run import Allowance, RunSettings, explain_run

rng = np.random.default_rng(0)
X = pd.DataFrame({"kind": rng.choice(["a", "b", "c"], 300), "size": rng.normal(size=300)})
y = (X["size"] + (X["kind"] == "b") > 0.4).astype(int)


@pytest.fixture(scope="module")
def tables():
    engineered = X.assign(kind=X["kind"].astype("category"))
    return engineered, SharedTables([(X, engineered)])


@pytest.mark.parametrize(
    "name", ["LGBMEstimator", "XGBoostSklearnEstimator", "RandomForestEstimator", "CatBoostEstimator"]
)
def test_a_learner_prepares_a_table_once_for_all_of_its_kind(name, tables):
    (engineered, shared), cls = tables, getattr(flaml_model, name)
    own = cls(task="binary", n_estimators=2)
    first, second = (sharing_steps(cls(task="binary", n_estimators=n), shared).preprocess for n in (2, 3))
    pd.testing.assert_frame_equal(first(engineered), own.preprocess(engineered))
    assert first(engineered) is second(engineered)
    pd.testing.assert_frame_equal(first(engineered[:9]), own.preprocess(engineered[:9]))


@pytest.mark.parametrize("name", ["SGDEstimator", "KNeighborsEstimator"])
def test_a_learner_whose_preprocessing_depends_on_it_keeps_its_own(name, tables):
    wrapper = getattr(flaml_model, name)(task="binary")
    assert sharing_steps(wrapper, tables[1]) is wrapper


def test_a_users_preprocessing_is_not_shared(tables):
    class Halved(flaml_model.RandomForestEstimator):
        def _preprocess(self, rows):
            return super()._preprocess(rows) / 2

    wrapper = Halved(task="binary", n_estimators=2)
    assert sharing_steps(wrapper, tables[1]) is wrapper


def test_runs_that_share_tables_are_explained_as_alone(monkeypatch):
    compared = []

    def compare(job, runs):
        settings, allowance = RunSettings(job.tables, job.options), Allowance(60.0, True, 0.0, False)
        for run in (run for run in runs if run.kind == "trial"):
            trial = run.read.args[1]
            alone = described(trial.load(), automl, "trial")
            ours, theirs = (explain_run(model, settings, allowance) for model in (run.read(), alone))
            np.testing.assert_array_equal(ours.local_importance_values, theirs.local_importance_values)
            np.testing.assert_array_equal(ours.predictions, theirs.predictions)
            np.testing.assert_array_equal(ours.expected_values, theirs.expected_values)
            compared.append(trial.learner)
        return []

    monkeypatch.setattr("automl_explain.integrations.flaml.explain_runs", compare)
    automl = AutoML(model_explainability=True)
    automl.fit(X, y, task="classification", max_iter=6, estimator_list=["rf", "xgboost"], verbose=0, seed=1)
    assert len(compared) == 6
