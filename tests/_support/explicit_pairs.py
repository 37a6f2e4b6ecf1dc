"""Problems with explicit pairs for tests: small ones with a definition by hand, and duels of items to train on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn.base import clone

from _support.objectives import LOSSES, NORMALIZERS, assert_same_in_float32, by_definition


class Case:
    """Labels, scores, weights and pairs of some queries, and an objective with its parameters."""

    def __init__(self, seed, name, normalize, sizes, scale=1.0, temperature=1.0, weights=(), both=False) -> None:
        rng = np.random.default_rng(seed)
        n = sum(sizes)
        self.name, self.normalize, self.temperature, self.sizes = name, normalize, temperature, np.array(sizes)
        self.codes = np.repeat(np.arange(len(sizes)), sizes)
        # BPR makes zeros and ones of any labels.
        self.y = rng.integers(0, 2 if name == "bpr" else 4, n).astype(float)
        self.s = rng.normal(scale=scale, size=n)
        self.item_weight = rng.integers(0, 4, n) / 2 if "item" in weights else None
        self.loser_weight = rng.integers(0, 4, n) / 2 if "loser" in weights else None
        self.query_weight = rng.uniform(0.2, 3, len(sizes)) if "query" in weights else None
        self.mask = rng.random(n) < 0.7 if "mask" in weights else None
        self.both = both
        self.objective = clone(LOSSES[name][0]).set_params(
            normalize=normalize, temperature=temperature, item_weight="both" if both else "winner"
        )
        sample_weight = self.item_weight if self.query_weight is None else self.query_weight
        self.arguments = {
            "group": self.sizes,
            "sample_weight": sample_weight,
            "loser_weight": self.loser_weight,
            "mask": self.mask,
        }
        self.rng = rng

    def __repr__(self) -> str:
        return str(vars(self))

    def pairs_of_labels(self):
        """Return every pair that the labels make, those of masked rows as well, in random order."""
        winner, loser = np.nonzero((self.codes[:, None] == self.codes) & (self.y[:, None] > self.y))
        order = self.rng.permutation(winner.size)
        return winner[order], loser[order]

    def any_pairs(self, n_pairs):
        """Draw pairs within queries: they contradict each other and the labels, and some come more than once."""
        winner, loser = np.nonzero((self.codes[:, None] == self.codes) & ~np.eye(self.codes.size, dtype=bool))
        drawn = self.rng.integers(0, winner.size, n_pairs)
        return winner[drawn], loser[drawn], self.rng.integers(0, 5, n_pairs) / 2

    def by_hand(self, pairs):
        """Return the loss, gradient and Hessian of pairs by the definition."""
        sums = by_definition(
            LOSSES[self.name][1],
            self.s,
            self.codes,
            pairs[:2],
            omega=pairs[2],
            w=self.item_weight if self.query_weight is None else None,
            v=self.loser_weight,
            q=np.ones(self.sizes.size) if self.query_weight is None else self.query_weight,
            mask=self.mask,
            temperature=self.temperature,
            normalize=self.normalize,
            both=self.both,
        )
        return sums.loss, sums.gradient, sums.hessian


@st.composite
def cases(draw):
    """Draw a case."""
    sizes = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4).filter(lambda s: max(s) > 1 and sum(s) != len(s)))
    return Case(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(list(LOSSES))),
        draw(st.sampled_from(NORMALIZERS)),
        sizes,
        scale=draw(st.sampled_from([0.1, 1.0, 4.0])),
        temperature=draw(st.sampled_from([0.5, 1.0, 2.5])),
        weights=draw(st.sets(st.sampled_from(["item", "loser", "query", "mask"]))),
        both=draw(st.booleans()),
    )


class Duels:
    """Items with a strength that depends on their features, and duels within queries: the stronger wins more often."""

    def __init__(self, seed=0, n_queries=12, size=20, n_pairs=600, noise=0.25) -> None:
        rng = np.random.default_rng(seed)
        n = n_queries * size
        self.sizes = np.full(n_queries, size)
        self.qid = np.repeat(np.arange(n_queries), size)
        # Few values, so that every fold of the rows has the same bins.
        self.X = rng.integers(-8, 9, (n, 4)) / 4
        self.strength = 3 * self.X[:, 0] - 2 * self.X[:, 1]
        one = rng.integers(0, n, n_pairs)
        other = (one + rng.integers(1, size, n_pairs)) % size + one // size * size
        one_wins = rng.random(n_pairs) < 1 / (1 + np.exp((self.strength[other] - self.strength[one]) / noise))
        self.pairs = np.where(one_wins, one, other), np.where(one_wins, other, one), rng.integers(1, 9, n_pairs) / 4
        self.scores = rng.normal(size=n).astype(np.float32).astype(float)
        self.zeros = np.zeros(n)
        self.n = n


def pairs_within(pairs, rows):
    """Return the pairs whose rows are among some rows, numbered within these."""
    place = np.full(100_000, -1)
    place[rows] = np.arange(len(rows))
    winner, loser, weight = pairs
    keep = place[winner] >= 0
    return place[winner[keep]], place[loser[keep]], weight[keep]


def assert_has_pairs_of_rows(objective, scores, dataset, data: Duels, pairs) -> None:
    """Check that a dataset of some rows of the data, whose labels are their numbers, has the pairs among them."""
    rows = np.asarray(dataset.get_label()).astype(int)
    sizes = np.bincount(data.qid[rows])
    starts = np.flatnonzero(np.diff(data.qid[rows], prepend=-1))
    group = sizes[data.qid[rows][starts]]
    assert 0 < rows.size <= data.n
    arguments = {"group": group, "pairs": pairs_within(pairs, rows)}
    objective = clone(objective).set_params(hessian_scale=1)  # for arrays and both boosters
    expected = objective.gradient_hessian(np.zeros(rows.size), scores, **arguments)
    assert np.abs(expected[0]).max() > 0
    assert_same_in_float32(objective(scores, dataset), expected)
    value = objective.metric(scores, dataset)[1]
    loss = objective.loss(np.zeros(rows.size), scores, reduction="pair_weights", **arguments)
    assert value == pytest.approx(loss, rel=1e-6)


#: Pairs that are refused for data of 8 rows, the error, and its message.
REFUSED = [
    (([0, 1, 8], [1, 2, 3]), ValueError, r"pairs\[2\]: the winner is row 8, but there are 8 rows .from 0"),
    (([0, 1], [1, 9]), ValueError, r"pairs\[1\]: the loser is row 9, but there are 8 rows .from 0"),
    (([0, -1], [1, 2]), ValueError, r"pairs\[1\]: the winner is -1; rows are whole numbers, counted from 0"),
    (([0, 1], [-3, 2]), ValueError, r"pairs\[0\]: the loser is -3; rows are whole numbers, counted from 0"),
    (([0, 1.5], [1, 2]), ValueError, r"pairs\[1\]: the winner is 1.5; rows are whole numbers, counted from 0"),
    (([0, 1], [1, np.nan]), ValueError, r"pairs\[1\]: the loser is nan; rows are whole numbers, counted from 0"),
    (([True, False], [1, 2]), ValueError, "the winner of pairs has dtype bool; it takes the numbers of rows"),
    ((["a", "b"], [1, 2]), ValueError, "the winner of pairs has dtype <U1; it must be real numbers"),
    (([[0, 1]], [1]), ValueError, r"the winner of pairs has shape \(1, 2\); it must be one-dimensional"),
    (([0, 1], [1, 1]), ValueError, r"pairs\[1\]: row 1 is both winner and loser"),
    (([0, 1], [1]), ValueError, "pairs has 2 winners, but 1 losers"),
    (([0, 1], [1, 2], [1.0]), ValueError, "pairs has 2 pairs, but 1 weights"),
    (([0, 1], [1, 2], [1, -0.5]), ValueError, "the weight of pairs is -0.5 at pair 1; weights must not be negative"),
    (([0, 1], [1, 2], [np.nan, 1]), ValueError, "the weight of pairs is nan at pair 0; it must be finite"),
    (([0, 1], [1, 2], [1, np.inf]), ValueError, "the weight of pairs is inf at pair 1; it must be finite"),
    (([], []), ValueError, "pairs is empty: there is nothing to compare"),
    (np.zeros((2, 4)), TypeError, r"pairs must be a tuple .*, or a list of pairs, got the shape \(2, 4\)"),
    ([np.zeros(3), np.ones(3)], TypeError, "pairs must be a tuple .*, or a list of pairs$"),
    ([(0, 1), (1,)], ValueError, "pairs is a ragged list of lists: each pair takes two or three entries"),
    ([(0, 1), (1, 1.5)], ValueError, r"pairs\[1\]: the loser is 1.5; rows are whole numbers"),
    (([0, 1],), TypeError, "pairs must be a tuple .winner, loser. or .winner, loser, weight."),
    (7, TypeError, "pairs must be a tuple .winner, loser. or .winner, loser, weight."),
]

#: What the message of an objective that makes or weighs pairs itself says when it is given explicit pairs.
NOT_FOR_PAIRS = [
    ({"pair_weight": "ndcg"}, "pair_weight='ndcg' does not apply to them, leave it at .uniform"),
    ({"pair_weight": "label_diff"}, "pair_weight='label_diff' does not apply to them"),
    ({"pair_weight": "lambdarank"}, "explicit pairs have weights of their own"),
    ({"pair_weight": lambda winner, loser: 1.0}, "explicit pairs have weights of their own"),
    ({"negatives": 2}, 'explicit pairs are not drawn: give BPR negatives="all" with them'),
]
