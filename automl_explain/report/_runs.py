"""Every run of the search with its loss and status, and a chart of the losses."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from automl_explain.explainers.formatting._numbers import loss_text
from automl_explain.integrations.history._run import Run
from automl_explain.report._facts import TOP, Story

WIDTH, HEIGHT, LEFT, MARGIN = 720.0, 170.0, 52.0, 14.0
"""Size of the chart of losses, the room for numbers on its left, and its margin."""
FEWEST = 3
"""Scored trials below which there is no chart."""


@dataclass(frozen=True)
class RunLine:
    """A run in the table of runs."""

    run: Run
    is_best: bool
    config: str
    top: tuple[str, ...]


@dataclass(frozen=True)
class Dot:
    """A trial in the chart of losses."""

    x: float
    y: float
    is_explained: bool
    title: str


@dataclass(frozen=True)
class LossChart:
    """The loss of each trial in the order of the search.

    Parameters
    ----------
    dots : tuple of Dot
        Losses above the limit lie on it.
    best : tuple of (float, float)
        Places of the lowest loss so far.
    limit, lowest : float
        Losses at the top and at the bottom.
    is_cut : bool
        Whether a loss is above the limit.
    """

    dots: tuple[Dot, ...]
    best: tuple[tuple[float, float], ...]
    limit: float
    lowest: float
    is_cut: bool
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    margin: float = MARGIN


@dataclass(frozen=True)
class RunsView:
    """Every run, and the chart of losses; None for fewer than three scored trials."""

    lines: tuple[RunLine, ...]
    chart: LossChart | None


def view_runs(story: Story) -> RunsView:
    """Return every run with its status and most important features."""
    return RunsView(tuple(_line(story, run) for run in story.runs), loss_chart(story))


def loss_chart(story: Story) -> LossChart | None:
    """Return the loss of each trial and the lowest so far, placed in the chart."""
    trials = [run for run in story.runs if run.kind == "trial" and run.loss is not None]
    if len(trials) < FEWEST:
        return None
    losses = np.array([run.loss for run in trials], dtype=np.float64)
    low, high = float(losses.min()), float(np.quantile(losses, 0.9))
    high = high if high > low else low + (abs(low) or 1.0)
    across = LEFT + MARGIN + (WIDTH - LEFT - 2 * MARGIN) * np.arange(len(losses)) / (len(losses) - 1)
    down = MARGIN + (HEIGHT - 2 * MARGIN) * (1 - (np.minimum(losses, high) - low) / (high - low))
    dots = tuple(
        Dot(x, y, run.status == "explained", f"{run.id}, {run.learner}: {loss_text(run.loss)}, {run.status}")
        for x, y, run in zip(across.tolist(), down.tolist(), trials, strict=True)
    )
    best = tuple(zip(across.tolist(), np.maximum.accumulate(down).tolist(), strict=True))
    return LossChart(dots, best, high, low, bool(losses.max() > high))


def _line(story: Story, run: Run) -> RunLine:
    return RunLine(
        run,
        story.best is not None and run.id == story.best.id,
        json.dumps(dict(run.config), default=str, ensure_ascii=False) if run.config else "",
        tuple(name for name, _ in run.top[:TOP]),
    )
