"""Outputs of coalitions by cubes, against sending every mixed row through the trees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_explain.explainers._cubes import CoalitionOutputs
from tests.explainers.random_trees import chain, random_rows, random_trees
from tests.oracles import predict


def by_definition(trees, X, background, coalitions, player):
    columns = coalitions[:, player]
    return np.array([[[predict(trees, np.where(c, x, b)) for c in columns] for b in background] for x in X])


@given(seed=st.integers(0, 10_000), shared=st.booleans(), few=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_coalition_gets_the_output_of_its_mixed_row(seed, shared, few):
    trees = random_trees(seed)
    X, background = random_rows(seed, 2), random_rows(seed + 1, 3)
    player = np.array([0, 1, 0, 2, 1]) if shared else np.arange(5)
    n_players = player.max() + 1
    coalitions = np.random.default_rng(seed).random((1 if few else 40, n_players)) < 0.5
    made = CoalitionOutputs(trees, background, player)(X, coalitions)
    np.testing.assert_allclose(made, by_definition(trees, X, background, coalitions, player), atol=1e-12)


@pytest.mark.parametrize("n_features", [13, 20, 64, 70])
def test_many_players(n_features):
    trees = chain(30, n_features)
    rng = np.random.default_rng(0)
    X, background = rng.normal(size=(2, n_features)), rng.normal(size=(2, n_features))
    coalitions = rng.random((50, n_features)) < 0.5
    made = CoalitionOutputs(trees, background)(X, coalitions, n_jobs=2)
    np.testing.assert_allclose(made, by_definition(trees, X, background, coalitions, np.arange(n_features)), atol=1e-12)


def test_the_number_of_threads_changes_nothing():
    trees = random_trees(3)
    X, background = random_rows(1, 4), random_rows(2, 9)
    coalitions = np.random.default_rng(0).random((31, 5)) < 0.5
    outputs = CoalitionOutputs(trees, background)
    assert np.array_equal(outputs(X, coalitions, n_jobs=1), outputs(X, coalitions, n_jobs=2))
