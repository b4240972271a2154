"""The report's sections as HTML. Every text that a user, a column or a library supplied goes through `text`."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from automl_explain.display._class_view import (
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
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.plots._explanation_plots import plot_summary
from automl_explain.plots._png import png
from automl_explain.report._facts import TOP, ChosenRow, Model, Story, choose_rows, first_look

MOST_CLASSES = 12
"""Classes with a column of their own in a table of importance."""
MOST_PICTURES = 3
"""Classes with a beeswarm of their own."""


def text(value: Any, width: int | None = None) -> str:
    """Return a value as escaped text on one line, shortened where a width is given."""
    return escape(one_line(value) if width is None else shortened(value, width))


def number(value: float | None, *, signed: bool = False) -> str:
    """Return a number as a reader expects it; a dash for None."""
    return "–" if value is None else minus(number_text(value, signed=signed))  # noqa: RUF001 - a dash is meant


# ------------------------------------------------------------------------------------------------------------ header


def header(story: Story, title: str, main: str) -> str:
    """Return title, facts at a glance, what to look at first, and links to the sections that `main` has."""
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
        ("best loss", "–" if best is None else f"{best.loss:.5g}", f"metric {story.metric}"),  # noqa: RUF001
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
    links = "".join(
        f'<a href="#{place}">{text(name)}</a>' for place, name in _contents(story) if f'id="{place}"' in main
    )
    sentences = "".join(f"<li>{text(sentence)}</li>" for sentence in first_look(story))
    return (
        f'<h1>{text(title)}</h1><p class="soft">{" · ".join(part for part in line if part)}</p>'
        f'<dl class="cards">{shown}</dl>'
        f'<section class="first"><h2>What to look at first</h2><ul>{sentences}</ul></section>'
        f'<nav aria-label="Contents">{links}</nav>'
    )


def _search_time(story: Story) -> str:
    seconds = story.facts.get("search_seconds")
    return f"summed over runs; search {seconds:.1f} s" if isinstance(seconds, int | float) else "summed over runs"


def _contents(story: Story) -> list[tuple[str, str]]:
    models = [(f"model-{i}", model.name) for i, model in enumerate(story.models)]
    rest = [
        ("members", "Members"),
        ("rows", "Single rows"),
        ("search", "Runs together"),
        ("runs", "All runs"),
        ("unexplained", "Not explained"),
        ("how", "How it was made"),
    ]
    return [*models[:1], *rest[:2], *models[1:], *rest[2:]]


# ------------------------------------------------------------------------------------------------------------ models


def model_section(model: Model, place: int, top_k: int) -> str:
    """Return a model's importance overall and per class, and how its features act."""
    explanation = model.explanation
    scored = "" if model.run.loss is None else f", loss {model.run.loss:.5g}"
    about = (
        f'<p><span class="id">{text(model.run.id)}</span> · {text(model.run.learner)}{scored} · {text(model.role)}.</p>'
    )
    remarks = [explanation.reason, *explanation.notes]
    notes = "".join(f'<p class="soft small">{text(remark)}</p>' for remark in remarks if remark)
    pictures = "" if explanation.local_importance_values is None else _beeswarms(model, place, top_k)
    return (
        f'<section id="model-{place}"><h2>{text(model.name)}</h2>{about}{notes}'
        f"<h3>Importance</h3>{importance_table(explanation, top_k, f'importance-{place}')}{pictures}</section>"
    )


def importance_table(explanation: Explanation, top_k: int, place: str = "importance") -> str:
    """Return the most important features with a bar each, and a column per class."""
    values = explanation.global_importance_values
    order = ranking(values)[:top_k]
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    classes, hidden = _class_columns(explanation)
    alike = len(classes) > 1 and all(np.allclose(column, values) for _, column in classes)
    classes = [] if alike else classes
    peak = max((float(np.abs(column).max(initial=0.0)) for _, column in classes), default=0.0) or 1.0
    heads = "".join(f'<th scope="col" class="number">{text(label, 24)}</th>' for label, _ in classes)
    rows = []
    for j in order:
        sign = " minus" if values[j] < 0 else ""
        bar = f'<div class="bar{sign}" style="width: {100 * abs(values[j]) / largest:.1f}%"></div>' if values[j] else ""
        heat = "".join(
            f'<td class="number" style="background: rgba(var(--heat), {0.45 * abs(column[j]) / peak:.2f})">'
            f"{number(column[j])}</td>"
            for _, column in classes
        )
        rows.append(
            f'<tr><th scope="row">{text(explanation.feature_labels[j], 48)}</th>'
            f'<td class="bars">{bar}</td>'
            f'<td class="number">{number(values[j])}</td>{heat}</tr>'
        )
    what = explanation.traits.importance.format(unit=output_text(explanation))
    mean = "; overall: the mean over classes" if classes else "; the same for each class" if alike else ""
    more = [f"{len(values) - len(order):,} further features are less important"] if len(order) < len(values) else []
    more += [f"{hidden} further classes are not shown"] if hidden else []
    return (
        f'<p class="soft small" id="{place}">{text(f"{what}{mean}")}</p>'
        f'<div class="wide"><table class="importance" aria-describedby="{place}">'
        '<thead><tr><th scope="col">feature</th><th scope="col" colspan="2">overall</th>'
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        + (f'<p class="soft small">{text("; ".join(more) + ".")}</p>' if more else "")
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
    if not explanation.num_examples or not explanation.is_additive or not each:
        return ""
    rule, chosen = choose_rows(explanation, each)
    cards = "".join(f"<div>{steps_table(explanation, row, top_k)}</div>" for row in chosen)
    return (
        f'<section id="rows"><h2>Single rows</h2><p>{text(model.name)}: {text(rule)}.</p>'
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
        error = f' <span class="soft small error">± {step.error:.2g}</span>' if step.error else ""
        shown = step.value if abs(step.value) > 1e-9 * width else 0.0
        bar = _step_bar(shown, share(min(start, end)), 96 * abs(shown) / width) if shown else ""
        rows.append(
            f'<tr><th scope="row">{text(step.label)}</th><td><div class="track">{bar}</div></td>'
            f'<td class="number">{number(shown, signed=True)}{error}</td></tr>'
        )
    rows.append(_end_row("output", float(ends[-1]), share(float(ends[-1]))))
    sampled = " sampled" if any(step.error for step in steps) else ""
    return (
        f'<h3>Row {chosen.row}: {text(chosen.title)}</h3><table class="steps{sampled}">'
        f"<caption>{text(f'contributions to the {view.unit}')}</caption><tbody>{''.join(rows)}</tbody></table>"
    )


def _step_bar(value: float, left: float, length: float) -> str:
    return f'<i class="{"minus" if value < 0 else "plus"}" style="left: {left:.1f}%; width: {length:.1f}%"></i>'


def _end_row(name: str, value: float, place: float) -> str:
    return (
        f'<tr class="ends"><th scope="row">{name}</th><td><div class="track"><i class="point" '
        f'style="left: {place:.1f}%"></i></div></td><td class="number">{number(value)}</td></tr>'
    )
