"""What a search teaches: figures against their definitions, units that compare, and every way to see it."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from automl_explain import (
    Explanation,
    FeatureMap,
    InvalidInputError,
    RunHistory,
    SearchExplanation,
    plot_importance_history,
    plot_search_importance,
    write_report,
)
from automl_explain.analysis._interchangeable import find_interchangeable
from automl_explain.analysis._near_best import within_noise
from automl_explain.cli import main
from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations.sklearn_search import ExplainingScorer

NAMES = ("age", "pay", "town", "noise")


def explanation(importance, **changes):
    """Values whose mean absolute ones are the importance given."""
    values = np.array([1.0, -1.0])[:, None] * np.asarray(importance, dtype=float)
    fields = {"features": NAMES, "output_space": "response", "method": "tree", "reason": "its trees"} | changes
    return Explanation(values, np.zeros(1), classes=None, **fields)


def recorded(importances, losses, learners=None, parts=None, **changes):
    history = RunHistory()
    search = history.start_search("own", "regression", {"metric": "rmse"})
    row = {"config": {}, "metric": "rmse", "kind": "trial", "status": "captured", "why": "", "sample_size": None}
    learners = learners or ["lgbm"] * len(losses)
    ids = history.add_runs(search, [
        row | {"number": i, "loss": loss, "learner": learner, "part_losses": parts[i] if parts else ()}
        for i, (loss, learner) in enumerate(zip(losses, learners, strict=True))
    ])  # fmt: skip
    for run_id, importance in zip(ids, importances, strict=True):
        if importance is not None:
            history.store(
                run_id, importance if isinstance(importance, Explanation) else explanation(importance, **changes)
            )
    return history.runs(search)


RNG = np.random.default_rng(0)
MANY = RNG.dirichlet([4, 3, 2, 0.5], 12)
LOSSES = np.linspace(1.0, 1.3, 12)


def test_the_figures_are_those_of_their_definitions():
    taught = SearchExplanation.from_runs(recorded(MANY, LOSSES), tolerance=0.1, top_k=2)
    good = LOSSES <= 1.1
    np.testing.assert_array_equal(taught.near_best, good)
    table = taught.importance.loc[list(NAMES)]
    np.testing.assert_allclose(table["mean"], MANY[good].mean(axis=0))
    np.testing.assert_allclose(table["low"], MANY[good].min(axis=0))
    np.testing.assert_allclose(table["high"], MANY[good].max(axis=0))
    in_top = [[j in np.argsort(-row)[:2] for j in range(4)] for row in MANY[good]]
    np.testing.assert_allclose(table["in_top"], np.mean(in_top, axis=0))
    np.testing.assert_allclose(table["with_loss"], [spearmanr(MANY[:, j], LOSSES)[0] for j in range(4)])
    pairs = [spearmanr(a, b)[0] for i, a in enumerate(MANY[good]) for b in MANY[good][i + 1 :]]
    assert taught.agreement == pytest.approx(np.mean(pairs))
    assert taught.importance["mean"].is_monotonic_decreasing
    assert taught.best.number == 0


def test_runs_in_different_units_compare():
    scaled = [explanation(row * scale) for row, scale in zip(MANY, np.geomspace(1e-6, 1e6, 12), strict=True)]
    taught = SearchExplanation.from_runs(recorded(scaled, LOSSES))
    np.testing.assert_allclose(taught.shares, MANY)


def test_near_best_is_what_the_folds_cannot_tell_from_the_best():
    noise = np.array([0.3, -0.2, 0.1, -0.2, 0.0])
    parts = [
        1.0 + noise,  # the best
        1.05 + noise,  # worse by the same in each fold: not near-best, though within 5 %
        1.1 + noise[::-1],  # worse by no more than the folds differ
        1.2 + noise + 0.01 * noise[::-1],
        [],  # not known
    ]
    losses = [float(np.mean(part)) if len(part) else 1.0 for part in parts]
    losses[4] = 1.001
    runs = recorded(MANY[:5], losses, parts=[tuple(part) for part in parts])
    assert runs[0].history.part_losses(runs[0].search)[runs[0].id] == tuple(parts[0])
    taught = SearchExplanation.from_runs(runs)
    gaps = parts[2] - parts[0]
    assert gaps.mean() <= gaps.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    assert taught.near_best.tolist() == [True, False, True, False, False]
    assert "within one standard error, over folds or validation rows, of the lowest" in taught.sentences()[0]
    assert taught.as_dict()["tolerance"] is None
    assert SearchExplanation.from_runs(runs, tolerance=0.06).near_best.tolist() == [True, True, False, False, True]


def test_unknown_noise_is_said():
    taught = SearchExplanation.from_runs(recorded(MANY[:3], [1.0, 1.04, 1.2]))
    assert taught.near_best.tolist() == [True, False, False]
    first, *others = taught.sentences()
    assert first.startswith("The lowest loss of 3 runs is 1 (")
    assert "The noise of the losses is not known, so no other run is called near-best" in first
    assert not any("near-best" in sentence for sentence in others)
    found = taught.as_dict()
    assert (found["noise_known"], found["tolerance"]) == (False, None)


def test_folds_of_a_grid_search_are_known(tmp_path):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    scorer = ExplainingScorer("r2", X, history=tmp_path)
    search = GridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 50]}, scoring=scorer, cv=3).fit(X, y)
    taught = SearchExplanation.from_runs(scorer.explain(search))
    splits = np.array([search.cv_results_[f"split{fold}_test_score"] for fold in range(3)])
    np.testing.assert_allclose(taught.part_losses, -splits.T)
    assert taught.near_best.tolist() == within_noise((-splits.T).tolist(), search.best_index_).tolist()


def with_columns(importances, columns):
    table = as_table(columns)
    signs = np.resize([1.0, -1.0], len(table))[:, None]
    return [
        Explanation(signs * row, np.zeros(1), tuple(columns.columns), None, "response", "tree", "its trees", data=table)
        for row in importances
    ]


def columns_of(rng, *, alike):
    columns = pd.DataFrame(rng.normal(size=(300, 4)), columns=NAMES)
    return columns.assign(town=columns["pay"] + 0.1 * columns["town"]) if alike else columns


def traded(rng, n_runs):
    """Importances of runs in which pay and town share 0.4 as they like."""
    first = rng.uniform(0.05, 0.35, n_runs)
    return np.column_stack([np.full(n_runs, 0.5), first, 0.4 - first, np.full(n_runs, 0.1)])


def test_needed_and_interchangeable_features_are_found():
    rng = np.random.default_rng(0)
    runs = recorded(with_columns(traded(rng, 12), columns_of(rng, alike=True)), [1.0] * 12)
    taught = SearchExplanation.from_runs(runs, tolerance=0.05, top_k=1)
    assert taught.needed == ("age",)
    assert taught.interchangeable == (("pay", "town"),)
    said = " ".join(taught.sentences())
    assert "“pay” and “town” are interchangeable" in said
    assert "Every near-best run has “age”" in said


def test_columns_that_are_independent_are_never_interchangeable():
    rng = np.random.default_rng(0)
    runs = recorded(with_columns(traded(rng, 12), columns_of(rng, alike=False)), [1.0] * 12)
    assert SearchExplanation.from_runs(runs, tolerance=0.05).interchangeable == ()


@pytest.mark.parametrize("n_runs", [4, 7])
def test_few_runs_say_nothing_of_interchangeable_features(n_runs):
    rng = np.random.default_rng(0)
    runs = recorded(with_columns(traded(rng, n_runs), columns_of(rng, alike=True)), [1.0] * n_runs)
    assert SearchExplanation.from_runs(runs, tolerance=0.05).interchangeable == ()


def test_unknown_columns_say_nothing_of_interchangeable_features():
    runs = recorded(traded(np.random.default_rng(0), 12), [1.0] * 12)
    assert SearchExplanation.from_runs(runs, tolerance=0.05).interchangeable == ()


@pytest.mark.parametrize("n_learners", [1, 2])
@pytest.mark.parametrize("n_features", [3, 4, pytest.param(10, marks=pytest.mark.slow)])
def test_features_used_independently_are_named_as_often_as_the_level_says(n_features, n_learners):
    columns = np.random.default_rng(5).normal(size=(100, 1)) + np.zeros(n_features)
    table, named = as_table(columns), 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        learners = [f"learner {i % n_learners}" for i in range(16)]
        shares = rng.gamma(3.0, size=(16, n_features))
        shares[::2, :2] *= [1.0, 4.0] if n_learners == 2 else 1.0  # learners differ, which is no sign of a replacement
        named += bool(find_interchangeable(shares / shares.sum(axis=1, keepdims=True), learners, table))
    assert named <= 8, "5 % of 60 are 3, and more than 8 have a probability below 0.4 %"


def test_two_features_alone_are_not_interchangeable_because_shares_add_up():
    rng = np.random.default_rng(0)
    first = rng.uniform(0.1, 0.9, 20)
    columns = as_table(np.repeat(rng.normal(size=(50, 1)), 2, axis=1))
    assert find_interchangeable(np.column_stack([first, 1 - first]), ["lgbm"] * 20, columns) == []


def test_learners_and_the_loss_are_spoken_of():
    importances = [[0.8 - 0.02 * i, 0.2, 0.0, 0.0] for i in range(5)] + [
        [0.1, 0.2, 0.7 - 0.02 * i, 0.0] for i in range(5)
    ]
    losses = [1 + 0.01 * i for i in range(10)]
    taught = SearchExplanation.from_runs(recorded(importances, losses, ["lgbm"] * 5 + ["rf"] * 5))
    assert list(taught.learners.index) == ["lgbm", "rf"]
    assert taught.learners.loc["lgbm", "runs"] == 5
    assert taught.learners.loc["rf", "loss"] == pytest.approx(1.05)
    said = " ".join(taught.sentences())
    assert "The better a run, the more it relies on “age”" in said
    assert "Learners differ most in" in said


def test_columns_that_differ_are_compared_as_raw_ones():
    maps = [FeatureMap(("age", "town"), np.array([0, 1, 1])), FeatureMap(("age", "town"), np.array([0, 1]))]
    first = explanation([1.0, 1.0, 2.0], features=("age", "town_a", "town_b"), feature_map=maps[0])
    second = explanation([1.0, 1.0], features=("age", "town_a"), feature_map=maps[1])
    other = explanation([1.0, 2.0], features=("height", "width"), is_raw=True)
    taught = SearchExplanation.from_runs(recorded([first, second, other], [1.0, 1.1, 1.2]))
    assert taught.features == ("age", "town")
    np.testing.assert_allclose(taught.shares, [[0.25, 0.75], [0.5, 0.5]])
    assert "columns are not those" in taught.left_out[0][1]
    assert "could not be compared" in taught.sentences()[-1]


def test_negative_losses_and_a_loss_of_zero():
    taught = SearchExplanation.from_runs(recorded(MANY[:3], [-0.9, -0.88, -0.5]), tolerance=0.05)
    assert taught.near_best.tolist() == [True, True, False]
    taught = SearchExplanation.from_runs(recorded(MANY[:3], [0.0, 0.1, 0.0]), tolerance=0.05)
    assert taught.near_best.tolist() == [True, False, True]


def test_a_run_whose_file_is_gone_is_left_out_and_said():
    runs = recorded(MANY, LOSSES)
    history = runs[0].history
    for path in (history.directory / "explanations").glob(f"{runs[1].id}-*"):
        path.unlink()
    taught = SearchExplanation.from_runs(runs)
    assert len(taught.runs) == 11
    assert taught.left_out[0][0] == runs[1].id


def test_features_that_no_run_uses_and_a_single_run():
    taught = SearchExplanation.from_runs(recorded([[0.0, 0.0, 0.0, 0.0]], [1.0]), tolerance=0.05)
    assert taught.needed == ()
    assert np.isnan(taught.agreement)
    assert taught.sentences()[0].startswith("1 of 1 run is near-best")
    json.dumps(taught.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"tolerance": -1}, "'tolerance'"), ({"tolerance": "wide"}, "'tolerance'"), ({"top_k": 0}, "top_k")],
)
def test_options_that_cannot_work(settings, words):
    with pytest.raises(InvalidInputError, match=words):
        SearchExplanation.from_runs(recorded(MANY[:3], LOSSES[:3]), **settings)


def test_runs_that_do_not_compare_are_refused():
    with pytest.raises(InvalidInputError, match="one search"):
        SearchExplanation.from_runs([*recorded(MANY[:1], [1.0]), *recorded(MANY[:1], [1.0])])
    with pytest.raises(InvalidInputError, match="None of the 2 runs"):
        SearchExplanation.from_runs(recorded([None, None], [1.0, 2.0]))


def test_the_plots_show_the_figures():
    taught = SearchExplanation.from_runs(recorded(MANY, LOSSES), tolerance=0.1)
    ax = plot_search_importance(taught, top_k=3)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(taught.importance.index[:3])
    np.testing.assert_allclose(ax.collections[-1].get_offsets()[:, 0], taught.importance["mean"][:3])
    ax = plot_importance_history(taught.runs, top_k=2)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(taught.importance.index[:2])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.full(12, taught.shares[0, 0]))
    plt.close("all")


def test_report_notebook_and_command_line_show_it(tmp_path, capsys):
    runs = recorded(MANY, LOSSES)
    report = write_report(tmp_path / "report.html", runs).read_text(encoding="utf-8")
    assert 'id="search"' in report
    assert 'href="#search"' in report
    assert "near-best" in report
    assert "“age”" in SearchExplanation.from_runs(runs, tolerance=0.05)._repr_html_()
    assert main(["runs", "--insight", "--json", "--tolerance", "0.1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["search"] == runs[0].search
    assert len(found["near_best"]) == int((LOSSES <= 1.1).sum())
    assert main(["runs", "--insight", "--search", runs[0].search]) == 0
    out = capsys.readouterr().out
    assert "near-best" in out
    assert "in top 5" in out
    few = write_report(tmp_path / "few.html", recorded(MANY[:2], LOSSES[:2])).read_text(encoding="utf-8")
    assert 'id="search"' not in few
