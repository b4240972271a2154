"""A scoring explainer as an MLflow model: logged as code with the bundle as its artifact, without pickle."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from automl_explain.deployment._requirements import pinned_requirements
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import MissingExtraError
from automl_explain.explainers.scoring._explainer import ScoringExplainer
from automl_explain.explainers.scoring._inspecting import inspect_bundle
from automl_explain.explainers.scoring._saving import load, save
from automl_explain.explainers.scoring.columns._schema import Column, is_missing
from automl_explain.explainers.tables._moments import is_zoned
from automl_explain.service.models._bundle_model import BundleModel
from automl_explain.service.protocols._mlflow import flat_columns

CODE = """import mlflow

from automl_explain.deployment._mlflow_model import scoring_model

mlflow.models.set_model(scoring_model(allow_pickle={allow_pickle}))
"""
"""The code that MLflow runs when it loads the model."""


@checked
def log_scoring_explainer(
    scorer: ScoringExplainer | str | os.PathLike[str],
    name: str = "scoring_explainer",
    *,
    allow_pickle: bool = False,
    **options: Any,
) -> Any:
    """Log a scoring explainer as a model of the active MLflow run.

    The model is logged as code, with the bundle as its artifact; nothing is pickled, unless the bundle has a pickle.
    ``mlflow models serve`` and `mlflow.pyfunc.load_model` answer a row for each row: the prediction, the outputs, the
    probabilities, the base values and the local importance values, with the names of ``POST /invocations`` of our own service.

    Parameters
    ----------
    scorer : ScoringExplainer or path-like
        A scoring explainer, or its bundle.
    name : str, default "scoring_explainer"
        Name of the model.
    allow_pickle : bool, default False
        Whether a model that the bundle keeps as a pickle may be loaded, here and by MLflow.
    **options
        Passed on to `mlflow.pyfunc.log_model`, such as `registered_model_name`.

    Returns
    -------
    mlflow.models.model.ModelInfo
        What MLflow knows of the model; its `model_uri` loads it.

    Raises
    ------
    MissingExtraError
        If MLflow is not installed.

    Examples
    --------
    >>> import mlflow
    >>> from automl_explain import log_scoring_explainer
    >>> with mlflow.start_run():  # doctest: +SKIP
    ...     info = log_scoring_explainer("my_directory")
    >>> mlflow.pyfunc.load_model(info.model_uri).predict(X_test)  # doctest: +SKIP
    """
    try:
        import mlflow
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    except ImportError as error:
        raise MissingExtraError("Logging a model needs mlflow: pip install 'automl-explain[mlflow]'") from error
    found = scorer if isinstance(scorer, ScoringExplainer) else load(scorer, allow_pickle=allow_pickle)
    inputs = Schema([ColSpec(_type(column), column.name, required=True) for column in found.schema.columns])
    params = ParamSchema([ParamSpec("explain", "boolean", True)])
    with tempfile.TemporaryDirectory() as folder:
        bundle = save(found, Path(folder) / "bundle", allow_pickle=allow_pickle)
        code = Path(folder) / "scoring_model.py"
        model_file = inspect_bundle(bundle)["model_file"] or {"packages": (), "runs_code": False}
        needed = pinned_requirements(*model_file["packages"])
        requirements = [f"automl-explain=={version('automl-explain')}", *needed]
        code.write_text(CODE.format(allow_pickle=model_file["runs_code"]), encoding="utf-8")
        return mlflow.pyfunc.log_model(
            name=name,
            python_model=str(code),
            artifacts={"bundle": str(bundle)},
            input_example=_example(found),
            signature=ModelSignature(inputs=inputs, params=params),
            pip_requirements=requirements,
            **options,
        )


def scoring_model(*, allow_pickle: bool = False) -> Any:
    """Return the `mlflow.pyfunc.PythonModel` that scores and explains with the bundle among its artifacts."""
    import mlflow

    class ScoringModel(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]  # MLflow has no types
        def load_context(self, context: Any) -> None:
            self.model = BundleModel(load(context.artifacts["bundle"], allow_pickle=allow_pickle))
            self.model.warm_up()

        def predict(
            self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
        ) -> pd.DataFrame:
            cells = {str(name): _cells(column) for name, column in model_input.items()}
            scored = self.model.score(cells, (params or {}).get("explain", True))
            return pd.DataFrame(flat_columns(self.model, scored))

    return ScoringModel()


def _example(scorer: ScoringExplainer) -> pd.DataFrame:
    """Return a row with the types of the signature."""
    row = pd.DataFrame(BundleModel(scorer).example())
    return row.astype(
        {column.name: "datetime64[ns]" for column in scorer.schema.columns if _type(column) == "datetime"}
    )


def _cells(column: pd.Series) -> list[Any]:
    return [None if is_missing(cell) else cell for cell in column.tolist()]


def _type(column: Column) -> str:
    """Return MLflow's type of a column."""
    if column.kind == "date":
        return "string" if is_zoned(column.dtype) else "datetime"  # MLflow's dates have no time zone
    if column.categories is None:
        return "double"
    kinds = {type(value) for value in column.categories}
    return {frozenset({bool}): "boolean", frozenset({int}): "long", frozenset({str}): "string"}.get(
        frozenset(kinds), "double"
    )
