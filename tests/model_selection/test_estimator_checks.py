"""scikit-learn's own checks of estimators, on the rankers."""

from __future__ import annotations

import inspect
import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import _num_samples

from gbdt_pairloss import LGBMRanker, XGBRanker

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row's weight applies to the pairs that it wins: a row that occurs twice also loses twice, one of weight 0 "
        "still loses (item_weight='both' is the other convention), and the boosters also bin and count rows"
    ),
    "check_sample_weight_equivalence_on_sparse_data": "as on dense data",
}


class OneQuery:
    """A ranker that takes all rows as one query, because the checks give none."""

    def fit(self, X, y=None, sample_weight=None):
        n_rows = _num_samples(X)
        return super().fit(X, y, group=[n_rows], sample_weight=sample_weight)


class OneQueryLGBMRanker(OneQuery, LGBMRanker):
    """LightGBM's ranker."""


class OneQueryXGBRanker(OneQuery, XGBRanker):
    """XGBoost's ranker."""


if "expected_failed_checks" in inspect.signature(parametrize_with_checks).parameters:
    with_checks = parametrize_with_checks(
        [
            OneQueryLGBMRanker(n_estimators=5, min_child_samples=1, n_jobs=1),
            OneQueryXGBRanker(n_estimators=5, min_child_weight=0.01, n_jobs=1),
        ],
        expected_failed_checks=lambda _: EXPECTED_FAILURES,
    )
else:  # scikit-learn has it from 1.6 on
    with_checks = pytest.mark.parametrize(("estimator", "check"), [])


@with_checks
def test_the_checks_of_scikit_learn_pass(estimator, check) -> None:
    with warnings.catch_warnings():
        # The warnings are right: the labels of some checks are all equal.
        for message in ("nothing can be learned", "no tree of the model", "the Hessians of"):
            warnings.filterwarnings("ignore", message, UserWarning)
        check(estimator)
