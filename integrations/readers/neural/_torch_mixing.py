"""Mixed rows of PyTorch networks, made on the device in the layout in which the network is fastest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from automl_explain.explainers._agreement import agree
from automl_explain.explainers.neural._mixing import cell_players, picked
from automl_explain.explainers.neural._network import Arrays, Matrix, MixedForward
from automl_explain.integrations.readers.neural._torch_calls import ModuleCalls, as_matrix

Numbers: TypeAlias = npt.NDArray[np.intp]
SAME = 1e-3
"""Largest difference of outputs in both layouts, as a share of their spread; they round differently."""
CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Orders of axes: from channels first to channels last, and back."""


@dataclass(frozen=True, eq=False)
class _Cells:
    """One input of the explained and the background rows, and the players of its cells.

    Parameters
    ----------
    mine, theirs : tensor
        Rows, with the axes in the order in which they lie in memory.
    players : tensor of int
        Player of each cell, flat.
    shape : tuple of int
        Shape in which the players match a row by broadcasting.
    blends : bool
        Whether mixing by interpolation gives the cells themselves; it is several times as fast as choosing among them.
    is_last : bool
        Whether the channels lie last in memory.
    """

    mine: torch.Tensor
    theirs: torch.Tensor
    players: torch.Tensor
    shape: tuple[int, ...]
    blends: bool
    is_last: bool

    def mixed(self, row: Numbers, other: Numbers, present: torch.Tensor) -> torch.Tensor:
        """Return mixed rows, as the network takes them."""
        mask = present.to(self.mine.dtype) if self.blends else present
        mask = mask.index_select(1, self.players).reshape(-1, *self.shape)
        mine, theirs = picked(self.mine, row), picked(self.theirs, other)
        made = torch.lerp(theirs, mine, mask) if self.blends else torch.where(mask, mine, theirs)
        return made.permute(CHANNELS_FIRST) if self.is_last else made


def mixed_forward(
    calls: ModuleCalls,
    channels_last: bool,
    layout: Callable[[Matrix], Arrays],
    rows: Matrix,
    background: Matrix,
    players: Numbers,
) -> MixedForward:
    """Return the outputs of mixed rows as a function; the rows are mixed on the device.

    Parameters
    ----------
    calls : ModuleCalls
    channels_last : bool
        Whether the channels of images lie last in memory, as `takes_channels_last` finds out.
    layout : callable
        From a table to the inputs of the network.
    rows, background : ndarray, shapes (n, f) and (B, f)
    players : ndarray of int, shape (f,)
    """
    mine, theirs = layout(rows), layout(background)
    inputs = []
    for cells, own, absent in zip(cell_players(players, mine), calls.tensors(mine), calls.tensors(theirs), strict=True):
        blends = own.is_floating_point() and bool(own.isfinite().all()) and bool(absent.isfinite().all())
        numbers, shape, is_last = torch.from_numpy(cells.numbers).to(calls.device), cells.shape, False
        if channels_last and own.ndim == 4:
            own, absent = (_in_order(part.permute(CHANNELS_LAST)) for part in (own, absent))
            numbers = numbers.reshape(1, *shape).permute(CHANNELS_LAST).expand(1, *own.shape[1:]).reshape(-1)
            shape, is_last = tuple(own.shape[1:]), True
        inputs.append(_Cells(own, absent, numbers, shape, blends, is_last))

    def forward(row: Numbers, other: Numbers, present: npt.NDArray[np.bool_]) -> Matrix:
        is_present = torch.from_numpy(present).to(calls.device)
        with calls.undisturbed(), torch.no_grad():
            return as_matrix(calls.outputs(tuple(cells.mixed(row, other, is_present) for cells in inputs)))

    return forward


def takes_channels_last(calls: ModuleCalls, arrays: Arrays) -> bool:
    """Whether a network takes images whose channels lie last in memory, and has the same outputs for them.

    Convolutions and poolings of oneDNN are up to twice as fast on them. A network may refuse them, such as one that calls
    ``view`` on the output of a convolution.
    """
    usual = calls.device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not usual or any(array.dtype != np.float32 for array in arrays):
        return False
    few = tuple(np.concatenate([array[:1], 0.5 * array[:1]]).astype(array.dtype) for array in arrays)
    with calls.undisturbed(), torch.no_grad():
        tensors = calls.tensors(few)
        last = tuple(_with_channels_last(tensor) if tensor.ndim == 4 else tensor for tensor in tensors)
        known = as_matrix(calls.outputs(tensors))
        try:
            made = as_matrix(calls.outputs(last))
        except Exception:  # the network's own code may raise anything; it has just taken the same images
            return False
    return agree(made, known, SAME)


def _with_channels_last(images: torch.Tensor) -> torch.Tensor:
    return _in_order(images.permute(CHANNELS_LAST)).permute(CHANNELS_FIRST)


def _in_order(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy that lies in memory in the order of its axes, even if some have one entry, which `contiguous` leaves."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device).copy_(tensor)
