"""The instructions that vector operations on blocks of LANES rows are made of.

The compiler vectorises a loop over rows only if it can prove that the arrays do not overlap, which it cannot for stacks
in one array. The operations in `_simd` and `_quadrature_steps` therefore load, compute and store LANES float64 numbers
at once, as LLVM instructions. A set of rows is a *mask*: a uint64 whose bit r stands for row r of the block. Offsets
count elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numba.core.cgutils
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from automl_explain.explainers.compiled._arrays import ENTRY, LANES

cgutils: Any = numba.core.cgutils

DOUBLE = ir.DoubleType()
WORD = ir.IntType(64)
MASK = ir.IntType(LANES)
VECTOR = ir.VectorType(DOUBLE, LANES)
BITS = ir.VectorType(ir.IntType(1), LANES)
INDEX = ir.VectorType(ir.IntType(32), LANES)
_FUSE = ("contract",)


def kernel_operation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let kernels call an operation, without its first parameter, the typing context."""
    return cast(Callable[..., Any], intrinsic(function))


class Emitter:
    """Short names for the instructions of which operations consist; vectors have `width` float64 numbers."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any, width: int = LANES) -> None:
        self.context, self.builder, self.width = context, builder, width
        self.types, self.arguments = signature.args, arguments
        self.vector = ir.VectorType(DOUBLE, width)

    def pointer(self, argument: int, offset: Any) -> Any:
        array = self.context.make_array(self.types[argument])(self.context, self.builder, self.arguments[argument])
        return self.builder.gep(array.data, [offset])

    def word(self, value: int) -> Any:
        return ir.Constant(WORD, value)

    def load(self, pointer: Any, kind: Any = None) -> Any:
        value = self.builder.load(self.builder.bitcast(pointer, (kind or self.vector).as_pointer()))
        value.align = 4
        return value

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer())).align = 4

    def scalar(self, pointer: Any, index: Any) -> Any:
        return self.spread(self.builder.load(self.builder.gep(pointer, [index])))

    def coefficient(self, pointer: Any, number: int, size: Any, k: Any) -> Any:
        """Return coefficient `number` of an edge at node k; there is one for each of `size` nodes."""
        return self.scalar(pointer, self.builder.add(self.times(size, number), k))

    def spread(self, value: Any, width: int = LANES) -> Any:
        vector, places = ir.VectorType(value.type, width), ir.VectorType(ir.IntType(32), width)
        first = self.builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), ir.Constant(places, None))

    def lacking(self, pointer: Any, bit: Any) -> Any:
        """Return which of ENTRY words lack a bit."""
        kind = ir.VectorType(WORD, ENTRY)
        found = self.builder.and_(self.load(pointer, kind), self.spread(self.builder.shl(self.word(1), bit), ENTRY))
        return self.builder.icmp_unsigned("==", found, ir.Constant(kind, None))

    def rows(self, mask: Any) -> Any:
        return self.builder.bitcast(self.builder.trunc(mask, MASK), BITS)

    def mask(self, rows: Any) -> Any:
        return self.builder.zext(self.builder.bitcast(rows, MASK), WORD)

    def multiply(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=_FUSE)

    def add(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b, flags=_FUSE)

    def choose(self, yes: Any, no: Any, if_yes: Any, if_no: Any, otherwise: Any) -> Any:
        return self.builder.select(yes, if_yes, self.builder.select(no, if_no, otherwise))

    def sum_variable(self) -> Any:
        return cgutils.alloca_once_value(self.builder, ir.Constant(VECTOR, None))

    def add_to(self, variable: Any, value: Any) -> None:
        self.builder.store(self.add(self.builder.load(variable), value), variable)

    def set_or_add(self, pointer: Any, value: Any, first: Any) -> None:
        self.store(self.builder.select(first, value, self.add(self.load(pointer), value)), pointer)

    def add_at(self, pointer: Any, value: Any) -> None:
        self.store(self.add(self.load(pointer), value), pointer)

    def add_chosen(self, pointer: Any, yes: Any, no: Any, if_yes: Any, if_no: Any) -> None:
        zero = ir.Constant(VECTOR, None)
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
    def each(self, size: Any) -> Iterator[tuple[Any, Any]]:
        """Loop over the quadrature nodes of a block of rows; yields the offset of a node's lanes, and the node."""
        with cgutils.for_range(self.builder, size) as loop:
            yield self.times(loop.index, LANES), loop.index

    def each_vector(self, size: Any, step: Callable[[Any], None]) -> None:
        """Take a step for each vector of `size` > 0 numbers, given its offset. Most have one vector: no loop is entered."""
        step(self.word(0))
        n_vectors = self.builder.udiv(self.plus(size, self.width - 1), self.word(self.width))
        with cgutils.for_range_slice(self.builder, self.word(1), n_vectors, self.word(1)) as (index, _):
            step(self.times(index, self.width))


def operation(emit: Any, *arguments: Any, returns: Any = types.void, width: int = LANES) -> Any:
    """Return the signature and code generator of an operation; integers become 64-bit words."""
    words = [types.uint64 if isinstance(a, types.Integer) else a for a in arguments]

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        result = emit(Emitter(context, builder, signature, values, width), *values)
        return context.get_dummy_value() if result is None else result

    return returns(*words), generate
