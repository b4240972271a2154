"""`MimicExplainer`: explains a model by a surrogate that is trained on its predictions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import AutoMLExplainWarning, InvalidInputError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.methods._base import Question
from automl_explain.explainers.methods._explainer import ShapleyExplainer, check_background, question_of
from automl_explain.explainers.methods._fallback import built
from automl_explain.explainers.methods._rules import build_engine
from automl_explain.explainers.methods._settings import read_settings
from automl_explain.explainers.model._explained_model import FeatureSpace, explained_model
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import ClassNames
from automl_explain.explainers.model._structures import Linear
from automl_explain.explainers.surrogate._explainable_model import ExplainableModel
from automl_explain.explainers.surrogate._training import train
from automl_explain.explainers.trees._tree_ensemble import Trees


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
    features : sequence of str, optional
        Column names, for tables without names.
    classes : sequence or mapping, optional
        Class names to show instead of the model's labels, in the model's order, or ``{label: name}``. The model's own labels
        in another order are refused.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Output of the model that is imitated, and unit of the values. "auto" is the probability if the model has one,
        otherwise the output in which the model is additive.
    feature_space : {"engineered", "raw"}, optional
        Explain the columns that the model's last step reads ("engineered"), or the columns of the table ("raw"). If the
        preprocessing mixes columns, raw columns are masked before it, and `reason` says so. Default: "engineered", or
        "raw" if `transformations` are given.
    transformations : fitted transformer, or list of (columns, fitted transformer), optional
        Preprocessing to apply before `model`, such as a ColumnTransformer. All tables are then passed without it.
    weights : array-like of shape (B,), optional
        Weights of the initialization examples in training and as the background. Default: equal weights. Fidelity does
        not use them.
    model_task : {"classification", "regression"}, optional
        Task of a black-box model with one column of predictions. By default it is a regression; as a classification, the
        column holds probabilities of the second of two classes. Other models have a task of their own, which the parameter
        must not contradict.
    explain_subset : sequence of str or int, optional
        Features to return, by name or position, in this order. Values are computed with all features;
        `Explanation.left_out` is the sum of the others. Default: all features.
    random_state : int, default 0
        Seed of the surrogate, of the held-out rows and of the drawn rows.
    n_jobs : int, optional
        Threads of compiled kernels. Default: all cores available to the process.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Raises
    ------
    UnsupportedModelError
        If the model cannot predict.
    InvalidInputError
        If a table or parameter does not match the model or the surrogate.

    Warns
    -----
    AutoMLExplainWarning
        If the surrogate imitates the model worse on held-out rows than a constant would. A note of its explanations repeats
        it.

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

    @checked
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
        imitation = train(self._surrogate, question, draws_per_row)
        self.fidelity = imitation.fidelity
        self._training_notes: tuple[str, ...] = (f"fidelity: {self.fidelity}", imitation.training)
        if imitation.worse_than_constant:
            self._training_notes = (self._worse_than_constant(), *self._training_notes)
            warnings.warn(self._training_notes[0], AutoMLExplainWarning, stacklevel=3)  # past the check of arguments
        question, surrogate = replace(question, model=imitation.model), self._surrogate
        engine = built(question, lambda asked: build_engine(_over_columns(asked, asked.model, surrogate)))
        super().__init__(replace(explained, model=imitation.model), engine, explain_subset, settings, question=question)

    @property
    def _players(self) -> tuple[npt.NDArray[np.intp] | None, int | None]:
        assert self._question is not None
        asked = _over_columns(self._question, self.model, self._surrogate)
        return asked.players, asked.n_players

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
        return (*self._training_notes, *self._engine.notes)

    def _worse_than_constant(self) -> str:
        return (
            f"{type(self._surrogate).__name__} imitates {self._teacher.name} worse than a constant would ({self.fidelity}), so "
            "its values say little about the model. Use another surrogate, more initialization examples, or TabularExplainer."
        )

    @checked
    def explain_global(
        self, X: Any = None, *, sampling_policy: Any = None, include_local: bool = True, batch_size: int | None = None
    ) -> Explanation:
        """Explain a whole table by the mean absolute value of each feature over its rows.

        Parameters
        ----------
        X : ndarray, DataFrame or csr_matrix of shape (n, f_raw), optional
            Rows as the model takes them. Default: the initialization examples.
        sampling_policy : SamplingPolicy or int, optional
            Explain a sample of the rows, of this size or drawn by this policy. Default: all rows.
        include_local : bool, default True
            Keep the values of each row. If False, keep only the global values, in constant memory; the values of rows
            are dense, so that this saves memory for tables with thousands of columns.
        batch_size : int, optional
            Rows per batch with ``include_local=False``. Default: as many rows as fit in 64 MiB, at most 4096.

        Returns
        -------
        Explanation
            Of the surrogate, with its fidelity.
        """
        return super().explain_global(
            self._explained.background if X is None else X,
            sampling_policy=sampling_policy,
            include_local=include_local,
            batch_size=batch_size,
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
