"""`PFIExplainer`: permutation feature importance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._arguments import array_of, check_arguments, checked, nearest
from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError, UnsupportedModelError
from automl_explain.explainers._fallback import fall_back
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._selection import find_features
from automl_explain.explainers.model._explained_model import behind, read_columns
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import ClassNames, class_names, given_names, input_names
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._structures import Opaque
from automl_explain.explainers.model._task import with_task
from automl_explain.explainers.parts._row_sampling import as_policy
from automl_explain.explainers.permutation._cached_estimator import CachedEstimator, as_estimator
from automl_explain.explainers.permutation._permuted_copies import Copy, draw_orders, is_constant, permuted_copies
from automl_explain.explainers.permutation._permuted_trees import PermutedTrees, can_route_again
from automl_explain.explainers.permutation._scorer import Metric, find_metric
from automl_explain.explainers.tables._table import Table, as_table


class PFIExplainer(Picklable):
    """Permutation feature importance: the decrease of a score when one column is shuffled.

    The values are bit for bit those of `sklearn.inspection.permutation_importance` with the same random state. For tree
    ensembles, a row is routed again only through the trees that test the permuted column on its path. Other models predict
    each permuted copy.

    Parameters
    ----------
    model : object
        A fitted estimator, Pipeline, search, booster, or a function from a table to predictions.
    metric : str or callable, optional
        One of: the name of a scikit-learn scorer, such as "roc_auc" or "neg_log_loss"; a scorer, called with estimator, X
        and y; one of scikit-learn's metric functions; another function of true and predicted values, which needs
        `is_error_metric`. Default: the model's own score, usually accuracy or R2.
    is_error_metric : bool, optional
        Whether less is better, for a metric function that scikit-learn does not define.
    n_repeats : int, default 5
        Number of permutations of each column.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence or mapping, optional
        Class names in the model's order, or ``{label: name}``. True labels may be given as these names.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing to apply before `model`, such as a ColumnTransformer. All tables are then passed without it.
    model_task : {"classification", "regression"}, optional
        Task of a black-box model with one column of predictions. By default it is a regression; as a classification, the
        column holds probabilities of the second of two classes. Other models have a task of their own, which the parameter
        must not contradict.
    explain_subset : sequence of str or int, optional
        Columns to permute, by name or position. The explanation contains only these. Default: all columns.
    random_state : int or RandomState, default 0
        Seed of the permutations. The global random state is not used.
    n_jobs : int, optional
        Threads for routing rows through trees. Default: all cores available to the process.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model cannot predict.
    InvalidInputError
        If a table, the labels or a parameter does not match the model.

    References
    ----------
    Breiman, "Random Forests", doi:10.1023/A:1010933404324.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from automl_explain import PFIExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(X, y)
    >>> explanation = PFIExplainer(model, metric="r2").explain_global(X, true_labels=y)
    >>> explanation.get_ranked_global_names(top_k=2)
    ['s5', 'bmi']
    >>> explanation.importances.shape, explanation.importances_std.shape
    ((10, 5), (10,))
    """

    method = "permutation"

    @checked
    def __init__(
        self,
        model: Any,
        *,
        metric: Any = None,
        is_error_metric: bool | None = None,
        n_repeats: int = 5,
        features: Sequence[str] | None = None,
        classes: ClassNames | None = None,
        transformations: Any = None,
        model_task: str | None = None,
        explain_subset: Sequence[Any] | None = None,
        random_state: Any = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> None:
        find_metric(metric, model, is_error_metric)
        self.model = model
        self._metric, self._is_error_metric = metric, is_error_metric
        self._n_repeats, self._random_state = int(n_repeats), random_state
        self._features, self._classes = given_names(features), classes
        self._n_jobs, self._progress, self._explain_subset = n_jobs, progress, explain_subset
        self._model_task, self._transformations = model_task, transformations

    def explain_global(
        self, X: Any, true_labels: Any = None, *, sample_weight: Any = None, sampling_policy: Any = None
    ) -> Explanation:
        """Measure the decrease of the score when each column is shuffled.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f)
            Rows as the model takes them.
        true_labels : array-like of shape (n,)
            True labels or responses of the rows. Required.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the score. Default: equal weights.
        sampling_policy : SamplingPolicy or int, optional
            Permute and score a sample of the rows, of this size or drawn by this policy, with their labels and weights.
            Default: all rows. A note of the explanation gives the number of rows drawn.

        Returns
        -------
        Explanation
            Without local values. `importances`, (f, n_repeats), holds the decrease in each repeat,
            `global_importance_values` their means, `importances_std` their standard deviations, and `expected_values` the
            score of the original rows.

        Raises
        ------
        InvalidInputError
            If the labels are missing, do not match the rows, or are unknown to the model, or if the metric cannot be
            computed.
        """
        given = as_table(X)
        model = behind(self._transformations, self.model, given)
        read = describe(model, given.data)
        described = with_task(read, self._model_task)
        if described.task == "multitarget":
            raise UnsupportedModelError(
                f"This {described.name} predicts {described.n_outputs} targets at once, and permutation importance scores one "
                "target. Pass a function that predicts one of them, with its labels; the other explainers explain each target."
            )
        table = read_columns(given, described.input_names, self._features, described.n_inputs, "X")
        estimator = as_estimator(model if described is read else described, described)
        metric = find_metric(self._metric, estimator, self._is_error_metric)
        labels = _read_labels(true_labels, table, described, self._classes)
        weights = _read_weights(sample_weight, len(table))
        notes: tuple[str, ...] = ()
        if sampling_policy is not None:
            policy = as_policy(sampling_policy)
            rows = policy.choose_rows(len(table))
            labels, weights = labels[rows], {name: weight[rows] for name, weight in weights.items()}
            table, note = policy.choose(table)
            notes = () if note is None else (note,)
        orders = draw_orders(len(table), self._n_repeats, self._random_state)
        names = input_names(self._features, table, described)
        subset = find_features(self._explain_subset, names, table.n_columns, "explain_subset")
        columns = range(table.n_columns) if subset is None else subset.tolist()
        baseline, importances, trees, failed = _measured(
            lambda model: self._measure(estimator, model, table, metric, labels, weights, orders, columns), described
        )
        explanation = Explanation(
            None,
            np.array([baseline]),
            names,
            None,
            described.output_space,
            self.method,
            f"decrease of {metric.name} when a column is shuffled, mean of {self._n_repeats} "
            f"repeat{'s' if self._n_repeats > 1 else ''}; "
            + (
                "rows are routed again only through trees that test the column"
                if trees
                else "from the model's predictions"
            ),
            is_raw=True,
            model_kind=described.kind,
            global_values=importances.mean(axis=1),
            importances=importances,
            kind="permutation",
            metric=metric.name,
            notes=(*notes, *failed),
        )
        return explanation.select(self._explain_subset, why="chosen by explain_subset")

    def explain_local(self, X: Any) -> Explanation:
        """Raise `InvalidInputError`: permutation importance belongs to a whole table and has no values of single rows.

        Parameters
        ----------
        X : object
            Any rows.

        Returns
        -------
        Explanation
            Never: it raises.

        Raises
        ------
        InvalidInputError
            Always.
        """
        raise InvalidInputError(
            "PFIExplainer explains a table as a whole: use explain_global(X, true_labels=y), or TabularExplainer for rows."
        )

    def _measure(
        self,
        estimator: Any,
        described: FittedModel,
        table: Table,
        metric: Metric,
        labels: Any,
        weights: dict[str, Any],
        orders: npt.NDArray[np.intp],
        columns: Sequence[int],
    ) -> tuple[float, npt.NDArray[np.float64], bool]:
        """Return the original score, its decreases, (f, n_repeats), for `columns`, and whether trees were used."""
        trees = PermutedTrees(described, table, orders, self._n_jobs) if can_route_again(described) else None
        copies, most = permuted_copies(table, orders, None if trees else 1)
        cached = CachedEstimator(estimator, table, copies, trees)
        baseline = _first_score(metric, cached, table, labels, weights)
        todo = [
            Copy(column, repeat)
            for column in columns
            if not is_constant(table, column)
            for repeat in range(self._n_repeats)
        ]
        scores = np.full((table.n_columns, self._n_repeats), baseline)
        with progress_bar(len(todo), "shuffling columns", self._progress) as advance:
            for start in range(0, len(todo), most):
                batch = todo[start : start + most]
                cached.use(batch)
                for position, copy in enumerate(batch):
                    permuted = cached.show(position)
                    scores[copy.column, copy.repeat] = metric.scorer(cached, permuted, labels, **weights)
                advance(len(batch))
        if not np.isfinite(scores).all():
            column = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
            raise InvalidInputError(
                f"The metric {metric.name!r} is not a finite number when column {column} is shuffled. Use a metric that is "
                "defined for any prediction."
            )
        return baseline, baseline - scores, trees is not None


def _measured(
    measure: Callable[[FittedModel], tuple[float, npt.NDArray[np.float64], bool]], described: FittedModel
) -> tuple[float, npt.NDArray[np.float64], bool, list[str]]:
    """Return what is measured by routing rows again through trees, or else from predictions, and a note if that failed."""
    failed: list[str] = []

    def from_predictions(why: str) -> tuple[float, npt.NDArray[np.float64], bool]:
        failed.append(f"{why}: measured from predictions")
        return measure(replace(described, structure=Opaque(why, failed=True)))

    if not can_route_again(described):
        return *measure(described), failed
    what = "Routing rows again through the trees"
    return *fall_back(what, lambda: measure(described), from_predictions, raised=(AutoMLExplainError,)), failed


def _first_score(metric: Metric, cached: CachedEstimator, table: Table, labels: Any, weights: dict[str, Any]) -> float:
    try:
        score = metric.scorer(cached, table.data, labels, **weights)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"The metric {metric.name!r} cannot be computed for this model and X: {error}"
        ) from error
    if not np.isscalar(score) or not np.isfinite(score):
        raise InvalidInputError(
            f"The metric {metric.name!r} must be one finite number. Got {score!r} for the original rows."
        )
    return float(score)  # type: ignore[arg-type]


def _read_labels(labels: Any, table: Table, model: FittedModel, classes: ClassNames | None) -> npt.NDArray[Any]:
    if labels is None:
        raise InvalidInputError("PFIExplainer needs the true labels of the rows: explain_global(X, true_labels=y).")
    check_arguments({"true_labels": labels})
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (len(table),):
        raise InvalidInputError(
            f"The 'true_labels' parameter must give one label for each of the {len(table)} rows. Got shape {array.shape}."
        )
    if pd.isna(array).any():
        raise InvalidInputError(
            f"The 'true_labels' parameter must not have missing labels. Got {int(pd.isna(array).sum())} NaN."
        )
    names = class_names(classes, model)
    if model.classes is None:
        if array.dtype.kind not in "biuf":
            raise InvalidInputError(
                f"The 'true_labels' parameter must be numbers, since {model.name} is a regression. Got {array[:3].tolist()}."
            )
        return array
    return _as_classes(array, model, names)


def _as_classes(labels: npt.NDArray[Any], model: FittedModel, names: tuple[Any, ...] | None) -> npt.NDArray[Any]:
    """Return the labels as the model's classes; they may be given as the class names of the caller."""
    assert model.classes is not None
    present = set(labels.tolist())
    if names is not None and names != model.classes and present <= set(names) & set(model.classes):
        raise InvalidInputError(
            f"The 'true_labels' parameter is ambiguous: {sorted(present, key=str)[:5]} are both the model's own classes and "
            "names of other classes in the 'classes' parameter. Leave out 'classes', which permutation importance does not show."
        )
    if present <= set(model.classes):
        return labels
    if names is not None and present <= set(names):
        known = dict(zip(names, model.classes, strict=True))
        return np.asarray([known[label] for label in labels.tolist()])
    unknown = sorted(present - set(model.classes), key=str)[:5]
    guess = nearest(str(unknown[0]), [str(label) for label in model.classes])
    raise InvalidInputError(
        f"The 'true_labels' parameter must hold the model's classes {list(model.classes)[:8]}. Got {unknown}."
        + (f" Did you mean {guess!r}?" if guess else "")
    )


def _read_weights(sample_weight: Any, n_rows: int) -> dict[str, Any]:
    if sample_weight is None:
        return {}
    weights = array_of(sample_weight, "The 'sample_weight' parameter must give a finite number for each row")
    if weights.shape != (n_rows,) or weights.dtype.kind not in "biuf" or not np.isfinite(weights).all():
        raise InvalidInputError(
            f"The 'sample_weight' parameter must give a finite number for each of the {n_rows} rows. "
            f"Got shape {weights.shape} of {weights.dtype}."
        )
    if (weights < 0).any() or not weights.any():
        raise InvalidInputError("The 'sample_weight' parameter must not be negative, nor 0 for every row.")
    return {"sample_weight": weights}
