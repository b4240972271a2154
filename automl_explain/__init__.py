"""Explanations of all models that an AutoML search finds.

>>> from automl_explain import explain_model, retrieve_model_explanation
"""

from typing import TYPE_CHECKING

from automl_explain.explainers import _MODULES as _EXPLAINERS
from automl_explain.explainers._lazy import lazy_names
from automl_explain.explainers._stored_kinds import STORED_KINDS
from automl_explain.explainers.model._registry import register_all
from automl_explain.explainers.parts._partitioned import register_partitioned
from automl_explain.explainers.scoring.external._bundled_format import register_formats
from automl_explain.explainers.stored._registry import register_kinds
from automl_explain.integrations._partitioned import PARTITIONED
from automl_explain.integrations.model_files._bundled_formats import BUNDLED_FORMATS
from automl_explain.integrations.readers._readers import READERS
from automl_explain.integrations.searches._listeners import register_listener

if TYPE_CHECKING:
    from automl_explain._client import ExplanationClient
    from automl_explain._explain_model import explain_model, retrieve_model_explanation
    from automl_explain._model_explanation import ModelExplanation
    from automl_explain._scoring import scoring_explainer
    from automl_explain.analysis._diff import ExplanationDiff
    from automl_explain.analysis._search_explanation import SearchExplanation
    from automl_explain.dashboard._dashboard import ExplanationDashboard
    from automl_explain.deployment._export import export_service
    from automl_explain.deployment._mlflow_model import log_scoring_explainer
    from automl_explain.deployment._score_file import ScoreFile
    from automl_explain.display._performance import Performance
    from automl_explain.display._row_view import RowExplanation
    from automl_explain.explainers import *
    from automl_explain.integrations.history._run import Run, StoredExplanation
    from automl_explain.integrations.history._run_history import RunHistory
    from automl_explain.integrations.model_files._load_model import load_model
    from automl_explain.integrations.searches._options import ExplainabilityOptions
    from automl_explain.integrations.searches._resume import resume_search
    from automl_explain.plots._dependence import importance_by_category, plot_dependence, plot_interactions
    from automl_explain.plots._explanation_plots import plot_global_importance, plot_local, plot_summary
    from automl_explain.plots._image_plots import plot_image
    from automl_explain.plots._member_plots import plot_member_shares
    from automl_explain.plots._performance_plots import plot_residuals
    from automl_explain.plots._search_plots import plot_importance_history, plot_search_importance
    from automl_explain.plots._text_plots import plot_text
    from automl_explain.report._write import save_plots, write_report
    from automl_explain.search._config import AutoMLConfig
    from automl_explain.search._experiment import Experiment, ExperimentRun
    from automl_explain.search.engines._base import FinishedSearch, SearchEngine
    from automl_explain.search.engines._optuna import TrialLoss
    from automl_explain.service._settings import ServiceLimits
    from automl_explain.service.server._app import create_app
    from automl_explain.streaming._explain_files import ExplainedFiles, explain_files

_MODULES = {
    **_EXPLAINERS,
    **dict.fromkeys(("explain_model", "retrieve_model_explanation"), "automl_explain._explain_model"),
    **dict.fromkeys(
        ("plot_global_importance", "plot_local", "plot_summary"), "automl_explain.plots._explanation_plots"
    ),
    **dict.fromkeys(
        ("importance_by_category", "plot_dependence", "plot_interactions"), "automl_explain.plots._dependence"
    ),
    "Performance": "automl_explain.display._performance",
    "RowExplanation": "automl_explain.display._row_view",
    "ModelExplanation": "automl_explain._model_explanation",
    "scoring_explainer": "automl_explain._scoring",
    "plot_image": "automl_explain.plots._image_plots",
    "plot_member_shares": "automl_explain.plots._member_plots",
    "plot_residuals": "automl_explain.plots._performance_plots",
    "plot_text": "automl_explain.plots._text_plots",
    **dict.fromkeys(("save_plots", "write_report"), "automl_explain.report._write"),
    "SearchExplanation": "automl_explain.analysis._search_explanation",
    **dict.fromkeys(("plot_importance_history", "plot_search_importance"), "automl_explain.plots._search_plots"),
    "AutoMLConfig": "automl_explain.search._config",
    **dict.fromkeys(("Experiment", "ExperimentRun"), "automl_explain.search._experiment"),
    **dict.fromkeys(("FinishedSearch", "SearchEngine"), "automl_explain.search.engines._base"),
    "TrialLoss": "automl_explain.search.engines._optuna",
    "ExplanationDiff": "automl_explain.analysis._diff",
    "ExplanationClient": "automl_explain._client",
    "ExplainabilityOptions": "automl_explain.integrations.searches._options",
    **dict.fromkeys(("Run", "StoredExplanation"), "automl_explain.integrations.history._run"),
    "ExplanationDashboard": "automl_explain.dashboard._dashboard",
    "ScoreFile": "automl_explain.deployment._score_file",
    "export_service": "automl_explain.deployment._export",
    "log_scoring_explainer": "automl_explain.deployment._mlflow_model",
    "create_app": "automl_explain.service.server._app",
    "ServiceLimits": "automl_explain.service._settings",
    **dict.fromkeys(("ExplainedFiles", "explain_files"), "automl_explain.streaming._explain_files"),
    "load_model": "automl_explain.integrations.model_files._load_model",
    "resume_search": "automl_explain.integrations.searches._resume",
    "RunHistory": "automl_explain.integrations.history._run_history",
}

register_all(READERS)
register_kinds(STORED_KINDS)
register_partitioned(PARTITIONED)
register_formats(BUNDLED_FORMATS)
register_listener("mlflow", "automl_explain.search._mlflow:log_runs")

__version__ = "0.1.0"
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
__all__ = sorted([*_MODULES, "__version__"])
