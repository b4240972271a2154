"""The plan of a queue: what each run may take, and what is said of those that cannot be afforded."""

import math

import numpy as np
import pytest
from lightgbm import LGBMRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor

from automl_explain.explainers.model._registry import describe
from automl_explain.integrations.planning import _plan
from automl_explain.integrations.planning._plan import Plan, expected_seconds
from automl_explain.integrations.searches._captured_run import CapturedRun
from tests.hand_clock import HandClock


@pytest.fixture
def clock(monkeypatch):
    clock = HandClock()
    monkeypatch.setattr(_plan, "time", clock)
    return clock


def queue(*learners, nbytes=0):
    return [CapturedRun(number, learner, {}, 0.1, "loss", nbytes=nbytes) for number, learner in enumerate(learners)]


def test_runs_of_which_nothing_is_known_get_a_share_of_the_time_that_is_left(clock):
    runs = queue("knn", "svc")
    plan = Plan(runs, 10.0, 1)
    assert plan.start(runs[0]) == pytest.approx(4.0)
    assert plan.expected(runs[0]) == math.inf
    clock.move(5.0)
    assert plan.start(runs[1]) == pytest.approx(1.0)


def test_the_fewest_rows_of_all_runs_come_before_more_rows_of_any(clock):
    runs = queue("knn", "knn", "knn", "knn")
    plan = Plan(runs, 10.0, 1)
    plan.start(runs[0])
    clock.move(1.0)
    plan.finish(runs[0], 1.0, whole=20.0, least=2.0)  # 2 s for the fewest rows, 20 s for all
    assert plan.expected(runs[1]) == pytest.approx(20.0)
    assert plan.start(runs[1]) == pytest.approx(2.0 + (9.0 - 6.0) / 3)
    clock.move(3.0)
    plan.finish(runs[1], 3.0, whole=20 / 3, least=2 / 3)
    assert plan.start(runs[2]) == pytest.approx(3.0)


def test_a_run_may_take_no_more_than_is_left_however_many_threads_there_are(clock):
    runs = queue("knn", "knn")
    plan = Plan(runs, 1.0, 16)
    plan.start(runs[0])
    plan.finish(runs[0], 0.1, whole=1000.0, least=1.0)
    assert plan.start(runs[1]) == pytest.approx(1.0)


def test_models_are_compared_by_their_size(clock):
    small, large = queue("rf", "rf", nbytes=100)
    large.nbytes = 1000
    plan = Plan([small, large], 10.0, 1)
    plan.start(small)
    plan.finish(small, 0.5, whole=1.0, least=1.0)
    assert plan.expected(large) == pytest.approx(5.0)


def test_a_skipped_run_says_how_much_time_all_runs_need(clock):
    runs = queue("rf", "rf", "svc", "svc")
    plan = Plan(runs, 2.0, 2)
    plan.start(runs[0])
    clock.move(3.0)
    plan.finish(runs[0], 3.0, whole=1.0, least=1.0)
    assert plan.start(runs[1]) == 0.0
    why = plan.why_skipped()
    assert "takes about 6 s, and there were 2 s. Set ExplainabilityOptions(time_budget=8)" in why
    clock.move(100.0)
    assert plan.start(runs[2]) == 0.0
    assert plan.why_skipped() == why  # the same for all runs, so that they are shown together


def test_compiling_is_not_charged_to_the_time_for_explanations(clock, monkeypatch):
    compiled = [5.0]
    monkeypatch.setattr(_plan, "seconds_compiled", lambda: compiled[0])
    runs = queue("rf", "rf")
    plan = Plan(runs, 10.0, 1)
    plan.start(runs[0])
    compiled[0] += 13.0
    clock.move(14.0)
    plan.finish(runs[0], 1.0, whole=1.0, least=1.0)
    assert 0.0 < plan.start(runs[1]) <= 9.0


def test_a_run_whose_whole_time_was_compiling_leaves_time_for_the_next(clock, monkeypatch):
    compiled = [0.0]
    monkeypatch.setattr(_plan, "seconds_compiled", lambda: compiled[0])
    runs = queue("lgbm", "lgbm")
    plan = Plan(runs, 10.0, 1)
    plan.start(runs[0])
    compiled[0] += 2.5  # a bit more than the clock, since another thread waited for the compiler too
    clock.move(2.0)
    plan.finish(runs[0], 0.0, whole=1.0, least=1.0)
    assert plan.expected(runs[1]) == math.inf
    assert plan.start(runs[1]) == pytest.approx(0.2 * 10.5)


def test_short_runs_are_not_held_to_the_milliseconds_of_the_run_before(clock):
    runs = queue("tree", "tree", "tree")
    plan = Plan(runs, 10.0, 1)
    plan.start(runs[0])
    clock.move(0.005)
    plan.finish(runs[0], 0.005, whole=1.0, least=1.0)
    assert plan.start(runs[1]) == pytest.approx(_plan.SHORTEST)
    clock.move(9.97)
    assert plan.start(runs[2]) == pytest.approx(0.025)  # and no more than is left


def test_the_best_trial_and_final_models_are_explained_whatever_the_time(clock):
    runs = queue("rf", "rf", "rf")
    runs[0].kind = "refit"
    plan = Plan(runs, 1.0, 1)
    assert [plan.must(run) for run in runs] == [True, True, False]


def test_counts_bound_what_structures_take():
    X = np.random.default_rng(0).normal(size=(500, 4))
    y = X[:, 0] + X[:, 1] * X[:, 2]
    small, large = (describe(LGBMRegressor(n_estimators=n, verbose=-1).fit(X, y)).structure for n in (10, 100))
    assert 0.0 < expected_seconds(small, 100, 100) < expected_seconds(large, 100, 100)
    assert expected_seconds(large, 200, 200) == pytest.approx(2 * expected_seconds(large, 100, 100))
    assert expected_seconds(describe(Ridge().fit(X, y)).structure, 10**6, 10**6) == 0.0
    assert expected_seconds(describe(KNeighborsRegressor().fit(X, y)).structure, 1, 1) == math.inf
