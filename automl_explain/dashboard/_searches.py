"""What a page shows of a search: its runs, their explanations, what they have in common, and an ensemble's members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_explain.analysis._search_explanation import SearchExplanation
from automl_explain.dashboard._page_columns import Shown
from automl_explain.dashboard._sources import Source
from automl_explain.dashboard.data._payload import ShownExplanation
from automl_explain.explainers._errors import AutoMLExplainError
from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation

MOST_RUNS = 100
"""Most runs whose importance the page has."""
MOST_BYTES = 1_500_000
"""Most bytes of the values of runs other than the first, before compression."""


def run_explanations(found: Source, shown: Shown) -> tuple[ShownExplanation, ...]:
    """Return the explanations of the other runs, best first; values of rows as far as `MOST_BYTES` allows, else importance."""
    others = [
        run for run in found.runs if run.status == "explained" and found.run is not None and run.id != found.run.id
    ]
    best_first = sorted(others, key=lambda run: (run.loss is None, run.loss or 0.0, run.number))
    explanations, room = [], MOST_BYTES
    for run in best_first[:MOST_RUNS]:
        try:
            read = run.explanation
        except (AutoMLExplainError, OSError):
            continue  # the table of runs says that it has no explanation here
        explanation = shown.over_these(read) if isinstance(read, Explanation) else None
        if explanation is None:
            continue
        values = explanation.local_importance_values
        size = 0 if values is None else 4 * values.size
        fits = 0 < size <= room
        room -= size if fits else 0
        explanations.append(ShownExplanation(run.id, f"{run.learner} ({run.kind} {run.number})", explanation, fits))
    return tuple(explanations)


def search_json(found: Source, explanations: Sequence[ShownExplanation]) -> dict[str, Any] | None:
    """Return the runs of a search and what they have in common; None if the source is not of a search."""
    if found.run is None or not found.runs:
        return None
    with_page = {one.id for one in explanations}
    runs = [run.as_dict() | {"explanation": run.id if run.id in with_page else None} for run in found.runs]
    return {"runs": runs, "final": found.run.id, "findings": _findings(found)}


def _findings(found: Source) -> dict[str, Any] | None:
    try:
        return SearchExplanation.from_runs(found.runs).as_dict()
    except AutoMLExplainError:
        return None  # no run has both a loss and an explanation; the table of runs says why


def members_json(members: MemberExplanation | None, shown: Shown) -> dict[str, Any] | None:
    """Return the contributions of an ensemble's members; None if there are none."""
    if members is None:
        return None
    parts = None
    if members.local_importance_values is not None:
        over = members if shown.engineered is None else shown.engineered.get_raw_explanation().members
        parts = None if over is None else np.asarray(over.global_importance_values).tolist()
    return {
        "names": list(members.members),
        "share": members.member_importance_values.tolist(),
        "by_feature": parts,
        "reason": members.reason,
    }
