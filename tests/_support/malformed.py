"""Random calls of ``gradient_hessian`` and ``loss``: sound problems, problems with faults, and arbitrary arguments.

A case is determined by its number. It starts as a sound problem. Some cases then get a fault in an argument, and must
end in an error that names it. In others an argument becomes an arbitrary object, and they must end in an error or in
finite numbers.
"""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp

from _support.sound_problems import Case, exact_of, given_of, objective_of, pick

REDUCTIONS = ["sum", "mean", "sum_over_batch_size", "mean_with_sample_weight", "none", "pairs", "pair_weights"]


def with_one(rng, values, bad, dtype=float):
    values = np.array(values, dtype=dtype)
    values.flat[int(rng.integers(values.size))] = bad
    return values


def number_faults(rng, values):
    """Return wrong versions of a vector (or matrix) of numbers."""
    n = values.size
    faults = {
        "longer": np.ones(n + 7),
        "3-D": np.zeros((1, n, 2)),
        "strings": np.full(values.shape, "1.5"),
        "bytes": np.full(values.shape, b"1"),
        "dates": np.zeros(values.shape, dtype="M8[D]"),
        "spans": np.zeros(values.shape, dtype="m8[s]"),
        "complex": values + 1j,
        "a string": "abc",
        "a dictionary": {"a": 1},
        "a set": {1.0, 2.0},
        "a generator": (v for v in [1.0, 2.0]),
        "records": np.zeros(values.shape, dtype=[("a", float), ("b", int)]),
        "an object": object(),
        "a matrix of zeros": sp.csr_matrix((n + 1, 1)),
    }
    if n:
        faults |= {
            "NaN": with_one(rng, values, np.nan),
            "inf": with_one(rng, values, np.inf),
            "-inf": with_one(rng, values, -np.inf),
            "None": with_one(rng, values, None, object),
            "NA": with_one(rng, values, pd.NA, object),
            "text": with_one(rng, values, "relevant", object),
            "a number as text": with_one(rng, values, "1", object),
            "a date": with_one(rng, values, datetime.date(2024, 1, 1), object),
            "complex object": with_one(rng, values, 1 + 2j, object),
            "too big": with_one(rng, values, 10**400, object),
            "too big a list": [*values.ravel()[1:].tolist(), -(10**400)],
            "beyond float64": with_one(rng, values, np.longdouble("1e4000"), np.longdouble),
            "ragged": [[1.0], *([2.0, 3.0] for _ in range(n))],
            "a list within": [*([1.0] * (n - 1)), [2.0, 3.0]],
            "an array within": with_one(rng, values, 0, object),
        }
        faults["an array within"].flat[0] = np.arange(3)
    return faults


def group_faults(rng, sizes, n):
    return {
        "more": [*sizes, n + 1],
        "negative": [*sizes, 1, -1],
        "NaN": [*map(float, sizes), np.nan],
        "inf": [*map(float, sizes), np.inf],
        "half": [*map(float, sizes), 0.5, -0.5],
        "strings": ["2"] * sizes.size,
        "2-D": np.array([sizes, sizes]),
        "None": [*sizes, None],
        "wraps": [2**62] * 4 + list(sizes),
        "huge": [*sizes, 1e300],
        "huge numbers": [10**400],
        "uint64": np.array([2**64 - 1, n + 1], dtype=np.uint64),
        "ragged": [[1, 2], [3]],
        "dates": np.zeros(sizes.size, dtype="M8[D]"),
        "bool": np.array([True] * (n + 3)),
        "a string": "ab",
        "a dictionary": {0: n},
        "a number": n + 3,
        "complex": sizes + 0j,
    }


def id_faults(rng, codes):
    n = codes.size
    faults = {
        "longer": np.arange(n + 2),
        "2-D": np.zeros((n, 2)),
        "0-D": np.array(3),
        "a string": "query",
        "a generator": (c for c in codes),
        "a set": set(codes.tolist()) or {1},
    }
    if n:
        entries = codes.tolist()
        faults |= {
            "None": [*entries[1:], None],
            "NaN": with_one(rng, codes, np.nan),
            "NaN among strings": ["a"] * (n - 1) + [float("nan")],
            "NaT": np.array(["NaT"] * n, dtype="M8[D]"),
            "NA": pd.Series([*entries[1:], None], dtype="Int64"),
            "missing category": pd.Series(pd.Categorical([None, *entries[1:]])),
            "ragged": [[1], *([1, 2] for _ in range(n))],
            "lists": with_lists(n),
            "arrays": with_lists(n, np.array),
            "dictionaries": [{"q": c} for c in entries],
        }
    return faults


def with_lists(n, kind=list):
    values = np.empty(n, dtype=object)
    for i in range(n):
        values[i] = kind([i, 2])
    return values


def mask_faults(rng, shape):
    n = int(np.prod(shape))
    faults = {
        "longer": np.ones(n + 1, dtype=bool),
        "a flag": True,
        "strings": np.full(shape, "True"),
        "a string": "all",
        "ragged": [[True], *([True, False] for _ in range(n + 1))],
    }
    if n:
        faults |= {
            "halves": np.full(shape, 0.5),
            "NaN": np.full(shape, np.nan),
            "2": np.full(shape, 2),
            "None": np.full(shape, None),
        }
    return faults


def pair_faults(rng, exact):
    n = exact["y_pred"].size
    faults = {
        "a list": [0, 1],
        "a list of arrays": [np.zeros(1), np.ones(1)],
        "one array": np.zeros((2, 2)),
        "one": ([0],),
        "four": ([0], [1], [1.0], [1.0]),
        "none": ([], []),
        "beyond": ([0], [n]),
        "far beyond": ([2**60], [0]),
        "negative": ([-1], [0]),
        "half": ([0.5], [0]),
        "NaN": ([np.nan], [0]),
        "itself": ([0], [0]),
        "flags": ([True], [False]),
        "strings": (["a"], ["b"]),
        "unequal": ([0, 1], [0]),
        "ragged": ([[0], [1, 2]], [0, 1]),
        "a string": "ab",
        "huge": ([10**400], [0]),
        "numbers": (0, 1),
    }
    if n > 1:
        faults |= {
            "weights": ([0], [1], [1.0, 2.0]),
            "negative weight": ([0], [1], [-1.0]),
            "NaN weight": ([0], [1], [np.nan]),
            "text weight": ([0], [1], ["heavy"]),
        }
        other = np.flatnonzero(exact["codes"] != exact["codes"][0])
        if other.size:
            faults["crossing"] = ([0], [other[0]])
    return faults


def put_fault(rng, case, method):
    """Make one argument wrong."""
    exact, given = case.exact, case.given
    shape = (exact["sizes"].size, exact["sizes"][0]) if exact["layout"] == "2-D" else (exact["y_pred"].size,)
    names = ["y_true", "y_pred", "sample_weight", "loser_weight", "mask", "group", "qid", "item_id", "pairs"]
    if method == "loss":
        names.append("reduction")
    name = pick(rng, names)
    also: list[str] = []
    if name in ("y_true", "y_pred"):
        faults = number_faults(rng, exact[name].reshape(shape))
        faults["None alone"] = None
        if shape == (1,):  # a single row of these is a list of one number
            faults.pop("a list within")
        # If lengths differ, the error names the one that is read first. A masked row may hold anything.
        also = ["y_true", "y_pred", "group", "rows"]
        if "mask" in exact:
            for kind in ("NaN", "inf", "-inf", "None", "NA", "beyond float64"):
                faults.pop(kind, None)
        if name == "y_true" and exact["y_true"].size:
            faults["unknown key"] = {"label": exact["y_true"]}
            if case.objective.ignore_negative_labels is None and "mask" not in exact and "pairs" not in exact:
                faults["negative"] = -1 - exact["y_true"].reshape(shape)
                also.append("label")
    elif name in ("sample_weight", "loser_weight"):
        faults = number_faults(rng, np.ones(shape))
        if "mask" in exact:
            for kind in ("NaN", "inf", "-inf", "None", "NA", "beyond float64"):
                faults.pop(kind, None)
        elif shape[0] and np.prod(shape):
            faults["negative"] = -np.ones(shape)
        also = ["weight"]
    elif name == "mask":
        faults = mask_faults(rng, shape)
        also = ["labels"]
    elif name == "group":
        faults = group_faults(rng, exact["sizes"], exact["y_pred"].size)
        given.pop("qid", None)
    elif name in ("qid", "item_id"):
        faults = id_faults(rng, exact["codes"])
        if name == "qid":
            given.pop("group", None)
        also = ["rows"] if name == "qid" else ["item id"]
    elif name == "pairs":
        faults = pair_faults(rng, exact)
        also = ["rows"]
    else:
        kinds = ["average", None, 3, ["sum"], np.array(["sum", "mean"]), {"sum"}, float("nan")]
        faults = {repr(value): value for value in kinds}
    chosen = pick(rng, faults)
    given[name] = faults[chosen]
    case.names += [name, *also]
    case.what.append(f"FAULT {name}: {chosen}")


ANYTHING = [
    lambda rng, n: None,
    lambda rng, n: "abc",
    lambda rng, n: b"\xff\x00",
    lambda rng, n: object(),
    lambda rng, n: 10**400,
    lambda rng, n: float("nan"),
    lambda rng, n: -0.0,
    lambda rng, n: True,
    lambda rng, n: [],
    lambda rng, n: {},
    lambda rng, n: (),
    lambda rng, n: [[]],
    lambda rng, n: [[[1.0]]],
    lambda rng, n: np.empty((0, 3)),
    lambda rng, n: np.empty((3, 0)),
    lambda rng, n: np.zeros(()),
    lambda rng, n: np.zeros(n),
    lambda rng, n: np.full(n, 1e308),
    lambda rng, n: np.full(n, 5e-324),
    lambda rng, n: rng.normal(size=n).astype(np.float16),
    lambda rng, n: rng.integers(0, 2**63 - 1, n),
    lambda rng, n: rng.integers(0, 2**64 - 1, n, dtype=np.uint64),
    lambda rng, n: np.ma.masked_array(np.arange(n), mask=np.arange(n) % 2),
    lambda rng, n: np.ones((n, 1)).T,
    lambda rng, n: sp.eye(n).tocsr() if n else sp.csr_matrix((1, 1)),
    lambda rng, n: pd.DataFrame({"a": np.arange(n), "b": ["x"] * n}),
    lambda rng, n: pd.Index(np.arange(n)),
    lambda rng, n: pd.Series(["1"] * n),
    lambda rng, n: pd.date_range("2024-01-01", periods=n),
    lambda rng, n: pd.interval_range(0, n),
    lambda rng, n: pd.Series([True, None] * n, dtype="boolean")[:n],
    lambda rng, n: pl.DataFrame({"a": np.arange(n)}),
    lambda rng, n: pa.array([None] * n, pa.float64()),
    lambda rng, n: range(n),
    lambda rng, n: (v for v in range(n)),
    lambda rng, n: map(float, range(n)),
    lambda rng, n: lambda: None,
    lambda rng, n: np.array([object()] * n, dtype=object),
    lambda rng, n: np.array(["a"] * n, dtype="S1"),
    lambda rng, n: np.broadcast_to(np.float32(1), (n,)),
    lambda rng, n: [np.float64(1)] * n,
    lambda rng, n: [np.array([1.0])] * n,
    lambda rng, n: {"labels": np.ones(n), "mask": None},
    lambda rng, n: ([0] * n, [1] * n),
    lambda rng, n: ([1e18], [1], None),
    lambda rng, n: float,
    lambda rng, n: np.float64,
    lambda rng, n: Ellipsis,
    lambda rng, n: itself(),
]


def itself():
    """Return a list that contains itself."""
    values = [1.0]
    values.append(values)
    return values


NAMES = ["y_true", "y_pred", "sample_weight", "loser_weight", "mask", "group", "qid", "item_id", "pairs"]


def case_of(number, method):
    """Return case ``number`` of a method."""
    rng = np.random.default_rng([number, method == "loss"])
    objective = objective_of(rng)
    exact = exact_of(rng, objective)
    given, what = given_of(rng, exact)
    case = Case(objective, exact, given, what=what)
    if method == "loss" and rng.random() < 0.7:
        case.reduction = given["reduction"] = pick(rng, REDUCTIONS)
        what.append(f"reduction: {case.reduction}")
    kind = rng.random()
    if kind < 0.35:
        for _ in range(1 + (rng.random() < 0.2)):
            put_fault(rng, case, method)
    elif kind < 0.6:
        case.anything = True
        for _ in range(1 + (rng.random() < 0.3)):
            name = pick(rng, [*NAMES, *(["reduction"] if method == "loss" else [])])
            n = exact["y_pred"].size
            number_of_thing = int(rng.integers(len(ANYTHING)))
            case.given[name] = ANYTHING[number_of_thing](rng, pick(rng, [n, n, n, n + 1, exact["sizes"].size]))
            case.what.append(f"ANYTHING {name}: {number_of_thing}")
    return case
