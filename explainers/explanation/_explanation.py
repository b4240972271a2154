"""`Explanation`: what every explainer returns."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd
    import shap

    from automl_explain.explainers.explanation._fidelity import Fidelity
    from automl_explain.explainers.explanation._global_importance import GlobalImportance
    from automl_explain.explainers.explanation._member_explanation import MemberExplanation
    from automl_explain.explainers.model._feature_map import FeatureMap
    from automl_explain.explainers.tables._table import Table

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Feature attributions of n rows: f features, C classes.

    The values of a row add up: ``expected_values + local_importance_values.sum(-1)`` is the model's output for that row
    in `output_space`, up to `additivity_error`. Every ranking is derived from the values; ties keep the order of the
    columns.

    Parameters
    ----------
    local_importance_values : ndarray or None
        Shape (n, f) for a regression, (C, n, f) for a classification, binary included. None when only global values
        were computed.
    expected_values : ndarray, shape (C,), or (1,) for a regression
        Mean output over the background.
    features : tuple of str or None
        Column names; rankings give column numbers when there are none.
    classes : tuple or None
        Class labels in the order of the blocks; None for a regression.
    output_space : {"probability", "log_odds", "response"}
        Unit of the values.
    method, reason : str
        The explainer that made the values, and why it was chosen, in words.
    data : Table or None
        The rows explained.
    predictions : ndarray of shape (n, C) or (n, 1), or None
        The model's outputs in `output_space`.
    is_raw : bool
        Whether the features are the user's raw columns rather than engineered ones.
    feature_map : FeatureMap or None
        From engineered to raw columns, when these explain engineered columns.
    standard_errors : ndarray or None
        Same shape as the values, where they were sampled rather than computed exactly.
    notes : tuple of str
        What a reader must know, such as a background that was summarised.
    model_kind : {"trial", "refit", "ensemble"} or None
        What of a search the model is.
    fold_importances : ndarray of shape (k, f), or None
        Global importance of the model of each of k folds, where the values are the mean over folds; their standard
        errors then hold how far the folds' values lie apart.
    fidelity : Fidelity or None
        How well a surrogate imitates the model, when the values and `predictions` are a surrogate's.
    global_values, class_values : ndarray or None
        Stored global values, (f,) and (C, f), for explanations without local ones.
    importances : ndarray or None
        Shape (f, n_repeats): each repeat of a permutation importance, whose mean the global values are.
    local_fidelity, intercepts : ndarray or None
        Weighted R2 and intercept of each row's local linear model, (n,) for a regression and (C, n) for a classification,
        where the values are the weights of such models, which do not add up to the prediction.
    left_out : ndarray or None
        Sum of the values of each row's features that `explain_subset` left out, (n,) for a regression and (C, n) for a
        classification; with it the values add up.
    members : MemberExplanation or None
        What each member of an ensemble brings to the same rows, where that was asked for.
    """

    local_importance_values: Values | None
    expected_values: Values
    features: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    output_space: str
    method: str
    reason: str
    data: Table | None = None
    predictions: Values | None = None
    is_raw: bool = False
    feature_map: FeatureMap | None = None
    standard_errors: Values | None = None
    notes: tuple[str, ...] = ()
    model_kind: str | None = None
    fold_importances: Values | None = None
    fidelity: Fidelity | None = None
    global_values: Values | None = field(default=None, repr=False)
    class_values: Values | None = field(default=None, repr=False)
    importances: Values | None = field(default=None, repr=False)
    local_fidelity: Values | None = field(default=None, repr=False)
    intercepts: Values | None = field(default=None, repr=False)
    left_out: Values | None = field(default=None, repr=False)
    members: MemberExplanation | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        values = self.local_importance_values
        if values is None:
            if self.global_values is None:
                raise InvalidInputError("An explanation needs local or global importance values.")
        elif values.ndim != (2 if self.classes is None else 3):
            raise InvalidInputError(
                "local_importance_values must be (n, f) without classes and (C, n, f) with them. "
                f"Got shape {values.shape} and classes {self.classes}."
            )
        if self.features is not None and len(self.features) != self.num_features:
            raise InvalidInputError(
                f"The 'features' parameter must name {self.num_features} features. Got {len(self.features)}."
            )
        if self.classes is not None and len(self.classes) != len(self.expected_values):
            raise InvalidInputError(
                f"The 'classes' parameter must name {len(self.expected_values)} classes "
                f"(the model predicts {len(self.expected_values)}). Got {len(self.classes)}: {list(self.classes)}."
            )
        if self.members is not None and self.members.num_examples != self.num_examples:
            raise InvalidInputError(
                f"The 'members' must be those of the {self.num_examples} rows explained. Got {self.members.num_examples}."
            )

    # ------------------------------------------------------------------ shape

    @property
    def num_features(self) -> int:
        """Number of features f."""
        values = self.global_values if self.local_importance_values is None else self.local_importance_values
        assert values is not None
        return int(values.shape[-1])

    @property
    def num_examples(self) -> int:
        """Number of rows explained; 0 without local values."""
        return 0 if self.local_importance_values is None else int(self.local_importance_values.shape[-2])

    @property
    def is_classification(self) -> bool:
        """Whether there is a block of values per class."""
        return self.classes is not None

    @property
    def feature_labels(self) -> tuple[str, ...]:
        """Names to show: the features, or x0, x1, ... when there are no names."""
        return self.features or tuple(f"x{j}" for j in range(self.num_features))

    # ----------------------------------------------------------------- global

    @cached_property
    def global_importance_values(self) -> Values:
        """Mean absolute value of each feature, (f,), in column order; the mean over classes for a classification."""
        if self.local_importance_values is None:
            assert self.global_values is not None
            return self.global_values
        per_block: Values = np.abs(self.local_importance_values).mean(axis=-2)
        return per_block.mean(axis=0) if self.is_classification else per_block

    @cached_property
    def per_class_values(self) -> Values:
        """Mean absolute value of each feature for each class, (C, f), in column order."""
        if not self.is_classification:
            raise InvalidInputError("A regression has no classes; use global_importance_values.")
        if self.local_importance_values is None:
            if self.class_values is None:
                raise InvalidInputError(f"{self.method} gives no importance per class; use global_importance_values.")
            return self.class_values
        per_class: Values = np.abs(self.local_importance_values).mean(axis=1)
        return per_class

    def get_ranked_global_names(self, top_k: int | None = None) -> list[Any]:
        """Feature names, most important first; column numbers when there are no names."""
        return self._names(_ranking(self.global_importance_values)[:top_k]).tolist()  # type: ignore[no-any-return]

    def get_ranked_global_values(self, top_k: int | None = None) -> Values:
        """Global importance values, (f,), descending."""
        return self.global_importance_values[_ranking(self.global_importance_values)[:top_k]]

    def get_ranked_per_class_names(self, top_k: int | None = None) -> npt.NDArray[Any]:
        """Feature names of each class, (C, f), most important first."""
        return self._names(_ranking(self.per_class_values)[:, :top_k])

    def get_ranked_per_class_values(self, top_k: int | None = None) -> Values:
        """Importance values of each class, (C, f), each row descending."""
        order = _ranking(self.per_class_values)[:, :top_k]
        return np.take_along_axis(self.per_class_values, order, axis=-1)

    def get_feature_importance_dict(self, top_k: int | None = None) -> dict[Any, float]:
        """Global importance by feature name, most important first."""
        return dict(
            zip(self.get_ranked_global_names(top_k), self.get_ranked_global_values(top_k).tolist(), strict=True)
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

        An interval says how much the importance would differ for other rows of the same kind, not whether the values of
        each row are right.

        Parameters
        ----------
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the mean; default: all alike, as in `global_importance_values`.
        confidence : float, default 0.95
            Share of resampled tables whose importance lies within the interval.
        n_resamples : int, default 1000
            Tables drawn from the rows with replacement.
        random_state : int, default 0
            Seed of the draws.

        Returns
        -------
        GlobalImportance

        Raises
        ------
        InvalidInputError
            If there are no local values, or a parameter is wrong.

        References
        ----------
        Efron, "Bootstrap Methods: Another Look at the Jackknife" (percentile intervals), doi:10.1214/aos/1176344552.
        """
        from automl_explain.explainers.explanation._global_importance import measure_global_importance

        return measure_global_importance(self, sample_weight, confidence, n_resamples, random_state)

    def validate_against(self, reference: Explanation, top_k: int | None = None) -> float:
        """Return how well this global ranking agrees with another explanation's: NDCG, 1 for the same order.

        The gain of a feature is its importance in the reference; features are matched by name where both have names.

        Parameters
        ----------
        reference : Explanation
            The one taken as right.
        top_k : int, optional
            Compare the beginning of the ranking only.

        Raises
        ------
        ColumnMismatchError
            If the features differ.
        InvalidInputError
            If no feature matters in the reference.

        References
        ----------
        Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques", doi:10.1145/582415.582418.
        """
        from automl_explain.explainers.explanation._global_importance import compare_rankings

        return compare_rankings(self, reference, top_k)

    @property
    def importances_std(self) -> Values | None:
        """Standard deviation of each feature over the repeats of a permutation importance, (f,); None for others."""
        return None if self.importances is None else np.asarray(self.importances.std(axis=1))

    # ------------------------------------------------------------------ local

    def get_ranked_local_names(self, top_k: int | None = None) -> npt.NDArray[Any]:
        """Feature names of each row, ranked by absolute value: (n, f), or (C, n, f) for a classification."""
        return self._names(_ranking(np.abs(self._local()))[..., :top_k])

    def get_ranked_local_values(self, top_k: int | None = None) -> Values:
        """Signed values of each row in the order of `get_ranked_local_names`."""
        values = self._local()
        return np.take_along_axis(values, _ranking(np.abs(values))[..., :top_k], axis=-1)

    @cached_property
    def additivity_error(self) -> float | None:
        """Largest gap between base value plus values and the model's output; None where outputs are not known.

        None as well for the weights of local models, which are no parts of a prediction.
        """
        if self.local_importance_values is None or self.predictions is None or self.local_fidelity is not None:
            return None
        total = self.local_importance_values.sum(axis=-1) + (0.0 if self.left_out is None else self.left_out)
        total = (total.T if self.is_classification else total[:, None]) + self.expected_values
        return float(np.max(np.abs(total - self.predictions), initial=0.0))

    def __getitem__(self, rows: Any) -> Explanation:
        """Return the explanation of some rows: an int, a slice, a list of row numbers or a mask."""
        values = self._local()
        chosen = np.atleast_1d(np.arange(self.num_examples)[rows])
        return replace(
            self,
            local_importance_values=values[..., chosen, :],
            data=None if self.data is None else self.data.take(chosen),
            predictions=None if self.predictions is None else self.predictions[chosen],
            fold_importances=None,
            standard_errors=None if self.standard_errors is None else self.standard_errors[..., chosen, :],
            local_fidelity=None if self.local_fidelity is None else self.local_fidelity[..., chosen],
            intercepts=None if self.intercepts is None else self.intercepts[..., chosen],
            left_out=None if self.left_out is None else self.left_out[..., chosen],
            members=None if self.members is None else self.members[chosen],
        )

    # ------------------------------------------------------------ other forms

    def get_raw_explanation(self, feature_map: FeatureMap | None = None) -> Explanation:
        """Return the same explanation over raw columns: the sum over the engineered columns of each raw one.

        The sum is the exact Shapley value of the raw column wherever no interaction holds two engineered columns of the
        same raw column; an explainer asked for raw features computes it exactly in every case.

        Parameters
        ----------
        feature_map : FeatureMap, optional
            Which engineered columns come of which raw ones; default: the model's own. For a model that was fitted on
            columns engineered elsewhere, its columns are taken as the engineered ones.

        Raises
        ------
        InvalidInputError
            If no map is known, or it is of another number of columns.
        """
        if self.is_raw and (feature_map is None or feature_map.raw_names == self.features):
            return self
        feature_map = feature_map or self.feature_map
        if feature_map is None:
            raise InvalidInputError("No feature map is known for this explanation; pass one, from engineered to raw.")
        if len(feature_map.parent) != self.num_features:
            raise InvalidInputError(
                f"The feature map must have {self.num_features} engineered columns. Got {len(feature_map.parent)}."
            )
        if self.local_importance_values is None and len(set(feature_map.parent.tolist())) < len(feature_map.parent):
            raise InvalidInputError(
                "Mean absolute values cannot be summed over the columns of one raw column; explain with include_local=True, "
                "or with feature_space='raw'."
            )
        pool = feature_map.pool
        return replace(
            self,
            local_importance_values=None
            if self.local_importance_values is None
            else pool(self.local_importance_values),
            global_values=None if self.global_values is None else pool(self.global_values),
            class_values=None if self.class_values is None else pool(self.class_values),
            fold_importances=None,
            importances=None if self.importances is None else pool(self.importances.T).T,
            features=feature_map.raw_names,
            data=None,
            is_raw=True,
            feature_map=None,
            standard_errors=None,
            members=None if self.members is None else self.members.pooled(feature_map),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the local values as a DataFrame: a column per feature, a row per example (and class, as outer index)."""
        from automl_explain.explainers.explanation._convert import as_frame

        return as_frame(self)

    def to_shap(self) -> shap.Explanation:
        """Return a `shap.Explanation` with values (n, f) or (n, f, C), for shap's plots.

        Base values are the expected ones, plus `left_out` where features were left out, so that the sums are the outputs.
        """
        from automl_explain.explainers.explanation._convert import as_shap

        return as_shap(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explanation to one file, without pickle; `Explanation.load` reads it back."""
        from automl_explain.explainers.explanation._storage import save_explanation

        save_explanation(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Explanation:
        """Read an explanation that `save` wrote.

        Raises
        ------
        InvalidInputError
            If the file is no explanation.
        FormatVersionError
            If a newer version of automl-explain wrote it.
        """
        from automl_explain.explainers.explanation._storage import load_explanation

        return load_explanation(path)

    def _local(self) -> Values:
        if self.local_importance_values is None:
            raise InvalidInputError(
                f"This explanation by {self.method} has no local importance values, only global ones."
            )
        return self.local_importance_values

    def _names(self, positions: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        return positions if self.features is None else np.asarray(self.features, dtype=object)[positions]

    def __repr__(self) -> str:
        shape = f"{self.num_examples} rows x {self.num_features} features"
        classes = f" x {len(self.classes)} classes" if self.classes else ""
        return f"Explanation({shape}{classes}, {self.output_space}, by {self.method})"

    def _repr_html_(self) -> str:
        from automl_explain.explainers.explanation._notebook import importance_table

        return importance_table(self)


def _ranking(values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Positions by descending value along the last axis; equal values keep their order."""
    return np.argsort(-values, axis=-1, kind="stable")
