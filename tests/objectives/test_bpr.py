"""BPR with drawn negatives, with weights of negatives, and without false negatives."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.base import clone

from gbdt_pairloss import BPR, PairwiseLogistic, attach, get_objective, metrics, popularity_weights

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")
pd = pytest.importorskip("pandas")

from _support.rankers import BOTH, history_of, make_ranker  # noqa: E402

from gbdt_pairloss import LGBMRanker, XGBRanker  # noqa: E402

BOOSTERS = ["lightgbm", "xgboost"]


class Users:
    """Users with 6 to 18 rows each, of which the first 2 are positives and the last 4 negatives for certain."""

    def __init__(self, seed: int = 0, n_users: int = 25) -> None:
        rng = np.random.default_rng(seed)
        self.sizes = rng.integers(6, 19, n_users)
        self.qid = np.repeat(np.arange(n_users), self.sizes)
        self.starts = np.concatenate(([0], np.cumsum(self.sizes)))
        n = self.qid.size
        self.X = rng.normal(size=(n, 5))
        self.y = (self.X[:, 0] + rng.normal(scale=0.6, size=n) > 0.7).astype(float)
        for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True):
            self.y[start : start + 2] = 1
            self.y[stop - 4 : stop] = 0
        self.scores = rng.normal(size=n)
        self.w = rng.uniform(0.3, 2, n)
        self.v = rng.uniform(0.2, 3, n)  # of negatives
        self.item = rng.integers(0, 12, n)
        item_of_users = self.qid * 100 + self.item
        self.is_false_negative = (self.y == 0) & np.isin(item_of_users, item_of_users[self.y == 1])

    @property
    def scattered(self) -> np.ndarray:
        """The first row of every user, then all others: users and their rows keep their order among themselves."""
        return np.concatenate([self.starts[:-1], np.setdiff1d(np.arange(self.y.size), self.starts[:-1])])

    def dataset(self, booster, y=None):
        y = self.y if y is None else y
        if booster == "lightgbm":
            return lgb.Dataset(self.X, y, group=self.sizes, params={"verbose": -1}).construct()
        return xgb.DMatrix(self.X, y, group=self.sizes, nthread=1)

    def gradients(self, objective, scores=None, **arguments):
        scores = self.scores if scores is None else scores
        return objective.gradient_hessian(self.y, scores, group=self.sizes, **arguments)


@pytest.fixture
def users() -> Users:
    return Users()


def train(booster, objective, dataset, rounds, start=None):
    if booster == "lightgbm":
        params = {"objective": objective, "verbose": -1, "num_threads": 1}
        return lgb.train(params, dataset, rounds, init_model=start)
    params = {"nthread": 1, "base_score": 0.0, "disable_default_eval_metric": True, "max_depth": 4}
    return xgb.train(params, dataset, rounds, obj=objective, xgb_model=start)


def times_drawn(y, v=None, *, winner_weight=None, group=None, n, **params):
    """How often each row is drawn, by the gradients of equal scores: a draw of a negative of weight v has
    phi v = V / n, and the slope of the loss is 1/2."""
    y = np.asarray(y, dtype=float)
    group = [y.size] if group is None else group
    v = np.ones(y.size) if v is None else np.asarray(v, dtype=float)
    objective = BPR(negatives=n, normalize="none", n_threads=1, **params)
    arguments = {"group": group, "loser_weight": v, "sample_weight": winner_weight}
    gradient, _ = objective.gradient_hessian(y, np.zeros(y.size), **arguments)
    codes = np.repeat(np.arange(len(group)), group)
    total = np.bincount(codes, v * (y == 0))[codes]
    return np.where(y == 0, gradient * 2 * n / total, 0.0)


class TestExpectation:
    @pytest.mark.slow
    @pytest.mark.parametrize("normalize", ["none", "query"])
    def test_draws_are_an_unbiased_estimate_of_all(self, normalize) -> None:
        rng = np.random.default_rng(1)
        # Three users, the second time with weights of negatives.
        y = np.tile([1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0], 2)
        v = np.r_[np.ones(19), rng.uniform(0.2, 2, 19)]
        v[[19 + 2, 19 + 10, 19 + 14]] = 0
        s, w = rng.normal(scale=1.5, size=y.size), rng.uniform(0.3, 3, y.size)
        arguments = {"group": [8, 7, 4, 8, 7, 4], "sample_weight": w, "loser_weight": v}
        exact = BPR(normalize=normalize)
        expected = [*exact.gradient_hessian(y, s, **arguments), exact.loss(y, s, reduction="none", **arguments)]
        gradients, losses = [], []
        for state in range(10_000):
            objective = BPR(negatives=2, normalize=normalize, random_state=state, n_threads=1)
            gradients.append(objective.gradient_hessian(y, s, **arguments))
            if state < 2000:
                losses.append(objective.loss(y, s, reduction="none", **arguments))
        deviates = []
        for drawn, mean in zip([*np.swapaxes(gradients, 0, 1), np.array(losses)], expected, strict=True):
            error = drawn.std(axis=0, ddof=1) / np.sqrt(drawn.shape[0])
            fixed = error < 1e-12  # rows that have no pair, or no weight
            np.testing.assert_allclose(drawn[0][fixed], mean[fixed], rtol=1e-9, atol=1e-12)
            deviates.append((drawn.mean(axis=0) - mean)[~fixed] / error[~fixed])
        z = np.concatenate(deviates)
        # Of about 80 normal deviates the largest is beyond 4 once in 200 times.
        assert z.size == 2 * (38 - 3) + 10  # rows of weight, and losses of positives
        assert np.abs(z).max() < 4
        assert abs(z.mean()) < 0.5
        assert 0.5 < np.sqrt(np.mean(z**2)) < 1.5

    def test_the_normaliser_of_a_query_is_free_of_noise(self, users) -> None:
        factor = users.sizes / [
            y.sum() * (1 - y).sum() for y in np.split(users.y, users.starts[1:-1])
        ]  # rows over pairs, whatever the draws
        for state in range(5):
            plain, query = (BPR(negatives=3, normalize=name, random_state=state) for name in ("none", "query"))
            expected = np.multiply(users.gradients(plain, loser_weight=users.v), factor[users.qid])
            np.testing.assert_allclose(users.gradients(query, loser_weight=users.v), expected, rtol=1e-12)

    def test_more_draws_are_closer_to_all(self, users) -> None:
        exact, _ = users.gradients(BPR(normalize="none"))
        off = []
        for n in (1, 2, 4):
            drawn = [users.gradients(BPR(negatives=n, normalize="none", random_state=k))[0] for k in range(20)]
            off.append(np.mean((np.array(drawn) - exact) ** 2))
        assert off[1] < off[0] / 2  # independent draws would halve it
        assert off[2] < off[1] / 2

    @pytest.mark.parametrize("normalize", ["none", "query", "log"])
    def test_as_many_draws_as_negatives_of_equal_weight_are_all(self, normalize) -> None:
        y = np.tile([1, 0, 0, 1, 0, 0, 0], 12)
        s, w = np.random.default_rng(0).normal(size=(2, y.size))
        arguments = {"group": [7] * 12, "sample_weight": np.exp(w), "loser_weight": np.full(y.size, 0.3)}
        exact, drawn = BPR(normalize=normalize), BPR(negatives=5, normalize=normalize, random_state=3)
        expected = exact.gradient_hessian(y, s, **arguments)
        np.testing.assert_allclose(drawn.gradient_hessian(y, s, **arguments), expected, rtol=1e-12, atol=1e-14)
        assert drawn.loss(y, s, **arguments) == pytest.approx(exact.loss(y, s, **arguments), rel=1e-12)


class TestDraws:
    @pytest.mark.parametrize("n", [1, 3, 5])
    def test_every_positive_gets_its_number_of_draws(self, n) -> None:
        y = [1, 0, 0, 1, 0, 0, 1, 0, 0, 0]
        # Weights that tell in the sum which positive a negative was drawn for.
        w = [1.0, 1, 1, 1e3, 1, 1, 1e6, 1, 1, 1]
        for state in range(20):
            sums = times_drawn(y, n=n, winner_weight=w, random_state=state)
            np.testing.assert_allclose(sums, np.round(sums), atol=1e-6)
            whole = np.round(sums).astype(int)
            for unit in (1, 1000, 1_000_000):
                assert (whole // unit % 1000).sum() == n

    def test_each_nth_of_the_weight_gives_one(self) -> None:
        # 4 draws of 12: with a negative in one quarter only, none comes up twice, as independent draws do.
        y = np.r_[1, np.zeros(12)]
        drawn = np.array([times_drawn(y, n=4, random_state=state) for state in range(200)])
        assert np.round(drawn).max() == 1
        assert (np.round(drawn).sum(axis=1) == 4).all()

    @pytest.mark.parametrize("n", [1, 3])
    def test_a_negative_is_drawn_in_proportion_to_its_weight(self, n) -> None:
        v = np.array([7, 0, 1, 0.25, 2, 0, 0.5, 1.25, 0])  # the first is the positive
        y = np.r_[1, np.zeros(8)]
        states = 3000
        drawn = sum(np.round(times_drawn(y, v, n=n, random_state=state)) for state in range(states))
        share = v[1:] / v[1:].sum()
        assert drawn.sum() == n * states
        assert (drawn[1:][share == 0] == 0).all()
        expected = n * states * share[share > 0]
        # Strata make the counts vary less than a multinomial's: its bound holds for them, too.
        assert ((drawn[1:][share > 0] - expected) ** 2 / expected).sum() < chi2.ppf(1 - 1e-4, expected.size - 1)

    def test_draws_of_neighbours_and_of_rounds_are_independent(self) -> None:
        n_users = 40_000
        y, group = np.tile([1.0, 0, 0, 0, 0], n_users), [5] * n_users
        first = np.argmax(times_drawn(y, n=1, group=group).reshape(n_users, 5), axis=1)
        again = np.argmax(times_drawn(y, n=1, group=group, random_state=1).reshape(n_users, 5), axis=1)
        expected = np.full(16, 1 / 16)
        for one, other in ((first[:-1], first[1:]), (first, again)):
            table = np.bincount((one - 1) * 4 + other - 1, minlength=16)
            assert ((table - one.size * expected) ** 2 / (one.size / 16)).sum() < chi2.ppf(1 - 1e-4, 15)

    def test_rows_that_take_no_part_are_never_drawn(self, users) -> None:
        mask = np.ones(users.y.size, dtype=bool)
        mask[users.starts[1:] - 1] = False
        v = users.v.copy()
        v[users.starts[1:] - 2] = 0
        for state in range(30):
            gradient, hessian = users.gradients(BPR(negatives=2, random_state=state), mask=mask, loser_weight=v)
            for out in (users.starts[1:] - 1, users.starts[1:] - 2):
                assert not gradient[out].any()
                assert not hessian[out].any()

    def test_users_without_a_negative_or_a_positive_are_left_out(self) -> None:
        y, s = np.array([1.0, 0, 0, 1, 1, 0, 0]), np.zeros(7)
        gradient, _ = BPR(negatives=2).gradient_hessian(y, s, group=[3, 2, 2])
        assert not gradient[3:].any()
        alone, _ = BPR(negatives=2).gradient_hessian(y[:3], s[:3])
        np.testing.assert_array_equal(gradient[:3], alone)


class TestDeterminism:
    def test_threads_do_not_matter(self) -> None:
        rng = np.random.default_rng(0)
        n_users = 8000  # 440,000 pairs: several tasks
        y = np.tile(np.r_[np.ones(5), np.zeros(11)], n_users)
        s, v = rng.normal(size=y.size), rng.uniform(0.5, 2, y.size)
        arguments = {"group": [16] * n_users, "loser_weight": v}
        one, two, three = (BPR(negatives=11, n_threads=n).gradient_hessian(y, s, **arguments) for n in (1, 2, 3))
        np.testing.assert_array_equal(two, one)
        np.testing.assert_array_equal(three, one)

    def test_draws_are_the_same_for_copies_and_on_every_call(self, users) -> None:
        objective = BPR(negatives=3, negative_weight=users.v, random_state=5)
        expected = users.gradients(objective)
        twins = [
            objective,
            clone(objective),
            copy.copy(objective),
            copy.deepcopy(objective),
            pickle.loads(pickle.dumps(objective)),
            BPR().set_params(**objective.get_params()),
        ]
        for twin in twins:
            np.testing.assert_array_equal(users.gradients(twin), expected)

    def test_no_random_state_is_0_and_another_gives_other_draws(self, users) -> None:
        none, zero, one = (users.gradients(BPR(negatives=2, random_state=state))[0] for state in (None, 0, 1))
        np.testing.assert_array_equal(none, zero)
        np.testing.assert_array_equal(zero, users.gradients(BPR(negatives=2, random_state=np.int64(0)))[0])
        assert np.mean((zero == 0) != (one == 0)) > 0.1
        users.gradients(BPR(negatives=2, random_state=2**64 - 1))

    @pytest.mark.parametrize("normalize", ["none", "log"])
    def test_float32_scores_draw_as_the_same_in_float64(self, users, normalize) -> None:
        objective = BPR(negatives=3, normalize=normalize)
        single = users.scores.astype(np.float32)
        ours, theirs = users.gradients(objective, single), users.gradients(objective, single.astype(np.float64))
        assert ours[0].dtype == np.float32
        np.testing.assert_array_equal(ours[0] == 0, theirs[0] == 0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)

    def test_zero_has_no_sign(self, users) -> None:
        s = np.where(users.X[:, 1] > 0, 0.0, users.scores)
        objective = BPR(negatives=2)
        expected = users.gradients(objective, s)
        np.testing.assert_array_equal(users.gradients(objective, np.where(s == 0, -0.0, s)), expected)

    def test_any_score_that_changes_changes_draws_of_all_users(self, users) -> None:
        drawn = users.gradients(BPR(negatives=2))[0] != 0
        for row in range(0, users.y.size, 7):
            s = users.scores.copy()
            s[row] = np.nextafter(s[row], np.inf)
            changed = (users.gradients(BPR(negatives=2), s)[0] != 0) != drawn
            assert changed[users.qid != users.qid[row]].mean() > 0.1

    def test_scores_that_change_places_draw_anew(self, users) -> None:
        s = users.scores.copy()
        s[[0, -1]] = s[[-1, 0]]
        drawn = [users.gradients(BPR(negatives=2), scores)[0] != 0 for scores in (users.scores, s)]
        assert np.mean(drawn[0] != drawn[1]) > 0.1

    @pytest.mark.parametrize("booster", BOOSTERS)
    def test_no_round_repeats_the_draws_of_another(self, booster, users) -> None:
        objective, seen = BPR(negatives=2), []

        def spy(scores, dataset):
            gradient, hessian = objective(scores, dataset)
            seen.append(gradient != 0)
            return gradient, hessian

        train(booster, spy, users.dataset(booster), 6)
        assert len(seen) == 6
        for i in range(6):
            for j in range(i):
                assert np.mean(seen[i] != seen[j]) > 0.1

    @pytest.mark.parametrize("booster", BOOSTERS)
    def test_training_that_goes_on_is_as_if_it_had_not_stopped(self, booster, users) -> None:
        def predict(model):
            return model.predict(users.X if booster == "lightgbm" else xgb.DMatrix(users.X, nthread=1))

        def dataset():  # LightGBM keeps the scores that it goes on from in the dataset
            return lgb.Dataset(users.X, users.y, group=users.sizes) if booster == "lightgbm" else users.dataset(booster)

        objective = BPR(negatives=3)
        whole = train(booster, objective, dataset(), 8)
        more = train(booster, objective, dataset(), 5, start=train(booster, objective, dataset(), 3))
        np.testing.assert_allclose(predict(more), predict(whole), rtol=1e-6, atol=1e-6)
        other = train(booster, BPR(negatives=3, random_state=1), dataset(), 8)
        assert np.abs(predict(other) - predict(whole)).max() > 0.1

    @BOTH
    def test_a_ranker_goes_on_from_a_model(self, Ranker, users) -> None:
        def fit(n, **start):
            return make_ranker(Ranker, objective=BPR(negatives=3), n_estimators=n).fit(
                users.X, users.y, qid=users.qid, **start
            )

        start = "init_model" if Ranker is LGBMRanker else "xgb_model"
        more, whole = fit(5, **{start: fit(4)}), fit(9)
        np.testing.assert_allclose(more.predict(users.X), whole.predict(users.X), rtol=1e-6, atol=1e-6)

    @BOTH
    def test_a_rankers_threads_do_not_matter(self, Ranker, users) -> None:
        def fit(n_threads):
            objective = BPR(negatives=3, n_threads=n_threads)
            return make_ranker(Ranker, objective=objective).fit(users.X, users.y, qid=users.qid).predict(users.X)

        np.testing.assert_array_equal(fit(1), fit(3))


OBJECTS = np.empty(12, dtype=object)
OBJECTS[:] = [1, "1", 2, "2", 3.5, "3.5", ("a", 1), ("a", 2), "a", False, 2**70, 2**70 + 1]
MIXED = [1, "1", 2, "2", 3.5, "3.5", 4, "4", 5, "5", 6, "6"]
# Ids of twelve items.
IDS = {
    "str": np.array([f"item {k}" for k in range(12)]),
    "int": np.array([2**62 + k for k in range(12)]),
    "float": np.linspace(-1, 1, 12),
    "date": np.datetime64("2026-01-01") + np.arange(12),
    "object": OBJECTS,
}


class TestFalseNegatives:
    def test_they_are_in_no_pair(self) -> None:
        #             user 0               user 1
        y = np.array([1.0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
        item = ["a", "b", "a", "c", "d", "a", "b", "c", "b", "d"]
        group = [5, 5]
        false = [2, 8]
        others = np.flatnonzero(y == 0)[~np.isin(np.flatnonzero(y == 0), false)]
        s = np.random.default_rng(0).normal(size=10)
        gradient, hessian = BPR().gradient_hessian(y, s, group=group, item_id=item)
        assert not gradient[false].any()
        assert not hessian[false].any()
        assert (gradient[others] > 0).all()  # row 5 among them: "a" is no positive of user 1
        ever = np.zeros(10)
        for state in range(60):
            gradient, hessian = BPR(negatives=1, random_state=state).gradient_hessian(y, s, group=group, item_id=item)
            assert not gradient[false].any()
            assert not hessian[false].any()
            ever += gradient > 0
        assert (ever[others] > 0).all()

    @pytest.mark.parametrize("normalize", ["none", "query", "log"])
    @pytest.mark.parametrize("negatives", ["all", 2])
    def test_they_are_as_if_masked(self, users, negatives, normalize) -> None:
        assert 20 < users.is_false_negative.sum() < users.y.size / 2
        keep = enough_negatives(users)
        mask = np.random.default_rng(0).random(users.y.size) < 0.95
        mask[users.y == 1] = True
        objective = BPR(negatives=negatives, normalize=normalize)
        expected = users.gradients(objective, mask=mask & keep & ~users.is_false_negative)
        np.testing.assert_array_equal(users.gradients(objective, mask=mask & keep, item_id=users.item), expected)
        arguments = {"group": users.sizes, "reduction": "none"}
        loss = objective.loss(users.y, users.scores, mask=mask & keep, item_id=users.item, **arguments)
        masked = objective.loss(users.y, users.scores, mask=mask & keep & ~users.is_false_negative, **arguments)
        np.testing.assert_array_equal(loss, masked)

    def test_a_positive_that_takes_no_part_makes_none(self) -> None:
        y, item, mask = [1, 1, 0, 0], ["a", "b", "a", "b"], [False, True, True, True]
        gradient, _ = BPR(normalize="none").gradient_hessian(y, np.zeros(4), item_id=item, mask=mask)
        np.testing.assert_array_equal(gradient, [0, -0.5, 0.5, 0])

    def test_the_threshold_says_what_a_positive_is(self) -> None:
        arguments = {"item_id": ["a", "a", "b", "c"]}
        gradient, _ = BPR(threshold=1, normalize="none").gradient_hessian([2, 1, 1, 0], np.zeros(4), **arguments)
        np.testing.assert_array_equal(gradient, [-1, 0, 0.5, 0.5])

    def test_items_that_come_up_twice_among_positives_stay_positives(self) -> None:
        gradient, _ = BPR(normalize="none").gradient_hessian([1, 1, 0], np.zeros(3), item_id=["a", "a", "b"])
        np.testing.assert_array_equal(gradient, [-0.5, -0.5, 1])

    @pytest.mark.parametrize("ids", sorted(IDS))
    def test_ids_are_of_any_dtype(self, users, ids) -> None:
        expected = users.gradients(BPR(), item_id=users.item)
        own = IDS[ids][users.item]
        for item_id in (own, pd.Series(own), own[:, None]):
            np.testing.assert_array_equal(users.gradients(BPR(), item_id=item_id), expected)

    def test_a_list_of_mixed_ids_keeps_apart_what_is_different(self, users) -> None:
        expected = users.gradients(BPR(), item_id=users.item)
        item_id = [MIXED[k] for k in users.item]
        np.testing.assert_array_equal(users.gradients(BPR(), item_id=item_id), expected)

    def test_a_list_of_large_ids_keeps_apart_what_is_different(self) -> None:
        item_id = [2**63, 2**63 + 1, -1]
        gradient, _ = BPR(normalize="none").gradient_hessian([1, 0, 0], np.zeros(3), item_id=item_id)
        np.testing.assert_array_equal(gradient, [-1, 0.5, 0.5])

    def test_lists_in_two_dimensions(self) -> None:
        y, s = np.array([[1, 0, 0], [0, 1, 0]]), np.zeros((2, 3))
        gradient, _ = BPR(normalize="none").gradient_hessian(y, s, item_id=[["a", "a", "b"], ["a", "b", "c"]])
        np.testing.assert_array_equal(gradient, [[-0.5, 0, 0.5], [0.5, -1, 0.5]])

    def test_a_shape_that_is_not_that_of_the_scores(self) -> None:
        with pytest.raises(ValueError, match="item_id has shape"):
            BPR().gradient_hessian(
                [[1, 0, 0], [0, 1, 0]], np.zeros((2, 3)), item_id=[["a", "b"], ["a", "b"], ["c", "d"]]
            )

    @pytest.mark.parametrize("booster", BOOSTERS)
    @pytest.mark.parametrize("negatives", ["all", 2])
    def test_item_ids_of_a_dataset(self, users, booster, negatives) -> None:
        objective = BPR(negatives=negatives)
        keep = enough_negatives(users)
        for item_id in (users.item, IDS["str"][users.item], [MIXED[k] for k in users.item]):
            dataset = users.dataset(booster)
            attach(dataset, item_id=item_id, mask=keep)
            expected = users.gradients(objective, mask=keep & ~users.is_false_negative)
            np.testing.assert_allclose(objective(users.scores, dataset), expected, rtol=1e-6)

    @BOTH
    @pytest.mark.parametrize("negatives", ["all", 2])
    def test_item_ids_of_a_ranker_with_scattered_rows(self, users, Ranker, negatives) -> None:
        keep, rows = enough_negatives(users), users.scattered
        out = np.where(keep, users.y, -1)
        objective = BPR(negatives=negatives, ignore_negative_labels=True)
        by_item = make_ranker(Ranker, objective=objective).fit(
            users.X[rows], out[rows], qid=users.qid[rows], item_id=IDS["str"][users.item][rows]
        )
        without = make_ranker(Ranker, objective=objective).fit(
            users.X, np.where(users.is_false_negative, -1, out), qid=users.qid
        )
        np.testing.assert_array_equal(by_item.predict(users.X), without.predict(users.X))
        with_them = make_ranker(Ranker, objective=objective).fit(users.X, out, qid=users.qid)
        assert not np.array_equal(by_item.predict(users.X), with_them.predict(users.X))

    @BOTH
    def test_item_ids_of_evaluation_sets(self, users, Ranker) -> None:
        test = Users(1)
        ranker = make_ranker(Ranker, objective=BPR()).fit(
            users.X,
            users.y,
            qid=users.qid,
            item_id=users.item,
            eval_set=[(test.X, test.y), (users.X, users.y)],
            eval_qid=[test.qid, None],
            eval_item_id=[test.item, None],
            eval_metric="bpr",
        )
        names = sorted(ranker.evals_result_, key=lambda name: "training" in name)  # LightGBM calls users' set so
        for name, p in zip(names, (test, users), strict=True):
            loss = BPR().loss(
                p.y,
                ranker.predict(p.X).astype(np.float64),
                group=p.sizes,
                mask=~p.is_false_negative,
                reduction="pair_weights",
            )
            assert ranker.evals_result_[name]["bpr"][-1] == pytest.approx(loss, rel=1e-5)

    def test_missing_ids(self, users) -> None:
        item = IDS["str"][users.item].astype(object)
        item[4] = None
        message = "item_id is missing at row 4: every row needs one item id"
        with pytest.raises(ValueError, match=message):
            users.gradients(BPR(), item_id=item)
        with pytest.raises(ValueError, match=message):
            users.gradients(BPR(), item_id=np.where(np.arange(users.y.size) == 4, np.nan, users.item))
        for booster in BOOSTERS:
            with pytest.raises(ValueError, match=message):
                attach(users.dataset(booster), item_id=item)
        rows = np.roll(users.scattered, 1)
        for Ranker in (LGBMRanker, XGBRanker):
            with pytest.raises(ValueError, match=message):  # the row is the caller's
                make_ranker(Ranker, objective="bpr").fit(
                    users.X[rows], users.y[rows], qid=users.qid[rows], item_id=item
                )

    def test_too_few_ids(self, users) -> None:
        message = f"item_id has 2 entries, but there are {users.y.size} rows"
        with pytest.raises(ValueError, match=message):
            users.gradients(BPR(), item_id=[1, 2])
        with pytest.raises(ValueError, match=message):
            make_ranker(XGBRanker, objective="bpr").fit(users.X, users.y, qid=users.qid, item_id=[1, 2])


def enough_negatives(users: Users) -> np.ndarray:
    """The rows of the users who have three negatives that are none of their positives."""
    true = (users.y == 0) & ~users.is_false_negative
    keep = np.bincount(users.qid, true)[users.qid] >= 3
    assert keep.mean() > 0.5
    return keep


class TestNegativeWeight:
    @pytest.mark.parametrize("negatives", ["all", 3])
    def test_it_is_the_loser_weight(self, users, negatives) -> None:
        weighted, plain = BPR(negatives=negatives, negative_weight=users.v), BPR(negatives=negatives)
        expected = users.gradients(plain, loser_weight=users.v)
        assert not np.array_equal(expected, users.gradients(plain))
        np.testing.assert_array_equal(users.gradients(weighted), expected)
        as_list = BPR(negatives=negatives, negative_weight=list(users.v))
        np.testing.assert_array_equal(users.gradients(as_list), expected)
        for reduction in ("sum", "pair_weights"):
            losses = [
                objective.loss(users.y, users.scores, group=users.sizes, reduction=reduction, **arguments)
                for objective, arguments in ((weighted, {}), (plain, {"loser_weight": users.v}))
            ]
            assert losses[0] == losses[1]
        for booster in BOOSTERS:
            bare, attached = users.dataset(booster), users.dataset(booster)
            attach(attached, loser_weight=users.v)
            ours, theirs = weighted(users.scores, bare), plain(users.scores, attached)
            np.testing.assert_array_equal(ours, theirs)
            np.testing.assert_allclose(ours, expected, rtol=1e-6)
            assert weighted.metric(users.scores, bare) == plain.metric(users.scores, attached)
            # The plan kept beside the dataset is of one set of weights.
            np.testing.assert_allclose(plain(users.scores, bare), users.gradients(plain), rtol=1e-6)

    @BOTH
    @pytest.mark.parametrize("negatives", ["all", 3])
    def test_it_is_in_the_order_of_the_callers_rows(self, users, Ranker, negatives) -> None:
        rows, v = users.scattered, users.v
        weighted = BPR(negatives=negatives, negative_weight=v[rows])
        by_parameter = make_ranker(Ranker, objective=weighted)
        by_parameter.fit(users.X[rows], users.y[rows], qid=users.qid[rows])
        plain = BPR(negatives=negatives)
        by_argument = make_ranker(Ranker, objective=plain)
        by_argument.fit(users.X[rows], users.y[rows], qid=users.qid[rows], loser_weight=v[rows])
        grouped = make_ranker(Ranker, objective=plain).fit(users.X, users.y, group=users.sizes, loser_weight=v)
        np.testing.assert_array_equal(by_parameter.predict(users.X), grouped.predict(users.X))
        np.testing.assert_array_equal(by_argument.predict(users.X), grouped.predict(users.X))
        unweighted = make_ranker(Ranker, objective=plain).fit(users.X, users.y, group=users.sizes)
        assert not np.array_equal(unweighted.predict(users.X), grouped.predict(users.X))

    @BOTH
    def test_a_ranker_takes_it_as_a_nested_parameter(self, users, Ranker) -> None:
        nested = make_ranker(Ranker, objective=BPR()).set_params(objective__negative_weight=users.v)
        expected = make_ranker(Ranker, objective=BPR()).fit(users.X, users.y, qid=users.qid, loser_weight=users.v)
        nested = clone(nested).fit(users.X, users.y, qid=users.qid)
        np.testing.assert_array_equal(nested.predict(users.X), expected.predict(users.X))

    def test_weights_change_nothing_by_a_common_factor_but_the_size(self, users) -> None:
        objective = BPR(negatives=3, normalize="none")
        one, four = (users.gradients(objective, loser_weight=factor * users.v) for factor in (1, 4))
        np.testing.assert_allclose(four, np.multiply(one, 4), rtol=1e-12)
        tiny = users.gradients(objective, loser_weight=2.0**-900 * users.v)
        np.testing.assert_allclose(np.multiply(tiny, 2.0**900), one, rtol=1e-12)

    def test_given_twice(self, users) -> None:
        objective = BPR(negative_weight=users.v)
        message = "the negatives are weighed twice: by negative_weight and by the dataset's loser_weight"
        with pytest.raises(ValueError, match=message):
            users.gradients(objective, loser_weight=users.v)
        for booster in BOOSTERS:
            dataset = users.dataset(booster)
            attach(dataset, loser_weight=users.v)
            with pytest.raises(ValueError, match=message):
                objective(users.scores, dataset)
        for Ranker in (LGBMRanker, XGBRanker):
            with pytest.raises(ValueError, match=message):
                make_ranker(Ranker, objective=objective).fit(users.X, users.y, qid=users.qid, loser_weight=users.v)

    def test_of_another_number_of_rows(self, users) -> None:
        objective = BPR(negative_weight=[1.0, 2.0])
        message = f"negative_weight has 2 entries, but the dataset has {users.y.size} rows: .*eval_loser_weight="
        with pytest.raises(ValueError, match=message):
            users.gradients(objective)
        for booster in BOOSTERS:
            with pytest.raises(ValueError, match=message):
                objective(users.scores, users.dataset(booster))
        for Ranker in (LGBMRanker, XGBRanker):
            with pytest.raises(ValueError, match=message):
                make_ranker(Ranker, objective=objective).fit(users.X, users.y, qid=users.qid)
            with pytest.raises(ValueError, match=f"loser_weight has 1 entries, but there are {users.y.size} rows"):
                make_ranker(Ranker, objective="bpr").fit(users.X, users.y, qid=users.qid, loser_weight=[1.0])

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (-1.0, "negative_weight is -1.0 at row 3; weights must not be negative"),
            (np.nan, "negative_weight is nan at row 3; it must be finite"),
            (np.inf, "negative_weight is inf at row 3; it must be finite"),
        ],
    )
    def test_that_are_no_weights(self, users, value, message) -> None:
        v = users.v.copy()
        v[3] = value
        with pytest.raises(ValueError, match=message):
            users.gradients(BPR(negative_weight=v))
        rows = np.roll(users.scattered, 1)  # the row is the caller's
        ranker = make_ranker(XGBRanker, objective=BPR(negative_weight=v))
        with pytest.raises(ValueError, match=message):
            ranker.fit(users.X[rows], users.y[rows], qid=users.qid[rows])

    def test_a_name_that_is_not_known(self) -> None:
        with pytest.raises(ValueError, match="negative_weight must be .*'popularity'"):
            BPR(negative_weight="popularity")

    @BOTH
    def test_other_evaluation_sets_need_weights_of_their_own(self, users, Ranker) -> None:
        test = Users(1)
        ranker = make_ranker(Ranker, objective=BPR(negative_weight=users.v))
        arguments = {"eval_set": [(test.X, test.y)], "eval_qid": [test.qid], "eval_metric": "bpr"}
        with pytest.raises(
            ValueError,
            match=r"eval_set\[0\]: negative_weight is that of the training set's rows: "
            r"give other sets their own, as attach\(loser_weight=\) or fit\(eval_loser_weight=\)",
        ):
            ranker.fit(users.X, users.y, qid=users.qid, **arguments)
        ranker.fit(users.X, users.y, qid=users.qid, eval_loser_weight=[test.v], **arguments)
        loss = PairwiseLogistic().loss(
            test.y,
            ranker.predict(test.X).astype(float),
            group=test.sizes,
            loser_weight=test.v,
            reduction="pair_weights",
        )
        assert history_of(ranker)["bpr"][-1] == pytest.approx(loss, rel=1e-5)

    @BOTH
    def test_the_training_set_as_evaluation_set_has_its_weights(self, users, Ranker) -> None:
        arguments = {"qid": users.qid, "eval_set": [(users.X, users.y)], "eval_metric": "bpr"}
        ranker = make_ranker(Ranker, objective=BPR(negative_weight=users.v)).fit(users.X, users.y, **arguments)
        other = make_ranker(Ranker, objective=BPR())
        other.fit(users.X, users.y, loser_weight=users.v, **arguments)
        own = PairwiseLogistic().loss(
            users.y,
            ranker.predict(users.X).astype(float),
            group=users.sizes,
            loser_weight=users.v,
            reduction="pair_weights",
        )
        for fitted in (ranker, other):
            assert history_of(fitted)["bpr"][-1] == pytest.approx(own, rel=1e-5)

    @BOTH
    def test_scattered_evaluation_sets(self, users, Ranker) -> None:
        test = Users(1)
        rows = np.random.default_rng(0).permutation(test.y.size)
        ranker = make_ranker(Ranker, objective=BPR(negatives=2)).fit(
            users.X,
            users.y,
            qid=users.qid,
            loser_weight=users.v,
            eval_set=[(test.X[rows], test.y[rows])],
            eval_qid=[test.qid[rows]],
            eval_loser_weight=[test.v[rows]],
            eval_metric="bpr",
        )
        loss = BPR(negative_weight=test.v).loss(
            test.y, ranker.predict(test.X).astype(float), group=test.sizes, reduction="pair_weights"
        )
        assert history_of(ranker)["bpr"][-1] == pytest.approx(loss, rel=1e-5)

    def test_popularity_weights_go_in_as_they_are(self, users) -> None:
        v = popularity_weights(users.item, alpha=0.75)
        count = np.bincount(users.item)[users.item] ** 0.75
        expected = users.gradients(BPR(normalize="none"), loser_weight=count)
        ours = users.gradients(BPR(normalize="none", negative_weight=v))
        np.testing.assert_allclose(np.multiply(ours, count.mean()), expected, rtol=1e-12)


class TestMetric:
    @pytest.mark.parametrize("booster", BOOSTERS)
    @pytest.mark.parametrize("normalize", ["none", "query", "log"])
    def test_it_is_the_expectation_whatever_the_draws(self, users, booster, normalize) -> None:
        dataset = users.dataset(booster)
        attach(dataset, item_weight=users.w, loser_weight=users.v)
        expected = BPR(normalize=normalize).loss(
            users.y,
            users.scores,
            group=users.sizes,
            sample_weight=users.w,
            loser_weight=users.v,
            reduction="pair_weights",
        )
        for negatives, state in (("all", None), (1, 0), (1, 1), (4, 0)):
            result = BPR(normalize=normalize, negatives=negatives, random_state=state).metric(users.scores, dataset)
            assert result[0] == "bpr"
            assert result[1] == pytest.approx(expected, rel=1e-6)

    def test_loss_is_that_of_the_draws(self, users) -> None:
        losses = [
            BPR(negatives=1, random_state=state).loss(users.y, users.scores, group=users.sizes) for state in range(3)
        ]
        assert len(set(losses)) == 3

    @pytest.mark.parametrize("booster", BOOSTERS)
    def test_a_set_of_fewer_negatives_than_draws_has_an_expectation(self, users, booster) -> None:
        few = BPR(negatives=12)
        result = few.metric(users.scores, users.dataset(booster))
        assert result[1] == BPR().metric(users.scores, users.dataset(booster))[1]

    @BOTH
    def test_an_evaluation_set_of_fewer_negatives_than_draws(self, users, Ranker) -> None:
        test = Users(1)
        keep = (test.y == 1) | np.isin(np.arange(test.y.size), test.starts[1:] - 1)  # one negative each
        ranker = make_ranker(Ranker, objective=BPR(negatives=3)).fit(
            users.X,
            users.y,
            qid=users.qid,
            eval_set=[(test.X[keep], test.y[keep])],
            eval_qid=[test.qid[keep]],
            eval_metric="bpr",
        )
        loss = BPR().loss(
            test.y[keep], ranker.predict(test.X[keep]).astype(float), qid=test.qid[keep], reduction="pair_weights"
        )
        assert history_of(ranker)["bpr"][-1] == pytest.approx(loss, rel=1e-5)


class TestRefusals:
    @pytest.mark.parametrize("negatives", [0, -1, 1.5, 2.0, True, None])
    def test_negatives_that_are_no_number_of_draws(self, negatives) -> None:
        message = f'negatives must be "all" or a whole number above 0, got {negatives!r}'
        with pytest.raises(ValueError, match=message):
            BPR(negatives=negatives)
        objective = BPR(negatives=3)
        with pytest.raises(ValueError, match=message):
            objective.set_params(negatives=negatives)
        assert objective.negatives == 3

    def test_negatives_by_another_name(self) -> None:
        with pytest.raises(ValueError, match="negatives must be .*, got 'some'"):
            BPR(negatives="some")

    @pytest.mark.parametrize("state", [-1, 1.5, True, 2**64, np.random.RandomState(0), np.random.default_rng(0)])
    def test_random_states_that_are_no_number(self, state) -> None:
        with pytest.raises(ValueError, match="random_state must be None or a whole number from 0, below 2.64, got "):
            BPR(negatives=2, random_state=state)

    @pytest.mark.parametrize("pair_weight", ["label_diff", "gain_diff", "ndcg", "lambdarank", max])
    def test_draws_with_other_weights_of_pairs(self, pair_weight) -> None:
        message = 'pair_weight=.* does not go with drawn negatives.*take negatives="all"'
        with pytest.raises(ValueError, match=message):
            BPR(negatives=2, pair_weight=pair_weight)
        BPR(pair_weight=pair_weight)

    def test_draws_with_explicit_pairs(self, users) -> None:
        message = 'explicit pairs are not drawn: give BPR negatives="all" with them'
        pairs = ([0], [1])
        with pytest.raises(ValueError, match=message):
            users.gradients(BPR(negatives=2), pairs=pairs)
        for Ranker in (LGBMRanker, XGBRanker):
            with pytest.raises(ValueError, match=message):
                make_ranker(Ranker, objective=BPR(negatives=2)).fit(users.X, users.y, qid=users.qid, pairs=pairs)

    def test_more_draws_than_a_user_has_negatives(self) -> None:
        y, qid = [1, 0, 0, 1, 0, 1, 0, 0], ["ann", "ann", "ann", "bob", "bob", "eve", "eve", "eve"]
        objective, s = BPR(negatives=2), np.zeros(8)
        with pytest.raises(
            ValueError,
            match="2 negatives are to be drawn for each positive, but query bob has 1 of weight above 0: draw fewer",
        ):
            objective.gradient_hessian(y, s, qid=qid)
        with pytest.raises(ValueError, match=r"but query 1 \(counted from 0\) has 1 of weight above 0"):
            objective.gradient_hessian(y, s, group=[3, 2, 3])
        message = r"but query ann has 1 of weight above 0 \(2 queries have too few\)"
        with pytest.raises(ValueError, match=message):
            objective.gradient_hessian(y, s, qid=qid, loser_weight=[1, 0, 1, 1, 1, 1, 1, 1])
        with pytest.raises(ValueError, match="but query eve has 1 of weight above 0"):
            objective.gradient_hessian(y[5:], s[5:], qid=qid[5:], item_id=["a", "a", "b"])
        objective.gradient_hessian(y[5:], s[5:], qid=qid[5:])

    @BOTH
    @pytest.mark.parametrize("order", ["together", "scattered"])
    def test_a_ranker_names_the_callers_user(self, Ranker, order) -> None:
        y, qid = np.array([1, 0, 0, 1, 0, 1, 0, 0]), np.array(["ann"] * 3 + ["bob"] * 2 + ["eve"] * 3)
        rows = np.arange(8) if order == "together" else np.array([0, 3, 5, 1, 2, 4, 6, 7])
        ranker = make_ranker(Ranker, objective=BPR(negatives=2))
        with pytest.raises(
            ValueError,
            match="2 negatives are to be drawn for each positive, but query bob has 1 of weight above 0: draw fewer",
        ):
            ranker.fit(np.arange(8.0)[rows, None], y[rows], qid=qid[rows])
        assert not ranker.__sklearn_is_fitted__()

    @pytest.mark.parametrize("booster", BOOSTERS)
    @pytest.mark.parametrize("negatives", ["all", 2])
    @pytest.mark.parametrize("label", [0.0, 1.0])
    def test_no_positive_or_no_negative_anywhere(self, users, booster, negatives, label) -> None:
        objective = BPR(negatives=negatives)
        y = np.full(users.y.size, label)
        message = r"nothing can be learned: no query has both a positive \(label above threshold=0.0\) and a negative"
        with pytest.raises(ValueError, match=message):
            objective(users.scores, users.dataset(booster, y))
        with pytest.raises(ValueError, match=message):
            train(booster, objective, users.dataset(booster, y), 2)
        ranker = make_ranker(LGBMRanker if booster == "lightgbm" else XGBRanker, objective=objective)
        with pytest.raises(ValueError, match=message):
            ranker.fit(users.X, y, qid=users.qid)
        assert not ranker.__sklearn_is_fitted__()
        with pytest.raises(ValueError, match="bpr is undefined: no query has both a positive"):
            objective.metric(users.scores, users.dataset(booster, y))
        # Of arrays it is no training: nothing is the sum over no pair.
        assert not np.any(objective.gradient_hessian(y, users.scores, group=users.sizes))

    def test_positives_and_negatives_of_different_users_only(self, users) -> None:
        y = (users.qid % 2).astype(float)
        with pytest.raises(ValueError, match="nothing can be learned: no query has both a positive"):
            BPR(negatives=2)(users.scores, users.dataset("xgboost", y))

    def test_only_false_negatives(self, users) -> None:
        dataset = users.dataset("xgboost")
        attach(dataset, item_id=np.zeros(users.y.size))
        with pytest.raises(ValueError, match="nothing can be learned: no query has both a positive"):
            BPR()(users.scores, dataset)

    def test_a_score_that_is_nan(self, users) -> None:
        users.scores[7] = np.nan
        dataset = users.dataset("xgboost")
        with pytest.raises(ValueError, match="the score is nan at row 7"):
            BPR(negatives=2)(users.scores, dataset)


@BOTH
def test_a_model_of_few_draws_ranks_about_as_well_as_one_of_all(Ranker) -> None:
    rng = np.random.default_rng(0)

    def interactions(n_users, n_items=50):
        X = rng.normal(size=(n_users * n_items, 6))
        taste = 1.5 * X[:, 0] - X[:, 1] + X[:, 2] * X[:, 3]
        y = (taste + rng.logistic(size=taste.size) > 3.5).astype(float)
        return X, y, np.repeat(np.arange(n_users), n_items), taste

    X, y, qid, _ = interactions(150)
    X_test, y_test, qid_test, taste = interactions(80)
    assert 0.03 < y.mean() < 0.2

    def results(negatives):
        objective = BPR(negatives=negatives, random_state=0)
        ranker = make_ranker(Ranker, objective=objective, n_estimators=40, learning_rate=0.15)
        scores = ranker.fit(X, y, qid=qid).predict(X_test)
        return np.array(
            [
                metrics.pair_accuracy(taste, scores, qid=qid_test),
                metrics.recall(y_test, scores, qid=qid_test, k=10),
            ]
        )

    everything, drawn = results("all"), results(5)
    assert everything[0] > 0.75
    np.testing.assert_allclose(drawn, everything, rtol=0, atol=0.03)


@BOTH
def test_a_rankers_seed_is_that_of_its_draws(users, Ranker) -> None:
    def scores(objective, **params):
        ranker = make_ranker(Ranker, objective=objective, **params).fit(users.X, users.y, qid=users.qid)
        return ranker.predict(users.X)

    one, two = (scores(BPR(negatives=1), random_state=state) for state in (1, 2))
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one, scores(BPR(negatives=1, random_state=1), random_state=1))
    np.testing.assert_array_equal(scores(BPR(), random_state=1), scores(BPR(random_state=7), random_state=1))


@BOTH
@pytest.mark.parametrize("objective", ["pairwise_logistic", "pairwise_hinge"])
def test_item_ids_that_make_no_difference_are_refused(users, Ranker, objective) -> None:
    with pytest.raises(ValueError, match="item_id makes a difference to BPR only, and the objective is pairwise_"):
        make_ranker(Ranker, objective=objective).fit(users.X, users.y, qid=users.qid, item_id=users.item)
    with pytest.raises(ValueError, match="item_id makes a difference to BPR only"):
        users.gradients(get_objective(objective), item_id=users.item)


def test_item_ids_take_no_row_out_of_explicit_pairs(users) -> None:
    with pytest.raises(ValueError, match="item_id takes no row out of explicit pairs"):
        users.gradients(BPR(), pairs=([0], [1]), item_id=users.item)


def test_a_positive_that_weighs_nothing_needs_no_negatives() -> None:
    y, qid, w = [1, 0, 0, 1, 0], ["ann", "ann", "ann", "bob", "bob"], [1.0, 1.0, 1.0, 0.0, 1.0]
    gradient, _ = BPR(negatives=2).gradient_hessian(y, np.zeros(5), qid=qid, sample_weight=w)
    assert gradient[0] < 0
    assert not gradient[3:].any()


@pytest.mark.parametrize("booster", BOOSTERS)
def test_weights_in_the_objective_are_those_of_what_was_trained_on(users, booster) -> None:
    objective = BPR(negative_weight=users.v)
    own, other = users.dataset(booster), users.dataset(booster)
    with pytest.raises(
        ValueError, match="negative_weight is that of the training set's rows: give other sets their own"
    ):
        objective.metric(users.scores, other)
    objective(users.scores, own)
    attach(other, loser_weight=users.v)
    assert objective.metric(users.scores, own)[1] == objective.metric(users.scores, other)[1]


@pytest.mark.parametrize("booster", BOOSTERS)
def test_two_objectives_share_a_dataset_without_making_plans_anew(users, booster) -> None:
    made = []

    class Spy(BPR):
        def plan(self, data):
            made.append(self)
            return super().plan(data)

    dataset = users.dataset(booster)
    objectives = [Spy(negative_weight=users.v), Spy(), Spy(negative_weight=2 * users.v)]
    for _ in range(3):
        for objective in objectives:
            objective(users.scores, dataset)
    assert len(made) == 3
