"""Explanations for every model an AutoML search finds.

>>> from automl_explain import explain_model, retrieve_model_explanation
"""

from typing import TYPE_CHECKING

from automl_explain.explainers import _MODULES as _EXPLAINERS
from automl_explain.explainers._lazy import lazy_names
from automl_explain.explainers._registry import register_all
from automl_explain.integrations._readers import READERS

if TYPE_CHECKING:
    from automl_explain._automl_config import AutoMLConfig
    from automl_explain._client import ExplanationClient
    from automl_explain._diff import ExplanationDiff
    from automl_explain._experiment import Experiment, ExperimentRun
    from automl_explain._explain_model import ModelExplanation, explain_model, retrieve_model_explanation
    from automl_explain._member_plots import plot_member_shares
    from automl_explain._plots import plot_global_importance, plot_local, plot_summary
    from automl_explain._report import save_plots, write_report
    from automl_explain._search_explanation import SearchExplanation
    from automl_explain._search_plots import plot_importance_history, plot_search_importance
    from automl_explain.engines._base import FinishedSearch, SearchEngine
    from automl_explain.engines._optuna import TrialLoss
    from automl_explain.explainers import *
    from automl_explain.integrations._history import RunHistory
    from automl_explain.integrations._options import ExplainabilityOptions
    from automl_explain.integrations._run import Run, StoredExplanation

_MODULES = {
    **_EXPLAINERS,
    **dict.fromkeys(
        ("ModelExplanation", "explain_model", "retrieve_model_explanation"), "automl_explain._explain_model"
    ),
    **dict.fromkeys(("plot_global_importance", "plot_local", "plot_summary"), "automl_explain._plots"),
    "plot_member_shares": "automl_explain._member_plots",
    **dict.fromkeys(("save_plots", "write_report"), "automl_explain._report"),
    "SearchExplanation": "automl_explain._search_explanation",
    **dict.fromkeys(("plot_importance_history", "plot_search_importance"), "automl_explain._search_plots"),
    "AutoMLConfig": "automl_explain._automl_config",
    **dict.fromkeys(("Experiment", "ExperimentRun"), "automl_explain._experiment"),
    **dict.fromkeys(("FinishedSearch", "SearchEngine"), "automl_explain.engines._base"),
    "TrialLoss": "automl_explain.engines._optuna",
    "ExplanationDiff": "automl_explain._diff",
    "ExplanationClient": "automl_explain._client",
    "ExplainabilityOptions": "automl_explain.integrations._options",
    **dict.fromkeys(("Run", "StoredExplanation"), "automl_explain.integrations._run"),
    "RunHistory": "automl_explain.integrations._history",
}

register_all(READERS)

__version__ = "0.1.0"
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
__all__ = sorted([*_MODULES, "__version__"])
