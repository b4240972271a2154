"""`describe`: from any fitted object to a `FittedModel`, through a table of type names."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers._model import FittedModel

ENTRY_POINT_GROUP = "automl_explain.models"

_readers: dict[str, str] = {}


def register(type_name: str, reader: str) -> None:
    """Name the reader of a type.

    Parameters
    ----------
    type_name : str
        Dotted name of the class, ``module.Class``; a module may be shortened to its top-level package, since libraries
        move classes between private modules.
    reader : str
        ``"module:function"`` of a function from the fitted object to a `FittedModel`, imported when first needed.

    Examples
    --------
    >>> from automl_explain.explainers import register
    >>> register("mylibrary.MyForest", "mylibrary.explain:describe")
    """
    _readers[type_name] = reader


def describe(model: Any) -> FittedModel:
    """Describe a fitted model.

    The classes along the model's method resolution order are looked up by name, nearest first, so that no library is
    imported to test for its types.

    Parameters
    ----------
    model : object
        A fitted estimator, pipeline, search or booster, a predict function, or a `FittedModel` already.

    Returns
    -------
    FittedModel

    Raises
    ------
    UnsupportedModelError
        If nothing can be predicted with the object.
    NotFittedError
        If the model was never fitted.
    """
    if isinstance(model, FittedModel):
        return model
    for cls in type(model).__mro__:
        target = _find(cls)
        if target is not None:
            described: FittedModel = _load(target)(model)
            return described
    raise UnsupportedModelError(
        f"Cannot explain an object of type {type(model).__module__}.{type(model).__qualname__}: it has no predict or "
        "predict_proba method and is not callable. Pass a fitted model, or a function that returns predictions."
    )


def _find(cls: type) -> str | None:
    package = cls.__module__.partition(".")[0]
    readers = {**_third_party(), **_readers}
    for name in (f"{cls.__module__}.{cls.__qualname__}", f"{package}.{cls.__qualname__}"):
        if name in readers:
            return readers[name]
    return None


@cache
def _third_party() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}


def _load(target: str) -> Callable[[Any], FittedModel]:
    module, _, function = target.partition(":")
    reader: Callable[[Any], FittedModel] = getattr(importlib.import_module(module), function)
    return reader
