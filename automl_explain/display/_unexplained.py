"""What was not explained: runs, grouped by the reason, and columns that a search left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from automl_explain.explainers.formatting._names import counted, listed, one_line
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory

NO_REASON = "no reason was recorded"
MOST_NAMES = 10
"""Dropped columns that a sentence names."""


@dataclass(frozen=True)
class Unexplained:
    """Runs that were not explained for the same reason."""

    status: str
    why: str
    runs: tuple[Run, ...]
    varies: bool
    """Whether the numbers in the reason differ from run to run."""


def unexplained(runs: Sequence[Run]) -> list[Unexplained]:
    """Return the runs without an explanation by reason, the most frequent reason first; numbers in it do not count."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.status != "explained":
            groups.setdefault((run.status, re.sub(r"\d[\d.,]*", "#", run.why or NO_REASON)), []).append(run)
    found = [
        Unexplained(status, members[0].why or NO_REASON, tuple(members), len({run.why for run in members}) > 1)
        for (status, _), members in groups.items()
    ]
    return sorted(found, key=lambda group: -len(group.runs))


def dropped_columns(runs: Sequence[Run]) -> list[str]:
    """Return a sentence for each search of the runs about the columns that its AutoML library dropped."""
    said = []
    for run in {run.search: run for run in runs if isinstance(run.history, RunHistory)}.values():
        record = run.history.search(run.search)  # type: ignore[attr-defined]
        names = [one_line(name) for name in record["facts"].get("dropped_columns") or ()]
        if names:
            shown = listed(names[:MOST_NAMES]) if len(names) <= MOST_NAMES else ", ".join([*names[:MOST_NAMES], "..."])
            said.append(f"{record['engine']} dropped {counted(len(names), 'column')}, which no model reads: {shown}")
    return said
