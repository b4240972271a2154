"""JSON in a history, in cells of its index and in small files beside it: what is damaged hides nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from automl_explain.explainers._fallback import logger
from automl_explain.integrations.sealed._places import read_small


def noted(place: Path, what: str) -> dict[str, Any]:
    """Return what a file says of a run; empty if there is no file. One that cannot be read is logged, as others can be.

    Parameters
    ----------
    place : Path
    what : str
        What the file holds, for the log.
    """
    try:
        found = json.loads(read_small(place))
        if isinstance(found, dict):
            return found
        why = f"a {type(found).__name__} in place of names and values"
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
    logger.warning("%s of run %s cannot be read from %s: %s", what, place.stem, place, why)
    return {}


def cells(
    texts: Sequence[str], whose: Sequence[str], what: str, default: Any, fits: Callable[[Any], bool]
) -> list[Any]:
    """Return what the JSON of cells says; all are parsed in one step, which is faster than cell by cell.

    Parameters
    ----------
    texts : sequence of str
    whose : sequence of str
        Ids of the runs, for the log.
    what : str
        What the cells hold, for the log.
    default : object
        Stands for a cell that cannot be read, which is logged.
    fits : callable
        Whether a value is what such cells hold.
    """
    try:
        found = json.loads(f"[{','.join(texts)}]")
        if len(found) == len(texts) and all(map(fits, found)):
            return list(found)
    except (ValueError, TypeError, RecursionError):
        pass  # it is found out which
    return [_cell(text, run, what, default, fits) for text, run in zip(texts, whose, strict=True)]


def _cell(text: str, run: str, what: str, default: Any, fits: Callable[[Any], bool]) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        found = None
    if fits(found):
        return found
    logger.warning("%s of %s cannot be read from the index: %.80r", what, run, text)
    return default
