"""Parameters that all pairwise objectives share, and the declarations by which one objective differs from another."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from ..engine.spec import DeltaNDCG, PairSum, RankNoise
from ..ranking._data import RankingData
from ..ranking._gains import GAINS
from ..ranking._pair_weights import DELTA_WEIGHTS, PAIR_WEIGHTS, are_grades, value_function
from ..ranking._plan import Plan
from ..ranking._table_plan import TablePlan
from ..ranking._validation import check_choice, check_finite_number, check_positive

# The spec of each of DELTA_WEIGHTS, as a function of the truncation and the rank noise.
_DELTAS: dict[Any, Callable[..., DeltaNDCG]] = {
    "ndcg": partial(DeltaNDCG, by_distance=False),
    "lambdarank": partial(DeltaNDCG, by_distance=True),
}

#: The rank noise of pair_weight="auto", by measurement: benchmarks/results/quality.md.
AUTO_RANK_NOISE = 1.0

Self = TypeVar("Self", bound="ObjectiveParameters")


def with_shared_parameters(init: Any) -> Any:
    """Give ``__init__(self, *, own, **params)`` a signature that also names the parameters that most objectives share.

    Help, completion and scikit-learn read parameters and their defaults from the signature.
    """
    own = [p for p in inspect.signature(init).parameters.values() if p.kind is not p.VAR_KEYWORD]
    shared = list(inspect.signature(PairWeightParameters.__init__).parameters.values())[1:]
    init.__signature__ = inspect.Signature([*own, *shared])
    return init


class ObjectiveParameters(BaseEstimator):  # type: ignore[misc]
    """Parameters of every objective, and the hooks that subclasses may override.

    A subclass has a ``name`` and a ``pair_loss``. The hooks are private: :class:`ObjectiveEvaluator` calls them.
    """

    name: Any
    pair_loss: Any  # a PairLoss, possibly a property

    #: The values of ``normalize``.
    _normalizers: ClassVar[tuple[str, ...]] = ("log", "query", "none")
    #: Whether item ids make a difference.
    _reads_item_id: ClassVar[bool] = False
    #: Whether training without a pair is an error; else it is a warning.
    _requires_pairs: ClassVar[bool] = False

    def __init__(
        self,
        *,
        temperature: float,
        normalize: str,
        hessian_scale: float | None,
        ignore_negative_labels: bool | None,
        item_weight: str,
        n_threads: int | None,
        device: str,
    ) -> None:
        self.temperature = temperature
        self.normalize = normalize
        self.hessian_scale = hessian_scale
        self.ignore_negative_labels = ignore_negative_labels
        self.item_weight = item_weight
        self.n_threads = n_threads
        self.device = device
        self._check_params()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The pickle of an older version may lack a parameter.
        parameters = inspect.signature(type(self).__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        super().__setstate__({**defaults, **state})

    def set_params(self: Self, **params: Any) -> Self:
        """Set parameters by name, all of them or none.

        Parameters
        ----------
        **params
            Names and values.

        Returns
        -------
        self : SingleObjective

        Raises
        ------
        ValueError
            If there is no parameter of a name, or a value is not allowed.
        """
        before = self.get_params(deep=False)
        try:
            super().set_params(**params)
            self._check_params()
        except ValueError:
            super().set_params(**before)
            raise
        return self

    def _check_params(self) -> None:
        """Raise a ValueError that names a parameter whose value is not allowed."""
        check_positive(self.temperature, "temperature")
        if self.hessian_scale is not None:
            check_positive(self.hessian_scale, "hessian_scale")
        check_choice(self.normalize, "normalize", self._normalizers)
        if not isinstance(self.ignore_negative_labels, np.bool_):  # the type of values of a grid that is an array
            check_choice(self.ignore_negative_labels, "ignore_negative_labels", (None, True, False))
        check_choice(self.item_weight, "item_weight", ("winner", "both"))
        check_choice(self.device, "device", ("auto", "cpu", "cuda"))
        check_count(self.n_threads, "n_threads")

    # Hooks

    @property
    def _row_parameter(self) -> str | None:
        """The parameter that is an array with one entry per row of the training set; None if there is none."""
        return None

    def _spec(self, random_state: Any, hessian_scale: float, plan: Plan | None = None) -> PairSum:
        """Return the specification of the sum.

        Parameters
        ----------
        random_state : object
            The ranker's seed.
        hessian_scale : float
            The factor of the booster, which is used if the parameter is None.
        plan : Plan, optional
            The plan that is summed over, on which the sum may depend.
        """
        scale = hessian_scale if self.hessian_scale is None else float(self.hessian_scale)
        return PairSum(self.pair_loss, float(self.temperature), self.normalize, scale)

    def _plan_key(self) -> Hashable:
        """Return a key of the methods that read labels, and of the parameters that a plan depends on."""
        return (
            type(self)._ranking_labels,
            type(self)._candidates,
            type(self)._kind_of_plan,
            self.ignore_negative_labels,
            self.item_weight,
        )

    def _prepare(self, data: RankingData, is_own: bool) -> RankingData:
        """Add arrays among the parameters to a dataset; ``is_own`` says whether they belong to its rows."""
        return data

    def _ranking_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return the labels whose order determines the pairs."""
        return labels

    def _candidates(self, data: RankingData, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Return the mask without the rows that this objective excludes from every pair."""
        return mask

    def _value_function(
        self, labels: NDArray[Any], has_grades: bool | None
    ) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
        """Return the function from labels to the values whose differences are phi; None: phi is 1.

        ``labels`` are those of the rows that take part. ``has_grades`` says whether those of the training set are
        grades; None: the labels at hand decide.
        """
        return None

    def _kind_of_plan(self, plan: Plan, data: RankingData) -> Plan:
        """Return the plan as the kind that this objective sums over."""
        return plan

    def _check_explicit_pairs(self, data: RankingData) -> None:
        """Raise a ValueError if a parameter does not apply to explicit pairs."""
        if data.item_id is not None and self._reads_item_id:
            raise ValueError("item_id takes no row out of explicit pairs: leave one of them out")

    def _check_plan(self, plan: Plan) -> None:
        """Raise a ValueError if this objective cannot train on a plan, or on a part of one."""

    def _nothing_to_learn(self) -> str:
        """Say why no pair exists, in the words of this objective's labels."""
        return "no query has two rows with different labels"


class PairWeightParameters(ObjectiveParameters):
    """Parameters of the objectives whose pairs follow from the order of labels, and have weights phi."""

    def __init__(
        self,
        *,
        temperature: float = 1.0,
        pair_weight: str | Callable[[float, float], float] = "uniform",
        gain: str = "exp2",
        truncation: int | None = None,
        rank_noise: float | None = None,
        normalize: str = "log",
        hessian_scale: float | None = None,
        ignore_negative_labels: bool | None = None,
        item_weight: str = "winner",
        random_state: int | None = None,
        n_threads: int | None = None,
        device: str = "auto",
    ) -> None:
        self.pair_weight = pair_weight
        self.gain = gain
        self.truncation = truncation
        self.rank_noise = rank_noise
        self.random_state = random_state
        super().__init__(
            temperature=temperature,
            normalize=normalize,
            hessian_scale=hessian_scale,
            ignore_negative_labels=ignore_negative_labels,
            item_weight=item_weight,
            n_threads=n_threads,
            device=device,
        )

    def _check_params(self) -> None:
        super()._check_params()
        if not callable(self.pair_weight):
            check_choice(self.pair_weight, "pair_weight", PAIR_WEIGHTS)
        elif not isinstance(self.pair_weight, Hashable):
            raise ValueError("a callable pair_weight must be hashable: plans are kept by it")
        elif not takes_arguments(self.pair_weight, 2):
            raise ValueError(
                "a callable pair_weight takes two arguments, the label of the winner and that of the loser"
            )
        check_choice(self.gain, "gain", GAINS)
        check_count(self.truncation, "truncation")
        if self.rank_noise is not None:
            check_finite_number(self.rank_noise, "rank_noise")
            if self.rank_noise < 0:
                raise ValueError(f"rank_noise must be at least 0, got {self.rank_noise!r}")
            if self.rank_noise > 1e300 / max(1.0, self.temperature):
                raise ValueError(f"rank_noise times the temperature must be at most 1e300, got {self.rank_noise!r}")
        if self.pair_weight not in (*DELTA_WEIGHTS, "auto"):
            for name in ("truncation", "rank_noise"):
                if getattr(self, name):
                    raise ValueError(
                        f'{name} belongs to pair_weight="ndcg", "lambdarank" and "auto": other pair weights do not '
                        "depend on ranks"
                    )
        if self.random_state is not None and not (is_whole(self.random_state, 0) and int(self.random_state) < 2**64):
            raise ValueError(
                f"random_state must be None or a whole number from 0, below 2^64, got {self.random_state!r}: draws are "
                "a function of it, which the state of a generator would change"
            )

    def _spec(self, random_state: Any, hessian_scale: float, plan: Plan | None = None) -> PairSum:
        spec = super()._spec(random_state, hessian_scale, plan)
        pair_weight, rank_noise = self.pair_weight, self.rank_noise
        if pair_weight == "auto":
            pair_weight = "ndcg" if plan is None or plan.values is not None else "uniform"
            rank_noise = AUTO_RANK_NOISE if rank_noise is None else rank_noise
        if pair_weight not in DELTA_WEIGHTS:
            return spec
        noise = RankNoise(float(rank_noise), self._seed(random_state)) if rank_noise else None
        return replace(spec, delta=_DELTAS[pair_weight](self.truncation, noise=noise))

    def _seed(self, random_state: Any) -> int:
        """Return the seed of draws: ``random_state``, or else the ranker's if that is a whole number, or else 0."""
        seed: Any = random_state if self.random_state is None else self.random_state
        return int(seed) % 2**64 if is_whole(seed, 0) else 0

    def _plan_key(self) -> Hashable:
        return (
            super()._plan_key(),
            self.pair_weight if self.pair_weight != "lambdarank" else "ndcg",
            self.pair_weight != "uniform" and self.gain,
        )

    def _value_function(
        self, labels: NDArray[Any], has_grades: bool | None
    ) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
        pair_weight = self.pair_weight
        if pair_weight == "auto":
            has_grades = are_grades(labels) if has_grades is None else has_grades
            pair_weight = "ndcg" if has_grades else "uniform"
        return value_function(pair_weight, self.gain)

    def _kind_of_plan(self, plan: Plan, data: RankingData) -> Plan:
        return TablePlan.of(plan, self.pair_weight) if callable(self.pair_weight) else plan

    def _check_explicit_pairs(self, data: RankingData) -> None:
        super()._check_explicit_pairs(data)
        if self.pair_weight not in ("auto", "uniform"):
            raise ValueError(
                f"explicit pairs have weights of their own: pair_weight={self.pair_weight!r} does not apply to "
                'them, leave it at "uniform"'
            )


def takes_arguments(function: Callable[..., Any], number: int) -> bool:
    """Return whether a function can be called with so many arguments; True if that is not known."""
    try:
        inspect.signature(function).bind(*range(number))
    except TypeError:
        return False
    except ValueError:  # a function of C without a signature
        return True
    return True


def check_count(value: Any, name: str) -> None:
    """Raise a ValueError if a value is neither None nor a whole number above 0."""
    if value is not None and not is_whole(value, 1):
        raise ValueError(f"{name} must be a whole number above 0 or None, got {value!r}")


def is_whole(value: Any, least: int) -> bool:
    """Return whether a value is a whole number of at least ``least``."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
