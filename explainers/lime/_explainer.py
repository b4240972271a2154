"""`LIMEExplainer`: a weighted linear model of the predictions around each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve

from automl_explain.explainers._agreement import DOUBLE_ROUNDING
from automl_explain.explainers._arguments import check_seed, checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.lime._perturbation import DISCRETIZERS, Drawn, Neighbourhood
from automl_explain.explainers.methods._explainer import RowExplainer, check_background
from automl_explain.explainers.model._explained_model import engineer, explained_model
from automl_explain.explainers.model._names import ClassNames, find_column
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.tables._table import Table, as_table, stack_rows

Floats = npt.NDArray[np.float64]

RIDGE = 1.0
"""Ridge penalty of the local models, as in the lime package."""
ROWS_AT_ONCE = 200_000
"""Rows predicted at a time if each explained row has its own samples."""


class LIMEExplainer(RowExplainer):
    """Tabular LIME: explains each row by a weighted linear model of the predictions around it.

    The local models are those of the `lime` package: ridge regressions, weighted by an exponential kernel of the distance
    from the row. Their inputs are indicators of whether a feature is in the row's bin or category, or standardized numbers
    if numeric columns stay continuous. Samples are drawn and predicted once for all rows, unless
    `sample_around_instance` is set. The values are the weights of the local models for all features and classes. They do
    not add up to the prediction. `local_fidelity` measures how well each local model fits.

    Parameters
    ----------
    model : object
        A fitted estimator, Pipeline, search, booster, or a function from a table to predictions.
    initialization_examples : ndarray or DataFrame of shape (B, f)
        Training rows, as the model takes them. Samples are drawn from their columns.
    discretizer : {"quartile", "decile"} or None, default "quartile"
        Bins of numeric columns. None: numeric columns stay continuous.
    nsamples : int, default 5000
        Number of samples around each row, including the row itself.
    kernel_width : float, optional
        Width of the kernel. Default: 0.75 times the square root of the number of features.
    sample_around_instance : bool, default False
        Draw continuous columns around each row instead of around the training mean. It needs ``discretizer=None``, and
        predicts `nsamples` rows for each row.
    categorical_features : sequence of str or int, optional
        Columns of categories, in addition to those that are not numeric.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence, optional
        Class names in the model's order.
    output : str, default "auto"
        Unit of the weights. "auto" is the probability if the model has one; otherwise as in `TabularExplainer`.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing to apply before `model`, such as a ColumnTransformer. All tables are then passed without it.
    weights : array-like of shape (B,), optional
        Weights of the background rows. Default: equal weights. Here the training rows.
    model_task : {"classification", "regression"}, optional
        Task of a black-box model with one column of predictions. By default it is a regression; as a classification, the
        column holds probabilities of the second of two classes. Other models have a task of their own, which the parameter
        must not contradict.
    explain_subset : sequence of str or int, optional
        Features to return, by name or position, in this order. The local models use all features. Default: all features.
    random_state : int, default 0
        Seed of the samples. The global random state is not used.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model cannot predict.
    InvalidInputError
        If a table or parameter does not match the model, or the table is sparse.

    References
    ----------
    Ribeiro, Singh and Guestrin, "Why Should I Trust You?", arXiv:1602.04938.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from automl_explain import LIMEExplainer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = RandomForestClassifier(n_estimators=20, random_state=0).fit(X, y)
    >>> explanation = LIMEExplainer(model, X, nsamples=1000).explain_local(X.iloc[:4])
    >>> explanation.local_importance_values.shape, explanation.local_fidelity.shape
    ((3, 4, 4), (3, 4))
    >>> sorted(explanation.get_ranked_local_names(top_k=2)[0, 0].tolist())
    ['petal length (cm)', 'petal width (cm)']
    """

    method = "lime"

    @checked
    def __init__(
        self,
        model: Any,
        initialization_examples: Any,
        *,
        discretizer: str | None = "quartile",
        nsamples: int = 5000,
        kernel_width: float | None = None,
        sample_around_instance: bool = False,
        categorical_features: Sequence[Any] = (),
        features: Sequence[str] | None = None,
        classes: ClassNames | None = None,
        output: str = "auto",
        transformations: Any = None,
        weights: Any = None,
        model_task: str | None = None,
        explain_subset: Sequence[Any] | None = None,
        random_state: int = 0,
        progress: bool | None = None,
    ) -> None:
        _check_settings(discretizer, kernel_width, sample_around_instance)
        check_seed(random_state)
        check_background(initialization_examples, type(self).__name__)
        explained = explained_model(
            model,
            initialization_examples,
            features=features,
            classes=classes,
            output=output,
            feature_space="raw",
            transformations=transformations,
            weights=weights,
            model_task=model_task,
            auto="probability",
        )
        super().__init__(explained, explain_subset)
        assert explained.background is not None
        training = _dense(explained.background, "initialization_examples")
        names, n_columns = self.features, training.n_columns
        categorical = [find_column(c, names, n_columns, "categorical_features") for c in categorical_features]
        self._hood = Neighbourhood(training, discretizer, categorical, sample_around_instance, explained.weights)
        self._n_samples, self._discretizer = int(nsamples), discretizer
        self._width = float(kernel_width or 0.75 * np.sqrt(n_columns))
        self._random_state, self._progress = random_state, progress

    def explain_local(self, X: Any) -> Explanation:
        """Fit a local model around each row.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n, f)
            Rows as the model takes them; a 1-D array or Series is one row.

        Returns
        -------
        Explanation
            `local_importance_values` are the weights of the features for each class. `intercepts` and `local_fidelity`, the
            weighted R2, belong to the local models. `expected_values` is the mean output over the samples.

        Raises
        ------
        ColumnMismatchError
            If the columns differ from those of the training rows.
        InvalidInputError
            If `X` is not a dense table, or the model cannot predict its rows.
        """
        rows, engineered = self._explained.read(_dense(as_table(X), "X"))
        drawn = self._hood.draw(self._n_samples - 1, np.random.default_rng(self._random_state))
        seen, predictions = self._hood.encode(rows), predict_finite(self.model, engineered.data, "X")
        fits, expected = self._fit(drawn, seen, predictions)
        single = self.model.classes is None
        weights = np.stack([fit.weights for fit in fits], axis=1)
        fidelity = np.stack([fit.fidelity for fit in fits], axis=1)
        intercepts = np.stack([fit.intercept for fit in fits], axis=1)
        explanation = Explanation(
            weights[0] if single else weights,
            expected,
            self.features,
            self.classes,
            self.model.output_space,
            self.method,
            f"a weighted linear model of {self._n_samples} samples around each row, kernel width {self._width:.3g}, "
            + ("numbers continuous" if self._discretizer is None else f"numbers in {self._discretizer} bins"),
            data=rows,
            predictions=predictions,
            is_raw=True,
            model_kind=self.model.kind,
            notes=(_say_fidelity(fidelity),),
            kind="local_linear",
            local_fidelity=fidelity[0] if single else fidelity,
            intercepts=intercepts[0] if single else intercepts,
        )
        return explanation.select(self._subset, why="chosen by explain_subset")

    def _predict(self, samples: Table) -> Floats:
        return predict_finite(self.model, engineer(self.model, samples, "the samples").data, "the samples")

    def _fit(self, drawn: Drawn, seen: Floats, predictions: Floats) -> tuple[list[Fit], Floats]:
        """Return the local model of each row and the mean output over all samples."""
        shared = None if drawn.neighbourhood.around_row else self._predict(drawn.table())
        fits, sums = [], np.zeros(predictions.shape[1])
        at_once = max(1, ROWS_AT_ONCE // self._n_samples)
        with progress_bar(len(seen), "explaining rows", self._progress) as advance:
            for start in range(0, len(seen), at_once):
                block = range(start, min(start + at_once, len(seen)))
                outputs = [shared] * len(block) if shared is not None else self._predict_around(drawn, seen[block])
                for row, around in zip(block, outputs, strict=True):
                    fits.append(
                        fit_around(drawn.inputs_for(seen[row]), np.vstack([predictions[row], around]), self._width)
                    )
                    sums += around.mean(axis=0)
                advance(len(block))
        return fits, sums / len(seen)

    def _predict_around(self, drawn: Drawn, seen: Floats) -> list[Floats]:
        """Return the outputs of the samples around each row, predicted in one call."""
        tables = [drawn.table_around(row) for row in seen]
        return np.split(self._predict(stack_rows(tables)), len(tables))


class Fit(NamedTuple):
    """A local model: weights, (K, f), intercepts, (K,), and weighted R2, (K,)."""

    weights: Floats
    intercept: Floats
    fidelity: Floats


def fit_around(design: Floats, outputs: Floats, kernel_width: float) -> Fit:
    """Fit a ridge regression, weighted by the distance from the first row.

    A sample at distance d has weight ``exp(-d^2 / (2 width^2))``. The intercept is not penalised.

    Parameters
    ----------
    design : ndarray, shape (S, f)
        The explained row, followed by its samples.
    outputs : ndarray, shape (S, K)
        Outputs of the model for these rows.
    kernel_width : float
        Width of the kernel.
    """
    squared = np.square(design - design[0]).sum(axis=1)
    return fit_weighted(design, outputs, np.exp(-squared / (2 * kernel_width**2)))


def fit_weighted(design: Floats, outputs: Floats, weight: Floats) -> Fit:
    """Fit a ridge regression to rows with weights (S,); the intercept is not penalised."""
    share = weight / weight.sum()
    centre, mean = share @ design, share @ outputs
    root = np.sqrt(weight)[:, None]
    columns, targets = (design - centre) * root, (outputs - mean) * root
    gram = columns.T @ columns
    gram[np.diag_indices_from(gram)] += RIDGE
    coef = solve(gram, columns.T @ targets, assume_a="pos")
    left, total = np.square(targets - columns @ coef).sum(axis=0), np.square(targets).sum(axis=0)
    constant = total <= weight.sum() * (DOUBLE_ROUNDING * mean) ** 2  # what is left of them is rounding of the mean
    fidelity = np.where(constant, 1.0, 1.0 - left / np.where(constant, 1.0, total))
    return Fit(coef.T, mean - centre @ coef, fidelity)


# ----------------------------------------------------------------------------------------------------------- private


def _check_settings(discretizer: Any, kernel_width: Any, around: bool) -> None:
    if discretizer is not None and (not isinstance(discretizer, str) or discretizer not in DISCRETIZERS):
        raise InvalidInputError(
            f"The 'discretizer' parameter must be one of {sorted(DISCRETIZERS)}, or None. Got {discretizer!r}."
        )
    if kernel_width is not None and not (isinstance(kernel_width, int | float | np.number) and kernel_width > 0):
        raise InvalidInputError(f"The 'kernel_width' parameter must be a number above 0. Got {kernel_width!r}.")
    if around and discretizer is not None:
        raise InvalidInputError(
            "sample_around_instance=True needs discretizer=None, since bins are not drawn around a row."
        )


def _dense(table: Table, what: str) -> Table:
    if table.is_sparse:
        raise InvalidInputError(
            f"LIMEExplainer draws a value for every cell and cannot take a sparse {what}. Pass {what}.toarray() if it is "
            "small enough, or use TabularExplainer, which takes sparse tables."
        )
    return table


def _say_fidelity(fidelity: Floats) -> str:
    return (
        f"weighted R2 of the local models: median {np.median(fidelity):.2f}, lowest {fidelity.min():.2f}; "
        "weights of a local model with a low R2 are not reliable"
    )
