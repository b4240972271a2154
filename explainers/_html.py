"""The notebook view of an explanation: one small table with bars, inline styles only."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from automl_explain.explainers._palette import BAR_COLOR

if TYPE_CHECKING:
    from automl_explain.explainers._explanation import Explanation

TOP = 10


def importance_table(explanation: Explanation, top_k: int = TOP) -> str:
    """Return an HTML table of the most important features, a bar for each."""
    names = [explanation.feature_labels[j] for j in np.argsort(-explanation.global_importance_values, kind="stable")]
    values = explanation.get_ranked_global_values()
    largest = float(values[0]) if len(values) and values[0] > 0 else 1.0
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(name)}</td><td>{value:.4g}</td><td style="text-align:left">'
        f'<div style="background:{BAR_COLOR};height:0.8em;width:{100 * max(value, 0) / largest:.1f}px"></div></td></tr>'
        for name, value in zip(names[:top_k], values[:top_k], strict=True)
    )
    shuffled = explanation.importances is not None
    head = "decrease of {} when shuffled" if shuffled else "mean |value| ({})"
    more = f"<p>{len(names) - top_k} further features</p>" if len(names) > top_k else ""
    error = explanation.additivity_error
    facts = [repr(explanation), explanation.reason, *explanation.notes]
    if error is not None:
        facts.append(f"values add up to the prediction within {error:.1e}")
    return (
        f"<p>{'<br>'.join(escape(fact) for fact in facts)}</p>"
        f"<table><thead><tr><th>feature</th><th>{escape(head.format(explanation.output_space))}</th><th></th></tr>"
        f"</thead><tbody>{rows}</tbody></table>{more}"
    )
