"""The values of an explanation, with the names they belong to, and the rankings that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from automl_explain.explainers._arguments import checked, nearest
from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers.explanation._fidelity import Fidelity
from automl_explain.explainers.explanation._kinds import KINDS, Kind, KindTraits
from automl_explain.explainers.explanation._selection import Values
from automl_explain.explainers.explanation._stored_parts import check_types
from automl_explain.explainers.model._feature_map import FeatureMap
from automl_explain.explainers.tables._table import Table


@dataclass(frozen=True, eq=False, repr=False)
class ExplanationValues:
    """Feature attributions of n rows: f features, C classes; `Explanation` documents the fields.

    Storage, conversion and the notebook view take this type; `Explanation` adds methods that need those.
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
    global_values: Values | None = None
    class_values: Values | None = None
    importances: Values | None = None
    local_fidelity: Values | None = None
    intercepts: Values | None = None
    left_out: Values | None = None
    kind: Kind = "shapley"
    metric: str | None = None
    coalition_r2: float | None = None
    input_shapes: tuple[tuple[str, tuple[int, ...]], ...] | None = None
    group_sums: Values | None = None
    group_sizes: Values | None = None
    largest_error: float | None = None

    def __post_init__(self) -> None:
        check_types(self)
        _check_kind(self)
        values = self.local_importance_values
        if values is None:
            if self.global_values is None:
                raise InvalidInputError("An explanation needs local or global importance values.")
        elif self.expected_values is None or self.expected_values.ndim != 1:
            raise InvalidInputError(
                "The 'expected_values' of an explanation must be an array of numbers, one for each output."
            )
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

    # ------------------------------------------------------------------- kind

    @property
    def traits(self) -> KindTraits:
        """Properties of all explanations of this `kind`."""
        return KINDS[self.kind]

    @property
    def is_additive(self) -> bool:
        """Whether base value plus values of a row are the model's output for it; only Shapley values are additive."""
        return self.traits.is_additive

    @property
    def unit(self) -> str:
        """Unit of the importance: the metric of a permutation importance, `output_space` otherwise."""
        return self.output_space if self.metric is None else self.metric

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

    @property
    def importances_std(self) -> Values | None:
        """Standard deviation of each feature over the repeats of a permutation importance, (f,); None for others."""
        return None if self.importances is None else np.asarray(self.importances.std(axis=1))

    @checked
    def get_ranked_global_names(self, top_k: int | None = None) -> list[Any]:
        """Return feature names, most important first; column numbers when there are no names.

        Parameters
        ----------
        top_k : int, optional
            Features returned. Default: all.

        Returns
        -------
        list of str or int
            Names or column numbers.
        """
        return self._names(ranking(self.global_importance_values)[:top_k]).tolist()  # type: ignore[no-any-return]

    @checked
    def get_ranked_global_values(self, top_k: int | None = None) -> Values:
        """Return global importance values, (f,), descending.

        Parameters
        ----------
        top_k : int, optional
            Features returned. Default: all.

        Returns
        -------
        ndarray of shape (f,)
            Mean absolute values, in units of the output, in the order of `get_ranked_global_names`.
        """
        return self.global_importance_values[ranking(self.global_importance_values)[:top_k]]

    @checked
    def get_ranked_per_class_names(self, top_k: int | None = None) -> npt.NDArray[Any]:
        """Return the feature names of each class, (C, f), most important first.

        Parameters
        ----------
        top_k : int, optional
            Features returned of each class. Default: all.

        Returns
        -------
        ndarray of shape (C, f)
            Names or column numbers.
        """
        return self._names(ranking(self.per_class_values)[:, :top_k])

    @checked
    def get_ranked_per_class_values(self, top_k: int | None = None) -> Values:
        """Return the importance values of each class, (C, f), each row descending.

        Parameters
        ----------
        top_k : int, optional
            Features returned of each class. Default: all.

        Returns
        -------
        ndarray of shape (C, f)
            Mean absolute values, in the order of `get_ranked_per_class_names`.
        """
        order = ranking(self.per_class_values)[:, :top_k]
        return np.take_along_axis(self.per_class_values, order, axis=-1)

    @checked
    def get_feature_importance_dict(self, top_k: int | None = None) -> dict[Any, float]:
        """Return global importance by feature name, most important first.

        Parameters
        ----------
        top_k : int, optional
            Features returned. Default: all.

        Returns
        -------
        dict of str or int to float
            Mean absolute values, in units of the output.
        """
        return dict(
            zip(self.get_ranked_global_names(top_k), self.get_ranked_global_values(top_k).tolist(), strict=True)
        )

    def overall(self) -> Self:
        """Return the global ranking as an explanation: of a table, the explanation itself.

        Returns
        -------
        Explanation
            This object.
        """
        return self

    @checked
    def examples_html(self, most: int = 6) -> str:
        """Return nothing: reports show the rows of a table by tables and plots of their own.

        Parameters
        ----------
        most : int, default 6
            Examples shown by explanations of texts and images.

        Returns
        -------
        str
            Empty.
        """
        return ""

    # ------------------------------------------------------------------ local

    @checked
    def get_ranked_local_names(self, top_k: int | None = None) -> npt.NDArray[Any]:
        """Return the feature names of each row, ranked by absolute value: (n, f), or (C, n, f) for a classification.

        Parameters
        ----------
        top_k : int, optional
            Features returned of each row. Default: all.

        Returns
        -------
        ndarray of shape (n, f) or (C, n, f)
            Names or column numbers.

        Raises
        ------
        InvalidInputError
            If there are no values of rows.
        """
        return self._names(ranking(np.abs(local_values(self)))[..., :top_k])

    @checked
    def get_ranked_local_values(self, top_k: int | None = None) -> Values:
        """Return the signed values of each row in the order of `get_ranked_local_names`.

        Parameters
        ----------
        top_k : int, optional
            Features returned of each row. Default: all.

        Returns
        -------
        ndarray of shape (n, f) or (C, n, f)
            Values in units of `output_space`.

        Raises
        ------
        InvalidInputError
            If there are no values of rows.
        """
        values = local_values(self)
        return np.take_along_axis(values, ranking(np.abs(values))[..., :top_k], axis=-1)

    @property
    def additivity_error(self) -> float | None:
        """Largest gap between base value plus values and the model's output; None if the outputs are not known.

        It is None for values that are not additive.
        """
        return None if self.additivity_gaps is None else float(np.max(self.additivity_gaps, initial=0.0))

    @cached_property
    def additivity_gaps(self) -> Values | None:
        """Gap between base value plus values and each output of each row, (n, C), or (n, 1) for a regression."""
        if self.local_importance_values is None or self.predictions is None or not self.is_additive:
            return None
        total = self.local_importance_values.sum(axis=-1) + (0.0 if self.left_out is None else self.left_out)
        total = (total.T if self.is_classification else total[:, None]) + self.expected_values
        return np.asarray(np.abs(total - self.predictions))

    def _names(self, positions: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        return positions if self.features is None else np.asarray(self.features, dtype=object)[positions]

    def __repr__(self) -> str:
        shape = f"{self.num_examples} rows x {self.num_features} features"
        classes = f" x {len(self.classes)} classes" if self.classes else ""
        return f"Explanation({shape}{classes}, {self.unit}, by {self.method})"


def _check_kind(values: ExplanationValues) -> None:
    """Refuse an unknown kind, and fields that do not go with the kind.

    Raises
    ------
    InvalidInputError
        If the kind is unknown, a metric is missing or does not belong there, or a field belongs to another kind.
    """
    if values.kind not in KINDS:
        guess = nearest(str(values.kind), list(KINDS))
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise InvalidInputError(f"The 'kind' parameter must be one of {list(KINDS)}. Got {values.kind!r}.{hint}")
    if values.traits.has_metric != (values.metric is not None):
        wanted = "name the metric" if values.traits.has_metric else "be left out"
        raise InvalidInputError(
            f"The 'metric' parameter must {wanted} for kind={values.kind!r}. Got {values.metric!r}."
        )
    for kind, traits in KINDS.items():
        for name in traits.fields:
            if kind != values.kind and getattr(values, name) is not None:
                raise InvalidInputError(f"The {name!r} parameter belongs to kind={kind!r}. Got kind={values.kind!r}.")


def local_values(values: ExplanationValues) -> Values:
    """Return the local values.

    Raises
    ------
    InvalidInputError
        If there are none.
    """
    if values.local_importance_values is None:
        raise InvalidInputError(
            f"This explanation by {values.method} has no local importance values, only global ones."
        )
    return values.local_importance_values


def in_input_shapes(
    values: Values, shapes: tuple[tuple[str, tuple[int, ...]], ...] | None
) -> tuple[npt.NDArray[np.float64], ...]:
    """Return values (..., f) as one array per input, (..., *shape); a single array without shapes."""
    if shapes is None:
        return (values,)
    ends = np.cumsum([math.prod(shape) for _, shape in shapes])
    parts = np.split(values, ends[:-1], axis=-1)
    return tuple(part.reshape(*values.shape[:-1], *shape) for part, (_, shape) in zip(parts, shapes, strict=True))


def ranking(values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return positions by descending value along the last axis; equal values keep their order."""
    return np.argsort(-values, axis=-1, kind="stable")
