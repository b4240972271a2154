"""A stand-in for a fitted model, which answers scorers for permuted rows with responses computed many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier, is_regressor
from sklearn.utils.metaestimators import available_if

from automl_explain.explainers.model._fitted_model import FittedModel
from automl_explain.explainers.permutation._permuted_copies import Copies, Copy
from automl_explain.explainers.permutation._permuted_trees import PermutedTrees, Response, Way
from automl_explain.explainers.tables._table import Table

RESPONSES = ("predict", "predict_proba", "predict_log_proba", "decision_function")
"""Methods by which scorers ask a model."""


class StandIn:
    """Acts as the model, but knows the responses to the copies of a batch, and computes each method's at once.

    A response is kept for the very table object that the scorer was given; anything else is passed on to the model.
    Models without trees are asked for each copy by itself: where rows are multiplied as a matrix, a row's last bits depend
    on the rows beside it.

    Parameters
    ----------
    model : estimator
    table : Table
        The rows as they are.
    copies : Copies
    trees : PermutedTrees or None
        The model's trees, where they are known.
    """

    def __init__(self, model: Any, table: Table, copies: Copies, trees: PermutedTrees | None) -> None:
        self._model, self._table, self._copies, self._trees = model, table, copies, trees
        self._methods: dict[str, Callable[[], list[Response]]] = {}
        self._known: dict[str, list[Response]] = {}
        self._baseline: dict[str, Response] = {}
        self._batch: Sequence[Copy] = ()
        self._stack: Any = None
        self._part: Any = table.data
        self._position = -1

    def use(self, batch: Sequence[Copy]) -> None:
        """Go on to another batch of copies."""
        self._batch, self._known = batch, {}
        self._stack = self._copies.write(batch)

    def show(self, position: int) -> Any:
        """Return one copy of the batch, the table to be scored next."""
        self._position, self._part = position, self._copies.part(position)
        return self._part

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if name not in RESPONSES:
            return value

        def respond(X: Any, *args: Any, **kwargs: Any) -> Any:
            if X is not self._part or args or kwargs:
                return value(X, *args, **kwargs)
            return self._respond(name)

        respond.__name__ = name
        return respond

    def _respond(self, method: str) -> Response:
        if self._position < 0:  # the rows as they are
            return self._as_they_are(method)
        if method not in self._methods:
            self._methods[method] = self._choose(method)
        if method not in self._known:
            self._known[method] = self._methods[method]()
        return self._known[method][self._position]

    def _as_they_are(self, method: str) -> Response:
        if method not in self._baseline:
            self._baseline[method] = np.asarray(getattr(self._model, method)(self._table.data))
        return self._baseline[method]

    def _choose(self, method: str) -> Callable[[], list[Response]]:
        """Return how the responses to a batch are computed, the fastest way that gives the model's own bits."""
        baseline = self._as_they_are(method)
        way = None if self._trees is None else self._trees.find_way(method, baseline)
        if way is not None:
            return lambda: self._walked(way, baseline)
        predict = getattr(self._model, method)
        if self._trees is not None:
            return lambda: self._predict_changed(predict, baseline)
        return lambda: [np.asarray(predict(self._copies.part(i))) for i in range(len(self._batch))]

    def _walked(self, way: Way, baseline: Response) -> list[Response]:
        assert self._trees is not None
        responses = self._trees.respond(way, self._batch)
        by_columns = baseline.ndim == 2 and baseline.flags.f_contiguous and not baseline.flags.c_contiguous
        return [np.require(response, None, "F" if by_columns else "C") for response in responses]

    def _predict_changed(self, predict: Callable[[Any], Any], baseline: Response) -> list[Response]:
        assert self._trees is not None
        changed = self._trees.changed(self._batch)
        responses = [baseline.copy(order="K") for _ in self._batch]
        if changed.any():
            rows = np.flatnonzero(changed.ravel())
            again = np.asarray(predict(Table(self._stack).take(rows).data))
            for response, mask, part in zip(
                responses, changed, np.split(again, np.cumsum(changed.sum(axis=1))[:-1]), strict=True
            ):
                response[mask] = part
        return responses


def as_estimator(model: Any, described: FittedModel) -> Any:
    """Return the model itself where scorers can ask it, else its description as an estimator."""
    if hasattr(model, "__sklearn_tags__") and (is_classifier(model) or is_regressor(model)):
        return model
    return _DescribedRegressor(described) if described.classes is None else _DescribedClassifier(described)


class _DescribedRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A described regression as an estimator, already fitted."""

    def __init__(self, described: FittedModel) -> None:
        self.described = described

    def predict(self, X: Any) -> Response:
        outputs = self.described.outputs
        values: Response = (outputs.get("response") or self.described.predict)(X)[:, 0]
        return values


def _has(space: str) -> Callable[[Any], bool]:
    return lambda estimator: space in estimator.described.outputs


class _DescribedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A described classifier as an estimator, already fitted."""

    def __init__(self, described: FittedModel) -> None:
        self.described = described

    @property
    def classes_(self) -> Response:
        return np.asarray(self.described.classes)

    def predict(self, X: Any) -> Response:
        outputs = self.described.outputs.get("probability") or self.described.predict
        labels: Response = self.classes_[np.argmax(outputs(X), axis=1)]
        return labels

    @available_if(_has("probability"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Response:
        return self.described.outputs["probability"](X)
