"""Contributions of the members of an ensemble, and the rankings that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from automl_explain.explainers._arguments import checked, nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._selection import (
    Positions,
    Values,
    find_features,
    find_rows,
    sum_left_out,
    take,
    take_columns,
    take_map,
    take_names,
)
from automl_explain.explainers.explanation._values import ranking
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.tables._table import Table


@dataclass(frozen=True, eq=False, repr=False)
class MemberValues:
    """Contributions of M ensemble members to n rows; `MemberExplanation` documents the fields."""

    members: tuple[str, ...]
    local_member_values: Values
    local_importance_values: Values | None
    expected_values: Values
    member_expected_values: Values | None
    features: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    output_space: str
    reason: str
    predictions: Values | None = None
    data: Table | None = None
    is_raw: bool = False
    feature_map: FeatureMap | None = None
    standard_errors: Values | None = None
    notes: tuple[str, ...] = ()
    left_out: Values | None = None
    method = "members"

    # ----------------------------------------------------------------- global

    @property
    def num_examples(self) -> int:
        """Number of rows explained."""
        return int(self.local_member_values.shape[-1])

    @property
    def unit(self) -> str:
        """Unit of the values: `output_space`."""
        return self.output_space

    @property
    def feature_labels(self) -> tuple[str, ...]:
        """Names to show: the features, or x0, x1, ... when there are no names."""
        return self.features or tuple(f"x{j}" for j in range(self._split().shape[-1]))

    @cached_property
    def member_importance_values(self) -> Values:
        """Mean absolute contribution of each member over the rows, (M,); the mean over classes for a classification."""
        return np.asarray(np.abs(self.local_member_values).reshape(len(self.members), -1).mean(axis=1))

    @cached_property
    def global_importance_values(self) -> Values:
        """Each member's part of each feature's importance, (M, f); the sum over members is the importance.

        A feature's importance is the mean of ``|value| = sign(value) * value``, and the value is the sum of the members'
        shares. A member whose shares mostly have the opposite sign has a negative part.

        Raises
        ------
        InvalidInputError
            If features are not split among the members.
        """
        parts = self._importance_parts()
        return parts if self.classes is None else np.asarray(parts.mean(axis=1))

    @cached_property
    def per_class_values(self) -> Values:
        """The same for each class, (M, C, f).

        Raises
        ------
        InvalidInputError
            If features are not split among the members, or this is a regression.
        """
        if self.classes is None:
            raise InvalidInputError("A regression has no classes; use global_importance_values.")
        return self._importance_parts()

    def get_member_importance_dict(self) -> dict[str, float]:
        """Return the mean absolute contribution by member, most important first.

        Returns
        -------
        dict of str to float
            In units of `output_space`.
        """
        order = ranking(self.member_importance_values)
        return {self.members[m]: float(self.member_importance_values[m]) for m in order}

    def to_frame(self) -> pd.DataFrame:
        """Return the parts of each feature's importance: a row per feature, most important first, a column per member.

        If features are not split among the members, the frame has one column: the importance of each member.

        Returns
        -------
        DataFrame
            In units of `output_space`.
        """
        if self.local_importance_values is None:
            found = pd.Series(self.get_member_importance_dict(), name="importance")
            return found.rename_axis("member").to_frame()
        parts = self.global_importance_values
        frame = pd.DataFrame(parts.T, index=pd.Index(self.feature_labels, name="feature"), columns=list(self.members))
        return frame.iloc[ranking(parts.sum(axis=0))]

    # ------------------------------------------------------------------ local

    @property
    def additivity_error(self) -> float | None:
        """Largest gap between base value plus contributions and the model's output; None if the outputs are not known."""
        return None if self.additivity_gaps is None else float(np.max(self.additivity_gaps, initial=0.0))

    @cached_property
    def additivity_gaps(self) -> Values | None:
        """Gap between base value plus contributions and each output of each row, (n, C), or (n, 1) for a regression."""
        if self.predictions is None:
            return None
        total = np.atleast_2d(self.local_member_values.sum(axis=0)).T + self.expected_values
        return np.asarray(np.abs(total - self.predictions))

    # ------------------------------------------------------------------ parts

    @checked
    def select(self, features: Sequence[Any] | None = None, rows: Any = None) -> Self:
        """Return the members' contributions to some rows, the shares of some features, or both.

        The contributions of whole members, `local_member_values`, do not depend on the features selected. The shares of
        the other features are summed in `left_out`.

        Parameters
        ----------
        features : sequence of str or int, optional
            Features to keep, by name or position from 0, in the order wanted; each once. Default: all.
        rows : int, slice, list of int, or mask of shape (n,), optional
            Rows to keep, each once; negative numbers count from the end. Default: all.

        Returns
        -------
        MemberExplanation
            Of the selected part.
            Of the selected part.

        Raises
        ------
        InvalidInputError
            If a feature or row is unknown or named twice.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.ensemble import VotingRegressor
        >>> from sklearn.linear_model import Lasso, Ridge
        >>> from automl_explain import TabularExplainer
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> vote = VotingRegressor([("ridge", Ridge()), ("lasso", Lasso())]).fit(X, y)
        >>> part = TabularExplainer(vote, X).explain_members(X).select(features=["bmi"], rows=[0, 1, 2])
        >>> part.local_importance_values.shape, part.local_member_values.shape
        ((2, 3, 1), (2, 3))
        """
        chosen = find_rows(rows, self.num_examples)
        if features is None:
            return self._take_rows(chosen)
        n_features = len(self.feature_labels)
        columns = find_features(features, self.features, n_features, "features")
        return self._take_rows(chosen)._take_features(columns, n_features)

    def __getitem__(self, rows: Any) -> Self:
        """Return the contributions to some rows: an int, a slice, a list of row numbers or a mask."""
        return self.select(rows=rows)

    def __iter__(self) -> Iterator[Self]:
        """Iterate over the rows, each as an explanation of one row."""
        return (self.select(rows=row) for row in range(self.num_examples))

    # ---------------------------------------------------------------- private

    def _take_rows(self, rows: Positions | None) -> Self:
        """Return the members' contributions to some rows."""
        if rows is None:
            return self
        shares = self.local_importance_values
        return replace(
            self,
            local_member_values=self.local_member_values[..., rows],
            local_importance_values=take(shares, rows, -2),
            predictions=take(self.predictions, rows, 0),
            data=None if self.data is None else self.data.take(rows),
            standard_errors=take(self.standard_errors, rows, -1 if shares is None else -2),
            left_out=take(self.left_out, rows, -1),
        )

    def _take_features(self, columns: Positions | None, n_features: int) -> Self:
        """Return the members' shares of some of `n_features` features."""
        if columns is None:
            return self
        shares, errors = self.local_importance_values, self.standard_errors
        rest = np.setdiff1d(np.arange(n_features), columns)
        return replace(
            self,
            local_importance_values=take(shares, columns, -1),
            left_out=sum_left_out(self.left_out, shares, rest),
            standard_errors=errors if shares is None else take(errors, columns, -1),
            features=take_names(self.features, columns),
            data=take_columns(self.data, columns, n_features),
            feature_map=take_map(self.feature_map, columns),
        )

    def _sum_to_raw(self, feature_map: FeatureMap) -> Self:
        """Return the members' shares of raw columns: sums over the engineered columns of each."""
        shares = self.local_importance_values
        return replace(
            self,
            local_importance_values=None if shares is None else feature_map.pool(shares),
            standard_errors=self.standard_errors if shares is None else None,
            features=feature_map.raw_names,
            data=None,
            is_raw=True,
            feature_map=None,
        )

    def _split(self) -> Values:
        if self.local_importance_values is None:
            raise InvalidInputError(
                f"Features are not split among the members here: {self.reason}. Use local_member_values and "
                "get_member_importance_dict."
            )
        return self.local_importance_values

    def _importance_parts(self) -> Values:
        shares = self._split()
        return np.asarray((shares * np.sign(shares.sum(axis=0))).mean(axis=-2))

    def _position(self, member: Any) -> int:
        if member in self.members:
            return self.members.index(member)
        guess = nearest(str(member), self.members)
        raise InvalidInputError(
            f"The 'member' parameter must be one of {list(self.members[:20])}. Got {member!r}."
            + (f" Did you mean {guess!r}?" if guess else "")
        )

    def __repr__(self) -> str:
        split = (
            "no split by feature" if self.local_importance_values is None else f"{len(self.feature_labels)} features"
        )
        return (
            f"MemberExplanation({len(self.members)} members x {self.num_examples} rows, {split}, {self.output_space})"
        )
