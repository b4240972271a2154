"""A model of texts: how texts become what it reads, its outputs, and the bag of words that it counts, if it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._class_outputs import expand_binary
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._model_call import RowWise, model_call
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.model._predict_function import as_columns, is_predict_function
from automl_explain.explainers.model._registry import describe, is_plain_function, text_reader
from automl_explain.explainers.model._structures import Linear, Matrix, Opaque, OutputSpace
from automl_explain.explainers.text._masking import Masks
from automl_explain.explainers.text._reading import is_one_column
from automl_explain.explainers.text.games._bag_of_words import BagOfWords, TextTerms
from automl_explain.explainers.text.games._count_steps import CountSteps

PROBES = ["", "a"]
"""Texts with which a model is called to find its outputs."""
TEXTS_AT_ONCE = 512
"""Texts with which a model is called at a time."""


@dataclass(frozen=True, eq=False)
class TextSteps:
    """What a reader says of a pipeline that takes texts.

    Parameters
    ----------
    front : callable
        From a list of texts to the table that the last step reads.
    last : object
        The last step.
    bag : BagOfWords or None
        The vectorizers in front of it, if they count words.
    counts : CountSteps or None
        What the steps behind the vectorizers make of the bag's columns; None if they read these.
    after : callable or None
        What further steps make of that, up to the table that the last step reads; None if there are none.
    why : str
        Why there is no bag, if there is none.
    """

    front: Callable[[list[str]], Any]
    last: Any
    bag: BagOfWords | None = None
    counts: CountSteps | None = None
    after: Callable[[Any], Any] | None = None
    why: str = ""


@dataclass(frozen=True, eq=False)
class TextModel:
    """A model of texts.

    Parameters
    ----------
    model : FittedModel
        The model of what `front` makes of texts.
    front : callable
        From a list of texts to a table.
    bag, counts, after, why
        As in `TextSteps`.
    """

    model: FittedModel
    front: Callable[[list[str]], Any]
    bag: BagOfWords | None = None
    counts: CountSteps | None = None
    after: Callable[[Any], Any] | None = None
    why: str = ""

    def outputs(self, texts: Sequence[str], what: str = "the texts") -> Matrix:
        """Return the outputs of texts, (n, K); `what` they are is said in messages."""
        parts = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            with model_call(self.model.name, what):
                table = self.front(list(texts[start : start + TEXTS_AT_ONCE]))
            parts.append(predict_finite(self.model, table, what))
        return np.concatenate(parts) if parts else np.empty((0, self.model.n_outputs))

    @cached_property
    def linear(self) -> Linear | None:
        """The linear model of the bag's columns, if the model is one."""
        structure = self.model.structure
        if not isinstance(structure, Linear) or self.bag is None or self.after is not None:
            return None
        return structure if self.counts is None else self.counts.of_counts(structure)

    @property
    def reads_single_columns(self) -> bool:
        """Whether each column that the model reads is a column of the bag, but for a factor."""
        return self.after is None and (self.counts is None or self.counts.columns is not None)

    def reads(self, terms: TextTerms) -> bool:
        """Whether the model reads any column that a text fills."""
        return len(terms.columns) > 0 and (self.counts is None or bool(self.counts.is_read[terms.columns].any()))

    def table(self, counts: sparse.csr_matrix) -> Any:
        """Return what the last step reads, from rows of the bag's columns."""
        made = counts if self.counts is None else self.counts.table(counts)
        return made if self.after is None else self.after(made)

    def outputs_of_masks(self, terms: TextTerms, masks: Masks) -> Matrix:
        """Return the outputs of masked texts, (m, K), from their counts."""
        step = terms.masks_at_once
        parts = [self._outputs_of_masks(terms, masks[start : start + step]) for start in range(0, len(masks), step)]
        return np.concatenate(parts) if parts else np.empty((0, self.model.n_outputs))

    def _outputs_of_masks(self, terms: TextTerms, masks: Masks) -> Matrix:
        if self.linear is not None:
            made = terms.linear_outputs(masks, self.linear.coef, self.linear.intercept)
            return expand_binary(made, self.model, axis=1)
        rows = terms.rows(masks)
        with model_call(self.model.name, "the texts"):
            table = self.table(rows)
        return predict_finite(self.model, table, "the texts")


def read_text_model(model: Any, output: str, auto: OutputSpace | None = None) -> TextModel:
    """Describe a model that takes texts: a pipeline, a search over pipelines, any estimator, or a function.

    Parameters
    ----------
    model : object
    output : str
        Output space, or "auto".
    auto : str, optional
        Output space that "auto" stands for, if the model has it. Default: that in which the model is additive.

    Raises
    ------
    UnsupportedModelError
        If it cannot predict.
    NotFittedError
        If it is not fitted.
    InvalidInputError
        If it cannot take texts, or does not have the output.
    """
    steps = read_steps(model)
    if steps is None:
        described = _of_function(model) if is_plain_function(model) else _of_estimator(model)
        return TextModel(
            described.in_space(_space(output, auto, described)), as_column, why="only its predictions are known"
        )
    try:
        with model_call(type(model).__name__, "texts"):
            examples = steps.front(PROBES)
    except InvalidInputError as error:
        raise InvalidInputError(
            f"{error} For a model of tables with a column of texts, use explain_model(model, X_train, X_test, "
            "text_detail='column')."
        ) from error
    last = describe(steps.last, examples)
    found = replace(last, name=f"Pipeline of {last.name}").in_space(_space(output, auto, last), examples)
    return TextModel(found, steps.front, steps.bag, steps.counts, steps.after, steps.why)


def _space(output: str, auto: OutputSpace | None, model: FittedModel) -> str:
    return auto if output == "auto" and auto is not None and auto in model.outputs else output


def read_steps(model: Any) -> TextSteps | None:
    """Return the steps of a pipeline that takes texts, by the reader of its class; None for any other model."""
    reader = None if isinstance(model, type) else text_reader(model)
    found: TextSteps | None = None if reader is None else reader(model)
    return found


def reads_column_of_texts(model: Any, examples: Any) -> bool:
    """Whether the first step of a pipeline counts words, and examples may be a column of texts; `read_texts` reads them."""
    if not is_one_column(examples):
        return False
    steps = read_steps(model)
    return steps is not None and steps.bag is not None


def as_column(texts: list[str]) -> Any:
    """Return texts as a table of one column."""
    column = np.empty((len(texts), 1), dtype=object)
    column[:, 0] = texts
    return column


def _of_estimator(model: Any) -> FittedModel:
    """Describe an estimator that takes a list of texts by its predictions."""
    described = describe(model)
    outputs = {space: _OfTexts(f.function if isinstance(f, RowWise) else f) for space, f in described.outputs.items()}
    space = "probability" if "probability" in outputs else described.output_space
    return replace(
        described, outputs=outputs, output_space=space, structure=Opaque("only its predictions are known"),
        preprocessing=None, feature_map=None, feature_names=None, n_features=None,
    )  # fmt: skip


@dataclass(frozen=True)
class _OfTexts:
    """A function of a table of one column, from one of an array of texts."""

    function: Callable[[Any], Any]

    def __call__(self, table: Any) -> Any:
        return self.function(table[:, 0])


def _of_function(function: Any) -> FittedModel:
    """Describe a function from a list of texts to numbers, or to labels with scores."""
    name = str(getattr(function, "__qualname__", type(function).__name__))
    assert is_predict_function(function)
    scores = _Scores(function)
    predict = as_columns(scores, name)
    probe = as_column(PROBES)
    with model_call(name, "texts"):
        outputs = predict(probe)
    n_outputs = outputs.shape[1]
    if n_outputs == 1:
        return FittedModel({"response": predict}, "response", "regression", Opaque("a function"), name=name)
    adds_up = bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1.0, atol=1e-4))
    return FittedModel(
        {"probability" if adds_up else "response": predict},
        "probability" if adds_up else "response",
        "binary" if n_outputs == 2 else "multiclass",
        Opaque("a function"),
        classes=scores.labels or tuple(range(n_outputs)),
        name=name,
    )


class _Scores:
    """Scores of texts by a function that returns them as numbers, or as a list of labels with scores for each text."""

    def __init__(self, function: Callable[[list[str]], Any]) -> None:
        self._function = function
        self.labels: tuple[str, ...] | None = None

    def __call__(self, table: Any) -> Any:
        answer = self._function(table[:, 0].tolist())
        if not (isinstance(answer, list) and answer and isinstance(answer[0], list | Mapping)):
            return answer
        first = answer[0]
        if isinstance(first, Mapping):
            raise InvalidInputError(
                "A function of texts must return the scores of all labels. Got one label per text: call the pipeline with "
                "top_k=None, such as lambda texts: pipeline(texts, top_k=None)."
            )
        if not first or not isinstance(first[0], Mapping):
            return answer
        try:
            scores = [{one["label"]: one["score"] for one in text} for text in answer]
        except KeyError as error:
            raise InvalidInputError(
                "A function of texts must return labels with scores, such as {'label': 'good', 'score': 0.9}. Got "
                f"{first[0]!r}."
            ) from error
        self.labels = self.labels or tuple(sorted(scores[0]))
        for text in scores:
            if set(text) != set(self.labels):
                raise InvalidInputError(
                    f"A function of texts must return the scores of the same labels for all texts. Got {sorted(text)}, and "
                    f"{list(self.labels)} for other texts."
                )
        return np.array([[text[label] for label in self.labels] for text in scores])
