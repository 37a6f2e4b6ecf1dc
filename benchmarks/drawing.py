"""The figure: time per document against the size of the queries."""

from __future__ import annotations

from pathlib import Path

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
