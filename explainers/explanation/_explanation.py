"""`Explanation`, which every explainer returns, and `MemberExplanation`, the contributions of an ensemble's members."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._arguments import checked
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.bundles._array_file import bundle_kind, parts_that_fit
from automl_explain.explainers.explanation._convert import as_frame, as_shap, importance_frame
from automl_explain.explainers.explanation._global_importance import (
    GlobalImportance,
    compare_rankings,
    measure_global_importance,
)
from automl_explain.explainers.explanation._member_values import MemberValues
from automl_explain.explainers.explanation._notebook import importance_table, members_table
from automl_explain.explainers.explanation._parts_of_values import sum_to_raw, take_features, take_rows
from automl_explain.explainers.explanation._selection import find_features, find_rows
from automl_explain.explainers.explanation._storage import KIND, load_fields, save_values
from automl_explain.explainers.explanation._values import ExplanationValues, in_input_shapes, local_values
from automl_explain.explainers.formatting._names import OF_TABLES
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.stored._registry import class_of_kind

if TYPE_CHECKING:
    import shap


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(ExplanationValues):
    """Feature attributions of n rows: f features, C classes.

    Shapley values add up: ``expected_values + local_importance_values.sum(-1)`` is the model's output for a row in
    `output_space`, up to `additivity_error`. Other values are those of the `kind`. Every ranking is derived from the
    values; ties keep the order of the columns.

    Parameters
    ----------
    local_importance_values : ndarray or None
        Shape (n, f) for a regression, (C, n, f) for a classification, binary included. None: only global values are known.
    expected_values : ndarray, shape (C,), or (1,) for a regression
        Mean output over the background; for a permutation importance the score without shuffling.
    features : tuple of str or None
        Column names; without names, rankings give column numbers.
    classes : tuple or None
        Class labels in the order of the blocks; None for a regression.
    output_space : {"probability", "log_odds", "response", "margin"}
        Unit of the model's output, and of the values unless `metric` is given.
    method, reason : str
        The explainer that computed the values, and why it was chosen.
    data : Table or None
        The rows explained.
    predictions : ndarray of shape (n, C) or (n, 1), or None
        The model's outputs in `output_space`.
    is_raw : bool
        Whether the features are the user's raw columns rather than engineered ones.
    feature_map : FeatureMap or None
        Map from engineered to raw columns, if engineered columns are explained.
    standard_errors : ndarray or None
        Standard errors of sampled values, in the same shape; None for exact values.
    notes : tuple of str
        What users of the values should know, such as that the background was summarised.
    model_kind : {"trial", "refit", "ensemble"} or None
        Role of the model in a search.
    fold_importances : ndarray of shape (k, f), or None
        Global importance in each of k folds whose means the values are; standard errors include the spread between folds.
    fidelity : Fidelity or None
        How well a surrogate imitates the model, if the values and `predictions` are those of the surrogate.
    global_values, class_values : ndarray or None
        Stored global values, (f,) and (C, f), for explanations without local ones.
    importances : ndarray or None
        Permutation importance of each feature in each repeat, (f, n_repeats); the global values are the means.
    local_fidelity, intercepts : ndarray or None
        Weighted R2 and intercept of each row's local linear model, (n,) for a regression and (C, n) for a classification.
    left_out : ndarray or None
        Sum of the values of each row's features that `select` left out, (n,) for a regression and (C, n) for a
        classification; with it the values add up.
    kind : {"shapley", "permutation", "local_linear"}, default "shapley"
        What the values are: Shapley values of the model's output; decreases of a score when a column is shuffled, which
        exist for the table as a whole only; or weights of a linear model around each row. Only Shapley values add up.
    metric : str or None
        Name of the score of a permutation importance, which is the unit of its values; None for other kinds.
    coalition_r2 : float or None
        For values that only approximate Shapley values, the share of the variance of coalitions' outputs that sums of values
        explain, from 1 downwards; None for others.
    input_shapes : tuple of (str, tuple of int), or None
        Name and shape of each input of a network whose inputs are not a table; the features are their cells, in order.
    group_sums, group_sizes, largest_error : ndarray, ndarray and float, or None
        What `PartialImportance` keeps of rows without their values: sums of the absolute values of groups of rows, (G, f) or
        (G, C, f), the number of rows of each group, (G,), and the largest standard error.
    members : MemberExplanation or None
        Contributions of an ensemble's members to the same rows, if they were requested.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from automl_explain import TabularExplainer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    >>> explanation = TabularExplainer(forest, X).explain_local(X.iloc[:4])
    >>> explanation.local_importance_values.shape, explanation.expected_values.shape  # classes, rows, features
    ((3, 4, 4), (3,))
    >>> total = explanation.expected_values[0] + explanation.local_importance_values[0].sum(axis=-1)
    >>> bool(abs(total - forest.predict_proba(X.iloc[:4])[:, 0]).max() < 1e-9)
    True
    """

    members: MemberExplanation | None = None
    nouns = OF_TABLES

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.members is not None and not isinstance(self.members, MemberExplanation):
            raise InvalidInputError(
                f"The 'members' of an explanation must be a MemberExplanation, or None. Got {type(self.members).__name__}."
            )
        if self.members is not None and self.members.num_examples != self.num_examples:
            raise InvalidInputError(
                f"The 'members' must be those of the {self.num_examples} rows explained. Got {self.members.num_examples}."
            )

    def global_importance(
        self,
        sample_weight: npt.ArrayLike | None = None,
        *,
        confidence: float = 0.95,
        n_resamples: int = 1000,
        random_state: int = 0,
    ) -> GlobalImportance:
        """Return the importance of each feature, overall and per class, with bootstrap intervals over the rows.

        An interval shows how much the importance would vary over other samples of rows. It says nothing about the
        accuracy of the local values.

        Parameters
        ----------
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the mean; default: equal weights, as in `global_importance_values`.
        confidence : float, default 0.95
            Share of resampled tables whose importance lies in the interval.
        n_resamples : int, default 1000
            Number of tables drawn from the rows with replacement.
        random_state : int, default 0
            Seed of the draws.

        Returns
        -------
        GlobalImportance
            Importance with the ends of its intervals, in units of the output.

        Raises
        ------
        InvalidInputError
            If there are neither local values nor merged rows, or a parameter is not valid.

        References
        ----------
        Efron, "Bootstrap Methods: Another Look at the Jackknife" (percentile intervals), doi:10.1214/aos/1176344552.
        """
        return measure_global_importance(self, sample_weight, confidence, n_resamples, random_state)

    @checked
    def validate_against(self, reference: Explanation, top_k: int | None = None) -> float:
        """Return how well this global ranking agrees with another explanation's: NDCG, 1 for the same order.

        The gain of a feature is its importance in the reference; features are matched by name where both have names.

        Parameters
        ----------
        reference : Explanation
            Explanation taken as the truth.
        top_k : int, optional
            Compare only the first `top_k` features of the ranking.

        Returns
        -------
        float
            NDCG, between 0 and 1.

        Raises
        ------
        ColumnMismatchError
            If the features differ.
        InvalidInputError
            If all importances of the reference are 0.

        References
        ----------
        Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques", doi:10.1145/582415.582418.
        """
        return compare_rankings(self, reference, top_k)

    @checked
    def select(self, features: Sequence[Any] | None = None, rows: Any = None, *, why: str = "") -> Explanation:
        """Return the explanation of some features, of some rows, or of both.

        The values of the selected part do not change. If values are additive, those of the other features are summed in
        `left_out`, so that the sum is still the prediction. A note says how many features were kept.

        Parameters
        ----------
        features : sequence of str or int, optional
            Features to keep, by name or position from 0, in the order wanted; each once. A number that is also a
            feature's name means that feature. Default: all.
        rows : int, slice, list of int, or mask of shape (n,), optional
            Rows to keep, each once; negative numbers count from the end. Default: all.
        why : str, optional
            How the features were chosen, for the note.

        Returns
        -------
        Explanation
            Of the selected part.

        Raises
        ------
        InvalidInputError
            If a feature or row is unknown or named twice, or rows are asked for and there are no local values.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import Ridge
        >>> from automl_explain import TabularExplainer
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> explanation = TabularExplainer(Ridge().fit(X, y), X).explain_local(X)
        >>> part = explanation.select(features=["bmi", "bp"], rows=slice(0, 3))
        >>> part.local_importance_values.shape, part.left_out.shape, part.additivity_error < 1e-9
        ((3, 2), (3,), True)
        """
        columns = find_features(features, self.features, self.num_features, "features")
        chosen = None if rows is None else find_rows(rows, local_values(self).shape[-2])
        part = take_features(take_rows(replace(self, members=None), chosen), columns, why)
        if self.members is None:
            return part
        members = self.members._take_rows(chosen)._take_features(columns, self.num_features)
        return replace(part, members=members)

    def __getitem__(self, rows: Any) -> Explanation:
        """Return the explanation of some rows: an int, a slice, a list of row numbers or a mask."""
        return self.select(rows=rows)

    def __iter__(self) -> Iterator[Explanation]:
        """Iterate over the rows, each as an explanation of one row."""
        return (self.select(rows=row) for row in range(self.num_examples))

    @checked
    def get_raw_explanation(self, feature_map: FeatureMap | None = None) -> Explanation:
        """Return the same explanation over raw columns: the sum over the engineered columns of each raw one.

        The sum is the exact Shapley value of the raw column if no interaction involves two engineered columns of the same
        raw column. An explainer with ``feature_space="raw"`` computes the value of the raw column itself.

        Parameters
        ----------
        feature_map : FeatureMap, optional
            Map from engineered to raw columns; default: the model's own. For a model fitted on columns that were
            engineered elsewhere, the columns explained here are the engineered ones.

        Returns
        -------
        Explanation
            With a feature per raw column; the explanation itself if its features are raw already.

        Raises
        ------
        InvalidInputError
            If no map is known, or it has a different number of columns.
        """
        if self.is_raw and (feature_map is None or feature_map.raw_names == self.features):
            return self
        feature_map = feature_map or self.feature_map
        if feature_map is None:
            raise InvalidInputError("No feature map is known for this explanation; pass one, from engineered to raw.")
        raw = sum_to_raw(replace(self, members=None), feature_map)
        return raw if self.members is None else replace(raw, members=self.members._sum_to_raw(feature_map))

    def shaped_values(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Return the local values in the shape of a network's inputs, one array per input.

        Returns
        -------
        tuple of ndarray
            Shape ``(n, *shape)`` for a regression, ``(C, n, *shape)`` for a classification; one array (..., f) for a table.

        Raises
        ------
        InvalidInputError
            If there are no local values.
        """
        return in_input_shapes(local_values(self), self.input_shapes)

    def to_frame(self) -> pd.DataFrame:
        """Return the importance of the features, most important first: a column overall, and one per class.

        Returns
        -------
        DataFrame
            A row per feature, indexed by its name; the columns are "overall" and the classes, in `output_space` units.
        """
        return importance_frame(self)

    def to_local_frame(self) -> pd.DataFrame:
        """Return the local values as a DataFrame: a column per feature, a row per example (and class, as outer index).

        Returns
        -------
        DataFrame
            In units of `output_space`.
        """
        return as_frame(self)

    def to_shap(self) -> shap.Explanation:
        """Return a `shap.Explanation` with values (n, f) or (n, f, C); its base values include `left_out`.

        Returns
        -------
        shap.Explanation
            For shap's plots.
        """
        return as_shap(self)

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explanation to one file, without pickle; `Explanation.load` reads it back.

        Parameters
        ----------
        path : path-like
            File to write.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        save_values(path, self, self.members)

    @staticmethod
    @checked
    def load(path: str | os.PathLike[str]) -> Any:
        """Read an explanation that `save` wrote; one of texts or images is returned as its own class.

        Parameters
        ----------
        path : path-like
            What `save` wrote.

        Returns
        -------
        Explanation, TextExplanation or ImageExplanation
            The explanation that was saved.

        Raises
        ------
        InvalidInputError
            If the file does not hold an explanation.
        FormatVersionError
            If a newer version of automl-explain wrote it.
        """
        if (kind := bundle_kind(path)) != KIND:
            return class_of_kind(kind, path).load(path)
        fields, shares = load_fields(path)
        with parts_that_fit(path):
            return Explanation(**fields, members=None if shares is None else MemberExplanation(**shares))

    def _repr_html_(self) -> str:
        return importance_table(self)


@dataclass(frozen=True, eq=False, repr=False)
class MemberExplanation(MemberValues):
    """Contributions of M ensemble members to the predictions of n rows; f features, C classes.

    Contributions add up: ``expected_values`` plus the sum of `local_member_values` over the members is the model's
    output. If the output is a weighted sum of the members' outputs, the value of every feature is split as well: the sum
    of `local_importance_values` over the members is the ensemble's own values, and the sum over the features is
    `local_member_values`. For other ensembles no split by feature is well defined, and there is none; `reason` says so.
    Both kinds of contribution are Shapley values with the members as players.

    Parameters
    ----------
    members : tuple of str
        Names of the members in the ensemble; "passthrough" stands for columns that a stack's final estimator reads itself.
    local_member_values : ndarray, shape (M, n), or (M, C, n) for a classification
        Contribution of each member to the output of each row, in the unit of the output.
    local_importance_values : ndarray of shape (M, n, f), or (M, C, n, f) for a classification, or None
        Share of each member in each feature's value; None unless the output is a weighted sum of the members' outputs.
    expected_values : ndarray, shape (C,), or (1,) for a regression
        Mean output over the background.
    member_expected_values : ndarray of shape (M, C) or (M, 1), or None
        Mean over the background of each member's part of the output, if it is a weighted sum; their sum differs from
        `expected_values` by the constant of the weighted sum.
    features : tuple of str or None
        Column names.
    classes : tuple or None
        Class labels; None for a regression.
    output_space : {"probability", "log_odds", "response", "margin"}
        Unit of all values.
    reason : str
        Which of the two contributions was computed, and why.
    predictions : ndarray of shape (n, C) or (n, 1), or None
        The model's outputs.
    data : Table or None
        The rows explained.
    is_raw : bool
        Whether the features are the user's raw columns.
    feature_map : FeatureMap or None
        Map from engineered to raw columns, if the features are engineered ones.
    standard_errors : ndarray or None
        Standard errors of sampled values: of `local_importance_values`, or else of `local_member_values`.
    notes : tuple of str
        What users of the values should know.
    left_out : ndarray, shape (M, n), or (M, C, n) for a classification, or None
        Sum of each member's shares of the features that `select` left out; with it the shares add up to
        `local_member_values`.

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

    @checked
    def get_member_explanation(self, member: str) -> Explanation:
        """Return one member's shares as an `Explanation`, for rankings and plots.

        Its expected values and predictions are those of the member's part of the output.

        Parameters
        ----------
        member : str
            One of `members`.

        Returns
        -------
        Explanation
            The member's part of the values.

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
            left_out=None if self.left_out is None else self.left_out[m],
        )

    def _repr_html_(self) -> str:
        return members_table(self)
