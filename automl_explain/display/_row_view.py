"""`RowExplanation`: why one row was predicted so."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.display._class_view import (
    ClassView,
    all_outputs,
    check_row,
    check_top_k,
    class_position,
    class_text,
    data_of,
    default_class,
    output_text,
    probabilities_of,
    view_class,
)
from automl_explain.explainers._arguments import checked, nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._bars import bars
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted, one_line
from automl_explain.explainers.formatting._numbers import cell_text, number_text, python_value
from automl_explain.explainers.formatting._reasons import UNKNOWN, reason_text
from automl_explain.explainers.formatting._text_table import Column, TextTable, wrapped

BAR = 16
"""Letters of the longest bar: what the widest columns leave of a terminal's line."""
TERMINAL = 80
"""Characters of a line."""
TOP = 10
"""Features shown."""


@dataclass(frozen=True, eq=False, repr=False)
class RowExplanation:
    """Why one row was predicted so: signed values with the row's cells, from the base value to the output.

    Parameters
    ----------
    explanation : Explanation
        The explanation of this row alone.
    position : int
        Number of the row among the rows explained.
    label : object
        Its label in the index of the table; the position if the table has no index.
    view : ClassView
        The class that is shown.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from automl_explain import explain_model
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = LogisticRegression(max_iter=10_000).fit(X, y)
    >>> row = explain_model(model, X, X[:20], classes=["malignant", "benign"]).row(17)
    >>> row.predicted, round(row.probability, 2)
    ('malignant', 0.0)
    >>> list(row.to_frame().columns)
    ['feature', 'value', 'contribution']
    """

    explanation: Explanation
    position: int
    label: Any
    view: ClassView

    @property
    def class_(self) -> Any:
        """The class whose values are shown; None for a regression."""
        place = self.view.position
        return None if place is None else python_value((self.explanation.classes or ())[place])

    @property
    def predicted(self) -> Any:
        """The class with the highest output, or the predicted number of a regression."""
        outputs = all_outputs(self.explanation)[0]
        if self.explanation.classes is None:
            return float(outputs[0])
        return python_value(self.explanation.classes[int(np.argmax(outputs))])

    @property
    def base(self) -> float:
        """Mean output over the background, from which the values count."""
        return self.view.expected

    @property
    def output(self) -> float:
        """The model's output for the class that is shown, in the unit of the values."""
        place = self.view.position
        return float(all_outputs(self.explanation)[0, 0 if place is None else place])

    @property
    def probability(self) -> float | None:
        """Probability of the class that is shown; None where the output does not give one."""
        return self._share(all_outputs(self.explanation)[0])

    @property
    def base_probability(self) -> float | None:
        """Probability at the base value; not the mean probability where the unit is the log-odds."""
        return self._share(self.explanation.expected_values)

    def _share(self, outputs: Any) -> float | None:
        shares = probabilities_of(self.explanation, np.atleast_2d(outputs))
        return None if shares is None or self.view.position is None else float(shares[0, self.view.position])

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a line per feature, largest contribution first.

        Returns
        -------
        DataFrame
            Columns ``feature``, ``value`` (the row's cell), ``contribution``, and ``standard_error`` if values are sampled.
        """
        values, explanation = self.view.values[0], self.explanation
        order = ranking(np.abs(values))
        data, errors = data_of(explanation), self.view.standard_errors
        columns: dict[str, Any] = {"feature": [explanation.feature_labels[j] for j in order]}
        if data is not None:
            cells = [python_value(data.column(int(j))[0]) for j in order]
            columns["value"] = pd.Series(cells, dtype=object)
        columns["contribution"] = values[order]
        if errors is not None:
            columns["standard_error"] = errors[0, order]
        return pd.DataFrame(columns)

    @checked
    def reasons(self, top_k: int = 3) -> list[str]:
        """Return the largest contributions in words, such as "calls = 5 raises the odds of 'yes' by a factor of 1.8".

        Parameters
        ----------
        top_k : int, default 3
            Contributions put into words.

        Returns
        -------
        list of str
            Largest absolute contribution first; cells that contribute nothing are left out.

        Raises
        ------
        InvalidInputError
            If `top_k` is less than 1.
        """
        explanation = self.explanation
        cells = self.to_frame().head(check_top_k(top_k))
        known = cells["value"].tolist() if "value" in cells else [UNKNOWN] * len(cells)
        n_classes = len(explanation.classes or ())
        return [
            reason_text(name, cell, value, explanation.output_space, self.class_, n_classes=n_classes)
            for name, cell, value in zip(cells["feature"], known, cells["contribution"].tolist(), strict=True)
            if value
        ]

    @checked
    def as_dict(self, top_k: int = TOP) -> dict[str, Any]:
        """Return everything as JSON-serialisable values.

        Parameters
        ----------
        top_k : int, default 10
            Contributions returned.

        Returns
        -------
        dict
            Row, label, class, prediction, base value, output, contributions and reasons.
        """
        lines = self.to_frame().head(check_top_k(top_k))
        if "value" in lines:
            lines["value"] = [_plain(cell) for cell in lines["value"]]
        return {
            "row": self.position,
            "label": _plain(self.label),
            "class": _plain(self.class_),
            "predicted": _plain(self.predicted),
            "probability": self.probability,
            "base": self.base,
            "output": self.output,
            "output_space": self.explanation.output_space,
            "contributions": lines.to_dict(orient="records"),
            "reasons": self.reasons(),
        }

    @checked
    def as_text(self, top_k: int = TOP, width: int = TERMINAL) -> str:
        """Return the row for a terminal: prediction, contributions and reasons.

        Parameters
        ----------
        top_k : int, default 10
            Contributions shown.
        width : int, default 80
            Characters of a line.

        Returns
        -------
        str
            Lines of text.
        """
        lines = self.to_frame()
        shown = lines.head(check_top_k(top_k))
        heights = bars(shown["feature"], shown["contribution"])
        cells = shown["value"].map(cell_text) if "value" in shown else [""] * len(shown)
        table = TextTable(
            (
                Column("feature", width=30),
                Column("value", width=16),
                Column("contribution", is_number=True),
                Column(""),
            ),
            tuple(
                (
                    str(bar.name),
                    cell,
                    number_text(bar.value, signed=True),
                    ("+" if bar.value > 0 else "-") * round(BAR * bar.length),
                )
                for bar, cell in zip(heights, cells, strict=True)
            ),
        )
        parts = [self.headline, table.as_text(width)]
        rest = lines["contribution"].iloc[top_k:]
        if len(rest):
            parts.append(
                f"  ... and {counted(len(rest), 'other feature')}, together {number_text(rest.sum(), signed=True)}"
            )
        parts += [f"- {reason}" for reason in self.reasons()]
        return "\n".join(wrapped(part, width) if "\n" not in part else part for part in parts)

    @property
    def headline(self) -> str:
        """What was predicted, in a sentence."""
        place = self.view.position
        name = f"row {self.position}" + ("" if self.label == self.position else f" (label {one_line(self.label)})")
        base, output = number_text(self.base), number_text(self.output)
        unit = output_text(self.explanation)
        if place is None:
            more = "" if self.explanation.output_space == "response" else f", {unit} = {output}"
            return f"{name}: predicted {number_text(self.predicted)}; base = {base}{more}"
        shown = class_text(self.explanation, place)
        odds = self.explanation.output_space != "probability"
        likely = "" if self.probability is None else f"; probability of {shown} = {number_text(self.probability)}"
        more = f"; {unit} of {shown} = {output}, base = {base}" if odds else f", base = {base}"
        return f"{name}: predicted {one_line(self.predicted)}{likely}{more}"

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        shown = self.to_frame().head(TOP)
        names = [
            f"{name} = {cell_text(cell)}" if "value" in shown else name
            for name, cell in zip(shown["feature"], shown.get("value", shown["feature"]), strict=True)
        ]
        left = len(self.to_frame()) - len(shown)
        return render(
            "notebook/importance.html",
            facts=[self.headline, *self.reasons()],
            what="feature",
            unit=f"contribution to the {self.view.unit}",
            bars=bars(names, shown["contribution"]),
            more=counted(left, "further feature") if left else "",
            split=None,
        )


def explain_row(explanation: Explanation, row: Any, class_: Any = None, *, label: Any = None) -> RowExplanation:
    """Return one row of an explanation.

    Parameters
    ----------
    explanation : Explanation
        With local values.
    row : int or object
        Position from 0; negative numbers count from the end. Anything else is a label of the table's index.
    class_ : object, optional
        The class whose values are shown. Default: the second of two classes, the predicted one of several.
    label : object, optional
        A label of the index, in place of `row`, such as a number.

    Raises
    ------
    InvalidInputError
        If there is no such row or class, or no local values.
    """
    if label is not None or not isinstance(row, numbers.Integral | None):
        position = _labelled(explanation, row if label is None else label)
    else:
        position = check_row(explanation, 0 if row is None else row)
    one = explanation.select(rows=position)
    place = default_class(one, 0) if class_ is None else class_position(one, class_)
    index = row_labels(explanation)
    return RowExplanation(
        one, position, position if index is None else python_value(index[position]), view_class(one, place)
    )


def row_labels(explanation: Explanation) -> pd.Index | None:
    """Return the index of the rows explained; None if they have none."""
    data = explanation.data
    return data.data.index if data is not None and data.is_frame else None


def _labelled(explanation: Explanation, label: Any) -> int:
    """The position of the row with a label, given as itself or as text."""
    index = row_labels(explanation)
    if index is None:
        raise InvalidInputError(f"The rows explained have no labels: pass a row number. Got {label!r}.")
    texts = [str(one) for one in index]
    found = [j for j, text in enumerate(texts) if text == str(label)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInputError(
            f"{len(found)} rows have the label {label!r}: pass the number of one, such as {found[0]}."
        )
    guess = nearest(str(label), texts[:1000])
    hint = f" Did you mean {guess!r}?" if guess else f" The first labels are {texts[:5]}."
    raise InvalidInputError(f"No explained row has the label {label!r}.{hint}")


def _plain(value: Any) -> Any:
    """A cell as JSON holds it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return value if isinstance(value, float) else value.isoformat() if hasattr(value, "isoformat") else str(value)
