"""`ModelExplanation`, which `explain_model` returns: six values, with the whole explanation behind them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.display._directions import directions
from automl_explain.display._performance import Performance, measure
from automl_explain.display._row_view import RowExplanation, explain_row
from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._pickling import Picklable
from automl_explain.explainers._tabular_explainer import OneTableExplainer, TabularExplainer
from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation
from automl_explain.explainers.explanation._notebook import importance_table
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.explainers.tables._table import Table
from automl_explain.explainers.text._explanation import TextExplanation

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ExplainerRecipe(Picklable):
    """What the explainer of an explanation is made of: making it again takes less memory than keeping it.

    Parameters
    ----------
    model : FittedModel
    background : Table
    options : mapping
        Options of `TabularExplainer`.
    """

    model: FittedModel
    background: Table
    options: Mapping[str, Any]

    def __call__(self) -> TabularExplainer:
        """Return the explainer."""
        return TabularExplainer(self.model, self.background, **self.options)

    def for_rows(self, n_rows: int) -> TabularExplainer:
        """Return the explainer for one table of `n_rows` rows."""
        return OneTableExplainer(n_rows, self.model, self.background, **self.options)


@dataclass(frozen=True, eq=False)
class ModelExplanation:
    """The explanation of a model, which unpacks to six values.

    The values are ``shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp``, in this
    order. An index selects rows: ``explained[17]`` is ``explained.row(17)``, and ``explained[:5]`` explains five rows.

    Parameters
    ----------
    explanation : Explanation or ImageExplanation
        The full explanation.
    model_kind : str or None
        "trial", "refit" or "ensemble" for a model of a search; otherwise None.
    run_id : str or None
        Id of the run that the model belongs to, if there is one.
    explainer : callable or None
        Makes the explainer again, for `scoring_explainer`. None: the explanation was read from a history.
    find_engineered : callable or None
        Returns the explanation of the same run over engineered columns, or None. None: there is no run.
    true_labels : ndarray of shape (n,), or None
        True labels of the rows explained, if their search kept them (``ExplainabilityOptions(keep_labels=True)``).
    texts : mapping of str to TextExplanation
        Explanations of the words in columns of texts, for the columns named by ``text_detail``. They are
        stored with the run, and retrieved with it.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import explain_model
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> explained = explain_model(Ridge().fit(X, y), X, X.iloc[:20])
    >>> shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp = explained
    >>> shap_values.shape, overall_imp[:2], per_class_imp
    ((20, 10), ['s5', 'bmi'], None)
    >>> explained.output_space, explained.method, explained.additivity_error < 1e-9
    ('response', 'linear', True)
    """

    explanation: Any
    model_kind: str | None = None
    run_id: str | None = None
    explainer: ExplainerRecipe | None = None
    find_engineered: Callable[[], Explanation | None] | None = None
    true_labels: npt.NDArray[Any] | None = None
    texts: Mapping[str, TextExplanation] = field(default_factory=dict)

    @property
    def _any(self) -> AnyExplanation:
        found: AnyExplanation = self.explanation
        return found

    @property
    def overall(self) -> Explanation:
        """The explanation of a table itself; of images, that of the positions in them."""
        found: Explanation = self.explanation.overall()
        return found

    @property
    def shap_values(self) -> Values | list[Values]:
        """SHAP values: an array of shape (n, f) for regression, a list of C such arrays for classification."""
        values: Values = self.explanation.local_importance_values
        assert values is not None
        if self.explanation.is_classification:
            return list(values)
        return values if values.ndim == 2 else values[0]  # images have an axis of outputs also for a regression

    @property
    def expected_values(self) -> Values:
        """Mean output over the background, of shape (C,), or (1,) for regression."""
        return self._any.expected_values

    @property
    def overall_summary(self) -> Values:
        """Mean absolute SHAP value of each feature, (f,), in descending order; for classification, the mean over classes."""
        return self.overall.get_ranked_global_values()

    @property
    def overall_imp(self) -> list[Any]:
        """Feature names in the order of `overall_summary`; column numbers if there are no names."""
        return self.overall.get_ranked_global_names()

    @property
    def per_class_summary(self) -> Values | None:
        """Mean absolute SHAP values by class, (C, f), each row in descending order; None for regression."""
        return self.overall.get_ranked_per_class_values() if self.overall.is_classification else None

    @property
    def per_class_imp(self) -> npt.NDArray[Any] | None:
        """Feature names in the order of `per_class_summary`, (C, f); None for regression."""
        return self.overall.get_ranked_per_class_names() if self.overall.is_classification else None

    def _six(self) -> tuple[Any, ...]:
        return (
            self.shap_values,
            self.expected_values,
            self.overall_summary,
            self.overall_imp,
            self.per_class_summary,
            self.per_class_imp,
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self._six())

    def __len__(self) -> int:
        return 6

    def __getitem__(self, rows: Any) -> Any:
        """Return one row as `row` does, or the explanation of several: a slice, a list of row numbers or a mask."""
        if isinstance(rows, Integral | str) and not isinstance(rows, bool):
            return self.row(rows) if isinstance(self.explanation, Explanation) else self._part(int(rows))
        return self._part(rows)

    def _part(self, rows: Any) -> ModelExplanation:
        texts = {name: words[rows] for name, words in self.texts.items()}
        labels = None if self.true_labels is None else np.atleast_1d(self.true_labels[rows])
        return replace(self, explanation=self.explanation[rows], find_engineered=None, true_labels=labels, texts=texts)

    @checked
    def row(self, row: Any = None, class_: Any = None, *, label: Any = None) -> RowExplanation:
        """Return why one row was predicted so: its prediction, and the contribution of each of its cells.

        Parameters
        ----------
        row : int or object
            Number of the row among those explained, from 0; negative numbers count from the end. Anything that is no number
            is a label of the table's index.
        class_, label : object, optional
            The class whose values are shown, by default the second of two, or the predicted one of several; and a label that
            is a number, in place of `row`.

        Returns
        -------
        RowExplanation
            The prediction and the contribution of each cell, which prints as a table.

        Raises
        ------
        InvalidInputError
            If there is no such row or class, or these are not rows of a table.
        """
        if not isinstance(self.explanation, Explanation):
            raise InvalidInputError(
                f"row() describes rows of tables. Got {self.explanation!r}: choose an example with an index, such as "
                "explained.explanation[0]."
            )
        return explain_row(self.explanation, row, class_, label=label)

    @checked
    def directions(self, class_: Any = None, top_k: int | None = None) -> pd.DataFrame:
        """Return in which direction each feature moves the output: higher values raise it, or which categories do.

        Parameters
        ----------
        class_ : object, optional
            Class whose output is meant. Default: the second of two, or the one that the features move most.
        top_k : int, optional
            Number of features. Default: all.

        Returns
        -------
        DataFrame
            A row per feature, most important for this class first: its ``importance``, the Spearman rank ``correlation``
            between its values and contributions (NaN for categories), and the ``direction`` in words.

        Raises
        ------
        InvalidInputError
            If there are no local values or no data, or no such class.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import Ridge
        >>> from automl_explain import explain_model
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> explain_model(Ridge().fit(X, y), X, X).directions(top_k=2)["direction"].tolist()
        ['higher values raise it', 'higher values raise it']
        """
        return directions(self.explanation, class_, top_k)

    @checked
    def performance(self, y: Any = None) -> Performance:
        """Return how good the predictions of the explained rows are, with the best and the worst rows.

        Parameters
        ----------
        y : array-like of shape (n,), optional
            Their true labels or numbers; a pandas Series is matched with the rows by its index. Labels are the names of the
            classes, or the model's own labels. Default: `true_labels`.

        Returns
        -------
        Performance
            Scores, and a line per row with its error.

        Raises
        ------
        InvalidInputError
            If the labels do not match the rows, or are neither given nor kept.
        """
        known = self.true_labels if y is None else y
        if known is None:
            raise InvalidInputError(
                "The true labels of the rows explained are not known. Pass them as 'y', or let the search keep them with "
                "ExplainabilityOptions(keep_labels=True)."
            )
        return measure(self.explanation, known, None if self.explainer is None else self.explainer.model.classes)

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explanation to one file, without pickle; `Explanation.load` reads it back.

        Parameters
        ----------
        path : path-like
            File to write; by custom it ends with ``.explanation``.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        self.explanation.save(path)

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Class labels in the order of the values; None for regression."""
        return self._any.classes

    @property
    def output_space(self) -> str:
        """Unit of the values: probability, log_odds, response or margin."""
        return self._any.output_space

    @property
    def method(self) -> str:
        """Name of the method that computed the values."""
        return self._any.method

    @property
    def reason(self) -> str:
        """Why that method was chosen."""
        return self._any.reason

    @property
    def additivity_error(self) -> float | None:
        """Largest difference between the model's output and the expected value plus the sum of the SHAP values."""
        return self._any.additivity_error

    @property
    def members(self) -> MemberExplanation | None:
        """Contributions of the members of an ensemble: if requested, and for the ensemble of a search; otherwise None.

        None is also the answer for a search that ended with a single model, and for an ensemble whose members could not be
        explained: `notes` of its explanation then say why.
        """
        members: MemberExplanation | None = self.explanation.members
        return members

    @property
    def raw(self) -> Explanation:
        """The explanation of the user's own columns."""
        return self.overall.get_raw_explanation()

    @property
    def engineered(self) -> Explanation | None:
        """The explanation of the columns that the model reads; None if only raw columns were explained.

        A search explains both with ``explainability_options={"feature_space": "both"}``.
        """
        explanation = self.overall
        if explanation.feature_map is not None or not explanation.is_raw:
            return explanation
        return None if self.find_engineered is None else self.find_engineered()

    def to_frame(self) -> pd.DataFrame:
        """Return the importance of the features, most important first: a column overall, and one per class.

        Returns
        -------
        DataFrame
            A row per feature, indexed by its name; the columns are "overall" and the classes, in `output_space` units.
        """
        return self.overall.to_frame()

    def to_local_frame(self) -> pd.DataFrame:
        """Return the local values as a DataFrame: a column per feature, a row per example (and class, as outer index).

        Returns
        -------
        DataFrame
            In units of `output_space`; of texts and images, a row per word or segment.
        """
        return self._any.to_local_frame()

    def __repr__(self) -> str:
        of = f", of {self.model_kind} {self.run_id}" if self.run_id else ""
        return f"ModelExplanation({self.explanation!r}{of})"

    def _repr_html_(self) -> str:
        if isinstance(self.explanation, Explanation):
            words = ", ".join(f"texts[{name!r}]" for name in self.texts)
            words = f"values of the words of columns: {words}" if words else ""
            table = importance_table(self.explanation, title=repr(self), more=words)
            return table if self.true_labels is None else f"{table}{self.performance()._repr_html_()}"
        return str(self.explanation._repr_html_())
