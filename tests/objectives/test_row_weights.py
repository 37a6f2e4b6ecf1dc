"""Weights of rows: by popularity, against the bias of positions, and each where it belongs, once."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import BPR, PairwiseLogistic, attach, metrics, popularity_weights, propensity_weights

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")
pd = pytest.importorskip("pandas")

from _support.rankers import BOTH, history_of, make_ranker  # noqa: E402

from gbdt_pairloss import LGBMRanker  # noqa: E402


def by_hand(y, s, sizes, w, v, q):
    """The definition, query by query: gradient, Hessian, loss, and the sum of the pairs' weights."""
    gradient, hessian = np.zeros(y.size), np.zeros(y.size)
    loss = weight = 0.0
    start = 0
    for query, size in enumerate(sizes):
        rows = slice(start, start + size)
        d = s[rows, None] - s[rows]
        omega = (y[rows, None] > y[rows]) * w[rows, None] * v[rows] * q[query]
        wrong = 1 / (1 + np.exp(d))
        slope, curve = omega * wrong, omega * wrong * (1 - wrong)
        gradient[rows] = slope.sum(axis=0) - slope.sum(axis=1)
        hessian[rows] = curve.sum(axis=0) + curve.sum(axis=1)
        loss += (omega * np.log1p(np.exp(-d))).sum()
        weight += omega.sum()
        start += size
    return gradient, hessian, loss, weight


class TestPopularity:
    ITEM = np.array([3, 1, 2, 1, 1, 3, 7, 1])
    COUNT = np.array([2, 4, 1, 4, 4, 2, 1, 4])

    @pytest.mark.parametrize("alpha", [0, 0.5, 0.75, 1, 2])
    def test_they_go_by_a_power_of_the_count_and_have_mean_1(self, alpha) -> None:
        weight = popularity_weights(self.ITEM, alpha)
        assert weight.dtype == np.float64
        assert weight.mean() == pytest.approx(1, rel=1e-12)
        np.testing.assert_allclose(weight / weight[2], self.COUNT**alpha, rtol=1e-12)

    def test_alpha_is_1_unless_given_and_0_is_no_weight(self) -> None:
        np.testing.assert_array_equal(popularity_weights(self.ITEM), popularity_weights(self.ITEM, 1.0))
        np.testing.assert_array_equal(popularity_weights(self.ITEM, alpha=0), np.ones(8))
        np.testing.assert_array_equal(popularity_weights(self.ITEM, alpha=0, interactions=[1]), np.ones(8))

    def test_interactions_are_what_is_counted(self) -> None:
        weight = popularity_weights(self.ITEM, interactions=[1, 7, 1, 1, 7, 99, 3])
        expected = np.array([1, 3, 0, 3, 3, 1, 2, 3])
        np.testing.assert_allclose(weight, expected / expected.mean(), rtol=1e-12)
        of_positives = popularity_weights(self.ITEM, 0.5, interactions=self.ITEM[[0, 1, 3]])
        np.testing.assert_allclose(of_positives[[0, 1]] / of_positives[0], [1, 2**0.5], rtol=1e-12)
        assert (of_positives[[2, 6]] == 0).all()

    @pytest.mark.parametrize(
        "names",
        [
            np.array(["x", "b", "a", "c", "d", "e", "f", "g"]),
            np.array(["x", "b", "a", "c", "d", "e", "f", "g"], dtype=object),
            np.array([1, "1", 2, "2", 3.5, "3.5", False, "False"], dtype=object),
            np.linspace(-1, 1, 8),
            np.arange(8) + 2**62,
            np.datetime64("2026-01-01") + np.arange(8),
        ],
    )
    def test_ids_are_of_any_dtype(self, names) -> None:
        item = names[self.ITEM]
        for ids in (item, pd.Series(item), item[:, None]):
            np.testing.assert_array_equal(popularity_weights(ids), popularity_weights(self.ITEM))
        some = popularity_weights(self.ITEM, interactions=self.ITEM[1:4])
        np.testing.assert_array_equal(popularity_weights(item, interactions=item[1:4]), some)

    def test_numbers_match_numbers_of_another_type(self) -> None:
        expected = popularity_weights(self.ITEM, interactions=self.ITEM[1:4])
        for own, other in ((np.int64, np.float64), (np.int32, np.uint8), (np.float32, np.int64)):
            ours = popularity_weights(self.ITEM.astype(own), interactions=self.ITEM[1:4].astype(other))
            np.testing.assert_array_equal(ours, expected)

    def test_strings_match_strings_of_another_type(self) -> None:
        item = np.array(list("abca"))
        expected = popularity_weights(item, interactions=item[:3])
        for own, other in ((item.astype(object), list("abc")), (list("abca"), pd.Series(list("abc"), dtype=object))):
            np.testing.assert_array_equal(popularity_weights(own, interactions=other), expected)

    def test_a_list_of_mixed_ids_keeps_apart_what_is_different(self) -> None:
        np.testing.assert_allclose(popularity_weights([1, "1", 1]), [1.2, 0.6, 1.2])
        np.testing.assert_allclose(popularity_weights([1, "1"], interactions=[1, 1, 1, "1"]), [1.5, 0.5])

    def test_large_ids_stay_apart(self) -> None:
        item = np.array([2**60, 2**60 + 1], dtype=np.uint64)
        interactions = np.array([2**60] * 3 + [2**60 + 1])
        np.testing.assert_allclose(popularity_weights(item, interactions=interactions), [1.5, 0.5])

    def test_no_rows(self) -> None:
        assert popularity_weights(np.empty(0, dtype=int)).shape == (0,)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"item_id": ["a", None]}, "item_id is missing at row 1"),
            ({"item_id": [1.0, 2.0, np.nan]}, "item_id is missing at row 2"),
            ({"item_id": [["a", "b"]]}, r"item_id has shape \(1, 2\)"),
            ({"alpha": -0.5}, "alpha must be a number from 0, got -0.5"),
            ({"alpha": np.nan}, "alpha must be a finite number, got nan"),
            ({"alpha": "1"}, "alpha must be a finite number, got '1'"),
            ({"interactions": [8, 9]}, "no row's item has an interaction: all weights would be 0"),
            ({"interactions": np.empty(0, dtype=int)}, "no row's item has an interaction"),
            ({"interactions": ["a", "b"]}, "no row's item has an interaction: all weights would be 0"),
            ({"interactions": [1.0, None]}, "interactions is missing at row 1: every row needs one item id"),
        ],
    )
    def test_what_is_refused(self, arguments, message) -> None:
        with pytest.raises(ValueError, match=message):
            popularity_weights(**{"item_id": self.ITEM, **arguments})

    def test_a_missing_interaction_is_named_where_it_is(self) -> None:
        with pytest.raises(ValueError, match="interactions (is|are) missing at row 1"):
            popularity_weights(self.ITEM.astype(float), interactions=[1.0, np.nan])


@pytest.mark.parametrize("normalize", ["none", "query"])
def test_weights_of_negatives_make_the_exact_expectation_of_sampling_by_them(normalize) -> None:
    rng = np.random.default_rng(0)
    sizes, y = [6, 5, 4], np.array([1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0])
    s, item = rng.normal(size=15), rng.integers(0, 5, 15)
    qid = np.repeat(np.arange(3), sizes)
    chance = popularity_weights(item, 0.75) * (y == 0)
    chance /= np.bincount(qid, chance)[qid]  # sums to 1 for each user
    loss, gradient, hessian = 0.0, np.zeros(15), np.zeros(15)
    for i in np.flatnonzero(y):  # one negative for each positive
        factor = 1.0
        if normalize == "query":
            factor = sizes[qid[i]] / (y[qid == qid[i]].sum() * (1 - y[qid == qid[i]]).sum())
        for j in np.flatnonzero((qid == qid[i]) & (y == 0)):
            p = factor * chance[j]
            wrong = 1 / (1 + np.exp(s[i] - s[j]))
            loss += p * np.log1p(np.exp(s[j] - s[i]))
            gradient[[i, j]] += p * wrong * np.array([-1, 1])
            hessian[[i, j]] += p * wrong * (1 - wrong)
    objective = BPR(negatives="all", normalize=normalize)
    arguments = {"group": sizes, "loser_weight": chance}
    np.testing.assert_allclose(objective.gradient_hessian(y, s, **arguments), [gradient, hessian], rtol=1e-12)
    assert objective.loss(y, s, **arguments) == pytest.approx(loss, rel=1e-12)
    if normalize == "none":  # each positive's expected loss
        mean = objective.loss(y, s, reduction="pair_weights", **arguments)
        assert mean == pytest.approx(loss / y.sum(), rel=1e-12)


class TestPropensity:
    @pytest.mark.parametrize("eta", [0, 0.5, 1, 2.0])
    def test_they_are_a_power_of_the_position(self, eta) -> None:
        position = np.array([1, 2, 10, 1, 3])
        weight = propensity_weights(position, eta)
        assert weight.dtype == np.float64
        np.testing.assert_allclose(weight, position.astype(float) ** eta, rtol=1e-12)

    def test_eta_is_1_unless_given(self) -> None:
        for position in ([1, 2, 10], np.array([1, 2, 10], dtype=np.uint8), pd.Series([1.0, 2.0, 10.0])):
            np.testing.assert_array_equal(propensity_weights(position), [1, 2, 10])
        assert propensity_weights([]).shape == (0,)

    def test_chances_of_positions(self) -> None:
        chance = [1.0, 0.5, 0.2, 0.01]
        np.testing.assert_allclose(propensity_weights([3, 1, 2, 2], propensities=chance), [5, 1, 2, 2], rtol=1e-12)
        by_eta = propensity_weights([3, 1, 4], 0.7)
        same = propensity_weights([3, 1, 4], propensities=np.arange(1.0, 5) ** -0.7)
        np.testing.assert_allclose(same, by_eta, rtol=1e-12)

    @pytest.mark.parametrize(
        ("position", "arguments", "message"),
        [
            ([1, 0], {}, "position is 0 at row 1; positions are whole numbers from 1, at the top"),
            ([-2], {}, "position is -2 at row 0"),
            ([2, 1.5], {}, "position is 1.5 at row 1"),
            ([1, 1, np.nan], {}, "position is nan at row 2"),
            ([1, np.inf], {}, "position is inf at row 1"),
            (["a"], {}, "position has dtype <U1; it must be real numbers"),
            ([1], {"eta": np.nan}, "eta must be a finite number, got nan"),
            (
                [1, 4, 2],
                {"propensities": [1, 0.5]},
                "position is 4 at row 1, but there are propensities of 2 positions",
            ),
            ([1], {"propensities": [1, 0.0]}, r"propensities\[1\] is 0.0; a chance must be above 0 and at most 1"),
            ([1], {"propensities": [1.1]}, r"propensities\[0\] is 1.1; a chance must be above 0 and at most 1"),
            ([1], {"propensities": [-0.1]}, r"propensities\[0\] is -0.1; a chance"),
            ([1], {"propensities": [0.5, np.nan]}, r"propensities\[1\] is nan; a chance"),
            ([1], {"propensities": [1], "eta": 0.5}, "eta and propensities are both given: give one of them"),
        ],
    )
    def test_what_is_refused(self, position, arguments, message) -> None:
        with pytest.raises(ValueError, match=message):
            propensity_weights(position, **arguments)


@BOTH
@pytest.mark.parametrize("seed", [0, 1])
def test_propensities_undo_the_bias_of_positions(Ranker, seed) -> None:
    rng = np.random.default_rng(seed)

    def logged(n_queries, size=10):
        """Results in the order of a production ranker that is worse than chance; users look at 1 / position."""
        X = rng.normal(size=(n_queries, size, 3))
        truth = X[..., 0]
        shown = np.argsort(-(X[..., 1] - 1.5 * truth), axis=1)
        position = 1 + np.argsort(shown, axis=1)
        clicked = rng.random(truth.shape) < 1 / (1 + np.exp(1.5 - truth)) / position
        rows = (X.reshape(-1, 3), truth.ravel(), position.ravel(), clicked.ravel().astype(float))
        return *rows, np.repeat(np.arange(n_queries), size)

    X, _, position, clicked, qid = logged(2000)
    X_test, truth, _, _, qid_test = logged(200)
    params = {"min_child_samples": 50} if Ranker is LGBMRanker else {"max_depth": 3}
    right = []
    for weight in (None, propensity_weights(position)):
        ranker = make_ranker(Ranker, n_estimators=20, **params).fit(X, clicked, qid=qid, sample_weight=weight)
        right.append(metrics.pair_accuracy(truth, ranker.predict(X_test), qid=qid_test))
    # Over many seeds 0.55 to 0.7 without, 0.8 to 0.9 with them.
    assert right[1] > 0.8
    assert right[1] > right[0] + 0.12


class TestWeightsCountOnce:
    @pytest.fixture
    def weighted(self, problem):
        rng = np.random.default_rng(3)
        w, v = rng.uniform(0.2, 3, (2, problem.y.size)).astype(np.float32)
        q = rng.uniform(0.2, 3, problem.sizes.size).astype(np.float32)
        w[::7], v[::9], q[4] = 0, 0, 0
        return problem, w.astype(float), v.astype(float), q.astype(float)

    def test_items_losers_and_queries_multiply(self, weighted) -> None:
        p, w, v, q = weighted
        gradient, hessian, loss, weight = by_hand(p.y, p.scores, p.sizes, w, v, q)
        objective = PairwiseLogistic(normalize="none")
        arguments = {"group": p.sizes, "sample_weight": w * q[p.qid], "loser_weight": v}
        ours = objective.gradient_hessian(p.y, p.scores, **arguments)
        np.testing.assert_allclose(ours, [gradient, hessian], rtol=1e-9, atol=1e-12)
        assert objective.loss(p.y, p.scores, **arguments) == pytest.approx(loss, rel=1e-12)
        mean = objective.loss(p.y, p.scores, reduction="pair_weights", **arguments)
        assert mean == pytest.approx(loss / weight, rel=1e-12)
        by_query = {"group": p.sizes, "sample_weight": q, "loser_weight": v}
        gradient, hessian, loss, weight = by_hand(p.y, p.scores, p.sizes, np.ones_like(w), v, q)
        ours = objective.gradient_hessian(p.y, p.scores, **by_query)
        np.testing.assert_allclose(ours, [gradient, hessian], rtol=1e-9, atol=1e-12)
        assert objective.loss(p.y, p.scores, **by_query) == pytest.approx(loss, rel=1e-12)

    @pytest.mark.parametrize("normalize", ["query", "log"])
    def test_normalisers_know_no_weights(self, weighted, normalize) -> None:
        p, w, v, q = weighted
        objective, plain = PairwiseLogistic(normalize=normalize), PairwiseLogistic(normalize="none")
        plain_sums = plain.gradient_hessian(p.y, p.scores, group=p.sizes)
        normalised = objective.gradient_hessian(p.y, p.scores, group=p.sizes)
        factor = np.divide(*[x[1] for x in (normalised, plain_sums)], out=np.ones(p.y.size), where=plain_sums[1] > 0)
        arguments = {"group": p.sizes, "sample_weight": w * q[p.qid], "loser_weight": v}
        expected = np.multiply(plain.gradient_hessian(p.y, p.scores, **arguments), factor)
        ours = objective.gradient_hessian(p.y, p.scores, **arguments)
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])
    def test_in_both_boosters(self, weighted, booster) -> None:
        p, w, v, q = weighted
        if booster == "lightgbm":  # knows one weight per row
            dataset = lgb.Dataset(p.X, p.y, group=p.sizes, weight=w * q[p.qid], params={"verbose": -1}).construct()
            attach(dataset, loser_weight=v)
            of_items, of_queries = w * q[p.qid], np.bincount(p.qid, w * q[p.qid]) / p.sizes
        else:  # knows one per query
            dataset = xgb.DMatrix(p.X, p.y, group=p.sizes, weight=q, nthread=1)
            attach(dataset, item_weight=w, loser_weight=v)
            of_items, of_queries = w * q[p.qid], q * np.bincount(p.qid, w) / p.sizes
        objective = PairwiseLogistic(normalize="none")
        gradient, hessian, loss, weight = by_hand(p.y, p.scores, p.sizes, of_items, v, np.ones_like(q))
        ours = objective(p.scores, dataset)
        for mine, theirs in zip(ours, (gradient, hessian), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6 * np.abs(theirs).max())
        assert objective.metric(p.scores, dataset)[1] == pytest.approx(loss / weight, rel=1e-6)
        for name, value in zip(
            ("ndcg@3", "pair_accuracy"), metrics.feval("ndcg@3", "pair_accuracy")(p.scores, dataset), strict=True
        ):
            expected = metrics.get_metric(name)
            per_query = getattr(metrics, name.partition("@")[0])(
                p.y, p.scores, group=p.sizes, per_query=True, **({"k": 3} if "@" in name else {})
            )
            defined = ~np.isnan(per_query)
            mean = np.average(per_query[defined], weights=of_queries[defined])
            assert value[1] == pytest.approx(mean, rel=1e-6), expected

    def test_metrics_weigh_queries_by_xgboosts_weights_alone(self, weighted) -> None:
        p, _, v, q = weighted
        dataset = xgb.DMatrix(p.X, p.y, group=p.sizes, weight=q, nthread=1)
        attach(dataset, loser_weight=v)
        ((_, value),) = metrics.feval("ndcg@5")(p.scores, dataset)
        expected = metrics.ndcg(p.y, p.scores, group=p.sizes, k=5, query_weight=q)
        assert value == pytest.approx(expected, rel=1e-6)
        assert value != pytest.approx(metrics.ndcg(p.y, p.scores, group=p.sizes, k=5), rel=1e-3)

    @BOTH
    @pytest.mark.parametrize("unit", ["row", "query"])
    def test_a_rankers_first_tree_is_that_of_the_arrays_gradient(self, weighted, Ranker, unit) -> None:
        p, w, v, q = weighted
        sample_weight = w if unit == "row" else q
        objective = PairwiseLogistic(normalize="none")
        ranker = make_ranker(Ranker, objective=objective, n_estimators=1)
        ranker.fit(p.X, p.y, group=p.sizes, sample_weight=sample_weight, loser_weight=v)

        def gradients(scores, dataset):
            assert not scores.any()
            arguments = {"group": p.sizes, "sample_weight": sample_weight, "loser_weight": v}
            return np.float32(objective.gradient_hessian(p.y, scores.astype(float), **arguments))

        if Ranker is LGBMRanker:
            dataset = lgb.Dataset(p.X, p.y, group=p.sizes)
            params = {"objective": gradients, "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1}
            low_level = lgb.train(params, dataset, 1).predict(p.X)
        else:
            weight = None if unit == "row" else q  # weighs rows in the sketch of quantiles
            dataset = xgb.QuantileDMatrix(p.X, p.y, group=p.sizes, weight=weight, nthread=1)
            params = {"max_depth": 4, "base_score": 0, "nthread": 1, "disable_default_eval_metric": True}
            low_level = xgb.train(params, dataset, 1, obj=gradients).inplace_predict(p.X)
        np.testing.assert_allclose(ranker.predict(p.X), low_level, rtol=1e-4, atol=1e-6)
        assert np.ptp(low_level) > 0.01

    @BOTH
    def test_the_rankers_loss_and_metrics_weigh_alike(self, weighted, Ranker) -> None:
        p, w, v, _ = weighted
        ranker = make_ranker(Ranker)
        ranker.fit(
            p.X,
            p.y,
            qid=p.qid,
            sample_weight=w,
            loser_weight=v,
            eval_set=[(p.X.copy(), p.y)],
            eval_qid=[p.qid],
            eval_loser_weight=[v],
            eval_metric=["pairwise_logistic", "ndcg@5"],
            **{"eval_sample_weight" if Ranker is LGBMRanker else "sample_weight_eval_set": [w]},
        )
        scores = ranker.predict(p.X).astype(float)
        arguments = {"group": p.sizes, "sample_weight": w, "loser_weight": v, "reduction": "pair_weights"}
        history = history_of(ranker)
        loss = PairwiseLogistic().loss(p.y, scores, **arguments)
        assert history["pairwise_logistic"][-1] == pytest.approx(loss, rel=1e-5)
        mean_weight = np.bincount(p.qid, w) / p.sizes
        ndcg = metrics.ndcg(p.y, scores, group=p.sizes, k=5, query_weight=mean_weight)
        assert history["ndcg@5"][-1] == pytest.approx(ndcg, rel=1e-6)
