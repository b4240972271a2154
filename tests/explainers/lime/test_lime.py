"""LIME against an independent implementation by scikit-learn's Ridge, on the same samples."""

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from automl_explain import Explanation, InvalidInputError, LIMEExplainer, plot_local
from automl_explain.explainers.lime._perturbation import make_bins

PERCENTILES = {"quartile": [25, 50, 75], "decile": list(range(10, 100, 10))}
N, SAMPLES = 200, 400


def rows(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 5)) * [1, 10, 0.1, 3, 1]
    X[:, 4] = rng.integers(0, 3, N)
    return X


def target(X, task):
    score = X[:, 0] + X[:, 1] / 10 * X[:, 3] + (X[:, 4] == 1)
    return score if task == "regression" else np.digitize(score, [0] if task == "binary" else [-1, 1])


MODELS = {
    "binary": (lightgbm.LGBMClassifier(n_estimators=15, verbose=-1, n_jobs=1), "predict_proba"),
    "multiclass": (RandomForestClassifier(10, random_state=0), "predict_proba"),
    "regression": (RandomForestRegressor(10, random_state=0), "predict"),
}
MODES = {
    "quartile": {"discretizer": "quartile"},
    "decile": {"discretizer": "decile"},
    "continuous": {"discretizer": None},
    "around": {"discretizer": None, "sample_around_instance": True},
    "categorical": {"discretizer": None, "categorical_features": [4]},
}


def samples_of(explainer, row, around):
    """Return the cells that the explainer draws around a row."""
    drawn = explainer._hood.draw(SAMPLES - 1, np.random.default_rng(0))
    return (drawn.table_around(explainer._hood.encode(row)[0]) if around else drawn.table()).data


def reference(training, row, cells, predict, mode):
    """Return weights, intercept and weighted R2 per output, computed from the cells."""
    both = np.vstack([row, cells])
    percentiles = PERCENTILES.get(mode)
    design = np.empty_like(both)
    for j in range(both.shape[1]):
        if percentiles:
            edges = np.unique(np.percentile(training[:, j], percentiles))
            bins = np.searchsorted(edges, both[:, j])
            design[:, j] = bins == bins[0]
        elif mode == "categorical" and j == 4:
            design[:, j] = both[:, j] == both[0, j]
        else:
            design[:, j] = (both[:, j] - training[:, j].mean()) / training[:, j].std()
    distance = np.sqrt(((design - design[0]) ** 2).sum(axis=1))
    width = np.sqrt(both.shape[1]) * 0.75
    weights = np.sqrt(np.exp(-(distance**2) / width**2))
    outputs = np.asarray(predict(both)).reshape(len(both), -1)
    fits = []
    for column in outputs.T:
        model = Ridge(alpha=1.0).fit(design, column, sample_weight=weights)
        fits.append((model.coef_, model.intercept_, r2_score(column, model.predict(design), sample_weight=weights)))
    return [np.array(part) for part in zip(*fits, strict=True)], outputs


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("task", MODELS)
def test_the_weights_are_those_of_a_ridge_regression_on_the_same_samples(task, mode):
    training = rows()
    model, method = MODELS[task]
    model.fit(training, target(training, task))
    explainer = LIMEExplainer(model, training, nsamples=SAMPLES, **MODES[mode])
    X = rows(1)[:6]
    explanation = explainer.explain_local(X)
    values = np.atleast_3d(explanation.local_importance_values.T).T  # (C, n, f)
    assert values.shape == ({"binary": 2, "multiclass": 3, "regression": 1}[task], 6, 5)
    expected = []
    for i in range(len(X)):
        cells = samples_of(explainer, as_row(X, i, explainer), mode == "around")
        (weights, intercepts, fidelity), outputs = reference(training, X[i], cells, getattr(model, method), mode)
        np.testing.assert_allclose(values[:, i], weights, rtol=0, atol=1e-8)
        np.testing.assert_allclose(np.atleast_2d(explanation.intercepts)[:, i], intercepts, rtol=0, atol=1e-8)
        np.testing.assert_allclose(np.atleast_2d(explanation.local_fidelity)[:, i], fidelity, rtol=0, atol=1e-8)
        np.testing.assert_allclose(explanation.predictions[i], outputs[0])
        expected.append(outputs[1:].mean(axis=0))
    np.testing.assert_allclose(explanation.expected_values, np.mean(expected, axis=0))


def as_row(X, i, explainer):
    return type(explainer._explained.background)(X[i : i + 1])


def test_drawn_cells_follow_the_training_data():
    training = rows()
    for discretizer in ("quartile", None):
        hood = LIMEExplainer(LinearRegression().fit(training, training[:, 0]), training, discretizer=discretizer)._hood
        cells = hood.draw(20_000, np.random.default_rng(0)).table().data
        np.testing.assert_allclose(cells.mean(axis=0), training.mean(axis=0), atol=0.03 * training.std(axis=0).max())
        # within the outer bins a normal distribution cut off at the ends is wider than the cells it stands for
        np.testing.assert_allclose(cells.std(axis=0), training.std(axis=0), rtol=0.1 if discretizer else 0.03)
        if discretizer:
            assert (cells >= training.min(axis=0)).all()
            assert (cells <= training.max(axis=0)).all()
            for j in range(4):
                edges = np.percentile(training[:, j], [25, 50, 75])
                share = np.bincount(np.searchsorted(edges, cells[:, j]), minlength=4) / len(cells)
                np.testing.assert_allclose(share, 0.25, atol=0.015)


def test_a_linear_model_is_found_again():
    training = rows()
    model = LinearRegression().fit(training, training @ [1.0, 0.1, -2.0, 0.0, 0.5])
    explanation = LIMEExplainer(model, training, discretizer=None).explain_local(training[:5])
    np.testing.assert_allclose(
        explanation.local_importance_values / training.std(axis=0), [[1, 0.1, -2, 0, 0.5]] * 5, atol=0.02
    )
    assert explanation.local_fidelity.min() > 0.999
    assert explanation.output_space == "response"


def test_classes_stand_in_the_model_s_order_and_all_features_have_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 12))
    y = np.array(["a", "b", "c"])[X[:, :3].argmax(axis=1)]
    model = LogisticRegression().fit(X, y)
    top = np.argsort(-model.predict_proba(X), axis=0)[0]
    explanation = LIMEExplainer(model, X, classes=["A", "B", "C"], nsamples=2000).explain_local(X[top])
    assert explanation.classes == ("A", "B", "C")
    for k in range(3):
        assert np.argmax(explanation.local_importance_values[k, k]) == k
    assert (explanation.local_importance_values != 0).all()
    two = LIMEExplainer(LogisticRegression().fit(X, X[:, 0] > 0), X, nsamples=500).explain_local(X[np.argmax(X[:, 0])])
    np.testing.assert_allclose(two.local_importance_values[0], -two.local_importance_values[1], atol=1e-12)
    assert two.classes == (False, True)
    assert two.local_importance_values[1, 0, 0] > 0.1


def test_iris_is_told_apart_by_its_petals():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), SVC(random_state=0)).fit(X, y)
    explanation = LIMEExplainer(model, X, output="margin", nsamples=1000).explain_global(X)
    assert set(explanation.get_ranked_global_names(2)) == {"petal length (cm)", "petal width (cm)"}
    assert explanation.is_raw


def frame():
    table = pd.DataFrame(rows()[:, :4], columns=list("abcd"))
    table["kind"] = pd.Categorical.from_codes(rows()[:, 4].astype(int), ["x", "y", "z"])
    table.loc[::9, "b"] = np.nan
    return table


def test_frames_keep_categories_and_missing_cells_have_a_bin_of_their_own():
    table = frame()
    y = (table["kind"] == "y") * 3.0 + table["b"].isna() * 2.0
    model = lightgbm.LGBMRegressor(n_estimators=40, min_child_samples=5, verbose=-1, n_jobs=1).fit(table, y)
    explainer = LIMEExplainer(model, table, nsamples=1500)
    missing = table[table["b"].isna() & (table["kind"] == "y")].iloc[:2]
    explanation = explainer.explain_local(missing)
    assert set(explanation.get_ranked_local_names(top_k=2)[0]) == {"kind", "b"}
    assert (explanation.local_importance_values[:, [1, 4]] > 0.5).all()
    turned = explainer.explain_local(missing[list(table)[::-1]])
    np.testing.assert_array_equal(turned.local_importance_values, explanation.local_importance_values)
    one = explainer.explain_local(missing.iloc[0])
    np.testing.assert_allclose(one.local_importance_values, explanation.local_importance_values[:1])


def test_the_same_seed_gives_the_same_and_the_global_state_is_left_alone():
    training = rows()
    model = MODELS["binary"][0].fit(training, target(training, "binary"))
    before = np.random.get_state()[1].copy()
    first, again, other = (
        LIMEExplainer(model, training, nsamples=100, random_state=seed).explain_local(training[:3])
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.testing.assert_array_equal(first.local_importance_values, again.local_importance_values)
    assert not np.array_equal(first.local_importance_values, other.local_importance_values)


def test_samples_are_predicted_once_for_all_rows():
    asked = []

    def function(X):
        asked.append(len(X))
        return X[:, 0]

    training = rows()
    explainer = LIMEExplainer(function, training, nsamples=300)
    asked.clear()
    explainer.explain_local(training[:50])
    assert sorted(asked) == [50, 299]


def test_a_constant_model_is_fitted_perfectly_by_no_weights():
    training = rows()
    explanation = LIMEExplainer(lambda X: np.full(len(X), 0.1), training, nsamples=50).explain_local(training[:3])
    np.testing.assert_allclose(explanation.local_importance_values, 0, atol=1e-14)
    np.testing.assert_array_equal(explanation.local_fidelity, 1.0)


def test_bins_of_a_column_with_few_values_hold_them():
    bins = make_bins(np.array([1.0] * 90 + [2.0] * 10), [25, 50, 75])
    drawn = bins.draw(np.repeat([0, 1, 2], 5), np.random.default_rng(0))
    np.testing.assert_allclose(drawn[:10], np.repeat([1.0, 2.0], 5), atol=1e-9)
    assert np.isnan(drawn[10:]).all()
    np.testing.assert_array_equal(bins.find(np.array([0.0, 1.0, 1.5, 9.0, np.nan])), [0, 0, 1, 1, 2])


def test_an_explanation_can_be_kept_and_cut_and_says_how_well_it_fits(tmp_path):
    training = rows()
    model = MODELS["multiclass"][0].fit(training, target(training, "multiclass"))
    made = LIMEExplainer(model, training, nsamples=100).explain_local(training[:7])
    made.save(tmp_path / "one")
    read = Explanation.load(tmp_path / "one")
    np.testing.assert_array_equal(read.local_fidelity, made.local_fidelity)
    np.testing.assert_array_equal(read[2:4].intercepts, made.intercepts[:, 2:4])
    assert made.additivity_error is None
    assert "weighted R2" in made._repr_html_()
    with pytest.raises(InvalidInputError, match="do not add up"):
        plot_local(made)
    plt.close("all")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"discretizer": "entropy"}, r"one of \['decile', 'quartile'\]"),
        ({"nsamples": 1}, "2 or more"),
        ({"kernel_width": 0.0}, "above 0"),
        ({"kernel_width": "a"}, "above 0"),
        ({"discretizer": []}, "must be one of"),
        ({"random_state": -1}, "'random_state' parameter"),
        ({"sample_around_instance": True}, "needs discretizer=None"),
        ({"categorical_features": ["ago"]}, "Got 'ago'"),
        ({"features": ["a"]}, "must name 5 features"),
        ({"classes": ["a"]}, "must name 2 classes"),
        ({"output": "log"}, "'output' parameter"),
    ],
)
def test_bad_parameters_are_one_error(settings, words):
    training = rows()
    model = MODELS["binary"][0].fit(training, target(training, "binary"))
    with pytest.raises(InvalidInputError, match=words):
        LIMEExplainer(model, training, **settings)


def test_sparse_and_missing_cells_are_refused_where_they_have_no_meaning():
    training = rows()
    model = MODELS["binary"][0].fit(training, target(training, "binary"))
    with pytest.raises(InvalidInputError, match="cannot take a sparse initialization_examples"):
        LIMEExplainer(model, sparse.csr_matrix(training))
    with pytest.raises(InvalidInputError, match="cannot take a sparse X"):
        LIMEExplainer(model, training).explain_local(sparse.csr_matrix(training))
    holed = training.copy()
    holed[3, 1] = np.nan
    with pytest.raises(InvalidInputError, match="Column 1 of X has missing cells"):
        LIMEExplainer(model, training, discretizer=None).explain_local(holed)
    assert np.isfinite(LIMEExplainer(model, training).explain_local(holed).local_importance_values).all()


def test_values_that_the_model_refuses_are_bad_input():
    X = np.random.default_rng(0).normal(size=(40, 2))
    explainer = LIMEExplainer(LinearRegression().fit(X, X[:, 0]), X, nsamples=50)
    with pytest.raises(InvalidInputError, match="cannot take the values of X: Input X contains NaN"):
        explainer.explain_local(np.array([[np.nan, 0.0]]))


@pytest.mark.parametrize("discretizer", ["quartile", "decile", None])
def test_samples_are_drawn_from_the_rows_of_weight(discretizer):
    rng = np.random.default_rng(0)
    training = np.vstack([rng.normal(0.0, size=(50, 3)), rng.normal(100.0, size=(50, 3))])
    training = np.column_stack([training, np.repeat([1.0, 2.0], 50)])
    weights = np.repeat([1.0, 0.0], 50)
    settings = {"discretizer": discretizer, "categorical_features": [3], "nsamples": 500}
    seen = []
    LIMEExplainer(lambda rows: seen.append(rows) or rows[:, 0], training, weights=weights, **settings).explain_local(
        training[:2]
    )
    drawn = seen[-1]
    assert len(drawn) == 499
    assert np.abs(drawn[:, :3]).max() < 10.0
    assert set(drawn[:, 3]) == {1.0}


def test_a_bin_of_weighted_cells_is_that_of_cells_that_are_there_so_often():
    cells, weights = np.array([1.0, 2.0, 3.0, 10.0, np.nan]), np.array([1.0, 3.0, 2.0, 2.0, 4.0])
    repeated = np.repeat(cells, weights.astype(int))
    bins = make_bins(cells, [25, 50, 75], weights)
    known = repeated[~np.isnan(repeated)]
    np.testing.assert_array_equal(bins.edges, np.unique(np.percentile(known, [25, 50, 75], method="inverted_cdf")))
    parts = [known[bins.find(known) == b] for b in range(len(bins.low))]
    np.testing.assert_allclose(bins.mean, [part.mean() if len(part) else 0.0 for part in parts])
    np.testing.assert_allclose(bins.spread, [part.std() if len(part) else 0.0 for part in parts], atol=1e-9)
