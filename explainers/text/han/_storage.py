"""How a `HANTextExplainer` is laid out in a bundle, and the model that a loaded one imitates.

Protocol 1
----------
Arrays: ``vectors`` (V, dimension), a row per word after those of an absent and of an unknown word; ``network.*``, the weights
by their names in PyTorch; ``centre`` and ``spread`` (K,), unless the outputs are probabilities.

The manifest's `about` has the settings, the words, the fidelity and the faithfulness; `classes` has the class labels, coded as
cells (`explainers/tables/_cell_coding.py`).
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.bundles._array_file import parts_that_fit, read_bundle, write_bundle
from automl_explain.explainers.explanation._storage import coded_label
from automl_explain.explainers.formatting._names import counted
from automl_explain.explainers.tables._cell_coding import decode_cell
from automl_explain.explainers.text.games._text_model import TextModel, read_text_model

KIND = "han text explainer"
PROTOCOL = 1


class StoredHAN(NamedTuple):
    """What is stored of an explainer."""

    about: dict[str, Any]
    classes: tuple[Any, ...] | None
    arrays: dict[str, npt.NDArray[Any]]


def save_han(path: str | os.PathLike[str], stored: StoredHAN) -> None:
    """Write an explainer to one file."""
    classes = None if stored.classes is None else [coded_label(label) for label in stored.classes]
    arrays = {name: np.ascontiguousarray(array) for name, array in stored.arrays.items()}
    write_bundle(path, KIND, PROTOCOL, {"about": stored.about, "classes": classes}, arrays)


def load_han(path: str | os.PathLike[str]) -> StoredHAN:
    """Read what `save_han` wrote."""
    manifest, arrays = read_bundle(path, KIND, PROTOCOL)
    with parts_that_fit(path):
        classes = manifest["classes"]
        return StoredHAN(manifest["about"], None if classes is None else tuple(map(decode_cell, classes)), arrays)


def read_teacher(model: Any, name: str, space: str, classes: tuple[Any, ...] | None) -> TextModel:
    """Describe the model of a loaded network.

    Raises
    ------
    InvalidInputError
        If its outputs are not those that the network imitates.
    """
    teacher = read_text_model(model, "auto", auto="probability")
    own, n_outputs = teacher.model, 1 if classes is None else len(classes)
    if (own.output_space, own.n_outputs) != (space, n_outputs):
        raise InvalidInputError(
            f"The model must have the outputs of {name}, which the network imitates: {counted(n_outputs, 'output')} in {space}. "
            f"Got {counted(own.n_outputs, 'output')} in {own.output_space}."
        )
    return teacher
