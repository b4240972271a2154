"""`SearchExplanation`: the importance of features over all runs of a search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.analysis._comparable_runs import in_common_columns, read_explanations
from automl_explain.analysis._interchangeable import find_interchangeable
from automl_explain.analysis._near_best import within_noise
from automl_explain.analysis._shares import Values, normalised, number_or_none, rank_correlation
from automl_explain.display._class_view import check_top_k
from automl_explain.display._findings import findings_text, search_table
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted, listed, quoted
from automl_explain.explainers.formatting._numbers import correlation_text, loss_text, minus
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.history._run import Run, runs_of

SHOWN = 15
"""Features of a table."""
LEAST_RANGE = 0.05
"""Least difference of the share of a feature between learners that is spoken of."""


@dataclass(frozen=True, eq=False)
class SearchExplanation:
    """Importance over the runs of one search; made by `from_runs`.

    Each run's importance is divided by its sum, so that runs in different output spaces can be compared: a feature's share
    is its part of the total importance. A run is near-best if its loss cannot be told from the lowest: it is at most one
    standard error of their difference higher. The standard error is that over the folds of a cross-validation or, on
    validation rows, of the jackknife over blocks of rows. If it is not known, only the best run is near-best. With a
    `tolerance`, a run is near-best if its loss is at most the lowest loss plus `tolerance` times the absolute value of that
    loss. Over such a set of good models, the range of a feature's importance says more about the data than its importance
    in a single model [1]_.

    Parameters
    ----------
    runs : tuple of Run
        The trials with a loss and an explanation, in the order of the search.
    features : tuple of str
        Columns: those that the learners read if they are the same in all runs, otherwise the user's own.
    shares : ndarray of shape (r, f)
        Each run's importance, summing to 1.
    tolerance : float or None
        Relative loss within which a run is near-best. None: the noise of the losses decides.
    top_k : int
        Features that count as a run's most important.
    left_out : tuple of (str, str)
        Ids of explained runs that could not be compared, with the reason.
    part_losses : tuple of tuple of float
        Losses of each run's parts, such as folds; empty for runs of which they are not known.
    columns : Table or None
        Rows with the features, by which interchangeable features must depend on each other. None: they are not known.

    References
    ----------
    .. [1] Fisher, Rudin and Dominici, "All Models are Wrong, but Many are Useful", JMLR 20 (2019), arXiv:1801.01489.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from automl_explain import SearchExplanation
    >>> from automl_explain.integrations.sklearn_search import ExplainingScorer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = ExplainingScorer("r2", X, history=tempfile.mkdtemp())
    >>> search = GridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1, 50]}, scoring=scorer, cv=3).fit(X, y)
    >>> taught = SearchExplanation.from_runs(scorer.explain(search))
    >>> int(taught.near_best.sum())
    2
    >>> taught.importance.index[0]
    'bmi'
    """

    runs: tuple[Run, ...]
    features: tuple[str, ...]
    shares: Values
    tolerance: float | None = None
    top_k: int = 5
    left_out: tuple[tuple[str, str], ...] = ()
    part_losses: tuple[tuple[float, ...], ...] = ()
    columns: Table | None = None

    @classmethod
    @checked
    def from_runs(
        cls, runs: Any, *, tolerance: float | None = None, top_k: int = 5, progress: bool | None = None
    ) -> SearchExplanation:
        """Read the explanations of a search's runs.

        Parameters
        ----------
        runs : iterable of Run, or object with `runs`
            The runs of one search, or an object that holds them, such as an AutoML object.
        tolerance : float, optional
            Relative loss within which a run is near-best. Default: the noise of the losses decides; only
            the best run if it is not known.
        top_k : int, default 5
            Features that count as a run's most important.
        progress : bool, optional
            If True, show a progress bar; if False, show none; default: a bar that appears after two seconds.

        Returns
        -------
        SearchExplanation
            What the explained runs have in common.

        Raises
        ------
        InvalidInputError
            If the runs belong to several searches, none has both a loss and an explanation, or an option is invalid.
        """
        runs = runs_of(runs)
        if tolerance is not None and not _is_tolerance(tolerance):
            raise InvalidInputError(f"The 'tolerance' parameter must be 0 or more. Got {tolerance!r}.")
        top_k = check_top_k(top_k)
        if len({run.search for run in runs}) > 1:
            raise InvalidInputError(
                "The 'runs' parameter must be the runs of one search, since losses of different searches cannot be compared."
            )
        usable = sorted(
            (run for run in runs if run.status == "explained" and run.loss is not None), key=lambda run: run.number
        )
        read, left_out = read_explanations(usable, progress)
        named, outside = in_common_columns(read)
        if not named:
            raise InvalidInputError(
                f"None of the {len(runs)} runs has both a loss and an explanation, so there is nothing to compare."
            )
        found = [run for run, _ in named]
        shares = np.array([normalised(explanation.global_importance_values) for _, explanation in named])
        columns = next((explanation.data for _, explanation in named if explanation.data is not None), None)
        features, history = named[0][1].feature_labels, found[0].history
        known = history.part_losses(found[0].search)
        parts = tuple(known.get(run.id, ()) for run in found)
        return cls(tuple(found), features, shares, tolerance, top_k, (*left_out, *outside), parts, columns)

    # ---------------------------------------------------------------- near-best

    @cached_property
    def losses(self) -> Values:
        """Loss of each run, (r,)."""
        return np.array([run.loss for run in self.runs], dtype=np.float64)

    @cached_property
    def near_best(self) -> npt.NDArray[np.bool_]:
        """Which runs are near-best, (r,)."""
        lowest = self.losses.min()
        if self.tolerance is not None:
            return np.asarray(self.losses <= lowest + self.tolerance * abs(lowest))
        near = self._within_noise
        return np.arange(len(self.runs)) == np.argmin(self.losses) if near is None else near

    @cached_property
    def _within_noise(self) -> npt.NDArray[np.bool_] | None:
        return within_noise(self.part_losses, int(np.argmin(self.losses))) if self.part_losses else None

    @property
    def best(self) -> Run:
        """The run with the lowest loss."""
        return self.runs[int(np.argmin(self.losses))]

    @cached_property
    def in_top(self) -> npt.NDArray[np.bool_]:
        """Whether a feature is among the `top_k` most important ones of a run and its share is above 0, (r, f)."""
        ranks = np.argsort(np.argsort(-self.shares, axis=1, kind="stable"), axis=1, kind="stable")
        return np.asarray((ranks < self.top_k) & (self.shares > 0))

    @cached_property
    def importance(self) -> pd.DataFrame:
        """A row per feature, most important first.

        Columns `mean`, `low` and `high`: share of the total importance over the near-best runs, and its range; `in_top`:
        fraction of those runs in which it is among the `top_k` most important; `with_loss`: rank correlation of its share
        with the loss over all runs, negative if better runs rely on it more (NaN for fewer than three runs).
        """
        good = self.shares[self.near_best]
        table = pd.DataFrame(
            {
                "mean": good.mean(axis=0),
                "low": good.min(axis=0),
                "high": good.max(axis=0),
                "in_top": self.in_top[self.near_best].mean(axis=0),
                "with_loss": self._with_loss(),
            },
            index=pd.Index(self.features, name="feature"),
        )
        return table.sort_values("mean", ascending=False, kind="stable")

    @cached_property
    def agreement(self) -> float:
        """Mean rank correlation (Spearman) of importance between two near-best runs; NaN for a single one."""
        matrix = rank_correlation(self.shares[self.near_best])
        pairs = matrix[np.triu_indices(len(matrix), 1)]
        return float(np.nanmean(pairs)) if np.isfinite(pairs).any() else float("nan")

    @cached_property
    def learners(self) -> pd.DataFrame:
        """A row per learner, best first: `runs`, `loss` (the lowest), and the mean share of each feature."""
        names = np.array([run.learner for run in self.runs])
        rows = []
        for name in dict.fromkeys(names.tolist()):
            own = names == name
            means = dict(zip(self.features, self.shares[own].mean(axis=0), strict=True))
            rows.append({"learner": name, "runs": int(own.sum()), "loss": float(self.losses[own].min())} | means)
        return pd.DataFrame(rows).set_index("learner").sort_values("loss", kind="stable")

    @property
    def needed(self) -> tuple[str, ...]:
        """Features among the `top_k` of every near-best run, most important first."""
        table = self.importance
        return tuple(table.index[table["in_top"] == 1.0])

    @cached_property
    def interchangeable(self) -> tuple[tuple[str, str], ...]:
        """Pairs of features that replace each other in near-best runs, found by a permutation test over the runs.

        The more one of them is used, the less the other is, beyond chance for all pairs together; their sum is steady; and
        their columns depend on each other. With fewer than eight near-best runs there is no test, and no pair.
        """
        good = np.flatnonzero(self.near_best)
        found = find_interchangeable(self.shares[good], [self.runs[i].learner for i in good.tolist()], self.columns)
        return tuple((self.features[a], self.features[b]) for a, b in found)

    # -------------------------------------------------------------------- forms

    def sentences(self) -> list[str]:
        """Return the findings as sentences.

        Returns
        -------
        list of str
            One finding each: near-best runs, features that all need, interchangeable features, learners
            that differ.
        """
        good, best = int(self.near_best.sum()), self.best
        runs = counted(len(self.runs), "run")
        lowest = f"{loss_text(best.loss)} ({best.id}, {best.learner})"
        said = [
            f"{good} of {runs} {'are' if good != 1 else 'is'} near-best: a loss within {self._near} the lowest, {lowest}."
        ]
        if self.tolerance is None and self._within_noise is None:
            said = [
                f"The lowest loss of {runs} is {lowest}. The noise of the losses is not known, so no other run is called "
                "near-best, and the importance is that of this run alone. Pass tolerance= to choose how near counts."
            ]
        if good > 1:
            said.append(
                f"Every near-best run has {_listed(self.needed)} among its {self.top_k} most important features."
                if self.needed
                else f"No feature is among the {self.top_k} most important of every near-best run."
            )
            said.append(
                f"Near-best runs agree on the order of features with a mean rank correlation of {self.agreement:.2f}."
            )
        for a, b in self.interchangeable[:3]:
            said.append(
                f"{quoted(a)} and {quoted(b)} are interchangeable: when one is more important, the other is less, and their "
                "columns depend on each other."
            )
        return [*said, *self._on_loss(), *self._on_learners(), *self._on_left_out()]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-serialisable values.

        Returns
        -------
        dict
            The findings and the tables of features and learners.
        """
        table = self.importance
        return {
            "runs": [run.id for run in self.runs],
            "near_best": [run.id for run, good in zip(self.runs, self.near_best, strict=True) if good],
            "tolerance": self.tolerance,
            "noise_known": self._within_noise is not None,
            "top_k": self.top_k,
            "importance": [
                {"feature": name} | {key: number_or_none(value) for key, value in row.items()} for name, row in table.iterrows()
            ],
            "agreement": number_or_none(self.agreement),
            "needed": list(self.needed),
            "interchangeable": [list(pair) for pair in self.interchangeable],
            "learners": [
                {"learner": name, "runs": int(row["runs"]), "loss": number_or_none(row["loss"]),
                 "importance": {feature: number_or_none(row[feature]) for feature in self.features}}
                for name, row in self.learners.iterrows()
            ],
            "left_out": [list(pair) for pair in self.left_out],
            "sentences": self.sentences(),
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"SearchExplanation({len(self.runs)} runs, {int(self.near_best.sum())} near-best, {len(self.features)} features)"

    @checked
    def as_text(self, top_k: int = SHOWN) -> str:
        """Return the findings and a table of importance for a terminal.

        Parameters
        ----------
        top_k : int, default 15
            Features shown.

        Returns
        -------
        str
            Lines of text.
        """
        return findings_text(self.sentences(), search_table(self.importance, self.top_k, check_top_k(top_k)))

    def _repr_html_(self) -> str:
        return render(
            "notebook/findings.html", sentences=self.sentences(), table=search_table(self.importance, self.top_k, SHOWN)
        )

    # ------------------------------------------------------------------ private

    @property
    def _near(self) -> str:
        """What separates near-best losses from the lowest, in words."""
        if self.tolerance is None:
            return "one standard error, over folds or validation rows, of"
        return f"{self.tolerance:.3g} times"

    def _with_loss(self) -> Values:
        if len(self.runs) < 3:
            return np.full(len(self.features), np.nan)
        return rank_correlation(np.vstack([self.losses, self.shares.T]))[0, 1:]

    def _on_loss(self) -> list[str]:
        top = self.importance[self.importance["in_top"] > 0]
        strong = top[top["with_loss"].abs() >= 0.5]
        if len(self.runs) < 8 or strong.empty:
            return []
        name = strong["with_loss"].abs().idxmax()
        value = strong.loc[name, "with_loss"]
        return [
            f"The better a run, the {'more' if value < 0 else 'less'} it relies on {quoted(name)} (rank correlation of its "
            f"importance with the loss: {minus(correlation_text(value))})."
        ]

    def _on_learners(self) -> list[str]:
        table = self.learners
        if len(table) < 2:
            return []
        shares = table[list(self.features)]
        gap = shares.max() - shares.min()
        name = gap.idxmax()
        most, least = shares[name].idxmax(), shares[name].idxmin()
        if gap[name] < LEAST_RANGE:
            return ["Learners differ little in the features that they rely on."]
        return [
            f"Learners differ most in {quoted(name)}: it has {shares[name][most]:.0%} of all importance for {most} and "
            f"{shares[name][least]:.0%} for {least}."
        ]

    def _on_left_out(self) -> list[str]:
        if not self.left_out:
            return []
        return [
            f"{counted(len(self.left_out), 'explained run')} could not be compared, such as {self.left_out[0][0]}: "
            f"{self.left_out[0][1]}"
        ]


def _is_tolerance(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < np.inf


def _listed(names: Iterable[str]) -> str:
    return listed(map(quoted, names))
