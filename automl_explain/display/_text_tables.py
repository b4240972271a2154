"""Plain-text tables for a terminal of 80 columns: the runs of a search, and the six values of an explanation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_explain.display._class_view import (
    Values,
    check_top_k,
    class_text,
    explanation_of,
    local_values,
    output_text,
)
from automl_explain.display._unexplained import dropped_columns, unexplained
from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation
from automl_explain.explainers.explanation._summary_tables import member_bars, split_table
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._bars import bars
from automl_explain.explainers.formatting._names import counted, one_line, shortened
from automl_explain.explainers.formatting._numbers import loss_text, number_text
from automl_explain.explainers.formatting._text_table import GAP, WIDTH, Column, TextTable, beside, wrapped
from automl_explain.integrations.history._run import Run, best_trial, final_unexplained
from automl_explain.integrations.history._scores import score_name

LEARNER_WIDTH = 12
MOST_MEMBERS = 5
"""Members of an ensemble with a column of their own, most important first."""
MOST_CLASSES = 20
"""Classes of which tables are shown, those with the largest values."""
SHORTEST_NAME = 10
FEW_ROWS = 50
"""Fewer explained rows than this, drawn from more, are pointed out, and importance is shown with intervals."""


def runs_table(runs: Sequence[Run], top: int = 3) -> str:
    """Return a line per run: id, learner, score, status, and its most important features or the reason for none.

    Parameters
    ----------
    runs : sequence of Run
        Runs of one search or several; an asterisk marks the best run of each search.
    top : int, default 3
        Features shown of each run; the history stores five.

    Returns
    -------
    str

    Examples
    --------
    >>> from automl_explain.display._text_tables import runs_table
    >>> runs_table([])
    'no runs'
    """
    top = check_top_k(top)
    if not runs:
        return "no runs"
    best = {found.id for search in {run.search for run in runs} if (found := best_trial(_of(runs, search)))}
    scored = _score_column(runs)
    columns = (Column(""), Column("run"), Column("learner"), Column(scored, is_number=True), Column("status"))
    cells = [
        ("*" if run.id in best else "", run.id, shortened(run.learner, LEARNER_WIDTH, keep_end=False),
         _score(run, scored), run.status)
        for run in runs
    ]  # fmt: skip
    used = sum(
        max(len(column.head), *map(len, texts)) + len(GAP)
        for column, texts in zip(columns, zip(*cells, strict=True), strict=True)
    )
    room = max(WIDTH - used, 2 * SHORTEST_NAME)
    rows = tuple((*row, _top_or_why(run, top, room)) for row, run in zip(cells, runs, strict=True))
    last = Column(shortened("most important features", room))
    return "\n".join([TextTable((*columns, last), rows).as_text(), _summary(runs, best), *_reasons(runs)])


def runs_text(runs: Sequence[Run], of: Sequence[Run] | None = None) -> str:
    """Return the table of runs, whether the final models were explained, and which columns no model reads.

    Parameters
    ----------
    runs : sequence of Run
    of : sequence of Run, optional
        All runs of the searches, if `runs` are some of them.
    """
    missing = final_unexplained(runs if of is None else of)
    return "\n".join([*map(wrapped, missing), runs_table(runs), *map(wrapped, dropped_columns(runs))])


def _score_column(runs: Sequence[Run]) -> str:
    """The name of the score that all runs have; "loss" if it is not known, "score" for several ones."""
    metrics = {run.metric for run in runs}
    if any(run.score is None and run.loss is not None for run in runs):
        return "loss"
    return score_name(*metrics) if len(metrics) == 1 else "score"


def _score(run: Run, column: str) -> str:
    if column == "loss":
        return loss_text(run.loss)
    measured = run.scores if run.loss is None else {}
    value = run.score if run.loss is not None else measured.get(score_name(run.metric))
    return loss_text(value)


def _summary(runs: Sequence[Run], best: set[str]) -> str:
    counts = [f"{number} {status}" for status in _STATUSES if (number := sum(run.status == status for run in runs))]
    metrics = sorted({run.metric for run in runs})
    of = "" if len({run.search for run in runs}) == 1 else " of its search"
    legend = f"; * lowest loss{of} (metric {', '.join(metrics)})" if best else ""
    return wrapped(f"{counted(len(runs), 'run')}: {', '.join(counts)}{legend}")


def _reasons(runs: Sequence[Run]) -> list[str]:
    """The reasons why runs were not explained, a line each."""
    return [wrapped(f"{len(group.runs)} {group.status}: {one_line(group.why)}") for group in unexplained(runs)]


_STATUSES = ("explained", "captured", "interrupted", "skipped", "failed")


def six_values_tables(model_explanation: Any, rows: int = 5, top: int = 10) -> str:
    """Return the six values as tables, under the names of `ModelExplanation`.

    Parameters
    ----------
    model_explanation : ModelExplanation, Explanation or Run
    rows : int, default 5
        Rows shown of shap_values.
    top : int, default 10
        Features shown of each ranking; also the most columns shown of shap_values.

    Returns
    -------
    str

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model
    >>> from automl_explain.display._text_tables import six_values_tables
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> tables = six_values_tables(explain_model(Ridge().fit(X, y), X, X.iloc[:10]))
    >>> tables.splitlines()[0]
    '1 shap_values: (10, 10) array, in response'
    """
    explanation = explanation_of(model_explanation)
    rows, top = check_top_k(rows), check_top_k(top)
    parts = [
        *_on_few_rows(explanation),
        _shap_values(explanation, rows, top),
        _expected_values(explanation),
        _overall(explanation, top),
        _per_class(explanation, top),
        _facts(explanation),
    ]
    return "\n\n".join(parts)


def members_table(shares: MemberExplanation, top: int = 10) -> str:
    """Return the importance of each member of an ensemble, and its part of each feature's importance if features are split."""
    mean = "mean over classes of " if shares.classes is not None else ""
    rows = tuple((bar.name, number_text(bar.value), bar.as_text) for bar in member_bars(shares))
    columns = (Column("member", width=30), Column("overall", is_number=True), Column(""))
    head = f"members: {mean}mean |contribution|, in {output_text(shares)}"
    parts = [f"{wrapped(head)}\n{TextTable(columns, rows).as_text()}"]
    split = split_table(shares, top, MOST_MEMBERS)
    if split is not None:
        parts.append(f"each member's part of a feature's importance\n{split.as_text()}")
    parts.append(wrapped(f"why: {one_line(shares.reason)}"))
    return "\n\n".join(parts)


# --------------------------------------------------------------------------------------------------- the six values


def few_rows(explanation: Explanation) -> str:
    """Return "10 of 450 validation rows" if so few were explained that importance is uncertain; otherwise empty."""
    note = next((note for note in explanation.notes if note.startswith("rows: ")), "")
    is_few = 0 < explanation.num_examples < FEW_ROWS
    return note.removeprefix("rows: ").partition(", drawn")[0] if is_few else ""


def _on_few_rows(explanation: Explanation) -> list[str]:
    few = few_rows(explanation)
    return [wrapped(f"only {few} were explained: importance has the interval shown beside it")] if few else []


def _shap_values(explanation: Explanation, rows: int, top: int) -> str:
    if explanation.local_importance_values is None or not explanation.num_examples:
        return "1 shap_values: none, only global importance was computed"
    values = local_values(explanation)
    shape = f"({explanation.num_examples}, {explanation.num_features})"
    unit = output_text(explanation)
    if explanation.classes is None:
        return f"{wrapped(f'1 shap_values: {shape} array, in {unit}')}\n{_block(explanation, values, rows, top)}"
    mirrored = _is_mirrored(explanation)
    blocks = "\n".join(
        f"class {shortened(class_text(explanation, j), 60)}\n{_block(explanation, values[j], rows, top)}"
        for j in ([1] if mirrored else _shown_classes(explanation))
    )
    if mirrored:
        blocks += f"\nclass {shortened(class_text(explanation, 0), 30)}: the same values with the opposite sign"
    head = f"1 shap_values: list of {len(values)} arrays {shape}, one for each class, in {unit}"
    return f"{wrapped(head)}\n{blocks}{_more_classes(explanation)}"


def _is_mirrored(explanation: Explanation) -> bool:
    """Whether the values of two classes are each other's negative."""
    values = explanation.local_importance_values
    return (
        len(explanation.classes or ()) == 2
        and values is not None
        and bool(np.allclose(values[0], -values[1], rtol=1e-9))
    )


def _shown_classes(explanation: Explanation) -> list[int]:
    """Return the numbers of the classes that are shown: all, or those with the largest values."""
    n_classes = len(explanation.classes or ())
    if n_classes <= MOST_CLASSES:
        return list(range(n_classes))
    return sorted(ranking(explanation.per_class_values.sum(axis=1))[:MOST_CLASSES].tolist())


def _more_classes(explanation: Explanation) -> str:
    hidden = len(explanation.classes or ()) - MOST_CLASSES
    return f"\n... and {hidden:,} more classes, with smaller values" if hidden > 0 else ""


def _block(explanation: Explanation, values: Values, rows: int, top: int) -> str:
    """The first rows of one class, and the most important columns that fit, in the order of the table."""
    n_shown = min(len(values), rows)
    order = ranking(explanation.global_importance_values)
    names = [shortened(name, 16) for name in explanation.feature_labels]
    wide = [max(len(names[j]), 9) + len(GAP) for j in order]
    n_fit = max(1, min(top, int(np.searchsorted(np.cumsum(wide), WIDTH - 8, side="right"))))
    chosen = sorted(order[:n_fit].tolist())
    rows_shown = tuple((str(i), *(number_text(values[i, j], signed=True) for j in chosen)) for i in range(n_shown))
    columns = (Column("row", is_number=True), *(Column(names[j], is_number=True) for j in chosen))
    table = TextTable(columns, rows_shown).as_text()
    missing = []
    if len(values) > n_shown:
        missing.append(counted(len(values) - n_shown, "more row"))
    if explanation.num_features > len(chosen):
        missing.append(counted(explanation.num_features - len(chosen), "less important column"))
    return f"{table}\n  ... and {', '.join(missing)}" if missing else table


def _expected_values(explanation: Explanation) -> str:
    values = explanation.expected_values
    head = f"2 expected_values: ({len(values)},) array, the mean output over the background"
    if explanation.classes is None:
        return f"{head}\n  {number_text(values[0])}"
    rows = tuple((class_text(explanation, j), number_text(values[j])) for j in _shown_classes(explanation))
    columns = (Column("class", width=40), Column("expected value", is_number=True))
    return f"{head}\n{TextTable(columns, rows).as_text()}{_more_classes(explanation)}"


def _overall(explanation: Explanation, top: int) -> str:
    shown = bars(explanation.get_ranked_global_names(top), explanation.get_ranked_global_values(top))
    rows = tuple((str(i), str(bar.name), number_text(bar.value), bar.as_text) for i, bar in enumerate(shown, start=1))
    last = Column("")
    if few_rows(explanation) and explanation.num_examples > 1:
        found = explanation.global_importance()
        order = ranking(explanation.global_importance_values)[:top]
        ends = [f"{number_text(found.low[j])} to {number_text(found.high[j])}" for j in order]
        rows, last = tuple((*row[:3], end) for row, end in zip(rows, ends, strict=True)), Column("95% interval")
    columns = (
        Column("", is_number=True),
        Column("overall_imp", width=26),
        Column("overall_summary", is_number=True),
        last,
    )
    table = TextTable(columns, rows).as_text()
    mean = "mean over classes of " if explanation.is_classification else ""
    what = mean + explanation.traits.importance.format(unit=output_text(explanation))
    head = wrapped(f"3 overall_summary, 4 overall_imp: {what}, most important first")
    return f"{head}\n{table}{_more(explanation, len(rows))}"


def _per_class(explanation: Explanation, top: int) -> str:
    head = "5 per_class_summary, 6 per_class_imp"
    if explanation.classes is None:
        return f"{head}: None for a regression"
    if explanation.local_importance_values is None and explanation.class_values is None:
        return f"{head}: none, {explanation.method} gives no importance per class"
    names, values = explanation.get_ranked_per_class_names(top), explanation.get_ranked_per_class_values(top)
    shown = [1] if _is_mirrored(explanation) else _shown_classes(explanation)
    blocks = [_class_block(shortened(class_text(explanation, j), 24), names[j], values[j]) for j in shown]
    more = _more_classes(explanation) + _more(explanation, values.shape[1])
    if len(shown) == 1:
        more = f"\nclass {shortened(class_text(explanation, 0), 24)}: the same{more}"
    what = explanation.traits.importance.format(unit=output_text(explanation))
    return f"{wrapped(f'{head}: {what} of each class, most important first')}\n{beside(blocks)}{more}"


def _class_block(label: str, names: Sequence[Any], values: Values) -> list[str]:
    """A class and its features with their numbers, as lines."""
    cells, numbers = [shortened(name, 22) for name in names], [number_text(value) for value in values]
    left, right = max(map(len, cells)), max(map(len, numbers))
    lines = [f"{cell.ljust(left)}  {number.rjust(right)}" for cell, number in zip(cells, numbers, strict=True)]
    head = f"class {label}"
    return [head, "-" * max(len(head), len(lines[0])), *lines]


def _facts(explanation: Explanation) -> str:
    lines = [f"method: {one_line(explanation.method)}: {one_line(explanation.reason)}".removesuffix(": (empty)")]
    if explanation.additivity_error is not None:
        lines.append(
            f"additivity: expected value plus shap values equal the output within {explanation.additivity_error:.1e}"
        )
    lines += [f"note: {one_line(note)}" for note in explanation.notes]
    return "\n".join(wrapped(line) for line in lines)


# -------------------------------------------------------------------------------------------------------------- text


def _top_or_why(run: Run, top: int, room: int) -> str:
    if run.status != "explained":
        return shortened(run.why, room, keep_end=False) if run.why else ""
    return _names_within([name for name, _ in run.top[:top]], room)


def _names_within(names: Sequence[str], room: int) -> str:
    """As many names as fit, with commas; the first is shortened if it alone does not."""
    shown = shortened(names[0], room) if names else ""
    for name in map(one_line, names[1:]):
        if len(shown) + 2 + len(name) > room:
            break
        shown += f", {name}"
    return shown


def _of(runs: Sequence[Run], search: str) -> list[Run]:
    return [run for run in runs if run.search == search]


def _more(explanation: Explanation, shown: int) -> str:
    left = explanation.num_features - shown
    return f"\n  ... and {counted(left, 'more feature')}" if left > 0 else ""
