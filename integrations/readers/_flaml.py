"""Reader of FLAML's fitted objects.

FLAML preprocesses twice. First, the AutoML object preprocesses for all learners (`automl.preprocess`); its output is the
engineered table, the same for every run of a search. Then each learner's wrapper preprocesses for its own library. If the
second step does not map columns one to one, the learner is a black box.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import NotFittedError, UnsupportedTaskError
from automl_explain.explainers._quiet import ignored
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._fitted_model import Composite, FittedModel, Mixture
from automl_explain.explainers.model._predict_function import as_columns
from automl_explain.explainers.model._registry import describe as describe_any
from automl_explain.explainers.model._structures import Linear, Opaque, OutputSpace, Predict
from automl_explain.explainers.tables._column_functions import ColumnFunction, Columnwise, NotColumnwiseError
from automl_explain.explainers.tables._found_rows import find_same_rows
from automl_explain.explainers.tables._shared_tables import SharedTables
from automl_explain.explainers.tables._table import Table
from automl_explain.integrations.readers._unit_rows import unit_rows
from automl_explain.integrations.readers.sklearn._estimators import two_sided

DATETIME_PARTS = ("year", "month", "day", "hour", "minute", "second", "dayofweek", "dayofyear", "quarter")
"""Prefixes of the columns that FLAML makes from a datetime column."""

SUPPORTED_TASKS = ("classification", "binary", "multiclass", "regression", "rank")

ROWS_AT_ONCE = 65_536
"""Rows preprocessed at a time in the search for the caller's rows."""

UNIT_ROWS = "SGDEstimator"
"""Wrapper that scales each row to unit length."""
NOT_COLUMNWISE = {
    UNIT_ROWS: "FLAML's sgd learner scales each row to unit length, which mixes the columns",
    "KNeighborsEstimator": "nearest neighbours have no structure that could be used",
}
"""Wrapper whose own preprocessing does not map columns one to one -> reason in words."""

OF_THE_TABLE = ("BaseEstimator", "SKLearnEstimator", "LGBMEstimator", "CatBoostEstimator")
"""Wrapper whose own preprocessing is a function of the table alone."""
DROPS_TEXT = "KNeighborsEstimator"
"""Wrapper that leaves text columns of an array out, where the others replace the text by codes."""


def describe_automl(automl: Any) -> FittedModel:
    """Describe the model that ``automl.predict`` uses: a refit, or the ensemble."""
    if getattr(automl, "model", None) is None:
        raise NotFittedError("The AutoML object has no model: call its fit method with enough time for one trial.")
    check_task(automl._state.task)
    described = describe_any(automl.model)
    is_stack = not hasattr(automl.model, "estimator_class")
    return in_search(described, automl, kind="ensemble" if is_stack else "refit")


def in_search(described: FittedModel, automl: Any, kind: str, shared: SharedTables | None = None) -> FittedModel:
    """Return a learner's description with the labels and the raw columns that the AutoML object knows.

    Parameters
    ----------
    described : FittedModel
    automl : flaml AutoML
    kind : str
        Role of the model in the search.
    shared : SharedTables, optional
        As in `Preprocess`.
    """
    classes = described.classes
    labels = automl.classes_ if classes is not None else None
    if classes is not None and labels is not None and len(labels) == len(classes):
        classes = tuple(np.asarray(labels).tolist())
    transformer = automl.feature_transformer
    feature_map = raw_map(transformer, getattr(automl, "raw_columns_", None), getattr(automl, "word_parents_", {}))
    return replace(
        described,
        classes=classes,
        preprocessing=None if feature_map is None else Preprocess(automl, feature_map, shared),
        raw_names=None if feature_map is None else feature_map.raw_names,
        n_raw=None if feature_map is None else len(feature_map.raw_names),
        feature_names=described.feature_names if feature_map is None else engineered_names(transformer),
        feature_map=feature_map,
        kind=kind,
    )


@dataclass(frozen=True, eq=False)
class Preprocess(Columnwise):
    """FLAML's preprocessing for all learners.

    Parameters
    ----------
    automl : flaml AutoML
    feature_map : FeatureMap
        From the engineered columns to the caller's.
    shared : SharedTables or None
        Tables that every run of a search reads, each with what the preprocessing makes of it.
    """

    automl: Any
    feature_map: FeatureMap
    shared: SharedTables | None = None

    def __call__(self, table: Any) -> Any:
        """Return the engineered table."""
        known = self.known(table)
        return self.automl.preprocess(table) if known is None else known.data

    def known(self, table: Any) -> Table | None:
        """Return the engineered table if every run of the search reads it."""
        return None if self.shared is None else self.shared.engineered(table)

    def columns(self, inputs: tuple[ColumnFunction, ...]) -> tuple[ColumnFunction, ...]:
        """Return the engineered columns: known categories; numbers and parts of dates with medians for missing cells."""
        transformer = self.automl.feature_transformer
        if getattr(self.automl, "word_parents_", {}):
            raise NotColumnwiseError("the words of texts have no form as data")
        made = [inputs[j] for j in self.feature_map.parent.tolist()]
        n_categories = len(transformer._cat_columns)
        encoder = getattr(transformer, "_ordinal_encoder", None)
        known = (
            [None] * n_categories
            if encoder is None
            else [[one for one in values if one != "__NAN__"] for values in encoder.categories_]
        )
        medians = transformer.transformer.transformers_[0][1].statistics_.tolist() if transformer._num_columns else []
        return (
            *(column.then(known=values) for column, values in zip(made, known, strict=False)),
            *(
                column.then(*part, ("fill", median))
                for column, part, median in zip(made[n_categories:], self._parts(), medians, strict=True)
            ),
        )

    def _parts(self) -> list[tuple[tuple[str, float], ...]]:
        """Return the step that takes a part of a date, if there is one, for each engineered column of numbers."""
        transformer, own = self.automl.feature_transformer, set(self.feature_map.raw_names)
        dates = {str(column) for column in transformer._datetime_columns}
        taken = {f"{part}_{column}": part for column in dates for part in DATETIME_PARTS} | dict.fromkeys(
            dates, "ordinal"
        )
        names = [str(name) for name in transformer._num_columns]
        return [((taken[name], 0.0),) if name in taken and (name in dates or name not in own) else () for name in names]


def own_rows(engineered: Table, own: Table, preprocess: Callable[[Any], Any]) -> Table:
    """Return the rows of the caller's table that FLAML has preprocessed, shuffled and split.

    If some of them cannot be found, as many rows are drawn from the caller's table.
    """
    blocks = (preprocess(own.data.iloc[start : start + ROWS_AT_ONCE]) for start in range(0, len(own), ROWS_AT_ONCE))
    with ignored():  # FLAML has shown its warnings about these rows before
        found = find_same_rows(engineered.data, blocks)
    return (
        own.sample(len(engineered), 0) if found is None else replace(own.take(found).alone(), labels=engineered.labels)
    )


def describe_wrapper(wrapper: Any) -> FittedModel:
    """Describe one FLAML learner over the engineered table."""
    inner = wrapper.estimator
    if inner is None:
        raise NotFittedError(
            f"{type(wrapper).__name__} holds no fitted model: FLAML empties learners after their trial. Explain the "
            "AutoML object, or fit with model_explainability=True to keep every run's explanation."
        )
    described = _margins_of_svc(wrapper) or describe_any(inner)
    prepare = wrapper.preprocess
    why = _not_columnwise(wrapper)
    structure = described.structure if why is None else _scaled(wrapper, described, why) or Opaque(why)
    by_number = getattr(wrapper, "names_by_number", False)
    return replace(
        described,
        outputs={space: _after(prepare, predict) for space, predict in described.outputs.items()},
        structure=structure,
        encode=_after(prepare, described.encode),
        name=type(inner).__name__,
        feature_names=None if why or by_number else described.feature_names,
        n_features=None if why else described.n_features,
        recode=None if any(cls.__name__ == DROPS_TEXT for cls in type(wrapper).__mro__) else codes_of_text,
    )


def codes_of_text(array: Any) -> Any:
    """Return an array of objects with FLAML's codes in place of text: the rank of a value among those of its column.

    FLAML's learners code arrays this way, which a stack passes to its final estimator. The same value therefore has another
    code in a table that lacks some values.
    """
    frame = pd.DataFrame(array)
    for name in frame.columns:
        if isinstance(frame[name].iloc[0], str):
            frame[name] = frame[name].astype("category").cat.codes
    frame = frame.infer_objects()
    is_numeric = all(map(pd.api.types.is_numeric_dtype, frame.dtypes))
    return frame.to_numpy(dtype=np.float64 if is_numeric else object)


def mean_of(members: list[FittedModel]) -> FittedModel:
    """Describe the mean of the models of a cross-validated trial, one per fold."""
    first = members[0]
    width = first.n_outputs
    weights = tuple(np.eye(width) / len(members) for _ in members)

    def mean(space: OutputSpace) -> Predict:
        return lambda table: np.mean([member.outputs[space](table) for member in members], axis=0)

    return replace(
        first,
        outputs={space: mean(space) for space in first.outputs},
        structure=Mixture(tuple(members), weights, np.zeros(width), tuple(f"fold {i}" for i in range(len(members)))),
        name=f"mean of {len(members)} folds' {first.name}",
    )


def check_task(task: Any) -> None:
    """Raise `UnsupportedTaskError` for a FLAML task that cannot be explained."""
    name = task if isinstance(task, str) else task.name
    if name not in SUPPORTED_TASKS:
        raise UnsupportedTaskError(
            f"The FLAML task {name!r} cannot be explained. Supported tasks: {', '.join(SUPPORTED_TASKS)}. "
            "Pass model_explainability=False to search without explanations."
        )


def engineered_names(transformer: Any) -> tuple[str, ...]:
    """Return the names of the columns that FLAML's learners see."""
    return tuple(map(str, (*transformer._cat_columns, *transformer._num_columns)))


def raw_map(transformer: Any, raw_columns: Any = None, words: Mapping[str, str] | None = None) -> FeatureMap | None:
    """Return the map from FLAML's engineered columns to the user's, or None if FLAML did not change the table.

    Parameters
    ----------
    transformer : flaml DataTransformer, or None
    raw_columns : sequence, optional
        The user's columns; without them, the columns that FLAML dropped are not known.
    words : mapping, optional
        The column of texts that each column of a word comes from.
    """
    if not hasattr(transformer, "_cat_columns"):
        return None
    engineered = [*transformer._cat_columns, *transformer._num_columns]
    made = dict(words or {})
    made |= {f"{part}_{column}": column for column in transformer._datetime_columns for part in DATETIME_PARTS}
    own = set() if raw_columns is None else set(raw_columns)  # a user's column may have the name of a date's part
    parents = [name if name in own else made.get(name, name) for name in engineered]
    raw = list(dict.fromkeys(parents)) if raw_columns is None else list(raw_columns)
    position = {name: j for j, name in enumerate(raw)}
    return FeatureMap(tuple(map(str, raw)), np.array([position[name] for name in parents], dtype=np.intp))


def _not_columnwise(wrapper: Any) -> str | None:
    """Return why a wrapper's preprocessing cannot be traced; None if it maps columns one to one."""
    for cls in type(wrapper).__mro__:
        if cls.__name__ in NOT_COLUMNWISE:
            return NOT_COLUMNWISE[cls.__name__]
        if "_preprocess" in vars(cls):
            known = cls.__module__ == "flaml.automl.model" or getattr(cls, "names_by_number", False)
            return None if known else f"{type(wrapper).__name__} has a preprocessing of its own"
    return None


def _scaled(wrapper: Any, described: FittedModel, why: str) -> Composite | None:
    """Return the structure of a linear model over rows of unit length, or None if the wrapper or the model is another."""
    cls: Any = next((cls for cls in type(wrapper).__mro__ if "_preprocess" in vars(cls)), None)
    if cls is None or cls.__name__ != UNIT_ROWS or cls.__module__ != "flaml.automl.model":
        return None
    if not isinstance(described.structure, Linear) or wrapper.normalizer.norm != "l2":
        return None
    before = super(cls, wrapper)._preprocess  # what the wrapper does before it scales the rows
    return unit_rows(described.structure, _after(before, described.encode), why, n_classes=described.n_outputs)


def _margins_of_svc(wrapper: Any) -> FittedModel | None:
    """Describe a LinearSVC: FLAML computes its probabilities with the logistic function, so that its margins are log-odds."""
    inner = wrapper.estimator
    if type(inner).__name__ != "LinearSVC":
        return None
    outputs: dict[OutputSpace, Predict] = {
        "log_odds": as_columns(lambda table: two_sided(inner.decision_function(table)), "LinearSVC"),
        "probability": as_columns(inner._predict_proba_lr, "LinearSVC"),
    }
    return replace(describe_any(inner), outputs=outputs, output_space="log_odds")


def _after(prepare: Callable[[Any], Any], then: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def composed(table: Any) -> Any:
        return then(prepare(table))

    return composed


@dataclass(frozen=True, eq=False)
class _SharedStep:
    """The preprocessing of learners of a kind, which a search applies to the same tables for each of them.

    Parameters
    ----------
    rule : callable
        What FLAML's class defines: a function of the table alone.
    step : callable
        The preprocessing of one learner.
    shared : SharedTables
    """

    rule: Callable[..., Any]
    step: Callable[[Any], Any]
    shared: SharedTables

    def __call__(self, table: Any) -> Any:
        return self.shared.once(table, self.rule, self.step)


def sharing_steps(wrapper: Any, shared: SharedTables) -> Any:
    """Return a copy of one of FLAML's learners that preprocesses tables of a search once for all learners of its kind.

    Learners whose preprocessing depends on more than the table are returned unchanged.
    """
    cls = next((cls for cls in type(wrapper).__mro__ if "_preprocess" in vars(cls)), object)
    if (
        cls.__module__ != "flaml.automl.model"
        or cls.__name__ not in OF_THE_TABLE
        or "preprocess" in vars(type(wrapper))
    ):
        return wrapper
    made = copy.copy(wrapper)
    made.preprocess = _SharedStep(vars(cls)["_preprocess"], wrapper.preprocess, shared)
    return made
