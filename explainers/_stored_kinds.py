"""Which kinds of explanation can be stored: `Explanation.load`, the run history and MLflow read all of them."""

from __future__ import annotations

_PLACE = "automl_explain.explainers"

STORED_KINDS = {
    "explanation": f"{_PLACE}.explanation._explanation:Explanation",
    "image explanation": f"{_PLACE}.image._explanation:ImageExplanation",
    "text explanation": f"{_PLACE}.text._explanation:TextExplanation",
}
"""Kind of a bundle -> the class of the explanations stored in it. The front door registers them."""
