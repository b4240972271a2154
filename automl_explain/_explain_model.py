"""`explain_model` and `retrieve_model_explanation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from itertools import takewhile
from typing import Any

from automl_explain._class_names import names_of_labels
from automl_explain._model_explanation import ExplainerRecipe, ModelExplanation
from automl_explain.display._true_labels import labels_in_order
from automl_explain.explainers._arguments import check_choice, checked
from automl_explain.explainers._deep_explainer import DeepExplainer
from automl_explain.explainers._errors import InvalidInputError, UnsupportedModelError
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.image._explainer import ImageExplainer
from automl_explain.explainers.image._explanation import ImageExplanation
from automl_explain.explainers.image._images import look_like_images
from automl_explain.explainers.image._model import takes_flat_pixels
from automl_explain.explainers.methods._settings import SamplingOptions, read_settings
from automl_explain.explainers.model._explained_model import FeatureSpace, read_columns
from automl_explain.explainers.model._names import ClassNames
from automl_explain.explainers.model._registry import describe
from automl_explain.explainers.neural._examples import as_examples, is_table, is_tensor
from automl_explain.explainers.stored._any_explanation import AnyExplanation
from automl_explain.explainers.tables._table import Table, as_table
from automl_explain.explainers.text._explanation import TextExplanation
from automl_explain.explainers.text._reading import is_texts, read_texts
from automl_explain.explainers.text.games._explainer import TextExplainer
from automl_explain.explainers.text.games._text_columns import explain_text_columns
from automl_explain.explainers.text.games._text_model import reads_column_of_texts
from automl_explain.integrations._run_lookup import find_run
from automl_explain.integrations.history._labels import keep_labels
from automl_explain.integrations.history._run import Run
from automl_explain.integrations.history._run_history import RunHistory

DATA = ("auto", "texts", "images", "cells")
"""What examples may be, for the 'data' parameter of `explain_model`."""


WORDS_OF = "words of the column "
"""Start of the comment with which the words in a column of texts are stored, just before the explanation of the table."""


class Examples(Enum):
    """What the examples of `explain_model` are explained as, in words."""

    TABLE = "a table"
    TEXTS = "texts"
    IMAGES = "images"
    TENSORS = "examples of a network"


@checked
def explain_model(
    fitted_model: Any,
    X_train: Any,
    X_test: Any,
    best_run: Run | str | None = None,
    features: Sequence[str] | None = None,
    y_train: Any = None,
    *,
    classes: ClassNames | None = None,
    output: str = "auto",
    feature_space: FeatureSpace = "engineered",
    members: bool = False,
    y_test: Any = None,
    data: str = "auto",
    text_detail: str | Sequence[str] | None = None,
    sampling: SamplingOptions | None = None,
    n_jobs: int | None = None,
    random_state: int = 0,
    progress: bool | None = None,
) -> ModelExplanation:
    """Explain any fitted model or ensemble.

    Parameters
    ----------
    fitted_model : object
        A fitted estimator, Pipeline, search, booster, neural network, or a predict function; an AutoML object of FLAML,
        AutoGluon, mljar-supervised, TPOT or H2O; or what `load_model` reads from a file.
    X_train : ndarray, DataFrame or csr_matrix of shape (B, f)
        The background: rows that provide the values of absent features. Expected values are the mean output over it. For a
        neural network also arrays or tensors of shape (B, ...), such as images, and a list or mapping of several inputs, as
        `DeepExplainer` takes them.
    X_test : ndarray, DataFrame or csr_matrix of shape (n, f)
        The rows to explain.
    best_run : Run, str, AutoML or Optuna trial, optional
        A run, or an object that identifies one, with which the explanation is also stored. Default: it is not stored.
    features : sequence of str, optional
        Column names, for tables without names.
    y_train : array-like, optional
        Labels of `X_train`. Their sorted values are the class names of a model whose classes are 0, 1, ... Labels that
        cannot be matched with these codes with certainty are refused, such as categories in an order of their own.
    classes : sequence or mapping, optional
        Class names to show, in the model's order, or ``{label: name}`` for the model's labels. Default: those of `y_train`
        or of the model.
    output : {"auto", "probability", "log_odds", "response", "margin"}, default "auto"
        Unit of the values. "auto" is the output in which the model is additive.
    feature_space : {"engineered", "raw"}, default "engineered"
        Explain the columns that the model's last step reads ("engineered"), or the columns of the table ("raw").
    members : bool, default False
        Also compute the contributions of the members of an ensemble: `ModelExplanation.members`.
    y_test : array-like of shape (n,), optional
        True labels of `X_test`, for tables; a pandas Series is matched by its index. They are kept with the explanation and
        with `best_run`: `ModelExplanation.performance`, notebooks and the report then tell how good the predictions are.
    data : {"auto", "texts", "images", "cells"}, default "auto"
        What the examples are. "auto" takes lists, arrays and Series of str for texts, and tables of one column of them
        if the model is a pipeline that starts with a vectorizer: `TextExplainer` gives each word a value, `X_train` serves
        for class names only, and the features are the words of all texts. "auto" takes arrays and tensors of shape
        (n, rows, columns, channels) or (n, channels, rows, columns) for images if they have at least 16 rows and columns,
        and 1, 3 or 4 channels, and arrays of any size for a model that takes their pixels as flat rows, such as
        digits of shape (n, 8, 8) for one of scikit-learn. `ImageExplainer` explains images by their segments; `X_train` then
        serves for the outputs and class names only, and `ModelExplanation.overall` has the importance of positions. "cells"
        gives each cell a value of its own, as `DeepExplainer` does.
    text_detail : str or sequence of str, optional
        Columns of texts whose words are explained as well: `ModelExplanation.texts` has a `TextExplanation` for each, which is
        stored with `best_run` too. With ``feature_space="raw"``, a column of texts as a whole has a value beside numbers and
        categories.
    sampling : SamplingOptions, optional
        How coalitions of the columns of a table are sampled, and when to stop.
    n_jobs : int, optional
        Threads, for tables. Default: all cores of the process.
    random_state : int, default 0
        Seed of sampled coalitions.
    progress : bool, optional
        If True, show a progress bar; if False, show none. Default: show one after two seconds.

    Returns
    -------
    ModelExplanation
        Unpacks to ``shap_values, expected_values, overall_summary, overall_imp, per_class_summary, per_class_imp``.

    Raises
    ------
    UnsupportedModelError
        If the model cannot be explained, or `members` is True and it has no members.
    NotFittedError
        If the model is not fitted.
    InvalidInputError
        If a table or parameter does not match the model.
    AdditivityError
        If the values do not add up to the model's output.

    Examples
    --------
    >>> from lightgbm import LGBMRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from automl_explain import explain_model
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = LGBMRegressor(n_estimators=20, verbose=-1).fit(X, y)
    >>> shap_values, expected_values, values, names, _, _ = explain_model(model, X, X.iloc[:10])
    >>> shap_values.shape, names[0]
    ((10, 10), 's5')
    """
    run = None if best_run is None else find_run(best_run)
    options: dict[str, Any] = {"output": output, "random_state": random_state, "progress": progress}
    kind = _kind_of_examples(fitted_model, X_train, data)
    _check_wishes(kind, members=members, y_test=y_test)
    if kind is Examples.TEXTS:
        texts = _of_texts(fitted_model, X_train, X_test, classes, y_train, features, options)
        return _stored(texts, run, texts.model_kind)
    if kind is Examples.IMAGES:
        images = _of_images(fitted_model, X_train, X_test, classes, y_train, options)
        return _stored(images, run, images.model_kind)
    if kind is Examples.TENSORS:
        options |= {"features": features, "sampling": sampling, "n_jobs": n_jobs}
        explanation = _of_network(fitted_model, X_train, X_test, classes, y_train, options)
        return _stored(explanation, run, explanation.model_kind, y_test=y_test)
    options |= {"features": features, "feature_space": feature_space, "sampling": sampling, "n_jobs": n_jobs}
    recipe, rows = _recipe(fitted_model, X_train, classes, y_train, options), as_table(X_test, "X_test")
    explainer = recipe.for_rows(len(rows))
    shares = explainer.explain_members(rows) if members else None
    explanation = replace(explainer.explain_local(rows), members=shares)
    words: dict[str, TextExplanation] = {}
    if text_detail is not None:
        settings = read_settings(sampling, random_state, n_jobs, progress)
        words = explain_text_columns(explainer.model, rows.data, text_detail, explanation.classes, settings)
    return _stored(explanation, run, recipe.model.kind, recipe, y_test, words)


def _check_wishes(kind: Examples, *, members: bool, y_test: Any) -> None:
    """Raise if something is asked for that examples of this kind do not have."""
    if members and kind is not Examples.TABLE:
        raise UnsupportedModelError(
            f"explain_members expects an ensemble of models over a table. Got {kind.value}: leave out members=True"
            + (", or pass data='cells'." if kind is Examples.IMAGES else ".")
        )
    if y_test is not None and kind in (Examples.TEXTS, Examples.IMAGES):
        raise InvalidInputError(
            f"The 'y_test' parameter has true labels of rows of a table. Got {kind.value}: leave it out."
        )


def _recipe(
    fitted_model: Any, X_train: Any, classes: ClassNames | None, y_train: Any, options: dict[str, Any]
) -> ExplainerRecipe:
    """Return how the rows of a table are explained; class names are those of `y_train` unless `classes` is given."""
    described, background = describe(fitted_model, X_train), as_table(X_train, "X_train")
    if classes is None and y_train is not None:
        read = read_columns(background, described.input_names, options["features"], described.n_inputs, "X_train")
        classes = names_of_labels(y_train, described, read)
    return ExplainerRecipe(described, background, {**options, "classes": classes})


def _kind_of_examples(model: Any, X_train: Any, data: Any) -> Examples:
    """Return what examples are explained as."""
    check_choice("data", data, DATA)
    if data == "texts" or (data == "auto" and (is_texts(X_train) or reads_column_of_texts(model, X_train))):
        return Examples.TEXTS
    if data == "images" or (data == "auto" and (look_like_images(X_train) or takes_flat_pixels(model, X_train))):
        return Examples.IMAGES
    return Examples.TABLE if is_table(X_train) and not is_tensor(X_train) else Examples.TENSORS


def _of_texts(
    model: Any,
    X_train: Any,
    X_test: Any,
    classes: ClassNames | None,
    y_train: Any,
    features: Sequence[str] | None,
    options: dict[str, Any],
) -> TextExplanation:
    """Return the explanation of texts by their words."""
    if features is not None:
        raise InvalidInputError(
            "The 'features' parameter names columns of a table. Got texts, whose words are the names."
        )
    explainer = TextExplainer(model, classes=classes, **options)
    if classes is None and y_train is not None:
        named = names_of_labels(y_train, explainer.model, explainer.prepared(X_train))
        explainer = TextExplainer(model, classes=named, **options)
    return explainer.explain_local(read_texts(X_test, "X_test"))


def _of_images(
    model: Any,
    X_train: Any,
    X_test: Any,
    classes: ClassNames | None,
    y_train: Any,
    options: dict[str, Any],
) -> ImageExplanation:
    """Return the explanation of images by their segments."""
    explainer = ImageExplainer(model, classes=classes, **options)
    if classes is None and y_train is not None:
        described, background = explainer.describe(X_train)
        explainer = ImageExplainer(model, classes=names_of_labels(y_train, described, background), **options)
    return explainer.explain_global(X_test)


def _of_network(
    network: Any,
    X_train: Any,
    X_test: Any,
    classes: ClassNames | None,
    y_train: Any,
    options: dict[str, Any],
) -> Explanation:
    """Return the explanation of a network whose examples are not a table."""
    explainer = DeepExplainer(network, X_train, classes=classes, **options)
    if classes is None and y_train is not None:
        background = Table(as_examples(X_train, "X_train").flat())
        named = names_of_labels(y_train, explainer.model, background)
        explainer = DeepExplainer(network, X_train, classes=named, **options)
    return explainer.explain_local(X_test)


def _stored(
    explanation: AnyExplanation,
    run: Run | None,
    kind: str | None,
    recipe: ExplainerRecipe | None = None,
    y_test: Any = None,
    texts: Mapping[str, TextExplanation] | None = None,
) -> ModelExplanation:
    """Return an explanation with its true labels and its words; all are also stored with a run if there is one."""
    texts = texts or {}
    labels = None if y_test is None else labels_in_order(explanation.overall(), y_test)
    if run is None:
        return ModelExplanation(explanation, kind, None, recipe, true_labels=labels, texts=texts)
    for name, words in texts.items():  # before the explanation that they belong to, which is the most recent one
        run.history.store(run.id, words, comment=f"{WORDS_OF}{name}")
    stored = run.history.store(run.id, explanation)
    if labels is not None and isinstance(run.history, RunHistory):
        keep_labels(run.history, stored, labels)
    return ModelExplanation(explanation, kind or run.kind, run.id, recipe, true_labels=labels, texts=texts)


@checked
def retrieve_model_explanation(run: Any, *, history: RunHistory | None = None) -> ModelExplanation:
    """Return the explanation of a run, such as one made during its search.

    Parameters
    ----------
    run : Run, str, AutoML, Optuna trial or MLflow run
        A run, its id, an AutoML object fitted with ``model_explainability=True``, a trial that a `TrialExplainer` captured,
        or an MLflow run with explanations. An AutoML object identifies the model that its `predict` uses.
    history : RunHistory, optional
        History in which an id is looked up. Default: the default history. A trial records where its history is.

    Returns
    -------
    ModelExplanation
        The six values, and the whole explanation behind them.

    Raises
    ------
    RunNotFoundError
        If there is no such run.
    ExplanationNotFoundError
        If the run has no explanation. The message gives its status, the reason, and how to get an explanation.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from automl_explain import AutoMLConfig, Experiment, retrieve_model_explanation
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> config = AutoMLConfig(X=X, y=y, engine="optuna", max_iter=2, estimators=["lgbm"])
    >>> best_run, _ = Experiment("iris").submit(config).get_output()
    >>> len(retrieve_model_explanation(best_run.id).shap_values)  # one array per class
    3
    """
    found = find_run(run, history)
    explanation = found.explanation
    kind = explanation.model_kind or found.kind
    return ModelExplanation(
        explanation, kind, found.id, find_engineered=partial(_engineered_of, found), true_labels=found.true_labels,
        texts=_texts_of(found),
    )  # fmt: skip


def _texts_of(run: Run) -> dict[str, TextExplanation]:
    """Return the words in columns of texts that were stored with the most recent explanation of a run."""
    before = run.history.explanations(run.id)[:-1]
    own = list(takewhile(lambda stored: stored.comment.startswith(WORDS_OF), reversed(before)))
    return {stored.comment.removeprefix(WORDS_OF): run.history.explanation(run.id, stored.id) for stored in own[::-1]}


def _engineered_of(run: Run) -> Explanation | None:
    """Return the most recent explanation of a run over engineered columns."""
    kept = [stored for stored in run.history.explanations(run.id) if not stored.is_raw]
    return run.history.explanation(run.id, kept[-1].id) if kept else None
