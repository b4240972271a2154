"""Training of a surrogate: its rows, held-out rows, and how well it imitates its teacher."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._agreement import agree
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._fidelity import Fidelity, measure_fidelity
from automl_explain.explainers.methods._base import Question
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.surrogate._augmentation import draw_between_neighbours
from automl_explain.explainers.surrogate._encoding import Encoding
from automl_explain.explainers.surrogate._explainable_model import ExplainableModel, TrainingRows
from automl_explain.explainers.tables._column_functions import ColumnFunction, Columnwise
from automl_explain.explainers.tables._table import RowNumbers, Table, stack_rows

Outputs = npt.NDArray[np.float64]

HELD_OUT = 0.2
"""Fraction of the initialization examples that is held out from training to measure fidelity, and of the rest to tune."""
MOST_HELD_OUT = 2000
"""Maximum number of rows held out, enough to measure an agreement to about one percent."""
MIRRORED = 1e-6
"""Largest difference between two outputs that mirror each other, relative to their spread."""
FEWEST_ROWS = 10
"""Number of rows below which none are held out."""
ROWS_THAT_TELL = 20
"""Number of held-out rows below which no surrogate is called worse than a constant, and none is tuned."""
NO_ROWS: RowNumbers = np.empty(0, dtype=np.intp)
ROUNDING = 1e-9
"""Relative excess of the squared error of a constant that is not due to rounding."""


@dataclass(frozen=True)
class Imitation:
    """A trained surrogate.

    Parameters
    ----------
    model : FittedModel
        The surrogate, described as a model of the same tables as the teacher.
    fidelity : Fidelity
    training : str
        Note on the training rows.
    worse_than_constant : bool
        Whether the mean output of the training rows predicts the held-out rows better than the surrogate.
    """

    model: FittedModel
    fidelity: Fidelity
    training: str
    worse_than_constant: bool


def train(surrogate: ExplainableModel, question: Question, draws_per_row: int) -> Imitation:
    """Train a surrogate on the background of a question.

    Parameters
    ----------
    surrogate : ExplainableModel
        Is fitted in place.
    question : Question
        Model, background and settings.
    draws_per_row : int
        Maximum number of rows drawn between neighbours, as a multiple of the number of training rows.
    """
    background = question.background
    assert background is not None
    if background.is_sparse and not surrogate.takes_sparse:
        raise InvalidInputError(
            f"{type(surrogate).__name__} takes no sparse tables. Pass a dense one, or use a surrogate that takes sparse "
            "tables, such as LinearExplainableModel."
        )
    encoding = Encoding(background)
    with progress_bar(3, "training the surrogate", question.settings.progress) as advance:
        data = _prepare(question, surrogate, draws_per_row)
        advance(1)
        training = _fit(surrogate, encoding, data)
        advance(1)
        imitation = _described(question.model, surrogate, encoding, data.mirrored)
        outputs = predict_finite(imitation, data.test.data)
        fidelity = measure_fidelity(data.answers, outputs, imitation.output_space, data.held_out)
        advance(1)
    poor = fidelity.r2 < 0 and data.is_worse_than_constant(outputs)
    return Imitation(imitation, fidelity, training, poor)


@dataclass(frozen=True, eq=False)
class _TrainingData:
    """Training rows of a surrogate, and test rows for its fidelity.

    Parameters
    ----------
    rows : Table
        Training rows, the drawn ones last.
    targets : ndarray of shape (len(rows), C)
        Outputs of the teacher for the training rows.
    weights : ndarray of shape (len(rows),), or None
        Weights of the training rows, 1 on average. None: equal weights. Rows drawn between neighbours have weight 1.
    tuning : TrainingRows
        Division of the training rows for a surrogate that is tuned; no row is held out for others.
    test : Table
        Rows on which fidelity is measured.
    answers : ndarray of shape (len(test), C)
        Outputs of the teacher for the test rows.
    test_weights : ndarray of shape (len(test),)
        Weights of the test rows.
    held_out : bool
        Whether the test rows are not among the training rows.
    mirrored : bool
        Whether the output of the first class follows from that of the second.
    """

    rows: Table
    targets: Outputs
    weights: Outputs | None
    tuning: TrainingRows
    test: Table
    answers: Outputs
    test_weights: Outputs
    held_out: bool
    mirrored: bool

    def is_worse_than_constant(self, outputs: Outputs) -> bool:
        """Return whether outputs for the test rows are worse than the mean of the training rows that were not drawn."""
        if not self.held_out or len(self.answers) < ROWS_THAT_TELL or not self.test_weights.any():
            return False
        real = slice(None, len(self.targets) - len(self.tuning.drawn))
        mean = np.average(self.targets[real], axis=0, weights=None if self.weights is None else self.weights[real])
        constant, reached = (
            float((self.test_weights @ (self.answers - guess) ** 2).sum()) for guess in (mean, outputs)
        )
        return reached > (1.0 + ROUNDING) * constant


def _prepare(question: Question, surrogate: ExplainableModel, draws_per_row: int) -> _TrainingData:
    """Divide the background into training and test rows, and compute the teacher's outputs for all of them."""
    teacher, background, seed = question.model, question.background, question.settings.random_state
    assert background is not None
    weights = np.ones(len(background)) if question.weights is None else question.weights
    learn, test = _divide(len(background), seed)
    if not len(test) or not weights[learn].any():
        learn = test = np.arange(len(background))  # too few rows, or every row of weight was kept for the test
    answers = predict_finite(teacher, background.data)
    rows, targets = background.take(learn), answers[learn]
    row_weights = weights[learn] / weights[learn].mean()
    own, held = _divide(len(rows), seed, ROWS_THAT_TELL) if surrogate.is_tuned else (np.arange(len(rows)), NO_ROWS)
    missing = background.n_columns - len(rows)
    n_drawn = min(draws_per_row * len(rows), missing) if len(own) > 1 else 0
    if n_drawn > 0:
        # Rows drawn between held-out rows and others would tell a surrogate what it is tested on.
        drawn = draw_between_neighbours(rows.take(own), n_drawn, seed, by_cell=surrogate.draws_cells)
        rows, targets = stack_rows([rows, drawn]), np.vstack([targets, predict_finite(teacher, drawn.data)])
        row_weights = np.append(row_weights, np.ones(n_drawn))
    return _TrainingData(
        rows,
        targets,
        None if question.weights is None else row_weights,
        TrainingRows(own, held, np.arange(len(learn), len(targets))),
        background.take(test),
        answers[test],
        weights[test],
        len(learn) < len(background),
        _is_mirrored(answers, teacher),
    )


def _fit(surrogate: ExplainableModel, encoding: Encoding, data: _TrainingData) -> str:
    """Fit the surrogate; return a note on its training rows."""
    matrix, weights = encoding.matrix(data.rows), data.weights
    targets = data.targets[:, 1:] if data.mirrored else data.targets
    if weights is not None and "sample_weight" not in inspect.signature(surrogate.fit).parameters:
        raise InvalidInputError(
            f"{type(surrogate).__name__}.fit has no parameter 'sample_weight', which is needed to train with weights. "
            "Add the parameter, or leave out 'weights'."
        )
    if len(data.tuning.held):
        used = np.sort(surrogate.tune(matrix, targets, encoding.categories, data.tuning, weights))
        matrix, targets = matrix[used], targets[used]
        weights = None if weights is None else weights[used]
    if weights is None:
        surrogate.fit(matrix, targets, encoding.categories)
    else:
        surrogate.fit(matrix, targets, encoding.categories, sample_weight=weights)
    return _note(len(data.rows) - len(data.tuning.drawn), len(data.tuning.drawn), len(targets))


def _note(n_rows: int, n_drawn: int, n_used: int) -> str:
    summary = f"the surrogate was trained on {n_rows} rows"
    if not n_drawn:
        return summary
    if n_used == n_rows:
        return f"{summary}; rows drawn between neighbouring rows did not make it better"
    return f"{summary} and on {n_drawn} rows drawn between neighbouring rows"


def _divide(n_rows: int, random_state: int, at_least: int = 0) -> tuple[RowNumbers, RowNumbers]:
    """Return numbers of rows to learn from, and of rows held out, at most half of the rows; none if there are too few rows."""
    if n_rows < max(FEWEST_ROWS, 2 * at_least):
        return np.arange(n_rows), NO_ROWS
    order = np.random.default_rng(random_state).permutation(n_rows)
    n_held = max(min(int(HELD_OUT * n_rows), MOST_HELD_OUT), at_least)
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def _is_mirrored(outputs: Outputs, model: FittedModel) -> bool:
    """Return whether, of two classes, the first output is the complement (probabilities) or negative of the second."""
    whole = 1.0 if model.output_space == "probability" else 0.0
    return outputs.shape[1] == 2 and agree(outputs[:, :1], whole - outputs[:, 1:], MIRRORED)


@dataclass(frozen=True, eq=False)
class _Encode(Columnwise):
    """From a table to the matrix that the structure of a surrogate reads."""

    surrogate: ExplainableModel
    encoding: Encoding

    def __call__(self, table: Any) -> Any:
        return self.surrogate.encode(self.encoding.matrix(Table(table)))

    def columns(self, inputs: tuple[ColumnFunction, ...]) -> tuple[ColumnFunction, ...]:
        return self.surrogate.encoded_columns(self.encoding.of_columns(inputs))


def _described(teacher: FittedModel, surrogate: ExplainableModel, encoding: Encoding, mirrored: bool) -> FittedModel:
    """Describe the surrogate as a model of the same tables as the teacher."""

    def predict(table: Any) -> Outputs:
        outputs = np.asarray(surrogate.predict(encoding.matrix(Table(table))), dtype=np.float64)
        outputs = outputs.reshape(table.shape[0], -1)
        if not mirrored:
            return outputs
        first = 1.0 - outputs if teacher.output_space == "probability" else -outputs
        return np.hstack([first, outputs])

    return replace(
        teacher,
        outputs={teacher.output_space: predict},
        structure=surrogate.structure(),
        encode=_Encode(surrogate, encoding),
        name=type(surrogate).__name__,
    )
