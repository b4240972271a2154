"""Surrogates of tables with many columns: sparse ones, and rows drawn between neighbours."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from automl_explain import DecisionTreeExplainableModel, MimicExplainer
from automl_explain.explainers.surrogate._augmentation import draw_between_neighbours
from automl_explain.explainers.tables._table import as_table
from tests.explainers.surrogate.teachers import thin


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_tables_of_several_classes(surrogate, kind):
    X = kind(thin())
    dense = X.toarray()
    y = np.digitize(dense[:, 0] - dense[:, 1] + dense[:, 2], [-0.05, 0.05])
    model = LogisticRegression(C=10).fit(X, y)
    explainer = MimicExplainer(model, X, surrogate, augment_data=False)
    explanation = explainer.explain_local(X[:6])
    assert explanation.local_importance_values.shape == (3, 6, 40)
    assert explanation.additivity_error < 1e-9
    assert set(explainer.explain_global().get_ranked_global_names(top_k=3)) == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_ten_thousand_sparse_rows_of_fifty_thousand_columns_take_less_than_a_gigabyte():
    code = """
import numpy as np
from scipy import sparse
from automl_explain import LinearExplainableModel, MimicExplainer
n, f, words = 10_000, 50_000, 50
rng = np.random.default_rng(0)
often = 1 / np.arange(1, f + 1)
columns = rng.choice(f, size=n * words, p=often / often.sum())
X = sparse.csr_matrix((rng.random(n * words), (np.repeat(np.arange(n), words), columns)), shape=(n, f))
weights = np.zeros(f)
weights[:3] = 3, 2, 1
explainer = MimicExplainer(lambda rows: rows @ weights, X, LinearExplainableModel)
explanation = explainer.explain_global(X[:500], include_local=False)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 2**20
print(peak, explainer.fidelity.r2, *explanation.get_ranked_global_names(top_k=3))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    gigabytes, r2, *names = done.stdout.split()
    assert float(gigabytes) < 1.0
    assert float(r2) > 0.8
    assert names == ["0", "1", "2"]


def test_draws_keep_the_dependence_between_columns():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 400)
    kind = np.where(np.cos(angle) > 0, "right", "left")
    frame = pd.DataFrame({"x": np.cos(angle), "y": np.sin(angle), "kind": kind, "count": rng.integers(0, 9, 400)})
    drawn = draw_between_neighbours(as_table(frame), 2000, 0).data
    assert (drawn.dtypes == frame.dtypes).all()
    assert np.abs(np.hypot(drawn["x"], drawn["y"]) - 1).max() < 0.1
    assert ((drawn["x"] > 0) == (drawn["kind"] == "right")).mean() > 0.98
    assert not drawn["x"].isin(frame["x"]).any()
    array = draw_between_neighbours(as_table(frame[["x", "y"]].to_numpy()), 2000, 0).data
    assert np.abs(np.hypot(*array.T) - 1).max() < 0.1
    assert draw_between_neighbours(as_table(thin()), 100, 0).data.nnz < 100 * 40 * 0.5


def test_sparse_draws_take_each_cell_from_one_of_two_rows():
    rng = np.random.default_rng(0)
    X = sparse.csr_array(rng.poisson(0.3, size=(200, 300)).astype(float))
    drawn = draw_between_neighbours(as_table(X), 400, 0).data
    assert isinstance(drawn, sparse.csr_array)
    dense, own = drawn.toarray(), X.toarray()
    assert set(np.unique(dense)) <= set(np.unique(own))
    assert not (dense[:, None, :] == own[None, :50, :]).all(axis=2).any()
    pairs = [(a, b) for a in range(len(own)) for b in range(len(own))]
    found = [(((dense[0] == own[a]) | (dense[0] == own[b])).all()) for a, b in pairs]
    assert any(found)


def test_draws_by_cell_leave_the_line_between_two_rows_but_not_their_box():
    X = np.random.default_rng(0).normal(size=(6, 4))
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=list("uvwxyz"), count=[1.0, 2, 3, 4, 5, 6])
    drawn = draw_between_neighbours(as_table(frame), 50, 0, by_cell=True).data
    assert (drawn.dtypes == frame.dtypes).all()
    assert set(drawn["count"]) <= set(frame["count"])
    for row in drawn.to_numpy()[:, :4].astype(float):
        boxes = [(a, b) for a in X for b in X if ((np.minimum(a, b) <= row) & (row <= np.maximum(a, b))).all()]
        assert boxes
        shares = [(row - a) / (b - a) for a, b in boxes]
        assert min(np.ptp(share) for share in shares) > 1e-3


def test_whole_numbers_stay_whole():
    X = np.column_stack([np.arange(50) % 5, np.linspace(0, 1, 50)])
    drawn = draw_between_neighbours(as_table(X), 300, 0).data
    assert set(drawn[:, 0]) <= set(X[:, 0])
    assert len(set(drawn[:, 1]) - set(X[:, 1])) > 250


def test_wide_tables_are_learnt_from_more_rows(surrogate):
    X = np.random.default_rng(0).normal(size=(60, 90))
    seen = {}

    class Watched(surrogate):
        def fit(self, X, outputs, categories):
            seen[len(seen)] = X.shape[0]
            return super().fit(X, outputs, categories)

    notes = MimicExplainer(lambda rows: rows[:, 0], X, Watched, max_num_of_augmentations=3).notes
    MimicExplainer(lambda rows: rows[:, 0], X, Watched, augment_data=False)
    MimicExplainer(lambda rows: rows[:, 0], X[:20], Watched, max_num_of_augmentations=2)
    assert seen == {0: 90, 1: 48, 2: 48}
    assert "48 rows and on 42 rows drawn between neighbouring rows" in notes[1]


def test_draws_make_the_imitation_of_a_wide_table_better():
    gaps = {True: 0.0, False: 0.0}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        mixing, weights = rng.normal(size=(3, 120)), rng.normal(size=120) / 15
        X, fresh = (rng.normal(size=(n, 3)) @ mixing for n in (60, 500))

        def teacher(rows, weights=weights):
            return np.tanh(rows @ weights) + np.tanh(rows[:, 1])

        for augment in gaps:
            tree = MimicExplainer(teacher, X, DecisionTreeExplainableModel, augment_data=augment, random_state=seed)
            gaps[augment] += np.mean((tree.model.predict(fresh)[:, 0] - teacher(fresh)) ** 2)
    assert gaps[True] < 0.8 * gaps[False]
