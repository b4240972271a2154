"""What a report tells: facts of a search and its runs, gathered from the history before anything is laid out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_explain.display._class_view import (
    all_outputs,
    class_text,
    default_class,
    minus,
    number_text,
    output_text,
)
from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.integrations.history._run import Run, best_trial
from automl_explain.integrations.history._run_history import RunHistory

TOP = 3
"""Features named in a sentence or a table of runs."""


@dataclass(frozen=True, eq=False)
class Model:
    """A model that the report shows in full.

    Parameters
    ----------
    run : Run
    explanation : Explanation
    name : str
        What it is called in headings.
    role : str
        What it is in this search, in words.
    """

    run: Run
    explanation: Explanation
    name: str
    role: str

    @property
    def in_text(self) -> str:
        """What it is called within a sentence."""
        return f"t{self.name[1:]}"


@dataclass(frozen=True)
class Unexplained:
    """Runs that were not explained for the same reason."""

    status: str
    why: str
    runs: tuple[Run, ...]
    varies: bool
    """Whether the numbers in the reason differ from run to run."""


@dataclass(frozen=True)
class ChosenRow:
    """A row worth looking at: its number, the class explained, and what is special about it."""

    row: int
    position: int | None
    title: str


@dataclass(frozen=True, eq=False)
class Story:
    """A search, its runs and the models shown in full.

    Parameters
    ----------
    search : dict
        As `RunHistory.search` returns it.
    runs : tuple of Run
    best : Run or None
        The trial with the lowest loss.
    models : tuple of Model
        The model that predicts first, then the best run where that is another one; empty when neither was explained.
    unreadable : tuple of str
        Explanations that are in the index and cannot be read, with the reason.
    """

    search: dict[str, Any]
    runs: tuple[Run, ...]
    best: Run | None
    models: tuple[Model, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What the search recorded of itself."""
        return dict(self.search.get("facts") or {})

    @property
    def metric(self) -> str:
        """Name of the metric that the loss is made of: the metric itself, or what it lacks to its best value."""
        return str(self.facts.get("metric") or self.runs[0].metric)

    @property
    def dropped(self) -> list[str]:
        """Columns that preprocessing removed before any model saw them."""
        return [str(name) for name in self.facts.get("dropped_columns") or ()]

    def count(self, status: str) -> int:
        """Return how many runs have that status."""
        return sum(run.status == status for run in self.runs)


def tell(runs: Sequence[Run]) -> Story:
    """Gather what the report of one search's runs needs.

    Raises
    ------
    InvalidInputError
        If there are no runs, or they belong to several searches.
    """
    runs = tuple(runs)
    if not runs or not all(isinstance(run, Run) for run in runs):
        raise InvalidInputError("The 'runs' parameter must be the runs of a search, such as automl.runs. Got none.")
    searches = list(dict.fromkeys(run.search for run in runs))
    if len(searches) > 1:
        raise InvalidInputError(
            f"A report is about one search. Got runs of {len(searches)}: {searches[:5]}. Write one report for each."
        )
    history = runs[0].history
    if not isinstance(history, RunHistory):
        raise InvalidInputError(
            f"A report is about a search of a run history. Got a run of {history!r}; use save_plots with its explanation."
        )
    best = best_trial(runs)
    models, unreadable = _models(runs, best)
    return Story(history.search(searches[0]), runs, best, models, unreadable)


_FINAL = {
    "refit": ("The final model", "the best configuration, fitted again on all training data"),
    "ensemble": ("The final ensemble", "an ensemble of the search's models"),
}
"""Kind of run -> its name and role."""


def _models(runs: Sequence[Run], best: Run | None) -> tuple[tuple[Model, ...], tuple[str, ...]]:
    wanted = [
        (run, *_FINAL.get(run.kind, ("The final model", "what the search ended with")))
        for run in runs
        if run.kind != "trial"
    ]
    if best is not None:
        wanted.append((best, "The best run", "the trial with the lowest loss, as it was scored"))
    explained = [(run, name, role) for run, name, role in wanted if run.status == "explained"]
    if not explained:
        candidate = best_trial([run for run in runs if run.status == "explained"])
        role = "the trial with the lowest loss among those explained"
        explained = [] if candidate is None else [(candidate, "The best explained run", role)]
    models, unreadable = [], []
    for run, name, role in explained:
        try:
            models.append(Model(run, run.explanation, name, role))
        except (AutoMLExplainError, OSError) as error:
            unreadable.append(f"{run.id}: {error}")
    return tuple(models), tuple(unreadable)


def unexplained(runs: Sequence[Run]) -> list[Unexplained]:
    """Return the runs without an explanation by reason, the most frequent reason first; numbers in it do not count."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.status != "explained":
            why = run.why or "no reason was recorded"
            groups.setdefault((run.status, re.sub(r"\d[\d.,]*", "#", why)), []).append(run)
    found = [
        Unexplained(
            status, members[0].why or "no reason was recorded", tuple(members), len({run.why for run in members}) > 1
        )
        for (status, _), members in groups.items()
    ]
    return sorted(found, key=lambda group: -len(group.runs))


# --------------------------------------------------------------------------------------------------------- sentences


def first_look(story: Story) -> list[str]:
    """Return what to look at first, in sentences."""
    parts = (
        _on_best(story),
        _on_models(story),
        _on_agreement(story),
        _on_gaps(story),
        _on_accuracy(story),
        _on_dropped(story),
    )
    return [sentence for sentence in parts if sentence]


def _on_best(story: Story) -> str:
    best = story.best
    if best is None:
        return "No trial of this search was scored."
    sentence = (
        f"The best of {_count(sum(run.kind == 'trial' for run in story.runs), 'trial')} is {best.id} ({best.learner})"
    )
    sentence += f" with a loss of {best.loss:.4g} (metric {story.metric})."
    return sentence if best.status == "explained" else f"{sentence} It was not explained: {best.why or best.status}."


def _on_models(story: Story) -> str:
    if not story.models:
        return "No explanation is there to show in full; the table of runs says why."
    model = story.models[0]
    names = _top_names(model.explanation)
    values = model.explanation.global_importance_values
    total = float(np.abs(values).sum())
    share = float(np.abs(model.explanation.get_ranked_global_values(TOP)).sum()) / total if total > 0 else 0.0
    subject = f"What moves {model.in_text} most: {_listed(names)}"
    sentence = f"{subject}; together {share:.0%} of all importance." if total > 0 else "No feature moves its output."
    if len(story.models) > 1:
        other = _top_names(story.models[1].explanation)
        if set(other) == set(names):
            sentence += " The best run has the same features on top."
        else:
            sentence += f" The best run differs: {_listed(other)}."
    return sentence


def _on_agreement(story: Story) -> str:
    tops = [[name for name, _ in run.top[:TOP]] for run in story.runs if run.status == "explained" and run.top]
    if len(tops) < 3:
        return ""
    if all(set(top) == set(tops[0]) for top in tops):
        which = "the most important feature" if len(tops[0]) == 1 else f"the {len(tops[0])} most important features"
        return f"All {len(tops)} explained runs agree on {which}: {_listed(tops[0])}."
    name, times = Counter(name for top in tops for name in top).most_common(1)[0]
    return f"“{name}” is among the {TOP} most important features in {times} of {len(tops)} explained runs."


def _on_gaps(story: Story) -> str:
    counts = [(status, story.count(status)) for status in ("skipped", "failed", "captured")]
    missing = [f"{number} {status}" for status, number in counts if number]
    if not missing:
        return f"Every one of the {_count(len(story.runs), 'run')} was explained." if len(story.runs) > 1 else ""
    total = sum(number for _, number in counts)
    verb = "was" if total == 1 else "were"
    return f"{total} of {_count(len(story.runs), 'run')} {verb} not explained: {', '.join(missing)}."


def _on_accuracy(story: Story) -> str:
    for model in story.models:
        error, scale = model.explanation.additivity_error, _spread(model.explanation)
        if error is not None and error > 1e-3 * scale:
            return (
                f"Take care with {model.in_text}: its contributions miss the prediction by up to {number_text(error)} "
                f"({output_text(model.explanation)})."
            )
    return ""


def _on_dropped(story: Story) -> str:
    if not story.dropped:
        return ""
    names = _listed(story.dropped[:5]) + (" and others" if len(story.dropped) > 5 else "")
    return (
        f"Preprocessing removed {_count(len(story.dropped), 'column')}, whose importance is 0 by construction: {names}."
    )


def _top_names(explanation: Explanation) -> list[str]:
    return [
        explanation.feature_labels[j] for j in np.argsort(-explanation.global_importance_values, kind="stable")[:TOP]
    ]


def _spread(explanation: Explanation) -> float:
    """How far the model's outputs lie apart; what an additivity error is measured against."""
    outputs = explanation.predictions
    return 1.0 if outputs is None or not outputs.size else float(np.ptp(outputs)) or float(np.abs(outputs).max()) or 1.0


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# --------------------------------------------------------------------------------------------------------------- rows


def choose_rows(explanation: Explanation, each: int) -> tuple[str, list[ChosenRow]]:
    """Return which rows are worth looking at, and by which rule they were chosen.

    A regression, or two classes: the rows with the highest and the lowest output. Several classes: the rows where the
    highest output is farthest above the second, and where it is nearest.
    """
    outputs = all_outputs(explanation)
    n_rows = len(outputs)
    if (len(explanation.classes or ())) > 2:
        return _by_margin(explanation, outputs, each)
    position = default_class(explanation)
    column = outputs[:, 0 if position is None else position]
    unit = output_text(explanation, position)
    chosen = []
    for word, rows in zip(("highest", "lowest"), _ends(column, each), strict=True):
        for rank, row in enumerate(rows):
            place = f"{_ORDINALS[rank]}{word} {unit}"
            chosen.append(ChosenRow(int(row), position, f"{place}: {minus(number_text(column[row]))}"))
    return f"the rows with the highest and the lowest {unit} among the {_count(n_rows, 'row')} explained", chosen


def _by_margin(explanation: Explanation, outputs: Any, each: int) -> tuple[str, list[ChosenRow]]:
    ordered = np.sort(outputs, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    unit = output_text(explanation)
    chosen = []
    for word, rows in zip(("most certain", "least certain"), _ends(margin, each), strict=True):
        for rank, row in enumerate(rows):
            position = int(np.argmax(outputs[row]))
            gap = f"{number_text(margin[row])} above the next"
            says = f"class {class_text(explanation, position)} at {minus(number_text(outputs[row, position]))}, {gap}"
            chosen.append(ChosenRow(int(row), position, f"{_ORDINALS[rank]}{word}: {says}"))
    rule = (
        f"the rows where the highest {unit} of a class is farthest above that of the next class (most certain), and "
        f"where it is nearest (least certain), among the {_count(len(outputs), 'row')} explained; each is explained for "
        "the class predicted"
    )
    return rule, chosen


_ORDINALS = ("", "second ", "third ", "fourth ", "fifth ")


def _ends(values: Any, each: int) -> tuple[Any, Any]:
    """Row numbers of the highest and of the lowest values; no row is in both."""
    order = np.argsort(-values, kind="stable")
    each = min(each, len(_ORDINALS))
    highest = order[:each]
    return highest, order[max(len(highest), len(order) - each) :][::-1]
