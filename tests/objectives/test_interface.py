"""The names that an objective shows to its users."""

from __future__ import annotations

import inspect

import pytest
from sklearn.base import BaseEstimator

from gbdt_pairloss import (
    BPR,
    PairwiseCustom,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseMeanSquaredError,
    PairwiseSoftZeroOne,
    PairwiseSquared,
    get_objective,
)

CALLS = {"gradient_hessian", "loss", "metric", "get_params", "set_params", "name", "pair_loss"}
SHARED = {
    "temperature",
    "normalize",
    "hessian_scale",
    "ignore_negative_labels",
    "item_weight",
    "n_threads",
    "device",
}
#: Parameters of the objectives whose pairs follow from the order of labels.
WEIGHTED = {"pair_weight", "gain", "truncation", "rank_noise", "random_state"}


@pytest.mark.parametrize(
    ("objective", "own"),
    [
        (PairwiseLogistic(), WEIGHTED),
        (PairwiseHinge(), {"margin", *WEIGHTED}),
        (PairwiseSquared(), {"margin", *WEIGHTED}),
        (PairwiseExponential(), WEIGHTED),
        (PairwiseSoftZeroOne(), WEIGHTED),
        (PairwiseMeanSquaredError(), set()),
        (PairwiseCustom(abs), {"function", *WEIGHTED}),
        (BPR(), {"threshold", "negatives", "negative_weight", "compute", *WEIGHTED}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_dir_shows_what_a_user_may_touch_and_nothing_else(objective, own) -> None:
    inherited = set(dir(BaseEstimator())) - CALLS  # scikit-learn's own, such as get_metadata_routing
    shown = {name for name in dir(objective) if not name.startswith("_")} - inherited
    assert shown == CALLS | SHARED | own
    parameters = set(inspect.signature(type(objective)).parameters)
    assert parameters <= SHARED | own | {"name"}
    assert parameters == set(objective.get_params())


def test_dir_of_a_sum_shows_its_parameters() -> None:
    objective = PairwiseLogistic() + BPR()
    inherited = set(dir(BaseEstimator())) - CALLS
    shown = {name for name in dir(objective) if not name.startswith("_")} - inherited
    parameters = {"objectives", "weights", "labels"}
    assert shown == (CALLS - {"pair_loss"}) | parameters
    assert set(inspect.signature(type(objective)).parameters) == set(objective.get_params(deep=False)) == parameters


@pytest.mark.parametrize(
    "cls", [PairwiseLogistic, PairwiseHinge, PairwiseSquared, PairwiseMeanSquaredError, PairwiseCustom, BPR]
)
def test_help_spells_out_every_parameter_with_its_default(cls) -> None:
    documented = inspect.getdoc(cls) or ""
    for name, parameter in inspect.signature(cls).parameters.items():
        line = next(line for line in documented.splitlines() if line.startswith(f"{name} : "))
        if parameter.default is not parameter.empty:
            default = f'"{parameter.default}"' if isinstance(parameter.default, str) else str(parameter.default)
            assert line.endswith(f"default={default}")


def test_the_class_in_place_of_an_object_is_named(problem) -> None:
    lgb, xgb = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    message = r"the objective is the class PairwiseLogistic: give an object, PairwiseLogistic\(\)"
    with pytest.raises(TypeError, match=message):
        lgb.train(
            {"objective": PairwiseLogistic, "verbose": -1}, lgb.Dataset(problem.X, problem.y, group=problem.sizes), 1
        )
    with pytest.raises(TypeError, match=message):
        xgb.train({}, xgb.DMatrix(problem.X, problem.y, group=problem.sizes), 1, obj=PairwiseLogistic)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: PairwiseLogistic(temprature=2),
            TypeError,
            "PairwiseLogistic has no parameter 'temprature' .did you mean 'temp",
        ),
        (
            lambda: get_objective("bpr", treshold=2),
            TypeError,
            "BPR has no parameter 'treshold' .did you mean 'threshold'",
        ),
        (
            lambda: get_objective("pairwise"),
            ValueError,
            "there is no objective 'pairwise' .did you mean 'pairwise_logistic'",
        ),
        (lambda: PairwiseLogistic(pair_weight=lambda y: 1.0), ValueError, "a callable pair_weight takes two arguments"),
        (
            lambda: PairwiseLogistic().loss((y for y in [1.0]), [0.0]),
            ValueError,
            "y_true is a generator, whose values can be",
        ),
        (
            lambda: PairwiseLogistic().loss([1.0], [0.0], qid="user"),
            ValueError,
            "qid is the text 'user': give the query ids",
        ),
    ],
)
def test_misspelt_and_mistaken_arguments_are_explained(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
