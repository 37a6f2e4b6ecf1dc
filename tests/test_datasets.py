"""The generated tasks, digits and synthetic data, and the splits that all datasets are returned as."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from gbdt_pairloss.datasets import RankingSplit, _digits, make_digits_ranking, make_ranking


def mean_ndcg(split: RankingSplit, scores: np.ndarray, k: int = 10) -> float:
    """Compute NDCG at k: gain 2^y - 1, discount 1 / log2(rank + 1)."""
    values = []
    for query in np.unique(split.qid):
        rows = split.qid == query
        gain = 2.0 ** split.y[rows] - 1
        discount = 1 / np.log2(np.arange(min(k, gain.size)) + 2)
        ideal = np.sort(gain)[::-1][:k] @ discount
        if ideal > 0:
            values.append(gain[np.argsort(-scores[rows], kind="stable")][:k] @ discount / ideal)
    return float(np.mean(values))


def test_digits_are_determined_by_random_state():
    first, again, other = make_digits_ranking(), make_digits_ranking(), make_digits_ranking(random_state=1)
    for one, two, three in zip(first, again, other, strict=True):
        for attribute in ("X", "y", "qid"):
            np.testing.assert_array_equal(getattr(one, attribute), getattr(two, attribute))
        assert not np.array_equal(one.X, three.X)


def test_digits_have_the_documented_shapes_and_shares_of_grades():
    train, test = make_digits_ranking(n_train_queries=300, n_test_queries=200, n_candidates=40)
    assert (train.name, test.name) == ("digits-train", "digits-test")
    for split, n_queries in ((train, 300), (test, 200)):
        assert split.X.shape == (n_queries * 40, 35)
        assert np.isfinite(split.X).all()
        np.testing.assert_array_equal(split.qid, np.repeat(np.arange(n_queries), 40))
        shares = np.bincount(split.y.astype(int), minlength=3) / split.y.size
        assert set(np.unique(split.y)) == {0, 1, 2}
        assert 0.07 < shares[2] < 0.13
        assert 0.18 < shares[1] < 0.28


def test_digits_train_and_test_share_no_image(monkeypatch):
    seen = []

    def record(query, candidates):
        seen.append((query.tobytes(), [image.tobytes() for image in candidates]))
        return np.zeros((len(candidates), 1))

    monkeypatch.setattr(_digits, "_pair_features", record)
    make_digits_ranking(n_train_queries=30, n_test_queries=20, n_candidates=50)
    assert len({query for query, _ in seen}) == 50
    for query, candidates in seen:
        assert len({query, *candidates}) == 51  # the query is not among its candidates, and none comes twice
    train = {image for query, candidates in seen[:30] for image in (query, *candidates)}
    test = {image for query, candidates in seen[30:] for image in (query, *candidates)}
    assert not train & test


def test_digits_features_compare_the_query_with_the_candidate():
    rng = np.random.default_rng(0)
    query, candidates = rng.random((8, 8)), rng.random((3, 8, 8))
    features = _digits._pair_features(query, candidates)
    assert features[1, 0] == pytest.approx(abs((query - candidates[1])[:2, :2].mean()))
    assert features[1, 16 + 2] == pytest.approx(abs((query - candidates[1])[2].mean()))
    assert features[1, 24 + 3] == pytest.approx(abs((query - candidates[1])[:, 3].mean()))
    assert features[1, 32] == pytest.approx(abs((query - candidates[1]).mean()))
    assert features[1, 33] == pytest.approx(np.sqrt(((query - candidates[1]) ** 2).sum()))
    np.testing.assert_allclose(_digits._pair_features(query, query[None])[0], [0] * 34 + [1], atol=1e-12)


@pytest.mark.parametrize("random_state", [0, 1])
def test_digits_are_neither_trivial_nor_random(random_state):
    lightgbm = pytest.importorskip("lightgbm")
    train, test = make_digits_ranking(random_state=random_state)
    data = lightgbm.Dataset(train.X, train.y, group=np.bincount(train.qid), params={"verbosity": -1})
    parameters = {"objective": "lambdarank", "learning_rate": 0.1, "verbosity": -1, "num_threads": 1, "seed": 0}
    model = lightgbm.train(parameters, data, 100)
    assert 0.65 < mean_ndcg(test, model.predict(test.X)) < 0.9
    assert mean_ndcg(test, np.random.default_rng(0).random(test.y.size)) < 0.35


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("n_train_queries", 0),
        ("n_train_queries", 899),
        ("n_test_queries", 2.0),
        ("n_test_queries", True),
        ("n_candidates", 1),
        ("n_candidates", 898),
        ("random_state", -1),
        ("random_state", "seed"),
    ],
)
def test_bad_arguments_of_the_digits_are_refused(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be a whole number"):
        make_digits_ranking(**{argument: value})


def test_digits_take_their_largest_arguments():
    train, test = make_digits_ranking(n_train_queries=898, n_test_queries=898, n_candidates=2)
    assert len(train.y) == len(test.y) == 898 * 2
    assert len(make_digits_ranking(n_train_queries=1, n_test_queries=1, n_candidates=897)[0].y) == 897


def test_synthetic_data_have_the_documented_shape_and_are_determined_by_random_state():
    split = make_ranking(n_queries=7, query_size=11, n_features=3)
    assert split.X.shape == (77, 3)
    assert split.X.dtype == np.float32
    assert split.name == "synthetic"
    np.testing.assert_array_equal(split.qid, np.repeat(np.arange(7), 11))
    np.testing.assert_array_equal(split.y, make_ranking(n_queries=7, query_size=11, n_features=3).y)
    assert not np.array_equal(split.X, make_ranking(n_queries=7, query_size=11, n_features=3, random_state=1).X)
    assert len(make_ranking(n_queries=1, query_size=1, n_features=1).y) == 1


def test_synthetic_query_sizes_vary_around_their_mean():
    split = make_ranking(n_queries=5000, query_size=20, max_query_size=100, n_features=1)
    sizes = np.bincount(split.qid)
    assert sizes.size == 5000
    assert sizes.min() >= 1
    assert sizes.max() <= 100
    assert sizes.mean() == pytest.approx(20, rel=0.05)
    assert sizes.std() > 10


def test_synthetic_labels_have_the_documented_distributions():
    grades = make_ranking(n_queries=200).y
    assert set(np.unique(grades)) == {0, 1, 2, 3, 4}
    np.testing.assert_allclose(np.bincount(grades.astype(int)) / 20_000, [0.52, 0.32, 0.134, 0.018, 0.008], atol=1e-3)
    binary = make_ranking(n_queries=200, labels="binary").y
    assert set(np.unique(binary)) == {0, 1}
    assert binary.mean() == pytest.approx(0.1, abs=1e-3)
    latent = make_ranking(n_queries=200, labels="float", noise=0.5).y
    assert np.unique(latent).size == latent.size
    assert latent.var() == pytest.approx(1 + 0.5**2, rel=0.05)


@pytest.mark.parametrize("labels", ["grades", "binary", "float"])
def test_synthetic_features_predict_the_labels_less_with_more_noise(labels):
    explained = []
    for noise in (0.0, 1.0, 10.0):
        split = make_ranking(n_queries=50, labels=labels, noise=noise)
        explained.append(Ridge().fit(split.X, split.y).score(split.X, split.y))
    assert explained[0] > explained[1] > explained[2]
    assert explained[1] > 0.05
    assert explained[2] < 0.05


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("n_queries", 0),
        ("query_size", 1.5),
        ("n_features", -1),
        ("max_query_size", 99),
        ("labels", "ranks"),
        ("noise", -1),
        ("noise", float("nan")),
        ("noise", "much"),
        ("random_state", None),
    ],
)
def test_bad_arguments_of_synthetic_data_are_refused(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be"):
        make_ranking(**{argument: value})


def test_group_has_the_number_of_rows_of_each_query() -> None:
    split = make_ranking(n_queries=5, query_size=7, random_state=0)
    np.testing.assert_array_equal(split.group, [7] * 5)
    scattered = split._replace(qid=split.qid[::-1].reshape(5, 7).T.ravel())
    with pytest.raises(ValueError, match="the rows of a query are not contiguous"):
        _ = scattered.group
