"""The notebook form of an explanation and of an ensemble's members."""

from __future__ import annotations

from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._summary_tables import class_table, importance_bars, member_bars, split_table
from automl_explain.explainers.explanation._values import ExplanationValues
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted, unit_text

TOP = 10


def importance_table(explanation: ExplanationValues, top_k: int = TOP, title: str = "", more: str = "") -> str:
    """Return what was computed, and the most important features with a bar each, as HTML.

    Parameters
    ----------
    explanation : ExplanationValues
    top_k : int, default 10
        Features shown.
    title : str, optional
        First line; default: the explanation's own short form.
    more : str, optional
        Another line, after the notes.
    """
    error = explanation.additivity_error
    facts = [title or repr(explanation), explanation.reason, *explanation.notes, more]
    if error is not None:
        facts.append(f"values add up to the prediction within {error:.1e}")
    return render(
        "notebook/importance.html",
        facts=[fact for fact in facts if fact],
        what="feature",
        unit=explanation.traits.importance.format(unit=unit_text(explanation.unit)),
        bars=importance_bars(explanation, top_k),
        more=_more(explanation.num_features - top_k),
        split=class_table(explanation, top_k),
        split_head="The same for each class:",
        split_more="",
    )


def members_table(shares: MemberValues, top_k: int = TOP) -> str:
    """Return the importance of each member, and its part of the most important features' importance, as HTML."""
    return render(
        "notebook/importance.html",
        facts=[fact for fact in (repr(shares), shares.reason, *shares.notes) if fact],
        what="member",
        unit=f"mean |contribution| ({unit_text(shares.unit)})",
        bars=member_bars(shares),
        more="",
        split=split_table(shares, top_k),
        split_head="Each member's part of a feature's importance:",
        split_more=_more(len(shares.feature_labels) - top_k),
    )


def _more(number: int) -> str:
    return counted(number, "further feature") if number > 0 else ""
