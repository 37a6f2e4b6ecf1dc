"""Bad input ends in an error that names the argument, the row or the query, and the mend."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import BPR, PairwiseLogistic
from gbdt_pairloss.ranking._groups import make_groups

Y, S = [2.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.3, 0.4]


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
        ({"pair_weight": "nonsense"}, "pair_weight must be one of 'uniform'"),
        ({"ignore_negative_labels": "yes"}, "ignore_negative_labels must be one of None, True, False"),
        ({"ignore_negative_labels": 1}, "ignore_negative_labels must be one of None, True, False"),
        ({"device": "tpu"}, "device must be one of"),
        ({"n_threads": 0}, "n_threads must be a whole number above 0"),
        ({"n_threads": 1.5}, "n_threads must be a whole number above 0"),
    ],
)
def test_bad_parameters_of_an_objective(params, message) -> None:
    with pytest.raises(ValueError, match=message):
        PairwiseLogistic(**params)
    objective = PairwiseLogistic(temperature=0.5)
    with pytest.raises(ValueError, match=message):
        objective.set_params(**params)
    assert objective.get_params() == PairwiseLogistic(temperature=0.5).get_params()


def test_bad_parameters_of_bpr() -> None:
    with pytest.raises(ValueError, match="threshold must be a finite number"):
        BPR(threshold=np.nan)
    with pytest.raises(ValueError, match="threshold must be a finite number"):
        BPR(threshold=10**400)
    with pytest.raises(TypeError, match="margin"):
        BPR(margin=1.0)
    with pytest.raises(ValueError, match="positives_scores has shape"):
        BPR().compute([1.0, 2.0], [[1.0], [2.0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y_true": [1, 0]}, r"y_true has shape \(2,\), but y_pred has shape \(4,\)"),
        ({"y_true": [1, np.nan, 0, 0]}, "y_true is nan at row 1"),
        ({"y_true": [1, 0, np.inf, 0]}, "y_true is inf at row 2"),
        ({"y_true": ["a", "b", "c", "d"]}, "y_true has dtype <U1; it must be real numbers"),
        ({"y_true": ["1", "0", "2", "1"]}, "y_true has dtype <U1"),
        ({"y_true": np.array(["2024-01-01"] * 4, dtype="datetime64[D]")}, "y_true has dtype datetime64"),
        ({"y_true": ["1", 0, 2, None]}, "y_true has dtype object; it must be real numbers"),
        ({"y_true": np.array([1, 0, 2, "1"], dtype=object)}, "y_true has dtype object; it must be real numbers"),
        ({"y_true": np.array([1, 0, 2, np.complex128(1j)], dtype=object)}, "y_true has dtype object"),
        ({"y_true": [1, 0, 2, 10**400]}, "y_true has a number beyond the range of float64"),
        ({"y_true": np.full(4, np.longdouble("1e4000"))}, "y_true is inf at row 0"),
        ({"y_true": np.zeros(4, dtype=[("label", float)])}, "y_true has dtype .*label.*; it must be real numbers"),
        ({"y_true": [1, -1, 0, 0]}, "the label is -1.0 at row 1.*ignore_negative_labels=True"),
        ({"y_true": [[1, 0], [0]], "y_pred": [[1, 0], [0]]}, "ragged list of lists"),
        ({"y_true": {"label": Y}}, 'keys "labels"'),
        ({"y_true": {"labels": Y, "mask": [True] * 4}, "mask": [True] * 4}, "mask is given twice"),
        ({"y_pred": [0.1, np.nan, 0.3, 0.4]}, "y_pred is nan at row 1"),
        ({"y_pred": [0.1, 0.2, 0.3, -np.inf]}, "y_pred is -inf at row 3"),
        ({"y_pred": [1j, 0, 0, 0]}, "y_pred has dtype complex128; it must be real numbers"),
        ({"y_pred": 3.0, "y_true": 3.0}, r"y_pred has shape \(\)"),
        ({"y_pred": np.zeros((2, 2)), "y_true": np.eye(2), "group": [2, 2]}, "2-D arrays have one list per row"),
        ({"y_pred": [[0, np.nan]], "y_true": [[1, 0]]}, "y_pred is nan at list 0, position 1"),
        ({"group": [2, 3]}, "group sums to 5, but there are 4 rows"),
        ({"group": [2**62] * 4 + [4]}, "group sums to 18446744073709551620, but there are 4 rows"),
        ({"group": [1e300]}, "group sums to 1e.300, but there are 4 rows"),
        ({"group": [[2], [1, 1]]}, "group is a ragged list of lists: give the number of rows of each query"),
        ({"qid": [[1], [1, 2], [3], [4]]}, "qid is a ragged list of lists: give one id per row"),
        ({"qid": ["a", {"b": 1}, "a", "a"]}, "qid is a dict at row 1: a query id must be hashable"),
        ({"qid": np.array([np.arange(2), np.arange(3)] * 2, dtype=object)}, "qid is a ndarray at row 0"),
        ({"qid": [1, 1, 2]}, "qid has 3 entries, but there are 4 rows"),
        ({"sample_weight": [1, -1, 1, 1]}, "sample_weight is -1.0 at row 1; weights must not be negative"),
        ({"sample_weight": [1, np.nan, 1, 1]}, "sample_weight is nan at row 1"),
        ({"sample_weight": [1, 1, 1]}, r"sample_weight has 3 entries; it takes one per row \(4\)"),
        ({"sample_weight": -2.0}, "weights must not be negative"),
        ({"sample_weight": [1, 2], "qid": [1, 2, 1, 2]}, "the rows of a query are scattered"),
        ({"sample_weight": [1, np.nan], "group": [2, 2]}, "sample_weight is nan at query 1"),
        ({"mask": [True, False]}, r"mask has shape \(2,\)"),
        ({"mask": [[True], [True, False]]}, "mask is a ragged list of lists"),
        ({"pairs": ([[0], [1, 2]], [1, 2])}, "the winner of pairs is a ragged list of lists"),
        ({"mask": [0.5, 1, 1, 1]}, "mask must be boolean"),
    ],
)
@pytest.mark.parametrize("method", ["gradient_hessian", "loss"])
def test_bad_arrays(method, arguments, message) -> None:
    given = {"y_true": Y, "y_pred": S, **arguments}
    with pytest.raises(ValueError, match=message):
        getattr(PairwiseLogistic(), method)(given.pop("y_true"), given.pop("y_pred"), **given)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (1, 2)])
def test_weights_of_lists_are_never_guessed(shape) -> None:
    # KerasRS takes a (B,) weight on square (B, B) lists as weights of positions, silently.
    with pytest.raises(ValueError, match=r"sample_weight has shape .*; with lists of shape \(2, 2\)"):
        PairwiseLogistic().loss(np.eye(2), np.zeros((2, 2)), sample_weight=np.ones(shape))


def test_unknown_reduction() -> None:
    with pytest.raises(ValueError, match="reduction must be one of 'sum', 'mean'"):
        PairwiseLogistic().loss(Y, S, reduction="average")


@pytest.mark.parametrize("reduction", ["sum", "pair_weights", "mean_with_sample_weight"])
def test_a_sum_of_losses_beyond_float64_is_no_result(reduction) -> None:
    objective = PairwiseLogistic(normalize="none")
    with pytest.raises(ValueError, match="leaves the range of float64: scale the weights down"):
        objective.loss(
            Y * 3, [3.0, 4.0, 0.0, 1.0] * 3, group=[4, 4, 4], sample_weight=[1e308] * 12, reduction=reduction
        )


def test_arrays_from_a_boosters_own_ranker_are_refused() -> None:
    with pytest.raises(TypeError, match=r"gbdt_pairloss\.LGBMRanker or gbdt_pairloss\.XGBRanker"):
        PairwiseLogistic()(np.array(Y), np.array(S))


@pytest.mark.parametrize(
    ("objective", "weight", "dtype"),
    [
        (PairwiseLogistic(item_weight="both"), 1e200, np.float64),
        (PairwiseLogistic(), 1e39, np.float32),
        (PairwiseLogistic(temperature=1e-300, normalize="none"), 1.0, np.float64),
    ],
)
def test_what_leaves_the_range_of_the_result_is_no_result(objective, weight, dtype) -> None:
    scores = np.zeros(4, dtype=dtype)
    with pytest.raises(ValueError, match="the gradient or Hessian .or the loss. leaves the range of float"):
        objective.gradient_hessian(Y, scores, sample_weight=np.full(4, weight))


def test_a_flag_from_an_array_is_a_flag() -> None:
    y = [1.0, -1.0, 0.0, 2.0]
    for flag in (True, False):
        from_array = PairwiseLogistic(ignore_negative_labels=np.array([flag])[0]).gradient_hessian(y, S)
        np.testing.assert_array_equal(from_array, PairwiseLogistic(ignore_negative_labels=flag).gradient_hessian(y, S))


def test_sizes_that_a_float32_holds_are_summed_without_loss() -> None:
    sizes = np.array([1e7, 1e7, 1], dtype=np.float32)
    assert make_groups(20_000_001, group=sizes).sizes.sum() == 20_000_001
    assert make_groups(100_000, group=np.full(100, 1000, dtype=np.float16)).n_queries == 100


def test_losses_of_rows_are_results_where_their_sum_would_leave_the_range() -> None:
    y, weight = [1.0, 0.0] * 3, np.full(6, 1e308)
    of_rows = PairwiseLogistic(normalize="none").loss(
        y, np.zeros(6), group=[2, 2, 2], sample_weight=weight, reduction="none"
    )
    np.testing.assert_allclose(of_rows[::2], 1e308 * np.log(2))
    with pytest.raises(ValueError, match="the sum of the losses, or of their weights, leaves the range"):
        PairwiseLogistic(normalize="none").loss(y, np.zeros(6), group=[2, 2, 2], sample_weight=weight)
