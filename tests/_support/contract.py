"""The subjects of the contract of all objectives, and the problems that they are checked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn.base import clone

from _support.objectives import LOSSES, NORMALIZERS, PAIR_WEIGHTS, SURROGATES
from gbdt_pairloss import BPR, PairwiseLogistic


@dataclass
class WeightedProblem:
    """Labels, scores, weights, and what an objective has as parameters; queries are contiguous."""

    y: np.ndarray
    s: np.ndarray
    sizes: list[int]
    w: np.ndarray | None
    v: np.ndarray | None
    #: Weights of queries, instead of those of rows, since both are one argument.
    q: np.ndarray | None
    mask: np.ndarray | None
    temperature: float
    normalize: str
    both: bool
    #: Explicit pairs, for objectives that take them instead of the labels.
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def codes(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def arguments(self) -> dict[str, object]:
        """Arguments of ``gradient_hessian`` and ``loss``."""
        sample_weight = self.w if self.q is None else self.q
        return {"group": self.sizes, "sample_weight": sample_weight, "loser_weight": self.v, "mask": self.mask}

    @property
    def parameters(self) -> dict[str, object]:
        """Parameters of an objective."""
        return {
            "temperature": self.temperature,
            "normalize": self.normalize,
            "item_weight": "both" if self.both else "winner",
        }

    @property
    def weights(self) -> dict[str, object]:
        """The problem's part of the arguments of :func:`by_definition`."""
        return {
            "w": self.w if self.q is None else None,
            "v": self.v,
            "q": np.ones(len(self.sizes)) if self.q is None else self.q,
            "mask": self.mask,
            "temperature": self.temperature,
            "normalize": self.normalize,
            "both": self.both,
        }


@st.composite
def weighted_problems(draw, scales=(0.1, 0.3, 1.0, 4.0, 5.0), signed=True):
    """Draw a problem of up to four queries with up to seven rows each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4).filter(lambda sizes: max(sizes) > 1))
    n = sum(sizes)
    labels = [
        rng.integers(0, 4, n).astype(float),
        rng.integers(0, 2, n).astype(float),
        rng.uniform(0, 3, n).round(1),
    ]
    some = draw(st.sampled_from([None, np.ones(n), rng.uniform(0, 3, n), rng.integers(0, 2, n).astype(float)]))
    by_query = draw(st.booleans()) and len(sizes) != n  # as many queries as rows: the length does not tell which
    scale, digits = draw(st.sampled_from(scales)), draw(st.sampled_from([0, 15]))
    codes = np.repeat(np.arange(len(sizes)), sizes)
    winner, loser = np.nonzero((codes[:, None] == codes) & ~np.eye(n, dtype=bool))
    listed = rng.integers(0, winner.size, draw(st.integers(1, 40)))
    return WeightedProblem(
        y=draw(st.sampled_from([*labels, rng.normal(size=n)] if signed else labels)),
        # Rounded: many pairs exactly on the edge of a margin, and equal scores.
        s=np.round(rng.normal(scale=scale, size=n), digits),
        sizes=sizes,
        w=None if by_query else some,
        v=draw(st.sampled_from([None, rng.uniform(0, 3, n), None if some is None else some[::-1]])),
        q=rng.uniform(0, 3, len(sizes)) if by_query else None,
        mask=draw(st.sampled_from([None, rng.random(n) < 0.7])),
        temperature=draw(st.sampled_from([0.3, 0.5, 1.0, 2.5])),
        normalize=draw(st.sampled_from(NORMALIZERS)),
        both=draw(st.booleans()),
        pairs=(winner[listed], loser[listed], rng.integers(0, 5, listed.size) / 2),
    )


@dataclass(frozen=True)
class Subject:
    """An objective of the contract, over the pairs of the labels or over explicit pairs."""

    objective: Any
    #: It sums over explicit pairs, not over those of the labels.
    explicit: bool = False
    #: The Hessian is the derivative of the gradient; otherwise it is a surrogate.
    exact_hessian: bool = True
    #: The gradient is the derivative of the loss while the normaliser is held. Not so for "lambdarank", whose weights
    #: depend on the scores, and for drawn negatives, which change with the scores.
    differentiable: bool = True
    #: The weight of a pair depends on nothing but its two rows, so that a row may be removed or duplicated.
    separable: bool = True
    #: The gradient of a pair is bounded, whatever the scores.
    bounded: bool = True
    #: Negatives are drawn: two for each positive.
    drawn: bool = False

    def on(self, problem: WeightedProblem) -> Bound:
        """Return the subject with a problem's parameters, and the problem's arrays as the subject takes them."""
        return Bound(self, problem)


class Bound:
    """A subject on a problem."""

    def __init__(self, subject: Subject, problem: WeightedProblem) -> None:
        self.objective = clone(subject.objective).set_params(**problem.parameters, ignore_negative_labels=False)
        self.y, self.s, self.codes = problem.y.copy(), problem.s, problem.codes
        self.arguments = dict(problem.arguments)
        if subject.objective.pair_weight != "uniform":
            self.y = np.abs(self.y)  # a gain is that of a label from 0
        if subject.explicit:
            self.arguments["pairs"] = problem.pairs
        if subject.drawn:  # every query needs two negatives that take part: its last three rows
            last = np.arange(self.codes.size) >= np.cumsum(problem.sizes)[self.codes] - 3
            self.y[last] = 0
            self.arguments["mask"] = None if problem.mask is None else problem.mask | last
            self.arguments["loser_weight"] = None if problem.v is None else problem.v + 0.1 * last
            if problem.q is None and problem.w is not None:
                self.arguments["sample_weight"] = problem.w + 0.1 * last

    def gradient_hessian(self, s=None, **changes):
        """Return gradient and Hessian, of other scores or with other arguments if given."""
        return self.objective.gradient_hessian(self.y, self.s if s is None else s, **{**self.arguments, **changes})

    def loss(self, s=None, **changes):
        """Return the loss, of other scores or with other arguments if given."""
        return self.objective.loss(self.y, self.s if s is None else s, **{**self.arguments, **changes})

    def of_many(self, scores):
        """Return losses of rows and the gradient, of scores of shape (n, n_rows), by n copies of the problem."""
        n, n_rows = scores.shape
        tiled = {
            name: None if value is None else np.tile(value, n)
            for name, value in self.arguments.items()
            if name != "pairs"
        }
        if "pairs" in self.arguments:
            winner, loser, weight = self.arguments["pairs"]
            first = np.repeat(np.arange(n) * n_rows, winner.size)
            tiled["pairs"] = np.tile(winner, n) + first, np.tile(loser, n) + first, np.tile(weight, n)
        y, flat = np.tile(self.y, n), scores.ravel()
        losses = self.objective.loss(y, flat, reduction="none", **tiled)
        gradient, _ = self.objective.gradient_hessian(y, flat, **tiled)
        return losses.reshape(scores.shape), gradient.reshape(scores.shape)


def _subjects() -> dict[str, Subject]:
    unbounded = ("squared", "exponential", "custom")

    def properties(name: str) -> dict[str, bool]:
        return {"exact_hessian": name not in SURROGATES, "bounded": name not in unbounded}

    of_labels = {name: Subject(objective, **properties(name)) for name, (objective, _) in LOSSES.items()}
    weighted = {
        f"{name}, {weight}": Subject(clone(LOSSES[name][0]).set_params(pair_weight=parameter), **properties(name))
        for name, weights in {
            "logistic": ("label_diff", "gain_diff", "callable"),
            "hinge": ("label_diff", "callable"),
            "wide hinge": ("gain_diff",),
            "squared": ("gain_diff", "callable"),
            "exponential": ("label_diff", "callable"),
            "soft zero-one": ("gain_diff", "callable"),
            "custom": ("label_diff", "callable"),
        }.items()
        for weight in weights
        for parameter in [PAIR_WEIGHTS[weight][0]]
    }
    ranked = {
        "logistic, ndcg": Subject(PairwiseLogistic(pair_weight="ndcg"), separable=False),
        "logistic, ndcg, truncated": Subject(
            PairwiseLogistic(pair_weight="ndcg", truncation=3, gain="linear"), separable=False
        ),
        "logistic, lambdarank": Subject(
            PairwiseLogistic(pair_weight="lambdarank"), differentiable=False, separable=False
        ),
    }
    drawn = {"bpr, drawn": Subject(BPR(negatives=2, random_state=3), differentiable=False, separable=False, drawn=True)}
    explicit = {
        f"{name}, explicit pairs": Subject(objective, explicit=True, **properties(name))
        for name, (objective, _) in LOSSES.items()
    }
    return {**of_labels, **weighted, **ranked, **drawn, **explicit}


#: The objectives that share one contract.
SUBJECTS = _subjects()

ALL = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)


def those(**properties):
    """Parametrise with the subjects that have some properties."""
    chosen = {
        name: subject
        for name, subject in SUBJECTS.items()
        if all(getattr(subject, key) == value for key, value in properties.items())
    }
    return pytest.mark.parametrize("subject", chosen.values(), ids=chosen)


def fixed_problem(seed=0, sizes=(6, 1, 9, 0, 12, 5), **changes) -> WeightedProblem:
    """Return a problem with all kinds of weights, whose queries have at least three labels of 0."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    y = rng.integers(0, 4, n).astype(float)
    y[np.arange(n) >= np.cumsum(sizes)[codes] - 3] = 0
    size, start = np.array(sizes)[codes], (np.cumsum(sizes) - sizes)[codes]
    winner = rng.choice(np.flatnonzero(size > 1), max(60, n))
    loser = start[winner] + (winner - start[winner] + rng.integers(1, size[winner])) % size[winner]
    values = {
        "y": y,
        "s": rng.normal(size=n),
        "sizes": list(sizes),
        "w": rng.uniform(0.1, 2, n),
        "v": rng.uniform(0.1, 2, n),
        "q": None,
        "mask": None,
        "temperature": 0.7,
        "normalize": "log",
        "both": False,
        "pairs": (winner, loser, rng.integers(1, 5, winner.size) / 2),
    }
    return WeightedProblem(**{**values, **changes})
