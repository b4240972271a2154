"""The report's section on an ensemble's members: which one brings what."""

from __future__ import annotations

import base64

import numpy as np

from automl_explain.display._class_view import output_text, ranking
from automl_explain.explainers.explanation._explanation import MemberExplanation
from automl_explain.plots._member_plots import plot_member_shares, shares_rows
from automl_explain.plots._png import png
from automl_explain.report._facts import TOP, Model
from automl_explain.report._sections import number, text


def members_section(model: Model, top_k: int) -> str:
    """Return what each member brings, and its part of each feature's importance where features are split; else nothing."""
    shares = model.explanation.members
    if shares is None:
        return ""
    split = _split(shares, top_k) if shares.local_importance_values is not None else ""
    notes = "".join(f'<p class="soft small">{text(remark)}</p>' for remark in (shares.reason, *shares.notes))
    return (
        f'<section id="members"><h2>What each member brings</h2><p>{text(model.name)} has '
        f"{len(shares.members)} members.</p>{notes}{_importance(shares)}{split}</section>"
    )


def _importance(shares: MemberExplanation) -> str:
    values = shares.member_importance_values
    largest = float(values.max(initial=0.0)) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{text(shares.members[m], 48)}</th><td class="bars"><div class="bar" style="width: '
        f'{100 * values[m] / largest:.1f}%"></div></td><td class="number">{number(values[m])}</td></tr>'
        for m in ranking(values)
    )
    what = text(f"mean absolute contribution ({output_text(shares)})")
    return (
        f'<p class="soft small" id="members-unit">{what}</p><div class="wide"><table class="importance" '
        f'aria-describedby="members-unit"><thead><tr><th scope="col">member</th><th scope="col" colspan="2">overall</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _split(shares: MemberExplanation, top_k: int) -> str:
    picture = png(
        lambda ax: plot_member_shares(shares, ax=ax, top_k=top_k), shares_rows(shares, top_k), background="none"
    )
    frame = shares.to_frame().iloc[:top_k]
    heads = "".join(f'<th scope="col" class="number">{text(name, 24)}</th>' for name in frame.columns)
    rows = "".join(
        f'<tr><th scope="row">{text(feature, 48)}</th>'
        + "".join(f'<td class="number">{number(part)}</td>' for part in parts)
        + "</tr>"
        for feature, parts in zip(frame.index, np.asarray(frame), strict=True)
    )
    names = ", ".join(map(str, frame.index[:TOP]))
    alt = text(f"Bars of one piece per member for the most important features. Most important first: {names}.")
    return (
        "<h3>Its part of each feature's importance</h3>"
        f'<figure><div class="wide"><img src="data:image/png;base64,{base64.b64encode(picture).decode()}" alt="{alt}"></div>'
        "<figcaption>A bar is a feature's importance, a piece of it one member's part.</figcaption></figure>"
        '<details><summary>the same as a table</summary><div class="wide"><table><thead><tr><th scope="col">feature</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )
