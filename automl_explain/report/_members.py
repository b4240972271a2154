"""What each member contributes to an ensemble, for the report."""

from __future__ import annotations

from dataclasses import dataclass

from automl_explain.display._class_view import output_text
from automl_explain.explainers.explanation._summary_tables import member_bars, split_table
from automl_explain.explainers.formatting._bars import Bar
from automl_explain.explainers.formatting._text_table import TextTable
from automl_explain.plots._member_plots import plot_member_shares, shares_rows
from automl_explain.report._facts import TOP, Model
from automl_explain.report._picture import Picture, draw


@dataclass(frozen=True)
class MembersView:
    """The members of an ensemble.

    Parameters
    ----------
    model : Model
    remarks : tuple of str
    caption : str
        What the numbers are.
    members : tuple of Bar
        The importance of each member, most important first.
    picture : Picture or None
        Each member's part of the most important features; None where features are not split.
    split : TextTable or None
        The same as a table.
    """

    model: Model
    remarks: tuple[str, ...]
    caption: str
    members: tuple[Bar, ...]
    picture: Picture | None
    split: TextTable | None


def view_members(model: Model, top_k: int) -> MembersView | None:
    """Return what each member contributes; None where that was not computed."""
    shares = model.explanation.members
    if shares is None:
        return None
    split = split_table(shares, top_k)
    picture = None
    if split is not None:
        names = ", ".join(row[0] for row in split.rows[:TOP])
        picture = draw(
            lambda ax: plot_member_shares(shares, ax=ax, top_k=top_k),
            shares_rows(shares, top_k),
            alt=f"Bars of one piece per member for the most important features. Most important first: {names}.",
            caption="A bar is a feature's importance. Each piece is one member's part of it.",
        )
    return MembersView(
        model,
        tuple(remark for remark in (shares.reason, *shares.notes) if remark),
        f"mean |contribution| ({output_text(shares)})",
        member_bars(shares),
        picture,
        split,
    )
