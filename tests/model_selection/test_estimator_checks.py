"""scikit-learn's own checks of estimators, on the rankers."""

from __future__ import annotations

import inspect
import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from gbdt_pairloss import LGBMRanker, XGBRanker

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row's weight applies to the pairs that it wins: a row that occurs twice also loses twice, one of weight 0 "
        "still loses (item_weight='both' is the other convention), and the boosters also bin and count rows"
    ),
    "check_sample_weight_equivalence_on_sparse_data": "as on dense data",
}
if "expected_failed_checks" in inspect.signature(parametrize_with_checks).parameters:
    with_checks = parametrize_with_checks(
        [
            LGBMRanker(n_estimators=5, min_child_samples=1, n_jobs=1),
            XGBRanker(n_estimators=5, min_child_weight=0.01, n_jobs=1),
        ],
        expected_failed_checks=lambda _: EXPECTED_FAILURES,
    )
else:  # scikit-learn has it from 1.6 on
    with_checks = pytest.mark.parametrize(("estimator", "check"), [])


@with_checks
def test_the_checks_of_scikit_learn_pass(estimator, check) -> None:
    with warnings.catch_warnings():
        # The warnings are right: the checks give no queries, and the labels of some are all equal.
        for message in ("neither qid nor group", "nothing can be learned", "no tree of the model", "the Hessians of"):
            warnings.filterwarnings("ignore", message, UserWarning)
        check(estimator)
