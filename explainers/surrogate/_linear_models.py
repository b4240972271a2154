"""The linear surrogates of `MimicExplainer`: ridge regression and stochastic gradient descent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.linear_model import SGDRegressor
from sklearn.utils import check_random_state

from automl_explain.explainers._arguments import checked
from automl_explain.explainers.model._fitted_model import Structure
from automl_explain.explainers.model._structures import Linear
from automl_explain.explainers.surrogate._encoding import Categories, Matrix, Standardized
from automl_explain.explainers.surrogate._explainable_model import ExplainableModel, Outputs, TrainingRows, Weights
from automl_explain.explainers.surrogate._penalty import Choice, choose_penalty
from automl_explain.explainers.surrogate._ridge import solve_by_eigenvectors, solve_by_steps
from automl_explain.explainers.tables._column_functions import ColumnFunction
from automl_explain.explainers.tables._table import RowNumbers

SIDE = 1000
"""Largest number of rows or columns whose matrix of products is decomposed."""


class _LinearSurrogate(ExplainableModel):
    """A linear model of standardized columns, with one column per category."""

    takes_sparse = True
    draws_cells = True
    path: ClassVar[tuple[float, ...]]
    """Penalties among which one is chosen, the largest first."""
    usual: ClassVar[float]
    """The penalty for tables with too few rows to choose."""

    @checked
    def __init__(self, *, random_state: int = 0, n_jobs: int | None = None, alpha: float | None = None) -> None:
        super().__init__(random_state=random_state, n_jobs=n_jobs)
        self.alpha = alpha
        self.alpha_ = self.usual if alpha is None else alpha

    @property
    def is_tuned(self) -> bool:
        """Whether the penalty is chosen."""
        return self.alpha is None

    def tune(
        self,
        X: Matrix,
        outputs: Outputs,
        categories: Categories,
        rows: TrainingRows,
        sample_weight: Weights | None = None,
    ) -> RowNumbers:
        """Choose the penalty, and whether the drawn rows are used.

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.
        outputs : ndarray of shape (n, K)
            Outputs of the teacher.
        categories : mapping of int to int
            Columns of categories, and their numbers of codes.
        rows : TrainingRows
            Rows from which candidates learn, and rows on which they are compared.
        sample_weight : ndarray of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        ndarray of int
            Numbers of the rows that `fit` is given.
        """
        without = np.concatenate([rows.learn, rows.held])
        weights = np.ones(len(outputs)) if sample_weight is None else sample_weight
        if not weights[rows.learn].any() or not weights[rows.held].any():
            return np.concatenate([without, rows.drawn])
        choice = self._choose(X, outputs, categories, rows.learn, rows.held, weights)
        self.alpha_ = choice.penalty
        if not len(rows.drawn):
            return without
        learn = np.concatenate([rows.learn, rows.drawn])
        with_drawn = self._choose(X, outputs, categories, learn, rows.held, weights)
        if with_drawn.error >= choice.error:
            return without
        self.alpha_ = with_drawn.penalty
        return np.concatenate([without, rows.drawn])

    def _choose(
        self, X: Matrix, outputs: Outputs, categories: Categories, learn: RowNumbers, held: RowNumbers, weights: Weights
    ) -> Choice:
        """Choose a penalty. Everything that is learned, such as the scales of columns, is learned from `learn` alone."""
        standardized = Standardized(X[learn], categories)
        seen, unseen = standardized.transform(X[learn]), standardized.transform(X[held])
        solutions = self._solve(seen, outputs[learn], weights[learn], self.path)
        return choose_penalty(
            (
                (penalty, unseen @ coef.T + intercept)
                for penalty, (coef, intercept) in zip(self.path, solutions, strict=True)
            ),
            np.average(outputs[learn], axis=0, weights=weights[learn]),
            lambda predicted: float((weights[held] @ (outputs[held] - predicted) ** 2).sum()),
        )

    def fit(
        self, X: Matrix, outputs: Outputs, categories: Categories, sample_weight: Weights | None = None
    ) -> ExplainableModel:
        """Fit the coefficients.

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `ExplainableModel.fit`.
        outputs : ndarray of shape (n, K)
            Outputs of the teacher.
        categories : mapping of int to int
            Columns of categories, and their numbers of codes.
        sample_weight : ndarray of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        ExplainableModel
            The surrogate itself.
        """
        self._standardized = Standardized(X, categories)
        self.columns = self._standardized.parents
        weights = np.ones(len(outputs)) if sample_weight is None else sample_weight
        if np.isfinite(self.alpha_):
            self.coef, self.intercept = next(self._solve(self.encode(X), outputs, weights, [self.alpha_]))
        else:
            self.coef = np.zeros((outputs.shape[1], len(self.columns)))
            self.intercept = np.average(outputs, axis=0, weights=weights)
        return self

    @abstractmethod
    def _solve(
        self, X: Matrix, outputs: Outputs, weights: Weights, penalties: Sequence[float]
    ) -> Iterator[tuple[Outputs, Weights]]:
        """Yield the coefficients, (K, f), and intercepts, (K,), of the standardized columns for each penalty."""

    def predict(self, X: Matrix) -> Outputs:
        """Return the weighted sums of the columns, (n, K).

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n, K)
            In units of the teacher's outputs.
        """
        return np.asarray(self.encode(X) @ self.coef.T) + self.intercept

    def structure(self) -> Structure:
        """Return the coefficients of the standardized columns.

        Returns
        -------
        Linear
            Coefficients and intercepts.
        """
        return Linear(self.coef, self.intercept)

    def encode(self, X: Matrix) -> Matrix:
        """Return the standardized columns.

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.

        Returns
        -------
        ndarray or csr_matrix of shape (n, g)
            A row for each row.
        """
        return self._standardized.transform(X)

    def encoded_columns(self, inputs: Sequence[ColumnFunction]) -> tuple[ColumnFunction, ...]:
        """Return the standardized columns as functions of those of a table.

        Parameters
        ----------
        inputs : sequence of ColumnFunction
            The columns of `X`.

        Returns
        -------
        tuple of ColumnFunction
            The columns of `encode`.
        """
        return self._standardized.of_columns(inputs)


class LinearExplainableModel(_LinearSurrogate):
    """Ridge regression over standardized columns, with a column per category.

    Parameters
    ----------
    random_state : int, default 0
        Seed of training.
    n_jobs : int, optional
        Threads for training. Default: all cores.
    alpha : float, optional
        Weight of the squared coefficients. As columns are standardized, 1 has the effect of about one row. Default: the
        best of 10**7, 10**6, ..., 0.01 on a fifth of the training rows, or a constant if none is better than it; 1 if there
        are fewer than 40 training rows. `alpha_` is the penalty that was used.

    Raises
    ------
    InvalidInputError
        If a setting is out of its range.

    References
    ----------
    Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970,
    doi:10.1080/00401706.1970.10488634.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.svm import SVR
    >>> from automl_explain import LinearExplainableModel, MimicExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> mimic = MimicExplainer(SVR(C=1000).fit(X, y), X, LinearExplainableModel, explainable_model_args={"alpha": 1.0})
    >>> mimic.fidelity.r2 > 0.3
    True
    """

    path = tuple(10.0**power for power in range(7, -3, -1))
    usual = 1.0

    def _solve(
        self, X: Matrix, outputs: Outputs, weights: Weights, penalties: Sequence[float]
    ) -> Iterator[tuple[Outputs, Weights]]:
        solve = solve_by_steps if sparse.issparse(X) or min(X.shape) > SIDE else solve_by_eigenvectors
        yield from solve(X, outputs, weights, penalties)


class SGDExplainableModel(_LinearSurrogate):
    """Linear regression by stochastic gradient descent over standardized columns, with a column per category.

    Parameters
    ----------
    random_state : int, default 0
        Seed of training.
    n_jobs : int, optional
        Threads for training. Default: all cores.
    alpha : float, optional
        Weight of the squared coefficients against the mean squared error. Default: the best of 1, 0.01 and 0.0001 on a
        fifth of the training rows, or a constant if none is better than it; 0.0001 if there are fewer than 40 training
        rows. `alpha_` is the penalty that was used.
    max_iter : int, default 1000
        Maximum number of passes over the rows.

    Raises
    ------
    InvalidInputError
        If a setting is out of its range.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.svm import SVR
    >>> from automl_explain import MimicExplainer, SGDExplainableModel
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> mimic = MimicExplainer(SVR(C=1000).fit(X, y), X, SGDExplainableModel, explainable_model_args={"alpha": 0.01})
    >>> mimic.fidelity.r2 > 0.3
    True
    """

    path = (1.0, 1e-2, 1e-4)
    usual = 1e-4

    @checked
    def __init__(
        self, *, random_state: int = 0, n_jobs: int | None = None, alpha: float | None = None, max_iter: int = 1000
    ) -> None:
        super().__init__(random_state=random_state, n_jobs=n_jobs, alpha=alpha)
        self._parameters = {"max_iter": max_iter, "tol": 1e-4, "average": True}

    def _solve(
        self, X: Matrix, outputs: Outputs, weights: Weights, penalties: Sequence[float]
    ) -> Iterator[tuple[Outputs, Weights]]:
        mean = np.average(outputs, axis=0, weights=weights)
        spread = np.sqrt(np.average((outputs - mean) ** 2, axis=0, weights=weights))
        spread = np.where(spread > 0, spread, 1.0)
        # Rows of large norm make steps overshoot, so the first step is below the reciprocal of the largest squared norm.
        squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else (X**2).sum(axis=1)
        eta0 = min(0.01, 0.5 / max(float(np.max(squares)), 1e-12))
        streams = check_random_state(self.random_state).randint(2**31 - 1, size=outputs.shape[1])
        for penalty in penalties:
            models = [
                SGDRegressor(**self._parameters, alpha=penalty, eta0=eta0, random_state=int(stream)).fit(
                    X, output, sample_weight=weights
                )
                for stream, output in zip(streams, ((outputs - mean) / spread).T, strict=True)
            ]
            coef = np.vstack([model.coef_ for model in models]) * spread[:, None]
            yield coef, np.concatenate([model.intercept_ for model in models]) * spread + mean
