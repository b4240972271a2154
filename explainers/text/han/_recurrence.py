"""A bidirectional GRU over sequences of different lengths, with its gradients in few large products.

PyTorch's own one records each step of each direction for the gradients, and adds up those of the weights step by step. Here both
directions take a step together, and the gradients of the weights are one product over all steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable


class Packing(NamedTuple):
    """The T elements of N sequences in the order of steps: the first elements of all sequences, longest first, and so on."""

    cells: torch.Tensor
    """Cell of each element in a table (N, L) of sequences, counted by rows, (T,)."""
    mirrored: torch.Tensor
    """The same if each sequence is read from its end, (T,)."""
    back: torch.Tensor
    """Place of each element of `cells` among `mirrored`, (T,)."""
    sequence: torch.Tensor
    """Sequence of each element, (T,)."""
    sizes: list[int]
    """Sequences that take each step, (L,)."""
    shape: tuple[int, int]
    """Number of sequences N, and length of the longest L."""


def pack(lengths: torch.Tensor, device: torch.device) -> Packing:
    """Return the packing of sequences of these lengths, (N,), at least 1 each."""
    sizes = lengths.numpy()
    longest, most = np.argsort(-sizes, kind="stable"), int(sizes.max())
    takes = np.arange(most)[:, None] < sizes[longest]
    step, place = np.nonzero(takes)
    sequence = longest[place]
    cells, mirrored = sequence * most + step, sequence * most + sizes[sequence] - 1 - step
    back = np.empty(len(sizes) * most, np.int64)
    back[mirrored] = np.arange(len(mirrored))
    moved = (torch.from_numpy(each).to(device) for each in (cells, mirrored, back[cells], sequence))
    return Packing(*moved, takes.sum(axis=1).tolist(), (len(sizes), most))  # type: ignore[call-arg, arg-type]  # the four are tensors


def states(inputs: torch.Tensor, cells: torch.Tensor, gru: torch.nn.GRU, packing: Packing) -> torch.Tensor:
    """Return the states of a bidirectional GRU in the order of `packing`, (T, 2 H).

    Parameters
    ----------
    inputs : Tensor, shape (U, 6 H)
        Different elements times the weights of the gates, as `gate_inputs` returns them.
    cells : Tensor of int, shape (N * L,)
        Which of them each cell of the table of sequences is.
    gru : GRU
        With one layer and two directions, whose weights are used.
    packing : Packing
    """
    half = inputs.shape[1] // 2
    both = torch.stack(
        [
            inputs[:, :half].index_select(0, cells[packing.cells]),
            inputs[:, half:].index_select(0, cells[packing.mirrored]),
        ]
    )
    weights, bias = torch.stack(_of(gru, "weight_hh")), torch.stack(_of(gru, "bias_hh"))[:, None]
    made = _Steps.apply(both, weights, bias, packing.sizes)  # type: ignore[no-untyped-call]  # torch has no types here
    return torch.cat([made[0], made[1].index_select(0, packing.back)], dim=1)


def gate_inputs(elements: torch.Tensor, gru: torch.nn.GRU) -> torch.Tensor:
    """Return elements (U, D) times the weights of the gates of both directions, (U, 6 H)."""
    return torch.nn.functional.linear(elements, torch.cat(_of(gru, "weight_ih")), torch.cat(_of(gru, "bias_ih")))


def _of(gru: torch.nn.GRU, kind: str) -> list[torch.Tensor]:
    """Return the weights of both directions."""
    return [getattr(gru, f"{kind}_l0"), getattr(gru, f"{kind}_l0_reverse")]


class _Steps(torch.autograd.Function):
    """The states (2, T, H) of both directions, from the inputs of their gates (2, T, 3 H), in the order of steps.

    With the gates r, z = sigmoid(i + W h + b) and the candidate n = tanh(i_n + r (W_n h + b_n)), a state is n + z (h - n).
    The derivative by a state, times factors that are known before, is that by the gates: only the states are passed from step
    to step.
    """

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor, sizes: list[int]) -> Any:
        width, across = weights.shape[2], weights.transpose(1, 2)
        after, recurrent = (inputs.new_empty(2, inputs.shape[1], width) for _ in range(2))
        gates = torch.empty_like(inputs)
        state, start = inputs.new_zeros(2, sizes[0], width), 0
        for size in sizes:
            own = slice(start, start + size)
            state = state[:, :size]
            given, carried = inputs[:, own], torch.baddbmm(bias, state, across)
            recurrent[:, own] = carried[..., 2 * width :]
            both = torch.sigmoid(given[..., : 2 * width] + carried[..., : 2 * width])
            new = torch.tanh(torch.addcmul(given[..., 2 * width :], both[..., :width], carried[..., 2 * width :]))
            gates[:, own, : 2 * width], gates[:, own, 2 * width :] = both, new
            state = torch.lerp(new, state, both[..., width:])
            after[:, own] = state
            start += size
        ctx.save_for_backward(gates, after, recurrent, weights)
        ctx.sizes = sizes
        return after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        gates, after, recurrent, weights = ctx.saved_tensors
        width, stop = weights.shape[2], gates.shape[1]
        before = _before(after, ctx.sizes)
        reset, update, new = gates[..., :width], gates[..., width : 2 * width], gates[..., 2 * width :]
        to_new = (1.0 - update) * (1.0 - new * new)
        to_reset, to_update = to_new * recurrent * reset * (1.0 - reset), (before - new) * update * (1.0 - update)
        to_carried = torch.stack([to_reset, to_update, to_new * reset], dim=2)
        of_states, keep = grad.clone(), update.contiguous()
        carry = grad.new_zeros(2, 0, width)
        for size in reversed(ctx.sizes):
            own = slice(stop - size, stop)
            here = of_states[:, own]
            here[:, : carry.shape[1]] += carry
            parts = (here[:, :, None] * to_carried[:, own]).reshape(2, size, 3 * width)
            carry = torch.baddbmm(here * keep[:, own], parts, weights)
            stop -= size
        of_carried = (of_states[:, :, None] * to_carried).flatten(2)
        of_inputs = of_carried.clone()
        of_inputs[..., 2 * width :] = of_states * to_new
        return of_inputs, of_carried.transpose(1, 2) @ before, of_carried.sum(dim=1, keepdim=True), None


def _before(after: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Return the state before each step, from that after it."""
    starts = np.cumsum([0, *sizes])
    rows = [np.arange(start, start + size) for start, size in zip(starts, sizes[1:], strict=False)]
    first = after.new_zeros(2, sizes[0], after.shape[2])
    if not rows:
        return first
    place = torch.from_numpy(np.concatenate(rows)).to(after.device)
    return torch.cat([first, after.index_select(1, place)], dim=1)
