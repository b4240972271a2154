"""The report's sections as HTML. Every text that a user, a column or a library supplied goes through `text`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from automl_explain._figures import png
from automl_explain._plots import plot_summary
from automl_explain._report_story import TOP, ChosenRow, Model, Story, choose_rows, first_look, unexplained
from automl_explain._views import (
    class_text,
    local_steps,
    minus,
    number_text,
    one_line,
    output_text,
    ranking,
    shortened,
    view_class,
)
from automl_explain.explainers._explanation import Explanation
from automl_explain.integrations._run import Run

MOST_CLASSES = 12
"""Classes with a column of their own in a table of importance."""
MOST_PICTURES = 3
"""Classes with a beeswarm of their own."""
LONGEST_WHY = 280
"""Letters of a reason in the table of runs."""


def text(value: Any, width: int | None = None) -> str:
    """Return a value as escaped text on one line, shortened where a width is given."""
    return escape(one_line(value) if width is None else shortened(value, width))


def number(value: float | None, *, signed: bool = False) -> str:
    """Return a number as a reader expects it; a dash for None."""
    return "–" if value is None else minus(number_text(value, signed=signed))  # noqa: RUF001 - a dash is meant


# ------------------------------------------------------------------------------------------------------------ header


def header(story: Story, title: str) -> str:
    """Return title, facts at a glance and what to look at first."""
    search, best = story.search, story.best
    rows = ", ".join(
        f"{count:,} {name} rows"
        for name in ("training", "validation")
        if isinstance(count := story.facts.get(f"{name}_rows"), int)
    )
    made = datetime.fromtimestamp(search["created"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    line = [f'search <span class="id">{text(search["id"])}</span>', f"engine {text(search['engine'])}"]
    line += [f"task {text(search['task'])}", f"metric {text(story.metric)}", rows, made]
    explaining = sum(run.seconds or 0.0 for run in story.runs)
    not_explained = len(story.runs) - story.count("explained")
    details = ", ".join(f"{n} {status}" for status in ("skipped", "failed", "captured") if (n := story.count(status)))
    cards = [
        ("best loss", "–" if best is None else f"{best.loss:.5g}", story.metric),  # noqa: RUF001
        ("best learner", "–" if best is None else best.learner, "" if best is None else best.id),  # noqa: RUF001
        ("runs", f"{len(story.runs):,}", ""),
        ("explained", f"{story.count('explained'):,}", f"of {len(story.runs):,}"),
        ("not explained", f"{not_explained:,}", details),
        ("explaining", f"{explaining:.1f} s", _search_time(story)),
    ]
    shown = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value, 40)}{f'<small>{text(small)}</small>' if small else ''}</dd></div>"
        for name, value, small in cards
    )
    links = "".join(f'<a href="#{place}">{text(name)}</a>' for place, name in _contents(story))
    sentences = "".join(f"<li>{text(sentence)}</li>" for sentence in first_look(story))
    return (
        f'<h1>{text(title)}</h1><p class="soft">{" · ".join(part for part in line if part)}</p>'
        f'<dl class="cards">{shown}</dl>'
        f'<section class="first"><h2>What to look at first</h2><ul>{sentences}</ul></section>'
        f'<nav aria-label="Contents">{links}</nav>'
    )


def _search_time(story: Story) -> str:
    seconds = story.facts.get("search_seconds")
    return f"after {seconds:.1f} s of search" if isinstance(seconds, int | float) else "in all runs together"


def _contents(story: Story) -> list[tuple[str, str]]:
    models = [(f"model-{i}", _heading(model)) for i, model in enumerate(story.models)]
    rows = [("rows", "Single rows")] if story.models else []
    return [*models, *rows, ("runs", "All runs"), ("unexplained", "Not explained"), ("how", "How it was made")]


def _heading(model: Model) -> str:
    return {"refit": "The final model", "ensemble": "The final ensemble"}.get(model.run.kind, "The best run")


# ------------------------------------------------------------------------------------------------------------ models


def model_section(model: Model, place: int, top_k: int) -> str:
    """Return a model's importance overall and per class, and how its features act."""
    explanation = model.explanation
    scored = "" if model.run.loss is None else f", {text(model.run.metric)} {model.run.loss:.5g}"
    about = (
        f'<p><span class="id">{text(model.run.id)}</span> · {text(model.run.learner)}{scored} · {text(model.role)}.</p>'
        f'<p class="soft small">{text(explanation.reason)}</p>'
    )
    notes = "".join(f'<p class="soft small">{text(note)}</p>' for note in explanation.notes)
    pictures = "" if explanation.local_importance_values is None else _beeswarms(model, place, top_k)
    return (
        f'<section id="model-{place}"><h2>{text(_heading(model))}</h2>{about}{notes}'
        f"<h3>Importance</h3>{importance_table(explanation, top_k)}{pictures}</section>"
    )


def importance_table(explanation: Explanation, top_k: int) -> str:
    """Return the most important features with a bar each, and a column per class."""
    values = explanation.global_importance_values
    order = ranking(values)[:top_k]
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    classes, hidden = _class_columns(explanation)
    peak = max((float(np.abs(column).max(initial=0.0)) for _, column in classes), default=0.0) or 1.0
    heads = "".join(f'<th scope="col" class="number">{text(label, 24)}</th>' for label, _ in classes)
    rows = []
    for j in order:
        width = 100 * abs(values[j]) / largest
        sign = " minus" if values[j] < 0 else ""
        heat = "".join(
            f'<td class="number" style="background: rgba(var(--heat), {0.45 * abs(column[j]) / peak:.2f})">'
            f"{number(column[j])}</td>"
            for _, column in classes
        )
        rows.append(
            f'<tr><th scope="row">{text(explanation.feature_labels[j], 60)}</th>'
            f'<td class="bars"><div class="bar{sign}" style="width: {width:.1f}%"></div></td>'
            f'<td class="number">{number(values[j])}</td>{heat}</tr>'
        )
    unit = output_text(explanation)
    what = "importance" if explanation.local_importance_values is None else "mean absolute contribution"
    mean = "; overall: the mean over classes" if explanation.is_classification else ""
    more = [f"{len(values) - len(order):,} further features are less important"] if len(order) < len(values) else []
    more += [f"{hidden} further classes are not shown"] if hidden else []
    return (
        f'<div class="wide"><table class="importance"><caption>{text(f"{what} ({unit}){mean}")}</caption>'
        '<thead><tr><th scope="col">feature</th><th scope="col" colspan="2">overall</th>'
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="soft small">{text("; ".join(more) + ".") if more else ""}</p>'
    )


def _class_columns(explanation: Explanation) -> tuple[list[tuple[str, Any]], int]:
    """Label and values of each class that has a column, and how many have none."""
    if not explanation.is_classification:
        return [], 0
    if explanation.local_importance_values is None and explanation.class_values is None:
        return [], 0
    values = explanation.per_class_values
    shown = [(class_text(explanation, j), values[j]) for j in range(min(len(values), MOST_CLASSES))]
    return shown, len(values) - len(shown)


def _beeswarms(model: Model, place: int, top_k: int) -> str:
    """The first model's beeswarms of up to three classes, the second model's of one; all but the first folded."""
    explanation = model.explanation
    if not explanation.num_examples:
        return ""
    pictures = [_beeswarm(explanation, position, top_k) for position in _pictured(explanation)[: 1 if place else None]]
    folded = "".join(
        f"<details><summary>{text(f'the same for class {class_text(explanation, position)}')}</summary>{picture}</details>"
        for position, picture in zip(_pictured(explanation)[1:], pictures[1:], strict=False)
    )
    return f"<h3>How each feature acts</h3>{pictures[0]}{folded}"


def _pictured(explanation: Explanation) -> list[int | None]:
    if explanation.classes is None:
        return [None]
    if len(explanation.classes) <= 2:
        return [len(explanation.classes) - 1]
    return [int(j) for j in ranking(explanation.per_class_values.sum(axis=1))[:MOST_PICTURES]]


def _beeswarm(explanation: Explanation, position: int | None, top_k: int) -> str:
    label = None if position is None or explanation.classes is None else explanation.classes[position]
    n_rows = min(top_k, explanation.num_features)
    picture = png(
        lambda ax: plot_summary(explanation, ax=ax, class_=label, top_k=top_k),
        n_rows,
        row_inches=0.36,
        background="none",
    )
    view = view_class(explanation, position)
    names = [explanation.feature_labels[j] for j in ranking(np.abs(view.values).mean(axis=0))[:TOP]]
    of = f" to the {view.unit}"
    alt = f"Beeswarm of the contributions{of}. Most important first: {', '.join(names)}."
    return (
        f'<figure><div class="wide"><img src="data:image/png;base64,{base64.b64encode(picture).decode()}" '
        f'alt="{text(alt)}"></div><figcaption>{text(f"A point is one row: how far right it lies is the contribution{of}")}, '
        "its colour whether the feature's value is low or high among the rows.</figcaption></figure>"
    )


# -------------------------------------------------------------------------------------------------------------- rows


def rows_section(model: Model, each: int, top_k: int) -> str:
    """Return the rows worth looking at, each with how its output came about."""
    explanation = model.explanation
    if explanation.local_importance_values is None or not explanation.num_examples or not each:
        return ""
    rule, chosen = choose_rows(explanation, each)
    cards = "".join(f"<div>{steps_table(explanation, row, top_k)}</div>" for row in chosen)
    return (
        f'<section id="rows"><h2>Single rows</h2><p>{text(_heading(model))}, {text(rule)}.</p>'
        '<p class="soft small">Rows are numbered from 0 in the order explained. True labels are not kept with an '
        "explanation, so this speaks of what the model predicts, not of whether it is right.</p>"
        f'<div class="pair">{cards}</div></section>'
    )


def steps_table(explanation: Explanation, chosen: ChosenRow, top_k: int) -> str:
    """Return a waterfall as a table: from the expected value, contribution by contribution, to the output."""
    view = view_class(explanation, chosen.position)
    steps = local_steps(view, chosen.row, top_k)
    ends = view.expected + np.cumsum([step.value for step in steps])
    points = np.concatenate([[view.expected], ends])
    low, width = float(points.min()), float(np.ptp(points)) or 1.0

    def share(value: float) -> float:
        return 2 + 96 * (value - low) / width

    rows = [_end_row("expected value", view.expected, share(view.expected))]
    for step, start, end in zip(steps, points[:-1], ends, strict=True):
        left, length = share(min(start, end)), 96 * abs(step.value) / width
        error = f' <span class="soft small">± {number(step.error)}</span>' if step.error else ""
        shown = step.value if abs(step.value) > 1e-9 * width else 0.0
        sign = "minus" if step.value < 0 else "plus"
        rows.append(
            f'<tr><th scope="row">{text(step.label)}</th><td><div class="track"><i class="{sign}" '
            f'style="left: {left:.1f}%; width: {length:.1f}%"></i></div></td>'
            f'<td class="number">{number(shown, signed=True)}{error}</td></tr>'
        )
    rows.append(_end_row("output", float(ends[-1]), share(float(ends[-1]))))
    return (
        f'<h3>Row {chosen.row}: {text(chosen.title)}</h3><table class="steps">'
        f"<caption>{text(f'contributions to the {view.unit}')}</caption><tbody>{''.join(rows)}</tbody></table>"
    )


def _end_row(name: str, value: float, place: float) -> str:
    return (
        f'<tr class="ends"><th scope="row">{name}</th><td><div class="track"><i class="point" '
        f'style="left: {place:.1f}%"></i></div></td><td class="number">{number(value)}</td></tr>'
    )


# -------------------------------------------------------------------------------------------------------------- runs


def runs_section(story: Story) -> str:
    """Return every run with its loss, status and most important features."""
    heads = "".join(
        f'<th scope="col"{style}>{name}</th>'
        for name, style in (
            ("run", ""), ("learner", ""), ("loss", ' class="number"'), ("status", ""), ("most important features", ""),
            ("seconds", ' class="number"'),
        )
    )  # fmt: skip
    rows = "".join(_run_row(story, run) for run in story.runs)
    return (
        '<section id="runs"><h2>All runs</h2><p class="soft small">Loss is what the search minimised, '
        f"{text(story.metric)}; a final model is not scored. Seconds are the time that explaining took. A click on a "
        "heading sorts.</p>"
        f'<div class="wide tall"><table class="sortable"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        "</section>"
    )


def _run_row(story: Story, run: Run) -> str:
    is_best = story.best is not None and run.id == story.best.id
    badge = '<span class="badge explained">best</span>' if is_best else ""
    badge += f'<span class="badge">{text(run.kind)}</span>' if run.kind != "trial" else ""
    sample = f'<span class="why">on {run.sample_size:,} rows</span>' if run.sample_size else ""
    config = json.dumps(dict(run.config), default=str, ensure_ascii=False) if run.config else ""
    learner = text(run.learner, 60)
    if config:
        learner = f'<details><summary>{learner}</summary><span class="why">{text(config, 600)}</span></details>'
    why = f'<span class="why">{text(run.why, LONGEST_WHY)}</span>' if run.why else ""
    top = ", ".join(text(name, 40) for name, _ in run.top[:TOP])
    loss = "" if run.loss is None else f"{run.loss:.5g}"
    seconds = "" if run.seconds is None else f"{run.seconds:.2f}"
    return (
        f'<tr{" class=best" if is_best else ""}><td data-key="{run.number}"><span class="id">{text(run.id)}</span> {badge}</td>'
        f'<td>{learner}{sample}</td><td class="number" data-key="{run.loss if loss else "9e99"}">{loss or "–"}</td>'  # noqa: RUF001
        f'<td><span class="badge {text(run.status)}">{text(run.status)}</span>{why}</td><td>{top}</td>'
        f'<td class="number" data-key="{run.seconds if seconds else "-1"}">{seconds or "–"}</td></tr>'  # noqa: RUF001
    )


def unexplained_section(story: Story) -> str:
    """Return what was not explained, and why: runs by reason, columns that were removed."""
    groups = unexplained(story.runs)
    parts = []
    for group in groups:
        ids = " ".join(f'<span class="id">{text(run.id)}</span>' for run in group.runs)
        varies = ' <span class="soft">(the numbers differ from run to run)</span>' if group.varies else ""
        count = "1 run" if len(group.runs) == 1 else f"{len(group.runs):,} runs"
        listed = f"<details><summary>{count}</summary>{ids}</details>" if len(group.runs) > 8 else ids
        badge = f'<span class="badge {text(group.status)}">{text(group.status)}</span>'
        parts.append(
            f'<tr><td>{badge}</td><td class="number">{len(group.runs):,}</td>'
            f"<td>{text(group.why, 600)}{varies}</td><td>{listed}</td></tr>"
        )
    table = (
        '<div class="wide"><table><thead><tr><th scope="col">status</th><th scope="col" class="number">runs</th>'
        f'<th scope="col">why</th><th scope="col">which</th></tr></thead><tbody>{"".join(parts)}</tbody></table></div>'
    )
    broken = "".join(f"<p>The explanation of {text(line)}</p>" for line in story.unreadable)
    columns = "".join(f'<li><span class="id">{text(name)}</span></li>' for name in story.dropped)
    dropped = (
        "<h3>Columns that preprocessing removed</h3><p>No model saw them, so their importance is 0 by construction.</p>"
        f"<ul>{columns}</ul>"
        if columns
        else ""
    )
    body = table if parts else "<p>Every run was explained.</p>"
    return f'<section id="unexplained"><h2>What was not explained, and why</h2>{body}{broken}{dropped}</section>'


# --------------------------------------------------------------------------------------------------------------- how


def how_section(story: Story) -> str:
    """Return methods, accuracy, times, options and versions."""
    blocks = [f"<h3>{text(_heading(model))}</h3>{_plain_table(_method_facts(model))}" for model in story.models]
    seconds = [run.seconds for run in story.runs if run.seconds is not None]
    times: dict[str, Any] = {}
    if "search_seconds" in story.facts:
        times["search"] = f"{story.facts['search_seconds']} s"
    if seconds:
        times["explaining, all runs"] = f"{sum(seconds):.2f} s (runs may be explained at the same time)"
        times["explaining, per run"] = f"median {np.median(seconds):.3f} s, longest {max(seconds):.3f} s"
    known = {"options", "versions", "dropped_columns", "metric", "search_seconds"}
    other = {name.replace("_", " "): value for name, value in story.facts.items() if name not in known}
    for name, facts in (("Times", times), ("Data", other), ("Options", story.facts.get("options")),
                        ("Versions", story.facts.get("versions"))):  # fmt: skip
        if isinstance(facts, Mapping) and facts:
            blocks.append(f"<h3>{name}</h3>{_plain_table(facts.items())}")
    return f'<section id="how"><h2>How it was made</h2>{"".join(blocks)}</section>'


def _method_facts(model: Model) -> list[tuple[str, Any]]:
    explanation = model.explanation
    error = explanation.additivity_error
    facts: list[tuple[str, Any]] = [
        ("run", model.run.id),
        ("method", explanation.method),
        ("why this method", explanation.reason),
        ("unit of the values", output_text(explanation)),
        ("explained", f"{explanation.num_examples:,} rows, {explanation.num_features:,} features"),
        ("features are", "the table's own columns" if explanation.is_raw else "the columns that the learner reads"),
        ("additivity error", "not known" if error is None else f"{error:.1e}: expected value plus contributions against the "
         "model's output, the largest gap over all rows"),
        ("values are", _exactness(explanation)),
    ]  # fmt: skip
    return facts + [("note", note) for note in explanation.notes]


def _exactness(explanation: Explanation) -> str:
    errors = explanation.standard_errors
    if errors is None:
        return "computed, not sampled"
    typical, largest = float(np.median(errors)), float(errors.max(initial=0.0))
    return f"sampled: standard error {number_text(typical)} in the median, {number_text(largest)} at most"


def _plain_table(facts: Iterable[tuple[Any, Any]]) -> str:
    rows = "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(_fact(value))}</td></tr>' for name, value in facts)
    return f'<table class="plain"><tbody>{rows}</tbody></table>'


def _fact(value: Any) -> str:
    if value is None:
        return "default"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
