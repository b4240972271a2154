"""`MemberExplanation`: which member of an ensemble brings what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._validation import nearest
from automl_explain.explainers.explanation._explanation import Explanation
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.tables._table import Table

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MemberExplanation:
    """What each of M members of an ensemble brings to the predictions of n rows; f features, C classes.

    Members' contributions add up: ``expected_values`` plus the sum of `local_member_values` over the members is the
    model's output. Where the output is a weighted sum of the members' outputs, the value of every feature is split as
    well: `local_importance_values` sums over the members to the ensemble's own values, and over the features to
    `local_member_values`. Where it is not, no split of single features would be the right one, and there is none;
    `reason` says so. Both kinds of contribution are Shapley values with the members as players.

    Parameters
    ----------
    members : tuple of str
        Names, as the ensemble has them; columns that a stack's final estimator reads itself are "passthrough".
    local_member_values : ndarray, shape (M, n), or (M, C, n) for a classification
        What each member adds to the output of each row, in the unit of the output.
    local_importance_values : ndarray of shape (M, n, f), or (M, C, n, f) for a classification, or None
        Its share of each feature's value; None where the output is no weighted sum of the members'.
    expected_values : ndarray, shape (C,), or (1,) for a regression
        Mean output over the background.
    member_expected_values : ndarray of shape (M, C) or (M, 1), or None
        Mean over the background of each member's part of the output, where it is a weighted sum; what is missing to
        `expected_values` is the sum's constant.
    features : tuple of str or None
        Column names.
    classes : tuple or None
        Class labels; None for a regression.
    output_space : {"probability", "log_odds", "response", "margin"}
        Unit of all values.
    reason : str
        Which of both was computed, and why.
    predictions : ndarray of shape (n, C) or (n, 1), or None
        The model's outputs.
    data : Table or None
        The rows explained.
    is_raw : bool
        Whether the features are the user's raw columns.
    feature_map : FeatureMap or None
        From engineered to raw columns, when the features are engineered ones.
    standard_errors : ndarray or None
        Where values were sampled: of `local_importance_values`, or of `local_member_values` where there are no such.
    notes : tuple of str
        What a reader must know.

    References
    ----------
    Lundberg and Lee, arXiv:1705.07874 (linearity); Rozemberczki and Sarkar, "The Shapley Value of Classifiers in Ensemble
    Games", arXiv:2101.02153 (members as players).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor, VotingRegressor
    >>> from sklearn.linear_model import Ridge
    >>> from automl_explain import TabularExplainer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> vote = VotingRegressor([("rf", RandomForestRegressor(20, random_state=0)), ("ridge", Ridge())]).fit(X, y)
    >>> shares = TabularExplainer(vote, X).explain_members(X.iloc[:20])
    >>> shares.local_importance_values.shape  # members, rows, features
    (2, 20, 10)
    >>> list(shares.get_member_importance_dict())
    ['rf', 'ridge']
    """

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
    standard_errors: Values | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    method = "members"

    # ----------------------------------------------------------------- global

    @property
    def num_examples(self) -> int:
        """Number of rows explained."""
        return int(self.local_member_values.shape[-1])

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
        """Each member's part of each feature's importance, (M, f); over the members they add up to the importance.

        A feature's importance is the mean of ``|value| = sign(value) * value``, and value is the sum of the members'
        shares; a member whose shares mostly point the other way has a negative part.

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
        """Mean absolute contribution by member, most important first."""
        order = np.argsort(-self.member_importance_values, kind="stable")
        return {self.members[m]: float(self.member_importance_values[m]) for m in order}

    def to_frame(self) -> pd.DataFrame:
        """Return the parts of each feature's importance: a row per feature, most important first, a column per member.

        Where features are not split among the members, the importance of each member instead, in one column.
        """
        if self.local_importance_values is None:
            found = pd.Series(self.get_member_importance_dict(), name="importance")
            return found.rename_axis("member").to_frame()
        parts = self.global_importance_values
        frame = pd.DataFrame(parts.T, index=pd.Index(self.feature_labels, name="feature"), columns=list(self.members))
        return frame.iloc[np.argsort(-parts.sum(axis=0), kind="stable")]

    # ------------------------------------------------------------------ local

    @cached_property
    def additivity_error(self) -> float | None:
        """Largest gap between base value plus contributions and the model's output; None where outputs are not known."""
        if self.predictions is None:
            return None
        total = np.atleast_2d(self.local_member_values.sum(axis=0)).T + self.expected_values
        return float(np.max(np.abs(total - self.predictions), initial=0.0))

    def get_member_explanation(self, member: str) -> Explanation:
        """Return one member's shares as an `Explanation`, for rankings and plots.

        Its expected values and predictions are those of the member's part of the output.

        Raises
        ------
        InvalidInputError
            If there is no such member, or features are not split among the members.
        """
        m = self._position(member)
        values, base = self._split()[m], self.member_expected_values
        assert base is not None
        return Explanation(
            values,
            base[m],
            self.features,
            self.classes,
            self.output_space,
            self.method,
            f"the share of {member!r}: {self.reason}",
            data=self.data,
            predictions=np.atleast_2d(self.local_member_values[m]).T + base[m],
            is_raw=self.is_raw,
            feature_map=self.feature_map,
            standard_errors=None if self.standard_errors is None else self.standard_errors[m],
            notes=self.notes,
        )

    def __getitem__(self, rows: Any) -> MemberExplanation:
        """Return what the members bring to some rows: an int, a slice, a list of row numbers or a mask."""
        chosen = np.atleast_1d(np.arange(self.num_examples)[rows])
        shares, errors = self.local_importance_values, self.standard_errors
        if errors is not None:
            errors = errors[..., chosen] if shares is None else errors[..., chosen, :]
        return replace(
            self,
            local_member_values=self.local_member_values[..., chosen],
            local_importance_values=None if shares is None else shares[..., chosen, :],
            predictions=None if self.predictions is None else self.predictions[chosen],
            data=None if self.data is None else self.data.take(chosen),
            standard_errors=errors,
        )

    def keep_features(
        self, columns: npt.NDArray[np.intp], names: tuple[str, ...] | None, data: Table | None
    ) -> MemberExplanation:
        """Return the shares of some features, by position, with their names and data.

        What each member brings as a whole stays as it is.
        """
        shares, errors = self.local_importance_values, self.standard_errors
        return replace(
            self,
            local_importance_values=None if shares is None else shares[..., columns],
            standard_errors=errors if errors is None or shares is None else errors[..., columns],
            features=names,
            data=data,
            feature_map=None,  # a raw column's value would lack those of its engineered columns that are left out
        )

    def pooled(self, feature_map: FeatureMap) -> MemberExplanation:
        """Return the shares of raw columns: sums over their engineered ones."""
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

    # ---------------------------------------------------------------- private

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

    def _repr_html_(self) -> str:
        from automl_explain.explainers.explanation._notebook import members_table

        return members_table(self)
