"""The figures: time per document against the size of the queries, and differences of quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_COLOURS = {"gbdt_pairloss": "#1f6fb4", "LightGBM": "#2f9e58", "XGBoost": "#d9822b", "CatBoost": "#a05bb5"}


def draw(lines: dict[str, dict[int, float]], path: Path) -> None:
    """Draw seconds per document by query size, a line for each objective, both axes logarithmic."""
    from matplotlib.figure import Figure  # not pyplot, which would start a user interface

    figure = Figure(figsize=(7.5, 4.8), dpi=150, layout="constrained")
    axes = figure.subplots()
    for name, line in lines.items():
        family = next(family for family in _COLOURS if name.startswith(family))
        ours = family == "gbdt_pairloss"
        axes.plot(
            list(line),
            [1e9 * seconds for seconds in line.values()],
            label=name,
            color=_COLOURS[family],
            linewidth=2.4 if ours else 1.4,
            linestyle="--" if ours and name != family else "-",
            marker="o",
            markersize=4,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("documents in a query")
    axes.set_ylabel("nanoseconds per document")
    axes.set_title("Gradient and Hessian of all pairs, five grades, one thread", loc="left", fontsize=11)
    axes.grid(which="major", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, format="png")


def draw_differences(panels: dict[str, dict[str, Any]], baseline: str, path: Path) -> None:
    """Draw a mean difference and its interval for each competitor, a panel for each metric.

    A competitor's name begins with its booster's; ours are drawn with full marks.
    """
    from matplotlib.figure import Figure

    names = list(next(iter(panels.values())))
    figure = Figure(figsize=(9.5, 0.29 * len(names) + 1.4), dpi=150, layout="constrained")
    for axes, (metric, line) in zip(figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        axes.axvline(0, color="#888888", linewidth=0.8)
        for row, (name, found) in enumerate(line.items()):
            colour = _COLOURS[next(family for family in _COLOURS if name.startswith(family))]
            axes.plot([found.low, found.high], [row, row], color=colour, linewidth=2.2 if ", ours" in name else 1.2)
            face = colour if ", ours" in name else "white"
            axes.plot(found.mean, row, "o", markersize=5.5, color=colour, markerfacecolor=face)
        axes.set_yticks(range(len(names)), names, fontsize=8.5)
        axes.set_title(metric, loc="left", fontsize=10)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8.5)
        axes.locator_params(axis="x", nbins=6)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.3f}" if abs(value) > 1e-9 else "0")
    axes.invert_yaxis()
    figure.suptitle(
        f"Difference to {baseline}, all sets together, 95% intervals; filled: ours", x=0.01, ha="left", fontsize=11
    )
    figure.savefig(path, format="png")
