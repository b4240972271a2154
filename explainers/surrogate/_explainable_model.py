"""`ExplainableModel`, the base class of surrogates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.model._fitted_model import Structure
from automl_explain.explainers.model._structures import Opaque
from automl_explain.explainers.surrogate._encoding import Categories, Matrix
from automl_explain.explainers.tables._column_functions import ColumnFunction
from automl_explain.explainers.tables._table import RowNumbers

Outputs: TypeAlias = npt.NDArray[np.float64]
"""Outputs of the teacher, (n, K); for two classes only that of the second."""
Weights: TypeAlias = npt.NDArray[np.float64]
"""Weights of the rows, (n,)."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Numbers of the training rows of a surrogate that is tuned.

    Parameters
    ----------
    learn : ndarray of int
        Rows from which candidates learn.
    held : ndarray of int
        Rows on which candidates are compared.
    drawn : ndarray of int
        Rows drawn between neighbours among `learn`.
    """

    learn: RowNumbers
    held: RowNumbers
    drawn: RowNumbers


class ExplainableModel(ABC):
    """Base class of surrogates: interpretable regressions of several outputs.

    A subclass defines `fit` and `predict`. If it also defines `structure`, the surrogate is explained exactly; otherwise
    it is explained from its predictions.

    Parameters
    ----------
    random_state : int, default 0
        Seed of training.
    n_jobs : int, optional
        Threads for training. Default: all cores.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.svm import SVR
    >>> from automl_explain import ExplainableModel, Linear, MimicExplainer
    >>> class LeastSquares(ExplainableModel):
    ...     def fit(self, X, outputs, categories):
    ...         self.coef = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), outputs)[0].T
    ...         return self
    ...     def predict(self, X):
    ...         return X @ self.coef[:, :-1].T + self.coef[:, -1]
    ...     def structure(self):
    ...         return Linear(self.coef[:, :-1], self.coef[:, -1])
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> X = X[["age", "bmi", "s5"]]
    >>> explainer = MimicExplainer(SVR(C=1000).fit(X, y), X, LeastSquares)
    >>> explainer.explain_global(X).get_ranked_global_names()
    ['bmi', 's5', 'age']
    """

    takes_sparse: ClassVar[bool] = False
    """Whether `fit`, `predict` and `encode` take csr matrices."""
    draws_cells: ClassVar[bool] = False
    """Whether rows drawn between neighbours of a dense table mix them cell by cell, as those of sparse tables always do. A
    linear surrogate learns little from a row on the line between two others."""
    columns: npt.NDArray[np.intp] | None = None
    """The column of `X` that each column of `encode(X)` is made from. None: the columns are the same."""

    def __init__(self, *, random_state: int = 0, n_jobs: int | None = None) -> None:
        self.random_state = random_state
        self.n_jobs = n_jobs

    @abstractmethod
    def fit(
        self, X: Matrix, outputs: Outputs, categories: Categories, sample_weight: Weights | None = None
    ) -> ExplainableModel:
        """Train the surrogate.

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows as float64, with NaN for missing cells.
        outputs : ndarray of shape (n, K)
            Outputs of the teacher: probabilities of the classes, for two classes only that of the second, or a response.
        categories : mapping of int to int
            Columns of `X` that hold the codes 0, 1, ... of categories, and their numbers of codes.
        sample_weight : ndarray of shape (n,), optional
            Weights of the rows, 1 on average. Passed only if the explainer has weights.

        Returns
        -------
        ExplainableModel
            The surrogate itself.
        """

    @property
    def is_tuned(self) -> bool:
        """Whether `tune` is called before `fit`. Default: it is not."""
        return False

    def tune(
        self,
        X: Matrix,
        outputs: Outputs,
        categories: Categories,
        rows: TrainingRows,
        sample_weight: Weights | None = None,
    ) -> RowNumbers:
        """Choose the settings of `fit`, and return the rows that it shall be given. Default: all rows.

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
            Numbers of the rows.
        """
        return np.arange(len(outputs))

    @abstractmethod
    def predict(self, X: Matrix) -> Outputs:
        """Return the predicted outputs, (n, K).

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n, K)
            In units of the teacher's outputs.
        """

    def structure(self) -> Structure:
        """Return how the outputs are computed from ``encode(X)``: `Trees` or `Linear`. Default: not known.

        Returns
        -------
        Trees, Linear or Opaque
            What `TabularExplainer` explains.
        """
        return Opaque(f"nothing is known of the structure of {type(self).__name__}")

    def encode(self, X: Matrix) -> Matrix:
        """Return the matrix that `structure` reads, with the same rows. Default: `X` itself.

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n, g)
            A row for each row.
        """
        return X

    def encoded_columns(self, inputs: Sequence[ColumnFunction]) -> tuple[ColumnFunction, ...]:
        """Return the columns of `encode` as functions of those of a table, for bundles, which compare them with `encode`.

        Parameters
        ----------
        inputs : sequence of ColumnFunction
            The columns of `X`. Categories are looked up, whatever is said of them.

        Returns
        -------
        tuple of ColumnFunction
            Default: the `columns` of `X`, unchanged.
        """
        return tuple(inputs) if self.columns is None else tuple(inputs[j] for j in self.columns.tolist())
