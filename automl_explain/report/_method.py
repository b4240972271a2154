"""How the explanations were computed: methods, accuracy, times, options and versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_explain.display._class_view import output_text
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._names import OF_TABLES, Nouns, counted
from automl_explain.explainers.formatting._numbers import number_text
from automl_explain.report._facts import Model, Story

SHOWN_ELSEWHERE = {"options", "versions", "dropped_columns", "metric", "search_seconds"}
"""Facts of a search that are not part of the block on its data."""


@dataclass(frozen=True)
class FactBlock:
    """A heading and facts below it, each a name and a text."""

    heading: str
    facts: tuple[tuple[str, str], ...]


def view_method(story: Story) -> tuple[FactBlock, ...]:
    """Return a block for each model, then times, data, options and versions."""
    blocks = [_block(model.name, _of_model(model)) for model in story.models]
    data = {name.replace("_", " "): value for name, value in story.facts.items() if name not in SHOWN_ELSEWHERE}
    for heading, facts in (
        ("Times", _times(story)),
        ("Data", data),
        ("Options", story.facts.get("options")),
        ("Versions", story.facts.get("versions")),
    ):
        if isinstance(facts, Mapping) and facts:
            blocks.append(_block(heading, facts.items()))
    return tuple(blocks)


def _times(story: Story) -> dict[str, str]:
    seconds = [run.seconds for run in story.runs if run.seconds is not None]
    times = {}
    if "search_seconds" in story.facts:
        times["search"] = f"{story.facts['search_seconds']} s"
    if seconds:
        times["explaining, all runs"] = f"{sum(seconds):.2f} s (several runs may be explained at the same time)"
        times["explaining, per run"] = f"median {np.median(seconds):.3f} s, longest {max(seconds):.3f} s"
    return times


def _of_model(model: Model) -> list[tuple[str, Any]]:
    explanation = model.explanation
    error = explanation.additivity_error
    gap = "largest difference between expected value plus contributions and the model's output"
    return [
        *((("run", model.run.id),) if model.run is not None else ()),
        ("method", explanation.method),
        ("why this method", explanation.reason),
        ("unit of the values", output_text(explanation)),
        ("explained", _counts(model)),
        ("features are", _features(model.full.nouns, explanation)),
        ("additivity error", "not known" if error is None else f"{error:.1e} ({gap})"),
        ("values are", _exactness(explanation)),
        *(("note", note) for note in explanation.notes),
    ]


def _counts(model: Model) -> str:
    nouns, n_features = model.full.nouns, model.explanation.num_features
    return f"{counted(model.full.num_examples, nouns.example)}, {counted(n_features, nouns.feature)}"


def _features(nouns: Nouns, explanation: Explanation) -> str:
    if nouns != OF_TABLES:
        return f"{nouns.feature}s of the {nouns.example}s"
    return "the table's own columns" if explanation.is_raw else "the columns that the learner reads"


def _exactness(explanation: Explanation) -> str:
    errors = explanation.standard_errors
    if errors is None:
        return "computed, not sampled"
    what = "sampled"
    if explanation.fold_importances is not None:
        what = f"means over the models of {len(explanation.fold_importances)} folds"
    typical, largest = float(np.median(errors)), float(errors.max(initial=0.0))
    return f"{what}: median standard error {number_text(typical)}, largest {number_text(largest)}"


def _block(heading: str, facts: Iterable[tuple[Any, Any]]) -> FactBlock:
    return FactBlock(heading, tuple((str(name), _text(value)) for name, value in facts))


def _text(value: Any) -> str:
    if value is None:
        return "default"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
