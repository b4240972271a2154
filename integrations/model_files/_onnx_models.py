"""Models of ONNX files, run by onnxruntime, as estimators: explained from their predictions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError

TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
"""Type of an input -> that of the array."""
LABELS = ("tensor(int64)", "tensor(string)")
"""Types of an output of labels."""
THREADS = 1
"""Threads of a call: models of tables are small, and the rows of coalitions come in blocks."""


class OnnxModel:
    """A model of an ONNX file that returns numbers.

    Parameters
    ----------
    content : bytes
        The file.
    folder : str, optional
        Folder with arrays that the file names. Default: it has all of its arrays.

    Raises
    ------
    InvalidInputError
        If its inputs are no columns of a table.
    """

    def __init__(self, content: bytes, folder: str | None = None) -> None:
        self.content, self.folder = content, folder
        self._session = _session(content, folder)
        self._inputs = self._session.get_inputs()
        for one in self._inputs:
            if one.type not in TYPES or len(one.shape) > 2:
                raise InvalidInputError(
                    f"An ONNX model of a table has inputs of shape (n, f), or one of shape (n, 1) for each column. Input "
                    f"{one.name!r} is {one.type} of shape {one.shape}."
                )
        width = self._inputs[0].shape[-1] if len(self._inputs) == 1 and len(self._inputs[0].shape) == 2 else 1
        self.n_features_in_: int | None = len(self._inputs) if len(self._inputs) > 1 else _known(width)
        if len(self._inputs) > 1 or self.n_features_in_ == 1:
            self.feature_names_in_ = np.array([one.name for one in self._inputs], dtype=object)
        self._run(self._example())  # a model that the runtime cannot run fails here, not in the middle of a table

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.content, self.folder)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the numbers, (n,) or (n, k)."""
        values = np.asarray(self._run(X)[-1], dtype=np.float64)
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values

    def _run(self, X: Any) -> list[Any]:
        found: list[Any] = self._session.run(None, self._feed(X))
        return found

    def _feed(self, X: Any) -> dict[str, Any]:
        if len(self._inputs) == 1:
            only = self._inputs[0]
            return {only.name: np.ascontiguousarray(np.asarray(X), dtype=TYPES[only.type])}
        table = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X), columns=self.feature_names_in_)
        return {one.name: _column(table[_own_name(one.name, table)], one) for one in self._inputs}

    def _example(self) -> Any:
        """Return one row of zeros or empty texts."""
        cells: list[Any] = [
            np.zeros(1, TYPES[one.type]) if TYPES[one.type] is not np.object_ else [""] for one in self._inputs
        ]
        if len(self._inputs) == 1:
            return np.repeat(np.asarray(cells[0])[:, None], self.n_features_in_ or 1, axis=1)
        return pd.DataFrame({one.name: cell for one, cell in zip(self._inputs, cells, strict=True)})


class OnnxClassifier(OnnxModel):
    """A model of an ONNX file that returns labels, and a probability of each."""

    _estimator_type = "classifier"

    def __init__(self, content: bytes, folder: str | None = None) -> None:
        super().__init__(content, folder)
        chances = self._run(self._example())[1]
        if isinstance(chances, list):
            self.classes_: Any = np.array(list(chances[0]))
        else:
            self.classes_ = np.arange(max(2, np.asarray(chances).shape[-1]))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the labels, (n,)."""
        return np.asarray(self._run(X)[0])

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probabilities, (n, C)."""
        chances = self._run(X)[1]
        if isinstance(chances, list):  # a mapping for each row
            return np.array([[row[label] for label in self.classes_.tolist()] for row in chances], dtype=np.float64)
        found = np.asarray(chances, dtype=np.float64)
        return found if found.shape[1] > 1 else np.hstack([1 - found, found])


def onnx_model(content: bytes, folder: str | None = None) -> OnnxModel:
    """Return the model of an ONNX file: a classifier if its first output is labels and it has another."""
    outputs = _session(content, folder).get_outputs()
    kind = OnnxClassifier if len(outputs) > 1 and outputs[0].type in LABELS else OnnxModel
    return kind(content, folder)


def _session(content: bytes, folder: str | None) -> Any:
    """Return a session of the runtime, which reads no arrays outside the content and the folder."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 4  # what fails is raised
    if folder is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def _known(width: Any) -> int | None:
    return int(width) if isinstance(width, int) else None


def _column(cells: pd.Series, given: Any) -> Any:
    kind = TYPES[given.type]
    values = cells.astype(object).where(cells.notna(), "").astype(str) if kind is np.object_ else cells
    array: Any = np.asarray(values, dtype=kind)
    return array[:, None] if len(given.shape) == 2 else array


def _own_name(name: str, table: pd.DataFrame) -> Any:
    """Return the column that an input stands for: converters put underscores for what ONNX's names may not have."""
    if name in table.columns:
        return name
    plain = {re.sub(r"\W", "_", str(column)): column for column in table.columns}
    return plain.get(name, name)
