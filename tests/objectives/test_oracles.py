"""Our numbers against other people's code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gbdt_pairloss import BPR, PairwiseHinge, PairwiseLogistic, PairwiseMeanSquaredError

HERE = Path(__file__).parent / "oracles"


def cases(file: str) -> list[dict[str, np.ndarray]]:
    with np.load(HERE / file) as stored:
        found: dict[str, dict[str, np.ndarray]] = {}
        for key in stored.files:
            case, _, name = key.partition("_")
            if case[0] == "c" and case[1:].isdigit():
                found.setdefault(case, {})[name] = stored[key]
    return [found[case] for case in sorted(found)]


KERAS_RS = cases("oracle_keras_rs.npz")
KERAS_RS_MSE = cases("oracle_keras_rs_mse.npz")
MERLIN = cases("oracle_merlin_bpr.npz")


def test_the_oracles_are_all_there() -> None:
    assert len(KERAS_RS) == 220
    assert len(KERAS_RS_MSE) == 60
    assert {str(case["name"]) for case in MERLIN} == {"bpr", "logistic", "hinge"}
    assert len(MERLIN) == 200


@pytest.mark.parametrize(
    ("cls", "case"),
    [*((PairwiseLogistic, case) for case in KERAS_RS), *((PairwiseMeanSquaredError, case) for case in KERAS_RS_MSE)],
    ids=[*(f"logistic-{k}" for k in range(220)), *(f"squared-{k}" for k in range(60))],
)
def test_keras_rs_loss_and_gradient(cls, case) -> None:
    objective = cls(temperature=float(case["temperature"]), normalize="none", ignore_negative_labels=True)
    arguments = {}
    if case["has_mask"]:
        arguments["mask"] = case["mask"]
    divisor = float(case["scores"].size)
    if case["has_weight"]:
        arguments["sample_weight"] = case["weight"]
    reduction = str(case["reduction"])
    loss = objective.loss(case["labels"], case["scores"], reduction=reduction, **arguments)
    np.testing.assert_allclose(loss, case["loss"], rtol=1e-9, atol=1e-12)

    if reduction in ("sum", "none"):
        divisor = 1.0
    elif reduction == "mean_with_sample_weight" and case["has_weight"]:
        divisor = float(case["weight"].sum())
    gradient, _ = objective.gradient_hessian(case["labels"], case["scores"], **arguments)
    expected = case["grad"] * divisor
    np.testing.assert_allclose(gradient if divisor else 0 * gradient, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("number", range(len(MERLIN)))
def test_merlin_loss_and_gradient(number: int) -> None:
    case = MERLIN[number]
    labels, scores = case["y"].astype(float), case["s"].astype(float)
    n_rows, n_items = labels.shape
    mask = np.ones(labels.shape, dtype=bool)
    if case["has_negmask"]:
        for row in np.flatnonzero(labels.sum(axis=1)):
            mask[row, np.flatnonzero(labels[row] == 0)] = case["negmask"][row]
    arguments = {"mask": mask}
    if case["has_weight"]:
        arguments["sample_weight"] = case["weight"][:, None].astype(float)
    losses = {"bpr": BPR, "logistic": PairwiseLogistic, "hinge": PairwiseHinge}
    objective = losses[str(case["name"])](normalize="none")
    divisor = n_rows * (n_items - 1) if str(case["reduction"]) == "sum_over_batch_size" else 1

    loss = objective.loss(labels, scores, **arguments)
    np.testing.assert_allclose(loss / divisor, case["loss"].sum(), rtol=2e-5, atol=2e-5)
    gradient, _ = objective.gradient_hessian(labels, scores, **arguments)
    np.testing.assert_allclose(gradient / divisor, case["grad"], rtol=2e-5, atol=2e-5)


class TestKerasRSDocumentation:
    labels = np.array([[1, 0, 1, 3], [0, 1, 2, 3]])
    scores = np.array([[1, 3, 2, 4], [1, 1.8, 2, 3]])
    objective = PairwiseLogistic(normalize="none")

    def test_unbatched(self) -> None:
        loss = self.objective.loss([1, 0, 1, 3, 2], [1, 3, 2, 4, 0.8], reduction="mean")
        assert loss == pytest.approx(1.70708, abs=5e-6)

    def test_batched(self) -> None:
        assert self.objective.loss(self.labels, self.scores, reduction="mean") == pytest.approx(0.73936, abs=1e-5)

    def test_masked(self) -> None:
        mask = [[True, True, True, True], [True, True, False, False]]
        labels = {"labels": self.labels, "mask": mask}
        assert self.objective.loss(labels, self.scores, reduction="mean") == pytest.approx(0.53751, abs=1e-5)

    def test_weighted(self) -> None:
        loss = self.objective.loss(
            self.labels, self.scores, sample_weight=[[2, 3, 1, 1], [2, 1, 0, 0]], reduction="mean"
        )
        assert loss == pytest.approx(0.80337, abs=1e-5)

    def test_unreduced(self) -> None:
        loss = self.objective.loss(self.labels, self.scores, reduction="none")
        expected = [[2.126928, 0, 1.3132616, 0.48877698], [0, 0.3711007, 0.9114005, 0.7034721]]
        np.testing.assert_allclose(loss, expected, atol=1e-6)

    @pytest.mark.parametrize("reduction", ["pairs", "pair_weights"])
    def test_mean_over_pairs_is_rax_and_catboost(self, reduction: str) -> None:
        # Rax 0.4.0 pairwise_logistic_loss and CatBoost 1.2.10 PairLogit: 5.91494 over 11 pairs.
        assert self.objective.loss(self.labels, self.scores, reduction=reduction) == pytest.approx(0.5377218, abs=1e-6)
