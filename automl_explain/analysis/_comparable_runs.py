"""Runs of a search that can be compared: their explanations, over the same columns."""

from __future__ import annotations

from collections.abc import Sequence

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.integrations.history._run import Run


def read_explanations(
    runs: Sequence[Run], progress: bool | None
) -> tuple[list[tuple[Run, Explanation]], list[tuple[str, str]]]:
    """Return the runs with their explanations, and the runs whose explanation cannot be read with the reason."""
    read, left_out = [], []
    with progress_bar(len(runs), "reading explanations", progress) as advance:
        for run in runs:
            try:
                read.append((run, run.explanation.overall()))
            except AutoMLExplainError as error:
                left_out.append((run.id, str(error)))
            advance(1)
    return read, left_out


def in_common_columns(
    read: list[tuple[Run, Explanation]],
) -> tuple[list[tuple[Run, Explanation]], list[tuple[str, str]]]:
    """The runs over the same columns, raw ones if necessary, and the runs left out with the reason."""
    if len({explanation.feature_labels for _, explanation in read}) <= 1:
        return read, []
    raw, left_out = [], []
    for run, explanation in read:
        try:
            raw.append((run, explanation.get_raw_explanation()))
        except InvalidInputError as error:
            left_out.append((run.id, str(error)))
    best = min(raw, key=lambda pair: pair[0].loss or 0.0, default=None)
    if best is None:
        return [], left_out
    wanted = best[1].feature_labels
    same = [(run, explanation) for run, explanation in raw if explanation.feature_labels == wanted]
    left_out += [
        (run.id, "its columns are not those of the best run") for run, one in raw if one.feature_labels != wanted
    ]
    return same, left_out
