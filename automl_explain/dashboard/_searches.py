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

OF_RUNS = ("id", "number", "learner", "loss", "score", "metric", "status", "why", "seconds", "top_features")
OF_FINDINGS = ("near_best", "top_k", "importance", "sentences")
"""What the page shows of runs and findings; nothing else, such as configurations, goes to whoever gets a saved page."""
MOST_RUNS = 100
"""Most runs whose importance the page has."""
MOST_BYTES = 1_500_000
"""Most bytes of the values of runs other than the first, before compression."""


def run_explanations(found: Source, shown: Shown) -> tuple[ShownExplanation, ...]:
    """Return the explanations of the other runs, best first.

    They have values of the page's rows as far as `MOST_BYTES` allows; importance if there is no room, or of other rows.
    """
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
        of_these_rows = explanation.num_examples == shown.explanation.num_examples
        size = 4 * values.size if values is not None and of_these_rows else 0
        fits = 0 < size <= room
        room -= size if fits else 0
        explanations.append(ShownExplanation(run.id, f"{run.learner} ({run.kind} {run.number})", explanation, fits))
    return tuple(explanations)


def search_json(found: Source, explanations: Sequence[ShownExplanation]) -> dict[str, Any] | None:
    """Return the runs of a search and what they have in common; None if the source is not of a search."""
    if found.run is None or not found.runs:
        return None
    with_page = {one.id for one in explanations}
    facts = [run.as_dict() for run in found.runs]
    runs = [
        {name: one[name] for name in OF_RUNS} | {"explanation": one["id"] if one["id"] in with_page else None}
        for one in facts
    ]
    return {"runs": runs, "final": found.run.id, "findings": _findings(found)}


def _findings(found: Source) -> dict[str, Any] | None:
    try:
        findings = SearchExplanation.from_runs(found.runs).as_dict()
    except AutoMLExplainError:
        return None  # no run has both a loss and an explanation; the table of runs says why
    return {name: findings[name] for name in OF_FINDINGS}


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
        "importance": members.member_importance_values.tolist(),
        "by_feature": parts,
        "reason": members.reason,
    }
