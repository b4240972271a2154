"""`ExplanationDiff`: how importance differs between two explanations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.analysis._shares import normalised, number_or_none, rank_correlation
from automl_explain.display._class_view import check_top_k, explanation_of
from automl_explain.display._findings import NAME_WIDTH, findings_text
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import one_line, quoted
from automl_explain.explainers.formatting._numbers import minus, share_text
from automl_explain.explainers.formatting._text_table import Column, TextTable

SHOWN = 15
"""Features shown in a table."""


@dataclass(frozen=True, eq=False)
class ExplanationDiff:
    """Importance of two explanations side by side; create one with `between`.

    The importances of each explanation are divided by their sum, so that models in different output spaces can be
    compared. A column that only one explanation has counts as 0 in the other.

    Parameters
    ----------
    before, after : Explanation
        Explanations of the same kind of columns.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso, Ridge
    >>> from automl_explain import ExplanationDiff, explain_model
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> ridge, lasso = (explain_model(model.fit(X, y), X, X) for model in (Ridge(), Lasso(alpha=0.5)))
    >>> moved = ExplanationDiff.between(ridge, lasso)
    >>> moved.table.index[0], float(round(moved.table["change"].iloc[0], 2))
    ('bmi', 0.2)
    >>> moved.exceeds(min_correlation=0.5, max_change=0.1)
    ['the share of “bmi” changed by 0.203, more than 0.1']
    """

    before: Explanation
    after: Explanation

    @classmethod
    def between(cls, before: Any, after: Any) -> ExplanationDiff:
        """Compare two explanations; if their engineered columns differ, their raw columns are compared where known.

        Parameters
        ----------
        before, after : Explanation, ModelExplanation or Run
            What is compared; changes are those from `before` to `after`.

        Returns
        -------
        ExplanationDiff
            The comparison, which prints as a table.

        Raises
        ------
        InvalidInputError
            If one is not an explanation, or they have no column in common.
        """
        before, after = explanation_of(before), explanation_of(after)
        if set(before.feature_labels) != set(after.feature_labels):
            raw = [_raw(before), _raw(after)]
            if set(raw[0].feature_labels) & set(raw[1].feature_labels):
                before, after = raw
        if not set(before.feature_labels) & set(after.feature_labels):
            raise InvalidInputError(
                "The two explanations have no column in common: "
                f"{list(before.feature_labels[:4])} and {list(after.feature_labels[:4])}."
            )
        return cls(before, after)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Shares and ranks `before` and `after`, and the `change` of share: a row per feature, the largest change first."""
        shares = pd.DataFrame({"before": _shares(self.before), "after": _shares(self.after)}).fillna(0.0)
        shares["change"] = shares["after"] - shares["before"]
        shares["rank_before"] = shares["before"].rank(ascending=False, method="min").astype(int)
        shares["rank_after"] = shares["after"].rank(ascending=False, method="min").astype(int)
        order = np.argsort(-shares["change"].abs().to_numpy(), kind="stable")
        return shares.iloc[order].rename_axis("feature")

    @cached_property
    def rank_correlation(self) -> float:
        """Spearman correlation of the importances over all columns; NaN if those of one explanation are all equal."""
        return float(rank_correlation(self.table[["before", "after"]].to_numpy().T)[0, 1])

    @property
    def moved(self) -> float:
        """Fraction of the total importance that moved to other features, from 0 to 1."""
        return float(self.table["change"].abs().sum() / 2)

    @property
    def only_before(self) -> tuple[str, ...]:
        """Columns of the first explanation that the second lacks."""
        return tuple(name for name in self.before.feature_labels if name not in self.after.feature_labels)

    @property
    def only_after(self) -> tuple[str, ...]:
        """Columns of the second explanation that the first lacks."""
        return tuple(name for name in self.after.feature_labels if name not in self.before.feature_labels)

    @checked
    def exceeds(self, min_correlation: float | None = None, max_change: float | None = None) -> list[str]:
        """Return a sentence for each limit that the difference exceeds; an empty list if there is none.

        Parameters
        ----------
        min_correlation : float, optional
            Lowest rank correlation accepted; NaN is not accepted.
        max_change : float, optional
            Largest change of a feature's share of importance accepted.

        Returns
        -------
        list of str
            A sentence for each limit that is exceeded; empty if none is.
        """
        said = []
        if min_correlation is not None and not self.rank_correlation >= min_correlation:
            said.append(f"the rank correlation is {self.rank_correlation:.3f}, less than {min_correlation:g}")
        if max_change is not None:
            change, name = float(self.table["change"].iloc[0]), quoted(self.table.index[0])
            if abs(change) > max_change:
                said.append(f"the share of {name} changed by {minus(f'{change:.3f}')}, more than {max_change:g}")
        return said

    def remarks(self) -> list[str]:
        """Return a sentence for each further difference.

        Returns
        -------
        list of str
            Sentences.
        """
        said = []
        for what in ("kind", "metric", "output_space", "method", "classes", "is_raw"):
            one, other = getattr(self.before, what), getattr(self.after, what)
            if one != other:
                said.append(f"{what.replace('_', ' ')} differs: {one} and {other}")
        for names, which in ((self.only_before, "first"), (self.only_after, "second")):
            if names:
                more = f" and {len(names) - 5} more" if len(names) > 5 else ""
                said.append(f"only the {which} has {', '.join(map(one_line, names[:5]))}{more}")
        return said

    def as_dict(self) -> dict[str, Any]:
        """Return the difference as JSON-serialisable values.

        Returns
        -------
        dict
            What ``automl-explain diff --json`` prints.
        """
        rows = [{"feature": name} | row.to_dict() for name, row in self.table.iterrows()]
        return {
            "rank_correlation": number_or_none(self.rank_correlation),
            "moved": self.moved,
            "features": [
                row | {name: int(row[name]) for name in ("rank_before", "rank_after")}  # pandas turns them into floats
                for row in rows
            ],
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
            "remarks": self.remarks(),
        }

    @checked
    def as_text(self, top_k: int = SHOWN) -> str:
        """Return the difference as a table for a terminal.

        Parameters
        ----------
        top_k : int, default 15
            Number of features shown, the largest change first.

        Returns
        -------
        str
            Lines of text.
        """
        notes = [f"note: {remark}" for remark in self.remarks()]
        return findings_text([self._headline(), *notes], self._shown(check_top_k(top_k)))

    def __repr__(self) -> str:
        return f"ExplanationDiff(rank correlation {self.rank_correlation:.3f}, {self.moved:.1%} moved)"

    def _repr_html_(self) -> str:
        sentences = [self._headline(), *self.remarks()]
        return render("notebook/findings.html", sentences=sentences, table=self._shown(SHOWN))

    def _headline(self) -> str:
        return f"rank correlation {minus(f'{self.rank_correlation:.3f}')}; {self.moved:.1%} of all importance moved"

    def _shown(self, top_k: int) -> TextTable:
        heads = ("before", "after", "change", "rank")
        columns = (Column("feature", width=NAME_WIDTH), *(Column(head, is_number=True) for head in heads))
        rows = tuple(
            (
                one_line(name),
                share_text(row["before"]),
                share_text(row["after"]),
                share_text(row["change"], signed=True),
                f"{int(row['rank_before'])} → {int(row['rank_after'])}",
            )
            for name, row in self.table.head(top_k).iterrows()
        )
        return TextTable(columns, rows)


def _shares(explanation: Explanation) -> pd.Series:
    return pd.Series(
        normalised(explanation.global_importance_values), index=list(explanation.feature_labels), dtype=float
    )


def _raw(explanation: Explanation) -> Explanation:
    known = explanation.is_raw or explanation.feature_map is not None
    return explanation.get_raw_explanation() if known else explanation
