"""`MimicExplainer`: explains a model by a surrogate that is trained on its predictions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._agreement import agree
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._progress import progress_bar
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._fidelity import Fidelity, measure_fidelity
from automl_explain.explainers.methods._base import Question
from automl_explain.explainers.methods._explainer import ShapleyExplainer, check_background, question_of
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._settings import read_settings
from automl_explain.explainers.model._explained_model import FeatureSpace, explained_model
from automl_explain.explainers.model._fitted_model import FittedModel, Linear
from automl_explain.explainers.model._names import ClassNames
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.surrogate._augmentation import draw_between_neighbours
from automl_explain.explainers.surrogate._encoding import Encoding
from automl_explain.explainers.surrogate._models import ExplainableModel
from automl_explain.explainers.tables._table import RowNumbers, Table, stack_rows
from automl_explain.explainers.trees._tree_ensemble import Trees

Outputs = npt.NDArray[np.float64]

HELD_OUT = 0.2
"""Fraction of the initialization examples that is held out from training to measure fidelity."""
MOST_HELD_OUT = 2000
"""Maximum number of rows held out, enough to measure an agreement to about one percent."""
MIRRORED = 1e-6
"""Largest difference between two outputs that mirror each other, relative to their spread."""
FEWEST_ROWS = 10
"""Number of initialization examples below which none are held out."""


class MimicExplainer(ShapleyExplainer):
    """Explains a model by a surrogate: an interpretable model that is trained on its predictions.

    The surrogate is a regression on the model's probabilities, one output per class, or on its response. The values are
    the Shapley values of the surrogate over the initialization examples. They are exact for the four surrogates of the
    library. `fidelity`, here and in every explanation, measures how well the surrogate imitates the model on rows that it
    was not trained on.

    Parameters
    ----------
    model : object
        The model to imitate (teacher): a fitted estimator, Pipeline, search, booster, or a function from a table to
        predictions.
    initialization_examples : ndarray, DataFrame or csr_matrix of shape (B, f_raw)
        Rows on which the surrogate is trained, as the model takes them. Labels are not needed. They are also the
        background.
    explainable_model : class
        `LGBMExplainableModel`, `LinearExplainableModel`, `SGDExplainableModel`, `DecisionTreeExplainableModel`, or a
        subclass of `ExplainableModel`.
    augment_data : bool, default True
        If there are more columns than rows, also train on rows drawn between neighbouring rows.
    max_num_of_augmentations : int, default 10
        Maximum number of drawn rows, as a multiple of the number of training rows.
    explainable_model_args : mapping, optional
        Parameters of the surrogate, such as ``{"num_leaves": 63}``. Default: its own defaults.
    features, classes, feature_space, transformations, model_task, explain_subset
        As in `TabularExplainer`.
    weights : array-like of shape (B,), optional
        Weights of the initialization examples in training and as the background. Default: equal weights. Fidelity does
        not use them.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Output of the model that is imitated, and unit of the values. "auto" is the probability if the model has one,
        otherwise the output in which the model is additive.
    random_state : int, default 0
        Seed of the surrogate, of the held-out rows and of the drawn rows.
    n_jobs, progress
        As in `TabularExplainer`.

    Raises
    ------
    UnsupportedModelError
        If the model cannot predict.
    InvalidInputError
        If a table or parameter does not match the model or the surrogate.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", arXiv:1503.02531.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from automl_explain import LGBMExplainableModel, MimicExplainer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = SVC(gamma=0.001, C=100).fit(X, y)
    >>> explainer = MimicExplainer(model, X, LGBMExplainableModel, classes=["setosa", "versicolor", "virginica"])
    >>> explainer.fidelity.n_rows, explainer.fidelity.held_out
    (30, True)
    >>> explanation = explainer.explain_global(X)
    >>> explanation.get_ranked_global_names(top_k=1)
    ['petal length (cm)']
    """

    fidelity: Fidelity

    def __init__(
        self,
        model: Any,
        initialization_examples: Any,
        explainable_model: type[ExplainableModel],
        *,
        augment_data: bool = True,
        max_num_of_augmentations: int = 10,
        explainable_model_args: Mapping[str, Any] | None = None,
        features: Sequence[str] | None = None,
        classes: ClassNames | None = None,
        output: str = "auto",
        feature_space: FeatureSpace | None = None,
        transformations: Any = None,
        weights: Any = None,
        model_task: str | None = None,
        explain_subset: Sequence[Any] | None = None,
        random_state: int = 0,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> None:
        _check_class(explainable_model)
        if isinstance(max_num_of_augmentations, bool) or not isinstance(max_num_of_augmentations, int | np.integer):
            raise InvalidInputError(
                f"The 'max_num_of_augmentations' parameter must be a whole number. Got {max_num_of_augmentations!r}."
            )
        settings = read_settings(None, random_state, n_jobs, progress)
        check_background(initialization_examples, type(self).__name__)
        explained = explained_model(
            model,
            initialization_examples,
            features=features,
            classes=classes,
            output=output,
            feature_space=feature_space,
            transformations=transformations,
            weights=weights,
            model_task=model_task,
            auto="probability",
        )
        self._teacher = explained.model
        self._surrogate = _construct(explainable_model, explainable_model_args or {}, random_state, n_jobs)
        draws_per_row = max(0, int(max_num_of_augmentations)) if augment_data else 0
        question = question_of(explained, settings)
        imitation, self.fidelity, self._trained_on = _train(self._surrogate, question, draws_per_row)
        engine = build_engine(_over_columns(question, imitation, self._surrogate))
        super().__init__(replace(explained, model=imitation), engine, explain_subset)

    @property
    def surrogate(self) -> ExplainableModel:
        """The trained surrogate."""
        return self._surrogate

    @property
    def method(self) -> str:
        """Name of the method: "mimic"."""
        return "mimic"

    @property
    def reason(self) -> str:
        """Which surrogate imitates which model, and how the surrogate is explained."""
        return (
            f"{type(self._surrogate).__name__} imitates the {self.model.output_space} of {self._teacher.name}; method "
            f"for the surrogate: {self._engine.reason}"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Fidelity of the surrogate, its training rows, and what else readers of the values need to know."""
        return (f"fidelity: {self.fidelity}", self._trained_on, *self._engine.notes)

    def explain_global(
        self, X: Any = None, *, sampling_policy: Any = None, include_local: bool = True, batch_size: int | None = None
    ) -> Explanation:
        """Explain a whole table by the mean absolute value of each feature over its rows.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw), optional
            Rows as the model takes them. Default: the initialization examples.
        sampling_policy, include_local, batch_size
            As in `TabularExplainer.explain_global`. The values of rows are dense, so ``include_local=False`` saves memory
            for tables with thousands of columns.

        Returns
        -------
        Explanation
        """
        return super().explain_global(
            self._explained.background if X is None else X,
            sampling_policy=sampling_policy,
            include_local=include_local,
            batch_size=batch_size,
        )


def _train(surrogate: ExplainableModel, question: Question, draws_per_row: int) -> tuple[FittedModel, Fidelity, str]:
    """Train a surrogate; return its description as a model, its fidelity, and a note on the training rows."""
    background = question.background
    assert background is not None
    if background.is_sparse and not surrogate.takes_sparse:
        raise InvalidInputError(
            f"{type(surrogate).__name__} takes no sparse tables. Pass a dense one, or use a surrogate that takes sparse "
            "tables, such as LinearExplainableModel."
        )
    encoding = Encoding(background)
    with progress_bar(3, "training the surrogate", question.settings.progress) as advance:
        data = _prepare(question, draws_per_row)
        advance(1)
        _fit(surrogate, encoding, data)
        advance(1)
        imitation = _described(question.model, surrogate, encoding, data.mirrored)
        fidelity = data.fidelity_of(imitation)
        advance(1)
    return imitation, fidelity, data.summary


def _fit(surrogate: ExplainableModel, encoding: Encoding, data: _TrainingData) -> None:
    matrix = encoding.matrix(data.rows)
    if data.weights is None:
        surrogate.fit(matrix, data.targets, encoding.categories)
        return
    if "sample_weight" not in inspect.signature(surrogate.fit).parameters:
        raise InvalidInputError(
            f"{type(surrogate).__name__}.fit has no parameter 'sample_weight', which is needed to train with weights. "
            "Add the parameter, or leave out 'weights'."
        )
    surrogate.fit(matrix, data.targets, encoding.categories, sample_weight=data.weights)


@dataclass(frozen=True, eq=False)
class _TrainingData:
    """Training rows of a surrogate, and test rows for its fidelity.

    Parameters
    ----------
    rows : Table
        Training rows.
    targets : ndarray of shape (len(rows), K)
        Outputs of the teacher for the training rows; only those of the second class if `mirrored`.
    weights : ndarray of shape (len(rows),), or None
        Weights of the training rows, 1 on average. None: equal weights. Rows drawn between neighbours have weight 1.
    test : Table
        Rows on which fidelity is measured.
    answers : ndarray of shape (len(test), C)
        Outputs of the teacher for the test rows.
    held_out : bool
        Whether the test rows are not among the training rows.
    mirrored : bool
        Whether the output of the first class follows from that of the second.
    summary : str
        Note on the training rows.
    """

    rows: Table
    targets: Outputs
    weights: Outputs | None
    test: Table
    answers: Outputs
    held_out: bool
    mirrored: bool
    summary: str

    def fidelity_of(self, surrogate: FittedModel) -> Fidelity:
        outputs = predict_finite(surrogate, self.test.data)
        return measure_fidelity(self.answers, outputs, surrogate.output_space, self.held_out)


def _prepare(question: Question, draws_per_row: int) -> _TrainingData:
    """Divide the background into training and test rows, and compute the teacher's outputs for all of them."""
    teacher, background, seed = question.model, question.background, question.settings.random_state
    assert background is not None
    learn, test = _divide(len(background), seed)
    if question.weights is not None and not question.weights[learn].any():
        learn = test = np.arange(len(background))  # every row of weight was kept for the test
    answers = predict_finite(teacher, background.data)
    rows, targets = background.take(learn), answers[learn]
    weights = None if question.weights is None else question.weights[learn] / question.weights[learn].mean()
    summary = f"the surrogate was trained on {len(rows)} rows"
    missing = background.n_columns - len(rows)
    n_drawn = min(draws_per_row * len(rows), missing) if len(rows) > 1 else 0
    if n_drawn > 0:
        drawn = draw_between_neighbours(rows, n_drawn, seed)
        rows, targets = stack_rows([rows, drawn]), np.vstack([targets, predict_finite(teacher, drawn.data)])
        weights = None if weights is None else np.append(weights, np.ones(n_drawn))
        summary += f" and on {n_drawn} rows drawn between neighbouring rows"
    mirrored = _is_mirrored(answers, teacher)
    return _TrainingData(
        rows,
        targets[:, 1:] if mirrored else targets,
        weights,
        background.take(test),
        answers[test],
        len(learn) < len(background),
        mirrored,
        summary,
    )


def _divide(n_rows: int, random_state: int) -> tuple[RowNumbers, RowNumbers]:
    """Return training rows and test rows; if there are too few rows to divide, both are all rows."""
    if n_rows < FEWEST_ROWS:
        return np.arange(n_rows), np.arange(n_rows)
    order = np.random.default_rng(random_state).permutation(n_rows)
    n_held = min(int(HELD_OUT * n_rows), MOST_HELD_OUT)
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def _is_mirrored(outputs: Outputs, model: FittedModel) -> bool:
    """Return whether, of two classes, the first output is the complement (probabilities) or negative of the second."""
    whole = 1.0 if model.output_space == "probability" else 0.0
    return outputs.shape[1] == 2 and agree(outputs[:, :1], whole - outputs[:, 1:], MIRRORED)


def _described(teacher: FittedModel, surrogate: ExplainableModel, encoding: Encoding, mirrored: bool) -> FittedModel:
    """Describe the surrogate as a model of the same tables as the teacher."""

    def read(table: Any) -> Any:
        return encoding.matrix(Table(table))

    def predict(table: Any) -> Outputs:
        outputs = np.asarray(surrogate.predict(read(table)), dtype=np.float64)
        outputs = outputs.reshape(table.shape[0], -1)
        if not mirrored:
            return outputs
        first = 1.0 - outputs if teacher.output_space == "probability" else -outputs
        return np.hstack([first, outputs])

    return replace(
        teacher,
        outputs={teacher.output_space: predict},
        structure=surrogate.structure(),
        encode=lambda table: surrogate.encode(read(table)),
        name=type(surrogate).__name__,
    )


def _over_columns(question: Question, model: FittedModel, surrogate: ExplainableModel) -> Question:
    """Return the question about the surrogate, whose structure may read several columns, or none, per table column."""
    columns = surrogate.columns
    if columns is None or not isinstance(model.structure, Trees | Linear):
        return replace(question, model=model)
    assert question.background is not None
    if question.players is None:
        return replace(question, model=model, players=columns, n_players=question.background.n_columns)
    return replace(question, model=model, players=question.players[columns])


def _check_class(explainable_model: Any) -> None:
    if isinstance(explainable_model, type) and issubclass(explainable_model, ExplainableModel):
        return
    if isinstance(explainable_model, ExplainableModel):
        name = type(explainable_model).__name__
        raise InvalidInputError(
            f"The 'explainable_model' parameter must be a class, of which MimicExplainer trains an instance. Got an instance: "
            f"pass {name}, and its parameters as explainable_model_args."
        )
    raise InvalidInputError(
        "The 'explainable_model' parameter must be LGBMExplainableModel, LinearExplainableModel, SGDExplainableModel, "
        f"DecisionTreeExplainableModel or another subclass of ExplainableModel. Got {explainable_model!r}."
    )


def _construct(
    explainable_model: type[ExplainableModel], args: Mapping[str, Any], random_state: int, n_jobs: int | None
) -> ExplainableModel:
    try:
        return explainable_model(**{"random_state": random_state, "n_jobs": n_jobs, **args})
    except TypeError as error:
        raise InvalidInputError(
            f"The 'explainable_model_args' parameter must hold parameters of {explainable_model.__name__}. "
            f"Got {dict(args)}: {error}."
        ) from error
