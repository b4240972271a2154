"""`describe`: from any fitted object to a `FittedModel`, through a table of class names."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from automl_explain.explainers._errors import AutoMLExplainError, InvalidInputError
from automl_explain.explainers._fallback import fall_back

if TYPE_CHECKING:
    from automl_explain.explainers.model._fitted_model import FittedModel

OUTPUTS = ("predict", "predict_proba", "decision_function")
"""Methods that return predictions."""
ENTRY_POINT_GROUP = "automl_explain.models"
ANYTHING = "builtins.object"
"""Name under which the reader of any object that predicts is registered."""

_readers: dict[str, str] = {}


def register(type_name: str, reader: str) -> None:
    """Register the reader of a class.

    Parameters
    ----------
    type_name : str
        Dotted name of the class: ``module.Class``, or ``package.Class`` with the top-level package only, since libraries
        move classes between private modules.
    reader : str
        ``"module:function"``, a function from the fitted object to a `FittedModel`; imported when first needed. If it has
        a parameter ``examples``, it also gets the rows given to `describe`, or None.

    Raises
    ------
    InvalidInputError
        If one of them is no text.

    Examples
    --------
    >>> from automl_explain import register
    >>> register("mylibrary.MyForest", "mylibrary.explain:describe")
    """
    for name, given in (("type_name", type_name), ("reader", reader)):
        if not isinstance(given, str):
            raise InvalidInputError(f"The {name!r} parameter must be text. Got {type(given).__name__}.")
    _readers[type_name] = reader


def register_all(readers: Mapping[str, str]) -> None:
    """Register the readers of several classes."""
    _readers.update(readers)


@dataclass(frozen=True)
class NetworkOptions:
    """How neural networks are called.

    Parameters
    ----------
    device : str
        Device; "auto" is that of the network's weights.
    batch_size : int or None
        Rows per call. None: chosen by the reader.
    keeps_bytes : bool
        Whether whole numbers, such as images in bytes, are refused if the network itself refuses them, rather than converted.
    """

    device: str = "auto"
    batch_size: int | None = None
    keeps_bytes: bool = False

    def __post_init__(self) -> None:
        size = self.batch_size
        if size is not None and (isinstance(size, bool) or not hasattr(size, "__index__") or size < 1):
            raise InvalidInputError(f"The 'batch_size' parameter must be a number of rows, 1 or more. Got {size!r}.")


def describe(model: Any, examples: Any = None, network: NetworkOptions | None = None) -> FittedModel:
    """Describe a fitted model.

    The classes in the model's method resolution order are looked up by name, nearest first, so that no library is imported
    to test for its classes.

    Parameters
    ----------
    model : object
        A fitted estimator, pipeline, search or booster, a predict function, or a `FittedModel`.
    examples : table, optional
        Rows in the form that the model takes. A predict function, or a model that does not tell its outputs, is called on
        some of them to find its outputs.
    network : NetworkOptions, optional
        How a neural network is called.

    Returns
    -------
    FittedModel
        Its outputs, structure, classes and columns.

    Raises
    ------
    UnsupportedModelError
        If the object cannot predict.
    NotFittedError
        If the model is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import describe
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> type(describe(Ridge().fit(X, y)).structure).__name__
    'Linear'
    """
    from automl_explain.explainers._errors import UnsupportedModelError
    from automl_explain.explainers.model._fitted_model import FittedModel

    if isinstance(model, FittedModel):
        return model
    if isinstance(model, type):
        raise UnsupportedModelError(f"Cannot explain the class {model.__name__}: pass a fitted instance of it.")
    reader = _reader_of(model)
    if reader is None:
        raise UnsupportedModelError(
            f"Cannot explain an object of type {type(model).__module__}.{type(model).__qualname__}: it has no predict or "
            "predict_proba method and is not callable. Pass a fitted model, or a function that returns predictions."
        )
    found = _read(model, reader, {"examples": examples, "network": network})
    named = model if hasattr(model, "__qualname__") else type(model)
    return replace(found, class_path=f"{getattr(named, '__module__', '')}.{named.__qualname__}", original=model)


def is_plain_function(model: Any) -> bool:
    """Whether an object is a function of a table, and not of a class that has a reader, such as a network."""
    from automl_explain.explainers.model._predict_function import is_predict_function

    return is_predict_function(model) and _reader_of(model, of_functions=False) is None


def describe_tensor_function(
    function: Any, tensors: Any, examples: Any, network: NetworkOptions | None
) -> FittedModel | None:
    """Describe a function of tensors by the reader of their framework; None if it is not a function of tensors.

    Parameters
    ----------
    function : object
    tensors : tensor, or sequence or mapping of tensors
        The background as the caller gave it, which tells the framework.
    examples : Examples
        The background.
    network : NetworkOptions or None
    """
    if not is_plain_function(function):
        return None
    first = tensors if hasattr(tensors, "shape") else next(iter(getattr(tensors, "values", tensors.__iter__)()))
    for name in type_names(first):
        if f"function of {name}" in _readers:
            described: FittedModel = load(_readers[f"function of {name}"])(function, examples, network)
            return described
    return None


def text_reader(model: Any) -> Callable[[Any], Any] | None:
    """Return the reader of the texts of a model, such as a pipeline that starts with a vectorizer; None if it has none.

    Readers of texts are registered as ``"texts of module.Class"``.
    """
    return _registered("texts of", model)


def words_reader(preprocessing: Any) -> Callable[..., Any] | None:
    """Return the reader of the words in a column that a preprocessing counts; None if it has none.

    Such readers are registered as ``"words in module.Class"``, by the class of the preprocessing.
    """
    return _registered("words in", preprocessing)


def _registered(what: str, thing: Any) -> Callable[..., Any] | None:
    found = (_readers.get(f"{what} {name}") for name in type_names(thing))
    reader = next((target for target in found if target is not None), None)
    return None if reader is None else load(reader)


def takes_examples(model: Any) -> bool:
    """Whether the reader of a model may call it on example rows."""
    reader = _reader_of(model)
    return reader is not None and _takes_examples(reader)


def _read(model: Any, reader: Callable[..., FittedModel], given: Mapping[str, Any]) -> FittedModel:
    """Return what the reader of a class makes of a model, or a description of its predictions if that reader fails."""
    from automl_explain.explainers.model._predict_function import describe_function
    from automl_explain.explainers.model._structures import Opaque

    def read_by(reader: Callable[..., FittedModel]) -> FittedModel:
        taken = inspect.signature(reader).parameters
        return reader(model, **{name: value for name, value in given.items() if name in taken})

    anything: Callable[..., FittedModel] = load(_readers[ANYTHING]) if ANYTHING in _readers else describe_function
    if reader in (anything, describe_function):
        return read_by(reader)
    return fall_back(
        f"Reading the structure of {type(model).__name__}",
        lambda: read_by(reader),
        lambda why: replace(read_by(anything), structure=Opaque(why, failed=True)),
        raised=(AutoMLExplainError,),
    )


def type_names(thing: Any) -> Iterator[str]:
    """Yield the names under which an object's class may be registered, then those of its base classes in order."""
    for cls in type(thing).__mro__:
        yield from _names_of(cls)


def package_of(thing: Any, methods: tuple[str, ...]) -> str | None:
    """Return the top-level package of the nearest class that defines one of the methods of an object, or None."""
    for cls in type(thing).__mro__:
        if any(method in vars(cls) for method in methods):
            return cls.__module__.partition(".")[0]
    return None


def overrides_outputs(model: Any) -> bool:
    """Whether a class predicts by another package's class that it inherits, such as one that prepares the columns first.

    What the inherited class stored about its columns, such as their number, then need not hold for the columns of the model.
    """
    packages = {
        cls.__module__.partition(".")[0] for cls in type(model).__mro__ if any(name in vars(cls) for name in OUTPUTS)
    }
    return len(packages) > 1


def _reader_of(model: Any, *, of_functions: bool = True) -> Callable[..., FittedModel] | None:
    """Return the reader of the nearest class that has one; that of functions for a callable of no class with a reader."""
    from automl_explain.explainers.model._predict_function import describe_function, is_predict_function

    is_function = is_predict_function(model)
    for cls in type(model).__mro__:
        if is_function and cls is object:
            return describe_function if of_functions else None
        for name in _names_of(cls):
            for readers in (_readers, _third_party()):
                if name in readers and not _has_other_outputs(model, cls):
                    reader: Callable[..., FittedModel] = load(readers[name])
                    return reader
    return None


def _takes_examples(reader: Callable[..., FittedModel]) -> bool:
    return "examples" in inspect.signature(reader).parameters


def _names_of(cls: type) -> Iterator[str]:
    yield f"{cls.__module__}.{cls.__qualname__}"
    yield f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"


def _has_other_outputs(model: Any, base: type) -> bool:
    """Whether a class of another package overrides the predictions of a listed base class, whose reader then does not apply."""
    known = base.__module__.partition(".")[0], __name__.partition(".")[0], None
    return base is not object and package_of(model, OUTPUTS) not in known


def load(target: str) -> Any:
    """Import the object that ``"module:name"`` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


@cache
def _third_party() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
