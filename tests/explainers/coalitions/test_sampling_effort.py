"""The number of coalitions evaluated for a tolerance, a time budget and a maximum number of evaluations."""

import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor

from automl_explain import FittedModel, InvalidInputError, KernelExplainer, Linear, SamplingOptions, TabularExplainer
from automl_explain.explainers.coalitions.sampling import _adaptive_sampling, _announcement
from automl_explain.explainers.methods import _kernel
from automl_explain.explainers.model._fitted_model import Composite
from tests.hand_clock import HandClock

X, Y = make_classification(600, 14, n_informative=10, random_state=0)
TARGET = X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3] * X[:, 4] + X[:, 5]


@pytest.fixture(scope="module")
def model():
    """A model of which only predictions are known."""
    return (
        MLPRegressor(hidden_layer_sizes=(20,), max_iter=60, random_state=0, early_stopping=True).fit(X, TARGET).predict
    )


def values(model, *, random_state=0, **options):
    explainer = KernelExplainer(
        model, X[:20], sampling=SamplingOptions(**options), random_state=random_state, progress=False
    )
    return explainer.explain_local(X[-3:])


@pytest.fixture(scope="module")
def exact(model):
    explanation = values(model, nsamples=2**14)
    assert explanation.standard_errors is None
    return explanation.local_importance_values


def test_a_tolerance_is_met_and_a_smaller_one_gives_smaller_errors(model, exact):
    gaps = []
    for tolerance in (0.05, 0.005):
        explanation = values(model, tolerance=tolerance)
        assert explanation.standard_errors.max() <= tolerance
        assert any("standard error" in note for note in explanation.notes)
        gaps.append(np.sqrt(np.mean((explanation.local_importance_values - exact) ** 2)))
        assert gaps[-1] <= 2 * tolerance
    assert gaps[1] < gaps[0]


def test_a_tolerance_out_of_reach_is_said(model):
    explanation = values(model, tolerance=1e-9, max_evaluations=3 * 20 * 600)
    assert explanation.standard_errors.max() > 1e-9
    assert any("above the tolerance 1e-09: raise max_evaluations" in note for note in explanation.notes)


def test_the_smallest_tolerance_ends_with_all_coalitions(model, exact):
    explanation = values(model, tolerance=1e-12)
    np.testing.assert_allclose(explanation.local_importance_values, exact, atol=1e-9)


def test_a_time_budget_returns_the_best_values_so_far(model, exact, monkeypatch):
    clock = HandClock()
    monkeypatch.setattr(_adaptive_sampling, "time", clock)

    def predict(rows):
        clock.move(2e-6 * len(rows))
        return model(rows)

    explainer = KernelExplainer(predict, X[:20], sampling=SamplingOptions(time_budget=1.0), progress=False)
    started = clock.now
    explanation = explainer.explain_local(X[-3:])
    assert 0.5 < clock.now - started <= 1.01, (
        "the next stage, which takes as long as those before, would not have fitted"
    )
    assert explanation.additivity_error < 1e-9
    assert np.abs(explanation.local_importance_values - exact).max() < 0.3
    assert any("coalitions each after" in note for note in explanation.notes)


def test_stages_give_the_values_of_one_look(model):
    staged = values(model, time_budget=1e6, nsamples=2048)
    at_once = values(model, nsamples=2048)
    np.testing.assert_allclose(staged.local_importance_values, at_once.local_importance_values, atol=1e-10)
    np.testing.assert_allclose(staged.standard_errors, at_once.standard_errors, atol=1e-10)


def test_blocks_of_rows_do_not_change_values(model):
    explainer = KernelExplainer(model, X[:20], sampling=SamplingOptions(nsamples=300), progress=False)
    together = explainer.explain_local(X[:9]).local_importance_values
    alone = np.vstack([explainer.explain_local(X[i : i + 1]).local_importance_values for i in range(9)])
    np.testing.assert_allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize("name", ["nsamples", "max_evaluations", "background_size", "tolerance", "time_budget"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), "many", True])
def test_an_effort_that_is_no_positive_number_is_refused(model, name, value):
    with pytest.raises(InvalidInputError, match=f"'{name}' parameter must be .* Got"):
        SamplingOptions(**{name: value})


@pytest.mark.parametrize("seed", [-1, 0.5, None, True])
def test_a_seed_that_is_none_is_refused(model, seed):
    with pytest.raises(InvalidInputError, match="'random_state' parameter must be an integer"):
        KernelExplainer(model, X[:20], random_state=seed)


def test_the_standard_errors_of_the_fewest_coalitions_are_not_too_small(model, exact):
    gaps, errors = [], []
    for seed in range(8):
        explanation = values(model, nsamples=28, random_state=seed)
        gaps.append(explanation.local_importance_values - exact)
        errors.append(explanation.standard_errors)
    assert np.sqrt(np.mean(np.square(gaps))) <= 1.6 * np.sqrt(np.mean(np.square(errors)))


def test_a_final_booster_predicts_from_its_trees_what_the_library_predicts():
    lightgbm = pytest.importorskip("lightgbm")
    members = [("b", lightgbm.LGBMClassifier(n_estimators=10, verbose=-1)), ("l", LogisticRegression())]
    final = lightgbm.LGBMClassifier(n_estimators=10, num_leaves=7, verbose=-1)
    columns = X[:, :8]
    stack = StackingClassifier(members, final, cv=2, passthrough=True).fit(columns, Y)
    ours = TabularExplainer(
        stack, columns[:30], sampling=SamplingOptions(background_size=30), progress=False
    ).explain_local(columns[-2:])
    by_library = KernelExplainer(
        lambda rows: stack.predict_proba(rows), columns[:30], sampling=SamplingOptions(nsamples=256), progress=False
    )
    theirs = by_library.explain_local(columns[-2:])
    assert ours.method == "ensemble"
    np.testing.assert_allclose(ours.local_importance_values, theirs.local_importance_values, atol=1e-10)


def test_no_more_outputs_than_allowed_are_computed_in_stages():
    seen = []

    def predict(rows):
        seen.append(len(rows))
        return rows[:, 0] * rows[:, 1] * rows[:, 2] + np.tanh(rows).sum(axis=1) ** 3

    rows = X[:, :11]
    explainer = KernelExplainer(
        predict, rows[:8], sampling=SamplingOptions(tolerance=1e-15, max_evaluations=8 * 2**11), progress=False
    )
    seen.clear()
    explanation = explainer.explain_local(rows[-1:])
    assert explanation.standard_errors is None
    assert sum(seen) <= 8 * 2**11 + 8 + 8, "the rows and the background themselves are no mixed rows"


def test_a_large_design_is_made_once_for_all_rows(monkeypatch):
    made = []
    make = _kernel.make_design
    monkeypatch.setattr(_kernel, "make_design", lambda *given: made.append(given) or make(*given))
    monkeypatch.setattr(_kernel, "CELLS_AT_ONCE", 1)
    KernelExplainer(
        lambda rows: rows.prod(axis=1), X[:5], sampling=SamplingOptions(nsamples=300), progress=False
    ).explain_local(X[-4:])
    assert len(made) == 1


def test_notes_speak_of_the_rows_that_are_sampled():
    few = X[:5].copy()
    few[:, 2:] = 0.0
    settings = {"sampling": SamplingOptions(tolerance=1e-12, nsamples=300), "progress": False}
    explainer = KernelExplainer(lambda rows: np.exp(rows[:, :6].sum(axis=1) / 6), few, **settings)
    explanation = explainer.explain_local(np.vstack([few[:2], X[-1:]]))
    assert np.array_equal(explanation.standard_errors.any(axis=1), [False, False, True])
    assert any(
        note.startswith("300 coalitions") and "raise max_evaluations or nsamples" in note for note in explanation.notes
    )


@pytest.mark.slow
def test_many_players_are_no_reason_for_a_warning():
    wide = np.random.default_rng(0).normal(size=(6, 1500))
    explainer = KernelExplainer(lambda rows: rows[:, 0], wide[:4], sampling=SamplingOptions(nsamples=1), progress=False)
    assert explainer.explain_local(wide[5:]).standard_errors is not None


def test_progress_is_counted_to_its_end(model, monkeypatch):
    bars = []

    @contextmanager
    def bar(total, *_):
        bars.append([total, 0])
        yield lambda n: bars[-1].__setitem__(1, bars[-1][1] + n)

    monkeypatch.setattr(_kernel, "progress_bar", bar)
    for background, rows in ((X[:1], X[:1]), (X[:1], X[:1] + np.eye(14)[:1]), (X[:3], X[-2:])):
        KernelExplainer(model, background, sampling=SamplingOptions(nsamples=300), progress=True).explain_local(rows)
        total, done = bars[-1]
        assert total * 0.98 <= done <= total


@pytest.mark.parametrize(
    ("options", "said"), [({"nsamples": 200}, "tolerance="), ({}, None), ({"nsamples": 2**14}, "exact")]
)
def test_a_long_computation_is_announced_with_what_would_make_it_shorter(monkeypatch, caplog, options, said):
    clock, n_columns = HandClock(), 10 if said == "exact" else 14
    for module in (_adaptive_sampling, _announcement):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(_kernel, "CELLS_AT_ONCE", 1)
    seconds = 2e-3 if said else 1e-9

    def predict(rows):
        clock.move(seconds * len(rows))
        return np.tanh(rows).prod(axis=1) + rows[:, 0]

    rows = X[:, :n_columns]
    explainer = KernelExplainer(predict, rows[:20], sampling=SamplingOptions(**options), progress=False)
    started, announced = clock.now, []
    caplog.handler.addFilter(lambda record: announced.append(clock.now - started) or True)
    with caplog.at_level("WARNING", logger="automl_explain"):
        explanation = explainer.explain_local(rows[-12:])
    took = clock.now - started
    if said is None:
        assert not caplog.records
    else:
        assert caplog.records[0].message in explanation.notes
        assert "explaining 12 rows is expected to take" in explanation.notes[-1]
        assert announced[0] < 0.05 * took
        expected = float(explanation.notes[-1].split("expected to take ")[1].split(" s.")[0])
        assert expected == pytest.approx(took, rel=0.2)
        assert said in explanation.notes[-1]


@pytest.mark.parametrize("options", [{}, {"nsamples": 600}])
def test_the_time_of_a_structure_is_announced_within_a_factor_of_two(monkeypatch, caplog, options):
    """Values of all coalitions, and of a sample of them; a walk takes many times as long per output as either."""
    processor = SimpleNamespace(monotonic=time.process_time)  # other work on the machine does not count
    for module in (_adaptive_sampling, _announcement):
        monkeypatch.setattr(module, "time", processor)
    monkeypatch.setattr(_announcement, "LONG", 0.25)
    forest = RandomForestClassifier(20, max_leaf_nodes=60, random_state=0)
    stack = StackingClassifier([("forest", forest)], RandomForestClassifier(20, random_state=0), passthrough=True, cv=2)
    table = X[:, :11]
    explainer = TabularExplainer(stack.fit(table, Y), table[:50], sampling=SamplingOptions(**options), progress=False)
    rows = np.tile(table[-60:], (3, 1))
    quick = explainer.explain_local(rows[:2])
    started = time.process_time()
    with caplog.at_level("WARNING", logger="automl_explain"):
        explanation = explainer.explain_local(rows)
    took = time.process_time() - started
    said = float(explanation.notes[-1].split("expected to take ")[1].split(" s.")[0])
    assert caplog.records[0].message == explanation.notes[-1]
    assert (took - 1.0) / 2 < said < 2 * took + 0.5, (said, took)  # announced in whole seconds
    assert (explanation.standard_errors is None) == (not options)
    np.testing.assert_allclose(explanation.local_importance_values[:, :2], quick.local_importance_values, atol=1e-12)


def test_a_member_that_has_to_predict_masked_rows_limits_the_effort():
    """Its structure is that of its margins. It enters with shares of which nothing but predictions is known."""
    coef, n_predicted = np.random.default_rng(0).normal(size=(1, 14)), []

    def share(table):
        n_predicted.append(len(table))
        margin = np.asarray(table) @ coef[0]
        second = 0.5 + np.arctan(margin) / np.pi
        return np.column_stack([1.0 - second, second])

    margins = {"margin": lambda table: np.asarray(table) @ coef.T * [-1.0, 1.0], "probability": share}
    member = FittedModel(margins, "margin", "binary", Linear(coef, np.zeros(1)), classes=(0, 1), n_features=14)
    structure = Composite(((member, "probability"),), lambda outputs, rows: outputs[:, 1:] ** 2, False, "a square")
    outputs = {"response": lambda table: share(table)[:, 1:] ** 2}
    square = FittedModel(outputs, "response", "regression", structure, n_features=14)
    explanation = TabularExplainer(square, X[:20], progress=False).explain_local(X[-3:])
    assert explanation.standard_errors.max() > 0.0
    assert sum(n_predicted) < 3 * 20 * 2**12
    everything = SamplingOptions(nsamples=2**14)
    exact = TabularExplainer(square, X[:20], sampling=everything, progress=False).explain_local(X[-3:])
    assert exact.standard_errors is None
    gaps = np.abs(explanation.local_importance_values - exact.local_importance_values)
    assert gaps.max() < 5.0 * explanation.standard_errors.max()
