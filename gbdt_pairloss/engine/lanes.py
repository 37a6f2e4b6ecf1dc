"""Rows against columns, in vectors: the innermost loops of the direct sum, written as what the processor does.

A compiled loop over columns that keeps the sums of several rows spends more time on checks, remainders and
horizontal sums than on its 10 to 300 columns. Here the vectors are explicit: :func:`rows_by_columns` makes, of a
formula for one pair, a function that runs it for some rows and whole vectors of columns. LLVM maps the vectors to
what the processor has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_FLAGS = ("contract", "nsz")


def _vector_bytes() -> int:
    """64 with AVX-512, else 32, which narrower processors take in two steps."""
    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512f", False) else 32


#: Columns come in multiples of this many.
LANES = 16


class Vector:
    """A value of the formula: arithmetic on it becomes instructions."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self._builder, self.value = builder, value

    def _constant(self, number: float) -> ir.Value:
        kind = self.value.type
        return ir.Constant(kind, [float(number)] * kind.count)

    def _apply(self, name: str, left: Any, right: Any) -> Vector:
        left, right = (v.value if isinstance(v, Vector) else self._constant(v) for v in (left, right))
        return Vector(self._builder, getattr(self._builder, name)(left, right, flags=_FLAGS))

    def __add__(self, other: Any) -> Vector:
        return self._apply("fadd", self, other)

    def __sub__(self, other: Any) -> Vector:
        return self._apply("fsub", self, other)

    def __mul__(self, other: Any) -> Vector:
        return self._apply("fmul", self, other)

    def __truediv__(self, other: Any) -> Vector:
        return self._apply("fdiv", self, other)

    def __rtruediv__(self, other: float) -> Vector:
        return self._apply("fdiv", other, self)

    @property
    def bits(self) -> int:
        """Of each number."""
        return 32 if isinstance(self.value.type.element, ir.FloatType) else 64


def _choose(comparison: str, left: Vector, right: Vector) -> Vector:
    builder = left._builder
    met = builder.fcmp_ordered(comparison, left.value, right.value)
    return Vector(builder, builder.select(met, left.value, right.value))


def minimum(left: Vector, right: Vector) -> Vector:
    return _choose("<", left, right)


def maximum(left: Vector, right: Vector) -> Vector:
    return _choose(">", left, right)


Formula = Callable[[tuple[Vector, ...], tuple[Vector, ...]], tuple[tuple[Vector, ...], tuple[Vector, ...]]]


def is_above(left: Vector, right: Vector) -> Vector:
    """1 where left > right, else 0."""
    met = left._builder.fcmp_ordered(">", left.value, right.value)
    return Vector(left._builder, left._builder.select(met, left._constant(1.0), left._constant(0.0)))


def absolute(value: Vector) -> Vector:
    return maximum(value, value * -1.0)


def rows_by_columns(formula: Formula, n_rows: int, n_row_sums: int, n_column_sums: int) -> Any:
    """A compiled ``function(columns, rows, starts, stop, sums)``, returning the rows' sums.

    Parameters
    ----------
    formula : callable
        (values of the columns, values of a row) to (what the row sums up, what the columns sum up).
    n_rows : int
        1, 2 or 4.
    n_row_sums, n_column_sums : int
        How many numbers the formula returns of each kind.

    Returns
    -------
    function : callable
        Of these arguments: ``columns``, a tuple of arrays; ``rows``, a tuple of a tuple of numbers for each row;
        ``starts``, the first column of each row, ascending; ``stop``, the end of the last row's columns, up to which
        the columns are rounded up to whole multiples of LANES from the last start on (columns beyond ``stop`` must
        contribute 0); ``sums``, a tuple of arrays that the columns' sums are added to. It returns a flat tuple: the
        first sum of each row, then the second of each, ...
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def function(typing_context: Any, columns: Any, rows: Any, starts: Any, stop: Any, sums: Any) -> Any:
        element = columns.dtype.dtype
        signature = types.UniTuple(element, n_rows * n_row_sums)(columns, rows, starts, stop, sums)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            block = _Block(context, builder, signature, arguments)
            result = block.run(formula, n_rows, n_row_sums, n_column_sums)
            return context.make_tuple(builder, signature.return_type, result)

        return signature, generate

    return function


class _Block:
    """Code generation of one such function."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder = builder
        columns, rows, starts, self.stop, sums = arguments
        columns_type, _, starts_type, _, sums_type = signature.args
        self.columns = self._pointers(context, columns_type, columns)
        self.sums = self._pointers(context, sums_type, sums)
        self.starts = cgutils.unpack_tuple(builder, starts, starts_type.count)
        self.rows = [cgutils.unpack_tuple(builder, row) for row in cgutils.unpack_tuple(builder, rows)]
        self.scalar = context.get_value_type(columns_type.dtype.dtype)
        self.size = columns_type.dtype.dtype.bitwidth // 8
        self.lanes = min(LANES, _vector_bytes() // self.size)
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.index = self.stop.type

    def _pointers(self, context: Any, kind: Any, values: Any) -> list[Any]:
        arrays = cgutils.unpack_tuple(self.builder, values, kind.count)
        return [context.make_array(kind.dtype)(context, self.builder, array).data for array in arrays]

    def _splat(self, value: Any) -> Any:
        kind = ir.VectorType(value.type, self.lanes)
        single = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, ir.Constant(kind, ir.Undefined), zeros)

    def _place(self, pointer: Any, at: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(pointer, [at]), self.vector.as_pointer())

    def _load(self, pointer: Any, at: Any) -> Any:
        return self.builder.load(self._place(pointer, at), align=self.size)

    def _add(self, left: Any, right: Any) -> Any:
        return self.builder.fadd(left, right, flags=_FLAGS)

    def _shuffle(self, left: Any, right: Any, lanes: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self.builder.shuffle_vector(left, right, mask)

    def run(self, formula: Formula, n_rows: int, n_row_sums: int, n_column_sums: int) -> list[Any]:
        builder = self.builder
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        totals = [[cgutils.alloca_once_value(builder, zero) for _ in range(n_rows)] for _ in range(n_row_sums)]
        rows = [tuple(Vector(builder, self._splat(value)) for value in row) for row in self.rows]
        starts = [self._splat(start) for start in self.starts]
        lane = ir.Constant(ir.VectorType(self.index, self.lanes), list(range(self.lanes)))

        def step(at: Any, masked: bool) -> None:
            columns = tuple(Vector(builder, self._load(pointer, at)) for pointer in self.columns)
            to_columns: list[list[Any]] = [[] for _ in range(n_column_sums)]
            for k in range(n_rows):
                row_terms, column_terms = formula(columns, rows[k])
                of_row, of_column = [v.value for v in row_terms], [v.value for v in column_terms]
                if masked:
                    met = builder.icmp_signed(">=", builder.add(self._splat(at), lane), starts[k])
                    of_row = [builder.select(met, v, zero) for v in of_row]
                    of_column = [builder.select(met, v, zero) for v in of_column]
                for s in range(n_row_sums):
                    builder.store(self._add(builder.load(totals[s][k]), of_row[s]), totals[s][k])
                for s in range(n_column_sums):
                    to_columns[s].append(of_column[s])
            for s in range(n_column_sums):
                values = to_columns[s]
                while len(values) > 1:
                    values = [self._add(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
                place = self._place(self.sums[s], at)
                old = builder.load(place, align=self.size)
                builder.store(self._add(old, values[0]), place, align=self.size)

        width = ir.Constant(self.index, self.lanes)
        first, last = self.starts[0], self.starts[-1]
        at = cgutils.alloca_once_value(builder, first)
        if n_rows > 1:  # until the last row has started, columns that a row does not meet are masked
            self._while(at, last, width, lambda here: step(here, True))
        self._while(at, self.stop, width, lambda here: step(here, False))
        result = []
        for of_sum in totals:
            result.extend(self._horizontal([builder.load(total) for total in of_sum]))
        return result

    def _while(self, at: Any, stop: Any, width: Any, body: Callable[[Any], None]) -> None:
        """while at < stop: body(at); at += width."""
        builder = self.builder
        head, inside, after = (builder.append_basic_block(name) for name in ("head", "inside", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(builder.icmp_signed("<", builder.load(at), stop), inside, after)
        builder.position_at_end(inside)
        here = builder.load(at)
        body(here)
        builder.store(builder.add(here, width), at)
        builder.branch(head)
        builder.position_at_end(after)

    def _horizontal(self, vectors: list[Any]) -> list[Any]:
        """The sums over the lanes of one vector, or of two or four at once."""
        builder = self.builder
        lanes = self.lanes
        while lanes > len(vectors):
            half = lanes // 2
            low, high = list(range(half)), list(range(half, lanes))
            vectors = [self._add(self._shuffle(v, v, low), self._shuffle(v, v, high)) for v in vectors]
            lanes = half
        while len(vectors) > 1:  # lanes of two vectors, side by side
            even, odd = list(range(0, 2 * lanes, 2)), list(range(1, 2 * lanes, 2))
            vectors = [
                self._add(self._shuffle(a, b, even), self._shuffle(a, b, odd))
                for a, b in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        count = vectors[0].type.count
        return [builder.extract_element(vectors[0], ir.Constant(ir.IntType(32), k)) for k in range(count)]
