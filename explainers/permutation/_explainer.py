"""`PFIExplainer`: how much worse a model scores when one column is shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers._validation import nearest
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._row_sampling import as_policy
from automl_explain.explainers.explanation._selection import find_features
from automl_explain.explainers.model._explained_model import behind, read_columns
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import given_names, input_names
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.model._task import with_task
from automl_explain.explainers.permutation._cached_estimator import StandIn, as_estimator
from automl_explain.explainers.permutation._permuted_copies import Copy, draw_orders, is_constant, permuted_copies
from automl_explain.explainers.permutation._permuted_trees import PermutedTrees, can_walk_again
from automl_explain.explainers.permutation._scorer import Metric, find_metric
from automl_explain.explainers.tables._table import Table, as_table


class PFIExplainer(Picklable):
    """Permutation feature importance: the decrease of a score when one column is shuffled.

    Numbers are those of `sklearn.inspection.permutation_importance` with the same random state, bit by bit. Of a tree
    ensemble only the trees are walked again that test the shuffled column on a row's path; any other model predicts
    each shuffled copy.

    Parameters
    ----------
    model : object
        A fitted estimator, Pipeline, search, booster, or a function from a table to predictions.
    metric : str or callable, optional
        Name of a scikit-learn scorer such as "roc_auc" or "neg_log_loss"; a scorer, called with estimator, X and y; one
        of scikit-learn's metric functions, whose sign is known; or a function of true and predicted values. Default: the
        model's own score, accuracy or R2.
    is_error_metric : bool, optional
        Of a metric function of your own: whether less is better.
    n_repeats : int, default 5
        Times that each column is shuffled.
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence, optional
        Class names in the model's order, in which true labels may be given.
    random_state : int or RandomState, default 0
        Seed of the permutations; the global random state is never touched.
    n_jobs : int, optional
        Threads that walk trees; default: all cores of the process.
    progress : bool, optional
        True: a progress bar; False: none; default: one that appears after two seconds.
    transformations, model_task
        As in `TabularExplainer`.
    explain_subset : sequence of str or int, optional
        Columns that are shuffled, by name or position; others are left as they are and out of the explanation.

    Raises
    ------
    UnsupportedModelError
        If nothing can be predicted with the model.
    InvalidInputError
        If a table, the labels or a parameter does not fit the model.

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

    def __init__(
        self,
        model: Any,
        *,
        metric: Any = None,
        is_error_metric: bool | None = None,
        n_repeats: int = 5,
        features: Sequence[str] | None = None,
        classes: Sequence[Any] | None = None,
        transformations: Any = None,
        model_task: str | None = None,
        explain_subset: Sequence[Any] | None = None,
        random_state: Any = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> None:
        if isinstance(n_repeats, bool) or not isinstance(n_repeats, int | np.integer) or n_repeats < 1:
            raise InvalidInputError(f"The 'n_repeats' parameter must be an integer, 1 or more. Got {n_repeats!r}.")
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
        """Measure how much each column matters to the score.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f)
            Rows as the model takes them.
        true_labels : array-like of shape (n,)
            Their true labels or responses.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the score.
        sampling_policy : SamplingPolicy or int, optional
            Shuffle and score a draw of so many rows instead of all, with their labels and weights; the explanation's notes
            say so.

        Returns
        -------
        Explanation
            Global only: `global_importance_values` are means over the repeats, `importances` (f, n_repeats) the repeats,
            `importances_std` their standard deviations, `expected_values` the score without shuffling.

        Raises
        ------
        InvalidInputError
            If labels are missing, of another number, or unknown to the model; if the metric cannot be computed.
        """
        given = as_table(X)
        model = behind(self._transformations, self.model, given)
        read = describe(model, given.data)
        described = with_task(read, self._model_task)
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
        baseline, importances, trees = self._measure(
            estimator, described, table, metric, labels, weights, orders, columns
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
            + ("only trees that test the column are walked again" if trees else "from the model's predictions"),
            is_raw=True,
            model_kind=described.kind,
            global_values=importances.mean(axis=1),
            importances=importances,
            kind="permutation",
            metric=metric.name,
            notes=notes,
        )
        return explanation.select(self._explain_subset, why="chosen by explain_subset")

    def explain_local(self, X: Any) -> Explanation:
        """Raise: a score belongs to a whole table, and permutation importance has no values of single rows."""
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
        """Return the score as it is, its decreases (f, n_repeats) by shuffling `columns`, and whether trees were walked."""
        trees = PermutedTrees(described, table, orders, self._n_jobs) if can_walk_again(described) else None
        copies, most = permuted_copies(table, orders, None if trees else 1)
        stand_in = StandIn(estimator, table, copies, trees)
        baseline = _first_score(metric, stand_in, table, labels, weights)
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
                stand_in.use(batch)
                for position, copy in enumerate(batch):
                    permuted = stand_in.show(position)
                    scores[copy.column, copy.repeat] = metric.scorer(stand_in, permuted, labels, **weights)
                advance(len(batch))
        if not np.isfinite(scores).all():
            column = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
            raise InvalidInputError(
                f"The metric {metric.name!r} is no finite number once column {column} is shuffled, so the column has no "
                "importance by it. Use a metric that is defined for any prediction."
            )
        return baseline, baseline - scores, trees is not None


def _first_score(metric: Metric, stand_in: StandIn, table: Table, labels: Any, weights: dict[str, Any]) -> float:
    try:
        score = metric.scorer(stand_in, table.data, labels, **weights)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"The metric {metric.name!r} cannot be computed for this model and X: {error}"
        ) from error
    if not np.isscalar(score) or not np.isfinite(score):
        raise InvalidInputError(
            f"The metric {metric.name!r} must be one finite number. Got {score!r} for the rows as they are."
        )
    return float(score)  # type: ignore[arg-type]


def _read_labels(labels: Any, table: Table, model: FittedModel, classes: Sequence[Any] | None) -> npt.NDArray[Any]:
    if labels is None:
        raise InvalidInputError(
            "PFIExplainer needs the true labels of the rows: explain_global(X, true_labels=y). Without them there is no "
            "score that could decrease."
        )
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (len(table),):
        raise InvalidInputError(
            f"The 'true_labels' parameter must give one label for each of the {len(table)} rows. Got shape {array.shape}."
        )
    if pd.isna(array).any():
        raise InvalidInputError(
            f"The 'true_labels' parameter must not be missing. Got {int(pd.isna(array).sum())} NaN."
        )
    if classes is not None and len(classes) != len(model.classes or ()):
        raise InvalidInputError(
            f"The 'classes' parameter must name {len(model.classes or ())} classes (the model predicts "
            f"{len(model.classes or ())}). Got {len(classes)}: {list(classes)}."
        )
    if model.classes is None:
        if array.dtype.kind not in "biuf":
            raise InvalidInputError(
                f"The 'true_labels' parameter must be numbers, since {model.name} is a regression. Got {array[:3].tolist()}."
            )
        return array
    return _as_classes(array, model, classes)


def _as_classes(labels: npt.NDArray[Any], model: FittedModel, classes: Sequence[Any] | None) -> npt.NDArray[Any]:
    """Return labels as the model predicts them; they may be given as the names of its classes."""
    assert model.classes is not None
    present = set(labels.tolist())
    if present <= set(model.classes):
        return labels
    if classes is not None and present <= set(classes):
        known = dict(zip(classes, model.classes, strict=True))
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
    weights = np.asarray(sample_weight)
    if weights.shape != (n_rows,) or weights.dtype.kind not in "biuf" or not np.isfinite(weights).all():
        raise InvalidInputError(
            f"The 'sample_weight' parameter must give a finite number for each of the {n_rows} rows. "
            f"Got shape {weights.shape} of {weights.dtype}."
        )
    if (weights < 0).any() or not weights.any():
        raise InvalidInputError("The 'sample_weight' parameter must not be negative, nor 0 for every row.")
    return {"sample_weight": weights}
