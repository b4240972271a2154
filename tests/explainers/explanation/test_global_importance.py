import time
import tracemalloc

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import binom
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from automl_explain import (
    ColumnMismatchError,
    Explanation,
    InvalidInputError,
    PFIExplainer,
    TabularExplainer,
    plot_global_importance,
)
from automl_explain.explainers.compiled._bootstrap import draw_counts


def explained(values, **more):
    values = np.asarray(values, float)
    classes = None if values.ndim == 2 else tuple(range(len(values)))
    fields = {"features": tuple("abcdefghij")[: values.shape[-1]], **more}
    return Explanation(
        values, np.zeros(1 if classes is None else len(values)), classes=classes, output_space="response", method="tree",
        reason="by hand", **fields,
    )  # fmt: skip


def random_values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * np.arange(1, shape[-1] + 1)


@pytest.mark.parametrize("shape", [(40, 3), (2, 40, 3), (4, 40, 3)], ids=["regression", "binary", "multiclass"])
def test_without_weights_the_values_are_those_of_the_explanation(shape):
    explanation = explained(random_values(*shape))
    found = explanation.global_importance()
    np.testing.assert_allclose(found.values, explanation.global_importance_values)
    if len(shape) == 3:
        np.testing.assert_allclose(found.class_values, explanation.per_class_values)
        assert (found.class_low < found.class_values).all()
        assert (found.class_values < found.class_high).all()
    else:
        assert found.class_values is found.class_low is found.class_high is None
    assert (found.low < found.values).all()
    assert (found.values < found.high).all()
    assert found.to_frame(top_k=2).index.tolist() == explanation.get_ranked_global_names(top_k=2)


def test_whole_weights_are_repeated_rows_and_rows_of_no_weight_do_not_count():
    values, weights = random_values(3, 30, 4), np.random.default_rng(1).integers(0, 4, 30)
    weighted = explained(values).global_importance(weights)
    repeated = explained(np.repeat(values, weights, axis=1))
    np.testing.assert_allclose(weighted.values, repeated.global_importance_values)
    np.testing.assert_allclose(weighted.class_values, repeated.per_class_values)
    values[:, weights == 0] = 1e9
    np.testing.assert_allclose(explained(values).global_importance(weights).high, weighted.high)


def test_intervals_hold_the_truth_as_often_as_they_say():
    truth, inside, rng = np.sqrt(2 / np.pi), [], np.random.default_rng(0)
    for seed in range(200):
        found = explained(rng.normal(size=(80, 1))).global_importance(
            confidence=0.9, n_resamples=300, random_state=seed
        )
        inside.append(found.low[0] <= truth <= found.high[0])
    assert 0.82 < np.mean(inside) < 0.96


@pytest.mark.parametrize("block_rows", [1024, 50, 16, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_intervals_are_those_of_resampled_tables(block_rows, weighted, monkeypatch):
    monkeypatch.setattr("automl_explain.explainers.explanation._global_importance.BLOCK_ROWS", block_rows)
    values = random_values(50, 2)
    weights = np.random.default_rng(5).uniform(0.2, 3.0, 50) if weighted else np.ones(50)
    found = explained(values).global_importance(weights, confidence=0.8, n_resamples=4000)
    rng = np.random.default_rng(9)
    drawn = [rng.integers(50, size=50) for _ in range(4000)]
    means = [np.average(np.abs(values[rows]), axis=0, weights=weights[rows]) for rows in drawn]
    np.testing.assert_allclose([found.low, found.high], np.quantile(means, [0.1, 0.9], axis=0), rtol=0.03)


@pytest.mark.parametrize("n_rows", [1, 7, 1024])
def test_counts_are_those_of_draws_with_replacement(n_rows):
    """Each row has the mean, the variance and the share of zeros of a binomial count, and a resample draws what it should."""
    n_resamples, n_draws = 20_000, 2 * n_rows
    counts = np.empty((n_resamples, n_rows))
    states = np.random.default_rng(0).integers(2**64, size=n_resamples, dtype=np.uint64)
    draw_counts(np.full(n_resamples, n_draws), states, counts)
    np.testing.assert_array_equal(counts.sum(axis=1), n_draws)
    expected = binom(n_draws, 1 / n_rows)
    assert counts.mean(axis=0) == pytest.approx(expected.mean(), abs=6 * expected.std() / np.sqrt(n_resamples))
    assert counts.var() == pytest.approx(expected.var(), rel=0.02, abs=1e-12)
    for count in range(4):
        assert (counts == count).mean() == pytest.approx(expected.pmf(count), abs=0.01)
    if n_rows > 1:
        assert abs(np.corrcoef(counts[:-1, 0], counts[1:, 0])[0, 1]) < 0.05


def test_many_rows_take_seconds_and_bounded_memory():
    n_rows = 300_000
    explanation = explained(random_values(n_rows, 4))
    explanation.global_importance(n_resamples=2)  # compiles
    tracemalloc.start()
    started = time.process_time()
    found = explanation.global_importance()
    seconds, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    table = 8 * n_rows * 4
    assert peak < 3 * table + 2**25
    assert seconds < 20
    values = np.abs(explanation.local_importance_values)
    error = values.std(axis=0) / np.sqrt(n_rows)
    np.testing.assert_allclose(found.high - found.low, 2 * 1.96 * error, rtol=0.12)


def test_one_row_has_an_interval_of_no_width_and_a_seed_gives_the_same():
    found = explained(random_values(1, 3)).global_importance()
    np.testing.assert_allclose(found.low, found.high)
    many = explained(random_values(30, 3))
    np.testing.assert_array_equal(many.global_importance().low, many.global_importance().low)
    assert not np.array_equal(many.global_importance().low, many.global_importance(random_state=1).low)


@pytest.mark.parametrize("shape", [(20, 6), (3, 20, 6)], ids=["regression", "multiclass"])
def test_the_first_of_a_ranking_are_the_beginning_of_the_whole_and_ties_keep_their_order(shape):
    values = np.round(random_values(*shape))
    values[..., 4] = values[..., 2]
    explanation = explained(values)
    names = explanation.get_ranked_global_names()
    assert names.index("c") + 1 == names.index("e")
    for top_k in range(1, 8):  # none is refused
        assert explanation.get_ranked_global_names(top_k) == names[:top_k]
        assert list(explanation.get_feature_importance_dict(top_k)) == names[:top_k]
        for ranked in (
            "global_values",
            "local_names",
            "local_values",
            *(["per_class_names"] if len(shape) == 3 else []),
        ):
            get = getattr(explanation, f"get_ranked_{ranked}")
            np.testing.assert_array_equal(get(top_k), get()[..., :top_k])


def test_agreement_is_ndcg_by_its_definition():
    own, reference = explained(random_values(20, 5)), explained(random_values(20, 5, seed=4)[:, ::-1])
    gains = reference.global_importance_values
    for top_k in (None, 2):
        discount = 1 / np.log2(np.arange(2, 7))
        discount[top_k or 5 :] = 0
        order, ideal = np.argsort(-own.global_importance_values), np.argsort(-gains)
        wanted = (gains[order] * discount).sum() / (gains[ideal] * discount).sum()
        np.testing.assert_allclose(own.validate_against(reference, top_k), wanted)
    assert own.validate_against(own) == 1.0
    assert own.validate_against(reference) < 1.0
    turned = explained(own.local_importance_values[:, ::-1], features=own.features[::-1])
    assert turned.validate_against(own) == 1.0
    assert explained(np.ones((3, 1))).validate_against(explained(np.ones((3, 1)))) == 1.0


def test_explainers_that_should_agree_do():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X, model = X.iloc[:, :8], RandomForestClassifier(20, max_depth=4, random_state=0)
    model.fit(X, y)
    shapley = TabularExplainer(model, X).explain_global(X)
    assert PFIExplainer(model, metric="neg_log_loss").explain_global(X, true_labels=y).validate_against(shapley) > 0.9
    model_of_noise = LogisticRegression(max_iter=5000).fit(X, np.random.default_rng(0).integers(0, 2, len(X)))
    noise = TabularExplainer(model_of_noise, X).explain_global(X)
    assert noise.validate_against(shapley) < shapley.validate_against(shapley)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sample_weight": np.ones(3)}, "each of the 20 rows"),
        ({"sample_weight": -np.ones(20)}, "non-negative"),
        ({"sample_weight": np.zeros(20)}, "not all 0"),
        ({"confidence": 95}, "between 0 and 1"),
        ({"n_resamples": 0}, "1 or more"),
        ({"sample_weight": ["a"] * 20}, "a number for each row"),
        ({"confidence": 0.9, "random_state": -1}, "'random_state' parameter"),
    ],
)
def test_bad_parameters_are_one_error(settings, words):
    with pytest.raises(InvalidInputError, match=words):
        explained(random_values(20, 2)).global_importance(**settings)


def test_what_cannot_be_compared_or_resampled_is_refused():
    own = explained(random_values(20, 2))
    alone = Explanation(None, np.zeros(1), None, None, "response", "tree", "why", global_values=np.array([1.0, 2.0]))
    with pytest.raises(InvalidInputError, match="include_local=True"):
        alone.global_importance()
    assert own.validate_against(alone) == 1.0
    with pytest.raises(ColumnMismatchError, match="Got 2 features and 3"):
        own.validate_against(explained(random_values(20, 3)))
    with pytest.raises(ColumnMismatchError, match="does not explain"):
        own.validate_against(explained(random_values(20, 2), features=("a", "z")))
    with pytest.raises(InvalidInputError, match="All importances of the reference are 0"):
        own.validate_against(explained(np.zeros((2, 2))))
    with pytest.raises(InvalidInputError, match="'top_k'"):
        own.validate_against(own, 0)


@pytest.mark.parametrize("class_", [None, 1])
def test_a_plot_draws_the_intervals(class_):
    explanation = explained(random_values(3, 40, 4))
    figure, ax = plt.subplots()
    plot_global_importance(explanation, ax=ax, class_=class_, confidence=0.9)
    found = explanation.global_importance(confidence=0.9)
    low, high = (found.low, found.high) if class_ is None else (found.class_low[1], found.class_high[1])
    order = np.argsort(-(found.values if class_ is None else found.class_values[1]))
    drawn = [[segment[0][0], segment[1][0]] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(drawn, np.column_stack([low, high])[order])
    assert "90% interval" in ax.get_xlabel()
    with pytest.raises(InvalidInputError, match="Pass either 'confidence' or stacked=True"):
        plot_global_importance(explanation, ax=ax, stacked=True, confidence=0.9)
    plt.close(figure)
