"""The report's sections on the search as a whole: every run, what was not explained and why, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from automl_explain.display._class_view import number_text, output_text
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.integrations.history._run import Run
from automl_explain.report._facts import TOP, Model, Story, unexplained
from automl_explain.report._sections import number, text

LONGEST_WHY = 280
"""Letters of a reason in the table of runs."""
CHART = (720.0, 170.0, 52.0, 14.0)
"""Width and height of the chart of losses, room for numbers at its left, and margin."""


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
        '<section id="runs"><h2>All runs</h2><p class="soft small">Loss is what the search minimised (metric '
        f"{text(story.metric)}); a final model is not scored. Seconds are the time that explaining took. A click on a "
        "heading sorts.</p>"
        f"{loss_chart(story)}"
        f'<div class="wide tall"><table class="sortable"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        "</section>"
    )


def loss_chart(story: Story) -> str:
    """Return the loss of each trial in the order of the search, and the best so far, as SVG; losses far off lie on top."""
    trials = [run for run in story.runs if run.kind == "trial" and run.loss is not None]
    if len(trials) < 3:
        return ""
    width, height, left, margin = CHART
    losses = np.array([run.loss for run in trials], dtype=np.float64)
    low, high = float(losses.min()), float(np.quantile(losses, 0.9))
    high = high if high > low else low + (abs(low) or 1.0)
    across = left + margin + (width - left - 2 * margin) * np.arange(len(losses)) / (len(losses) - 1)
    down = margin + (height - 2 * margin) * (1 - (np.minimum(losses, high) - low) / (high - low))
    lowest = np.maximum.accumulate(down)
    line = f"M{across[0]:.1f} {lowest[0]:.1f}" + "".join(
        f"H{x:.1f}V{y:.1f}" for x, y in zip(across[1:], lowest[1:], strict=True)
    )
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" class="{"seen" if run.status == "explained" else "unseen"}">'
        f"<title>{text(f'{run.id}, {run.learner}: {run.loss:.5g}, {run.status}')}</title></circle>"
        for x, y, run in zip(across, down, trials, strict=True)
    )
    above = " and above" if losses.max() > high else ""
    numbers = "".join(
        f'<text x="{left - 4}" y="{y + 4}" text-anchor="end">{number(value)}</text>'
        for value, y in ((high, margin), (low, height - margin))
    )
    label = f"Loss of {len(trials)} trials in the order of the search, from {low:.4g} to {high:.4g}{above}"
    return (
        f'<figure class="chart"><div class="wide"><svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{text(label)}">{numbers}<path d="{line}"/>{dots}</svg></div>'
        f"<figcaption>Loss (metric {text(story.metric)}) of each trial in the order of the search; the line is the lowest "
        f"so far. Hollow: not explained. The top line is {number(high)}{above}.</figcaption></figure>"
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
        f"<tr{' class=best' if is_best else ''}>"
        f'<td data-key="{run.number}"><span class="id">{text(run.id)}</span> {badge}</td>'
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
    blocks = [f"<h3>{text(model.name)}</h3>{_plain_table(_method_facts(model))}" for model in story.models]
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
    what = "sampled"
    if explanation.fold_importances is not None:
        what = f"means over the models of {len(explanation.fold_importances)} folds"
    typical, largest = float(np.median(errors)), float(errors.max(initial=0.0))
    return f"{what}: standard error {number_text(typical)} in the median, {number_text(largest)} at most"


def _plain_table(facts: Iterable[tuple[Any, Any]]) -> str:
    rows = "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(_fact(value))}</td></tr>' for name, value in facts)
    return f'<table class="plain"><tbody>{rows}</tbody></table>'


def _fact(value: Any) -> str:
    if value is None:
        return "default"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
