"""`Performance`: how good a model's predictions of the explained rows are, with the best and the worst rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.display._class_view import all_outputs, probabilities_of
from automl_explain.display._row_view import row_labels
from automl_explain.display._true_labels import class_codes, labels_in_order
from automl_explain.explainers._arguments import checked
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.formatting._names import counted, one_line
from automl_explain.explainers.formatting._numbers import cell_text, number_text, python_value
from automl_explain.explainers.formatting._text_table import Column, TextTable
from automl_explain.integrations.history._scores import usual_scores

SHOWN = 5
"""Rows shown of the worst."""
LINE = 80


@dataclass(frozen=True, eq=False, repr=False)
class Performance:
    """How good the predictions of the explained rows are.

    Parameters
    ----------
    scores : dict of str to float
        Accuracy, log loss and ROC AUC of a classification; R2, RMSE and MAE of a regression.
    rows : DataFrame
        A line per row, in their order, with the columns ``row``, ``label``, ``truth``, ``predicted`` and ``error``. The error is
        1 minus the probability of the true class, or 0 and 1 if there are no probabilities; for a regression, it is the
        residual, truth minus prediction.
    confusion : DataFrame or None
        Number of rows of each true class (lines) by predicted class (columns); None for a regression.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> good = explain_model(Ridge().fit(X[:300], y[:300]), X[:300], X[300:]).performance(y[300:])
    >>> list(good.scores), len(good.worst(3))
    (['R2', 'RMSE', 'MAE'], 3)
    """

    scores: dict[str, float]
    rows: pd.DataFrame
    confusion: pd.DataFrame | None

    @checked
    def worst(self, n: int = SHOWN) -> pd.DataFrame:
        """Return the rows with the largest errors, largest first.

        Parameters
        ----------
        n : int, default 5
            Rows returned.

        Returns
        -------
        DataFrame
            Lines of `rows`.

        Raises
        ------
        InvalidInputError
            If `n` is less than 1.
        """
        return self.rows.iloc[np.argsort(-self.rows["error"].abs().to_numpy(), kind="stable")[:n]]

    @checked
    def best(self, n: int = SHOWN) -> pd.DataFrame:
        """Return the rows with the smallest errors, smallest first.

        Parameters
        ----------
        n : int, default 5
            Rows returned.

        Returns
        -------
        DataFrame
            Lines of `rows`.

        Raises
        ------
        InvalidInputError
            If `n` is less than 1.
        """
        return self.rows.iloc[np.argsort(self.rows["error"].abs().to_numpy(), kind="stable")[:n]]

    def to_frame(self) -> pd.DataFrame:
        """Return a line per row: `rows`.

        Returns
        -------
        DataFrame
            Row, label, truth, prediction and error of each row explained.
        """
        return self.rows

    @property
    def headline(self) -> str:
        """The scores in a sentence."""
        said = ", ".join(f"{name} {number_text(value)}" for name, value in self.scores.items())
        return f"{counted(len(self.rows), 'row')}: {said}"

    @property
    def tables(self) -> list[tuple[str, TextTable]]:
        """Tables to show, with their headings: the confusion or the residuals, the worst rows, and the best."""
        first = ("residuals: truth minus prediction", self._residuals())
        if self.confusion is not None:
            first = ("true class by predicted class", self._confusion())
        error = "residual" if self.confusion is None else "error"
        return [
            first,
            (f"rows with the largest {error}", self._rows(self.worst())),
            (f"rows with the smallest {error}", self._rows(self.best())),
        ]

    @checked
    def as_text(self, width: int = LINE) -> str:
        """Return the scores and the tables for a terminal.

        Parameters
        ----------
        width : int, default 80
            Characters of a line.

        Returns
        -------
        str
            Lines of text.
        """
        return "\n\n".join([self.headline, *(f"{heading}\n{table.as_text(width)}" for heading, table in self.tables)])

    @checked
    def as_dict(self, n: int = SHOWN) -> dict[str, Any]:
        """Return scores, confusion, and the `n` worst and best rows as JSON-serialisable values.

        Parameters
        ----------
        n : int, default 5
            Rows of each end.

        Returns
        -------
        dict
            With the keys "scores", "confusion", "worst" and "best".
        """

        def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
            return [
                {str(name): python_value(cell) for name, cell in row.items()} for row in rows.to_dict(orient="records")
            ]

        confusion = None if self.confusion is None else self.confusion.to_numpy().tolist()
        return {
            "scores": self.scores,
            "confusion": confusion,
            "worst": records(self.worst(n)),
            "best": records(self.best(n)),
        }

    def _residuals(self) -> TextTable:
        heads = ("lowest", "5 %", "25 %", "median", "75 %", "95 %", "highest")
        found = np.quantile(self.rows["error"].to_numpy(), [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
        columns = (Column("rows"), *(Column(head, is_number=True) for head in heads))
        return TextTable(columns, ((f"{len(self.rows):,}", *map(number_text, found.tolist())),))

    def _confusion(self) -> TextTable:
        table = self.confusion
        assert table is not None
        heads = (
            Column("true", width=20),
            *(Column(one_line(name), is_number=True, width=14) for name in table.columns),
        )
        lines = (tuple(f"{count:,}" for count in line) for line in table.to_numpy().tolist())
        return TextTable(heads, tuple((one_line(name), *line) for name, line in zip(table.index, lines, strict=True)))

    def _rows(self, rows: pd.DataFrame) -> TextTable:
        numbers = [False, False, True, True, True]
        heads = ("row", "label", "truth", "predicted", "error")
        shown = (*heads[:-1], "residual" if self.confusion is None else "error")
        columns = tuple(Column(head, is_number=is_number) for head, is_number in zip(shown, numbers, strict=True))
        lines = rows[list(heads)].itertuples(index=False)
        return TextTable(
            columns,
            tuple((str(row), one_line(label), *map(cell_text, rest), number_text(e)) for row, label, *rest, e in lines),
        )

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return render("notebook/tables.html", facts=[self.headline], tables=self.tables)


def measure(explanation: Explanation, y: Any, own: Sequence[Any] | None = None) -> Performance:
    """Return how good the predictions of the explained rows are.

    Parameters
    ----------
    explanation : Explanation
        With local values.
    y : array-like of shape (n,)
        True labels or numbers of the rows explained. A pandas Series with the labels of their index is brought into their
        order, and may have more.
    own : sequence, optional
        The model's own labels of the classes, which may also be given.

    Raises
    ------
    InvalidInputError
        If there is not one label per row, or a label is no class of the model.
    """
    truth = labels_in_order(explanation, y)
    outputs, labels = all_outputs(explanation), row_labels(explanation)
    about = {"row": np.arange(len(truth)), "label": np.arange(len(truth)) if labels is None else list(labels)}
    if explanation.classes is None:
        predicted = outputs[:, 0]
        truth = truth.astype(np.float64)
        rows = pd.DataFrame(about | {"truth": truth, "predicted": predicted, "error": truth - predicted})
        return Performance(usual_scores(truth, predicted), rows, None)
    classes = [python_value(label) for label in explanation.classes]
    codes = class_codes(truth, classes, own).astype(np.intp)
    predicted = outputs.argmax(axis=1)
    shares = probabilities_of(explanation, outputs)
    error = (codes != predicted).astype(np.float64)
    if shares is not None:
        error = np.clip(1.0 - shares[np.arange(len(codes)), codes], 0.0, 1.0)  # beyond the ends by rounding
    named: dict[str, Any] = {"truth": [classes[k] for k in codes], "predicted": [classes[k] for k in predicted]}
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (codes, predicted), 1)
    return Performance(
        usual_scores(codes, predicted, shares, range(len(classes))),
        pd.DataFrame(about | named | {"error": error}),
        pd.DataFrame(confusion, index=pd.Index(classes, name="true"), columns=pd.Index(classes, name="predicted")),
    )
