"""What to look at first in a search, in sentences."""

from __future__ import annotations

from collections import Counter

import numpy as np

from automl_explain.display._class_view import output_text
from automl_explain.display._text_tables import few_rows
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._names import counted, listed, quoted, shortened
from automl_explain.explainers.formatting._numbers import number_text
from automl_explain.integrations.history._run import final_unexplained
from automl_explain.report._facts import TOP, Story

NAME_WIDTH = 60
"""Characters of a feature's name in a sentence."""
NOTABLE_ERROR = 1e-3
"""Additivity error, relative to the spread of the outputs, above which the report warns."""
FEWEST_RUNS = 3
"""Explained runs below which nothing is said about their agreement."""


def first_look(story: Story) -> list[str]:
    """Return what to look at first, in sentences."""
    if not story.is_search:
        return [sentence for sentence in (_on_models(story), _on_few_rows(story), _on_accuracy(story)) if sentence]
    parts = (
        _on_best(story),
        _on_models(story),
        _on_few_rows(story),
        _on_agreement(story),
        _on_gaps(story),
        _on_accuracy(story),
        _on_dropped(story),
    )
    missing = [f"{sentence.rstrip('.')}." for sentence in final_unexplained(story.runs)]
    return [*missing, *(sentence for sentence in parts if sentence)]


def _on_best(story: Story) -> str:
    best = story.best
    if best is None:
        return "No trial of this search was scored."
    trials = counted(sum(run.kind == "trial" for run in story.runs), "trial")
    sentence = f"The best of {trials} is {best.id} ({best.learner}) with {best.score_text}."
    return sentence if best.status == "explained" else f"{sentence} It was not explained: {best.why or best.status}."


def _on_models(story: Story) -> str:
    if not story.models:
        return "There is no explanation to show in full. The table of runs gives the reasons."
    model = story.models[0]
    values = np.abs(model.explanation.global_importance_values)
    total = float(values.sum())
    noun = model.full.nouns.feature
    if total <= 0:
        return f"No {noun} changes the output of {model.in_text}."
    names = _top_names(model.explanation)
    share = float(values[ranking(values)[:TOP]].sum()) / total
    subject = f"{noun} is" if len(names) == 1 else f"{noun}s are"
    sentence = f"In {model.in_text}, the most important {subject} {listed(names)}, with {share:.0%} of all importance."
    if len(story.models) > 1:
        other = _top_names(story.models[1].explanation)
        if set(other) == set(names):
            return f"{sentence} The best run has the same."
        return f"{sentence} In the best run: {listed(other)}."
    return sentence


def _on_few_rows(story: Story) -> str:
    said = [f"of {model.in_text}, only {few}" for model in story.models if (few := few_rows(model.explanation))]
    return f"Few rows were explained, so that importance is uncertain: {'; '.join(said)}." if said else ""


def _on_agreement(story: Story) -> str:
    tops = [
        [shortened(name, NAME_WIDTH) for name, _ in run.top[:TOP]]
        for run in story.runs
        if run.status == "explained" and run.top
    ]
    if len(tops) < FEWEST_RUNS:
        return ""
    if all(set(top) == set(tops[0]) for top in tops):
        which = "the most important feature" if len(tops[0]) == 1 else f"the {len(tops[0])} most important features"
        return f"All {len(tops)} explained runs agree on {which}: {listed(tops[0])}."
    name, times = Counter(name for top in tops for name in top).most_common(1)[0]
    return f"{quoted(name)} is among the {TOP} most important features in {times} of {len(tops)} explained runs."


def _on_gaps(story: Story) -> str:
    counts = [(status, story.count(status)) for status in ("skipped", "failed", "interrupted", "captured")]
    missing = [f"{number} {status}" for status, number in counts if number]
    if not missing:
        return f"All {counted(len(story.runs), 'run')} were explained." if len(story.runs) > 1 else ""
    total = sum(number for _, number in counts)
    verb = "was" if total == 1 else "were"
    return f"{total} of {counted(len(story.runs), 'run')} {verb} not explained: {', '.join(missing)}."


def _on_accuracy(story: Story) -> str:
    for model in story.models:
        error, scale = model.explanation.additivity_error, _spread(model.explanation)
        if error is not None and error > NOTABLE_ERROR * scale:
            return (
                f"Take care with {model.in_text}: its contributions differ from the prediction by up to {number_text(error)} "
                f"({output_text(model.explanation)})."
            )
    return ""


def _on_dropped(story: Story) -> str:
    if not story.dropped:
        return ""
    dropped = [shortened(name, NAME_WIDTH) for name in story.dropped]
    names = f"{', '.join(dropped[:5])} and others" if len(dropped) > 5 else listed(dropped)
    columns = counted(len(dropped), "column")
    return f"Preprocessing removed {columns}, so their importance is 0: {names}."


def _top_names(explanation: Explanation) -> list[str]:
    labels = explanation.feature_labels
    return [shortened(labels[j], NAME_WIDTH) for j in ranking(explanation.global_importance_values)[:TOP]]


def _spread(explanation: Explanation) -> float:
    """Distance between the model's lowest and highest output; an additivity error is compared with it."""
    outputs = explanation.predictions
    return 1.0 if outputs is None or not outputs.size else float(np.ptp(outputs)) or float(np.abs(outputs).max()) or 1.0
