"""Parameters of the objectives and the registry of their names."""

from __future__ import annotations

import numpy as np
import pytest

import gbdt_pairloss
from gbdt_pairloss import BPR, PairwiseLogistic, get_objective
from gbdt_pairloss.objectives import objective_names


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"temperature": 0}, "temperature must be a finite number above 0, got 0"),
        ({"temperature": -1.0}, "temperature must be a finite number above 0"),
        ({"temperature": np.nan}, "temperature must be a finite number above 0"),
        ({"temperature": np.inf}, "temperature must be a finite number above 0"),
        ({"temperature": "1"}, "temperature must be a number above 0, got '1'"),
        ({"temperature": True}, "temperature must be a number above 0"),
        ({"temperature": 10**400}, "temperature must be a finite number above 0"),
        ({"temperature": 1j}, "temperature must be a number above 0"),
        ({"temperature": np.complex128(1)}, "temperature must be a number above 0"),
        ({"temperature": np.timedelta64(1, "s")}, "temperature must be a number above 0"),
        ({"hessian_scale": 0}, "hessian_scale must be a finite number above 0"),
        ({"normalize": "pairs"}, "normalize must be one of 'log', 'query', 'none'; got 'pairs'"),
        ({"normalize": None}, "normalize must be one of"),
        ({"normalize": np.array(["log", "none"])}, "normalize must be one of"),
        ({"item_weight": "loser"}, "item_weight must be one of 'winner', 'both'"),
        ({"pair_weight": "nonsense"}, "pair_weight must be one of 'auto', 'uniform'"),
        ({"ignore_negative_labels": "yes"}, "ignore_negative_labels must be one of None, True, False"),
        ({"ignore_negative_labels": 1}, "ignore_negative_labels must be one of None, True, False"),
        ({"device": "tpu"}, "device must be one of"),
        ({"n_threads": 0}, "n_threads must be a whole number above 0"),
        ({"n_threads": 1.5}, "n_threads must be a whole number above 0"),
    ],
)
def test_bad_parameters_are_refused_and_change_nothing(params, message) -> None:
    with pytest.raises(ValueError, match=message):
        PairwiseLogistic(**params)
    objective = PairwiseLogistic(temperature=0.5)
    with pytest.raises(ValueError, match=message):
        objective.set_params(**params)
    assert objective.get_params() == PairwiseLogistic(temperature=0.5).get_params()


@pytest.mark.parametrize("value", [3, "label", None])
def test_a_pair_weight_is_a_name_or_a_callable(value) -> None:
    with pytest.raises(ValueError, match="pair_weight must be one of 'auto', 'uniform'"):
        PairwiseLogistic(pair_weight=value)


def test_ignore_negative_labels_accepts_numpy_booleans() -> None:
    y, s = [1.0, -1.0, 0.0, 2.0], [0.1, 0.2, 0.3, 0.4]
    for flag in (True, False):
        from_array = PairwiseLogistic(ignore_negative_labels=np.array([flag])[0]).gradient_hessian(y, s)
        np.testing.assert_array_equal(from_array, PairwiseLogistic(ignore_negative_labels=flag).gradient_hessian(y, s))


def test_get_objective() -> None:
    assert isinstance(get_objective("pairwise_logistic", temperature=2.0), PairwiseLogistic)
    assert get_objective("bpr", threshold=1.0).threshold == 1.0
    objective = BPR()
    assert get_objective(objective) is objective
    with pytest.raises(ValueError, match=f"no objective 'ranknet'; known: {', '.join(objective_names())}, auto$"):
        get_objective("ranknet")


@pytest.mark.parametrize("name", objective_names())
def test_every_objective_has_the_shared_parameters_and_its_name(name) -> None:
    objective = get_objective(name, temperature=0.5, normalize="query")
    assert objective.name == name
    parameters = set(objective.get_params())
    assert {"temperature", "normalize", "hessian_scale", "item_weight", "n_threads"} <= parameters
    assert ("pair_weight" in parameters) == (name != "pairwise_mean_squared_error")  # which has no order of labels
    assert type(objective).__name__ in gbdt_pairloss.__all__
    with pytest.raises(TypeError, match="nonsense"):
        get_objective(name, nonsense=1)
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        objective.set_params(nonsense=1)
