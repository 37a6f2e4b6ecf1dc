"""Loops in explicit vectors: the innermost ones of the direct sum, written as what the processor does.

A compiled loop spends more time on checks, remainders and horizontal sums than on the 10 to 300 rows of a query. Here
the vectors are explicit: :func:`along` makes of a formula a function that runs it along some arrays, and
:func:`rows_by_columns`, of a formula for one pair, one that runs it for some rows and whole vectors of columns. Both
run past the end up to the next whole vector: the arrays are padded. LLVM maps the vectors to what the processor has.
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
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # not every processor tells
        return 32
    return 64 if features.get("avx512f", False) else 32


#: Numbers come in multiples of this many.
LANES = 16

# A number plus this is a whole number in the lowest bits.
_WHOLE = {32: 1.5 * 2.0**23, 64: 1.5 * 2.0**52}


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

    def to(self, bits: int) -> Vector:
        """The same numbers in another precision."""
        if bits == self.bits:
            return self
        kind = ir.VectorType(ir.FloatType() if bits == 32 else ir.DoubleType(), self.value.type.count)
        convert = self._builder.fptrunc if bits == 32 else self._builder.fpext
        return Vector(self._builder, convert(self.value, kind))

    def rounded(self) -> Vector:
        """The nearest whole numbers, of numbers below 2^22."""
        return (self + _WHOLE[self.bits]) - _WHOLE[self.bits]

    def power_of_two(self) -> Vector:
        """2^n of whole numbers n."""
        mantissa, bias = (23, 127) if self.bits == 32 else (52, 1023)
        kind = ir.VectorType(ir.IntType(self.bits), self.value.type.count)

        def repeated(number: int) -> ir.Value:
            return ir.Constant(kind, [number] * kind.count)

        n = self._builder.bitcast((self + _WHOLE[self.bits]).value, kind)
        exponent = self._builder.shl(self._builder.add(n, repeated(bias)), repeated(mantissa))
        return Vector(self._builder, self._builder.bitcast(exponent, self.value.type))


def _choose(comparison: str, left: Vector, right: Vector) -> Vector:
    builder = left._builder
    met = builder.fcmp_ordered(comparison, left.value, right.value)
    return Vector(builder, builder.select(met, left.value, right.value))


def minimum(left: Vector, right: Vector) -> Vector:
    return _choose("<", left, right)


def maximum(left: Vector, right: Vector) -> Vector:
    return _choose(">", left, right)


def is_above(left: Vector, right: Vector) -> Vector:
    """1 where left > right, else 0."""
    met = left._builder.fcmp_ordered(">", left.value, right.value)
    return Vector(left._builder, left._builder.select(met, left._constant(1.0), left._constant(0.0)))


def absolute(value: Vector) -> Vector:
    return maximum(value, value * -1.0)


#: (values of the columns, values of a row) to (what the row sums up, what the columns sum up).
PairFormula = Callable[[tuple[Vector, ...], tuple[Vector, ...]], tuple[tuple[Vector, ...], tuple[Vector, ...]]]

#: (inputs, constants, bits of the outputs) to (outputs, what is folded).
AlongFormula = Callable[[tuple[Vector, ...], tuple[Vector, ...], int], tuple[tuple[Vector, ...], tuple[Vector, ...]]]


def along(formula: AlongFormula, folds: tuple[str, ...] = ()) -> Any:
    """A compiled ``function(inputs, constants, start, stop, outputs)``, returning what it folds.

    Parameters
    ----------
    formula : callable
        (values of the inputs, the constants, bits of the outputs) to (values of the outputs, what is folded).
    folds : tuple of {"sum", "least", "most", "finite"}
        What becomes of the formula's folded values; "finite": 1 if all of them are finite, else 0.

    Returns
    -------
    function : callable
        Of these arguments: ``inputs``, a tuple of arrays; ``constants``, a tuple of numbers; ``start`` and ``stop``,
        from where to where, rounded up to whole multiples of LANES; ``outputs``, a tuple of arrays, which may be
        inputs.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def function(typing_context: Any, inputs: Any, constants: Any, start: Any, stop: Any, outputs: Any) -> Any:
        signature = types.UniTuple(types.float64, len(folds))(inputs, constants, start, stop, outputs)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            result = _Along(context, builder, signature, arguments).run(formula, folds)
            return context.make_tuple(builder, signature.return_type, result)

        return signature, generate

    return function


def rows_by_columns(formula: PairFormula, n_rows: int, n_column_sums: int, n_totals: int, n_returned: int = 0) -> Any:
    """A compiled ``function(columns, rows, first, starts, stop, sums, totals)``, returning some of the rows' sums.

    Parameters
    ----------
    formula : callable
        (values of the columns, values of a row) to (what the row sums up, what the columns sum up).
    n_rows : int
        1, 2 or 4.
    n_column_sums : int
        How many numbers the formula returns for the columns.
    n_totals, n_returned : int
        How many it returns for the row: sums that are added to arrays, and then sums over all rows that are returned.

    Returns
    -------
    function : callable
        Of these arguments: ``columns``, a tuple of arrays; ``rows``, a tuple of arrays, of which the rows' values are
        those from ``first`` on, and of float64 numbers, the same for all rows; ``starts``, the first column of each
        row, ascending; ``stop``, the end of the last row's columns, up to which the columns are rounded up to whole
        multiples of LANES from the last start on (columns beyond ``stop`` must contribute 0); ``sums``, a tuple of
        arrays that the columns' sums are added to; ``totals``, a tuple of arrays that the rows' sums are added to.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def function(
        typing_context: Any, columns: Any, rows: Any, first: Any, starts: Any, stop: Any, sums: Any, totals: Any
    ) -> Any:
        returned = types.UniTuple(types.float64, n_returned)
        signature = returned(columns, rows, first, starts, stop, sums, totals)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            block = _RowsByColumns(context, builder, signature, arguments, n_rows)
            result = block.run(formula, n_column_sums, n_totals, n_returned)
            return context.make_tuple(builder, signature.return_type, result)

        return signature, generate

    return function


class _Loop:
    """Code generation of a loop over whole vectors."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder, self.lanes = builder, lanes

    def _pointers(self, context: Any, kind: Any, values: Any) -> list[Any]:
        arrays = cgutils.unpack_tuple(self.builder, values, kind.count)
        return [context.make_array(t)(context, self.builder, a).data for t, a in zip(kind, arrays, strict=True)]

    def _splat(self, value: Any) -> Any:
        kind = ir.VectorType(value.type, self.lanes)
        single = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, ir.Constant(kind, ir.Undefined), zeros)

    def _place(self, pointer: Any, at: Any) -> Any:
        vector = ir.VectorType(pointer.type.pointee, self.lanes)
        return self.builder.bitcast(self.builder.gep(pointer, [at]), vector.as_pointer())

    def _load(self, pointer: Any, at: Any) -> Any:
        return self.builder.load(self._place(pointer, at), align=_bytes(pointer.type.pointee))

    def _store(self, value: Any, pointer: Any, at: Any) -> None:
        self.builder.store(value, self._place(pointer, at), align=_bytes(pointer.type.pointee))

    def _shuffle(self, left: Any, right: Any, lanes: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self.builder.shuffle_vector(left, right, mask)

    def _halves(self, vector: Any) -> tuple[Any, Any]:
        half = vector.type.count // 2
        low, high = list(range(half)), list(range(half, 2 * half))
        return self._shuffle(vector, vector, low), self._shuffle(vector, vector, high)

    def _while(self, at: Any, stop: Any, body: Callable[[Any], None]) -> None:
        """while at < stop: body(at); at += lanes."""
        builder = self.builder
        head, inside, after = (builder.append_basic_block(name) for name in ("head", "inside", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(builder.icmp_signed("<", builder.load(at), stop), inside, after)
        builder.position_at_end(inside)
        here = builder.load(at)
        body(here)
        builder.store(builder.add(here, ir.Constant(here.type, self.lanes)), at)
        builder.branch(head)
        builder.position_at_end(after)


def _bytes(kind: Any) -> int:
    return 4 if isinstance(kind, ir.FloatType) else 8


class _Along(_Loop):
    """Code generation of :func:`along`."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        super().__init__(builder, LANES)
        inputs, constants, self.start, self.stop, outputs = arguments
        inputs_type, constants_type, _, _, outputs_type = signature.args
        self.inputs = self._pointers(context, inputs_type, inputs)
        self.outputs = self._pointers(context, outputs_type, outputs)
        self.constants = cgutils.unpack_tuple(builder, constants, constants_type.count)

    def run(self, formula: AlongFormula, folds: tuple[str, ...]) -> list[Any]:
        builder = self.builder
        constants = tuple(Vector(builder, self._splat(value)) for value in self.constants)
        kinds = [pointer.type.pointee for pointer in self.outputs]
        bits = 8 * _bytes(kinds[0]) if kinds else 64
        folded = [_Fold.of(fold, builder, self.lanes) for fold in folds]
        at = cgutils.alloca_once_value(builder, self.start)

        def step(here: Any) -> None:
            inputs = tuple(Vector(builder, self._load(pointer, here)) for pointer in self.inputs)
            outputs, values = formula(inputs, constants, bits)
            for pointer, kind, value in zip(self.outputs, kinds, outputs, strict=True):
                self._store(value.to(8 * _bytes(kind)).value, pointer, here)
            for fold, value in zip(folded, values, strict=True):
                fold.add(value.to(64))

        self._while(at, self.stop, step)
        return [fold.result(self._halves) for fold in folded]


class _Fold:
    """What becomes of many vectors: one number."""

    start = 0.0

    @staticmethod
    def of(name: str, builder: Any, lanes: int) -> _Fold:
        return {"sum": _Fold, "least": _Least, "most": _Most, "finite": _Finite}[name](builder, lanes)

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder = builder
        self.total = cgutils.alloca_once_value(builder, self.constant(lanes))

    def constant(self, lanes: int) -> Any:
        return ir.Constant(ir.VectorType(ir.DoubleType(), lanes), [self.start] * lanes)

    def combined(self, left: Any, right: Any) -> Any:
        return (Vector(self.builder, left) + Vector(self.builder, right)).value

    def add(self, term: Vector) -> None:
        self.builder.store(self.combined(self.builder.load(self.total), term.value), self.total)

    def result(self, halves: Callable[[Any], tuple[Any, Any]]) -> Any:
        vector = self.builder.load(self.total)
        while vector.type.count > 1:
            vector = self.combined(*halves(vector))
        return self.builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


class _Least(_Fold):
    start = float("inf")

    def combined(self, left: Any, right: Any) -> Any:
        return minimum(Vector(self.builder, left), Vector(self.builder, right)).value


class _Most(_Fold):
    start = float("-inf")

    def combined(self, left: Any, right: Any) -> Any:
        return maximum(Vector(self.builder, left), Vector(self.builder, right)).value


class _Finite(_Fold):
    """By the bits: a comparison of numbers may be optimised as if there were no NaN."""

    _EXPONENT = 0x7FF << 52

    def constant(self, lanes: int) -> Any:
        return ir.Constant(ir.VectorType(ir.IntType(64), lanes), [0] * lanes)

    def combined(self, left: Any, right: Any) -> Any:
        return self.builder.or_(left, right)

    def add(self, term: Vector) -> None:
        kind = ir.VectorType(ir.IntType(64), term.value.type.count)
        exponent = ir.Constant(kind, [self._EXPONENT] * kind.count)
        bits = self.builder.and_(self.builder.bitcast(term.value, kind), exponent)
        flag = self.builder.zext(self.builder.icmp_unsigned("==", bits, exponent), kind)
        super().add(Vector(self.builder, flag))

    def result(self, halves: Callable[[Any], tuple[Any, Any]]) -> Any:
        bits = super().result(halves)
        finite = self.builder.icmp_unsigned("==", bits, ir.Constant(bits.type, 0))
        return self.builder.uitofp(finite, ir.DoubleType())


class _RowsByColumns(_Loop):
    """Code generation of :func:`rows_by_columns`."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any, n_rows: int) -> None:
        columns, rows, self.first, starts, self.stop, sums, totals = arguments
        columns_type, rows_type, _, starts_type, _, sums_type, totals_type = signature.args
        super().__init__(builder, min(LANES, _vector_bytes() * 8 // columns_type.dtype.dtype.bitwidth))
        self.n_rows = n_rows
        self.columns = self._pointers(context, columns_type, columns)
        self.rows = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(rows_type, cgutils.unpack_tuple(builder, rows, rows_type.count), strict=True)
        ]
        self.sums = self._pointers(context, sums_type, sums)
        self.totals = self._pointers(context, totals_type, totals)
        self.starts = cgutils.unpack_tuple(builder, starts, starts_type.count)
        self.vector = ir.VectorType(context.get_value_type(columns_type.dtype.dtype), self.lanes)

    def _add(self, left: Any, right: Any) -> Any:
        return self.builder.fadd(left, right, flags=_FLAGS)

    def _row_value(self, value: Any, k: int) -> Vector:
        builder = self.builder
        if isinstance(value.type, ir.PointerType):
            value = builder.load(builder.gep(value, [builder.add(self.first, ir.Constant(self.first.type, k))]))
        elif value.type != self.vector.element:
            value = builder.fptrunc(value, self.vector.element)
        return Vector(builder, self._splat(value))

    def run(self, formula: PairFormula, n_column_sums: int, n_totals: int, n_returned: int) -> list[Any]:
        builder, n_rows = self.builder, self.n_rows
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        # What each row sums up, and then, for all rows together, what is returned.
        totals = [[cgutils.alloca_once_value(builder, zero) for _ in range(n_rows)] for _ in range(n_totals)]
        returned = [cgutils.alloca_once_value(builder, zero) for _ in range(n_returned)]
        rows = [tuple(self._row_value(value, k) for value in self.rows) for k in range(n_rows)]
        starts = [self._splat(start) for start in self.starts]
        lane = ir.Constant(ir.VectorType(self.stop.type, self.lanes), list(range(self.lanes)))

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
                for place, term in zip([*(of_sum[k] for of_sum in totals), *returned], of_row, strict=True):
                    builder.store(self._add(builder.load(place), term), place)
                for values, term in zip(to_columns, of_column, strict=True):
                    values.append(term)
            for pointer, values in zip(self.sums, to_columns, strict=True):
                while len(values) > 1:
                    values = [self._add(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
                self._store(self._add(self._load(pointer, at), values[0]), pointer, at)

        first, last = self.starts[0], self.starts[-1]
        at = cgutils.alloca_once_value(builder, first)
        if n_rows > 1:  # until the last row has started, columns that a row does not meet are masked
            self._while(at, last, lambda here: step(here, True))
        self._while(at, self.stop, lambda here: step(here, False))
        for pointer, of_sum in zip(self.totals, totals, strict=True):
            self._add_to_total(self._horizontal([builder.load(total) for total in of_sum]), pointer)
        double = ir.DoubleType()
        sums = [self._horizontal([builder.load(place)]) for place in returned]
        zero_lane = ir.Constant(ir.IntType(32), 0)
        return [_widened(builder, builder.extract_element(v, zero_lane), double) for v in sums]

    def _add_to_total(self, sums: Any, pointer: Any) -> None:
        """Add the rows' sums to an array."""
        kind = ir.VectorType(pointer.type.pointee, self.n_rows)
        place = self.builder.bitcast(self.builder.gep(pointer, [self.first]), kind.as_pointer())
        align = _bytes(pointer.type.pointee)
        total = self.builder.load(place, align=align)
        self.builder.store(self._add(total, _widened(self.builder, sums, kind)), place, align=align)

    def _horizontal(self, vectors: list[Any]) -> Any:
        """A vector of the sums over the lanes of one vector, or of 2 or 4 at once."""
        lanes = self.lanes
        while lanes > len(vectors):
            vectors = [self._add(*self._halves(v)) for v in vectors]
            lanes //= 2
        while len(vectors) > 1:  # lanes of two vectors, side by side
            even, odd = list(range(0, 2 * lanes, 2)), list(range(1, 2 * lanes, 2))
            vectors = [
                self._add(self._shuffle(a, b, even), self._shuffle(a, b, odd))
                for a, b in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        return vectors[0]


def _widened(builder: Any, value: Any, kind: Any) -> Any:
    """In float64, of which ``kind`` is a number or a vector."""
    return value if value.type == kind else builder.fpext(value, kind)
