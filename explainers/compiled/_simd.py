"""Vector operations on blocks of 16 rows, as LLVM instructions.

The compiler vectorises loops over rows only when it can prove that their arrays do not overlap, which it cannot for
stacks that live in one array. These functions load, compute and store 16 float64 lanes at once, so that no proof is
needed. A set of rows is a *mask*: a uint64 whose bit r stands for row r of the block. Offsets count elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numba.core.cgutils
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

cgutils: Any = numba.core.cgutils

LANES = 16
"""Rows of a block."""
ALL_ROWS = (1 << LANES) - 1
"""Mask of a whole block."""
ENTRY = 8
"""Numbers that `add_entries` adds at once."""

_DOUBLE = ir.DoubleType()
_WORD = ir.IntType(64)
_MASK = ir.IntType(LANES)
_VECTOR = ir.VectorType(_DOUBLE, LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)
_INDEX = ir.VectorType(ir.IntType(32), LANES)
_FUSE = ("contract",)


def _kernel_operation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let kernels call an operation; its first parameter, the typing context, is not theirs to give."""
    return cast(Callable[..., Any], intrinsic(function))


class _Emitter:
    """Short names for the instructions that the operations below are made of."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder = context, builder
        self.types, self.arguments = signature.args, arguments

    def pointer(self, argument: int, offset: Any) -> Any:
        array = self.context.make_array(self.types[argument])(self.context, self.builder, self.arguments[argument])
        return self.builder.gep(array.data, [offset])

    def word(self, value: int) -> Any:
        return ir.Constant(_WORD, value)

    def load(self, pointer: Any, kind: Any = _VECTOR) -> Any:
        value = self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()))
        value.align = 4
        return value

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer())).align = 4

    def scalar(self, pointer: Any, index: Any) -> Any:
        return self.spread(self.builder.load(self.builder.gep(pointer, [index])))

    def spread(self, value: Any, width: int = LANES) -> Any:
        vector, places = ir.VectorType(value.type, width), ir.VectorType(ir.IntType(32), width)
        first = self.builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), ir.Constant(places, None))

    def lacking(self, pointer: Any, bit: Any) -> Any:
        """Return which of ENTRY words lack a bit."""
        kind = ir.VectorType(_WORD, ENTRY)
        found = self.builder.and_(self.load(pointer, kind), self.spread(self.builder.shl(self.word(1), bit), ENTRY))
        return self.builder.icmp_unsigned("==", found, ir.Constant(kind, None))

    def rows(self, mask: Any) -> Any:
        return self.builder.bitcast(self.builder.trunc(mask, _MASK), _BITS)

    def mask(self, rows: Any) -> Any:
        return self.builder.zext(self.builder.bitcast(rows, _MASK), _WORD)

    def multiply(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=_FUSE)

    def add(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b, flags=_FUSE)

    def choose(self, yes: Any, no: Any, if_yes: Any, if_no: Any, otherwise: Any) -> Any:
        return self.builder.select(yes, if_yes, self.builder.select(no, if_no, otherwise))

    def sum_variable(self) -> Any:
        return cgutils.alloca_once_value(self.builder, ir.Constant(_VECTOR, None))

    def add_to(self, variable: Any, value: Any) -> None:
        self.builder.store(self.add(self.builder.load(variable), value), variable)

    def set_or_add(self, pointer: Any, value: Any, first: Any) -> None:
        self.store(self.builder.select(first, value, self.add(self.load(pointer), value)), pointer)

    def add_at(self, pointer: Any, value: Any) -> None:
        self.store(self.add(self.load(pointer), value), pointer)

    def add_chosen(self, pointer: Any, yes: Any, no: Any, if_yes: Any, if_no: Any) -> None:
        zero = ir.Constant(_VECTOR, None)
        chosen = self.choose(self.rows(yes), self.rows(no), self.builder.load(if_yes), self.builder.load(if_no), zero)
        self.store(self.add(self.load(pointer), chosen), pointer)

    def truth(self, word: Any) -> Any:
        return self.builder.icmp_unsigned("!=", word, self.word(0))

    def at(self, pointer: Any, offset: Any) -> Any:
        return self.builder.gep(pointer, [offset])

    def plus(self, word: Any, number: int) -> Any:
        return self.builder.add(word, self.word(number))

    def times(self, word: Any, number: int) -> Any:
        return self.builder.mul(word, self.word(number))

    @contextmanager
    def each(self, size: Any, n_coefficients: int) -> Iterator[tuple[Any, Any]]:
        """Loop over the quadrature nodes; yields the offsets of a node's lanes and of its coefficients."""
        with cgutils.for_range(self.builder, size) as loop:
            yield self.times(loop.index, LANES), self.times(loop.index, n_coefficients)


def _operation(emit: Any, *arguments: Any, returns: Any = types.void) -> Any:
    """Return the signature and code generator of an operation; numbers that are no floats become 64-bit words."""
    words = [types.uint64 if isinstance(a, types.Integer) else a for a in arguments]

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        result = emit(_Emitter(context, builder, signature, values), *values)
        return context.get_dummy_value() if result is None else result

    return returns(*words), generate


@_kernel_operation
def rows_below(_context: Any, x: Any, at: Any, threshold: Any, with_nan: Any) -> Any:
    """Return the mask of the rows with ``x[at + r] <= threshold``, and of those with NaN if `with_nan` is not 0."""

    def emit(e: _Emitter, _x: Any, at: Any, threshold: Any, with_nan: Any) -> Any:
        value = e.load(e.pointer(0, at))
        below = e.mask(e.builder.fcmp_ordered("<=", value, e.spread(threshold)))
        missing = e.mask(e.builder.fcmp_unordered("uno", value, value))
        taken = e.builder.select(e.truth(with_nan), missing, e.word(0))
        return e.builder.or_(below, taken)

    return _operation(emit, x, at, threshold, with_nan, returns=types.uint64)


@_kernel_operation
def enter(_c: Any, stack: Any, source: Any, target: Any, coef: Any, at: Any, size: Any, yes: Any, no: Any) -> Any:
    """Enter an edge: ``stack[target, k] = stack[source, k] * (coef[at + 4k] | coef[at + 4k + 1] | 1)``, k < size.

    The three choices are those for the rows of the mask `yes`, of the mask `no`, and of neither.
    """

    def emit(e: _Emitter, _s: Any, source: Any, target: Any, _f: Any, at: Any, size: Any, yes: Any, no: Any) -> None:
        c, new, factor = e.pointer(0, source), e.pointer(0, target), e.pointer(3, at)
        yes, no, one = e.rows(yes), e.rows(no), e.spread(ir.Constant(_DOUBLE, 1.0))
        with e.each(size, 4) as (lane, k):
            chosen = e.choose(yes, no, e.scalar(factor, k), e.scalar(factor, e.plus(k, 1)), one)
            e.store(e.multiply(e.load(e.at(c, lane)), chosen), e.at(new, lane))

    return _operation(emit, stack, source, target, coef, at, size, yes, no)


@_kernel_operation
def leave(
    _c: Any, sums: Any, source: Any, target: Any, first: Any, coef: Any, at: Any, size: Any, yes: Any, no: Any,
    phi: Any, player: Any,
) -> Any:  # fmt: skip
    """Leave an edge: ``phi[player] += sum_k sums[source, k] * (coef[at + 4k + 2] | coef[at + 4k + 3] | 0)``.

    Also ``sums[target] += sums[source]``, or ``=`` when `first` is not 0.
    """

    def emit(
        e: _Emitter, _h: Any, source: Any, target: Any, first: Any, _f: Any, at: Any, size: Any, yes: Any, no: Any,
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

    return _operation(emit, sums, source, target, first, coef, at, size, yes, no, phi, player)


@_kernel_operation
def visit_leaf(
    _c: Any, stack: Any, source: Any, sums: Any, target: Any, first: Any, coef: Any, at: Any, size: Any, yes: Any,
    no: Any, phi: Any, player: Any,
) -> Any:  # fmt: skip
    """Enter and leave the edge to a leaf, whose output is multiplied into its four coefficients for each k.

    The coefficient behind the last k is the output itself, for the rows of neither mask.
    """

    def emit(
        e: _Emitter, _s: Any, source: Any, _h: Any, target: Any, first: Any, _f: Any, at: Any, size: Any, yes: Any,
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

    return _operation(emit, stack, source, sums, target, first, coef, at, size, yes, no, phi, player)


@_kernel_operation
def visit_pair(
    _c: Any, stack: Any, source: Any, sums: Any, target: Any, first: Any, coef: Any, at: Any, size: Any, yes: Any,
    no: Any, left: Any, right: Any, phi: Any, player: Any, split_player: Any,
) -> Any:  # fmt: skip
    """Enter an edge to a split with two leaves, visit both, and leave it; eight coefficients for each k.

    Entering (2), leaving (2), then for the rows that go `left` and `right`: the leaves' sum (2) and its derivative by
    the split's player (2). The coefficient behind the last k is the leaves' sum for the rows of neither mask.
    """

    def emit(
        e: _Emitter, _s: Any, source: Any, _h: Any, target: Any, first: Any, _f: Any, at: Any, size: Any, yes: Any,
        no: Any, left: Any, right: Any, _phi: Any, player: Any, split_player: Any,
    ) -> None:  # fmt: skip
        c, parent, factor = e.pointer(0, source), e.pointer(2, target), e.pointer(5, at)
        sums_of = [e.sum_variable() for _ in range(4)]
        first = e.truth(first)
        edge, split = (e.rows(yes), e.rows(no)), (e.rows(left), e.rows(right))
        one, neither = e.spread(ir.Constant(_DOUBLE, 1.0)), e.scalar(factor, e.times(size, 8))
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

    return _operation(
        emit, stack, source, sums, target, first, coef, at, size, yes, no, left, right, phi, player, split_player
    )


@_kernel_operation
def scale(_context: Any, stack: Any, source: Any, sums: Any, target: Any, size: Any, number: Any) -> Any:
    """Set ``sums[target, k] = stack[source, k] * number``, k < size."""

    def emit(e: _Emitter, _s: Any, source: Any, _h: Any, target: Any, size: Any, number: Any) -> None:
        c, h, factor = e.pointer(0, source), e.pointer(2, target), e.spread(number)
        with e.each(size, 0) as (lane, _):
            e.store(e.multiply(e.load(e.at(c, lane)), factor), e.at(h, lane))

    return _operation(emit, stack, source, sums, target, size, number)


@_kernel_operation
def find_slopes(
    _c: Any, sums: Any, source: Any, coef: Any, at: Any, size: Any, yes: Any, no: Any, failed: Any, failed_at: Any,
    slopes: Any,
) -> Any:  # fmt: skip
    """Set ``slopes[k] = sums[source, k] * (coef[at + 4k + 2] | coef[at + 4k + 3] | 0)``, the edge's own derivative.

    Also ``slopes[size] = sum_k slopes[k] * failed[failed_at + k]``, the mixed one with a player that the row fails.
    """

    def emit(
        e: _Emitter, _h: Any, source: Any, _f: Any, at: Any, size: Any, yes: Any, no: Any, _x: Any, failed_at: Any,
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
                yes, no, e.scalar(factor, e.plus(k, 2)), e.scalar(factor, e.plus(k, 3)), ir.Constant(_VECTOR, None)
            )
            value = e.multiply(e.load(e.at(h, lane)), chosen)
            e.store(value, e.at(slope, lane))
            e.add_to(total, e.multiply(value, e.scalar(other, e.builder.udiv(lane, e.word(LANES)))))
        e.store(e.builder.load(total), e.at(slope, e.times(size, LANES)))

    return _operation(emit, sums, source, coef, at, size, yes, no, failed, failed_at, slopes)


@_kernel_operation
def add_mixed(_context: Any, slopes: Any, passed: Any, at: Any, size: Any, yes: Any, phi: Any, target: Any) -> Any:
    """Add ``sum_k slopes[k] * passed[at + k]`` to ``phi[target]`` for the rows `yes`, ``slopes[size]`` for the others."""

    def emit(e: _Emitter, _s: Any, _p: Any, at: Any, size: Any, yes: Any, _phi: Any, target: Any) -> None:
        slope, factor, total = e.pointer(0, e.word(0)), e.pointer(1, at), e.sum_variable()
        with e.each(size, 1) as (lane, k):
            e.add_to(total, e.multiply(e.load(e.at(slope, lane)), e.scalar(factor, k)))
        otherwise = e.load(e.at(slope, e.times(size, LANES)))
        chosen = e.builder.select(e.rows(yes), e.builder.load(total), otherwise)
        e.add_at(e.pointer(5, target), chosen)

    return _operation(emit, slopes, passed, at, size, yes, phi, target)


@_kernel_operation
def add_for_rows(_context: Any, sums: Any, at: Any, rows: Any, number: Any) -> Any:
    """Add `number` to ``sums[at + r]`` for the rows r of a mask."""

    def emit(e: _Emitter, _s: Any, at: Any, rows: Any, number: Any) -> None:
        e.add_at(e.pointer(0, at), e.builder.select(e.rows(rows), e.spread(number), ir.Constant(_VECTOR, None)))

    return _operation(emit, sums, at, rows, number)


@_kernel_operation
def gather_patterns(_context: Any, masks: Any, sources: Any, first: Any, count: Any, patterns: Any, at: Any) -> Any:
    """Turn `count` masks around: bit j of ``patterns[at + r]`` is bit r of ``masks[sources[first + j]]``."""

    def emit(e: _Emitter, _m: Any, _s: Any, first: Any, count: Any, _p: Any, at: Any) -> None:
        mask, source, b = e.pointer(0, e.word(0)), e.pointer(1, first), e.builder
        pattern = cgutils.alloca_once_value(b, ir.Constant(_INDEX, None))
        with cgutils.for_range(b, count) as loop:
            rows = e.rows(b.load(e.at(mask, b.sext(b.load(e.at(source, loop.index)), _WORD))))
            bit = e.spread(b.trunc(b.shl(e.word(1), loop.index), ir.IntType(32)))
            chosen = b.select(rows, bit, ir.Constant(_INDEX, None))
            b.store(b.or_(b.load(pattern), chosen), pattern)
        e.store(b.load(pattern), e.pointer(4, at))

    return _operation(emit, masks, sources, first, count, patterns, at)


@_kernel_operation
def add_entries(
    _context: Any, entries: Any, first_entry: Any, group: Any, count: Any, patterns: Any, row: Any, stride: Any,
    sums: Any, to: Any,
) -> Any:  # fmt: skip
    """Add one entry of each of `count` tables to `stride` numbers, a multiple of ENTRY, from ``sums[to]`` on.

    The entry of table i is ``entries[first_entry[group + i] + patterns[i * LANES + row] * stride:]``.
    """

    def emit(
        e: _Emitter, _e: Any, _f: Any, group: Any, count: Any, _p: Any, row: Any, stride: Any, _s: Any, to: Any
    ) -> None:
        b, start, pattern = e.builder, e.pointer(1, group), e.pointer(4, row)

        def add_wide(width: int) -> None:
            kind = ir.VectorType(_DOUBLE, width)
            with cgutils.for_range(b, b.udiv(stride, e.word(width))) as part:
                column = e.times(part.index, width)
                target, total = e.pointer(7, b.add(to, column)), cgutils.alloca_once(b, kind)
                b.store(e.load(target, kind), total)
                with cgutils.for_range(b, count) as table:
                    index = b.zext(b.load(e.at(pattern, e.times(table.index, LANES))), _WORD)
                    at = b.add(b.load(e.at(start, table.index)), b.add(b.mul(index, stride), column))
                    b.store(e.add(b.load(total), e.load(e.pointer(0, at), kind)), total)
                e.store(b.load(total), target)

        whole = b.icmp_unsigned("==", b.urem(stride, e.word(2 * ENTRY)), e.word(0))
        with b.if_else(whole) as (then, otherwise):
            with then:
                add_wide(2 * ENTRY)
            with otherwise:
                add_wide(ENTRY)

    return _operation(emit, entries, first_entry, group, count, patterns, row, stride, sums, to)


@_kernel_operation
def count_bits(_context: Any, word: Any) -> Any:
    """Return the number of bits that are set."""

    def emit(e: _Emitter, word: Any) -> Any:
        return e.builder.ctpop(word)

    return _operation(emit, word, returns=types.int64)


@_kernel_operation
def first_bit(_context: Any, word: Any) -> Any:
    """Return the place of the lowest bit that is set, of a word that is not 0."""

    def emit(e: _Emitter, word: Any) -> Any:
        return e.builder.cttz(word, ir.Constant(ir.IntType(1), 1))

    return _operation(emit, word, returns=types.int64)


@_kernel_operation
def count_without(_context: Any, words: Any, size: Any, bit: Any) -> Any:
    """Return how many of the first `size` * ENTRY words lack a bit."""

    def emit(e: _Emitter, _w: Any, size: Any, bit: Any) -> Any:
        b, pointer, total = e.builder, e.pointer(0, e.word(0)), cgutils.alloca_once_value(e.builder, e.word(0))
        with cgutils.for_range(b, size) as part:
            lacking = e.lacking(e.at(pointer, e.times(part.index, ENTRY)), bit)
            count = b.zext(b.ctpop(b.bitcast(lacking, ir.IntType(ENTRY))), _WORD)
            b.store(b.add(b.load(total), count), total)
        return b.load(total)

    return _operation(emit, words, size, bit, returns=types.int64)


@_kernel_operation
def add_without(_context: Any, words: Any, size: Any, bit: Any, number: Any, sums: Any) -> Any:
    """Add `number` to ``sums[j]`` for each of the first `size` * ENTRY words j that lack a bit."""

    def emit(e: _Emitter, _w: Any, size: Any, bit: Any, number: Any, _s: Any) -> None:
        b, pointer, kind = e.builder, e.pointer(0, e.word(0)), ir.VectorType(_DOUBLE, ENTRY)
        given = e.spread(number, ENTRY)
        with cgutils.for_range(b, size) as part:
            index = e.times(part.index, ENTRY)
            added = b.select(e.lacking(e.at(pointer, index), bit), given, ir.Constant(kind, None))
            target = e.at(e.pointer(4, e.word(0)), index)
            e.store(e.add(e.load(target, kind), added), target)

    return _operation(emit, words, size, bit, number, sums)


@_kernel_operation
def add_where_equal(
    _c: Any, words: Any, at: Any, count: Any, tested: Any, wanted: Any, number: Any, sums: Any, to: Any
) -> Any:
    """Add `number` to ``sums[to + i]`` where ``words[at + i] & tested == wanted``, i < count, a multiple of LANES."""

    def emit(
        e: _Emitter, _w: Any, at: Any, count: Any, tested: Any, wanted: Any, number: Any, _s: Any, to: Any
    ) -> None:
        b, kind = e.builder, ir.VectorType(_WORD, LANES)
        word, total = e.pointer(0, at), e.pointer(6, to)
        tested, wanted, number = e.spread(tested), e.spread(wanted), e.spread(number)
        with cgutils.for_range(b, b.udiv(count, e.word(LANES))) as part:
            index = e.times(part.index, LANES)
            fits = b.icmp_unsigned("==", b.and_(e.load(e.at(word, index), kind), tested), wanted)
            target = e.at(total, index)
            e.store(e.add(e.load(target), b.select(fits, number, ir.Constant(_VECTOR, None))), target)

    return _operation(emit, words, at, count, tested, wanted, number, sums, to)
