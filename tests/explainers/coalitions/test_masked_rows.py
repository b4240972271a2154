"""Outputs and Shapley values from all coalitions of the relevant players, for every structure, against predictions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from automl_explain import AdditivityError, KernelExplainer, SamplingOptions, TabularExplainer
from automl_explain.explainers.coalitions import _game
from automl_explain.explainers.coalitions._game import Game
from automl_explain.explainers.coalitions._linked_members import linked
from automl_explain.explainers.coalitions._masked_rows import MixedRows, add_shapley_values, players_that_differ
from automl_explain.explainers.coalitions._masker import Masker
from automl_explain.explainers.coalitions._value_functions import evaluator
from automl_explain.explainers.coalitions.sampling._walks import cuts_of, draw_walks
from automl_explain.explainers.compiled._shapley_weights import pair_weights
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import as_table
from tests.families import FAMILIES
from tests.oracles import model_game, shapley_values

N_PLAYERS = 5
N_OTHERS = 17
"""Background rows: enough for a stack to be held against its library as it is described, and not again."""


def all_coalitions(n):
    return (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(bool)


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def described(request):
    """A described model with three rows and a background that shares cells with them."""
    fitted, X = request.param.fitted()
    model = describe(fitted)
    table = as_table(model.transform(X))
    return (
        model,
        table.take(np.array([3, 3, 40])),
        table.take(np.array([3, 7, 40, *range(60, 57 + N_OTHERS)])),
        request.param,
    )


def engineered_players(model, table):
    """Return the player of each engineered column: its raw column if there is a map, otherwise the column itself."""
    return np.arange(table.n_columns) if model.feature_map is None else model.feature_map.parent


def predicted(model, rows, background, asked, players):
    row, other, present = asked.present(np.arange(len(asked)))
    return model.predict(Masker(rows, background).mix(row, other, present[:, players])).T


def test_all_coalitions_of_the_players_that_matter_have_the_outputs_of_mixed_rows(described):
    model, rows, background, family = described
    players = engineered_players(model, rows)
    found = evaluator(linked(model, background), background, players)
    matters = found.matters(rows, N_PLAYERS)
    for others in (range(N_OTHERS), range(2, 5)):
        those = np.ascontiguousarray(matters[:, others.start : others.stop]).reshape(-1, N_PLAYERS)
        asked = MixedRows(rows, others, those)
        expected = predicted(model, rows, background, asked, players)
        outputs = found.every_output(found.outputs(asked))
        np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=max(2e-6, family.atol))


def test_the_other_players_make_no_difference(described):
    model, rows, background, family = described
    players = engineered_players(model, rows)
    matters = evaluator(linked(model, background), background, players).matters(rows, N_PLAYERS).reshape(-1, N_PLAYERS)
    coalitions = all_coalitions(N_PLAYERS)
    asked = MixedRows.of_coalitions(rows, len(background), coalitions)
    outputs = predicted(model, rows, background, asked, players).reshape(-1, len(matters), len(coalitions))
    for pair, those in enumerate(matters):
        without = (coalitions & those) @ (1 << np.arange(N_PLAYERS))
        np.testing.assert_allclose(outputs[:, pair], outputs[:, pair, without], atol=max(1e-9, family.atol))
    assert not matters[0].any(), "a row does not differ from itself"


@pytest.mark.parametrize("coalitions", [all_coalitions(N_PLAYERS), all_coalitions(N_PLAYERS)[[31, 9, 0, 9, 20]]])
def test_given_coalitions_have_the_outputs_of_mixed_rows(described, coalitions):
    model, rows, background, family = described
    players = engineered_players(model, rows)
    found = evaluator(linked(model, background), background, players)
    asked = MixedRows.of_coalitions(rows, len(background), coalitions)
    expected = predicted(model, rows, background, asked, players)
    outputs = found.every_output(found.outputs(asked))
    np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=max(2e-6, family.atol))
    share = np.random.default_rng(0).dirichlet(np.ones(N_OTHERS))
    means = np.einsum("knbm,b->nmk", expected.reshape(-1, 3, N_OTHERS, len(coalitions)), share)
    np.testing.assert_allclose(found.means(rows, coalitions, share), means, rtol=1e-6, atol=max(2e-6, family.atol))


@pytest.mark.parametrize(("others", "n_rounds", "cuts"), [(range(N_OTHERS), 1, None), (range(3, 7), 3, 2)])
def test_walks_have_the_outputs_of_mixed_rows(described, others, n_rounds, cuts):
    model, rows, background, family = described
    players = engineered_players(model, rows)
    walks = draw_walks(N_PLAYERS, others, range(n_rounds), cuts_of(N_PLAYERS, cuts), 0)
    asked = MixedRows.of_walks(rows, others, walks)
    found = evaluator(linked(model, background), background, players)
    outputs = found.every_output(found.outputs(asked))
    expected = predicted(model, rows, background, asked, players)
    np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=max(2e-6, family.atol))


def test_values_are_those_by_definition_whatever_is_held_at_once(described, monkeypatch):
    model, rows, background, family = described
    players = engineered_players(model, rows)
    share = np.random.default_rng(1).dirichlet(np.ones(N_OTHERS))
    game, some = Game(model, background, players, share), np.array([1, 2])
    at_once = game.shapley_values(rows.take(some), N_PLAYERS)
    monkeypatch.setattr(_game, "OUTPUTS_AT_ONCE", 40)
    monkeypatch.setattr(_game, "LANES", 2)
    in_parts = game.shapley_values(rows.take(some), N_PLAYERS)
    asked = MixedRows.of_coalitions(rows.take(some), N_OTHERS, all_coalitions(N_PLAYERS))
    outputs = predicted(model, rows.take(some), background, asked, players).reshape(-1, 2, N_OTHERS, 1 << N_PLAYERS)
    for i in range(2):
        means = np.einsum("kbm,b->km", outputs[:, i], share)
        expected = shapley_values(lambda present, v=means: v[:, sum(1 << p for p in present)], N_PLAYERS)
        for values in (at_once, in_parts):
            np.testing.assert_allclose(values[:, i], expected, rtol=1e-5, atol=max(2e-6, family.atol))


@given(n_players=st.integers(1, 7), n_outputs=st.integers(1, 3), seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_values_of_random_games_add_up_and_are_those_by_definition(n_players, n_outputs, seed):
    rng = np.random.default_rng(seed)
    n_rows, n_others = 2, 3
    players = rng.random((n_rows * n_others, n_players)) < 0.7
    asked = MixedRows(as_table(np.zeros((n_rows, 1))), range(n_others), players)
    outputs, share = rng.normal(size=(n_outputs, len(asked))), rng.dirichlet(np.ones(n_others))
    gain, loss = pair_weights(n_players)
    for row in range(n_rows):
        phi, space = np.zeros((n_outputs, n_players)), np.empty(1 << n_players)
        add_shapley_values(outputs, asked.first, players, share, row, gain, loss, space, phi)
        expected, total = np.zeros_like(phi), 0.0
        for other in range(n_others):
            pair = row * n_others + other
            mine, first = np.flatnonzero(players[pair]), asked.first[pair]

            def game(present, mine=mine, first=first):
                return outputs[:, first + sum(1 << i for i, player in enumerate(mine) if player in present)]

            expected += share[other] * shapley_values(game, n_players)
            total += share[other] * (outputs[:, asked.first[pair + 1] - 1] - outputs[:, first])
        np.testing.assert_allclose(phi, expected, atol=1e-12)
        np.testing.assert_allclose(phi.sum(axis=1), total, atol=1e-12)


@given(n_players=st.integers(1, 6), n_columns=st.integers(1, 9), seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_players_differ_where_a_column_of_theirs_does(n_players, n_columns, seed):
    rng = np.random.default_rng(seed)
    players, different = rng.integers(0, n_players, n_columns), rng.random((3, 2, n_columns)) < 0.3
    found = players_that_differ(different, players, n_players + 1)
    expected = np.zeros((3, 2, n_players + 1), bool)
    for column, player in enumerate(players):
        expected[..., player] |= different[..., column]
    assert np.array_equal(found, expected)


def few_differences(n_columns, n_rows=12, seed=0):
    """Rows that each differ from all others in a few of many columns."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n_rows, n_columns))
    for row in X:
        row[rng.choice(n_columns, 3, replace=False)] = rng.normal(size=3)
    return X


def predict_product(rows):
    return np.prod(1.0 + rows, axis=1)


def test_values_are_exact_where_rows_differ_in_few_of_many_columns():
    X = few_differences(60)
    explanation = KernelExplainer(
        predict_product, X[:8], sampling=SamplingOptions(background_size=8), progress=False
    ).explain_local(X[8:])
    assert explanation.standard_errors is None
    by_pair = []
    for row in X[8:]:
        parts = []
        for other in X[:8]:
            mine = np.flatnonzero(row != other)
            game = model_game(lambda rows: predict_product(rows)[:, None], row[None], other[None])
            phi = np.zeros(60)
            compact = shapley_values(lambda present, m=mine, g=game: g({int(m[i]) for i in present}), len(mine))
            phi[mine] = compact[0]
            parts.append(phi)
        by_pair.append(np.mean(parts, axis=0))
    np.testing.assert_allclose(explanation.local_importance_values, by_pair, atol=1e-12)


def test_rows_with_many_coalitions_are_sampled_beside_exact_ones_and_that_is_said():
    X = few_differences(30)
    X = np.vstack([X, np.random.default_rng(1).normal(size=(1, 30)) / 10])
    explainer = KernelExplainer(
        predict_product, X[:8], sampling=SamplingOptions(background_size=8, nsamples=200), progress=False
    )
    together = explainer.explain_local(X[8:])
    assert np.array_equal(together.standard_errors.any(axis=1), [False] * 4 + [True])
    assert any("rows whose standard errors are 0 have no sampling error" in note for note in together.notes)
    alone = [explainer.explain_local(row) for row in X[8:]]
    assert [one.standard_errors is None for one in alone] == [True] * 4 + [False]
    values = np.vstack([one.local_importance_values for one in alone])
    np.testing.assert_allclose(together.local_importance_values, values, atol=1e-12)


def test_no_more_outputs_are_computed_than_asked_for():
    X, seen = few_differences(30), []

    def predict(rows):
        seen.append(len(rows))
        return predict_product(rows)

    explainer = KernelExplainer(
        predict, X[:8], sampling=SamplingOptions(background_size=8, nsamples=130), progress=False
    )
    seen.clear()
    explainer.explain_local(X[8:])
    assert sum(seen) <= 4 * 8 * 132 + 2 * 4 + 8, "the rows and the background themselves are no mixed rows"


def test_columns_that_no_tree_tests_make_no_coalitions():
    lightgbm = pytest.importorskip("lightgbm")
    X = np.random.default_rng(0).normal(size=(300, 40))
    model = lightgbm.LGBMClassifier(n_estimators=5, num_leaves=4, verbose=-1).fit(X, X[:, 0] * X[:, 1] > 0)
    explained = TabularExplainer(model, X[:20], output="probability", progress=False).explain_local(X[20:23])
    assert explained.method == "ensemble"
    assert explained.standard_errors is None


class DependsOnOtherRows:
    """Predictions that depend on the number of rows, as those of nearest neighbours at equal distances do."""

    def __init__(self):
        self.seen = []

    def __call__(self, rows):
        self.seen.append(len(rows))
        return rows[:, 0] * rows[:, 1] + rows[:, 2] + (0.05 if len(rows) > 60 else 0.0)


@pytest.mark.parametrize("settings", [{}, {"nsamples": 40}, {"tolerance": 1e-3, "nsamples": 64}])
def test_models_whose_answers_depend_on_the_other_rows_add_up_and_that_is_said(settings):
    X = np.random.default_rng(0).normal(size=(40, 8))
    explainer = KernelExplainer(
        DependsOnOtherRows(), X[:20], sampling=SamplingOptions(background_size=20, **settings), progress=False
    )
    explanation = explainer.explain_local(X[20:25])
    assert explanation.additivity_error < 1e-12
    assert any("predictions of a row differ by up to 0.05" in note for note in explanation.notes)


def test_nearest_neighbours_with_ties_add_up():
    rng = np.random.default_rng(3)
    X = rng.integers(0, 3, size=(1500, 18)).astype(float)
    model = KNeighborsClassifier(9, algorithm="brute").fit(X, rng.random(1500) < 0.3 + 0.4 * (X[:, 0] == X[:, 1]))
    explanation = KernelExplainer(model, X[:60], sampling=SamplingOptions(nsamples=200), progress=False).explain_local(
        X[60:64]
    )
    assert explanation.additivity_error < 1e-9


def test_cells_that_only_the_model_tells_apart_are_refused_and_not_smoothed_over():
    def is_none(frame):
        return np.array([float(cell is None) for cell in frame["word"]]) + frame["x"].to_numpy()

    frame = pd.DataFrame({"word": pd.Series([None, np.nan, np.nan, "a"], dtype=object), "x": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(AdditivityError):
        KernelExplainer(is_none, frame[1:], progress=False).explain_local(frame[:1])


def test_rounding_is_no_reason_to_ask_again():
    X = np.random.default_rng(0).normal(size=(40, 6))
    weights = np.random.default_rng(1).normal(size=6)
    explainer = KernelExplainer(lambda rows: np.tanh(rows @ weights), X[:20], progress=False)
    assert not any("predictions of a row differ" in note for note in explainer.explain_local(X[20:23]).notes)
