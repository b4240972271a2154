"""The payload: everything that the page shows, as JSON and one block of packed arrays.

``COLUMN`` below is an array packed by `ArrayBlock`; `readData` of ``static/data/data.js`` makes a typed array of it. n rows are
shown, of N; f features, C outputs: one for each class (two for a binary classification), or one for a regression.

::

    protocol: 1
    title: text
    task: "classification" | "regression"
    classes: [C texts] | null
    output: {space: "probability" | "log_odds" | "response" | "margin", word: text for labels}
    rows: {total: N, shown: n, positions: COLUMN (n), labels: [n texts] | null}
            positions in the user's table; labels of the user's index, unless it is 0, 1, ...
    notes: [sentences]
    missing: [sentences: what cannot be shown, and what to pass]
    features: [f x {name, kind, values: COLUMN (n) | null, levels: [texts] | null, min, max, missing: cells of all N rows}]
            kind: "number" | "integer" | "boolean" | "category" | "date" | "duration"
            values: as `PageColumn` says: numbers; 0 and 1; positions in levels; milliseconds since 1970, UTC; seconds.
            NaN: missing. In the page always Float64Array. null: the rows are not known.
    predictions: {output: [C x COLUMN (n)] | null, probability: [C x COLUMN (n)] | null,
                  truth: COLUMN (n) | null}           truth: position of the class, or the target; NaN: not known
    explanations: [{id, name, method, reason, kind: "shapley" | "local_linear" | "permutation", model_kind: text | null,
                    unit: text, additive: boolean, expected: [C numbers],
                    values: [C x COLUMN (f * n), or {negative_of: position of another one}] | null,
                    standard_errors: as values | null, left_out: [C x COLUMN (n)] | null,
                    importance: {mean_abs: [C x [f numbers]], low: same | null, high: same | null, confidence},
                    predictions: [C x COLUMN (n)] | null, additivity_error: number | null, notes: [sentences]}]
            In the page values[c][j] is the Float32Array of feature j. importance is over all N rows. The first one is that
            of the model of `predictions`.
            For a permutation importance, and others without values by class, mean_abs has one row.
    search: {runs: [`OF_RUNS` of `Run.as_dict()`, and explanation: id | null], final: id,
             findings: `OF_FINDINGS` of `SearchExplanation.as_dict()` | null} | null         names in dashboard/_searches.py
    members: {names: [M texts], share: [M numbers], by_feature: [M x [f numbers]] | null, reason} | null
    metrics: as in `_metrics` | null
    statistics: [f x {edges: [numbers], counts: [numbers]} | {counts: [numbers for each level]} | null]     over all N rows
    model: as `export_model` (automl_explain/dashboard/model/_export.py) returns it; else {kind: "none", reason, notes: []}
    examples: HTML | null               texts or images with their values, as templates made it: everything in it is escaped
    nouns: {example: "row" | "text" | "image", feature: "feature" | "word" | "sentence" | "position", left_out: text}
            what a row and a feature are called, and the bar of `left_out`
    transport: "page" | "http" | "widget"

A row that the page sends is a list of f numbers as in `values`, in order; null is a missing cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.dashboard.data._arrays import ArrayBlock, bytes_of
from automl_explain.dashboard.data._columns import PageColumn, column_cells
from automl_explain.dashboard.data._statistics import column_statistics
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._names import OF_TABLES, Nouns, one_line, unit_text
from automl_explain.explainers.tables._table import Table, draw_rows

PROTOCOL = 1
ROOM = 2_350_000
"""Bytes of the rows of a page before compression; with them, a model and BokehJS, it weighs at most about 4 MB."""
FEWEST_ROWS, MOST_ROWS = 1000, 10_000
"""Rows shown by default of a table that has them: at least so many although the page becomes larger, and at most so many."""
MOST_ROOM = 40_000_000
"""Bytes of the rows that not even the fewest rows may exceed, with thousands of features or classes."""
SAMPLE = 500
"""Rows by which the bytes of a column are estimated."""
Numbers = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class ShownExplanation:
    """An explanation over the page's columns.

    Parameters
    ----------
    id, name : str
    explanation : Explanation
    with_values : bool
        Whether the page has its local values, not only its importance.
    """

    id: str
    name: str
    explanation: Explanation
    with_values: bool = True


@dataclass(frozen=True, eq=False)
class Subject:
    """What a page is about.

    Parameters
    ----------
    title : str
    explanations : tuple of ShownExplanation
        At least one. All are of the same rows, columns and classes.
    table : Table or None
        The rows explained, in the page's columns.
    columns : tuple of PageColumn, or None
        Description of these columns; None without a table.
    probability : ndarray of shape (n, C), or None
        Probabilities of the classes, if they are not the outputs themselves.
    truth : ndarray of shape (n,), or None
        Position of each row's class, or its target.
    search, members, metrics : JSON or None
    notes, missing : tuple of str
        Sentences.
    why_no_model : str
        Why edited rows cannot be answered; empty if they can.
    examples : str
        Examples of texts or images as HTML; empty for tables.
    nouns : Nouns
        What the rows and the features are called.
    """

    title: str
    explanations: tuple[ShownExplanation, ...]
    table: Table | None = None
    columns: tuple[PageColumn, ...] | None = None
    probability: Numbers | None = None
    truth: Numbers | None = None
    search: dict[str, Any] | None = None
    members: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    why_no_model: str = ""
    examples: str = ""
    nouns: Nouns = OF_TABLES

    @property
    def main(self) -> Explanation:
        """The explanation that the page shows first."""
        return self.explanations[0].explanation

    @property
    def n_rows(self) -> int:
        """Number of rows explained."""
        return self.main.num_examples or (0 if self.table is None else len(self.table))


@dataclass(frozen=True, eq=False)
class PageData:
    """A payload: JSON, and its arrays as a gzip stream."""

    json: dict[str, Any]
    block: ArrayBlock = field(repr=False)


def make_payload(subject: Subject, max_rows: int | None = None, random_state: int = 0) -> PageData:
    """Return the payload of a page.

    Parameters
    ----------
    subject : Subject
    max_rows : int, optional
        Most rows shown; statistics are those of all rows. Default: as many as a page of about 4 MB holds, at most 10,000.
    random_state : int, default 0
        Seed of the choice of rows.
    """
    block = ArrayBlock()
    main, total = subject.main, subject.n_rows
    rows = draw_rows(total, _room(subject) if max_rows is None else max_rows, random_state)
    features, statistics = _features(subject, rows, block)
    payload = {
        "protocol": PROTOCOL,
        "title": subject.title,
        "task": "regression" if main.classes is None else "classification",
        "classes": None if main.classes is None else [one_line(label) for label in main.classes],
        "output": {"space": main.output_space, "word": unit_text(main.output_space)},
        "rows": {
            "total": total,
            "shown": len(rows),
            "positions": block.add(rows),
            "labels": _row_labels(subject.table, rows),
        },
        "notes": list(subject.notes),
        "missing": list(subject.missing),
        "features": features,
        "predictions": {
            "output": _by_output(main.predictions, rows, block),
            "probability": _by_output(
                main.predictions if main.output_space == "probability" else subject.probability, rows, block
            ),
            "truth": None if subject.truth is None else block.add(subject.truth[rows]),
        },
        "explanations": [_explanation(shown, rows, block) for shown in subject.explanations],
        "search": subject.search,
        "members": subject.members,
        "metrics": subject.metrics,
        "statistics": statistics,
        "model": {"kind": "none", "reason": subject.why_no_model or "No model was given.", "notes": []},
        "examples": subject.examples or None,
        "nouns": subject.nouns._asdict(),
        "transport": "page",
    }
    return PageData(payload, block)


def _room(subject: Subject) -> int:
    """Return how many rows a page of a usual size holds."""
    main = subject.main
    n_blocks = 1 if main.classes is None or len(main.classes) == 2 else len(main.classes)
    arrays = sum(values is not None for values in (main.local_importance_values, main.standard_errors))
    per_row = 4 * arrays * n_blocks * main.num_features + 16 * n_blocks
    if subject.table is not None and subject.columns is not None:
        some = draw_rows(len(subject.table), SAMPLE, 0)
        per_row += sum(
            bytes_of(column.to_numbers(column_cells(subject.table, j).iloc[some]))
            for j, column in enumerate(subject.columns)
        )
    return min(max(ROOM // per_row, FEWEST_ROWS), MOST_ROWS, max(MOST_ROOM // per_row, 1))


def _features(subject: Subject, rows: Positions, block: ArrayBlock) -> tuple[list[dict[str, Any]], list[Any]]:
    if subject.table is None or subject.columns is None:
        names = subject.main.feature_labels
        blank = {"kind": "number", "values": None, "levels": None, "min": None, "max": None, "missing": 0}
        return [{"name": one_line(name)} | blank for name in names], [None] * len(names)
    features, statistics = [], []
    for j, column in enumerate(subject.columns):
        numbers = column.to_numbers(column_cells(subject.table, j))  # one column of all rows at a time
        present = numbers[np.isfinite(numbers)]
        features.append(
            {
                "name": one_line(column.name),
                "kind": column.kind,
                "values": block.add(numbers[rows]),
                "levels": column.level_names,
                "min": float(present.min()) if len(present) else None,
                "max": float(present.max()) if len(present) else None,
                "missing": int(np.isnan(numbers).sum()),
            }
        )
        statistics.append(column_statistics(numbers, column))
    return features, statistics


def _explanation(shown: ShownExplanation, rows: Positions, block: ArrayBlock) -> dict[str, Any]:
    explanation = shown.explanation
    drawn = rows if shown.with_values and explanation.num_examples else None
    return {
        "id": shown.id,
        "name": shown.name,
        "method": explanation.method,
        "reason": explanation.reason,
        "kind": explanation.kind,
        "model_kind": explanation.model_kind,
        "unit": unit_text(explanation.unit),
        "additive": explanation.is_additive,
        "expected": explanation.expected_values.tolist(),
        "values": _by_feature(explanation, explanation.local_importance_values, drawn, block),
        "standard_errors": _by_feature(explanation, explanation.standard_errors, drawn, block, signed=False),
        "left_out": _left_out(explanation, drawn, block),
        "importance": _importance(explanation),
        "predictions": None if drawn is None else _by_output(explanation.predictions, drawn, block),
        "additivity_error": explanation.additivity_error,
        "notes": list(explanation.notes),
    }


def _importance(explanation: Explanation) -> dict[str, Any]:
    if explanation.local_importance_values is None:
        by_class = explanation.is_classification and explanation.class_values is not None
        values = explanation.per_class_values if by_class else explanation.global_importance_values[None]
        return {"mean_abs": values.tolist(), "low": None, "high": None, "confidence": None}
    found = explanation.global_importance()
    if found.class_values is None or found.class_low is None or found.class_high is None:
        parts = found.values[None], found.low[None], found.high[None]
    else:
        parts = found.class_values, found.class_low, found.class_high
    names = ("mean_abs", "low", "high")
    return {name: part.tolist() for name, part in zip(names, parts, strict=True)} | {"confidence": found.confidence}


def _by_feature(
    explanation: Explanation, values: Numbers | None, rows: Positions | None, block: ArrayBlock, *, signed: bool = True
) -> Any:
    """Return values, (C, n, f) or (n, f), as an array (f, n) for each output; the first of two classes may be the negative."""
    if values is None or rows is None:
        return None
    blocks = values if explanation.is_classification else values[None]
    if signed and len(blocks) == 2 and np.array_equal(blocks[0], -blocks[1]):
        return [{"negative_of": 1}, block.add(blocks[1][rows].T, single=True)]
    return [block.add(one[rows].T, single=True) for one in blocks]


def _left_out(explanation: Explanation, rows: Positions | None, block: ArrayBlock) -> Any:
    if explanation.left_out is None or rows is None:
        return None
    blocks = explanation.left_out if explanation.is_classification else explanation.left_out[None]
    return [block.add(one[rows]) for one in blocks]


def _by_output(outputs: Numbers | None, rows: Positions, block: ArrayBlock) -> Any:
    return None if outputs is None else [block.add(outputs[rows, c]) for c in range(outputs.shape[1])]


def _row_labels(table: Table | None, rows: Positions) -> list[str] | None:
    if table is None or not table.is_frame or table.data.index.equals(pd.RangeIndex(len(table))):
        return None
    return [one_line(label) for label in table.data.index[rows]]
