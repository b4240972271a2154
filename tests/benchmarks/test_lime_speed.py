"""LIME beside the lime package: ``pytest -m benchmark -n 0 -s tests/benchmarks/test_lime_speed.py``, where lime is installed."""

import statistics
import time

import lightgbm
import numpy as np
import pytest
from sklearn.datasets import make_classification

from automl_explain import LIMEExplainer
from automl_explain.explainers.tables._table import Table

lime_tabular = pytest.importorskip("lime.lime_tabular")
N_ROWS, N_COLUMNS, N_SAMPLES, TURNS = 100, 20, 5000, 3


@pytest.fixture(scope="module")
def case():
    X, y = make_classification(3000, N_COLUMNS, n_informative=10, random_state=0)
    return lightgbm.LGBMClassifier(verbose=-1, n_jobs=2).fit(X, y), X


def weights_of(explanation):
    weights = np.zeros(N_COLUMNS)
    for feature, weight in explanation.local_exp[1]:
        weights[feature] = weight
    return weights


def explain_each(peer, model, rows):
    return [
        peer.explain_instance(row, model.predict_proba, num_features=N_COLUMNS, num_samples=N_SAMPLES) for row in rows
    ]


@pytest.mark.benchmark
@pytest.mark.parametrize("discretizer", ["quartile", None])
def test_rows_are_explained_sooner(case, discretizer):
    model, X = case
    explainer = LIMEExplainer(model, X, discretizer=discretizer, nsamples=N_SAMPLES)
    peer = lime_tabular.LimeTabularExplainer(X, discretize_continuous=discretizer is not None, random_state=0)
    own, other = [], []
    for _ in range(TURNS):
        started = time.perf_counter()
        explainer.explain_local(X[:N_ROWS])
        own.append(time.perf_counter() - started)
        started = time.perf_counter()
        explain_each(peer, model, X[:N_ROWS])
        other.append(time.perf_counter() - started)
    ratio = statistics.median(other) / statistics.median(own)
    print(
        f"\n{discretizer}: {statistics.median(own):.3f} s, lime {statistics.median(other):.2f} s: {ratio:.0f} times as fast"
    )
    assert ratio >= 5


@pytest.mark.benchmark
@pytest.mark.parametrize("discretizer", ["quartile", None])
def test_the_same_samples_give_the_same_weights(case, discretizer, monkeypatch):
    model, X = case
    explainer = LIMEExplainer(model, X, discretizer=discretizer, nsamples=N_SAMPLES)
    values = explainer.explain_local(X[:10]).local_importance_values[1]
    drawn = explainer._hood.draw(N_SAMPLES - 1, np.random.default_rng(0))
    seen = explainer._hood.encode(Table(X[:10]))
    peer = lime_tabular.LimeTabularExplainer(X, discretize_continuous=discretizer is not None)
    for i in range(10):
        cells = np.vstack([X[i], drawn.table().data])
        data = cells if discretizer is None else drawn.inputs_for(seen[i])
        monkeypatch.setattr(peer, "_LimeTabularExplainer__data_inverse", lambda row, n, d=data, c=cells: (d, c))
        theirs = weights_of(explain_each(peer, model, X[i : i + 1])[0])
        np.testing.assert_allclose(values[i], theirs, rtol=0, atol=1e-8)
