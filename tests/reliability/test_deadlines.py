"""Searches over models that are slow to explain: the best run and the final model are explained, and soon."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier

from automl_explain.integrations.sklearn_search import ExplainingScorer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
N_CLASSES = 10_000


def wide(n_columns):
    return *make_classification(300, n_columns, n_informative=20, random_state=0), 2


def many_classes():
    labels = np.arange(2 * N_CLASSES) % N_CLASSES
    rows = np.random.default_rng(0).normal(size=(len(labels), 4))
    return rows, labels, [(np.arange(len(labels) - 500), np.arange(len(labels) - 500, len(labels)))]


@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
@pytest.mark.parametrize(
    "data",
    [lambda: wide(1_500), lambda: wide(10_000), many_classes],
    ids=("1,500 columns", "10,000 columns", "10,000 classes"),
)
def test_what_must_be_explained_is_explained_before_it_would_be_left_behind(data, tmp_path):
    X, y, folds = data()
    options = {"time_budget": 2.0, "keep_scoring": False}
    scorer = ExplainingScorer("accuracy", X[:200], history=tmp_path, explainability_options=options)
    runs = scorer.explain(
        GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [3, 5]}, scoring=scorer, cv=folds).fit(X, y)
    )
    assert scorer.best_run.status == scorer.final_run.status == "explained"
    assert all("did not answer" not in run.why for run in runs)
    assert np.isfinite(scorer.final_run.explanation.local_importance_values).all()
