"""The notebook view of an explanation: one small table with bars, inline styles only."""

from __future__ import annotations

from html import escape

import numpy as np

from automl_explain.explainers.explanation._colors import BAR_COLOR
from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._values import ExplanationValues

TOP = 10


def importance_table(explanation: ExplanationValues, top_k: int = TOP) -> str:
    """Return an HTML table of the most important features, a bar for each."""
    names = [explanation.feature_labels[j] for j in np.argsort(-explanation.global_importance_values, kind="stable")]
    values = explanation.get_ranked_global_values()
    largest = float(values[0]) if len(values) and values[0] > 0 else 1.0
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(name)}</td><td>{value:.4g}</td><td style="text-align:left">'
        f'<div style="background:{BAR_COLOR};height:0.8em;width:{100 * max(value, 0) / largest:.1f}px"></div></td></tr>'
        for name, value in zip(names[:top_k], values[:top_k], strict=True)
    )
    head = explanation.traits.importance.format(unit=explanation.unit)
    more = f"<p>{len(names) - top_k} further features</p>" if len(names) > top_k else ""
    error = explanation.additivity_error
    facts = [repr(explanation), explanation.reason, *explanation.notes]
    if error is not None:
        facts.append(f"values add up to the prediction within {error:.1e}")
    return (
        f"<p>{'<br>'.join(escape(fact) for fact in facts)}</p>"
        f"<table><thead><tr><th>feature</th><th>{escape(head)}</th><th></th></tr>"
        f"</thead><tbody>{rows}</tbody></table>{more}"
    )


def members_table(explanation: MemberValues, top_k: int = TOP) -> str:
    """Return an HTML table of what each member brings, and its part of the most important features' importance."""
    importance = explanation.get_member_importance_dict()
    largest = max(importance.values(), default=0.0) or 1.0
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(name)}</td><td>{value:.4g}</td><td style="text-align:left">'
        f'<div style="background:{BAR_COLOR};height:0.8em;width:{100 * value / largest:.1f}px"></div></td></tr>'
        for name, value in importance.items()
    )
    facts = "<br>".join(escape(fact) for fact in (repr(explanation), explanation.reason, *explanation.notes))
    head = escape(f"mean |contribution| ({explanation.output_space})")
    table = f"<p>{facts}</p><table><thead><tr><th>member</th><th>{head}</th><th></th></tr></thead><tbody>{rows}</tbody></table>"
    if explanation.local_importance_values is None:
        return table
    frame = explanation.to_frame()
    heads = "".join(f"<th>{escape(name)}</th>" for name in ("feature", *frame.columns))
    body = "".join(
        f'<tr><td style="text-align:left">{escape(str(feature))}</td>'
        + "".join(f"<td>{part:.4g}</td>" for part in parts)
        + "</tr>"
        for feature, parts in zip(frame.index[:top_k], frame.to_numpy()[:top_k], strict=True)
    )
    more = f"<p>{len(frame) - top_k} further features</p>" if len(frame) > top_k else ""
    return (
        f"{table}<p>each member's part of a feature's importance</p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{more}"
    )
