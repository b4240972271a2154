"""The outputs of a stack's final trees for coalitions, against the final estimator's predictions of masked rows."""

from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from catboost import CatBoostClassifier
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeRegressor

import automl_explain  # noqa: F401 registers the readers
from automl_explain.explainers.coalitions import _stacked_trees as _final_trees
from automl_explain.explainers.coalitions._linked_members import linked
from automl_explain.explainers.coalitions._masked_rows import MixedRows
from automl_explain.explainers.coalitions._masker import Masker
from automl_explain.explainers.coalitions._stacked_trees import FinalTrees
from automl_explain.explainers.coalitions._value_functions import evaluator
from automl_explain.explainers.coalitions.sampling._walks import cuts_of, draw_walks
from automl_explain.explainers.model._final_estimator import FinalModel
from automl_explain.explainers.model._fitted_model import Composite
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import as_table

QUIET = {"n_estimators": 12, "verbose": -1, "n_jobs": 1}
CLASSIFIERS = {
    "lightgbm": lightgbm.LGBMClassifier(**QUIET, num_leaves=15),
    "lightgbm, over 64 leaves": lightgbm.LGBMClassifier(**QUIET, num_leaves=150, min_child_samples=1),
    "lightgbm, over 64 trees": lightgbm.LGBMClassifier(n_estimators=90, num_leaves=4, verbose=-1, n_jobs=1),
    "xgboost": xgboost.XGBClassifier(n_estimators=12, max_depth=4, n_jobs=1),
    "catboost": CatBoostClassifier(iterations=12, depth=4, verbose=0, thread_count=1, allow_writing_files=False),
    "forest": RandomForestClassifier(12, random_state=0),
    "gradient boosting": GradientBoostingClassifier(n_estimators=8),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=8),
}
REGRESSORS = {
    "lightgbm": lightgbm.LGBMRegressor(**QUIET),
    "xgboost": xgboost.XGBRegressor(n_estimators=12, max_depth=9, n_jobs=1),
    "extra trees": ExtraTreesRegressor(8, random_state=0),
    "one tree": DecisionTreeRegressor(random_state=0),
    "a stump": DecisionTreeRegressor(max_depth=1),
    "histogram boosting": HistGradientBoostingRegressor(max_iter=8),
}


def classification(final, n_classes, passthrough):
    X, y = make_classification(300, 6, n_informative=5, n_redundant=0, n_classes=n_classes, random_state=0)
    members = [("logistic", LogisticRegression()), ("bayes", GaussianNB())]
    return StackingClassifier(members, final, cv=2, passthrough=passthrough).fit(X, y), X


def regression(final, passthrough):
    X, y = make_regression(300, 6, noise=5.0, random_state=0)
    members = [("ridge", Ridge()), ("trees", DecisionTreeRegressor(max_leaf_nodes=20, random_state=0))]
    return StackingRegressor(members, final, cv=2, passthrough=passthrough).fit(X, y), X


def stacks():
    for passthrough in (True, False):
        for name, final in CLASSIFIERS.items():
            for n_classes in (2, 3):
                yield pytest.param(
                    (classification, final, n_classes, passthrough), id=f"{name}-{n_classes}-{passthrough}"
                )
        for name, final in REGRESSORS.items():
            yield pytest.param((regression, final, passthrough), id=f"{name}-regression-{passthrough}")


def by_mixing(model, rows, background, coalitions, players):
    """Return the predictions of the stack itself for every masked row."""
    asked = MixedRows.of_coalitions(rows, len(background), coalitions)
    row, other, present = asked.present(np.arange(len(asked)))
    mixed = Masker(rows, background).mix(row, other, present[:, players])
    return model.predict(mixed).reshape(len(rows), len(background), len(coalitions), -1)


def outputs_of(model, background, players, rows, coalitions):
    """Return the outputs of every masked row, (n, B, m, K)."""
    found = evaluator(linked(model, background), background, players)
    outputs = found.every_output(found.outputs(MixedRows.of_coalitions(rows, len(background), coalitions)))
    return outputs.T.reshape(len(rows), len(background), len(coalitions), -1)


def check_walks(model, rows, background, players, atol):
    """Compare the outputs of walks with the stack's predictions, for some of the background rows."""
    others, n_players = range(3, 9), players.max() + 1
    walks = draw_walks(n_players, others, range(2), cuts_of(n_players), 0)
    asked = MixedRows.of_walks(rows, others, walks)
    row, other, present = asked.present(np.arange(len(asked)))
    mixed = Masker(rows, background).mix(row, other, present[:, players])
    found = evaluator(linked(model, background), background, players)
    outputs = found.every_output(found.outputs(asked)).T
    np.testing.assert_allclose(outputs, model.predict(mixed).reshape(outputs.shape), rtol=1e-6, atol=atol)


def coalitions_of(n_players, n=40):
    drawn = np.random.default_rng(0).random((n, n_players)) < 0.5
    return np.vstack([np.zeros(n_players, bool), np.ones(n_players, bool), drawn])


@pytest.fixture
def fresh(monkeypatch):
    """Count how often the final estimator predicts masked rows, except those used for comparison."""
    calls = []
    called = FinalModel.__call__
    monkeypatch.setattr(FinalModel, "__call__", lambda *given: calls.append(1) or called(*given))
    return calls


@pytest.mark.parametrize("stack", list(stacks()))
def test_outputs_are_those_of_the_mixed_rows(stack, fresh):
    make, *given = stack
    fitted, X = make(*given)
    model, players = describe(fitted), np.arange(6)
    rows, background, coalitions = as_table(X[:3]), as_table(X[50:70]), coalitions_of(6)
    outputs = outputs_of(model, background, players, rows, coalitions)
    np.testing.assert_allclose(outputs, by_mixing(model, rows, background, coalitions, players), rtol=1e-6, atol=2e-6)
    check_walks(model, rows, background, players, 2e-6)
    assert not fresh


def test_columns_of_one_player_join_and_leave_together():
    fitted, X = classification(CLASSIFIERS["lightgbm"], 2, True)
    model, players = describe(fitted), np.array([0, 1, 1, 2, 0, 2])
    rows, background, coalitions = as_table(X[:2]), as_table(X[50:60]), coalitions_of(3, 8)
    outputs = outputs_of(model, background, players, rows, coalitions)
    np.testing.assert_allclose(outputs, by_mixing(model, rows, background, coalitions, players), atol=1e-12)
    check_walks(model, rows, background, players, 1e-12)


def test_more_players_than_are_joined_at_once_and_missing_values_passed_through():
    X, y = make_classification(300, 15, n_informative=12, n_redundant=0, random_state=1)
    X[::7, 3] = np.nan
    members = [("a", HistGradientBoostingClassifier(max_iter=5)), ("b", lightgbm.LGBMClassifier(**QUIET))]
    fitted = StackingClassifier(members, lightgbm.LGBMClassifier(**QUIET), cv=2, passthrough=True).fit(X, y)
    model, players = describe(fitted), np.arange(15)
    rows, background, coalitions = as_table(X[:3]), as_table(X[49:60]), coalitions_of(15)
    outputs = outputs_of(model, background, players, rows, coalitions)
    np.testing.assert_allclose(outputs, by_mixing(model, rows, background, coalitions, players), atol=1e-12)
    check_walks(model, rows, background, players, 1e-12)


def test_frames_are_read_as_the_stack_reads_them():
    fitted, X = classification(CLASSIFIERS["xgboost"], 2, True)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    fitted.fit(frame, fitted.predict(X))
    model, players = describe(fitted), np.arange(6)
    rows, background, coalitions = as_table(frame[:3]), as_table(frame[50:60]), coalitions_of(6)
    outputs = outputs_of(model, background, players, rows, coalitions)
    np.testing.assert_allclose(outputs, by_mixing(model, rows, background, coalitions, players), rtol=1e-6, atol=2e-6)


def test_mixed_rows_are_predicted_where_the_library_says_otherwise(fresh):
    fitted, X = regression(lightgbm.LGBMRegressor(**QUIET), True)
    model, players = describe(fitted), np.arange(6)
    assert isinstance(model.structure, Composite)
    final = model.structure.combine
    trees = final.model.structure
    wrong = replace(final, model=replace(final.model, structure=replace(trees, values=trees.values * 1.01)))
    model = replace(model, structure=replace(model.structure, combine=wrong))
    rows, background, coalitions = as_table(X[:3]), as_table(X[50:60]), coalitions_of(6)
    outputs = outputs_of(model, background, players, rows, coalitions)
    np.testing.assert_allclose(outputs, by_mixing(model, rows, background, coalitions, players), rtol=1e-12)
    assert len(fresh) == 1


def test_final_models_too_large_for_their_sets_predict_mixed_rows(fresh, monkeypatch):
    monkeypatch.setattr(_final_trees, "MOST_BYTES", 1000)
    fitted, X = regression(lightgbm.LGBMRegressor(**QUIET), True)
    model, players = describe(fitted), np.arange(6)
    assert not FinalTrees.can_read(model.structure.combine, as_table(X[50:60]), 6)
    rows, background, coalitions = as_table(X[:3]), as_table(X[50:60]), coalitions_of(6)
    outputs = outputs_of(model, background, players, rows, coalitions)
    np.testing.assert_allclose(outputs, by_mixing(model, rows, background, coalitions, players), rtol=1e-12)
    assert fresh


@pytest.mark.parametrize("n_words", [1, 3, 64, 200])
def test_trees_are_cut_into_groups_that_hold_each_once(n_words):
    word = np.append(0, np.cumsum(np.full(150, n_words)))
    groups = _final_trees._groups(word)
    assert [tree for group in groups for tree in group] == list(range(150))
    sizes = [word[group.stop] - word[group.start] for group in groups]
    assert all(size <= max(64, n_words) for size in sizes)
