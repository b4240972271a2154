"""Reader of H2O's models, also of MOJO files that its Python package has imported, and of H2OAutoML by its leader.

A model of H2O lives in H2O's server, which is asked for predictions: there is no structure in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from automl_explain.explainers._errors import NotFittedError, UnsupportedTaskError
from automl_explain.explainers._quiet import ignored
from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.model._structures import Opaque
from automl_explain.integrations.readers.automl._members import Reading

KINDS = {"Regression": False, "Binomial": True, "Multinomial": True}
"""Category of a model -> whether it classifies."""
TYPES = {"enum": "enum", "string": "enum", "int": "numeric", "real": "numeric", "numeric": "numeric"}
"""Type of a column in training -> that in which the rows are sent."""


def describe_automl(automl: Any, examples: Any = None) -> FittedModel:
    """Describe the leader of a run of H2OAutoML."""
    if getattr(automl, "leader", None) is None:
        raise NotFittedError("The H2OAutoML object has no leader: call its train method.")
    return describe(automl.leader, examples)


def describe(model: Any, examples: Any = None) -> FittedModel:
    """Describe a model by its predictions, over the columns with which it was trained."""
    output = model._model_json["output"] if model._model_json else None
    if output is None:
        raise NotFittedError(f"{type(model).__name__} is not trained: call its train method.")
    category = output["model_category"]
    if category not in KINDS:
        raise UnsupportedTaskError(f"Cannot explain an H2O model of the category {category}: only {list(KINDS)}.")
    domains = dict(zip(output["names"], output["domains"], strict=True))
    kinds = output.get("column_types") or [None] * len(domains)  # those of an imported MOJO file are not told
    types = dict(zip(output["names"], kinds, strict=True))
    response = model._model_json.get("response_column_name") or output["names"][-1]
    names = [name for name in output["names"] if name not in {response, *_not_features(model)}]
    labels = domains[response] if KINDS[category] else None
    reading = Reading.of(names, labels, examples)

    def told(frame: pd.DataFrame) -> Any:
        h2o = import_module("h2o")
        with ignored(), _without_progress(h2o):
            sent = h2o.H2OFrame(frame, column_types=known)
            found = model.predict(sent).as_data_frame(use_multi_thread=False)
            h2o.remove(sent)
        return found["predict"].to_numpy() if labels is None else np.asarray(found.iloc[:, 1:])

    known = {name: _sent_as(types[name], domains[name]) for name in names}
    name = str(getattr(model, "model_id", None) or type(model).__name__)
    return reading.described(told, Opaque("H2O computes it in its own server"), name)


@contextmanager
def _without_progress(h2o: Any) -> Iterator[None]:
    """Keep H2O from printing a bar for each table that it is asked about."""
    shown = import_module("h2o.job").H2OJob.__PROGRESS_BAR__
    h2o.no_progress()
    try:
        yield
    finally:
        if shown:
            h2o.show_progress()


def _sent_as(kind: str | None, domain: Any) -> str:
    """Return the type in which the cells of a column are sent."""
    if kind is None:
        return "numeric" if domain is None else "enum"
    return TYPES.get(kind.lower(), kind.lower())


def _not_features(model: Any) -> list[str]:
    """Return the columns that a model was trained with and does not predict from."""
    given = getattr(model, "actual_params", None) or {}
    found = [given.get(name) for name in ("weights_column", "fold_column")]
    return [str(one.get("column_name", "") if isinstance(one, dict) else one) for one in found if one]
