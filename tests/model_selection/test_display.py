"""``RankingDisplay``: the numbers that it draws, and the axes that it draws in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gbdt_pairloss import RankingDisplay, metrics

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_curve_is_the_metric_at_each_rank(problem) -> None:
    display = RankingDisplay.from_predictions(problem.y, problem.scores, qid=problem.qid, metric="ndcg@7", name="it")
    x, y = display.line_.get_data()
    np.testing.assert_array_equal(x, np.arange(1, 8))
    expected = [metrics.ndcg(problem.y, problem.scores, qid=problem.qid, k=k) for k in range(1, 8)]
    np.testing.assert_allclose(y, expected)
    assert display.line_.get_label() == f"it (NDCG@7 = {expected[-1]:.3f})"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("rank k", "NDCG@k, mean over queries")
    assert display.figure_ is display.ax_.figure


def test_a_distribution_is_the_share_of_queries_at_or_below_each_value(problem) -> None:
    display = RankingDisplay.from_predictions(
        problem.y, problem.scores, group=problem.sizes, metric="spearman", kind="distribution"
    )
    values = metrics.spearman(problem.y, problem.scores, group=problem.sizes, per_query=True)
    values = np.sort(values[~np.isnan(values)])
    x, y = display.line_.get_data()
    for value in values:
        assert y[np.flatnonzero(x <= value)[-1]] == pytest.approx(np.mean(values <= value))
    assert (x[0], y[0]) == (values[0], 0)
    assert display.line_.get_label() == f"spearman = {values.mean():.3f}"


def test_several_estimators_share_one_axes(problem) -> None:
    frame = pd.DataFrame(problem.X, columns=list("abcdef")).assign(qid=problem.qid)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(problem.X, problem.y)
    first = RankingDisplay.from_estimator(model, problem.X, problem.y, qid=problem.qid, metric="map@5")
    weight = np.random.default_rng(0).uniform(size=problem.sizes.size)
    second = RankingDisplay.from_estimator(
        LinearRegression().fit(frame, problem.y),
        frame,
        problem.y,
        metric=metrics.get_metric("map@5", relevant=2),
        sample_weight=weight,
        ax=first.ax_,
        name="of two",
        color="red",
    )
    assert second.ax_ is first.ax_
    labels = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert labels[0].startswith("LinearRegression (MAP@5 = ")
    assert labels[1].startswith("of two (MAP@5 = ")
    assert second.line_.get_color() == "red"
    scores = LinearRegression().fit(frame, problem.y).predict(frame)
    expected = metrics.average_precision(problem.y, scores, qid=problem.qid, k=5, relevant=2, query_weight=weight)
    assert second.line_.get_ydata()[-1] == pytest.approx(expected)
    again = second.plot(kind="distribution", name="again")
    assert again.ax_ is not first.ax_


def test_metrics_without_ranks_unknown_kinds_and_missing_queries_are_refused(problem) -> None:
    with pytest.raises(ValueError, match="spearman has no ranks to draw a curve over"):
        RankingDisplay.from_predictions(problem.y, problem.scores, qid=problem.qid, metric="spearman")
    with pytest.raises(ValueError, match="kind must be"):
        RankingDisplay.from_predictions(problem.y, problem.scores, qid=problem.qid, kind="bars")
    display = RankingDisplay.from_predictions(
        problem.y, problem.scores, qid=problem.qid, metric=metrics.feval("ndcg@5")
    )
    assert display.metric_name == "ndcg@5"
    plt.close("all")
    model = LinearRegression().fit(problem.X, problem.y)
    with pytest.raises(ValueError, match="a display of rankings needs qid="):
        RankingDisplay.from_estimator(model, problem.X, problem.y)
    assert not plt.get_fignums()
