"""Tables in partitions, such as those of clusters: which function explains them, by the name of their class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from automl_explain.explainers.model._registry import load

if TYPE_CHECKING:
    from automl_explain.explainers.explanation._explanation import Explanation

_engines: dict[str, str] = {}


def register_partitioned(engines: Mapping[str, str]) -> None:
    """Name the functions that explain tables in partitions as a whole.

    Parameters
    ----------
    engines : mapping
        ``"package.Class"`` of the table, with the top-level package only, to ``"module:function"`` of a function of an
        explainer and the table, which returns an `Explanation` without rows; imported when first needed.
    """
    _engines.update(engines)


def partitioned_engine(X: Any) -> Callable[[Any, Any], Explanation] | None:
    """Return the function that explains a table in partitions as a whole; None for any other table."""
    for cls in type(X).__mro__:
        name = f"{cls.__module__.partition('.')[0]}.{cls.__name__}"
        if name in _engines:
            found: Callable[[Any, Any], Explanation] = load(_engines[name])
            return found
    return None
