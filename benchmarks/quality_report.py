"""The report of `quality.py`: means over held-out queries, and paired bootstrap intervals of their differences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tables import machine, markdown

#: What a set's tables compare with: what users of a booster would take today.
NATIVE = {"LightGBM": "LightGBM lambdarank", "XGBoost": "XGBoost rank:ndcg", "CatBoost": "CatBoost YetiRank"}

#: Parameters of ours, as `competitors.py` names them, that are the package's defaults.
DEFAULT = "uniform, log"

_DRAWS = 10_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """What a competitor reached on one set.

    Attributes
    ----------
    of_query : dict
        By metric, one value per query; nan where the metric cannot judge it.
    chosen : list of float
        Its strength of regularisation, one per fold.
    """

    of_query: dict[str, Array]
    chosen: list[float]

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


Sets = dict[str, dict[str, Values]]  # by set, then by competitor


def difference(sets: Sets, ours: str, other: str, metric: str) -> Difference:
    """The mean over sets of the mean difference over a set's queries; queries are drawn within their sets."""
    rng = np.random.default_rng(0)
    means, draws = [], np.zeros(_DRAWS)
    for values in sets.values():
        of_query = values[ours].of_query[metric] - values[other].of_query[metric]
        of_query = of_query[~np.isnan(of_query)]
        means.append(of_query.mean())
        # How often each query is drawn.
        times = rng.multinomial(of_query.size, np.full(of_query.size, 1 / of_query.size), size=_DRAWS)
        draws += times @ of_query / of_query.size
    low, high = np.quantile(draws / len(sets), (0.025, 0.975))
    return Difference(float(np.mean(means)), float(low), float(high))


def report(sets: Sets, titles: dict[str, str], settings: str, command: str) -> str:
    """Markdown: all sets together, then each."""
    text = (
        f"For all: {settings}, 80% of rows and columns for a tree, and a search over five strengths of regularisation "
        "within the training queries of each fold. Not the same for all: objectives that take no floats get grades in "
        "their place; XGBoost's own objectives double the Hessian, and ours does so there; truncations are the "
        "boosters' defaults, 30 and 32, but where all pairs are named; CatBoost takes one Newton step for a leaf. The "
        "intervals hold 95% of 10,000 paired bootstrap draws of the held-out queries; **bold** where one does not "
        "reach 0. They say how much depends on the queries at hand, not on other data sets, and with so many of them "
        "some are clear by chance. A strength at an end of the search, 0.01 or 10,000, may not be the best there is."
    )
    lines = ["# What the objectives reach on held-out queries", "", f"`{command}`", "", *machine(), "", text]
    lines += ["", "## All sets together", "", *_summary(sets)]
    for name, values in sets.items():
        lines += ["", f"## {name}", "", f"{titles[name]}.", "", *_one_set(name, values)]
    return "\n".join(lines) + "\n"


def _summary(sets: Sets) -> list[str]:
    metrics, names = _metrics(sets), _names(sets)
    rows = []
    for name in names:
        means = [f"{np.mean([values[name].mean(m) for values in sets.values()]):.4f}" for m in metrics]
        best = sum(_is_best(values, name, "NDCG@10") for values in sets.values())
        rows.append([name, *means, str(best)])
    text = "Means over the sets of the means over their queries, and on how many sets the NDCG@10 is the highest."
    lines = [text, "", *markdown(["objective", *metrics, "best"], rows)]
    for title, baseline, compared in (
        ("All of them", NATIVE["LightGBM"], names),
        ("Those of XGBoost", NATIVE["XGBoost"], [name for name in names if _booster(name) == "XGBoost"]),
    ):
        lines += ["", f"{title}, differences to {baseline}:", ""]
        rows = [[n, *(_cell(difference(sets, n, baseline, m)) for m in metrics)] for n in compared if n != baseline]
        lines += markdown(["objective", *metrics], rows)
    lines += ["", f"Ours, differences to the default ({DEFAULT}) in the same booster:", ""]
    rows = []
    for name in names:
        booster, _, params = name.partition(", ours: ")
        if params and params != DEFAULT:
            default = f"{booster}, ours: {DEFAULT}"
            rows.append([name, *(_cell(difference(sets, name, default, m)) for m in metrics)])
    lines += markdown(["objective", *metrics], rows)
    return lines


def _one_set(name: str, values: dict[str, Values]) -> list[str]:
    metrics = _metrics({name: values})
    rows = []
    for competitor, own in values.items():
        baseline = NATIVE[_booster(competitor)]
        cells = []
        for metric in metrics:
            against = difference({name: values}, competitor, baseline, metric)
            mean = f"{own.mean(metric):.4f}"
            if competitor == baseline:
                cells.append(mean)
            else:
                cells.append(_cell(against, mean))
        counts = Counter(own.chosen)
        chosen = ", ".join(f"{strength:g}" + (f" x {n}" if n > 1 else "") for strength, n in sorted(counts.items()))
        rows.append([competitor, *cells, chosen])
    baselines = ", ".join(native for native in NATIVE.values() if native in values)
    text = f"In brackets the interval of the difference to the booster's own: {baselines}."
    return [text, "", *markdown(["objective", *metrics, "strengths"], rows)]


def _is_best(values: dict[str, Values], name: str, metric: str) -> bool:
    return values[name].mean(metric) == max(own.mean(metric) for own in values.values())


def _cell(found: Difference, shown: str | None = None) -> str:
    """A value, the difference by default, with the interval of the difference; bold if that is clear."""
    cell = f"{shown or f'{found.mean:+.4f}'} ({found.low:+.4f} to {found.high:+.4f})"
    return f"**{cell}**" if found.is_clear else cell


def _booster(competitor: str) -> str:
    return next(booster for booster in NATIVE if competitor.startswith(booster))


def _metrics(sets: Sets) -> list[str]:
    return list(next(iter(next(iter(sets.values())).values())).of_query)


def _names(sets: Sets) -> list[str]:
    return list(next(iter(sets.values())))


def figure_lines(sets: Sets, metrics: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """For each metric the differences of every competitor to LightGBM's lambdarank, all sets together."""
    baseline = NATIVE["LightGBM"]
    return {m: {n: difference(sets, n, baseline, m) for n in _names(sets) if n != baseline} for m in metrics}
