"""From an explainer to a `Scorer`."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import ColumnMismatchError, InvalidInputError, UnsupportedModelError
from automl_explain.explainers.methods._base import Engine
from automl_explain.explainers.methods._explainer import ShapleyExplainer
from automl_explain.explainers.methods._kernel import KernelEngine
from automl_explain.explainers.methods._linear import LinearEngine
from automl_explain.explainers.methods._tree import TreeEngine
from automl_explain.explainers.methods.neural._gradients import PathEngine, RescaleEngine
from automl_explain.explainers.model._explained_model import ExplainedModel, engineer
from automl_explain.explainers.model._fitted_model import Composite, FittedModel
from automl_explain.explainers.model._predict import predict_finite
from automl_explain.explainers.neural._network import Network
from automl_explain.explainers.scoring._scorer import Matrix, Scorer
from automl_explain.explainers.scoring._scorer_parts import Account, Game, Labels
from automl_explain.explainers.scoring.columns._native_rows import NativeRows, native_rows, tries
from automl_explain.explainers.scoring.external._from_model import external_scorer
from automl_explain.explainers.scoring.models._coded_model import CodedModel, coded_model, known_categories
from automl_explain.explainers.scoring.models._model_coding import encode_model
from automl_explain.explainers.scoring.models._stored_trees import distinguishable
from automl_explain.explainers.tables._column_functions import NotColumnwiseError
from automl_explain.explainers.tables._table import Table, as_table, conform, stack_rows
from automl_explain.explainers.tables._weights import as_weights
from automl_explain.explainers.trees._tree_ensemble import Trees

ENGINES: dict[type, str] = {KernelEngine: "kernel", RescaleEngine: "rescale", PathEngine: "path"}
"""Engine that the structure does not imply -> its name in `Game.engine_name`."""


def make_scorer(explainer: Any, kind: str, examples: Any = None) -> Scorer:
    """Return the data of an explainer.

    Parameters
    ----------
    explainer : ShapleyExplainer
    kind : str
        Name of the kind of scoring explainer.
    examples : table or None
        Rows whose categories are known too.

    A model or preprocessing that has no form as data becomes an `ExternalScorer`, which calls it.

    Raises
    ------
    UnsupportedModelError
        If the columns have no form as data.
    """
    explained: ExplainedModel = explainer._explained
    try:
        rows = _example_rows(explained, examples)
    except NotColumnwiseError as error:
        raise _no_data(explained.model, str(error)) from error
    try:
        coded = coded_model(explained.model, rows)
    except NotColumnwiseError as error:
        try:
            return external_scorer(explainer, rows, str(error), _parts(explainer, kind))
        except NotColumnwiseError as inner:
            raise _no_data(explained.model, "; and ".join(dict.fromkeys((str(error), str(inner))))) from inner
    background, weights = _background(explainer, coded, rows)
    parts = _parts(explainer, kind)
    game = replace(parts.pop("game"), background=background, weights=weights)
    fingerprint = _fingerprint(coded)
    return Scorer(
        schema=rows.schema, intake=coded.intake, model=coded.model, game=game, fingerprint=fingerprint, **parts
    )


def _parts(explainer: ShapleyExplainer, kind: str) -> dict[str, Any]:
    """Return the fields of a `Scorer` that say what the explainer is; its game has no background yet."""
    explained = explainer._explained
    players, n_players = explainer._players
    engine = _engine_name(explainer._engine, explained)
    return {
        "game": Game(None, None, players, n_players, engine, explainer._settings),
        "labels": Labels(
            features=explainer.features,
            classes=explainer.classes,
            is_raw=explained.is_raw,
            is_raw_space=explained.is_raw_space,
            feature_map=explained.model.feature_map,
            subset=explainer._subset,
        ),
        "account": Account(explainer.method, explainer.reason, explainer.notes, explainer.fidelity),
        "kind": kind,
    }


def _no_data(model: FittedModel, why: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{model.name} cannot be stored as data: {why}. MimicExplainer with LGBMExplainableModel and "
        "feature_space='raw' explains it by trees that imitate it, which can be."
    )


def _engine_name(engine: Engine, explained: ExplainedModel) -> str:
    if isinstance(explained.model.structure, Composite):
        return ""
    if isinstance(explained.model.structure, Network) and isinstance(engine, KernelEngine):
        return "coalitions" if engine.method == "coalitions" else "kernel"
    return ENGINES.get(type(engine), "")


def _example_rows(explained: ExplainedModel, examples: Any) -> NativeRows:
    model, table = explained.model, explained.background
    given = None if examples is None else as_table(examples, "examples").alone()
    if table is None and given is None:
        table = _rows_of_numbers(explained)
    elif table is None:
        table = given
    elif given is not None:
        if given.n_columns != table.n_columns:
            raise ColumnMismatchError(
                f"The 'examples' parameter must have the {table.n_columns} columns of the background. Got {given.n_columns}."
            )
        table = stack_rows([conform(given, table), table.alone()])
    assert table is not None

    def predict(some: Table) -> Any:
        return predict_finite(model, engineer(model, some, "the rows").data, "the rows")

    one_by_one = model.preprocessing is not None or not isinstance(model.structure, Network)
    known: dict[int, tuple[Any, ...]] = {}
    with suppress(NotColumnwiseError):  # such preprocessing is called; its categories are those in the rows
        known = known_categories(model, table.n_columns)
    return native_rows(table.alone(), known, tries(predict), one_by_one=one_by_one)


def _rows_of_numbers(explained: ExplainedModel) -> Table:
    """Return a row of zeros with the model's columns, for an explainer that has no background."""
    model = explained.model
    structure = model.structure
    needs = model.preprocessing is not None or (isinstance(structure, Trees) and (structure.category_size > 0).any())
    if needs or not model.n_inputs:
        raise InvalidInputError(
            f"This explainer has no background, so that the columns of {model.name} are not known. Pass examples=X_train."
        )
    names = model.input_names or explained.features
    zeros = np.zeros((1, model.n_inputs))
    if names is None:
        return Table(zeros)
    return as_table(pd.DataFrame(zeros, columns=list(names)))


def _background(
    explainer: ShapleyExplainer, coded: CodedModel, rows: NativeRows
) -> tuple[Matrix | None, Matrix | None]:
    """Return the background rows that the engine needs, as the coded model reads them, and their weights."""
    explained, engine = explainer._explained, explainer._engine
    if explained.background is None or explained.engineered is None:
        return None, None
    if isinstance(engine, KernelEngine):
        return coded.code(engine.background.alone()), engine.share
    background, weights = coded.code(explained.engineered.alone()), explained.weights
    if isinstance(engine, TreeEngine):
        trees = coded.model.structure
        assert isinstance(trees, Trees)
        return distinguishable(trees, background, as_weights(weights, len(background)))
    if isinstance(engine, LinearEngine):
        return np.average(background, axis=0, weights=weights)[None], None
    return background, weights


def _fingerprint(coded: CodedModel) -> str:
    """Return the SHA-256 of a model's data, by which two bundles of the same model can be told."""
    arrays: dict[str, Any] = {}
    facts = encode_model(coded.model, "model", arrays)
    made = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        made.update(f"{name} {array.dtype.str} {array.shape}".encode())
        made.update(array.tobytes())
    return made.hexdigest()
