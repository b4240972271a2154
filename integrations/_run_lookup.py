"""Find the run of an outside object, such as a trial or a search: the table behind `retrieve_model_explanation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_explain.explainers._errors import ExplanationNotFoundError, InvalidInputError
from automl_explain.explainers.model._registry import load, type_names
from automl_explain.integrations.history._run import Run

if TYPE_CHECKING:
    from automl_explain.integrations.history._run_history import RunHistory

_PLACE = "automl_explain.integrations"

FINDERS: dict[str, str] = {
    "optuna.BaseTrial": f"{_PLACE}.searches.optuna._lookup:run_of_trial",
    "sklearn.BaseSearchCV": f"{_PLACE}.sklearn_search:run_of_search",
    "optuna.Study": f"{_PLACE}.searches.optuna._lookup:run_of_study",
    "mlflow.Run": f"{_PLACE}.mlflow:run_of_mlflow",
}
"""Class, named as in the table of readers -> function from the object and a history or None to its `Run`."""


def find_run(source: Any, history: RunHistory | None = None) -> Run:
    """Return the run of an object.

    Parameters
    ----------
    source : Run, str, or object
        A run, its id, an object of a class in `FINDERS`, or one with a `final_run`, such as an AutoML object.
    history : RunHistory, optional
        Where to look. Default: the history of the object if it has one, otherwise the default history.

    Raises
    ------
    InvalidInputError
        If the object is of a kind that has no run.
    ExplanationNotFoundError
        If the object has no run.
    """
    if isinstance(source, Run):
        return source
    if isinstance(source, str):
        from automl_explain.integrations.history._run_history import RunHistory

        return (history or RunHistory()).run(source)
    for name in type_names(source):
        if name in FINDERS:
            found = load(FINDERS[name])(source, history)
            assert isinstance(found, Run)
            return found
    if not hasattr(source, "final_run"):
        raise InvalidInputError(
            "A run must be a Run, a run id, an automl_explain.integrations.flaml.AutoML, an Optuna trial, a "
            "scikit-learn search, or an MLflow run. Got "
            f"{type(source).__module__}.{type(source).__qualname__}. Explain a fitted model with explain_model."
        )
    run = source.final_run
    if run is None:
        raise ExplanationNotFoundError(
            f"This {type(source).__name__} has no explained runs: fit it with model_explainability=True."
        )
    assert isinstance(run, Run)
    return run
