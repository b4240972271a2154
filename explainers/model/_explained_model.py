"""The model in the space that is explained, and the reading of tables for all explainers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.model._column_transformers import as_transformer
from automl_explain.explainers.model._feature_space import in_feature_space, raw_players
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._names import ClassNames, class_names, feature_names, given_names
from automl_explain.explainers.model._registry import describe, is_plain_function
from automl_explain.explainers.model._structures import OutputSpace
from automl_explain.explainers.model._task import with_task
from automl_explain.explainers.tables._column_functions import Columnwise
from automl_explain.explainers.tables._formats import row_weights
from automl_explain.explainers.tables._table import Table, arrange, as_table, check_same_columns, conform
from automl_explain.explainers.tables._weights import as_weights

FeatureSpace = Literal["engineered", "raw"]
Share = npt.NDArray[np.float64]
"""Weights of background rows, adding up to 1."""
BACKGROUND = "initialization_examples"
"""Name of the background in error messages."""
LINK_ROWS = 64
"""Background rows used to detect the link between two output spaces."""


class RowsRead(NamedTuple):
    """Rows to explain, in the caller's columns and in the engineered columns of the model's last step."""

    given: Table
    engineered: Table


@dataclass(frozen=True, eq=False)
class ExplainedModel:
    """A described model in the output space and feature space that is explained.

    Parameters
    ----------
    model : FittedModel
        The model in the requested output and feature space.
    background : Table or None
        Background rows in the caller's columns. None: no background.
    engineered : Table or None
        The background rows in the engineered columns of the model's last step.
    weights : ndarray of shape (B,), or None
        Weights of the background rows, adding up to 1. None: equal weights.
    is_raw_space : bool
        Whether the caller's own columns are explained, not the engineered ones.
    features : tuple of str or None
        Names of the explained features; None if they have no names.
    classes : tuple or None
        Names of the classes; None for regression.
    given_names : sequence of str or None
        Names that the caller passed separately from the table.
    """

    model: FittedModel
    background: Table | None
    engineered: Table | None
    weights: Share | None
    is_raw_space: bool
    features: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    given_names: Sequence[str] | None = None

    @property
    def players(self) -> tuple[npt.NDArray[np.intp] | None, int | None]:
        """Player of each engineered column, and the number of players; (None, None) if each column is a player."""
        return raw_players(self.model) if self.is_raw_space else (None, None)

    @property
    def n_features(self) -> int:
        """Number of explained features."""
        n_columns = self.model.n_features if self.engineered is None else self.engineered.n_columns
        return self.players[1] or n_columns or 0

    @property
    def is_raw(self) -> bool:
        """Whether the explained features are the caller's own columns."""
        return self.is_raw_space or (self.model.preprocessing is None and self.model.feature_map is None)

    def read(self, X: Any, what: str = "X") -> RowsRead:
        """Read rows: order the columns as the model does, convert to the format of the background, and preprocess.

        Parameters
        ----------
        X : table
            Rows as the model takes them; a 1-D array or Series is one row.
        what : str
            Name of the table in error messages.

        Raises
        ------
        ColumnMismatchError
            If the columns differ from those of the background.
        InvalidInputError
            If `X` is not a table, or the preprocessing cannot transform its values.
        """
        like = self.background
        # The names of the background first: they are spelled as the caller does, while LightGBM has replaced blanks.
        names = (None if like is None else like.names) or self.model.input_names
        n_columns = self.model.n_inputs if like is None else like.n_columns
        table = read_columns(as_table(X, what).alone(), names, self.given_names, n_columns, what)
        if like is not None:
            table = conform(table, like, what)
        return RowsRead(table, engineer(self.model, table, what))

    def by_class(self, values: npt.NDArray[np.float64] | None, axis: int = 0) -> Any:
        """Return values in the shape that explanations use: for regression, without the axis of outputs."""
        return values if values is None or self.model.classes is not None else values.take(0, axis)


def read_background(examples: Any, weights: Any) -> tuple[Table | None, Share | None]:
    """Read a background and the weights of its rows; return (None, None) without a background.

    A result of `shap.kmeans` includes weights.

    Raises
    ------
    InvalidInputError
        If `examples` is not a table, or the weights do not match it.
    """
    if examples is None:
        if weights is not None:
            raise InvalidInputError("The 'weights' parameter gives weights to background rows. Got no background.")
        return None, None
    own = row_weights(examples)
    if own is None:
        table = as_table(examples, BACKGROUND).alone()
    else:
        table = as_table(SimpleNamespace(data=examples.data, group_names=examples.group_names), BACKGROUND)
    if own is not None and weights is not None:
        raise InvalidInputError(
            f"The 'weights' parameter gives weights to background rows. Got it together with {BACKGROUND} that include "
            "weights: pass only one of the two."
        )
    given = own if weights is None else weights
    return table, None if given is None else as_weights(given, len(table))


def explained_model(
    model: Any,
    examples: Any,
    *,
    features: Sequence[str] | None = None,
    classes: ClassNames | None = None,
    output: str = "auto",
    feature_space: str | None = None,
    transformations: Any = None,
    weights: Any = None,
    model_task: str | None = None,
    auto: OutputSpace | None = None,
) -> ExplainedModel:
    """Describe a fitted model in the output space and feature space that is explained.

    Parameters
    ----------
    model : object
    examples : table, result of shap.kmeans, or None
        The background.
    features, classes, output, feature_space, transformations, weights, model_task
        As in `TabularExplainer`.
    auto : {"probability", "log_odds", "response", "margin"}, optional
        Meaning of ``output="auto"`` for models that have this output. Default: the space in which the model is additive.

    Raises
    ------
    UnsupportedModelError, NotFittedError
        If the model cannot be explained.
    InvalidInputError, ColumnMismatchError
        If a table or parameter does not match the model.
    """
    background, share = read_background(examples, weights)
    model = behind(transformations, model, background)
    described = with_task(describe(model, None if background is None else background.data), model_task)
    some = None
    if background is not None:
        background = check_same_columns(background, described.input_names, described.n_inputs, BACKGROUND)
    if output == "auto" and auto is not None and auto in described.outputs:
        output = auto
    if background is not None and output not in ("auto", described.output_space):
        some = engineer(described, background.take(np.arange(min(LINK_ROWS, len(background)))), BACKGROUND).data
    space = feature_space or ("engineered" if transformations is None else "raw")
    seen = _named(in_feature_space(described.in_space(output, some), space), features)
    is_raw_space = space == "raw"
    engineered = None if background is None else engineer(seen, background, BACKGROUND)
    n_inputs = seen.n_inputs if background is None else background.n_columns
    names = feature_names(features, seen, engineered, n_inputs, raw=is_raw_space)
    return ExplainedModel(
        seen, background, engineered, share, is_raw_space, names, class_names(classes, seen), features
    )


def _named(model: FittedModel, features: Sequence[str] | None) -> FittedModel:
    """Return the model with the caller's names for its raw columns, if the model has no names for them."""
    feature_map, names = model.feature_map, given_names(features)
    if feature_map is None or names is None or model.raw_names is not None or len(names) != len(feature_map.raw_names):
        return model
    return replace(model, feature_map=replace(feature_map, raw_names=names))


def behind(transformations: Any, model: Any, table: Table | None) -> Any:
    """Return the model preceded by the caller's transformations; the model itself if there are none."""
    if transformations is None:
        return model
    transformer = as_transformer(transformations, table)
    if is_plain_function(model):
        return lambda rows: model(transformer.transform(rows))
    from sklearn.pipeline import (
        Pipeline,
    )  # here, because models that are stored as data are explained without scikit-learn

    return Pipeline([("transformations", transformer), ("model", model)])


def read_columns(
    table: Table, names: Sequence[str] | None, given: Sequence[str] | None, n_columns: int | None, what: str
) -> Table:
    """Return a table with its columns in the model's order.

    Parameters
    ----------
    table : Table
    names : sequence of str or None
        Column names of the model or the background.
    given : sequence of str or None
        Names that the caller passed separately from an array. A DataFrame with these columns is read by name.
    n_columns : int or None
        Number of columns, if it is known.
    what : str
        Name of the table in error messages.
    """
    return check_same_columns(arrange(table, names or given), names, n_columns, what)


def engineer(model: FittedModel, table: Table, what: str) -> Table:
    """Return the caller's rows in the engineered columns of the model's last step."""
    if model.preprocessing is None:
        return table
    known = model.preprocessing.known(table.data) if isinstance(model.preprocessing, Columnwise) else None
    made = as_table(model.transform(table.data, what)) if known is None else known
    if model.n_features not in (None, made.n_columns):
        raise InvalidInputError(
            f"The preprocessing makes {made.n_columns} columns of the table; {model.name} reads {model.n_features}."
        )
    return made
