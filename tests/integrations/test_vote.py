"""Voting ensembles: the weights are the best of all, and the output is the mean that they make."""

import numpy as np
import pytest
from scipy.optimize import minimize

from automl_explain.integrations._vote import MeanVote, SoftVote

N = 200


def best_on_simplex(loss, n_members):
    """Weights of the least loss, by another method."""
    found = minimize(
        loss, np.full(n_members, 1 / n_members), method="SLSQP", bounds=[(0, 1)] * n_members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-12, "maxiter": 500},
    )  # fmt: skip
    return found.x


def members_of_classes(n_classes, rng):
    """Probabilities by three members, (n, 3, C), and classes drawn from a mixture of them."""
    shares = rng.dirichlet(np.ones(n_classes), (N, 3))
    mixed = np.tensordot(shares, [0.7, 0.3, 0.0], axes=([1], [0]))
    return shares, np.array([rng.choice(n_classes, p=one) for one in mixed])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_soft_vote_makes_the_true_classes_most_likely(n_classes, weighted):
    rng = np.random.default_rng(n_classes)
    shares, codes = members_of_classes(n_classes, rng)
    labels = np.array(["a", "b", "c", "d"])[codes]
    sample_weight = rng.random(N) if weighted else None
    X = shares[:, :, 1] if n_classes == 2 else shares.reshape(N, -1)
    vote = SoftVote().fit(X, labels, sample_weight)
    true = shares[np.arange(N), :, codes]
    best = best_on_simplex(lambda w: -np.average(np.log(true @ w + 1e-12), weights=sample_weight), 3)
    np.testing.assert_allclose(vote.weights_, best, atol=2e-3)
    np.testing.assert_allclose(vote.predict_proba(X), np.tensordot(shares, vote.weights_, axes=([1], [0])), atol=1e-12)
    assert set(vote.predict(X)) <= set(labels)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_mean_vote_has_the_least_squared_error(weighted):
    rng = np.random.default_rng(0)
    X = rng.normal(100, 3, (N, 4))
    y = X @ [0.5, 0.5, 0.0, 0.0] + rng.normal(size=N)
    sample_weight = rng.random(N) if weighted else None
    vote = MeanVote().fit(X, y, sample_weight)
    best = best_on_simplex(lambda w: np.average((X @ w - y) ** 2, weights=sample_weight), 4)
    np.testing.assert_allclose(vote.weights_, best, atol=2e-3)
    np.testing.assert_allclose(vote.predict(X), X @ vote.weights_)


def test_members_that_agree_or_are_certain_and_wrong():
    same = MeanVote().fit(np.full((5, 3), 2.0), np.full(5, 2.0))
    np.testing.assert_allclose(same.weights_.sum(), 1)
    certain = SoftVote().fit(np.array([[1.0, 0.6], [1.0, 0.4], [1.0, 0.7], [0.0, 0.6]]), np.array([1, 0, 1, 1]))
    np.testing.assert_allclose(certain.weights_.sum(), 1)
    assert np.isfinite(certain.weights_).all()
