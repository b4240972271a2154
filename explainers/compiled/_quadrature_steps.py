"""Vector operations for the steps of path-dependent walks, over all quadrature nodes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from automl_explain.explainers.compiled._arrays import LANES
from automl_explain.explainers.compiled._emitter import (
    DOUBLE,
    VECTOR,
    Emitter,
    kernel_operation,
    operation,
)


@kernel_operation
def enter(_c: Any, stack: Any, source: Any, target: Any, coef: Any, at: Any, size: Any, yes: Any, no: Any) -> Any:
    """Enter an edge: ``stack[target, k] = stack[source, k] * (coef[at + 4k] | coef[at + 4k + 1] | 1)``, k < size.

    The three alternatives are for rows in the mask `yes`, in the mask `no`, and in neither.
    """

    def emit(e: Emitter, _s: Any, source: Any, target: Any, _f: Any, at: Any, size: Any, yes: Any, no: Any) -> None:
        c, new, factor = e.pointer(0, source), e.pointer(0, target), e.pointer(3, at)
        yes, no, one = e.rows(yes), e.rows(no), e.spread(ir.Constant(DOUBLE, 1.0))
        with e.each(size, 4) as (lane, k):
            chosen = e.choose(yes, no, e.scalar(factor, k), e.scalar(factor, e.plus(k, 1)), one)
            e.store(e.multiply(e.load(e.at(c, lane)), chosen), e.at(new, lane))

    return operation(emit, stack, source, target, coef, at, size, yes, no)


@kernel_operation
def leave(
    _c: Any, sums: Any, source: Any, target: Any, first: Any, coef: Any, at: Any, size: Any, yes: Any, no: Any,
    phi: Any, player: Any,
) -> Any:  # fmt: skip
    """Leave an edge: ``phi[player] += sum_k sums[source, k] * (coef[at + 4k + 2] | coef[at + 4k + 3] | 0)``.

    Also ``sums[target] += sums[source]``, or ``=`` when `first` is not 0.
    """

    def emit(
        e: Emitter, _h: Any, source: Any, target: Any, first: Any, _f: Any, at: Any, size: Any, yes: Any, no: Any,
        _phi: Any, player: Any,
    ) -> None:  # fmt: skip
        h, parent, factor = e.pointer(0, source), e.pointer(0, target), e.pointer(4, at)
        sum_yes, sum_no, first = e.sum_variable(), e.sum_variable(), e.truth(first)
        with e.each(size, 4) as (lane, k):
            value = e.load(e.at(h, lane))
            e.add_to(sum_yes, e.multiply(value, e.scalar(factor, e.plus(k, 2))))
            e.add_to(sum_no, e.multiply(value, e.scalar(factor, e.plus(k, 3))))
            e.set_or_add(e.at(parent, lane), value, first)
        e.add_chosen(e.pointer(9, player), yes, no, sum_yes, sum_no)

    return operation(emit, sums, source, target, first, coef, at, size, yes, no, phi, player)


@kernel_operation
def visit_leaf(
    _c: Any, stack: Any, source: Any, sums: Any, target: Any, first: Any, coef: Any, at: Any, size: Any, yes: Any,
    no: Any, phi: Any, player: Any,
) -> Any:  # fmt: skip
    """Enter and leave the edge to a leaf, whose four coefficients for each k are multiplied by its output.

    The coefficient after the last k is the output itself, for rows in neither mask.
    """

    def emit(
        e: Emitter, _s: Any, source: Any, _h: Any, target: Any, first: Any, _f: Any, at: Any, size: Any, yes: Any,
        no: Any, _phi: Any, player: Any,
    ) -> None:  # fmt: skip
        c, parent, factor = e.pointer(0, source), e.pointer(2, target), e.pointer(5, at)
        sum_yes, sum_no, first = e.sum_variable(), e.sum_variable(), e.truth(first)
        yes_rows, no_rows = e.rows(yes), e.rows(no)
        neither = e.scalar(factor, e.times(size, 4))
        with e.each(size, 4) as (lane, k):
            value = e.load(e.at(c, lane))
            chosen = e.choose(yes_rows, no_rows, e.scalar(factor, k), e.scalar(factor, e.plus(k, 1)), neither)
            e.add_to(sum_yes, e.multiply(value, e.scalar(factor, e.plus(k, 2))))
            e.add_to(sum_no, e.multiply(value, e.scalar(factor, e.plus(k, 3))))
            e.set_or_add(e.at(parent, lane), e.multiply(value, chosen), first)
        e.add_chosen(e.pointer(10, player), yes, no, sum_yes, sum_no)

    return operation(emit, stack, source, sums, target, first, coef, at, size, yes, no, phi, player)


@kernel_operation
def visit_pair(
    _c: Any, stack: Any, source: Any, sums: Any, target: Any, first: Any, coef: Any, at: Any, size: Any, yes: Any,
    no: Any, left: Any, right: Any, phi: Any, player: Any, split_player: Any,
) -> Any:  # fmt: skip
    """Enter an edge to a split with two leaves, visit both leaves, and leave the edge.

    There are eight coefficients for each k: entering (2), leaving (2), and for rows that go `left` and `right` the sum
    of the leaves (2) and its derivative by the split's player (2). The coefficient after the last k is the sum of the
    leaves for rows in neither mask.
    """

    def emit(
        e: Emitter, _s: Any, source: Any, _h: Any, target: Any, first: Any, _f: Any, at: Any, size: Any, yes: Any,
        no: Any, left: Any, right: Any, _phi: Any, player: Any, split_player: Any,
    ) -> None:  # fmt: skip
        c, parent, factor = e.pointer(0, source), e.pointer(2, target), e.pointer(5, at)
        sums_of = [e.sum_variable() for _ in range(4)]
        first = e.truth(first)
        edge, split = (e.rows(yes), e.rows(no)), (e.rows(left), e.rows(right))
        one, neither = e.spread(ir.Constant(DOUBLE, 1.0)), e.scalar(factor, e.times(size, 8))
        with e.each(size, 8) as (lane, k):
            f = [e.scalar(factor, e.plus(k, i)) for i in range(8)]
            value = e.multiply(e.load(e.at(c, lane)), e.choose(*edge, f[0], f[1], one))
            e.add_to(sums_of[2], e.multiply(value, f[6]))
            e.add_to(sums_of[3], e.multiply(value, f[7]))
            value = e.multiply(value, e.choose(*split, f[4], f[5], neither))
            e.add_to(sums_of[0], e.multiply(value, f[2]))
            e.add_to(sums_of[1], e.multiply(value, f[3]))
            e.set_or_add(e.at(parent, lane), value, first)
        e.add_chosen(e.pointer(12, split_player), left, right, sums_of[2], sums_of[3])
        e.add_chosen(e.pointer(12, player), yes, no, sums_of[0], sums_of[1])

    return operation(
        emit, stack, source, sums, target, first, coef, at, size, yes, no, left, right, phi, player, split_player
    )


@kernel_operation
def scale(_context: Any, stack: Any, source: Any, sums: Any, target: Any, size: Any, number: Any) -> Any:
    """Set ``sums[target, k] = stack[source, k] * number``, k < size."""

    def emit(e: Emitter, _s: Any, source: Any, _h: Any, target: Any, size: Any, number: Any) -> None:
        c, h, factor = e.pointer(0, source), e.pointer(2, target), e.spread(number)
        with e.each(size, 0) as (lane, _):
            e.store(e.multiply(e.load(e.at(c, lane)), factor), e.at(h, lane))

    return operation(emit, stack, source, sums, target, size, number)


@kernel_operation
def find_slopes(
    _c: Any, sums: Any, source: Any, coef: Any, at: Any, size: Any, yes: Any, no: Any, failed: Any, failed_at: Any,
    slopes: Any,
) -> Any:  # fmt: skip
    """Set ``slopes[k] = sums[source, k] * (coef[at + 4k + 2] | coef[at + 4k + 3] | 0)``, the edge's own derivative.

    Also ``slopes[size] = sum_k slopes[k] * failed[failed_at + k]``, the mixed derivative with a failed player.
    """

    def emit(
        e: Emitter, _h: Any, source: Any, _f: Any, at: Any, size: Any, yes: Any, no: Any, _x: Any, failed_at: Any,
        _s: Any,
    ) -> None:  # fmt: skip
        h, factor, other, slope = (
            e.pointer(0, source),
            e.pointer(2, at),
            e.pointer(7, failed_at),
            e.pointer(9, e.word(0)),
        )
        yes, no, total = e.rows(yes), e.rows(no), e.sum_variable()
        with e.each(size, 4) as (lane, k):
            chosen = e.choose(
                yes, no, e.scalar(factor, e.plus(k, 2)), e.scalar(factor, e.plus(k, 3)), ir.Constant(VECTOR, None)
            )
            value = e.multiply(e.load(e.at(h, lane)), chosen)
            e.store(value, e.at(slope, lane))
            e.add_to(total, e.multiply(value, e.scalar(other, e.builder.udiv(lane, e.word(LANES)))))
        e.store(e.builder.load(total), e.at(slope, e.times(size, LANES)))

    return operation(emit, sums, source, coef, at, size, yes, no, failed, failed_at, slopes)


@kernel_operation
def add_mixed(_context: Any, slopes: Any, passed: Any, at: Any, size: Any, yes: Any, phi: Any, target: Any) -> Any:
    """Add ``sum_k slopes[k] * passed[at + k]`` to ``phi[target]`` for rows in `yes`, ``slopes[size]`` for the others."""

    def emit(e: Emitter, _s: Any, _p: Any, at: Any, size: Any, yes: Any, _phi: Any, target: Any) -> None:
        slope, factor, total = e.pointer(0, e.word(0)), e.pointer(1, at), e.sum_variable()
        with e.each(size, 1) as (lane, k):
            e.add_to(total, e.multiply(e.load(e.at(slope, lane)), e.scalar(factor, k)))
        otherwise = e.load(e.at(slope, e.times(size, LANES)))
        chosen = e.builder.select(e.rows(yes), e.builder.load(total), otherwise)
        e.add_at(e.pointer(5, target), chosen)

    return operation(emit, slopes, passed, at, size, yes, phi, target)
