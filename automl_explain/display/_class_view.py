"""One class of an explanation, and the checks of parameters that plots, tables and the report share."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from automl_explain.explainers._arguments import nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation, MemberExplanation
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.formatting._names import counted, one_line, shortened, unit_text
from automl_explain.explainers.formatting._numbers import cell_text, python_value
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.explainers.tables._table import Table

Values = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
"""Numbers of rows, features or classes."""

SUMS_TO_ONE = 1e-6
"""Probabilities of the classes add up to 1 within this."""
STEP_WIDTH = 36
"""Most characters of "feature = value"."""


@dataclass(frozen=True, eq=False)
class ClassView:
    """The local values of one class, or of a regression.

    Parameters
    ----------
    explanation : Explanation
    values : ndarray, shape (n, f)
    expected : float
    position : int or None
        Number of the class; None for a regression.
    """

    explanation: Explanation
    values: Values
    expected: float
    position: int | None

    @property
    def outputs(self) -> Values:
        """The sum of expected value and contributions for each row, (n,)."""
        rest = self.left_out
        return np.asarray(self.values.sum(axis=1) + self.expected + (0.0 if rest is None else rest))

    @property
    def left_out(self) -> Values | None:
        """Sum of the values that `explain_subset` left out of each row, (n,); None if it left out none."""
        rest = self.explanation.left_out
        return rest if rest is None or self.position is None else rest[self.position]

    @property
    def standard_errors(self) -> Values | None:
        """Standard error of each value, (n, f); None if values are exact."""
        errors = self.explanation.standard_errors
        return errors if errors is None or self.position is None else errors[self.position]

    @property
    def label(self) -> str:
        """The class as text; empty for a regression."""
        return class_text(self.explanation, self.position)

    @property
    def unit(self) -> str:
        """Unit of the values, such as "log-odds of class yes"."""
        return output_text(self.explanation, self.position)


def explanation_of(source: Any) -> Explanation:
    """Return the Explanation of an explanation, a ModelExplanation or a Run; of texts or images, their global ranking.

    Raises
    ------
    InvalidInputError
        If it is none of these.
    ExplanationNotFoundError
        If it is a run without an explanation.
    """
    overall: Explanation = any_explanation_of(source).overall()
    return overall


def any_explanation_of(source: Any) -> AnyExplanation:
    """Return an explanation, also of texts or images, or that of a ModelExplanation or a Run.

    Raises
    ------
    InvalidInputError
        If it is none of these.
    ExplanationNotFoundError
        If it is a run without an explanation.
    """
    found: Any = source if is_explanation(source) else getattr(source, "explanation", None)
    if not is_explanation(found):
        raise InvalidInputError(
            "Expected a ModelExplanation, an Explanation or an explained Run. "
            f"Got {type(source).__module__}.{type(source).__qualname__}; make an explanation with explain_model."
        )
    stored: AnyExplanation = found
    return stored


def is_explanation(source: Any) -> bool:
    """Return whether an object is an explanation, of a table or of anything else that can be stored."""
    return hasattr(source, "overall") and hasattr(source, "examples_html")


def members_of(source: Any) -> MemberExplanation:
    """Return the MemberExplanation itself, or that of an explanation.

    Raises
    ------
    InvalidInputError
        If there is nothing of the kind.
    ExplanationNotFoundError
        If it is a run without an explanation.
    """
    members = source if isinstance(source, MemberExplanation) else explanation_of(source).members
    if members is None:
        raise InvalidInputError(
            f"Expected an explanation with the contributions of an ensemble's members. Got {_without_members(source)}. Explain "
            "an ensemble with explain_model(..., members=True), or TabularExplainer(ensemble, X_train).explain_members(X)."
        )
    return members


def _without_members(source: Any) -> str:
    """Return what has no members, in words: for an ensemble whose members were not explained, with its note of why."""
    explanation = explanation_of(source)
    notes = [note for note in explanation.notes if "members" in note]
    return f"one by the {explanation.method} method ({'; '.join(notes) or explanation.reason})"


def check_top_k(top_k: Any) -> int:
    """Return `top_k` as an int.

    Raises
    ------
    InvalidInputError
        If it is not an integer of 1 or more.
    """
    if not isinstance(top_k, numbers.Integral) or isinstance(top_k, bool) or top_k < 1:
        raise InvalidInputError(f"The 'top_k' parameter must be an integer, 1 or more. Got {top_k!r}.")
    return int(top_k)


def check_row(explanation: Explanation, row: Any) -> int:
    """Return the row's number from 0; negative numbers count from the end.

    Raises
    ------
    InvalidInputError
        If there is no such row.
    """
    n_rows = explanation.num_examples
    integer = isinstance(row, numbers.Integral) and not isinstance(row, bool)
    if not integer or not -n_rows <= row < n_rows:
        raise InvalidInputError(
            f"The 'row' parameter must be a row number from 0 to {n_rows - 1} ({n_rows} rows were explained). Got {row!r}."
            if n_rows
            else "This explanation has no rows: local values are needed."
        )
    return int(row) % n_rows


def class_position(explanation: Explanation | MemberExplanation, class_: Any) -> int:
    """Return the position of a class from its label or the label's text.

    Raises
    ------
    InvalidInputError
        If there is no such class; the message lists those there are.
    """
    if explanation.classes is None:
        raise InvalidInputError(f"The 'class_' parameter must be omitted for a regression. Got {class_!r}.")
    labels = list(explanation.classes)
    exact = [j for j, label in enumerate(labels) if type(label) is type(class_) and label == class_]
    alike = [
        j for j, label in enumerate(labels) if np.ndim(class_) == 0 and (label == class_ or str(label) == str(class_))
    ]
    if exact or alike:
        return (exact or alike)[0]
    guess = nearest(str(class_), [str(label) for label in labels])
    hint = f" Did you mean {guess!r}?" if guess else ""
    raise InvalidInputError(
        f"There is no class {class_!r}. The classes are {[python_value(label) for label in labels]}.{hint}"
    )


def default_class(explanation: Explanation, row: int | None = None) -> int | None:
    """Return the position of the class that is shown by default.

    Binary: the second, positive class. Several classes: the class with the highest output for `row`, or, without a row,
    the class with the largest contributions.
    """
    if explanation.classes is None:
        return None
    n_classes = len(explanation.classes)
    if n_classes <= 2:
        return n_classes - 1
    if row is not None:
        return int(np.argmax(all_outputs(explanation)[row]))
    return int(np.argmax(explanation.per_class_values.sum(axis=1)))


def all_outputs(explanation: Explanation) -> Values:
    """Return the model's outputs, (n, C) or (n, 1): the stored ones, otherwise the sums of the values."""
    if explanation.predictions is not None:
        return explanation.predictions
    local = local_values(explanation)
    sums = local.sum(axis=-1) + (0.0 if explanation.left_out is None else explanation.left_out)
    return np.asarray((sums.T if explanation.is_classification else sums[:, None]) + explanation.expected_values)


def probabilities_of(explanation: Explanation, outputs: Values) -> Values | None:
    """Return the probabilities of the classes for outputs (n, C) of a classification; None where they are not known."""
    if explanation.classes is None or explanation.output_space not in ("probability", "log_odds"):
        return None
    if explanation.output_space == "probability":
        return outputs
    single = expit(outputs)  # log-odds of each class; otherwise scores whose softmax is the probability
    is_sure = outputs.shape[1] == 2 or np.allclose(single.sum(axis=1), 1.0, rtol=0, atol=SUMS_TO_ONE)
    return np.asarray(single if is_sure else softmax(outputs, axis=1))


def local_values(explanation: Explanation) -> Values:
    """Return the local values.

    Raises
    ------
    InvalidInputError
        If there are none.
    """
    values = explanation.local_importance_values
    if values is None or not explanation.num_examples:
        raise InvalidInputError(
            f"This explanation by {explanation.method} has no local values, only global ones: "
            "explain rows with explain_local or explain_model."
            if values is None
            else "This explanation has no rows; explain at least one."
        )
    return values


def view_class(explanation: Explanation, position: int | None) -> ClassView:
    """Return one class of an explanation with local values; position None for a regression."""
    values = local_values(explanation)
    if position is None:
        return ClassView(explanation, values, float(explanation.expected_values[0]), None)
    return ClassView(explanation, values[position], float(explanation.expected_values[position]), position)


def data_of(explanation: Explanation) -> Table | None:
    """Return the explained rows, if they are stored and have a column per feature; otherwise None."""
    data = explanation.data
    return data if data is not None and data.n_columns == explanation.num_features else None


@dataclass(frozen=True)
class Step:
    """A contribution to the output of a row: its label, value and standard error (0 if it is exact)."""

    label: str
    value: float
    error: float = 0.0


def local_steps(view: ClassView, row: int, top_k: int) -> list[Step]:
    """Return the contributions to one row, largest first; those beyond `top_k` are one step."""
    values, explanation = view.values[row], view.explanation
    order = ranking(np.abs(values))
    shown, rest = order[:top_k], order[top_k:]
    data, names, errors = data_of(explanation), explanation.feature_labels, view.standard_errors
    error = np.zeros(len(values)) if errors is None else errors[row]
    steps = []
    for j in shown:
        cell = "" if data is None else cell_text(data.column(int(j))[row])
        label = f"{shortened(names[j], STEP_WIDTH - 3 - len(cell))} = {cell}" if cell else names[j]
        steps.append(Step(label, float(values[j]), float(error[j])))
    if len(rest):
        steps.append(
            Step(
                counted(len(rest), "other feature"), float(values[rest].sum()), float(np.sqrt((error[rest] ** 2).sum()))
            )
        )
    if view.left_out is not None:
        steps.append(Step("features left out", float(view.left_out[row])))
    return steps


# ------------------------------------------------------------------------------------------------------------- words


def class_text(explanation: Explanation | MemberExplanation, position: int | None) -> str:
    """Return the label of a class as text; empty for None."""
    return "" if position is None or explanation.classes is None else one_line(explanation.classes[position])


def output_text(explanation: Explanation | MemberExplanation, position: int | None = None) -> str:
    """Return the unit of the values: "log-odds of class yes", or "log-odds" without a class."""
    unit = unit_text(explanation.unit)
    return unit if position is None else f"{unit} of class {shortened(class_text(explanation, position), 24)}"
