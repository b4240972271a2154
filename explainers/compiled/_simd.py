"""Vector operations on blocks of rows: masks, sums, patterns, and bits of words."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from automl_explain.explainers.compiled._arrays import ENTRY, LANES
from automl_explain.explainers.compiled._emitter import (
    DOUBLE,
    INDEX,
    VECTOR,
    WORD,
    Emitter,
    cgutils,
    kernel_operation,
    operation,
)


@kernel_operation
def rows_below(_context: Any, x: Any, at: Any, threshold: Any, with_nan: Any) -> Any:
    """Return the mask of the rows with ``x[at + r] <= threshold``, and of those with NaN if `with_nan` is not 0."""

    def emit(e: Emitter, _x: Any, at: Any, threshold: Any, with_nan: Any) -> Any:
        value = e.load(e.pointer(0, at))
        below = e.mask(e.builder.fcmp_ordered("<=", value, e.spread(threshold)))
        missing = e.mask(e.builder.fcmp_unordered("uno", value, value))
        taken = e.builder.select(e.truth(with_nan), missing, e.word(0))
        return e.builder.or_(below, taken)

    return operation(emit, x, at, threshold, with_nan, returns=types.uint64)


@kernel_operation
def add_for_rows(_context: Any, sums: Any, at: Any, rows: Any, number: Any) -> Any:
    """Add `number` to ``sums[at + r]`` for the rows r of a mask."""

    def emit(e: Emitter, _s: Any, at: Any, rows: Any, number: Any) -> None:
        e.add_at(e.pointer(0, at), e.builder.select(e.rows(rows), e.spread(number), ir.Constant(VECTOR, None)))

    return operation(emit, sums, at, rows, number)


@kernel_operation
def gather_patterns(_context: Any, masks: Any, sources: Any, first: Any, count: Any, patterns: Any, at: Any) -> Any:
    """Transpose `count` masks: bit j of ``patterns[at + r]`` is bit r of ``masks[sources[first + j]]``."""

    def emit(e: Emitter, _m: Any, _s: Any, first: Any, count: Any, _p: Any, at: Any) -> None:
        mask, source, b = e.pointer(0, e.word(0)), e.pointer(1, first), e.builder
        pattern = cgutils.alloca_once_value(b, ir.Constant(INDEX, None))
        with cgutils.for_range(b, count) as loop:
            rows = e.rows(b.load(e.at(mask, b.sext(b.load(e.at(source, loop.index)), WORD))))
            bit = e.spread(b.trunc(b.shl(e.word(1), loop.index), ir.IntType(32)))
            chosen = b.select(rows, bit, ir.Constant(INDEX, None))
            b.store(b.or_(b.load(pattern), chosen), pattern)
        e.store(b.load(pattern), e.pointer(4, at))

    return operation(emit, masks, sources, first, count, patterns, at)


@kernel_operation
def add_entries(
    _context: Any, entries: Any, first_entry: Any, group: Any, count: Any, patterns: Any, row: Any, stride: Any,
    sums: Any, to: Any,
) -> Any:  # fmt: skip
    """Add one entry of each of `count` tables to `stride` numbers, a multiple of ENTRY, from ``sums[to]`` on.

    The entry of table i is ``entries[first_entry[group + i] + patterns[i * LANES + row] * stride:]``.
    """

    def emit(
        e: Emitter, _e: Any, _f: Any, group: Any, count: Any, _p: Any, row: Any, stride: Any, _s: Any, to: Any
    ) -> None:
        b, start, pattern = e.builder, e.pointer(1, group), e.pointer(4, row)

        def add_wide(width: int) -> None:
            kind = ir.VectorType(DOUBLE, width)
            with cgutils.for_range(b, b.udiv(stride, e.word(width))) as part:
                column = e.times(part.index, width)
                target, total = e.pointer(7, b.add(to, column)), cgutils.alloca_once(b, kind)
                b.store(e.load(target, kind), total)
                with cgutils.for_range(b, count) as table:
                    index = b.zext(b.load(e.at(pattern, e.times(table.index, LANES))), WORD)
                    at = b.add(b.load(e.at(start, table.index)), b.add(b.mul(index, stride), column))
                    b.store(e.add(b.load(total), e.load(e.pointer(0, at), kind)), total)
                e.store(b.load(total), target)

        whole = b.icmp_unsigned("==", b.urem(stride, e.word(2 * ENTRY)), e.word(0))
        with b.if_else(whole) as (then, otherwise):
            with then:
                add_wide(2 * ENTRY)
            with otherwise:
                add_wide(ENTRY)

    return operation(emit, entries, first_entry, group, count, patterns, row, stride, sums, to)


@kernel_operation
def count_bits(_context: Any, word: Any) -> Any:
    """Return the number of set bits."""

    def emit(e: Emitter, word: Any) -> Any:
        return e.builder.ctpop(word)

    return operation(emit, word, returns=types.int64)


@kernel_operation
def first_bit(_context: Any, word: Any) -> Any:
    """Return the position of the lowest set bit of a nonzero word."""

    def emit(e: Emitter, word: Any) -> Any:
        return e.builder.cttz(word, ir.Constant(ir.IntType(1), 1))

    return operation(emit, word, returns=types.int64)


@kernel_operation
def count_without(_context: Any, words: Any, size: Any, bit: Any) -> Any:
    """Return how many of the first `size` * ENTRY words lack a bit."""

    def emit(e: Emitter, _w: Any, size: Any, bit: Any) -> Any:
        b, pointer, total = e.builder, e.pointer(0, e.word(0)), cgutils.alloca_once_value(e.builder, e.word(0))
        with cgutils.for_range(b, size) as part:
            lacking = e.lacking(e.at(pointer, e.times(part.index, ENTRY)), bit)
            count = b.zext(b.ctpop(b.bitcast(lacking, ir.IntType(ENTRY))), WORD)
            b.store(b.add(b.load(total), count), total)
        return b.load(total)

    return operation(emit, words, size, bit, returns=types.int64)


@kernel_operation
def add_without(_context: Any, words: Any, size: Any, bit: Any, number: Any, sums: Any) -> Any:
    """Add `number` to ``sums[j]`` for each of the first `size` * ENTRY words j that lack a bit."""

    def emit(e: Emitter, _w: Any, size: Any, bit: Any, number: Any, _s: Any) -> None:
        b, pointer, kind = e.builder, e.pointer(0, e.word(0)), ir.VectorType(DOUBLE, ENTRY)
        given = e.spread(number, ENTRY)
        with cgutils.for_range(b, size) as part:
            index = e.times(part.index, ENTRY)
            added = b.select(e.lacking(e.at(pointer, index), bit), given, ir.Constant(kind, None))
            target = e.at(e.pointer(4, e.word(0)), index)
            e.store(e.add(e.load(target, kind), added), target)

    return operation(emit, words, size, bit, number, sums)


@kernel_operation
def add_where_equal(
    _c: Any, words: Any, at: Any, count: Any, tested: Any, wanted: Any, number: Any, sums: Any, to: Any
) -> Any:
    """Add `number` to ``sums[to + i]`` where ``words[at + i] & tested == wanted``, i < count, a multiple of LANES."""

    def emit(e: Emitter, _w: Any, at: Any, count: Any, tested: Any, wanted: Any, number: Any, _s: Any, to: Any) -> None:
        b, kind = e.builder, ir.VectorType(WORD, LANES)
        word, total = e.pointer(0, at), e.pointer(6, to)
        tested, wanted, number = e.spread(tested), e.spread(wanted), e.spread(number)
        with cgutils.for_range(b, b.udiv(count, e.word(LANES))) as part:
            index = e.times(part.index, LANES)
            fits = b.icmp_unsigned("==", b.and_(e.load(e.at(word, index), kind), tested), wanted)
            target = e.at(total, index)
            e.store(e.add(e.load(target), b.select(fits, number, ir.Constant(VECTOR, None))), target)

    return operation(emit, words, at, count, tested, wanted, number, sums, to)
