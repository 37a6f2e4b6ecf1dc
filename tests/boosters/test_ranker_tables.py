"""Features as arrays, tables and sparse matrices: numbers, categories, and the columns that are refused."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from _support.rankers import BOTH, history_of, make_ranker
from _support.tables import as_frame

from gbdt_pairloss import LGBMRanker, XGBRanker, metrics


@BOTH
def test_a_table_with_or_without_a_query_column_trains_the_model_of_an_array(Ranker, problem) -> None:
    X = np.where(np.abs(problem.X) < 0.3, 0, problem.X)
    frame = pd.DataFrame(X, columns=[f"feature_{i}" for i in range(X.shape[1])])
    order = np.random.default_rng(0).permutation(problem.y.size)
    y, qid = problem.y[order], problem.qid[order]
    expected = make_ranker(Ranker).fit(X[order], y, qid=qid).predict(X)
    by_frame = make_ranker(Ranker).fit(frame.iloc[order], pd.Series(y), qid=pd.Series(qid))
    np.testing.assert_array_equal(by_frame.predict(frame), expected)
    names = by_frame.feature_name_ if Ranker is LGBMRanker else by_frame.feature_names_in_
    assert list(names) == list(frame.columns)
    with_column = frame.assign(qid=problem.qid)
    by_column = make_ranker(Ranker).fit(with_column.iloc[order], y)
    np.testing.assert_array_equal(by_column.predict(with_column), expected)
    assert by_column.n_features_in_ == X.shape[1]
    assert by_column.score(with_column, problem.y) == by_frame.score(frame, problem.y, qid=problem.qid)


@BOTH
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("column", [False, True])
def test_tables_of_every_library_train_the_model_of_an_array(Ranker, kind, column, scattered) -> None:
    X, y, qid = scattered
    X = np.where(np.abs(X) > 2, np.nan, X)
    expected = make_ranker(Ranker).fit(X, y, qid=qid).predict(X)
    frame = as_frame(X, qid) if column else as_frame(X, qid).drop(columns="qid")
    if kind == "polars":
        frame = pytest.importorskip("polars").from_pandas(frame)
    elif kind == "pyarrow":
        frame = pytest.importorskip("pyarrow").Table.from_pandas(frame)
    ranker = make_ranker(Ranker).fit(frame, y, qid=None if column else qid)
    np.testing.assert_array_equal(ranker.predict(frame), expected)
    score = ranker.score(frame, y, qid=None if column else qid)
    assert score == pytest.approx(metrics.ndcg(y, expected, qid=qid))
    assert list(ranker.feature_names_in_) == list("abcdef")


@BOTH
@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array, sp.lil_array])
def test_sparse_matrices_of_every_format_train_the_same_model(Ranker, form, scattered) -> None:
    X, y, qid = scattered
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    expected = make_ranker(Ranker).fit(sp.csr_matrix(X), y, qid=qid).predict(sp.csr_matrix(X))
    matrix = form(X)
    ranker = make_ranker(Ranker).fit(matrix, y, qid=qid, eval_set=[(matrix, y)], eval_qid=[qid])
    np.testing.assert_array_equal(ranker.predict(matrix), expected)
    assert ranker.score(matrix, y, qid=qid) == pytest.approx(metrics.ndcg(y, expected, qid=qid))
    assert metrics.ndcg(y, expected, qid=qid) > 0.8  # XGBoost takes the zeros that are left out as missing values


@BOTH
def test_a_sparse_evaluation_set_may_lack_the_last_features(Ranker, problem) -> None:
    # A sparse file ends with the largest feature that occurs in it.
    X = sp.csr_matrix(problem.X)
    X[:40, -1] = 0
    X.eliminate_zeros()
    some = slice(0, problem.starts[np.searchsorted(problem.starts, 40, side="right") - 1])
    narrow = X[some, :-1]
    assert narrow.shape[1] == X.shape[1] - 1
    histories = []
    for evaluated in (X[some], narrow):
        ranker = make_ranker(Ranker).fit(
            X,
            problem.y,
            qid=problem.qid,
            eval_set=[(evaluated, problem.y[some])],
            eval_qid=[problem.qid[some]],
            eval_metric=["ndcg@5"],
        )
        histories.append(history_of(ranker, 0)["ndcg@5"])
    np.testing.assert_array_equal(*histories)


@BOTH
def test_categorical_columns_are_split_by_category(Ranker, problem) -> None:
    """The labels depend on the categories of a column alone, and not on their order."""
    colours = np.array(["red", "green", "blue", "black", "white"])
    worth = np.array([1, 4, 0, 3, 2])
    number = np.random.default_rng(0).integers(0, 5, problem.y.size)
    frame = pd.DataFrame({"noise": problem.X[:, 5], "colour": pd.Categorical(colours[number])})
    params = {"enable_categorical": True} if Ranker is XGBRanker else {"min_data_per_group": 5, "cat_smooth": 1}
    ranker = make_ranker(Ranker, objective="pairwise_logistic", n_estimators=40, **params)
    ranker.fit(frame, worth[number], qid=problem.qid)
    order = pd.DataFrame({"noise": 0.0, "colour": pd.Categorical(colours, categories=sorted(colours))})
    np.testing.assert_array_equal(np.argsort(ranker.predict(order)), np.argsort(worth))


def test_positions_of_categorical_columns_count_the_query_column(problem) -> None:
    number = np.random.default_rng(0).integers(0, 5, problem.y.size)
    worth = np.array([1, 4, 0, 3, 2])
    frame = pd.DataFrame({"noise": problem.X[:, 5], "qid": problem.qid, "kind": number})
    params = {"min_data_per_group": 5, "cat_smooth": 1, "n_estimators": 40}
    ranker = make_ranker(LGBMRanker, **params).fit(frame, worth[number], categorical_feature=[2])
    by_name = make_ranker(LGBMRanker, **params).fit(frame, worth[number], categorical_feature=["kind"])
    np.testing.assert_array_equal(ranker.predict(frame), by_name.predict(frame))
    with pytest.raises(ValueError, match="categorical_feature: column 1 of X holds the query ids"):
        make_ranker(LGBMRanker).fit(frame, worth[number], categorical_feature=[1])


def test_columns_in_another_order_are_refused(problem, make) -> None:
    frame, other = (pd.DataFrame(p.X, columns=list("abcdef")).assign(qid=p.qid) for p in (problem, make(1)))
    ranker = make_ranker(LGBMRanker).fit(frame, problem.y)
    turned = frame[["b", "a", "c", "d", "qid", "e", "f"]]
    with pytest.raises(ValueError, match="the columns of X are not those .*'b' is in the position of 'a'"):
        ranker.predict(turned)
    with pytest.raises(ValueError, match=r"the columns of X are not .*unknown: \['g'\], missing: \['f'\]"):
        ranker.score(frame.rename(columns={"f": "g"}), problem.y)
    with pytest.raises(ValueError, match=r"the columns of eval_set\[0\] are not those"):
        ranker.fit(frame, problem.y, eval_set=[(other[turned.columns], make(1).y)])


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_categories_that_crash_lightgbm_are_refused(kind, problem) -> None:
    package = pytest.importorskip(kind)
    frame = pd.DataFrame({"a": problem.X[:, 0], "colour": pd.Categorical(np.where(problem.X[:, 1] > 0, "x", "y"))})
    table = package.from_pandas(frame) if kind == "polars" else package.Table.from_pandas(frame)
    with pytest.raises(TypeError, match="LightGBM does not support categories of polars or Arrow .column 'colour'"):
        make_ranker(LGBMRanker).fit(table, problem.y, qid=problem.qid)


@BOTH
@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_columns_of_text_and_dates_are_refused(Ranker, problem, library) -> None:
    # LightGBM itself crashes on these, in fit and in predict.
    table = getattr(pytest.importorskip(library), "DataFrame" if library == "polars" else "table")
    columns = {name: problem.X[:, k] for k, name in enumerate("abc")}
    ranker = make_ranker(Ranker).fit(table(columns), problem.y, qid=problem.qid)
    for kind, values in (("string", ["red"] * problem.y.size), ("date", [date(2024, 1, 1)] * problem.y.size)):
        wrong = table({**columns, "b": values})
        message = f"(?i)column 'b' of X has dtype .*{kind}.*; it must be real numbers"
        with pytest.raises(ValueError, match=message):
            make_ranker(Ranker).fit(wrong, problem.y, qid=problem.qid)
        with pytest.raises(ValueError, match=r"(?i)eval_set\[0\]: column 'b' of X has dtype"):
            make_ranker(Ranker).fit(
                table(columns), problem.y, qid=problem.qid, eval_set=[(wrong, problem.y)], eval_qid=[problem.qid]
            )
        with pytest.raises(ValueError, match=message):
            ranker.predict(wrong)


@BOTH
@pytest.mark.parametrize(
    ("make_X", "message"),
    [
        (lambda X: X[:, 0], "X has shape .*; it must be two-dimensional"),
        (lambda X: X[:, :, None], "X has shape .*; it must be two-dimensional"),
        (lambda X: X[:, :0], r"X has 0 feature\(s\)"),
        (lambda X: X.astype(str), "X has dtype <U.*; it must be real numbers"),
        (lambda X: X.astype("M8[s]"), "X has dtype datetime64.*; it must be real numbers"),
        (lambda X: [[1.0], *X.tolist()[1:]], "X is a ragged list of lists"),
        (lambda X: np.where(X > 0, X, "red").astype(object), "X has dtype object and values that are not real numbers"),
        (lambda X: np.where(X > 0, X.astype(object), 10**400), "X has dtype object and values that are not real"),
        (lambda X: pd.DataFrame(X).assign(day=pd.Timestamp(0)), "column 'day' of X has dtype datetime64"),
        (lambda X: None, "X must be an array, a sparse matrix or a table, got a NoneType"),
        (lambda X: (row for row in X), "X must be an array, a sparse matrix or a table, got a generator"),
    ],
)
def test_features_that_are_not_numbers_are_refused(Ranker, problem, make_X, message) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make_ranker(Ranker).fit(make_X(problem.X), problem.y, qid=problem.qid)


def test_infinite_features_are_refused_by_xgboost_unless_they_are_missing_values(problem) -> None:
    X = problem.X.copy()
    X[3, 1] = np.inf
    with pytest.raises(ValueError, match="X, or that of an evaluation set, has a value that is infinite in float32"):
        make_ranker(XGBRanker).fit(X, problem.y, qid=problem.qid)
    assert np.isfinite(make_ranker(XGBRanker, missing=np.inf).fit(X, problem.y, qid=problem.qid).predict(X)).all()


@BOTH
def test_columns_of_one_name_are_refused(Ranker, problem) -> None:
    X = pd.DataFrame(problem.X[:, :3], columns=["a", "b", "a"])
    message = "2 columns of X are called 'a'"
    with pytest.raises(ValueError, match=message):
        make_ranker(Ranker).fit(X, problem.y, qid=problem.qid)
    own = X.set_axis(["a", "b", "c"], axis=1)
    with pytest.raises(ValueError, match=rf"eval_set\[0\]: {message}"):
        make_ranker(Ranker).fit(own, problem.y, qid=problem.qid, eval_set=[(X, problem.y)], eval_qid=[problem.qid])
    ranker = make_ranker(Ranker).fit(own, problem.y, qid=problem.qid)
    for call in (ranker.predict, lambda X: ranker.score(X, problem.y, qid=problem.qid)):
        with pytest.raises(ValueError, match=message):
            call(X)
