"""What users switch on beside the objective: the boosters' modes, constraints, continuation, batches, pictures."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _support.rankers import BOTH, history_of, make_ranker

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker, metrics, whole_queries

LIGHTGBM, XGBOOST = (tuple(int(part) for part in package.__version__.split(".")[:2]) for package in (lgb, xgb))

LGBM_MODES = {
    "dart": {"boosting_type": "dart", "drop_rate": 0.3},
    "goss": {"data_sample_strategy": "goss", "learning_rate": 0.5},
    "goss, as LightGBM 3 has it": {"boosting_type": "goss", "learning_rate": 0.5},
    "quantised gradients": {"use_quantized_grad": True},
    "linear trees": {"linear_tree": True},
    "bagging": {"bagging_fraction": 0.7, "bagging_freq": 1},
    "extra trees": {"extra_trees": True},
    "monotone constraints": {"monotone_constraints": [1, -1, 0, 0, 0, 0]},
}
XGB_MODES = {
    # XGBoost 3.4 drops trees in its ordinary booster.
    "dart": {"rate_drop": 0.3, **({} if XGBOOST >= (3, 4) else {"booster": "dart"})},
    "exact": {"tree_method": "exact"},
    "approx": {"tree_method": "approx"},
    "lossguide": {"grow_policy": "lossguide", "max_leaves": 15},
    "sampling": {"subsample": 0.7, "colsample_bytree": 0.8},
    "several trees a round": {"num_parallel_tree": 3, "subsample": 0.5},
    "monotone constraints": {"monotone_constraints": (1, -1, 0, 0, 0, 0)},
}


@pytest.mark.parametrize(
    ("Ranker", "mode"),
    [(LGBMRanker, mode) for mode in LGBM_MODES] + [(XGBRanker, mode) for mode in XGB_MODES],
)
def test_modes(Ranker, mode, problem) -> None:
    if mode == "quantised gradients" and LIGHTGBM < (4, 2):
        pytest.skip("LightGBM before 4.2 crashes, with any custom objective")
    params = (LGBM_MODES if Ranker is LGBMRanker else XGB_MODES)[mode]
    ranker = make_ranker(Ranker, n_estimators=30, **params)
    ranker.fit(
        problem.X,
        problem.y,
        qid=problem.qid,
        eval_set=[(problem.X, problem.y)],
        eval_qid=[problem.qid],
        eval_metric="pairwise_logistic",
    )
    losses = history_of(ranker)["pairwise_logistic"]
    assert losses[-1] < 0.8 * np.log(2)  # which is the loss of a constant
    constant = metrics.ndcg(problem.y, np.zeros(problem.y.size), qid=problem.qid)
    assert ranker.score(problem.X, problem.y, qid=problem.qid) > constant + 0.15
    if mode == "monotone constraints":
        grid = np.repeat(problem.X[:1], 100, axis=0)
        for column, sign in ((0, 1), (1, -1)):
            grid = np.repeat(problem.X[:1], 100, axis=0)
            grid[:, column] = np.linspace(-3, 3, 100)
            scores = sign * ranker.predict(grid)
            assert (np.diff(scores) >= 0).all()
            assert scores[-1] > scores[0]


@pytest.mark.parametrize("dart", ["dart", "DART"])
def test_dart_is_not_harmed_by_looking_at_the_training_set(dart, problem, make) -> None:
    """LightGBM leaves dropped trees out for good where a metric in Python looks at the training set of DART."""
    ranker = make_ranker(LGBMRanker, n_estimators=20, boosting_type=dart, drop_rate=0.3)
    other = make(1)
    ranker.fit(
        problem.X,
        problem.y,
        qid=problem.qid,
        eval_set=[(other.X, other.y), (problem.X, problem.y)],
        eval_qid=[other.qid, problem.qid],
        eval_metric="pairwise_logistic",
    )
    assert list(ranker.evals_result_) == ["valid_0", "training"]
    for name, rows in (("valid_0", other), ("training", problem)):
        loss = PairwiseLogistic().loss(rows.y, ranker.predict(rows.X), qid=rows.qid, reduction="pair_weights")
        assert ranker.evals_result_[name]["pairwise_logistic"][-1] == pytest.approx(loss, rel=1e-5)
    assert loss < 0.8 * np.log(2)


@pytest.mark.parametrize("metric", [PairwiseLogistic().metric, metrics.feval("ndcg")])
def test_metrics_refuse_the_training_set_of_dart(metric, problem) -> None:
    train = lgb.Dataset(problem.X, problem.y, group=problem.sizes)
    same = lgb.Dataset(problem.X, problem.y, group=problem.sizes, reference=train)
    params = {"objective": PairwiseLogistic(), "boosting": "dart", "drop_rate": 0.5, "verbose": -1, "num_threads": 1}
    lgb.train(params, train, 5, valid_sets=[same], feval=metric)
    with pytest.raises(ValueError, match="LightGBM leaves out trees for good when a metric in Python looks at"):
        lgb.train(params, train, 5, valid_sets=[train], feval=metric)


@BOTH
def test_categorical_columns(Ranker, problem) -> None:
    """A column that says nothing but by its categories, which are in no order."""
    colours = np.array(["red", "green", "blue", "black", "white"])
    worth = np.array([1, 4, 0, 3, 2])
    number = np.random.default_rng(0).integers(0, 5, problem.y.size)
    frame = pd.DataFrame({"noise": problem.X[:, 5], "colour": pd.Categorical(colours[number])})
    params = {"enable_categorical": True} if Ranker is XGBRanker else {"min_data_per_group": 5, "cat_smooth": 1}
    ranker = make_ranker(Ranker, n_estimators=40, **params).fit(frame, worth[number], qid=problem.qid)
    order = pd.DataFrame({"noise": 0.0, "colour": pd.Categorical(colours, categories=sorted(colours))})
    np.testing.assert_array_equal(np.argsort(ranker.predict(order)), np.argsort(worth))


def test_positions_of_categorical_columns_are_those_of_the_callers_table(problem) -> None:
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
    with pytest.raises(ValueError, match="the columns of X are not those .*'b' stands where 'a' stood"):
        ranker.predict(turned)
    with pytest.raises(ValueError, match=r"the columns of X are not .*unknown: \['g'\], missing: \['f'\]"):
        ranker.score(frame.rename(columns={"f": "g"}), problem.y)
    with pytest.raises(ValueError, match=r"the columns of eval_set\[0\] are not those"):
        ranker.fit(frame, problem.y, eval_set=[(other[turned.columns], make(1).y)])


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_categories_that_end_lightgbms_process_are_refused(kind, problem) -> None:
    package = pytest.importorskip(kind)
    frame = pd.DataFrame({"a": problem.X[:, 0], "colour": pd.Categorical(np.where(problem.X[:, 1] > 0, "x", "y"))})
    table = package.from_pandas(frame) if kind == "polars" else package.Table.from_pandas(frame)
    with pytest.raises(TypeError, match="LightGBM reads no categories of polars or Arrow .column 'colour'"):
        make_ranker(LGBMRanker).fit(table, problem.y, qid=problem.qid)


# Going on from a model.


def test_training_goes_on_with_other_data_and_another_objective(problem, make) -> None:
    other = make(1)
    first = make_ranker(LGBMRanker, n_estimators=5).fit(problem.X, problem.y, qid=problem.qid)
    more = make_ranker(LGBMRanker, n_estimators=3, objective="bpr")
    more.fit(other.X, other.y, qid=other.qid, init_model=first.booster_)
    assert more.booster_.num_trees() == 8
    np.testing.assert_allclose(more.predict(other.X, num_iteration=5), first.predict(other.X))

    first = make_ranker(XGBRanker, n_estimators=5).fit(problem.X, problem.y, qid=problem.qid)
    more = make_ranker(XGBRanker, n_estimators=3, objective="bpr")
    more.fit(other.X, other.y, qid=other.qid, xgb_model=first.get_booster())
    assert more.get_booster().num_boosted_rounds() == 8
    np.testing.assert_allclose(more.predict(other.X, iteration_range=(0, 5)), first.predict(other.X), rtol=1e-6)


def test_lightgbm_refuses_refit_with_its_reason(problem, tmp_path) -> None:
    ranker = make_ranker(LGBMRanker).fit(problem.X, problem.y, qid=problem.qid)
    with pytest.raises(lgb.basic.LightGBMError, match="Cannot refit due to null objective function"):
        ranker.booster_.refit(problem.X, problem.y)
    ranker.booster_.save_model(tmp_path / "model.txt")
    with pytest.raises(lgb.basic.LightGBMError, match="No objective function provided"):
        lgb.Booster(model_file=tmp_path / "model.txt").refit(problem.X, problem.y, group=problem.sizes)


def test_random_forests_are_refused_by_lightgbm(problem) -> None:
    ranker = make_ranker(LGBMRanker, boosting_type="rf", bagging_fraction=0.5, bagging_freq=1)
    with pytest.raises(lgb.basic.LightGBMError, match="RF mode do not support custom objective function"):
        ranker.fit(problem.X, problem.y, qid=problem.qid)


# Batches from XGBoost's data iterators.


class Batches(xgb.DataIter):
    """Rows from cut to cut."""

    def __init__(self, problem, cuts, directory, fields=None) -> None:
        self.problem, self.cuts, self.at = problem, cuts, 0
        self.fields = fields or (lambda rows: {"qid": problem.qid[rows]})
        super().__init__(cache_prefix=str(directory / "cache") if XGBOOST >= (3, 0) else None)

    def reset(self) -> None:
        self.at = 0

    def next(self, input_data) -> bool:
        if self.at == len(self.cuts) - 1:
            return False
        rows = slice(self.cuts[self.at], self.cuts[self.at + 1])
        input_data(data=self.problem.X[rows], label=self.problem.y[rows], **self.fields(rows))
        self.at += 1
        return True


def external(batches):
    kind = xgb.ExtMemQuantileDMatrix if hasattr(xgb, "ExtMemQuantileDMatrix") else xgb.QuantileDMatrix
    return kind(batches, nthread=1)


@pytest.mark.parametrize("ids", ["numbers", "strings", "sizes"])
def test_batches_of_whole_queries_train_as_one(ids, problem, tmp_path) -> None:
    ends = np.cumsum(problem.sizes)
    cuts = [0, ends[7], ends[8], ends[20], ends[-1]]
    fields = {
        "numbers": lambda rows: {"qid": 2**40 + problem.qid[rows]},  # XGBoost would cut the upper bits off
        "strings": lambda rows: {"qid": np.char.add("q", problem.qid[rows].astype(str))},
        "sizes": lambda rows: {"group": np.unique(problem.qid[rows], return_counts=True)[1]},
    }[ids]
    dataset = external(whole_queries(Batches(problem, cuts, tmp_path, fields)))
    np.testing.assert_array_equal(dataset.get_uint_info("group_ptr"), [0, *ends])
    params = {"objective": "rank:pairwise", "base_score": 0, "disable_default_eval_metric": True, "nthread": 1}
    objective = PairwiseLogistic()
    model = xgb.train(params, dataset, 5, obj=objective)
    one = xgb.QuantileDMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
    expected = xgb.train(params, one, 5, obj=objective)
    test = xgb.DMatrix(problem.X, nthread=1)
    np.testing.assert_allclose(model.predict(test), expected.predict(test), rtol=1e-5, atol=1e-5)


class TestBatchesThatAreRefused:
    def test_a_query_in_two_batches(self, problem, tmp_path) -> None:
        end = int(np.cumsum(problem.sizes)[9])
        batches = Batches(problem, [0, end - 1, end + 5, problem.y.size], tmp_path)
        with pytest.raises(ValueError, match="query 9 is split over batches 0 and 1: XGBoost would make two queries"):
            external(whole_queries(batches))

    def test_a_query_that_comes_again_later(self, problem, tmp_path) -> None:
        ends = [0, *np.cumsum(problem.sizes)]
        batches = Batches(
            problem, ends, tmp_path, lambda rows: {"qid": np.full(rows.stop - rows.start, rows.start % 2)}
        )
        with pytest.raises(ValueError, match="query [01] is split over batches"):
            external(whole_queries(batches))

    def test_batches_without_queries_or_with_two_kinds(self, problem, tmp_path) -> None:
        cuts = [0, problem.y.size]
        with pytest.raises(ValueError, match="batch 0 has no query ids"):
            external(whole_queries(Batches(problem, cuts, tmp_path, lambda rows: {})))
        both = {"qid": problem.qid, "group": problem.sizes}
        with pytest.raises(ValueError, match="batch 0 has both qid and group"):
            external(whole_queries(Batches(problem, cuts, tmp_path, lambda rows: both)))

    def test_scattered_rows(self, problem, tmp_path) -> None:
        batches = Batches(problem, [0, problem.y.size], tmp_path, lambda rows: {"qid": np.arange(problem.y.size) % 3})
        with pytest.raises(ValueError, match="batch 0: the rows of query 0 do not stand together"):
            external(whole_queries(batches))

    def test_too_few_ids(self, problem, tmp_path) -> None:
        batches = Batches(problem, [0, problem.y.size], tmp_path, lambda rows: {"qid": problem.qid[:-1]})
        with pytest.raises(ValueError, match="the qid of batch 0 has 630 entries"):
            external(whole_queries(batches))

    def test_something_else(self) -> None:
        with pytest.raises(TypeError, match="whole_queries takes an xgboost.DataIter, got a list"):
            whole_queries([])


# Pictures and explanations.


@BOTH
def test_importances_and_curves(Ranker, problem) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    ranker = make_ranker(Ranker).fit(
        problem.X,
        problem.y,
        qid=problem.qid,
        eval_set=[(problem.X, problem.y)],
        eval_qid=[problem.qid],
        eval_metric=["ndcg@5", "pairwise_logistic"],
    )
    assert np.argmax(ranker.feature_importances_) == 0
    package = lgb if Ranker is LGBMRanker else xgb
    axes = package.plot_importance(ranker)
    assert len(axes.patches) == np.count_nonzero(ranker.feature_importances_)
    if Ranker is LGBMRanker:
        axes = lgb.plot_metric(ranker, metric="ndcg@5")
        np.testing.assert_allclose(axes.lines[0].get_ydata(), history_of(ranker)["ndcg@5"])
    plt.close("all")
    assert list(history_of(ranker)) == ["ndcg@5", "pairwise_logistic"]
    assert len(history_of(ranker)["ndcg@5"]) == 12


@BOTH
def test_contributions_of_features_add_up(Ranker, problem) -> None:
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    if Ranker is LGBMRanker:
        parts = ranker.predict(problem.X, pred_contrib=True)
    else:
        parts = ranker.get_booster().predict(xgb.DMatrix(problem.X, nthread=1), pred_contribs=True)
    np.testing.assert_allclose(parts.sum(axis=1), ranker.predict(problem.X), rtol=1e-4, atol=1e-4)


@BOTH
def test_shap(Ranker, problem) -> None:
    shap = pytest.importorskip("shap")
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    explanation = shap.TreeExplainer(ranker)(problem.X)
    total = explanation.values.sum(axis=1) + explanation.base_values
    np.testing.assert_allclose(total, ranker.predict(problem.X), rtol=1e-4, atol=1e-4)
    assert np.argmax(np.abs(explanation.values).mean(axis=0)) == 0
