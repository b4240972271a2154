"""`RowColumns`: the table that says of each row what the model predicts and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._arguments import check_arguments, check_choice, nearest
from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.parts._row_sampling import BATCH_BYTES
from automl_explain.explainers.scoring._explainer import ScoringExplainer, probabilities_of
from automl_explain.explainers.scoring.columns._schema import unknown_columns

R = TypeVar("R")
BLOCK_ROWS = 32_768
"""Most rows of a stream, a file or a partition that are explained at a time."""


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
        Type of the numbers.
    as_list : bool, default False
        Give the values as one column ``values`` of lists, in the order of the features.

    Raises
    ------
    InvalidInputError
        If an option cannot be used.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import RowColumns, TabularExplainer, scoring_explainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> scorer = scoring_explainer(TabularExplainer(Ridge().fit(X, y), X))
    >>> table, explanation = RowColumns(columns=("age",), top_k=1).of(scorer, X.iloc[:5])
    >>> list(table)
    ['age', 'prediction', 'base value', 'feature 1', 'value 1']
    """

    columns: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    top_k: int | None = None
    output_class: Any = None
    dtype: Literal["float64", "float32"] = "float64"
    as_list: bool = False

    def __post_init__(self) -> None:
        check_choice("dtype", self.dtype, ("float64", "float32"))
        check_arguments({"as_list": self.as_list})
        whole = isinstance(self.top_k, int | np.integer) and not isinstance(self.top_k, bool)
        if self.top_k is not None and not (whole and self.top_k >= 1):
            raise InvalidInputError(f"The 'top_k' parameter must be an integer, 1 or more. Got {self.top_k!r}.")
        if self.as_list and self.top_k is not None:
            raise InvalidInputError("The 'as_list' and 'top_k' parameters exclude each other: a list has no names.")
        for name in ("columns", "features"):
            given = getattr(self, name)
            optional = given is None and name == "features"
            if not optional and not (isinstance(given, tuple) and all(isinstance(one, str) for one in given)):
                raise InvalidInputError(f"The {name!r} parameter must be a tuple of names. Got {given!r}.")

    def check(self, scorer: ScoringExplainer, names: Sequence[str] | None = None) -> None:
        """Refuse what a scoring explainer, or a table with columns of these names, does not have.

        Parameters
        ----------
        scorer : ScoringExplainer
            What explains the rows.
        names : sequence of str, optional
            Columns of the table. Default: they are not checked.

        Raises
        ------
        InvalidInputError
            If a class or feature is unknown, a model of several targets is explained without naming one, or a column that is
            copied has the name of one that is made.
        ColumnMismatchError
            If a column that is copied is missing.
        """
        self._position(scorer)
        for name in self.features or ():
            if name not in scorer.feature_labels:
                raise InvalidInputError(_unknown("feature", name, list(scorer.feature_labels)))
        if taken := [name for name in self.columns if name in self.kinds(scorer)]:
            raise InvalidInputError(f"Columns of these names are made, so that they cannot be copied: {taken[:5]}.")
        if names is not None and (missing := [name for name in self.columns if name not in names]):
            raise unknown_columns(missing, names, "The table")

    def kinds(self, scorer: ScoringExplainer) -> dict[str, str]:
        """Return the columns that are made, and what they hold: "label", "text", "number", or "list" of numbers.

        Parameters
        ----------
        scorer : ScoringExplainer
            What explains the rows.

        Returns
        -------
        dict of str to str
            Name of each column, and what it holds.
        """
        classes = scorer.classes if scorer.model.task != "multitarget" else None
        made = {"prediction": "number" if classes is None else "label"}
        if classes is not None and "probability" in scorer.model.outputs:
            made |= {f"probability of {label}": "number" for label in classes}
        made["base value"] = "number"
        names = self.features or scorer.feature_labels
        if self.as_list:
            return made | {"values": "list"}
        if self.top_k is None:
            return made | {f"value of {name}": "number" for name in names}
        for j in range(1, min(self.top_k, len(names)) + 1):
            made |= {f"feature {j}": "text", f"value {j}": "number"}
        return made

    def arrow_schema(self, scorer: ScoringExplainer) -> Any:
        """Return the columns that are made as a schema of Arrow.

        Parameters
        ----------
        scorer : ScoringExplainer
            What explains the rows.

        Returns
        -------
        pyarrow.Schema
            A field per column.
        """
        import pyarrow as pa

        number = pa.float32() if self.dtype == "float32" else pa.float64()
        types = {
            "label": pa.array(list(scorer.classes or ())).type,
            "text": pa.string(),
            "number": number,
            "list": pa.list_(number),
        }
        return pa.schema([(name, types[kind]) for name, kind in self.kinds(scorer).items()])

    def without_copies(self) -> RowColumns:
        """Return the same columns, except those of the data.

        Returns
        -------
        RowColumns
            With ``columns=()``.
        """
        return replace(self, columns=())

    def of(self, scorer: ScoringExplainer, rows: pd.DataFrame) -> tuple[pd.DataFrame, Explanation]:
        """Explain rows.

        Parameters
        ----------
        scorer : ScoringExplainer
            What explains the rows.
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
        names = [str(name) for name in rows.columns]
        self.check(scorer, names)
        taken = rows[list(scorer.schema.found_in(names, "The table", self.columns))]
        explanation = scorer.explain_local(taken)
        labels, base, values = self._values(scorer, explanation)
        made: list[Any] = [labels]
        kinds = self.kinds(scorer)
        if sum(name.startswith("probability of ") for name in kinds):
            assert explanation.predictions is not None
            made += [*probabilities_of(scorer, taken, explanation.predictions).astype(self.dtype).T]
        made += [base.astype(self.dtype), *self._value_columns(explanation.feature_labels, values)]
        copied = {name: rows[name].reset_index(drop=True) for name in self.columns}
        return pd.DataFrame(copied | dict(zip(kinds, made, strict=True))), explanation

    def _values(self, scorer: ScoringExplainer, explanation: Explanation) -> tuple[Any, Any, npt.NDArray[np.float64]]:
        """Return the predictions, base values and values, (n, f), of the class of each row."""
        values, outputs = explanation.local_importance_values, explanation.predictions
        assert values is not None
        assert outputs is not None
        n_rows = len(outputs)
        if explanation.classes is None:
            return outputs[:, 0].astype(self.dtype), np.repeat(explanation.expected_values, n_rows), values
        best, wanted = outputs.argmax(axis=1), self._position(scorer)
        labels: Any = [explanation.classes[k] for k in best.tolist()]
        if wanted is not None:
            best = np.full(n_rows, wanted)
        if scorer.model.task == "multitarget":
            labels = outputs[:, wanted].astype(self.dtype)
        return labels, explanation.expected_values[best], values[best, np.arange(n_rows)]

    def _value_columns(self, labels: tuple[str, ...], values: npt.NDArray[np.float64]) -> list[Any]:
        if self.features is not None:
            place = {name: j for j, name in enumerate(labels)}
            values, labels = values[:, [place[name] for name in self.features]], self.features
        if self.as_list:
            return [list(values.astype(self.dtype, copy=False))]
        if self.top_k is None:
            return [*values.astype(self.dtype, copy=False).T]
        order = ranking(np.abs(values))[:, : self.top_k]
        names = np.array(labels, dtype=object)[order]
        best = np.take_along_axis(values, order, axis=1).astype(self.dtype, copy=False)
        return [column for j in range(order.shape[1]) for column in (names[:, j], best[:, j])]

    def _position(self, scorer: ScoringExplainer) -> int | None:
        """Return the position of the class whose values are given; None for the predicted one."""
        classes = scorer.classes
        what = "target" if scorer.model.task == "multitarget" else "class"
        if self.output_class is None:
            if what == "target":
                raise InvalidInputError(
                    f"This model has several targets, {list(classes or ())[:5]}; name one of them with output_class, or --class."
                )
            return None
        if classes is None:
            raise InvalidInputError("The 'output_class' parameter is for classifiers; this model is a regression.")
        texts = list(map(str, classes))
        if str(self.output_class) not in texts:
            raise InvalidInputError(_unknown(what, str(self.output_class), texts))
        return texts.index(str(self.output_class))


def block_rows(scorer: ScoringExplainer, most: int = BLOCK_ROWS) -> int:
    """Return how many rows are explained at a time, so that memory depends neither on their number nor on the columns'."""
    n_values = len(scorer.classes or (None,)) * len(scorer.schema.columns)
    return max(1, min(most, BATCH_BYTES // (8 * n_values)))


def located(explain: Callable[[pd.DataFrame], R], rows: pd.DataFrame, where: str, first: int = 0) -> R:
    """Explain rows; an error says where they are, and which is the first that cannot be explained.

    Parameters
    ----------
    explain : callable
        From rows to a result.
    rows : DataFrame
    where : str
        Name of the file or partition.
    first : int
        Rows of it before these.
    """
    try:
        return explain(rows)
    except InvalidInputError as error:
        low, high = 0, len(rows)
        said = error
        while high - low > 1:  # the error is in [low, high)
            half = (low + high) // 2
            try:
                explain(rows.iloc[low:half])
                low = half
            except InvalidInputError as inner:
                high, said = half, inner
        kind = ColumnMismatchError if isinstance(error, ColumnMismatchError) else InvalidInputError
        raise kind(f"{where}, row {first + low + 1:,}: {said}") from error


def _unknown(what: str, name: str, known: list[str]) -> str:
    close = nearest(name, known)
    hint = f" Did you mean {close!r}?" if close else f" There are: {known[:10]}."
    return f"The model has no {what} {name!r}.{hint}"
