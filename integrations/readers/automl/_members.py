"""Members of an AutoML library's ensembles: a fitted model, the library's preparation of the columns before it, and a check.

A member is explained by its structure if three things hold: its model can be read; each column that the preparation makes
depends on one of the user's columns; and the model agrees with what the library itself predicts. Otherwise it is explained
from the library's predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from automl_explain.explainers._errors import AutoMLExplainError
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.model._feature_space import over_raw
from automl_explain.explainers.model._fitted_model import FittedModel, Structure
from automl_explain.explainers.model._registry import describe as describe_any
from automl_explain.explainers.model._structures import Matrix, Opaque, OutputSpace, Predict, Task
from automl_explain.integrations.readers._checks import task_of
from automl_explain.integrations.readers._predictions import log_odds_of
from automl_explain.integrations.readers.sklearn._ensembles import weighted

EXAMPLE_ROWS = 1000
"""Rows from which it is found which column a prepared column is made of, and by which models are checked."""
ROWS_AT_ONCE = 50_000
"""Rows prepared at a time."""
RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""Largest differences between a model and what the library predicts with it, which computes in float32."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What all members of a result share.

    Parameters
    ----------
    names : tuple of str
        The user's columns.
    classes : tuple or None
        Labels in the order of the outputs; None for a regression.
    examples : DataFrame or None
        Rows of the user, up to `EXAMPLE_ROWS`.
    """

    names: tuple[str, ...]
    classes: tuple[Any, ...] | None
    examples: pd.DataFrame | None

    @classmethod
    def of(cls, names: Sequence[Any], classes: Sequence[Any] | None, examples: Any) -> Reading:
        """Return the reading of a result that was fitted on columns of these names."""
        texts = tuple(map(str, names))
        labels = None if classes is None else tuple(np.asarray(classes).tolist())
        frame = None if examples is None else as_frame(getattr(examples, "data", examples), texts)
        if frame is not None and len(frame) > EXAMPLE_ROWS:
            frame = frame.iloc[np.linspace(0, len(frame) - 1, EXAMPLE_ROWS).astype(int)]
        return cls(texts, labels, frame)

    @property
    def space(self) -> OutputSpace:
        """The space in which members are averaged."""
        return "response" if self.classes is None else "probability"

    def described(self, told: Callable[[Any], Any], structure: Structure, name: str) -> FittedModel:
        """Describe a model over the user's columns that predicts by a function of a frame."""
        predict = partial(_columns, told, self.names)
        outputs: dict[OutputSpace, Predict] = {self.space: predict}
        task: Task = "regression"
        if self.classes is not None:
            outputs["log_odds"] = partial(log_odds_of, predict)
            task = task_of(self.classes)
        return FittedModel(
            outputs, self.space, task, structure,
            classes=self.classes, feature_names=self.names, n_features=len(self.names), name=name,
        )  # fmt: skip

    def member(
        self, model: Any, prepare: Callable[[pd.DataFrame], Any], told: Callable[[Any], Any], name: str
    ) -> FittedModel:
        """Describe a member over the user's columns.

        Parameters
        ----------
        model : object
            The fitted model of the member; None if there is none that could be read.
        prepare : callable
            From a frame of the user's columns to the table that the model takes.
        told : callable
            From a frame of the user's columns to what the library predicts with this member.
        name : str
        """
        black_box = partial(self.described, told, name=name)
        if self.examples is None:
            return black_box(Opaque(f"{name} can be read only with rows of its table"))
        try:
            inner = describe_any(model)
        except AutoMLExplainError as error:
            return black_box(Opaque(str(error)))
        if isinstance(inner.structure, Opaque):
            return black_box(Opaque(inner.structure.why))
        parents = parents_of(prepare, self.examples)
        if isinstance(parents, str):
            return black_box(Opaque(f"the preparation of {name} mixes columns: {parents}"))
        found = inner.outputs.get(self.space)
        if found is None or inner.n_outputs != (1 if self.classes is None else len(self.classes)):
            return black_box(Opaque(f"{name} has other outputs than its ensemble"))
        theirs = _columns(told, self.names, self.examples)
        if not np.allclose(found(prepare(self.examples)), theirs, rtol=RELATIVE, atol=ABSOLUTE):
            return black_box(Opaque(f"the library changes the outputs of the model in {name}"))
        return over_raw(
            replace(
                inner,
                classes=self.classes,
                preprocessing=partial(_prepared, prepare, self.names),
                raw_names=self.names,
                n_raw=len(self.names),
                feature_map=FeatureMap(self.names, parents),
                name=name,
            )
        )

    def mean(
        self, members: Sequence[FittedModel], weights: Sequence[float], told: Callable[[Any], Any], name: str
    ) -> FittedModel:
        """Describe the weighted mean of members."""
        if len(members) == 1:
            return replace(members[0], name=name)
        shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
        structure = weighted(
            members, shares, self.space, "a weighted mean of its members", [member.name for member in members]
        )
        return self.described(told, structure, name)

    def final(self, model: FittedModel, told: Callable[[Any], Any], name: str) -> FittedModel:
        """Return the description of the model that a library's `predict` uses, which is asked for its predictions."""
        asked = self.described(told, model.structure, name).outputs[self.space]
        return replace(model, outputs={**model.outputs, self.space: asked}, name=name, kind="ensemble")


def as_frame(table: Any, names: tuple[str, ...]) -> pd.DataFrame:
    """Return a table as a frame with columns of these names, in this order."""
    if not isinstance(table, pd.DataFrame):
        cells = table.toarray() if sparse.issparse(table) else np.asarray(table)
        return pd.DataFrame(cells, columns=list(names)).infer_objects()
    texts = table.set_axis([str(name) for name in table.columns], axis=1)
    return texts[list(names)] if set(names) <= set(texts.columns) else table.set_axis(list(names), axis=1)


def parents_of(prepare: Callable[[pd.DataFrame], Any], examples: pd.DataFrame) -> npt.NDArray[np.intp] | str:
    """Return the column that each prepared column is made of, or a reason why there is none.

    The cells of one column at a time are moved by one row, and put in another order: every column that is made of it, and
    is not constant in these rows, changes. A column that is constant in these rows is known by its name.
    """
    n_rows, moved = len(examples), [np.roll(np.arange(len(examples)), 1)]
    moved.append(np.random.default_rng(0).permutation(n_rows))
    before = _cells(prepare(examples))
    names = list(examples.columns)
    depends = np.zeros((before.shape[1], len(names)), dtype=bool)
    jobs = [(j, order) for j in range(len(names)) for order in moved]
    for start in range(0, len(jobs), max(1, ROWS_AT_ONCE // n_rows)):
        some = jobs[start : start + max(1, ROWS_AT_ONCE // n_rows)]
        tables = [examples.assign(**{names[j]: examples.iloc[order, j].array}) for j, order in some]
        after = _cells(prepare(pd.concat(tables, ignore_index=True)))
        if after.shape != (n_rows * len(some), before.shape[1]):
            return "it makes other columns of other rows"
        for number, (j, _) in enumerate(some):
            block = after.iloc[number * n_rows : (number + 1) * n_rows].to_numpy(dtype=object)
            depends[:, j] |= _differ(before.to_numpy(dtype=object), block)
    parents = np.zeros(before.shape[1], np.intp)
    for made, found in enumerate(depends):
        label = str(before.columns[made])
        parent = int(found.argmax()) if found.sum() == 1 else _by_name(label, names) if not found.any() else None
        if parent is None:
            several = [names[j] for j in np.flatnonzero(found)][:3]
            return f"{label} is made of {several}" if several else f"no column is known of which {label} is made"
        parents[made] = parent
    return parents


def _differ(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which columns differ in any row; missing cells are alike."""
    missing = pd.isna(one) & pd.isna(other)
    found: npt.NDArray[np.bool_] = (~((one == other) | missing)).any(axis=0)
    return found


def _by_name(made: str, names: list[str]) -> int | None:
    """Return the column of the same name, or the one with the longest name that the name begins with."""
    begun = [name for name in names if made == name or made.startswith((f"{name}_", f"{name}."))]
    return names.index(max(begun, key=len)) if begun else None


def _cells(table: Any) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    return pd.DataFrame(table.toarray() if sparse.issparse(table) else np.asarray(table))


def _prepared(prepare: Callable[[pd.DataFrame], Any], names: tuple[str, ...], table: Any) -> Any:
    return prepare(as_frame(table, names))


def _columns(told: Callable[[Any], Any], names: tuple[str, ...], table: Any) -> Matrix:
    """Return what a library predicts, one column per class; of a single column, the first class is the complement."""
    found = np.asarray(told(as_frame(table, names)), dtype=np.float64)
    return found[:, None] if found.ndim == 1 else found


def two_columns(second: Any) -> Matrix:
    """Return the probabilities of both classes from that of the second."""
    values = np.asarray(second, dtype=np.float64)
    return np.column_stack([1 - values, values]) if values.ndim == 1 else values
