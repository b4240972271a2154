"""True labels of the rows explained, which are kept with an explanation on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import HistoryError
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell
from automl_explain.integrations.history._entry_files import Writable, keep_small
from automl_explain.integrations.history.index_tables._schema import LABELS
from automl_explain.integrations.sealed._places import place_of, read_small

Labels = npt.NDArray[Any]


def labels_file(directory: Path, explanation_id: str) -> Path:
    """Return the file of the labels of an explanation."""
    return place_of(directory, LABELS, explanation_id, ".json")


def keep_labels(history: Writable, explanation_id: str, labels: Labels) -> None:
    """Keep the true labels of the rows of an explanation in a history, unless it was removed meanwhile."""
    coded = json.dumps([encode_cell(label) for label in labels.tolist()])
    keep_small(history, LABELS, explanation_id, coded.encode())


def labels_of(store: Any, explanation_id: str) -> Labels | None:
    """Return the true labels of the rows of an explanation; None if they were not kept.

    Raises
    ------
    HistoryError
        If they were kept and cannot be read.
    """
    directory = getattr(store, "directory", None)
    if directory is None:
        return None
    place = labels_file(directory, explanation_id)
    try:
        return np.array([decode_cell(label) for label in json.loads(read_small(place))])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise HistoryError(
            f"The true labels in {place} cannot be read: {error}. Remove the file to do without."
        ) from error
