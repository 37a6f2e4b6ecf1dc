"""The report of `quality.py`: means over held-out queries, and paired bootstrap intervals of their differences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tables import machine, markdown

#: What a set's tables compare with: what users of a booster would take today.
NATIVE = {"LightGBM": "LightGBM lambdarank", "XGBoost": "XGBoost rank:ndcg", "CatBoost": "CatBoost YetiRank"}

#: The package's default, as `competitors.py` names it.
DEFAULT = "auto"

_DRAWS = 10_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """What a competitor reached on one set.

    Attributes
    ----------
    of_query : dict
        By metric, one value per query; nan where the metric cannot judge it.
    chosen : list
        Its strength of regularisation, one per fold; None where it was not chosen.
    """

    of_query: dict[str, Array]
    chosen: list[float | None]

    def mean(self, metric: str) -> float:
        return float(np.nanmean(self.of_query[metric]))


@dataclass(frozen=True)
class Difference:
    """A mean difference with its 95% interval."""

    mean: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class _Bootstrap:
    """Means over the queries of one set, and over draws of them: the same draws for all competitors."""

    n_queries: int
    mean: dict[str, float]
    drawn: dict[str, Array]


@dataclass(frozen=True)
class Results:
    """The values of all competitors on all sets."""

    sets: dict[str, dict[str, Values]]  # by set, then by competitor
    _bootstraps: dict[tuple[str, str], _Bootstrap] = field(default_factory=dict, repr=False)

    @property
    def metrics(self) -> list[str]:
        return list(next(iter(next(iter(self.sets.values())).values())).of_query)

    @property
    def names(self) -> list[str]:
        return list(next(iter(self.sets.values())))

    def of_booster(self, booster: str) -> list[str]:
        return [name for name in self.names if name.startswith(booster)]

    def mean(self, name: str, metric: str, by_query: bool = False) -> float:
        """Return the mean over sets of the mean over queries, or the mean over the queries of all sets."""
        every = [self._bootstrap(one, metric) for one in self.sets]
        weights = [one.n_queries if by_query else 1 for one in every]
        return float(np.average([one.mean[name] for one in every], weights=weights))

    def difference(
        self, name: str, other: str, metric: str, *, one_set: str | None = None, by_query: bool = False
    ) -> Difference:
        """Compare two competitors on all sets, as in `mean`, or on one; queries are drawn within their sets."""
        every = [self._bootstrap(one, metric) for one in ([one_set] if one_set else self.sets)]
        weights = np.array([one.n_queries if by_query else 1 for one in every], dtype=float)
        weights /= weights.sum()
        mean = sum(w * (one.mean[name] - one.mean[other]) for w, one in zip(weights, every, strict=True))
        drawn = sum(w * (one.drawn[name] - one.drawn[other]) for w, one in zip(weights, every, strict=True))
        low, high = np.quantile(drawn, (0.025, 0.975))
        # Equal values differ by rounding alone.
        mean, low, high = (0.0 if abs(value) < 1e-12 else float(value) for value in (mean, low, high))
        return Difference(mean, low, high)

    def best_native(self, booster: str, one_set: str, metric: str) -> str:
        of_set = self.sets[one_set]
        return max(self._natives(booster), key=lambda name: of_set[name].mean(metric))

    def is_behind(self, name: str, one_set: str, metric: str) -> bool:
        """Whether any of the booster's own objectives is clearly better."""
        natives = self._natives(_booster(name))
        return any(self.difference(name, native, metric, one_set=one_set).high < 0 for native in natives)

    def figure_lines(self, metrics: tuple[str, ...]) -> tuple[dict[str, dict[str, Difference]], str]:
        """Return each metric's differences of every competitor to a baseline, all sets together, and its name."""
        baseline = next(native for native in NATIVE.values() if native in self.names)
        others = [name for name in self.names if name != baseline]
        return {m: {name: self.difference(name, baseline, m) for name in others} for m in metrics}, baseline

    def _natives(self, booster: str) -> list[str]:
        return [name for name in self.of_booster(booster) if ", ours" not in name]

    def _bootstrap(self, one_set: str, metric: str) -> _Bootstrap:
        key = one_set, metric
        if key not in self._bootstraps:
            values = np.array([own.of_query[metric] for own in self.sets[one_set].values()])
            # Whether a metric can judge a query depends on its labels alone, so it is the same for all.
            values = values[:, ~np.isnan(values).any(axis=0)]
            n = values.shape[1]
            rng = np.random.default_rng(list(self.sets).index(one_set))
            drawn = []
            for _ in range(_DRAWS // 100):
                times = rng.multinomial(n, np.full(n, 1 / n), size=100)  # how often each query is drawn
                drawn.append(times @ values.T / n)
            columns = np.concatenate(drawn).T
            means = values.mean(axis=1).tolist()
            names = self.names
            self._bootstraps[key] = _Bootstrap(
                n, dict(zip(names, means, strict=True)), dict(zip(names, columns, strict=True))
            )
        return self._bootstraps[key]


def report(results: Results, titles: dict[str, str], settings: str, command: str) -> str:
    """Return Markdown: all sets together, then each."""
    text = (
        f"For all: {settings}. Not the same for all: objectives that take no floats get grades in their place; "
        "truncations are the boosters' defaults, 30 and 32, except where all pairs are named. Ours is "
        '`PairwiseLogistic` with `normalize="log"`, except where another is named: "noise" is `rank_noise`, and "+ 0.1 '
        'squared" a sum with `PairwiseMeanSquaredError(normalize="query")` that adds 0.1 times the error, less its '
        "mean over the query, to the gradient. The intervals hold 95% of 10,000 paired bootstrap draws of the held-out "
        "queries; **bold** where one does not reach 0. They say how much depends on the queries at hand, not on other "
        "data sets, and with so many of them some are clear by chance. NDCG has the gain 2^y - 1; equal scores have "
        "the mean of their orders, and queries without a relevant row count as 0."
    )
    if any(None not in own.chosen for own in next(iter(results.sets.values())).values()):
        text += " A strength at an end of the search may not be the best there is."
    lines = ["# What the objectives reach on held-out queries", "", f"`{command}`", "", *machine(), "", text]
    lines += ["", "## All sets together", "", *_summary(results)]
    lines += ["", "## First or tied on every set", "", *_first_or_tied(results)]
    for name in results.sets:
        lines += ["", f"## {name}", "", f"{titles[name]}.", "", *_one_set(results, name)]
    return "\n".join(lines) + "\n"


def _summary(results: Results) -> list[str]:
    rows = []
    for name in results.names:
        means = [f"{results.mean(name, m):.4f}" for m in results.metrics]
        best = sum(_is_best(values, name, "NDCG@10") for values in results.sets.values())
        rows.append([name, *means, f"{results.mean(name, 'NDCG@10', by_query=True):.4f}", str(best)])
    text = (
        "Means over the sets of the means over their queries; the NDCG@10 by query, the mean over the queries of all "
        "sets; and on how many sets the NDCG@10 is the highest."
    )
    header = ["objective", *results.metrics, "NDCG@10 by query"]
    lines = [text, "", *markdown([*header, "best"], rows)]
    for booster, baseline in NATIVE.items():
        if baseline in results.names:
            compared = results.names if booster == "LightGBM" else results.of_booster(booster)
            title = "All of them" if booster == "LightGBM" else f"Those of {booster}"
            lines += ["", f"{title}, differences to {baseline}:", ""]
            rows = [[name, *_differences(results, name, baseline)] for name in compared if name != baseline]
            lines += markdown(header, rows)
    rows = []
    for name in results.names:
        default = f"{_booster(name)}, ours: {DEFAULT}"
        default += _hessian(name) if default + _hessian(name) in results.names else ""
        if ", ours" in name and default in results.names and name != default:
            rows.append([name, *_differences(results, name, default)])
    if rows:
        lines += ["", f"Ours, differences to {DEFAULT} in the same booster:", "", *markdown(header, rows)]
    return lines


def _first_or_tied(results: Results) -> list[str]:
    lines = [
        "Ours, differences to the best of the booster's own objectives on each set, and on how many sets any of the "
        "booster's own is clearly better. The best is chosen after the fact, by its mean on the set, which favours it.",
    ]
    for metric in ("NDCG@10", "pair accuracy"):
        rows = []
        for name in results.names:
            if ", ours" in name:
                cells = [
                    _cell(
                        results.difference(
                            name, results.best_native(_booster(name), one_set, metric), metric, one_set=one_set
                        )
                    )
                    for one_set in results.sets
                ]
                behind = sum(results.is_behind(name, one_set, metric) for one_set in results.sets)
                rows.append([name, *cells, str(behind)])
        lines += ["", f"{metric}:", "", *markdown(["objective", *results.sets, "behind on"], rows)]
    return lines


def _one_set(results: Results, one_set: str) -> list[str]:
    rows, values = [], results.sets[one_set]
    for name, own in values.items():
        baseline = NATIVE[_booster(name)]
        cells = []
        for metric in results.metrics:
            mean = f"{own.mean(metric):.4f}"
            if name == baseline or baseline not in values:
                cells.append(mean)
            else:
                cells.append(_cell(results.difference(name, baseline, metric, one_set=one_set), mean))
        counts = Counter(strength for strength in own.chosen if strength is not None)
        chosen = ", ".join(f"{strength:g}" + (f" x {n}" if n > 1 else "") for strength, n in sorted(counts.items()))
        rows.append([name, *cells, chosen])
    header = ["objective", *results.metrics, "strengths"]
    if not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    baselines = ", ".join(native for native in NATIVE.values() if native in values)
    text = f"In brackets the interval of the difference to the booster's own: {baselines}."
    return [text, "", *markdown(header, rows)]


def _is_best(values: dict[str, Values], name: str, metric: str) -> bool:
    return values[name].mean(metric) == max(own.mean(metric) for own in values.values())


def _differences(results: Results, name: str, other: str) -> list[str]:
    cells = [_cell(results.difference(name, other, metric)) for metric in results.metrics]
    return [*cells, _cell(results.difference(name, other, "NDCG@10", by_query=True))]


def _cell(found: Difference, shown: str | None = None) -> str:
    """Format a value, the difference by default, with the interval of the difference; bold if that is clear."""
    cell = f"{shown or f'{found.mean:+.4f}'} ({found.low:+.4f} to {found.high:+.4f})"
    return f"**{cell}**" if found.is_clear else cell


def _booster(competitor: str) -> str:
    return next(booster for booster in NATIVE if competitor.startswith(booster))


def _hessian(competitor: str) -> str:
    _, found, factor = competitor.partition(", Hessian")
    return found + factor
