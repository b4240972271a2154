"""Explainers, model structures and `Explanation`. This package does not depend on any AutoML library."""

from typing import TYPE_CHECKING

from automl_explain.explainers._lazy import lazy_names

if TYPE_CHECKING:
    from automl_explain.explainers._deep_explainer import DeepExplainer
    from automl_explain.explainers._errors import *
    from automl_explain.explainers._tabular_explainer import (
        KernelExplainer,
        LinearExplainer,
        TabularExplainer,
    )
    from automl_explain.explainers._tree_explainer import TreeExplainer
    from automl_explain.explainers.deletion._faithfulness import Faithfulness
    from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation
    from automl_explain.explainers.explanation._fidelity import Fidelity
    from automl_explain.explainers.explanation._global_importance import GlobalImportance
    from automl_explain.explainers.faithfulness._measure import measure_faithfulness
    from automl_explain.explainers.image._explainer import ImageExplainer
    from automl_explain.explainers.image._explanation import ImageExplanation
    from automl_explain.explainers.lime._explainer import LIMEExplainer
    from automl_explain.explainers.methods._rules import describe_rules
    from automl_explain.explainers.methods._settings import SamplingOptions
    from automl_explain.explainers.model._feature_map import FeatureMap
    from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture
    from automl_explain.explainers.model._registry import describe, register
    from automl_explain.explainers.model._structures import Linear, Opaque, OwnValues
    from automl_explain.explainers.neural._network import Network, NetworkInput
    from automl_explain.explainers.parts._partial_importance import PartialImportance
    from automl_explain.explainers.parts._row_sampling import SamplingPolicy
    from automl_explain.explainers.permutation._explainer import PFIExplainer
    from automl_explain.explainers.scoring._explainer import ScoringExplainer
    from automl_explain.explainers.scoring._inspecting import inspect_bundle
    from automl_explain.explainers.scoring._kinds import (
        DeepScoringExplainer,
        KernelScoringExplainer,
        LinearScoringExplainer,
        TreeScoringExplainer,
    )
    from automl_explain.explainers.scoring._row_columns import RowColumns
    from automl_explain.explainers.scoring._saving import load, save
    from automl_explain.explainers.surrogate._explainable_model import ExplainableModel
    from automl_explain.explainers.surrogate._explainer import MimicExplainer
    from automl_explain.explainers.surrogate._linear_models import LinearExplainableModel, SGDExplainableModel
    from automl_explain.explainers.surrogate._tree_models import DecisionTreeExplainableModel, LGBMExplainableModel
    from automl_explain.explainers.text._explanation import TextExplanation
    from automl_explain.explainers.text._text_values import TextValues
    from automl_explain.explainers.text.games._explainer import TextExplainer
    from automl_explain.explainers.text.han._explainer import HANTextExplainer
    from automl_explain.explainers.trees._tree_ensemble import Trees

_PLACE = "automl_explain.explainers"
_MODULES = {
    **dict.fromkeys(("KernelExplainer", "LinearExplainer", "TabularExplainer"), f"{_PLACE}._tabular_explainer"),
    **dict.fromkeys(
        (
            "AdditivityError",
            "AdditivityWarning",
            "AutoMLExplainError",
            "AutoMLExplainWarning",
            "ColumnMismatchError",
            "ExternalModelError",
            "ExplanationNotFoundError",
            "FormatVersionError",
            "HistoryError",
            "InvalidInputError",
            "MissingExtraError",
            "NotFittedError",
            "RunNotFoundError",
            "UnsupportedModelError",
            "UnsupportedTaskError",
            "UntrustedModelError",
        ),
        f"{_PLACE}._errors",
    ),
    **dict.fromkeys(("Composite", "FittedModel", "Mixture"), f"{_PLACE}.model._fitted_model"),
    **dict.fromkeys(("Linear", "Opaque", "OwnValues"), f"{_PLACE}.model._structures"),
    **dict.fromkeys(("describe", "register"), f"{_PLACE}.model._registry"),
    "DeepExplainer": f"{_PLACE}._deep_explainer",
    "Explanation": f"{_PLACE}.explanation._explanation",
    "Faithfulness": f"{_PLACE}.deletion._faithfulness",
    "ExplainableModel": f"{_PLACE}.surrogate._explainable_model",
    **dict.fromkeys(("DecisionTreeExplainableModel", "LGBMExplainableModel"), f"{_PLACE}.surrogate._tree_models"),
    **dict.fromkeys(("LinearExplainableModel", "SGDExplainableModel"), f"{_PLACE}.surrogate._linear_models"),
    "FeatureMap": f"{_PLACE}.model._feature_map",
    "GlobalImportance": f"{_PLACE}.explanation._global_importance",
    **dict.fromkeys(("Network", "NetworkInput"), f"{_PLACE}.neural._network"),
    "ImageExplainer": f"{_PLACE}.image._explainer",
    "ImageExplanation": f"{_PLACE}.image._explanation",
    "LIMEExplainer": f"{_PLACE}.lime._explainer",
    "PFIExplainer": f"{_PLACE}.permutation._explainer",
    "Fidelity": f"{_PLACE}.explanation._fidelity",
    "MemberExplanation": f"{_PLACE}.explanation._explanation",
    "MimicExplainer": f"{_PLACE}.surrogate._explainer",
    "SamplingOptions": f"{_PLACE}.methods._settings",
    "PartialImportance": f"{_PLACE}.parts._partial_importance",
    "RowColumns": f"{_PLACE}.scoring._row_columns",
    "SamplingPolicy": f"{_PLACE}.parts._row_sampling",
    "ScoringExplainer": f"{_PLACE}.scoring._explainer",
    **dict.fromkeys(
        ("DeepScoringExplainer", "KernelScoringExplainer", "LinearScoringExplainer", "TreeScoringExplainer"),
        f"{_PLACE}.scoring._kinds",
    ),
    "inspect_bundle": f"{_PLACE}.scoring._inspecting",
    **dict.fromkeys(("load", "save"), f"{_PLACE}.scoring._saving"),
    "TextExplainer": f"{_PLACE}.text.games._explainer",
    "HANTextExplainer": f"{_PLACE}.text.han._explainer",
    "TextExplanation": f"{_PLACE}.text._explanation",
    "TextValues": f"{_PLACE}.text._text_values",
    "TreeExplainer": f"{_PLACE}._tree_explainer",
    "Trees": f"{_PLACE}.trees._tree_ensemble",
    "measure_faithfulness": f"{_PLACE}.faithfulness._measure",
    "describe_rules": f"{_PLACE}.methods._rules",
}

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
__all__ = sorted(_MODULES)
