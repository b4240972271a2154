"""Vector operations for the steps of path-dependent walks, over all quadrature nodes.

A step has several coefficients for each of its `size` nodes; ``f_i[k]`` is coefficient i of node k, at ``at + i * size + k`` of
`coef`. The masks `yes` and `no` hold the rows that pass an edge's player, and those that fail it at this edge; rows in neither
have failed it above.

A vector holds the rows of a block. In the last two operations, which are for a single row, it holds quadrature nodes; the last
vector reaches past them, where the weights are 0.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from automl_explain.explainers.compiled._arrays import LANES, NODES
from automl_explain.explainers.compiled._emitter import (
    DOUBLE,
    VECTOR,
    Emitter,
    kernel_operation,
    operation,
)


@kernel_operation
def enter(_c: Any, stack: Any, source: Any, target: Any, coef: Any, at: Any, size: Any, yes: Any, no: Any) -> Any:
    """Enter an edge: ``stack[target, k] = stack[source, k] * (f_0[k] | f_1[k] | 1)``.

    The three alternatives are for rows in the mask `yes`, in the mask `no`, and in neither.
    """

    def emit(e: Emitter, _s: Any, source: Any, target: Any, _f: Any, at: Any, size: Any, yes: Any, no: Any) -> None:
        c, new, factor = e.pointer(0, source), e.pointer(0, target), e.pointer(3, at)
        yes, no, one = e.rows(yes), e.rows(no), e.spread(ir.Constant(DOUBLE, 1.0))
        with e.each(size) as (lane, k):
            f = [e.coefficient(factor, i, size, k) for i in range(2)]
            e.store(e.multiply(e.load(e.at(c, lane)), e.choose(yes, no, f[0], f[1], one)), e.at(new, lane))

    return operation(emit, stack, source, target, coef, at, size, yes, no)


@kernel_operation
def leave(
    _c: Any, sums: Any, source: Any, target: Any, first: Any, coef: Any, at: Any, size: Any, yes: Any,
    no: Any, phi: Any, player: Any,
) -> Any:  # fmt: skip
    """Leave an edge: ``phi[player] += sum_k sums[source, k] * (f_2[k] | f_3[k] | 0)``.

    Also ``sums[target] += sums[source]``, or ``=`` when `first` is not 0.
    """

    def emit(
        e: Emitter, _h: Any, source: Any, target: Any, first: Any, _f: Any, at: Any, size: Any, yes: Any, no: Any,
        _phi: Any, player: Any,
    ) -> None:  # fmt: skip
        h, parent, factor = e.pointer(0, source), e.pointer(0, target), e.pointer(4, at)
        sum_yes, sum_no, first = e.sum_variable(), e.sum_variable(), e.truth(first)
        with e.each(size) as (lane, k):
            value = e.load(e.at(h, lane))
            e.add_to(sum_yes, e.multiply(value, e.coefficient(factor, 2, size, k)))
            e.add_to(sum_no, e.multiply(value, e.coefficient(factor, 3, size, k)))
            e.set_or_add(e.at(parent, lane), value, first)
        e.add_chosen(e.pointer(9, player), yes, no, sum_yes, sum_no)

    return operation(emit, sums, source, target, first, coef, at, size, yes, no, phi, player)


@kernel_operation
def visit_leaf(
    _c: Any, stack: Any, source: Any, sums: Any, target: Any, first: Any, coef: Any, at: Any, size: Any,
    yes: Any, no: Any, phi: Any, player: Any,
) -> Any:  # fmt: skip
    """Enter and leave the edge to a leaf, whose four coefficients for each k are multiplied by its output.

    The number after them is the output itself, for rows in neither mask.
    """

    def emit(
        e: Emitter, _s: Any, source: Any, _h: Any, target: Any, first: Any, _f: Any, at: Any, size: Any, yes: Any,
        no: Any, _phi: Any, player: Any,
    ) -> None:  # fmt: skip
        c, parent, factor = e.pointer(0, source), e.pointer(2, target), e.pointer(5, at)
        sum_yes, sum_no, first = e.sum_variable(), e.sum_variable(), e.truth(first)
        yes_rows, no_rows, neither = e.rows(yes), e.rows(no), e.scalar(factor, e.times(size, 4))
        with e.each(size) as (lane, k):
            f = [e.coefficient(factor, i, size, k) for i in range(4)]
            value = e.load(e.at(c, lane))
            e.add_to(sum_yes, e.multiply(value, f[2]))
            e.add_to(sum_no, e.multiply(value, f[3]))
            chosen = e.choose(yes_rows, no_rows, f[0], f[1], neither)
            e.set_or_add(e.at(parent, lane), e.multiply(value, chosen), first)
        e.add_chosen(e.pointer(10, player), yes, no, sum_yes, sum_no)

    return operation(emit, stack, source, sums, target, first, coef, at, size, yes, no, phi, player)


@kernel_operation
def visit_pair(
    _c: Any, stack: Any, source: Any, sums: Any, target: Any, first: Any, coef: Any, at: Any, size: Any,
    yes: Any, no: Any, left: Any, right: Any, phi: Any, player: Any, split_player: Any,
) -> Any:  # fmt: skip
    """Enter an edge to a split with two leaves, visit both leaves, and leave the edge.

    There are eight coefficients for each k: entering (2), leaving (2), and for rows that go `left` and `right` the sum
    of the leaves (2) and its derivative by the split's player (2). The number after them is the sum of the leaves for
    rows in neither mask.
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
        with e.each(size) as (lane, k):
            f = [e.coefficient(factor, i, size, k) for i in range(8)]
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
        emit, stack, source, sums, target, first, coef, at, size, yes, no, left, right, phi, player,
        split_player,
    )  # fmt: skip


@kernel_operation
def scale(_context: Any, stack: Any, source: Any, sums: Any, target: Any, size: Any, number: Any) -> Any:
    """Set ``sums[target, k] = stack[source, k] * number``, k < size."""

    def emit(e: Emitter, _s: Any, source: Any, _h: Any, target: Any, size: Any, number: Any) -> None:
        c, h, factor = e.pointer(0, source), e.pointer(2, target), e.spread(number)
        with e.each(size) as (lane, _):
            e.store(e.multiply(e.load(e.at(c, lane)), factor), e.at(h, lane))

    return operation(emit, stack, source, sums, target, size, number)


@kernel_operation
def find_slopes(
    _c: Any, sums: Any, source: Any, coef: Any, at: Any, size: Any, yes: Any, no: Any, failed: Any, failed_at: Any,
    slopes: Any,
) -> Any:  # fmt: skip
    """Set ``slopes[k] = sums[source, k] * (f_2[k] | f_3[k] | 0)``, the edge's own derivative.

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
        with e.each(size) as (lane, k):
            f = [e.coefficient(factor, i, size, k) for i in (2, 3)]
            value = e.multiply(e.load(e.at(h, lane)), e.choose(yes, no, f[0], f[1], ir.Constant(VECTOR, None)))
            e.store(value, e.at(slope, lane))
            e.add_to(total, e.multiply(value, e.scalar(other, k)))
        e.store(e.builder.load(total), e.at(slope, e.times(size, LANES)))

    return operation(emit, sums, source, coef, at, size, yes, no, failed, failed_at, slopes)


@kernel_operation
def add_mixed(_context: Any, slopes: Any, passed: Any, at: Any, size: Any, yes: Any, phi: Any, target: Any) -> Any:
    """Add ``sum_k slopes[k] * passed[at + k]`` to ``phi[target]`` for rows in `yes`, ``slopes[size]`` for the others."""

    def emit(e: Emitter, _s: Any, _p: Any, at: Any, size: Any, yes: Any, _phi: Any, target: Any) -> None:
        slope, factor, total = e.pointer(0, e.word(0)), e.pointer(1, at), e.sum_variable()
        with e.each(size) as (lane, k):
            e.add_to(total, e.multiply(e.load(e.at(slope, lane)), e.scalar(factor, k)))
        otherwise = e.load(e.at(slope, e.times(size, LANES)))
        chosen = e.builder.select(e.rows(yes), e.builder.load(total), otherwise)
        e.add_at(e.pointer(5, target), chosen)

    return operation(emit, slopes, passed, at, size, yes, phi, target)


@kernel_operation
def go_down(
    _context: Any, stack: Any, source: Any, sums: Any, target: Any, coef: Any, at: Any, size: Any, output: Any
) -> Any:
    """Enter an edge: ``stack[target, k] = stack[source, k] * coef[at + k]``, and multiply that by the output of a leaf.

    The products are ``sums[target, k]``.
    """

    def emit(e: Emitter, _s: Any, source: Any, _h: Any, target: Any, _f: Any, at: Any, size: Any, output: Any) -> None:
        c, new, h, factor = e.pointer(0, source), e.pointer(0, target), e.pointer(2, target), e.pointer(4, at)
        output = e.spread(output, NODES)

        def step(k: Any) -> None:
            value = e.multiply(e.load(e.at(c, k)), e.load(e.at(factor, k)))
            e.store(value, e.at(new, k))
            e.store(e.multiply(value, output), e.at(h, k))

        e.each_vector(size, step)

    return operation(emit, stack, source, sums, target, coef, at, size, output, width=NODES)


@kernel_operation
def go_up(
    _context: Any, sums: Any, left: Any, right: Any, target: Any, coef: Any, at_left: Any, at_right: Any, size: Any,
    phi: Any, player: Any,
) -> Any:  # fmt: skip
    """Leave the two edges of a split: ``sums[target, k] = sums[left, k] + sums[right, k]``.

    Also add ``sums[left, k] * coef[at_left + k] + sums[right, k] * coef[at_right + k]`` to the NODES numbers from
    ``phi[player]`` on, which are parts of a value.
    """

    def emit(
        e: Emitter, _h: Any, left: Any, right: Any, target: Any, _f: Any, at_left: Any, at_right: Any, size: Any,
        _phi: Any, player: Any,
    ) -> None:  # fmt: skip
        one, other, new, value = e.pointer(0, left), e.pointer(0, right), e.pointer(0, target), e.pointer(8, player)
        slope, other_slope = e.pointer(4, at_left), e.pointer(4, at_right)

        def step(k: Any) -> None:
            a, b = e.load(e.at(one, k)), e.load(e.at(other, k))
            e.store(e.add(a, b), e.at(new, k))
            change = e.add(e.load(value), e.multiply(a, e.load(e.at(slope, k))))
            e.store(e.add(change, e.multiply(b, e.load(e.at(other_slope, k)))), value)

        e.each_vector(size, step)

    return operation(emit, sums, left, right, target, coef, at_left, at_right, size, phi, player, width=NODES)
