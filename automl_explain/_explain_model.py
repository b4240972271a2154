"""`explain_model`, `retrieve_model_explanation` and the six values they return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._tabular_explainer import TabularExplainer
from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation
from automl_explain.explainers.explanation._notebook import importance_table
from automl_explain.explainers.model._explained_model import FeatureSpace
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.tables._table import as_table
from automl_explain.integrations._run_lookup import find_run
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ModelExplanation:
    """The explanation of a model: six values, in this order, and all that stands behind them.

    Unpacks as ``shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp``.

    Parameters
    ----------
    explanation : Explanation
        Everything that was computed.
    model_kind : str or None
        "trial", "refit" or "ensemble" for a model of a search.
    run_id : str or None
        The run it belongs to.
    """

    explanation: Explanation
    model_kind: str | None = None
    run_id: str | None = None

    @property
    def shap_values(self) -> Values | list[Values]:
        """(n, f) for a regression, a list of C arrays (n, f) for a classification."""
        values = self.explanation.local_importance_values
        assert values is not None
        return list(values) if self.explanation.is_classification else values

    @property
    def expected_values(self) -> Values:
        """Mean output over the background: (C,), or (1,) for a regression."""
        return self.explanation.expected_values

    @property
    def overall_summary(self) -> Values:
        """Importance values, (f,), descending: mean absolute SHAP value, the mean over classes for a classification."""
        return self.explanation.get_ranked_global_values()

    @property
    def overall_imp(self) -> list[Any]:
        """Feature names in the order of `overall_summary`; column numbers when there are no names."""
        return self.explanation.get_ranked_global_names()

    @property
    def per_class_summary(self) -> Values | None:
        """Importance values of each class, (C, f), each row descending; None for a regression."""
        return self.explanation.get_ranked_per_class_values() if self.explanation.is_classification else None

    @property
    def per_class_imp(self) -> npt.NDArray[Any] | None:
        """Feature names in the order of `per_class_summary`, (C, f); None for a regression."""
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

    def __getitem__(self, position: int) -> Any:
        return self._six()[position]

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Class labels in the order of the values; None for a regression."""
        return self.explanation.classes

    @property
    def output_space(self) -> str:
        """Unit of the values: probability, log_odds or response."""
        return self.explanation.output_space

    @property
    def method(self) -> str:
        """The explainer that made the values."""
        return self.explanation.method

    @property
    def reason(self) -> str:
        """Why that explainer was chosen."""
        return self.explanation.reason

    @property
    def additivity_error(self) -> float | None:
        """Largest gap between expected value plus SHAP values and the model's output."""
        return self.explanation.additivity_error

    @property
    def members(self) -> MemberExplanation | None:
        """What each member of an ensemble brings, where that was asked for, and for the ensemble of a search."""
        return self.explanation.members

    @property
    def raw(self) -> Explanation:
        """The explanation over the user's own columns."""
        return self.explanation.get_raw_explanation()

    @property
    def engineered(self) -> Explanation | None:
        """The explanation over the columns that the model reads; None when only raw ones were explained."""
        explanation = self.explanation
        return explanation if explanation.feature_map is not None or not explanation.is_raw else None

    def to_frame(self) -> pd.DataFrame:
        """Return the importance of each feature as a table: overall, then a column per class, most important first."""
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
    classes: Sequence[Any] | None = None,
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
        A fitted estimator, Pipeline, search, FLAML AutoML, booster, or a predict function.
    X_train : ndarray, DataFrame or csr_matrix of shape (B, f)
        The background: expected values are the mean output over it.
    X_test : ndarray, DataFrame or csr_matrix of shape (n, f)
        The rows that are explained.
    best_run : Run, str, AutoML or Optuna trial, optional
        A run, or what stands for one, on which the explanation is stored as well.
    features : sequence of str, optional
        Column names, for tables without names.
    y_train : array-like, optional
        Labels of `X_train`: their sorted values name the classes of a model that knows only numbers.
    classes : sequence, optional
        Class names to show, in the model's order.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values; "auto" is the one in which the model is additive.
    feature_space : {"engineered", "raw"}, default "engineered"
        Explain the columns that the model's last step reads, or the table's own.
    members : bool, default False
        Say of an ensemble what each member brings as well: `ModelExplanation.members`.
    random_state : int, default 0
        Seed of sampled coalitions.
    progress : bool, optional
        True: a progress bar; False: none; default: one that appears after two seconds.

    Returns
    -------
    ModelExplanation
        Unpacks to ``shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp``.

    Raises
    ------
    UnsupportedModelError
        If the model cannot be explained, or has no members where these are asked for.
    NotFittedError
        If the model was never fitted.
    InvalidInputError
        If a table or parameter does not fit the model.

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
    described = describe(fitted_model, X_train)
    background, rows = as_table(X_train, "X_train"), as_table(X_test, "X_test")
    explainer = TabularExplainer(
        described,
        background,
        features=features,
        classes=_class_names(classes, y_train, described.classes),
        output=output,
        feature_space=feature_space,
        random_state=random_state,
        progress=progress,
    )
    shares = explainer.explain_members(rows) if members else None
    explanation = replace(explainer.explain_local(rows), members=shares)
    if run is None:
        return ModelExplanation(explanation, described.kind)
    run.history.store(run.id, explanation)
    return ModelExplanation(explanation, described.kind or run.kind, run.id)


def retrieve_model_explanation(run: Any, *, history: RunHistory | None = None) -> ModelExplanation:
    """Return the explanation that was made of a run during its search.

    Parameters
    ----------
    run : Run, str, AutoML, Optuna trial or MLflow run
        A run, its id, an AutoML object fitted with ``model_explainability=True``, which stands for the model that its
        `predict` uses, a trial that a `TrialExplainer` saw, or an MLflow run with explanations.
    history : RunHistory, optional
        Where to look up an id; default: the default history. A trial says itself where its history was.

    Returns
    -------
    ModelExplanation

    Raises
    ------
    RunNotFoundError
        If there is no such run.
    ExplanationNotFoundError
        If it has no explanation; the message says its status, why, and how to get one.
    """
    found = find_run(run, history)
    explanation = found.explanation
    return ModelExplanation(explanation, explanation.model_kind or found.kind, found.id)


def _class_names(classes: Sequence[Any] | None, y_train: Any, known: tuple[Any, ...] | None) -> Sequence[Any] | None:
    if classes is not None or y_train is None or known is None or tuple(known) != tuple(range(len(known))):
        return classes
    found = pd.Series(np.ravel(np.asarray(y_train))).dropna().unique()
    labels = np.sort(found).tolist() if found.dtype.kind in "biuf" else sorted(map(str, found))
    return labels if len(labels) == len(known) else None
