"""`RowColumns`: the table that says of each row what the model predicts and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.scoring._explainer import ScoringExplainer


@dataclass(frozen=True)
class RowColumns:
    """Which columns the table of explained rows has.

    They are, in this order: the columns copied; ``prediction``; ``probability of`` each class, if the model has
    probabilities; ``base value``; and ``value of`` each feature, for the predicted class or number. With `top_k` the values
    are ``feature 1``, ``value 1``, and so on, largest absolute value first.

    Parameters
    ----------
    columns : tuple of str, default ()
        Columns of the data to copy, such as an id.
    features : tuple of str, optional
        Features whose values are given. Default: all. With some left out, the values do not add up to the output.
    top_k : int, optional
        Give only so many of the largest values of each row, with their names. Default: all values.
    output_class : object, optional
        Class whose values are given, or target of a model of several targets. Default: the predicted class.
    dtype : {"float64", "float32"}, default "float64"
        Type of the values.

    Raises
    ------
    InvalidInputError
        If an option cannot be used.
    """

    columns: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    top_k: int | None = None
    output_class: Any = None
    dtype: Literal["float64", "float32"] = "float64"

    def __post_init__(self) -> None:
        if self.dtype not in ("float64", "float32"):
            raise InvalidInputError(f"The 'dtype' parameter must be 'float64' or 'float32'. Got {self.dtype!r}.")
        whole = isinstance(self.top_k, int | np.integer) and not isinstance(self.top_k, bool)
        if self.top_k is not None and not (whole and self.top_k >= 1):
            raise InvalidInputError(f"The 'top_k' parameter must be an integer, 1 or more. Got {self.top_k!r}.")
        for name in ("columns", "features"):
            given = getattr(self, name)
            if given is not None and not (isinstance(given, tuple) and all(isinstance(one, str) for one in given)):
                raise InvalidInputError(f"The {name!r} parameter must be a tuple of names. Got {given!r}.")

    def check(self, scorer: ScoringExplainer) -> None:
        """Refuse a class or feature that a scoring explainer does not have.

        Raises
        ------
        InvalidInputError
            If one is unknown, or a model of several targets is explained without naming one.
        """
        self._position(scorer)
        known = scorer.features
        for name in self.features or ():
            if known is None or name not in known:
                raise InvalidInputError(_unknown("feature", name, list(known or ())))

    def of(self, scorer: ScoringExplainer, rows: pd.DataFrame) -> tuple[pd.DataFrame, Explanation]:
        """Explain rows.

        Parameters
        ----------
        scorer : ScoringExplainer
        rows : DataFrame
            The columns of the model and those to copy; others are left out.

        Returns
        -------
        tuple of DataFrame and Explanation
            The table, a row for each row; and the explanation of the rows.

        Raises
        ------
        ColumnMismatchError
            If columns are missing, or cells have other types or unknown categories.
        InvalidInputError
            If an option does not suit the model.
        """
        self.check(scorer)
        taken = rows[list(scorer.schema.names)] if scorer.schema.named else rows.drop(columns=list(self.columns))
        explanation = scorer.explain_local(taken)
        labels, base, values = self._values(scorer, explanation)
        made: dict[str, Any] = {"prediction": labels}
        if explanation.classes is not None and "probability" in scorer.model.outputs:
            shares = scorer.predict_proba(taken).astype(self.dtype)
            made |= {f"probability of {label}": shares[:, k] for k, label in enumerate(explanation.classes)}
        made["base value"] = base.astype(self.dtype)
        made |= self._value_columns(explanation.feature_labels, values)
        if taken_names := [name for name in self.columns if name in made]:
            raise InvalidInputError(
                f"Columns of these names are made, so that they cannot be copied: {taken_names[:5]}."
            )
        copied = {name: rows[name].reset_index(drop=True) for name in self.columns}
        return pd.DataFrame(copied | made), explanation

    def _values(self, scorer: ScoringExplainer, explanation: Explanation) -> tuple[Any, Any, npt.NDArray[np.float64]]:
        """Return the predictions, base values and values, (n, f), of the class of each row."""
        values, outputs = explanation.local_importance_values, explanation.predictions
        assert values is not None
        assert outputs is not None
        n_rows = len(outputs)
        if explanation.classes is None:
            return outputs[:, 0], np.repeat(explanation.expected_values, n_rows), values
        best, wanted = outputs.argmax(axis=1), self._position(scorer)
        labels: Any = [explanation.classes[k] for k in best.tolist()]
        if wanted is not None:
            best = np.full(n_rows, wanted)
        if scorer.model.task == "multitarget":
            labels = outputs[:, wanted]
        return labels, explanation.expected_values[best], values[best, np.arange(n_rows)]

    def _value_columns(self, labels: tuple[str, ...], values: npt.NDArray[np.float64]) -> dict[str, Any]:
        if self.features is not None:
            place = {name: j for j, name in enumerate(labels)}
            values, labels = values[:, [place[name] for name in self.features]], self.features
        if self.top_k is None:
            return {f"value of {name}": values[:, j].astype(self.dtype) for j, name in enumerate(labels)}
        order = ranking(np.abs(values))[:, : self.top_k]
        best = np.take_along_axis(values, order, axis=1).astype(self.dtype)
        columns: dict[str, Any] = {}
        for j in range(order.shape[1]):
            columns[f"feature {j + 1}"] = pd.Categorical.from_codes(order[:, j], list(labels))
            columns[f"value {j + 1}"] = best[:, j]
        return columns

    def _position(self, scorer: ScoringExplainer) -> int | None:
        """Return the position of the class whose values are given; None for the predicted one."""
        classes = scorer.classes
        what = "target" if scorer.model.task == "multitarget" else "class"
        if self.output_class is None:
            if what == "target":
                raise InvalidInputError(
                    f"This model has several targets, {list(classes or ())[:5]}; name one of them with output_class."
                )
            return None
        if classes is None:
            raise InvalidInputError("The 'output_class' parameter is for classifiers; this model is a regression.")
        texts = list(map(str, classes))
        if str(self.output_class) not in texts:
            raise InvalidInputError(_unknown(what, str(self.output_class), texts))
        return texts.index(str(self.output_class))


def missing_columns(missing: list[str], present: list[str], where: str) -> ColumnMismatchError:
    """Return the error of a table that lacks columns."""
    close = nearest(missing[0], present)
    hint = f" Did {close!r} mean {missing[0]!r}?" if close else ""
    return ColumnMismatchError(f"{where} lacks columns that are needed: {missing[:5]}.{hint}")


def _unknown(what: str, name: str, known: list[str]) -> str:
    close = nearest(name, known)
    hint = f" Did you mean {close!r}?" if close else f" There are: {known[:10]}."
    return f"The model has no {what} {name!r}.{hint}"
