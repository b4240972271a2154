"""`explain_model`, `retrieve_model_explanation` and `ModelExplanation`, which they return."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain._class_names import names_of_labels
from automl_explain.display._performance import Performance, measure
from automl_explain.display._row_view import RowExplanation, explain_row
from automl_explain.explainers._deep_explainer import DeepExplainer
from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers._tabular_explainer import OneTableExplainer, TabularExplainer
from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation
from automl_explain.explainers.explanation._notebook import importance_table
from automl_explain.explainers.model._explained_model import FeatureSpace, read_columns
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import ClassNames
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.neural._examples import as_examples, is_table, is_tensor
from automl_explain.explainers.tables._table import Table, as_table
from automl_explain.integrations._run_lookup import find_run
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ExplainerRecipe(Picklable):
    """What the explainer of an explanation is made of: making it again takes less memory than keeping it.

    Parameters
    ----------
    model : FittedModel
    background : Table
    options : mapping
        Options of `TabularExplainer`.
    """

    model: FittedModel
    background: Table
    options: Mapping[str, Any]

    def __call__(self) -> TabularExplainer:
        """Return the explainer."""
        return TabularExplainer(self.model, self.background, **self.options)

    def for_rows(self, n_rows: int) -> TabularExplainer:
        """Return the explainer for one table of `n_rows` rows."""
        return OneTableExplainer(n_rows, self.model, self.background, **self.options)


@dataclass(frozen=True, eq=False)
class ModelExplanation:
    """The explanation of a model, which unpacks to six values.

    The values are ``shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp``, in this
    order. An index selects rows: ``explained[17]`` is ``explained.row(17)``, and ``explained[:5]`` explains five rows.

    Parameters
    ----------
    explanation : Explanation
        The full explanation.
    model_kind : str or None
        "trial", "refit" or "ensemble" for a model of a search; otherwise None.
    run_id : str or None
        Id of the run that the model belongs to, if there is one.
    explainer : callable or None
        Makes the explainer again, for `scoring_explainer`. None: the explanation was read from a history.
    find_engineered : callable or None
        Returns the explanation of the same run over engineered columns, or None. None: there is no run.
    """

    explanation: Explanation
    model_kind: str | None = None
    run_id: str | None = None
    explainer: ExplainerRecipe | None = None
    find_engineered: Callable[[], Explanation | None] | None = None

    @property
    def shap_values(self) -> Values | list[Values]:
        """SHAP values: an array of shape (n, f) for regression, a list of C such arrays for classification."""
        values = self.explanation.local_importance_values
        assert values is not None
        return list(values) if self.explanation.is_classification else values

    @property
    def expected_values(self) -> Values:
        """Mean output over the background, of shape (C,), or (1,) for regression."""
        return self.explanation.expected_values

    @property
    def overall_summary(self) -> Values:
        """Mean absolute SHAP value of each feature, (f,), in descending order; for classification, the mean over classes."""
        return self.explanation.get_ranked_global_values()

    @property
    def overall_imp(self) -> list[Any]:
        """Feature names in the order of `overall_summary`; column numbers if there are no names."""
        return self.explanation.get_ranked_global_names()

    @property
    def per_class_summary(self) -> Values | None:
        """Mean absolute SHAP values by class, (C, f), each row in descending order; None for regression."""
        return self.explanation.get_ranked_per_class_values() if self.explanation.is_classification else None

    @property
    def per_class_imp(self) -> npt.NDArray[Any] | None:
        """Feature names in the order of `per_class_summary`, (C, f); None for regression."""
        return self.explanation.get_ranked_per_class_names() if self.explanation.is_classification else None

    def _six(self) -> tuple[Any, ...]:
        return (
            self.shap_values,
            self.expected_values,
            self.overall_summary,
            self.overall_imp,
            self.per_class_summary,
            self.per_class_imp,
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self._six())

    def __len__(self) -> int:
        return 6

    def __getitem__(self, rows: Any) -> Any:
        """Return one row as `row` does, or the explanation of several: a slice, a list of row numbers or a mask."""
        if isinstance(rows, Integral | str) and not isinstance(rows, bool):
            return self.row(rows)
        return replace(self, explanation=self.explanation[rows], find_engineered=None)

    def row(self, row: Any = None, class_: Any = None, *, label: Any = None) -> RowExplanation:
        """Return why one row was predicted so: its prediction, and the contribution of each of its cells.

        Parameters
        ----------
        row : int or object
            Number of the row among those explained, from 0; negative numbers count from the end. Anything that is no number
            is a label of the table's index.
        class_, label : object, optional
            The class whose values are shown, by default the second of two, or the predicted one of several; and a label that
            is a number, in place of `row`.
        """
        return explain_row(self.explanation, row, class_, label=label)

    def performance(self, y: Any) -> Performance:
        """Return how good the predictions of the explained rows are, with the best and the worst rows.

        `y` has their true labels or numbers; a pandas Series is matched with the rows by its index.
        """
        return measure(self.explanation, y)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explanation to one file, without pickle; `Explanation.load` reads it back."""
        self.explanation.save(path)

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Class labels in the order of the values; None for regression."""
        return self.explanation.classes

    @property
    def output_space(self) -> str:
        """Unit of the values: probability, log_odds, response or margin."""
        return self.explanation.output_space

    @property
    def method(self) -> str:
        """Name of the method that computed the values."""
        return self.explanation.method

    @property
    def reason(self) -> str:
        """Why that method was chosen."""
        return self.explanation.reason

    @property
    def additivity_error(self) -> float | None:
        """Largest difference between the model's output and the expected value plus the sum of the SHAP values."""
        return self.explanation.additivity_error

    @property
    def members(self) -> MemberExplanation | None:
        """Contributions of the members of an ensemble: if requested, and always for the ensemble of a search."""
        return self.explanation.members

    @property
    def raw(self) -> Explanation:
        """The explanation of the user's own columns."""
        return self.explanation.get_raw_explanation()

    @property
    def engineered(self) -> Explanation | None:
        """The explanation of the columns that the model reads; None if only raw columns were explained.

        A search explains both with ``explainability_options={"feature_space": "both"}``.
        """
        explanation = self.explanation
        if explanation.feature_map is not None or not explanation.is_raw:
            return explanation
        return None if self.find_engineered is None else self.find_engineered()

    def to_frame(self) -> pd.DataFrame:
        """Return a table of feature importance, most important first: an overall column and one column per class."""
        explanation = self.explanation
        table = pd.DataFrame({"overall": explanation.global_importance_values}, index=list(explanation.feature_labels))
        for label, values in zip(explanation.classes or (), self._class_values(), strict=True):
            table[label] = values
        return table.sort_values("overall", ascending=False, kind="stable").rename_axis("feature")

    def _class_values(self) -> Sequence[Values]:
        return list(self.explanation.per_class_values) if self.explanation.is_classification else []

    def __repr__(self) -> str:
        of = f" of {self.model_kind} {self.run_id}" if self.run_id else ""
        return f"ModelExplanation{of}({self.explanation!r})"

    def _repr_html_(self) -> str:
        return importance_table(self.explanation, title=repr(self))


def explain_model(
    fitted_model: Any,
    X_train: Any,
    X_test: Any,
    best_run: Run | str | None = None,
    features: Sequence[str] | None = None,
    y_train: Any = None,
    *,
    classes: ClassNames | None = None,
    output: str = "auto",
    feature_space: FeatureSpace = "engineered",
    members: bool = False,
    random_state: int = 0,
    progress: bool | None = None,
) -> ModelExplanation:
    """Explain any fitted model or ensemble.

    Parameters
    ----------
    fitted_model : object
        A fitted estimator, Pipeline, search, FLAML AutoML, booster, neural network, or a predict function.
    X_train : ndarray, DataFrame or csr_matrix of shape (B, f)
        The background: rows that provide the values of absent features. Expected values are the mean output over it. For a
        neural network also arrays or tensors of shape (B, ...), such as images, and a list or mapping of several inputs, as
        `DeepExplainer` takes them.
    X_test : ndarray, DataFrame or csr_matrix of shape (n, f)
        The rows to explain.
    best_run : Run, str, AutoML or Optuna trial, optional
        A run, or an object that identifies one, with which the explanation is also stored. Default: it is not stored.
    features : sequence of str, optional
        Column names, for tables without names.
    y_train : array-like, optional
        Labels of `X_train`. Their sorted values are the class names of a model whose classes are 0, 1, ... Labels that
        cannot be matched with these codes with certainty are refused, such as categories in an order of their own.
    classes : sequence or mapping, optional
        Class names to show, in the model's order, or ``{label: name}`` for the model's labels. Default: those of `y_train`
        or of the model.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the output in which the model is additive.
    feature_space : {"engineered", "raw"}, default "engineered"
        Explain the columns that the model's last step reads ("engineered"), or the columns of the table ("raw").
    members : bool, default False
        Also compute the contributions of the members of an ensemble: `ModelExplanation.members`.
    random_state : int, default 0
        Seed of sampled coalitions.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Returns
    -------
    ModelExplanation
        Unpacks to ``shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp``.

    Raises
    ------
    UnsupportedModelError
        If the model cannot be explained, or `members` is True and it has no members.
    NotFittedError
        If the model is not fitted.
    InvalidInputError
        If a table or parameter does not match the model.

    Examples
    --------
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import explain_model
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = LGBMRegressor(n_estimators=20, verbose=-1).fit(X, y)
    >>> shap_values, expected_values, values, names, _, _ = explain_model(model, X, X.iloc[:10])
    >>> shap_values.shape, names[0]
    ((10, 10), 's5')
    """
    run = None if best_run is None else find_run(best_run)
    if not is_table(X_train) or is_tensor(X_train):
        options = {"features": features, "output": output, "random_state": random_state, "progress": progress}
        explanation = _of_network(fitted_model, X_train, X_test, classes, y_train, members, options)
        return _stored(explanation, run, explanation.model_kind)
    described = describe(fitted_model, X_train)
    background, rows = as_table(X_train, "X_train"), as_table(X_test, "X_test")
    if classes is None and y_train is not None:
        read = read_columns(background, described.input_names, features, described.n_inputs, "X_train")
        classes = names_of_labels(y_train, described, read)
    recipe = ExplainerRecipe(
        described,
        background,
        {
            "features": features,
            "classes": classes,
            "output": output,
            "feature_space": feature_space,
            "random_state": random_state,
            "progress": progress,
        },
    )
    explainer = recipe.for_rows(len(rows))
    shares = explainer.explain_members(rows) if members else None
    return _stored(replace(explainer.explain_local(rows), members=shares), run, described.kind, recipe)


def _of_network(
    network: Any,
    X_train: Any,
    X_test: Any,
    classes: ClassNames | None,
    y_train: Any,
    members: bool,
    options: dict[str, Any],
) -> Explanation:
    """Return the explanation of a network whose examples are not a table."""
    if members:
        raise UnsupportedModelError(
            "explain_members expects an ensemble of models over a table. Got examples of a network: leave out members=True."
        )
    explainer = DeepExplainer(network, X_train, classes=classes, **options)
    if classes is None and y_train is not None:
        background = Table(as_examples(X_train, "X_train").flat())
        named = names_of_labels(y_train, explainer.model, background)
        explainer = DeepExplainer(network, X_train, classes=named, **options)
    return explainer.explain_local(X_test)


def _stored(
    explanation: Explanation, run: Run | None, kind: str | None, recipe: ExplainerRecipe | None = None
) -> ModelExplanation:
    """Return an explanation, which is also stored with a run if there is one."""
    if run is None:
        return ModelExplanation(explanation, kind, None, recipe)
    run.history.store(run.id, explanation)
    return ModelExplanation(explanation, kind or run.kind, run.id, recipe)


def retrieve_model_explanation(run: Any, *, history: RunHistory | None = None) -> ModelExplanation:
    """Return the explanation of a run, such as one made during its search.

    Parameters
    ----------
    run : Run, str, AutoML, Optuna trial or MLflow run
        A run, its id, an AutoML object fitted with ``model_explainability=True``, a trial that a `TrialExplainer` captured,
        or an MLflow run with explanations. An AutoML object identifies the model that its `predict` uses.
    history : RunHistory, optional
        History in which an id is looked up. Default: the default history. A trial records where its history is.

    Returns
    -------
    ModelExplanation

    Raises
    ------
    RunNotFoundError
        If there is no such run.
    ExplanationNotFoundError
        If the run has no explanation. The message gives its status, the reason, and how to get an explanation.
    """
    found = find_run(run, history)
    explanation = found.explanation
    kind = explanation.model_kind or found.kind
    return ModelExplanation(explanation, kind, found.id, find_engineered=partial(_engineered_of, found))


def _engineered_of(run: Run) -> Explanation | None:
    """Return the most recent explanation of a run over engineered columns."""
    kept = [stored for stored in run.history.explanations(run.id) if not stored.is_raw]
    return run.history.explanation(run.id, kept[-1].id) if kept else None
