"""The mathematics of explaining: structures, explainers and the Explanation. Knows no AutoML library."""

from typing import TYPE_CHECKING

from automl_explain.explainers._lazy import lazy_names

if TYPE_CHECKING:
    from automl_explain.explainers._errors import *
    from automl_explain.explainers._explainer import (
        KernelExplainer,
        LinearExplainer,
        TabularExplainer,
    )
    from automl_explain.explainers._explanation import Explanation
    from automl_explain.explainers._feature_map import FeatureMap
    from automl_explain.explainers._fidelity import Fidelity
    from automl_explain.explainers._global_importance import GlobalImportance
    from automl_explain.explainers._lime import LIMEExplainer
    from automl_explain.explainers._member_explanation import MemberExplanation
    from automl_explain.explainers._mimic import MimicExplainer
    from automl_explain.explainers._model import Composite, FittedModel, Linear, Mixture, Opaque, OwnValues
    from automl_explain.explainers._permutation import PFIExplainer
    from automl_explain.explainers._registry import describe, register
    from automl_explain.explainers._rules import describe_rules
    from automl_explain.explainers._sampling import SamplingPolicy
    from automl_explain.explainers._surrogates import (
        DecisionTreeExplainableModel,
        ExplainableModel,
        LGBMExplainableModel,
        LinearExplainableModel,
        SGDExplainableModel,
    )
    from automl_explain.explainers._tree_explainer import TreeExplainer
    from automl_explain.explainers._trees import Trees

_PLACE = "automl_explain.explainers"
_MODULES = {
    **dict.fromkeys(("KernelExplainer", "LinearExplainer", "TabularExplainer"), f"{_PLACE}._explainer"),
    **dict.fromkeys(
        (
            "AdditivityError",
            "AdditivityWarning",
            "AutoMLExplainError",
            "AutoMLExplainWarning",
            "ColumnMismatchError",
            "ExplanationNotFoundError",
            "FormatVersionError",
            "HistoryError",
            "InvalidInputError",
            "MissingExtraError",
            "NotFittedError",
            "RunNotFoundError",
            "UnsupportedModelError",
            "UnsupportedTaskError",
        ),
        f"{_PLACE}._errors",
    ),
    **dict.fromkeys(("Composite", "FittedModel", "Linear", "Mixture", "Opaque", "OwnValues"), f"{_PLACE}._model"),
    **dict.fromkeys(("describe", "register"), f"{_PLACE}._registry"),
    "Explanation": f"{_PLACE}._explanation",
    **dict.fromkeys(
        (
            "DecisionTreeExplainableModel",
            "ExplainableModel",
            "LGBMExplainableModel",
            "LinearExplainableModel",
            "SGDExplainableModel",
        ),
        f"{_PLACE}._surrogates",
    ),
    "FeatureMap": f"{_PLACE}._feature_map",
    "GlobalImportance": f"{_PLACE}._global_importance",
    "LIMEExplainer": f"{_PLACE}._lime",
    "PFIExplainer": f"{_PLACE}._permutation",
    "Fidelity": f"{_PLACE}._fidelity",
    "MemberExplanation": f"{_PLACE}._member_explanation",
    "MimicExplainer": f"{_PLACE}._mimic",
    "SamplingPolicy": f"{_PLACE}._sampling",
    "TreeExplainer": f"{_PLACE}._tree_explainer",
    "Trees": f"{_PLACE}._trees",
    "describe_rules": f"{_PLACE}._rules",
}

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
__all__ = sorted(_MODULES)
