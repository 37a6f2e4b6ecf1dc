"""The one objective in lgb.train and xgb.train."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from gbdt_pairloss import BPR, LGBMRanker, PairwiseLogistic, XGBRanker, attach, metrics
from gbdt_pairloss.engine.cpu.engine import CPUEngine

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")

LGB = {"verbose": -1, "num_threads": 1, "deterministic": True, "min_data_in_leaf": 5}
XGB = {"nthread": 1, "base_score": 0.0, "disable_default_eval_metric": True}
BOOSTERS = ["lightgbm", "xgboost"]


def dataset_of(booster, problem, weight=None, X=None, y=None):
    X, y = problem.X if X is None else X, problem.y if y is None else y
    if booster == "lightgbm":
        return lgb.Dataset(X, y, group=problem.sizes, weight=weight, params={"verbose": -1})
    return xgb.DMatrix(X, y, group=problem.sizes, weight=weight, nthread=1)


def assert_same_in_float32(actual, expected) -> None:
    """Gradient and Hessian to what float32 is good for: 1e-6 of the largest."""
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * np.max(np.abs(theirs)))


def train(booster, objective, dataset, rounds=10, **params):
    if booster == "lightgbm":
        return lgb.train({**LGB, "objective": objective, **params}, dataset, rounds)
    return xgb.train({**XGB, **params}, dataset, rounds, obj=objective)


def predict(booster, model, X):
    return model.predict(X) if booster == "lightgbm" else model.predict(xgb.DMatrix(X, nthread=1))


@pytest.mark.parametrize("booster", BOOSTERS)
def test_a_plan_of_gain_differences_is_none_of_ndcg(booster, problem) -> None:
    dataset = dataset_of(booster, problem, y=problem.y - 1)
    scores = np.zeros(problem.y.size)
    gains = PairwiseLogistic(pair_weight="gain_diff", ignore_negative_labels=False)
    gains(scores, dataset.construct() if booster == "lightgbm" else dataset)
    with pytest.raises(ValueError, match="NDCG has no gain for the negative label"):
        gains.set_params(pair_weight="ndcg")(scores, dataset)


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("objective", [PairwiseLogistic(), BPR(threshold=1.0), PairwiseLogistic(normalize="log")])
def test_training_lowers_the_metric_of_the_objective(booster, objective, problem) -> None:
    dataset = dataset_of(booster, problem)
    history = {}
    if booster == "lightgbm":
        callbacks = [lgb.record_evaluation(history)]
        params = {**LGB, "objective": objective}
        lgb.train(params, dataset, 15, [dataset], ["data"], feval=objective.metric, callbacks=callbacks)
    else:
        xgb.train(
            XGB,
            dataset,
            15,
            obj=objective,
            custom_metric=objective.metric,
            evals=[(dataset, "data")],
            evals_result=history,
            verbose_eval=False,
        )
    losses = history["data"][objective.name]
    assert len(losses) == 15
    assert losses[-1] < 0.7 * losses[0]
    assert losses[0] < np.log(2)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_metric_is_the_loss_in_the_boosters_own_form(booster, problem) -> None:
    objective = PairwiseLogistic()
    dataset = dataset_of(booster, problem)
    if booster == "lightgbm":
        dataset.construct()
    result = objective.metric(problem.scores, dataset)
    value = objective.loss(problem.y, problem.scores, group=problem.sizes, reduction="pair_weights")
    expected = ("pairwise_logistic", value, False) if booster == "lightgbm" else ("pairwise_logistic", value)
    assert result == pytest.approx(expected)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_gradients_are_contiguous_float32(booster, problem) -> None:
    dataset = dataset_of(booster, problem)
    if booster == "lightgbm":
        dataset.construct()
    arrays = PairwiseLogistic()(problem.scores, dataset)
    expected = PairwiseLogistic().gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    assert_same_in_float32(arrays, expected)
    for array in arrays:
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


def test_lightgbms_row_weights_are_item_weights(problem) -> None:
    w = np.random.default_rng(0).uniform(0.2, 3, problem.y.size).astype(np.float32)
    for item_weight in ("winner", "both"):
        objective = PairwiseLogistic(item_weight=item_weight)
        ours = objective(problem.scores, dataset_of("lightgbm", problem, weight=w).construct())
        expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=w)
        assert_same_in_float32(ours, expected)


def test_xgboosts_weights_are_query_weights_and_items_are_attached(problem) -> None:
    rng = np.random.default_rng(0)
    q = rng.uniform(0.2, 3, problem.sizes.size).astype(np.float32)
    w = rng.uniform(0.2, 3, problem.y.size)
    objective = PairwiseLogistic()
    dataset = dataset_of("xgboost", problem, weight=q)
    by_query = objective(problem.scores, dataset)
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=q)
    assert_same_in_float32(by_query, expected)
    attach(dataset, item_weight=w)
    both = objective(problem.scores, dataset)
    weight = w * np.repeat(q, problem.sizes)
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=weight)
    assert_same_in_float32(both, expected)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_an_attached_mask_and_loser_weight(booster, problem) -> None:
    rng = np.random.default_rng(0)
    mask = rng.random(problem.y.size) < 0.7
    v = rng.uniform(0.2, 3, problem.y.size)
    dataset = dataset_of(booster, problem)
    if booster == "lightgbm":
        dataset.construct()
    objective = PairwiseLogistic(normalize="none")
    attach(dataset, mask=mask)
    masked = objective(problem.scores, dataset)
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, mask=mask)
    assert_same_in_float32(masked, expected)
    attach(dataset, loser_weight=np.full(v.size, 2.0))  # the mask stays
    assert_same_in_float32(objective(problem.scores, dataset), np.multiply(expected, 2))
    attach(dataset, loser_weight=v, mask=np.ones(v.size, dtype=bool))
    gradient, _ = objective(problem.scores, dataset)
    by_hand = np.zeros(problem.y.size)
    for start, stop in zip(problem.starts[:-1], problem.starts[1:], strict=True):
        y, s, w = problem.y[start:stop], problem.scores[start:stop], v[start:stop]
        rho = (y[:, None] > y) * w / (1 + np.exp(s[:, None] - s))
        by_hand[start:stop] = rho.sum(axis=0) - rho.sum(axis=1)
    assert_same_in_float32(gradient, by_hand)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_attachments_follow_a_cut(booster, problem) -> None:
    w = np.random.default_rng(0).uniform(0.2, 3, problem.y.size)
    whole = dataset_of(booster, problem)
    attach(whole, item_weight=w)
    rows = np.flatnonzero((problem.qid % 3 == 1) & (problem.qid > 4))
    sizes = np.unique(problem.qid[rows], return_counts=True)[1]
    if booster == "lightgbm":
        part = whole.construct().subset(list(rows)).construct()
    else:
        part = whole.slice(rows, allow_groups=True)
        part.set_group(sizes)
    del whole
    y, s = problem.y[rows], problem.scores[rows]
    expected = PairwiseLogistic().gradient_hessian(y, s, group=sizes, sample_weight=w[rows])
    assert_same_in_float32(PairwiseLogistic()(s, part), expected)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_attachments_follow_cross_validation(booster, problem, monkeypatch) -> None:
    attached = np.arange(1.0, problem.y.size + 1)
    seen = []

    class Spy(PairwiseLogistic):
        def plan(self, data):
            seen.append((data.labels.copy(), data.item_weight))
            return super().plan(data)

    dataset = dataset_of(booster, problem)
    attach(dataset, item_weight=attached)
    folds = list(GroupKFold(3).split(problem.X, groups=problem.qid))
    if booster == "lightgbm":
        lgb.cv({**LGB, "objective": Spy(), "metric": "None"}, dataset, 2, folds=folds, feval=metrics.feval("ndcg"))
    else:
        xgb.cv(XGB, dataset, 2, nfold=3, obj=Spy(), custom_metric=metrics.feval("ndcg"))
    assert len(seen) == 3
    for labels, weights in seen:
        rows = weights.astype(int) - 1
        assert 0 < rows.size < problem.y.size
        assert np.unique(rows).size == rows.size
        np.testing.assert_array_equal(labels, problem.y[rows].astype(np.float32))


@pytest.mark.parametrize(
    "kind",
    [
        "QuantileDMatrix",
        "DMatrix with qid",
        pytest.param(
            "ExtMemQuantileDMatrix",
            marks=pytest.mark.skipif(not hasattr(xgb, "ExtMemQuantileDMatrix"), reason="came with XGBoost 3.0"),
        ),
    ],
)
def test_every_kind_of_dmatrix(kind, problem, tmp_path) -> None:
    objective = PairwiseLogistic()
    expected = dataset_of("xgboost", problem)
    reference = objective(problem.scores, expected)
    if kind == "QuantileDMatrix":
        dataset = xgb.QuantileDMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
    elif kind == "DMatrix with qid":
        dataset = xgb.DMatrix(problem.X, problem.y, qid=problem.qid, nthread=1)
    else:
        half = problem.starts[problem.sizes.size // 2]
        batches = [slice(0, half), slice(half, None)]

        class Batches(xgb.DataIter):
            def __init__(self) -> None:
                self.at = 0
                super().__init__(cache_prefix=str(tmp_path / "cache"))

            def reset(self) -> None:
                self.at = 0

            def next(self, input_data) -> bool:
                if self.at == len(batches):
                    return False
                rows = batches[self.at]
                input_data(data=problem.X[rows], label=problem.y[rows], qid=problem.qid[rows])
                self.at += 1
                return True

        dataset = xgb.ExtMemQuantileDMatrix(Batches(), nthread=1)
    np.testing.assert_array_equal(objective(problem.scores, dataset), reference)
    model = train("xgboost", objective, dataset, 5)
    np.testing.assert_allclose(
        predict("xgboost", model, problem.X),
        predict("xgboost", train("xgboost", objective, expected, 5), problem.X),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.skipif(int(xgb.__version__.split(".")[0]) < 3, reason="XGBoost 2 always normalises by the scores")
@pytest.mark.parametrize(("labels", "n_queries", "mean_size"), [("grades", 25, 12), ("binary", 8, 60)])
def test_untruncated_rank_pairwise_grows_the_same_trees(make, labels, n_queries, mean_size) -> None:
    # facts of XGBoost: all pairs, no normalisers, and twice the diagonal Hessian.
    problem = make(5, labels, n_queries, mean_size)
    native = {
        **XGB,
        "objective": "rank:pairwise",
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": int(problem.sizes.max()),
        "lambdarank_normalization": False,
        "lambdarank_score_normalization": False,
        "tree_method": "exact",
    }
    dataset = dataset_of("xgboost", problem)
    theirs = predict("xgboost", xgb.train(native, dataset, 20), problem.X)
    objective = PairwiseLogistic(normalize="none", hessian_scale=2)
    ours = predict("xgboost", train("xgboost", objective, dataset, 20, tree_method="exact"), problem.X)
    assert np.ptp(theirs) > 1
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.skipif(int(xgb.__version__.split(".")[0]) < 3, reason="XGBoost 2 normalises in another way")
def test_rank_ndcg_grows_the_same_trees(problem) -> None:
    dataset = dataset_of("xgboost", problem)
    native = xgb.train({**XGB, "objective": "rank:ndcg"}, dataset, 5)
    objective = PairwiseLogistic(pair_weight="lambdarank", truncation=32, hessian_scale=2.0)
    ours = train("xgboost", objective, dataset, 5)
    np.testing.assert_allclose(
        predict("xgboost", ours, problem.X), predict("xgboost", native, problem.X), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("booster", BOOSTERS)
def test_labels_and_groups_set_anew_are_seen(booster, problem) -> None:
    objective = PairwiseLogistic()
    dataset = dataset_of(booster, problem)
    if booster == "lightgbm":
        dataset.construct()
    objective(problem.scores, dataset)
    y = problem.y[::-1].copy()
    dataset.set_label(y)
    expected = objective.gradient_hessian(y, problem.scores, group=problem.sizes)
    assert_same_in_float32(objective(problem.scores, dataset), expected)
    dataset.set_group(problem.sizes[::-1].copy())
    expected = objective.gradient_hessian(y, problem.scores, group=problem.sizes[::-1])
    assert_same_in_float32(objective(problem.scores, dataset), expected)
    one_per = problem.y.size if booster == "lightgbm" else problem.sizes.size
    w = np.linspace(1, 2, one_per)
    dataset.set_weight(w)
    expected = objective.gradient_hessian(y, problem.scores, group=problem.sizes[::-1], sample_weight=w)
    assert_same_in_float32(objective(problem.scores, dataset), expected)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_feval_by_name_in_both_boosters(booster, problem) -> None:
    dataset = dataset_of(booster, problem)
    if booster == "lightgbm":
        dataset.construct()
    results = metrics.feval("ndcg@3", "map")(problem.scores, dataset)
    assert [r[0] for r in results] == ["ndcg@3", "map"]
    assert results[0][1] == pytest.approx(metrics.ndcg(problem.y, problem.scores, group=problem.sizes, k=3))
    assert all(len(r) == (3 if booster == "lightgbm" else 2) for r in results)


@pytest.mark.parametrize("booster", BOOSTERS)
class TestRefusals:
    def test_no_groups(self, booster, problem) -> None:
        dataset = lgb.Dataset(problem.X, problem.y) if booster == "lightgbm" else xgb.DMatrix(problem.X, problem.y)
        with pytest.raises(ValueError, match="has no query groups"):
            train(booster, PairwiseLogistic(), dataset)

    def test_negative_labels(self, booster, problem) -> None:
        with pytest.raises(ValueError, match="the label is -1.0 at row .*ignore_negative_labels"):
            train(booster, PairwiseLogistic(), dataset_of(booster, problem, y=problem.y - 1))

    def test_weights_that_are_all_zero(self, booster, problem) -> None:
        n = problem.y.size if booster == "lightgbm" else problem.sizes.size
        with pytest.raises(ValueError, match="every pair has weight zero"):
            train(booster, PairwiseLogistic(), dataset_of(booster, problem, weight=np.zeros(n)))

    def test_weights_beyond_float32(self, booster, problem) -> None:
        dataset = dataset_of(booster, problem)
        attach(dataset, item_weight=np.full(problem.y.size, 1e200))
        with pytest.raises(ValueError, match="leaves the range of float32: scale the weights down"):
            train(booster, PairwiseLogistic(), dataset)

    def test_labels_all_equal_are_a_warning(self, booster, problem) -> None:
        with pytest.warns(UserWarning, match="nothing can be learned: no query has two rows with different labels"):
            train(booster, PairwiseLogistic(), dataset_of(booster, problem, y=np.ones(problem.y.size)))

    @pytest.mark.parametrize("threshold", [9.0, -1.0])
    def test_a_threshold_that_leaves_no_positive_or_no_negative_is_an_error(self, booster, problem, threshold) -> None:
        message = f"no query has both a positive \\(label above threshold={threshold}\\) and a negative"
        with pytest.raises(ValueError, match=message):
            train(booster, BPR(threshold=threshold), dataset_of(booster, problem))

    def test_hessians_too_small_for_a_leaf_are_a_warning(self, booster, problem) -> None:
        dataset = dataset_of(booster, problem)
        attach(dataset, item_weight=np.full(problem.y.size, 1e-9))
        with pytest.warns(UserWarning, match="the Hessians of all rows sum to .*: no tree can split"):
            train(booster, PairwiseLogistic(), dataset, 1)

    def test_every_training_on_a_dataset_is_looked_at(self, booster, problem) -> None:
        n = problem.y.size if booster == "lightgbm" else problem.sizes.size
        dataset = dataset_of(booster, problem, weight=np.zeros(n))
        for _ in range(2):
            with pytest.raises(ValueError, match="every pair has weight zero"):
                train(booster, PairwiseLogistic(), dataset)
        dataset = dataset_of(booster, problem, y=np.ones(problem.y.size))
        for _ in range(2):
            with pytest.warns(UserWarning, match="nothing can be learned"):
                train(booster, PairwiseLogistic(), dataset)

    def test_a_set_without_pairs_has_no_loss(self, booster, problem) -> None:
        dataset = dataset_of(booster, problem, y=np.ones(problem.y.size))
        if booster == "lightgbm":
            dataset.construct()
        with pytest.raises(ValueError, match="pairwise_logistic is undefined: no query has two rows"):
            PairwiseLogistic().metric(problem.scores, dataset)

    def test_rank_pairwise_is_no_place_for_two_scores_per_row(self, booster, problem) -> None:
        dataset = dataset_of(booster, problem)
        if booster == "lightgbm":
            dataset.construct()
        with pytest.raises(ValueError, match="one score per row"):
            PairwiseLogistic()(np.zeros((problem.y.size, 2)), dataset)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"item_weight": [1.0, 2.0]}, "item_weight has 2 entries"),
            ({"item_weight": -np.ones(7)}, "item_weight"),
            ({"mask": [True]}, "mask has shape"),
        ],
    )
    def test_bad_attachments(self, booster, problem, arguments, message) -> None:
        dataset = dataset_of(booster, problem)
        if booster == "lightgbm":
            dataset.construct()
        with pytest.raises(ValueError, match=message):
            attach(dataset, **arguments)


def test_a_base_margin_that_is_nan(problem) -> None:
    dataset = dataset_of("xgboost", problem)
    margin = np.zeros(problem.y.size)
    margin[3] = np.nan
    dataset.set_base_margin(margin)
    with pytest.raises(ValueError, match="the score is nan at row 3"):
        train("xgboost", PairwiseLogistic(), dataset)


@pytest.mark.parametrize("field", ["label", "weight"])
def test_infinite_labels_and_weights_of_lightgbm(problem, field) -> None:
    values = np.ones(problem.y.size)
    values[5] = np.inf  # LightGBM makes 1e38 of it
    dataset = dataset_of("lightgbm", problem).construct()
    getattr(dataset, f"set_{field}")(values)
    with pytest.raises(ValueError, match=f"the Dataset's {field} is infinite at row 5"):
        PairwiseLogistic()(problem.scores, dataset)


def test_positions_are_refused(problem) -> None:
    if not hasattr(lgb.Dataset(problem.X), "position"):
        pytest.skip("LightGBM 4.1 brought positions")
    dataset = lgb.Dataset(problem.X, problem.y, group=problem.sizes, position=np.arange(problem.y.size) % 5)
    with pytest.raises(ValueError, match=r"the Dataset has positions.*weigh the rows by .*propensity_weights"):
        train("lightgbm", PairwiseLogistic(), dataset)


def test_bagging_by_query_is_refused(problem) -> None:
    params = {"bagging_by_query": True, "bagging_fraction": 0.5, "bagging_freq": 1}
    with pytest.raises(ValueError, match="bagging_by_query does not work with a custom objective"):
        train("lightgbm", PairwiseLogistic(), dataset_of("lightgbm", problem), **params)
    if tuple(int(part) for part in lgb.__version__.split(".")[:2]) < (4, 6):
        return  # the parameter came with 4.6
    constructed = dataset_of("lightgbm", problem).construct()  # keeps no parameters of the training
    plain = {"objective": PairwiseLogistic(), "verbose": -1, "num_threads": 1}
    lgb.train(plain, constructed, 3)
    with pytest.warns(UserWarning, match="the first tree moved all scores of a query alike"):
        lgb.train({**plain, **params}, constructed, 3)


def test_item_weights_given_twice(problem) -> None:
    dataset = dataset_of("lightgbm", problem, weight=np.linspace(1, 2, problem.y.size)).construct()
    attach(dataset, item_weight=np.ones(problem.y.size))
    with pytest.raises(ValueError, match="item weights are given twice"):
        PairwiseLogistic()(problem.scores, dataset)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_calling_again_and_dart_raise_no_false_alarm(booster, problem) -> None:
    dataset = dataset_of(booster, problem)
    if booster == "lightgbm":
        dataset.construct()
        dart = {"boosting": "dart", "drop_rate": 0.9, "skip_drop": 0.0, "min_data_in_leaf": 20}
    else:
        dart = {"rate_drop": 0.9}
        if tuple(int(part) for part in xgb.__version__.split(".")[:2]) < (3, 4):
            dart["booster"] = "dart"
    for _ in range(3):
        PairwiseLogistic()(problem.scores, dataset)
    if booster == "lightgbm":
        train("lightgbm", PairwiseLogistic(), dataset, 6, **dart)
    else:
        xgb.train({**XGB, **dart}, dataset, 6, obj=PairwiseLogistic())


def test_a_plan_is_built_once_for_all_copies_and_trainings(problem, monkeypatch) -> None:
    built = []
    build = PairwiseLogistic.plan
    monkeypatch.setattr(PairwiseLogistic, "plan", lambda self, data: built.append(self) or build(self, data))
    for booster in BOOSTERS:
        dataset = dataset_of(booster, problem)
        for _ in range(2):
            train(booster, PairwiseLogistic(), dataset, 3)
    assert len(built) == 2


def test_objectives_that_read_labels_differently_share_no_plan(problem) -> None:
    class Reversed(PairwiseLogistic):
        def _ranking_labels(self, labels):
            return -labels

    dataset = dataset_of("xgboost", problem)
    plain, other = (objective(problem.scores, dataset) for objective in (PairwiseLogistic(), Reversed()))
    y = problem.y.max() - problem.y
    np.testing.assert_allclose(
        other, PairwiseLogistic().gradient_hessian(y, problem.scores, group=problem.sizes), rtol=1e-5, atol=1e-8
    )
    assert not np.allclose(plain[0], other[0])


def test_attachments_follow_copies_of_a_dataset(problem) -> None:
    w = np.random.default_rng(0).uniform(0.5, 2, problem.y.size)
    dataset = dataset_of("lightgbm", problem)
    attach(dataset, item_weight=w)
    expected = PairwiseLogistic().gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=w)
    for twin in (copy.copy(dataset), copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        gradient, _ = PairwiseLogistic()(problem.scores, twin.construct())
        assert_same_in_float32(gradient, expected[0])


def test_a_booster_is_no_dataset(problem) -> None:
    model = train("lightgbm", PairwiseLogistic(), dataset_of("lightgbm", problem), 1)
    with pytest.raises(TypeError, match="got a Booster"):
        attach(model, item_weight=[1.0])
    with pytest.raises(TypeError, match="got a Booster"):
        PairwiseLogistic()(problem.scores, model)


def test_attach_takes_datasets_only() -> None:
    with pytest.raises(TypeError, match="attach takes a lightgbm.Dataset or an xgboost.DMatrix, got a list"):
        attach([1, 2], item_weight=[1, 2])


def test_a_plain_lightgbm_ranker_is_told_where_to_go(problem) -> None:
    ranker = lgb.LGBMRanker(objective=PairwiseLogistic(), n_estimators=2, n_jobs=1, verbose=-1)
    with pytest.raises(TypeError, match=r"gbdt_pairloss\.LGBMRanker"):
        ranker.fit(problem.X, problem.y, group=problem.sizes)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_the_boosters_threads_are_ours_unless_we_have_our_own(booster, problem, monkeypatch) -> None:
    used = []
    init = CPUEngine.__init__
    monkeypatch.setattr(CPUEngine, "__init__", lambda self, n: (used.append(n), init(self, n))[1])
    if booster == "lightgbm":
        dataset = dataset_of(booster, problem)
        train(booster, PairwiseLogistic(), dataset, num_threads=1)
    else:
        dataset = xgb.DMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
        train(booster, PairwiseLogistic(), dataset)
    assert set(used) == {1}
    used.clear()
    train(booster, PairwiseLogistic(n_threads=3), dataset)
    assert set(used) == {3}


@pytest.mark.parametrize("Ranker", [LGBMRanker, XGBRanker])
def test_a_rankers_n_jobs_are_the_objectives_threads(Ranker, problem, monkeypatch) -> None:
    used = []
    init = CPUEngine.__init__
    monkeypatch.setattr(CPUEngine, "__init__", lambda self, n: (used.append(n), init(self, n))[1])
    for n_jobs, objective, expected in ((1, "bpr", 1), (1, PairwiseLogistic(n_threads=2), 2)):
        Ranker(objective=objective, n_estimators=2, n_jobs=n_jobs, eval_metric="ndcg@3").fit(
            problem.X, problem.y, qid=problem.qid
        )
        assert set(used) == {expected}
        used.clear()
