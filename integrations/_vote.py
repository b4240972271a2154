"""Voting ensembles: final estimators of scikit-learn's stacks whose output is a weighted mean of the members' outputs.

A stack fits its members on all rows and its final estimator on their predictions for rows that they were not fitted to, by
cross-validation. The weights of a vote are therefore not taken in by members that know their training rows by heart.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from automl_explain.explainers._errors import AutoMLExplainWarning

Weights = npt.NDArray[np.float64]
MOST_STEPS = 1000
CHANGE = 1e-6
"""Weights that change by less than this in a step have been found."""
SMALLEST = 1e-3
"""Smaller weights are 0."""
LEAST_SHARE = 1e-12
"""Least probability of the true class that counts, so that one wrong certainty does not decide."""


class SoftVote(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A weighted mean of the members' probabilities, with the weights under which the true classes are most likely.

    Attributes
    ----------
    weights_ : ndarray of shape (M,)
        Weight of each member; they sum to 1.
    coef_, intercept_ : ndarray of shape (C, c), (C,)
        Coefficients of the probabilities in the c columns that a stack passes: of each member one for two classes,
        otherwise C.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SoftVote:
        """Find the weights from the members' probabilities, (n, c), and the classes."""
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        n_classes = len(self.classes_)
        found = np.asarray(X, dtype=np.float64)
        self.n_features_in_ = found.shape[1]
        if n_classes == 2:
            likelihoods = np.where(codes[:, None] == 1, found, 1.0 - found)
        else:
            likelihoods = found.reshape(len(found), -1, n_classes)[np.arange(len(found)), :, codes]
        self.weights_ = _mixture_weights(np.maximum(likelihoods, LEAST_SHARE), sample_weight)
        if n_classes == 2:
            self.coef_ = np.vstack([-self.weights_, self.weights_])
            self.intercept_ = np.array([1.0, 0.0])
        else:
            self.coef_ = np.hstack([weight * np.eye(n_classes) for weight in self.weights_])
            self.intercept_ = np.zeros(n_classes)
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probabilities, (n, C)."""
        return np.asarray(np.asarray(X, dtype=np.float64) @ self.coef_.T + self.intercept_)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable classes."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class MeanVote(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A weighted mean of the members' predictions, with the weights of the least squared error.

    Attributes
    ----------
    weights_, coef_ : ndarray of shape (M,)
        Weight of each member; they sum to 1.
    intercept_ : float
        0.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MeanVote:
        """Find the weights from the members' predictions, (n, M), and the numbers."""
        found = np.asarray(X, dtype=np.float64)
        self.n_features_in_ = found.shape[1]
        rows = np.ones(len(found)) if sample_weight is None else np.sqrt(np.asarray(sample_weight, dtype=np.float64))
        errors = (found - np.asarray(y, dtype=np.float64)[:, None]) * rows[:, None]
        # Of all w >= 0 with a sum of 1, the error |errors @ w| is smallest in the direction that this solves for: for any
        # length of w, |errors @ w|^2 + (size * (sum(w) - 1))^2 grows with the error in that direction.
        size = float(np.linalg.norm(errors)) or 1.0
        direction, _ = nnls(np.vstack([errors, np.full(found.shape[1], size)]), np.append(np.zeros(len(found)), size))
        self.weights_ = _without_traces(direction / direction.sum())
        self.coef_, self.intercept_ = self.weights_, 0.0
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the weighted means, (n,)."""
        return np.asarray(np.asarray(X, dtype=np.float64) @ self.coef_)


def _mixture_weights(likelihoods: npt.NDArray[np.float64], sample_weight: Any) -> Weights:
    """Return the weights of the most likely mixture, by expectation-maximisation, which finds the only maximum.

    Parameters
    ----------
    likelihoods : ndarray of shape (n, M)
        Probability of each row's class by each member.
    sample_weight : array-like of shape (n,) or None
    """
    weights = np.full(likelihoods.shape[1], 1.0 / likelihoods.shape[1])
    for _ in range(MOST_STEPS):
        shares = likelihoods * weights
        found = np.average(shares / shares.sum(axis=1, keepdims=True), axis=0, weights=sample_weight)
        change, weights = float(np.abs(found - weights).max()), found
        if change < CHANGE:
            break
    return _without_traces(weights)


def _without_traces(weights: Weights) -> Weights:
    kept: Weights = np.where(weights < SMALLEST, 0.0, weights)
    return kept / float(kept.sum())


def vote_for(task: str) -> SoftVote | MeanVote:
    """Return the unfitted vote for a classification or a regression."""
    return MeanVote() if task == "regression" else SoftVote()


def about_ensemble(stack: Any, learners: Sequence[str] | None = None) -> tuple[str, dict[str, Any]]:
    """Return the name of a fitted stack as a learner, and what its run records as its configuration.

    Parameters
    ----------
    stack : StackingClassifier or StackingRegressor
    learners : sequence of str, optional
        Names of the members' learners. Default: the names of the members.
    """
    names = [str(name) for name, _ in stack.estimators]
    of = ", ".join(names if learners is None else learners)
    if not isinstance(stack.final_estimator_, SoftVote | MeanVote):
        return f"stack of {of}", {}
    weights = np.round(stack.final_estimator_.weights_, 4).tolist()
    return f"vote of {of}", {"weights": dict(zip(names, weights, strict=True))}


def warn_of_no_ensemble(final: str, tried: Sequence[str]) -> None:
    """Warn that a search of FLAML that was asked for an ensemble ended with a single model, of which FLAML says nothing.

    Parameters
    ----------
    final : str
        Learner of the final model.
    tried : sequence of str
        Learners of the search's trials.
    """
    few = f"its trials were all of {final}, and a stack needs two learners" if len(tried) < 2 else "its log says why"
    warnings.warn(
        f"FLAML built no ensemble: {few}. The final model is a single one ({final}), which has no members. Allow more time or "
        "trials, or pass learner_selector='roundrobin' to FLAML, which then tries the learners in turn.",
        AutoMLExplainWarning,
        stacklevel=5,
    )
