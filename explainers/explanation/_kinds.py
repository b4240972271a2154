"""What the values of an explanation are: Shapley values, an importance, weights of local models, heat, or attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["shapley", "permutation", "local_linear", "heat_map", "attention"]


@dataclass(frozen=True)
class KindTraits:
    """Properties of all explanations of one kind.

    Parameters
    ----------
    is_additive : bool
        Whether base value plus values of a row are the model's output for it.
    has_metric : bool
        Whether the importance is measured by a metric, whose name is then the unit.
    importance : str
        What the global importance is, for labels; ``{unit}`` stands for the unit.
    fields : tuple of str
        Optional fields of an `Explanation` that only this kind has.
    """

    is_additive: bool
    has_metric: bool
    importance: str
    fields: tuple[str, ...] = ()


KINDS: dict[str, KindTraits] = {
    "shapley": KindTraits(is_additive=True, has_metric=False, importance="mean |contribution| ({unit})"),
    "permutation": KindTraits(
        is_additive=False,
        has_metric=True,
        importance="decrease of {unit} when shuffled",
        fields=("importances",),
    ),
    "local_linear": KindTraits(
        is_additive=False,
        has_metric=False,
        importance="mean |weight| ({unit})",
        fields=("local_fidelity", "intercepts"),
    ),
    "heat_map": KindTraits(is_additive=False, has_metric=False, importance="mean heat"),
    "attention": KindTraits(is_additive=False, has_metric=False, importance="mean attention"),
}
"""Traits of each kind. Plots, tables, the report and the notebook view read them here."""
