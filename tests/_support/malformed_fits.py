"""Random calls of the rankers' ``fit``, made like those in malformed.py."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp

from _support.malformed import ANYTHING, group_faults, id_faults, number_faults, pair_faults
from _support.rankers import make_ranker
from _support.sound_problems import Case, group_form, id_form, number_form, objective_of, pick
from gbdt_pairloss import BPR, LGBMRanker, XGBRanker

RANKERS = {"LGBMRanker": LGBMRanker, "XGBRanker": XGBRanker}

SMALL = {
    LGBMRanker: {"n_estimators": 2, "min_child_samples": 1, "num_leaves": 4},
    XGBRanker: {"n_estimators": 2, "min_child_weight": 0.0, "max_depth": 2},
}

#: The names of an evaluation set's weights and initial scores.
NATIVE = {
    LGBMRanker: {"start": "init_score", "eval_weight": "eval_sample_weight", "eval_start": "eval_init_score"},
    XGBRanker: {"start": "base_margin", "eval_weight": "sample_weight_eval_set", "eval_start": "base_margin_eval_set"},
}


def exact_of(rng, objective):
    sizes = rng.integers(1, 12, int(rng.integers(2, 6)))
    n = int(sizes.sum())
    codes = np.repeat(np.arange(sizes.size), sizes)
    layout = pick(rng, ["group", "qid"])
    exact = {
        "layout": layout,
        "sizes": sizes,
        "codes": rng.permutation(codes) if layout == "qid" else codes,
        "X": rng.integers(-8, 8, (n, 3)) / 4,
        "y": rng.integers(0, 3, n).astype(float),
    }
    exact["y_pred"] = exact["y"]  # pair_faults reads its size
    if rng.random() < 0.5:
        exact["sample_weight"] = rng.integers(1, 4, n).astype(float)
    elif layout == "group" and sizes.size != n and rng.random() < 0.5:
        exact["sample_weight"] = rng.integers(1, 3, sizes.size).astype(float)
    if rng.random() < 0.3:
        exact["loser_weight"] = rng.integers(1, 4, n).astype(float)
    if rng.random() < 0.3:
        exact["start"] = rng.integers(-4, 4, n) / 4
    if isinstance(objective, BPR) and rng.random() < 0.5:
        exact["item_id"] = rng.integers(0, 9, n)
    return exact


def matrix_form(rng, X):
    wide = np.zeros((X.shape[0], 2 * X.shape[1]))
    wide[:, ::2] = X
    frozen = X.copy()
    frozen.setflags(write=False)
    forms = {
        "array": X,
        "float32": X.astype(np.float32),
        "lists": X.tolist(),
        "Fortran": np.asfortranarray(X),
        "strided": wide[:, ::2],
        "reversed": X[::-1].copy()[::-1],
        "read-only": frozen,
        "frame": pd.DataFrame(X, columns=list("abc"), index=rng.permutation(X.shape[0])),
        "polars": pl.DataFrame(X, schema=list("abc")),
        "pyarrow": pa.table({name: X[:, k] for k, name in enumerate("abc")}),
        "sparse": pick(rng, [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array])(X),
    }
    chosen = pick(rng, forms)
    return chosen, forms[chosen]


def matrix_faults(rng, X):
    n = X.shape[0]
    frame = pd.DataFrame(X, columns=list("abc"))
    text = X.astype(object)
    text[0, 0] = "red"
    huge = X.astype(object)
    huge[0, 0] = 10**400
    infinite = X.copy()
    infinite[n // 2, 1] = np.inf
    return {
        "longer": np.zeros((n + 3, 3)),
        "empty": X[:0],
        "no columns": X[:, :0],
        "1-D": X[:, 0],
        "3-D": X[:, :, None],
        "0-D": np.array(1.0),
        "text": X.astype(str),
        "objects": text,
        "too big": huge,
        "infinite": infinite,
        "infinite float32": infinite.astype(np.float32),
        "infinite frame": pd.DataFrame(infinite),
        "infinite sparse": sp.csr_matrix(infinite),
        "complex": X + 1j,
        "dates": np.zeros(X.shape, dtype="M8[D]"),
        "ragged": [[1.0], *([2.0, 3.0] for _ in range(n - 1))],
        "text column": frame.assign(d="red"),
        "date column": frame.assign(d=datetime.datetime(2024, 1, 1)),
        "text in polars": pl.DataFrame(X.astype(str)),
        "dates in polars": pl.DataFrame({"a": [datetime.date(2024, 1, 1)] * n}),
        "text in pyarrow": pa.table({"a": ["red"] * n}),
        "only qid": pd.DataFrame({"qid": np.arange(n)}),
        "two qids": frame.assign(a__qid=1, b__qid=2),
        "None": None,
        "a string": "abc",
        "a dictionary": {"a": [1.0] * n},
        "a generator": (row for row in X),
        "an object": object(),
    }


PARAMETERS = {
    "objective": [None, 3, "nonsense", object(), ["bpr"], BPR, float("nan"), np.array(["bpr"])],
    "eval_fraction": [0, 1, 1.5, -0.1, "half", True, float("nan"), [0.5], 10**400],
    "objective__temperature": [0, -1, "1", None, 10**400, float("nan"), [1.0], 1j],
    "objective__normalize": ["sum", None, 1, ["log"], np.array(["log", "none"])],
    "objective__pair_weight": ["dcg", None, 2, ["uniform"], np.ones(3)],
    "objective__truncation": [0, -3, 1.5, "all", True, 10**400],
    "objective__nonsense": [1],
    "temperature": [2.0],
    "eval_metric": ["ndgc", "ndcg@0", "ndcg@x", 3, [None], object(), {"a": 1}, "", ["ndcg", 5], "@5"],
    "metric": ["ndgc@5"],
}


def parameter_fault(rng, case, Ranker):
    """Make a parameter of the ranker wrong, or an argument of fit that acts as one."""
    names = [name for name in PARAMETERS if not (name == "metric" and Ranker is XGBRanker)]
    name = pick(rng, names)
    value = pick(rng, PARAMETERS[name])
    if name == "objective" and value is None and Ranker is LGBMRanker:  # LightGBM's default
        value = "nonsense"
    where = case.given if name == "eval_metric" else case.exact["params"]
    where[name] = value
    case.names += [name.rpartition("__")[2], "objective", "metric", "eval_fraction", "what follows"]
    case.what.append(f"FAULT {name}: {value!r}")


def put_fault(rng, case, Ranker):
    exact, given = case.exact, case.given
    n, native = exact["y"].size, NATIVE[Ranker]
    name = pick(
        rng, ["X", "X", "y", "sample_weight", "loser_weight", "start", "group", "qid", "pairs", "eval", "param"]
    )
    words = [name]
    if name == "param":
        parameter_fault(rng, case, Ranker)
        return
    if name == "X":
        faults = matrix_faults(rng, exact["X"])
        if Ranker is LGBMRanker:  # LightGBM accepts infinity
            faults = {kind: fault for kind, fault in faults.items() if not kind.startswith("infinite")}
        # If lengths differ, the error names the argument that is read first. An X without rows has no queries.
        words += ["rows", "features", "columns"]
    elif name == "y":
        faults = number_faults(rng, exact["y"])
        faults |= {"None alone": None, "beyond float32": 1e39 * (1 + exact["y"])}
        words += ["label", "labels"]
    elif name in ("sample_weight", "loser_weight", "start"):
        faults = number_faults(rng, np.ones(n))
        if name != "start":
            faults["negative"] = -np.ones(n)
        words += ["weight", "init_score", "base_margin"]
        name = native.get(name, name)
    elif name == "group":
        faults = group_faults(rng, exact["sizes"], n)
        given.pop("qid", None)
    elif name == "qid":
        faults = id_faults(rng, exact["codes"])
        given.pop("group", None)
    elif name == "pairs":
        faults = pair_faults(rng, exact)
    else:
        words = ["an evaluation set", "eval_set", "eval_qid", "eval_group", "eval_X", "eval_pairs"]
        X, y, qid = exact["X"], exact["y"], exact["codes"]
        whole = {"eval_set": [(X, y)], "eval_qid": [qid]}
        faults = {
            "short y": {**whole, "eval_set": [(X, y[1:])]},
            "no y": {**whole, "eval_set": [(X, None)]},
            "a triple": {**whole, "eval_set": [(X, y, y)]},
            "a matrix": {**whole, "eval_set": [X]},
            "a number": {**whole, "eval_set": 3},
            "None within": {**whole, "eval_set": [None]},
            "a string": {**whole, "eval_set": "test"},
            "strings": {**whole, "eval_set": ["test"]},
            "other columns": {**whole, "eval_set": [(X[:, :1], y)]},
            "more columns": {**whole, "eval_set": [(np.column_stack([X, X]), y)]},
            "NaN y": {**whole, "eval_set": [(X, np.full(n, np.nan))]},
            "text y": {**whole, "eval_set": [(X, ["a"] * n)]},
            "infinite X": {**whole, "eval_set": [(X + np.inf, y)]},
            "text X": {**whole, "eval_set": [(X.astype(str), y)]},
            "two ids": {**whole, "eval_qid": [qid, qid]},
            "short ids": {**whole, "eval_qid": [qid[1:]]},
            "a number of ids": {**whole, "eval_qid": 7},
            "None of ids": {**whole, "eval_qid": [[None] * n]},
            "groups": {"eval_set": [(X, y)], "eval_group": [[n + 1]]},
            "both": {**whole, "eval_group": [exact["sizes"]]},
            "weights": {**whole, native["eval_weight"]: [-np.ones(n)]},
            "starts": {**whole, native["eval_start"]: [np.full(n, np.nan)]},
            "twice": {**whole, "eval_X": X, "eval_y": y},
            "eval_X alone": {"eval_X": X, "eval_qid": [qid]},
            "pairs": {**whole, "eval_pairs": [([0], [n])]},
        }
        words += [native["eval_weight"], native["eval_start"]]
        if Ranker is LGBMRanker:
            faults.pop("infinite X")
        chosen = pick(rng, faults)
        given.update(faults[chosen])
        case.names += words
        case.what.append(f"FAULT eval: {chosen}")
        return
    chosen = pick(rng, faults)
    given[name] = faults[chosen]
    case.names += words
    case.what.append(f"FAULT {name}: {chosen}")


def case_of(number, ranker):
    """Return case ``number`` of a ranker's ``fit``; ``exact["params"]`` are the parameters of the ranker."""
    Ranker = RANKERS[ranker]
    rng = np.random.default_rng([number, 2 + (Ranker is XGBRanker)])
    objective = objective_of(rng)
    exact = exact_of(rng, objective)
    exact["params"] = {"objective": objective}
    given, what = {}, []

    def put(name, form, values):
        given[NATIVE[Ranker].get(name, name)] = values
        what.append(f"{name}: {form}")

    put("X", *matrix_form(rng, exact["X"]))
    for name in ("y", "sample_weight", "loser_weight", "start"):
        if name in exact:
            put(name, *number_form(rng, exact[name], "y_true"))
    if exact["layout"] == "group":
        put("group", *group_form(rng, exact["sizes"]))
    else:
        put("qid", *id_form(rng, exact["codes"]))
    if "item_id" in exact:
        put("item_id", *id_form(rng, exact["item_id"]))
    case = Case(objective, exact, given, what=what)
    kind = rng.random()
    if kind < 0.45:
        put_fault(rng, case, Ranker)
    elif kind < 0.7:
        case.anything = True
        own = {"eval_metric", "eval_set", "eval_qid", "eval_group", *NATIVE[Ranker].values()}
        names = sorted({"X", "y", "qid", "group", "sample_weight", "loser_weight", "item_id", "pairs"} | own)
        name = pick(rng, names)
        if name.startswith("eval_") and name != "eval_set":
            given["eval_set"] = [(exact["X"], exact["y"])]
        thing = int(rng.integers(len(ANYTHING)))
        given[name] = ANYTHING[thing](rng, exact["y"].size)
        if name == "eval_metric" and callable(given[name]):  # a callable would run code of the caller
            given[name] = object()
        what.append(f"ANYTHING {name}: {thing}")
    return case


def fitted(ranker, params, given):
    Ranker = RANKERS[ranker]
    return make_ranker(Ranker, **{**SMALL[Ranker], **params}).fit(given.pop("X"), given.pop("y"), **given)


def plain(case, ranker):
    """Return the arguments of a sound problem as plain arrays."""
    exact, native = case.exact, NATIVE[RANKERS[ranker]]
    names = [name for name in ("X", "y", "sample_weight", "loser_weight", "start", "item_id") if name in exact]
    queries = {"group": exact["sizes"]} if exact["layout"] == "group" else {"qid": exact["codes"]}
    return {native.get(name, name): exact[name] for name in names} | queries
