"""Where arrays are decides where is computed, and where results are: with a simulated device in the place of CUDA's."""

from __future__ import annotations

import gc
import pickle
import sys
import weakref
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from _support.problems import make_problem
from _support.simulator import SimulatedDevice, compiler

from gbdt_pairloss import BPR, LGBMRanker, PairwiseLogistic, XGBRanker, attach
from gbdt_pairloss import _device as cuda
from gbdt_pairloss._device import has_device, is_on_device
from gbdt_pairloss.metrics import get_metric, ndcg, pair_accuracy, spearman
from gbdt_pairloss.ranking._reading import read_arrays

pytestmark = pytest.mark.skipif(compiler is None, reason="no C++ compiler for the simulator")


@pytest.fixture
def device(monkeypatch):
    simulated = SimulatedDevice()
    simulated.asked = []
    monkeypatch.setattr(cuda, "cuda_device", lambda ordinal=None: simulated.asked.append(ordinal) or simulated)
    monkeypatch.setattr(cuda, "device_of", lambda array: simulated)
    monkeypatch.setattr(cuda, "has_device", lambda: True)
    monkeypatch.setattr(cuda, "may_have_device", lambda: True)
    return simulated


def assert_close(device_arrays, host_arrays) -> None:
    for ours, expected in zip(device_arrays, host_arrays, strict=True):
        assert is_on_device(ours)
        assert not is_on_device(expected)
        assert ours.dtype == expected.dtype
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours.get(), expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_of_the_device_give_arrays_of_the_device(device, problem, dtype) -> None:
    objective = PairwiseLogistic()
    y, scores = problem.y, problem.scores.astype(dtype)
    weight = np.random.default_rng(0).random(y.size)
    expected = objective.gradient_hessian(y, scores, group=problem.sizes, sample_weight=weight)
    up = device.upload
    ours = objective.gradient_hessian(up(y), up(scores), group=up(problem.sizes), sample_weight=up(weight))
    assert "sum_pairs" in device.launched
    assert_close(ours, expected)
    assert_close(objective.gradient_hessian(y, up(scores), qid=up(problem.qid), sample_weight=weight), expected)
    lists = np.arange(12.0).reshape(3, 4) % 5
    assert_close(
        objective.gradient_hessian(up(lists), up(lists.astype(dtype))),
        objective.gradient_hessian(lists, lists.astype(dtype)),
    )
    for reduction in ("sum", "pair_weights", "mean"):
        given = {"group": problem.sizes, "reduction": reduction}
        assert objective.loss(up(y), up(scores), **given) == pytest.approx(objective.loss(y, scores, **given), rel=1e-6)
    one = {"group": problem.sizes, "reduction": "none"}
    assert_close([objective.loss(y, up(scores), **one)], [objective.loss(y, scores, **one)])


def test_scores_that_do_not_stand_together_or_are_no_floats(device, problem) -> None:
    objective, scores = PairwiseLogistic(), np.round(problem.scores)
    plan = objective.plan(read_arrays(problem.y, scores, group=problem.sizes).data)
    expected = objective.boost(plan, scores, None)
    apart = device.zeros((scores.size, 2), np.float64)
    apart[:, 0] = scores
    assert_close(objective.boost(plan, apart[:, 0], None), expected)
    assert_close(objective.boost(plan, device.upload(scores.astype(np.int64)), None), expected)


def test_long_queries_of_every_pair_are_the_hosts_with_auto(device) -> None:
    y, scores = np.arange(20_000) % 3, np.linspace(0, 1, 20_000)
    objective = PairwiseLogistic(pair_weight="ndcg", truncation=5)
    assert is_on_device(objective.gradient_hessian(y, device.upload(scores))[0])
    assert device.launched == []


def test_arrays_of_the_host_give_arrays_of_the_host(device, problem) -> None:
    given = (problem.y, problem.scores.astype(np.float32))
    expected = PairwiseLogistic(device="cpu").gradient_hessian(*given, group=problem.sizes)
    PairwiseLogistic().gradient_hessian(*given, group=problem.sizes)
    assert device.launched == []
    for ours, exact in zip(
        PairwiseLogistic(device="cuda").gradient_hessian(*given, group=problem.sizes), expected, strict=True
    ):
        assert not is_on_device(ours)
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    assert "sum_pairs" in device.launched


def test_device_cpu_computes_on_the_host_wherever_arrays_are(device, problem) -> None:
    given = (problem.y, problem.scores)
    expected = PairwiseLogistic().gradient_hessian(*given, group=problem.sizes)
    ours = PairwiseLogistic(device="cpu").gradient_hessian(*map(device.upload, given), group=problem.sizes)
    assert device.launched == []
    assert_close(ours, expected)


@pytest.mark.parametrize(
    "objective", [PairwiseLogistic(pair_weight="label_diff"), BPR(negatives=1, random_state=0), None]
)
def test_auto_takes_the_host_for_sums_that_only_it_knows(device, problem, objective) -> None:
    from gbdt_pairloss import get_objective

    objective = objective or get_objective("pairwise_hinge")
    y = (problem.y > 1).astype(float)
    expected = objective.gradient_hessian(y, problem.scores, group=problem.sizes)
    ours = objective.gradient_hessian(y, device.upload(problem.scores), group=problem.sizes)
    assert_close(ours, expected)
    knows = objective.pair_loss.name == "logistic" and getattr(objective, "negatives", "all") == "all"
    assert bool(device.launched) == knows
    if not knows:
        with pytest.raises(ValueError, match='device="cuda" does not know (drawn negatives|the hinge loss)'):
            objective.set_params(device="cuda").gradient_hessian(y, problem.scores, group=problem.sizes)


@pytest.mark.parametrize("k", [None, 3, 1000])
@pytest.mark.parametrize("ties", ["average", "order"])
@pytest.mark.parametrize("gain", ["exp2", "linear"])
def test_ndcg_on_the_device(device, problem, k, ties, gain) -> None:
    rng = np.random.default_rng(1)
    scores, mask = np.round(problem.scores), rng.random(problem.y.size) < 0.9
    for options in ({"qid": problem.qid}, {"group": problem.sizes, "mask": mask, "query_weight": rng.random(30)}):
        given = {**options, "k": k, "ties": ties, "gain": gain}
        assert ndcg(problem.y, device.upload(scores), **given) == pytest.approx(
            ndcg(problem.y, scores, **given), rel=1e-14
        )
        ours = ndcg(problem.y, device.upload(scores), per_query=True, **given)
        np.testing.assert_allclose(ours.get(), ndcg(problem.y, scores, per_query=True, **given), rtol=1e-14)
    assert "count_rows" in device.launched


@pytest.mark.parametrize("ties", ["average", "wrong"])
def test_pair_accuracy_on_the_device(device, ties) -> None:
    for labels in ("grades", "binary", "signed"):
        problem = make_problem(2, labels, mean_size=90)
        scores = np.round(problem.scores, 1)
        given = {"group": problem.sizes, "ties": ties, "per_query": True}
        ours = pair_accuracy(problem.y, device.upload(scores), **given)
        np.testing.assert_array_equal(ours.get(), pair_accuracy(problem.y, scores, **given))
    assert "count_rows" in device.launched
    winner, loser = np.array([0, 1]), np.array([2, 3])
    assert pair_accuracy(np.zeros(4), device.upload(np.arange(4.0)), pairs=(winner, loser)) == 0.0


def test_metrics_that_only_the_host_knows(device, problem) -> None:
    expected = spearman(problem.y, problem.scores, group=problem.sizes)
    assert spearman(device.upload(problem.y), device.upload(problem.scores), group=problem.sizes) == expected


@pytest.mark.parametrize("name", ["ndcg", "pair_accuracy", "map", "spearman"])
def test_bad_scores_are_named_by_metrics_wherever_they_are_computed(device, problem, name) -> None:
    data = read_arrays((problem.y > 1).astype(float), problem.scores, group=problem.sizes).data
    scores = problem.scores.copy()
    scores[7] = np.nan
    with pytest.raises(ValueError, match="the score is nan at row 7"):
        get_metric(name)(data, device.upload(scores))


def test_bad_scores_of_the_device_are_named(device, problem) -> None:
    scores = problem.scores.copy()
    scores[[5, 9]] = np.nan
    for call in (PairwiseLogistic().gradient_hessian, ndcg):
        with pytest.raises(ValueError, match="y_pred is nan at row 5"):
            call(problem.y, device.upload(scores), group=problem.sizes)


@pytest.fixture
def on_cuda(device, monkeypatch):
    """XGBoost says that it trains on CUDA; gradients are brought back to the host on the way to it."""
    xgb = pytest.importorskip("xgboost")
    adapter = pytest.importorskip("gbdt_pairloss.boosters.xgboost")
    monkeypatch.setattr(adapter, "device_of", lambda booster: "cuda:1")
    if not hasattr(xgb.core, "_grad_arrinf"):
        pytest.skip("this XGBoost looks at gradients elsewhere")
    seen, kept = [], []
    interface = xgb.core._grad_arrinf

    def to_host(array, *rest):
        seen.append(is_on_device(array))
        kept.append(array.get() if is_on_device(array) else array)
        return interface(kept[-1], *rest)

    monkeypatch.setattr(xgb.core, "_grad_arrinf", to_host)
    return seen


def test_train_with_xgboost_on_cuda(device, on_cuda, problem) -> None:
    import xgboost as xgb

    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    params = {"max_depth": 3, "base_score": 0.0, "disable_default_eval_metric": True}
    results, models = [], []
    for objective in (PairwiseLogistic(), PairwiseLogistic(device="cpu")):
        device.launched.clear()
        device.asked.clear()
        result: dict = {}
        models.append(
            xgb.train(
                params,
                train,
                5,
                obj=objective,
                custom_metric=objective.metric,
                evals=[(train, "train")],
                evals_result=result,
                verbose_eval=False,
            ).predict(train)
        )
        results.append(result["train"]["pairwise_logistic"])
        assert all(on_cuda) == (objective.device == "auto")
        assert len(on_cuda) == 10
        assert (1 in device.asked) == (objective.device == "auto")  # the Booster's ordinal
        on_cuda.clear()
        assert device.launched.count("sum_pairs") == (0 if objective.device == "cpu" else 5 + 2 * 5)
    np.testing.assert_allclose(*models, atol=1e-4)
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_labels_are_read_again_when_they_change(device, on_cuda, problem, monkeypatch) -> None:
    import xgboost as xgb

    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    objective = PairwiseLogistic()
    read = []
    get_label = xgb.DMatrix.get_label
    monkeypatch.setattr(xgb.DMatrix, "get_label", lambda self: read.append(self) or get_label(self))
    scores = device.upload(problem.scores.astype(np.float32))
    y = problem.y[::-1].copy()
    weight = np.linspace(1, 2, problem.sizes.size)
    changes = [
        (lambda: None, {}),
        (lambda: train.set_label(y), {}),
        (lambda: train.set_info(label=problem.y), {}),
        (lambda: train.set_float_info("label", y), {}),
        (lambda: train.set_weight(weight), {"sample_weight": weight}),
        (lambda: train.set_info(group=problem.sizes[::-1].copy()), {"group": problem.sizes[::-1]}),
        (lambda: attach(train, item_weight=np.arange(1.0, y.size + 1)), None),
    ]
    given = {"group": problem.sizes}
    for change, more in changes:
        change()
        read.clear()
        ours = objective(scores, train)
        assert len(read) == 1
        read.clear()
        for one, again in zip(ours, objective(scores, train), strict=True):
            np.testing.assert_array_equal(one.get(), again.get())
        assert read == []
        if more is None:
            return
        given.update(more)
        expected = objective.gradient_hessian(get_label(train), problem.scores.astype(np.float32), **given)
        assert_close(ours, expected)


def test_a_training_may_go_on_elsewhere(device, problem) -> None:
    import xgboost as xgb

    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    objective, scores = PairwiseLogistic(), problem.scores.astype(np.float32)
    objective(scores, train)
    objective(device.upload(2 * scores), train)
    objective(device.upload(scores), train)
    objective(2 * scores, train)


def test_rounds_leave_nothing_behind(problem, monkeypatch) -> None:
    xgb = pytest.importorskip("xgboost")
    monkeypatch.setattr(cuda, "may_have_device", lambda: True)
    monkeypatch.setattr(cuda, "has_device", lambda: False)
    arrays = []

    def objective(preds, dtrain):
        gradient, hessian = PairwiseLogistic()(preds, dtrain)
        arrays.append(weakref.ref(gradient))
        return gradient, hessian

    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    gc.collect()
    gc.disable()
    try:
        xgb.train({"base_score": 0.0, "disable_default_eval_metric": True}, train, 10, obj=objective)
        assert sum(array() is not None for array in arrays) <= 1
    finally:
        gc.enable()


def first_label_of_the_best(y_true, y_pred) -> float:
    assert not is_on_device(y_pred)
    return float(y_true[np.argmax(y_pred)])


def test_rankers_train_on_cuda(device, on_cuda, problem) -> None:
    given = {"group": problem.sizes, "eval_set": [(problem.X, problem.y)], "eval_group": [problem.sizes]}
    fitted = []
    for where in ("auto", "cpu"):
        metrics = ["ndcg@5", "pair_accuracy", "spearman", first_label_of_the_best]
        ranker = XGBRanker(n_estimators=5, max_depth=3, objective__device=where, eval_metric=metrics)
        fitted.append(ranker.fit(problem.X, problem.y, **given))
        assert all(on_cuda) == (where == "auto")
        assert bool(device.launched) == (where == "auto")
        on_cuda.clear()
        device.launched.clear()
    np.testing.assert_allclose(*(ranker.predict(problem.X) for ranker in fitted), atol=1e-4)
    for metric in ("ndcg@5", "pair_accuracy", "spearman", "first_label_of_the_best"):
        np.testing.assert_allclose(*(r.evals_result()["validation_0"][metric] for r in fitted), rtol=1e-6)


def test_features_on_the_device_are_regrouped_there(device, problem) -> None:
    from gbdt_pairloss.boosters._query_sets import Extras, read_query_set

    rows = np.random.default_rng(0).permutation(problem.y.size)
    up = device.upload
    rest = {"group": None, "sample_weight": None, "objective": None, "extras": Extras()}
    made, host = (
        read_query_set(to(problem.X[rows]), to(problem.y[rows]), qid=to(problem.qid[rows]), **rest)
        for to in (up, np.asarray)
    )
    assert is_on_device(made.X)
    np.testing.assert_array_equal(made.X.get(), host.X)
    np.testing.assert_array_equal(made.labels, host.labels)


def test_lightgbm_takes_arrays_of_the_host(device, problem) -> None:
    pytest.importorskip("lightgbm")
    given = {"group": problem.sizes}
    models = []
    for where in ("cuda", "cpu", "auto"):
        ranker = LGBMRanker(n_estimators=5, min_child_samples=5, verbose=-1, objective__device=where)
        models.append(ranker.fit(problem.X, problem.y, **given).predict(problem.X))
        assert ("sum_pairs" in device.launched) == (where == "cuda")
        device.launched.clear()
    np.testing.assert_allclose(models[0], models[1], atol=1e-3)
    np.testing.assert_array_equal(models[1], models[2])


def test_explicit_pairs_of_a_dataset(device, on_cuda, problem) -> None:
    import xgboost as xgb

    train = xgb.DMatrix(problem.X)
    attach(train, pairs=(np.arange(0, 40, 2), np.arange(1, 41, 2)))
    xgb.train({"base_score": 0.0}, train, 2, obj=PairwiseLogistic())
    assert device.launched.count("sum_listed_pairs") == 2


def test_objectives_pickle_wherever_they_compute() -> None:
    objective = PairwiseLogistic(device="cuda")
    assert pickle.loads(pickle.dumps(objective)).get_params() == objective.get_params()


class Fails(Exception):
    pass


def fail(*arguments):
    raise Fails("as it happens")


def cupy_that(**functions):
    runtime = SimpleNamespace(is_hip=False, getDeviceCount=lambda: 1)
    vars(runtime).update({name: value for name, value in functions.items() if name != "compile"})
    kernel = SimpleNamespace(compile=functions.get("compile", lambda: None))
    module = ModuleType("cupy")
    vars(module).update(cuda=SimpleNamespace(runtime=runtime), RawKernel=lambda code, name: kernel)
    return module


@pytest.mark.parametrize(
    ("cupy", "reason"),
    [
        (None, r"CuPy cannot be imported .* Install gbdt_pairloss\[cuda12\] or gbdt_pairloss\[cuda13\]"),
        (cupy_that(getDeviceCount=lambda: 0), "the driver finds none"),
        (cupy_that(getDeviceCount=fail), "CuPy says Fails: as it happens"),
        (cupy_that(compile=fail), "CuPy says Fails: as it happens"),
        (cupy_that(is_hip=True), "this CuPy is for ROCm"),
    ],
)
def test_without_a_device(cupy, reason, problem, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    cuda._connected.cache_clear()
    try:
        with pytest.raises(RuntimeError, match=f"there is no CUDA device to compute on: {reason}"):
            PairwiseLogistic(device="cuda").gradient_hessian(problem.y, problem.scores, group=problem.sizes)
        PairwiseLogistic(device="auto").gradient_hessian(problem.y, problem.scores, group=problem.sizes)
        assert not has_device()
    finally:
        cuda._connected.cache_clear()


@pytest.mark.skipif(has_device(), reason="there is a CUDA device")
def test_as_this_machine_is(problem) -> None:
    with pytest.raises(RuntimeError, match="there is no CUDA device to compute on: "):
        PairwiseLogistic(device="cuda").gradient_hessian(problem.y, problem.scores, group=problem.sizes)
