"""The runs without an explanation, grouped by the reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from automl_explain.integrations.history._run import Run

NO_REASON = "no reason was recorded"


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
