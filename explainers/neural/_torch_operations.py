"""PyTorch's operations, by what the rescale rule does with them, and its derivatives for those that are not linear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEARLY_EQUAL = 1e-6
"""Change of an input, relative to its size, below which the derivative replaces the quotient of changes."""
ELEMENTWISE = _names(
    """
    relu relu6 gelu silu sigmoid tanh elu selu celu leaky_relu prelu rrelu softplus hardtanh hardsigmoid hardswish mish
    log_sigmoid threshold hardshrink softshrink exp log log1p expm1 sqrt rsqrt square abs sin cos tan atan sinh cosh asinh
    reciprocal clamp clamp_min clamp_max pow erf
    """
)
"""Operations on each cell of their first argument."""
LINEAR = _names(
    """
    linear addmm mm bmm matmul mv dot baddbmm conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d
    conv_transpose3d add sub subtract rsub neg negative mul multiply div divide true_divide
    sum mean avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
    adaptive_avg_pool2d adaptive_avg_pool3d _native_batch_norm_legit_no_training view reshape _unsafe_view permute transpose t
    numpy_T expand squeeze unsqueeze slice select narrow index_select cat stack flatten unflatten split split_with_sizes chunk
    unbind pad constant_pad_nd clone contiguous alias _to_copy flip roll repeat cumsum tile movedim pixel_shuffle
    upsample_nearest1d upsample_nearest2d upsample_linear1d upsample_bilinear2d dropout getitem
    """
)
"""Operations that are affine in one of their arguments, if the others do not depend on the inputs."""
SEVERAL = _names("add sub subtract rsub cat stack")
"""Linear operations that are affine in all of their arguments together."""
NUMERATOR_ONLY = _names("div divide true_divide")
"""Linear operations that are affine in their first argument only."""
POOLS: Mapping[str, int] = {"max_pool1d": 1, "max_pool2d": 2, "max_pool3d": 3}
"""Max-pooling -> number of dimensions."""
LAST = _names("softmax _softmax sigmoid")
"""Operations before which the log-odds are taken."""
SHAPES = _names("view reshape _unsafe_view squeeze unsqueeze flatten clone contiguous alias _to_copy")
"""Operations that leave the cells as they are."""


class Before(NamedTuple):
    """An operation in the run of the background: its input, its output, and the places of the maxima of max-pooling."""

    own: torch.Tensor
    made: torch.Tensor
    places: torch.Tensor | None


def nonlinear(name: str, target: Callable[..., Any], args: Any, kwargs: Any, before: Before) -> torch.Tensor:
    """Return the output of an operation, with the derivative of the rule."""
    if name == "embedding":
        return _Embedded.apply(args[1], args[0], before)  # type: ignore[no-untyped-call,no-any-return]
    if name in POOLS:
        with torch.no_grad():
            made, places = pooled(POOLS[name], args, kwargs)
        return _Pooled.apply(args[0], made, places, before, POOLS[name])  # type: ignore[no-untyped-call,no-any-return]
    own, rest = args[0], args[1:]
    with torch.no_grad():
        made, change = target(own, *rest, **kwargs), own - before.own
        small = change.abs() <= NEARLY_EQUAL * (own.abs() + before.own.abs())
        is_small = bool(small.any())
        multiplier = (made - before.made) / (change.masked_fill_(small, 1.0) if is_small else change)
    if is_small:
        with torch.enable_grad():
            middle = ((own.detach() + before.own) / 2.0).requires_grad_()
            (slope,) = torch.autograd.grad(target(middle, *rest, **kwargs).sum(), middle)
        multiplier = torch.where(small, slope, multiplier)
    return _Multiplied.apply(own, made, multiplier)  # type: ignore[no-untyped-call,no-any-return]


def pooled(n_dims: int, args: Any, kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the maxima of windows, and their places in each channel."""
    pool = getattr(torch.nn.functional, f"max_pool{n_dims}d")
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    options = {**dict(zip(names, args[1:], strict=False)), **kwargs}
    options["stride"] = options.get("stride") or None
    made: tuple[torch.Tensor, torch.Tensor] = pool(args[0], **options, return_indices=True)
    return made


class _Multiplied(torch.autograd.Function):
    """A given output of an operation on each cell, with given derivatives."""

    @staticmethod
    def forward(ctx: Any, own: torch.Tensor, made: torch.Tensor, multiplier: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(multiplier)
        return made

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        return grads[0] * ctx.saved_tensors[0], None, None


class _Embedded(torch.autograd.Function):
    """Embedded numbers. The change of a vector is assigned to its number, which may differ by any amount."""

    @staticmethod
    def forward(ctx: Any, numbers: torch.Tensor, weight: torch.Tensor, before: Before) -> torch.Tensor:
        made = torch.nn.functional.embedding(numbers.long(), weight)
        ctx.save_for_backward(made - before.made, _inverse(numbers - before.own))
        return made

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        moved, inverse = ctx.saved_tensors
        return (grads[0] * moved).sum(-1) * inverse, None, None


class _Pooled(torch.autograd.Function):
    """Maxima of windows, with the rule that compares the maxima of both runs."""

    @staticmethod
    def forward(
        ctx: Any, own: torch.Tensor, made: torch.Tensor, places: torch.Tensor, before: Before, n_dims: int
    ) -> torch.Tensor:
        both = torch.maximum(made, before.made)
        ctx.n_dims = n_dims
        ctx.save_for_backward(_inverse(own - before.own), both - before.made, made - both, places, before.places)
        return torch.clone(made)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        inverse, gained, lost, mine, theirs = ctx.saved_tensors
        first = inverse.ndim - ctx.n_dims
        flat = torch.zeros_like(inverse).flatten(first)
        for part, places in ((gained, mine), (lost, theirs)):
            flat.scatter_add_(first, places.flatten(first), (grads[0] * part).flatten(first))
        return flat.reshape(inverse.shape) * inverse, None, None, None, None


def _inverse(change: torch.Tensor) -> torch.Tensor:
    """Return the reciprocal of changes; 0 for cells that are equal, which have no part in a change of the output."""
    return change.reciprocal().masked_fill_(change == 0, 0.0)
