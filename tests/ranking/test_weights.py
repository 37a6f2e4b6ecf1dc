"""Weights of rows: by the popularity of their items, and against the bias of positions."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import popularity_weights, propensity_weights

pd = pytest.importorskip("pandas")

ITEM = np.array([3, 1, 2, 1, 1, 3, 7, 1])
COUNT = np.array([2, 4, 1, 4, 4, 2, 1, 4])


@pytest.mark.parametrize("alpha", [0, 0.5, 0.75, 1, 2])
def test_popularity_weights_are_a_power_of_the_count_and_have_mean_1(alpha) -> None:
    weight = popularity_weights(ITEM, alpha)
    assert weight.dtype == np.float64
    assert weight.mean() == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(weight / weight[2], COUNT**alpha, rtol=1e-12)


def test_alpha_is_1_unless_given_and_0_gives_equal_weights() -> None:
    np.testing.assert_array_equal(popularity_weights(ITEM), popularity_weights(ITEM, 1.0))
    np.testing.assert_array_equal(popularity_weights(ITEM, alpha=0), np.ones(8))
    np.testing.assert_array_equal(popularity_weights(ITEM, alpha=0, interactions=[1]), np.ones(8))


def test_interactions_are_counted_instead_of_rows() -> None:
    weight = popularity_weights(ITEM, interactions=[1, 7, 1, 1, 7, 99, 3])
    expected = np.array([1, 3, 0, 3, 3, 1, 2, 3])
    np.testing.assert_allclose(weight, expected / expected.mean(), rtol=1e-12)
    of_positives = popularity_weights(ITEM, 0.5, interactions=ITEM[[0, 1, 3]])
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
def test_item_ids_have_any_dtype(names) -> None:
    item = names[ITEM]
    for ids in (item, pd.Series(item), item[:, None]):
        np.testing.assert_array_equal(popularity_weights(ids), popularity_weights(ITEM))
    some = popularity_weights(ITEM, interactions=ITEM[1:4])
    np.testing.assert_array_equal(popularity_weights(item, interactions=item[1:4]), some)


def test_numbers_match_numbers_of_another_type() -> None:
    expected = popularity_weights(ITEM, interactions=ITEM[1:4])
    for own, other in ((np.int64, np.float64), (np.int32, np.uint8), (np.float32, np.int64)):
        actual = popularity_weights(ITEM.astype(own), interactions=ITEM[1:4].astype(other))
        np.testing.assert_array_equal(actual, expected)


def test_strings_match_strings_of_another_type() -> None:
    item = np.array(list("abca"))
    expected = popularity_weights(item, interactions=item[:3])
    for own, other in ((item.astype(object), list("abc")), (list("abca"), pd.Series(list("abc"), dtype=object))):
        np.testing.assert_array_equal(popularity_weights(own, interactions=other), expected)


def test_a_list_of_mixed_item_ids_keeps_apart_what_is_different() -> None:
    np.testing.assert_allclose(popularity_weights([1, "1", 1]), [1.2, 0.6, 1.2])
    np.testing.assert_allclose(popularity_weights([1, "1"], interactions=[1, 1, 1, "1"]), [1.5, 0.5])


def test_large_item_ids_stay_apart() -> None:
    item = np.array([2**60, 2**60 + 1], dtype=np.uint64)
    interactions = np.array([2**60] * 3 + [2**60 + 1])
    np.testing.assert_allclose(popularity_weights(item, interactions=interactions), [1.5, 0.5])


def test_popularity_weights_of_no_rows() -> None:
    assert popularity_weights(np.empty(0, dtype=int)).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"item_id": ["a", None]}, "item_id is missing at row 1"),
        ({"item_id": [1.0, 2.0, np.nan]}, "item_id is missing at row 2"),
        ({"item_id": [["a", "b"]]}, r"item_id has shape \(1, 2\)"),
        ({"alpha": -0.5}, "alpha must be at least 0, got -0.5"),
        ({"alpha": np.nan}, "alpha must be a finite number, got nan"),
        ({"alpha": "1"}, "alpha must be a finite number, got '1'"),
        ({"interactions": [8, 9]}, "no row's item has an interaction: all weights would be 0"),
        ({"interactions": np.empty(0, dtype=int)}, "no row's item has an interaction"),
        ({"interactions": ["a", "b"]}, "no row's item has an interaction: all weights would be 0"),
        ({"interactions": [1.0, None]}, "interactions is missing at row 1: every row needs one item id"),
    ],
)
def test_bad_arguments_of_popularity_weights(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        popularity_weights(**{"item_id": ITEM, **arguments})


def test_a_missing_interaction_is_named_by_its_row() -> None:
    with pytest.raises(ValueError, match="interactions (is|are) missing at row 1"):
        popularity_weights(ITEM.astype(float), interactions=[1.0, np.nan])


@pytest.mark.parametrize("eta", [0, 0.5, 1, 2.0])
def test_propensity_weights_are_a_power_of_the_position(eta) -> None:
    position = np.array([1, 2, 10, 1, 3])
    weight = propensity_weights(position, eta)
    assert weight.dtype == np.float64
    np.testing.assert_allclose(weight, position.astype(float) ** eta, rtol=1e-12)


def test_eta_is_1_unless_given() -> None:
    for position in ([1, 2, 10], np.array([1, 2, 10], dtype=np.uint8), pd.Series([1.0, 2.0, 10.0])):
        np.testing.assert_array_equal(propensity_weights(position), [1, 2, 10])
    assert propensity_weights([]).shape == (0,)


def test_propensities_are_inverted() -> None:
    chance = [1.0, 0.5, 0.2, 0.01]
    np.testing.assert_allclose(propensity_weights([3, 1, 2, 2], propensities=chance), [5, 1, 2, 2], rtol=1e-12)
    by_eta = propensity_weights([3, 1, 4], 0.7)
    same = propensity_weights([3, 1, 4], propensities=np.arange(1.0, 5) ** -0.7)
    np.testing.assert_allclose(same, by_eta, rtol=1e-12)


@pytest.mark.parametrize(
    ("position", "arguments", "message"),
    [
        ([1, 0], {}, "position is 0 at row 1; positions are whole numbers from 1 .the top."),
        ([-2], {}, "position is -2 at row 0"),
        ([2, 1.5], {}, "position is 1.5 at row 1"),
        ([1, 1, np.nan], {}, "position is nan at row 2"),
        ([1, np.inf], {}, "position is inf at row 1"),
        (["a"], {}, "position has dtype <U1; it must be real numbers"),
        ([1], {"eta": np.nan}, "eta must be a finite number, got nan"),
        (
            [1, 4, 2],
            {"propensities": [1, 0.5]},
            "position is 4 at row 1, but propensities has 2 entries",
        ),
        ([1], {"propensities": [1, 0.0]}, r"propensities\[1\] is 0.0; a propensity must be above 0 and at most 1"),
        ([1], {"propensities": [1.1]}, r"propensities\[0\] is 1.1; a propensity must be above 0 and at most 1"),
        ([1], {"propensities": [-0.1]}, r"propensities\[0\] is -0.1; a propensity"),
        ([1], {"propensities": [0.5, np.nan]}, r"propensities\[1\] is nan; a propensity"),
        ([1], {"propensities": [1], "eta": 0.5}, "eta and propensities are both given: give one of them"),
    ],
)
def test_bad_arguments_of_propensity_weights(position, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        propensity_weights(position, **arguments)
