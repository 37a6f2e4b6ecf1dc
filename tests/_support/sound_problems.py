"""Random sound problems, whose numbers may be extreme, as arguments in any of the equivalent forms."""

from __future__ import annotations

import array
import decimal
import fractions
import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from gbdt_pairloss import (
    BPR,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseSoftZeroOne,
    PairwiseSquared,
)


@dataclass
class Case:
    """A call: ``exact`` is the sound problem, with queries as numbers, and ``names`` are the arguments with a fault."""

    objective: Any
    exact: dict[str, Any]
    given: dict[str, Any]
    names: list[str] = field(default_factory=list)
    anything: bool = False
    what: list[str] = field(default_factory=list)
    reduction: str = "sum"


def pick(rng, values):
    values = list(values)
    return values[int(rng.integers(len(values)))]


# --- sound problems --------------------------------------------------------------------------------------------------


def objective_of(rng):
    delta = rng.random() < 0.2
    common = {
        "temperature": pick(rng, [1.0, 0.5, 3]),
        "normalize": pick(rng, ["log", "query", "none"]),
        "item_weight": pick(rng, ["winner", "both"]),
        "ignore_negative_labels": pick(rng, [None, None, True, False]),
        "n_threads": 1,
    }
    if delta:
        return PairwiseLogistic(
            pair_weight=pick(rng, ["ndcg", "lambdarank"]), truncation=pick(rng, [None, 2]), **common
        )
    common["pair_weight"] = pick(rng, ["uniform", "uniform", "label_diff", "gain_diff"])
    kinds = [PairwiseLogistic, PairwiseLogistic, BPR, PairwiseHinge, PairwiseSquared, PairwiseExponential]
    return pick(rng, [*kinds, PairwiseSoftZeroOne])(**common)


def exact_of(rng, objective):
    """Return a problem whose numbers are exact in float32."""
    layout = pick(rng, ["list", "group", "qid", "2-D"])
    sizes = rng.integers(0, 6, int(rng.integers(1, 5)))
    if layout == "list":
        sizes = sizes[:1]
    elif layout == "2-D":
        sizes = np.full(sizes.size, sizes[0])
    elif layout == "qid":
        sizes = sizes[sizes > 0]
    n = int(sizes.sum())
    signed = objective.ignore_negative_labels is not None and objective.pair_weight not in ("ndcg", "lambdarank")
    labels = pick(
        rng, [rng.integers(-1 if signed else 0, 4, n), rng.integers(0, 2, n), np.round(rng.uniform(0, 3, n), 2)]
    )
    scale = pick(rng, [1.0, 1.0, 0.0, 1e-30, 30.0, 1e4, 1e30])
    if isinstance(objective, PairwiseExponential):  # for larger scores the definition itself overflows
        scale = min(scale, 30.0)
    codes = np.repeat(np.arange(sizes.size), sizes)
    exact = {
        "layout": layout,
        "sizes": sizes,
        "codes": rng.permutation(codes) if layout == "qid" and rng.random() < 0.6 else codes,
        "y_true": labels.astype(np.float32).astype(float),
        "y_pred": (scale * np.round(rng.normal(size=n), 2)).astype(np.float32).astype(float),
    }
    if rng.random() < 0.5:
        scale = pick(rng, [1.0, 1.0, 1e-20, 1e20])
        exact["sample_weight"] = (scale * np.round(rng.uniform(0, 3, n), 2)).astype(np.float32).astype(float)
    elif layout == "group" and sizes.size != n and rng.random() < 0.5:
        exact["sample_weight"] = rng.integers(0, 3, sizes.size).astype(float)
    if rng.random() < 0.25:
        exact["loser_weight"] = rng.integers(0, 4, n).astype(float)
    if rng.random() < 0.25:
        exact["mask"] = rng.random(n) < 0.7
    if rng.random() < 0.2 and objective.pair_weight == "uniform":
        own = [np.flatnonzero(exact["codes"] == q) for q in np.unique(exact["codes"])]
        pairs = [rng.choice(rows, 2, replace=False) for rows in own for _ in range(2) if rows.size > 1]
        if pairs:
            winner, loser = np.transpose(pairs)
            exact["pairs"] = (winner, loser, *([rng.integers(0, 3, len(pairs)) * 0.5] if rng.random() < 0.5 else []))
    if isinstance(objective, BPR) and "pairs" not in exact and rng.random() < 0.5:
        exact["item_id"] = rng.integers(0, 4, n)
    return exact


# --- equivalent forms ------------------------------------------------------------------------------------------------


def number_form(rng, values, name):
    """Return a vector of numbers in some form, and the name of the form."""
    n = values.size
    spread = np.zeros(2 * n + 1)
    spread[: 2 * n : 2] = values
    frozen = values.copy()
    frozen.setflags(write=False)
    forms = {
        "array": values,
        "list": values.tolist(),
        "tuple": tuple(values.tolist()),
        "read-only": frozen,
        "strided": spread[: 2 * n : 2],
        "reversed": values[::-1].copy()[::-1],
        "big-endian": values.astype(">f8"),
        "float32": values.astype(np.float32),
        "numbers of numpy": list(values.astype(np.float32)),
        "longdouble": values.astype(np.longdouble),
        "objects": values.astype(object),
        "Series": pd.Series(values, index=rng.permutation(n)),
        "Float64": pd.Series(values, dtype="Float64"),
        "polars": pl.Series(values),
        "pyarrow": pa.array(values),
        "array.array": array.array("d", values),
        "memoryview": memoryview(values.copy()),
        "decimals": [decimal.Decimal(repr(float(v))) for v in values],
    }
    if not values.size or (np.abs(values) < 1e9).all():
        forms["fractions"] = [fractions.Fraction(v) for v in values.tolist()]
    if n and (values == np.round(values)).all() and (np.abs(values) < 100).all():
        for dtype in ("i1", "i8", ">i4", "f2", *(["u1", "u8"] if values.min() >= 0 else [])):
            forms[dtype] = values.astype(dtype)
        forms["whole"] = [int(v) for v in values]
        forms["sparse Series"] = pd.Series(values, dtype="Sparse[float64]")
        if np.isin(values, (0, 1)).all() and name != "pairs":
            forms["bool"] = values.astype(bool)
    if n and name == "sample_weight":
        forms["column"] = values[:, None]
        forms["frame"] = pd.DataFrame(values)
    chosen = pick(rng, forms)
    return chosen, forms[chosen]


def id_form(rng, codes):
    n = int(codes.max(initial=-1)) + 1
    names = np.array([f"query {c}" for c in range(n)])
    days = np.datetime64("2024-01-01") + 3 * np.arange(n)
    mixed = [1, "1", 1.5, b"1", (1, 2)]
    forms = {
        "numbers": codes,
        "list": codes.tolist(),
        "negative": -5 * codes - 2,
        "floats": codes * 0.5 + 0.1,
        "uint64": codes.astype(np.uint64) + np.uint64(2**64 - 10),
        "big": [10**30 + c for c in codes.tolist()],
        "read-only column": codes[:, None],
        "Series": pd.Series(codes, index=rng.permutation(codes.size)),
    }
    if n:
        forms |= {
            "strings": names[codes],
            "objects": names.astype(object)[codes],
            "bytes": names.astype("S")[codes],
            "dates": days[codes],
            "days": [days[c].item() for c in codes],
            "categories": pd.Series(pd.Categorical(names[codes])),
            "string Series": pd.Series(names[codes], dtype="string"),
            "polars": pl.Series(names[codes].tolist()),
            "uuids": [uuid.UUID(int=int(c)) for c in codes],
            "None-free mixed": [mixed[c] for c in codes] if n <= len(mixed) else codes,
        }
    chosen = pick(rng, forms)
    return chosen, forms[chosen]


def group_form(rng, sizes):
    forms = {
        "list": sizes.tolist(),
        "array": sizes,
        "uint8": sizes.astype(np.uint8),
        "floats": sizes.astype(float),
        "Series": pd.Series(sizes, index=rng.permutation(sizes.size)),
        "tuple": tuple(sizes.tolist()),
        "polars": pl.Series(sizes),
    }
    chosen = pick(rng, forms)
    return chosen, forms[chosen]


def given_of(rng, exact):
    """Return the arguments of a call, each in some form, and a description of the forms."""
    what, given = [], {}

    def put(name, form, values):
        given[name] = values
        what.append(f"{name}: {form}")

    shape = (exact["sizes"].size, exact["sizes"][0]) if exact["layout"] == "2-D" else None
    for name in ("y_true", "y_pred", "sample_weight", "loser_weight"):
        if name not in exact:
            continue
        values = exact[name]
        if shape is None:
            put(name, *number_form(rng, values, name))
        else:
            values = values.reshape(shape)
            forms = {
                "array": values,
                "lists": values.tolist() if values.size else values,
                "Fortran": np.asfortranarray(values),
                "float32": values.astype(np.float32),
                "frame": pd.DataFrame(values),
                "transposed": np.ascontiguousarray(values.T).T,
            }
            chosen = pick(rng, forms)
            put(name, chosen, forms[chosen])
    if "mask" in exact:
        mask = exact["mask"] if shape is None else exact["mask"].reshape(shape)
        forms = {"bool": mask, "0 and 1": mask.astype(int), "floats": mask.astype(float)}
        if mask.size:
            forms["list"] = mask.tolist()
        chosen = pick(rng, forms)
        put("mask", chosen, forms[chosen])
        if rng.random() < 0.2:
            given["y_true"] = {"labels": given["y_true"], "mask": given.pop("mask")}
    if exact["layout"] == "group":
        put("group", *group_form(rng, exact["sizes"]))
    elif exact["layout"] == "qid":
        put("qid", *id_form(rng, exact["codes"]))
    if "item_id" in exact:
        put("item_id", *(("array", exact["item_id"].reshape(shape)) if shape else id_form(rng, exact["item_id"])))
    if "pairs" in exact:
        parts = [number_form(rng, np.asarray(values, dtype=float), "pairs") for values in exact["pairs"]]
        put("pairs", ", ".join(form for form, _ in parts), tuple(values for _, values in parts))
    return given, what
