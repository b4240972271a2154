"""Surrogates made of trees: boosted trees of LightGBM, and decision trees of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.tree import DecisionTreeRegressor

from automl_explain.explainers._arguments import checked
from automl_explain.explainers.model._fitted_model import Structure
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.surrogate._encoding import Categories, Matrix
from automl_explain.explainers.surrogate._explainable_model import ExplainableModel, Outputs, Weights
from automl_explain.explainers.surrogate._joined_trees import compact, join_trees
from automl_explain.explainers.trees._tree_ensemble import Trees

SMALL = 100_000
"""Number of cells below which LightGBM uses one thread by default."""


class LGBMExplainableModel(ExplainableModel):
    """Gradient boosted trees of LightGBM, one regression per output, with native splits on categories and missing cells.

    Parameters
    ----------
    random_state : int, default 0
        Seed of training.
    n_jobs : int, optional
        Threads for training. Default: all cores.
    n_estimators : int, default 150
        Trees per output.
    num_leaves : int, default 31
        Maximum number of leaves per tree.
    learning_rate : float, default 0.1
        Factor by which the values of each tree are multiplied.
    min_child_samples : int, default 5
        Minimum number of rows in a leaf. It is small because outputs of a teacher, unlike labels, have no noise.

    Raises
    ------
    InvalidInputError
        If a setting is out of its range.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.svm import SVR
    >>> from automl_explain import LGBMExplainableModel, MimicExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> settings = {"n_estimators": 50, "num_leaves": 7}
    >>> mimic = MimicExplainer(SVR(C=1000).fit(X, y), X, LGBMExplainableModel, explainable_model_args=settings)
    >>> mimic.fidelity.r2 > 0.5
    True
    """

    takes_sparse = True

    @checked
    def __init__(
        self,
        *,
        random_state: int = 0,
        n_jobs: int | None = None,
        n_estimators: int = 150,
        num_leaves: int = 31,
        learning_rate: float = 0.1,
        min_child_samples: int = 5,
    ) -> None:
        super().__init__(random_state=random_state, n_jobs=n_jobs)
        self.n_estimators = n_estimators
        self._parameters = {
            "num_leaves": num_leaves,
            "learning_rate": learning_rate,
            "min_data_in_leaf": min_child_samples,
            "seed": random_state,
            "objective": "regression",
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def fit(
        self, X: Matrix, outputs: Outputs, categories: Categories, sample_weight: Weights | None = None
    ) -> LGBMExplainableModel:
        """Train the trees. The bins of the columns are computed once for all outputs.

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
        LGBMExplainableModel
            The surrogate itself.
        """
        import lightgbm

        parameters = {**self._parameters, "num_threads": self._threads(X)}
        data = lightgbm.Dataset(
            X, outputs[:, 0], weight=sample_weight, categorical_feature=sorted(categories), params=parameters
        )
        self.boosters = []
        for output in outputs.T:
            data.construct().set_label(output)
            self.boosters.append(lightgbm.train(parameters, data, self.n_estimators))
        self._trees, self.columns = compact(join_trees([_trees_of(booster) for booster in self.boosters]))
        return self

    def predict(self, X: Matrix) -> Outputs:
        """Return the sums of the trees, (n, K).

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n, K)
            In units of the teacher's outputs.
        """
        return np.column_stack([booster.predict(X, num_threads=self._threads(X)) for booster in self.boosters])

    def structure(self) -> Structure:
        """Return the trees of all outputs.

        Returns
        -------
        Trees
            One ensemble with all outputs.
        """
        return self._trees

    def encode(self, X: Matrix) -> Matrix:
        """Return the columns that the trees read.

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n, g)
            A row for each row.
        """
        return _dense(X[:, self.columns])

    def _threads(self, X: Matrix) -> int:
        """Return `n_jobs` if it is set, otherwise 1 for a small matrix and 0, all cores, for others."""
        return self.n_jobs or int(X.shape[0] * X.shape[1] < SMALL)


class DecisionTreeExplainableModel(ExplainableModel):
    """One decision tree of scikit-learn per output.

    Categories are ordered by their mean output; for one output, the best split of this order is the best of all two-way
    groupings.

    Parameters
    ----------
    random_state : int, default 0
        Seed of training.
    n_jobs : int, optional
        Threads for training. Default: all cores.
    max_depth : int, optional
        Maximum depth. Default: limited only by the number of leaves and their size.
    max_leaf_nodes : int, optional
        Maximum number of leaves. None: no limit. Default: 256.
    min_samples_leaf : int, default 5
        Minimum number of rows in a leaf.

    Raises
    ------
    InvalidInputError
        If a setting is out of its range.

    References
    ----------
    Fisher, "On grouping for maximum homogeneity", 1958, doi:10.1080/01621459.1958.10501479.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.svm import SVR
    >>> from automl_explain import DecisionTreeExplainableModel, MimicExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> mimic = MimicExplainer(SVR(C=1000).fit(X, y), X, DecisionTreeExplainableModel)
    >>> mimic.fidelity.r2 > 0.3
    True
    """

    takes_sparse = True

    @checked
    def __init__(
        self,
        *,
        random_state: int = 0,
        n_jobs: int | None = None,
        max_depth: int | None = None,
        max_leaf_nodes: int | None = 256,
        min_samples_leaf: int = 5,
    ) -> None:
        super().__init__(random_state=random_state, n_jobs=n_jobs)
        self._parameters = {
            "max_depth": max_depth,
            "max_leaf_nodes": max_leaf_nodes,
            "min_samples_leaf": min_samples_leaf,
            "random_state": random_state,
        }

    def fit(
        self, X: Matrix, outputs: Outputs, categories: Categories, sample_weight: Weights | None = None
    ) -> DecisionTreeExplainableModel:
        """Train one tree per output.

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
        DecisionTreeExplainableModel
            The surrogate itself.
        """
        # For several outputs, categories are ordered by the first principal component of the outputs.
        weights = np.ones(len(outputs)) if sample_weight is None else sample_weight
        centred = outputs - np.average(outputs, axis=0, weights=weights)
        score = centred @ np.linalg.svd((centred.T * weights) @ centred)[0][:, 0]
        self._ranks = {j: _ranks(X[:, j], n, score, weights) for j, n in categories.items()}
        ordered = self._ordered(X)
        self.trees = [
            DecisionTreeRegressor(**self._parameters).fit(ordered, output, sample_weight) for output in outputs.T
        ]
        self._trees, self.columns = compact(join_trees([_trees_of(tree) for tree in self.trees]))
        return self

    def predict(self, X: Matrix) -> Outputs:
        """Return the means of the leaves, (n, K).

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n, K)
            In units of the teacher's outputs.
        """
        ordered = self._ordered(X)
        return np.column_stack([tree.predict(ordered) for tree in self.trees])

    def structure(self) -> Structure:
        """Return the trees of all outputs.

        Returns
        -------
        Trees
            One ensemble with all outputs.
        """
        return self._trees

    def encode(self, X: Matrix) -> Matrix:
        """Return the columns that the trees read, with categories as ranks.

        Parameters
        ----------
        X : ndarray or csr_matrix of shape (n, f)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n, g)
            A row for each row.
        """
        return _dense(self._ordered(X)[:, self.columns])

    def _ordered(self, X: Matrix) -> Matrix:
        if not self._ranks:
            return X
        ordered = X.copy()
        for j, ranks in self._ranks.items():
            known = ~np.isnan(X[:, j])
            ordered[known, j] = ranks[X[known, j].astype(np.intp)]
        return ordered


def _trees_of(model: Any) -> Trees:
    structure = describe(model).structure
    assert isinstance(structure, Trees)
    return structure


def _ranks(codes: Weights, n_codes: int, score: Weights, weights: Weights) -> Weights:
    """Return the rank of each category by its weighted mean score; categories without rows have the overall mean."""
    known = ~np.isnan(codes)
    own = codes[known].astype(np.intp)
    total = np.bincount(own, weights[known], minlength=n_codes)
    sums = np.bincount(own, (weights * score)[known], minlength=n_codes)
    middle = np.average(score, weights=weights)
    mean = np.divide(sums, total, out=np.full(n_codes, middle), where=total > 0)
    ranks = np.empty(n_codes)
    ranks[np.argsort(mean, kind="stable")] = np.arange(n_codes)
    return ranks


def _dense(X: Matrix) -> npt.NDArray[np.float64]:
    return np.asarray(X.toarray() if sparse.issparse(X) else X)
