"""The output of the comparison: progress bar, table, notes and plot."""

from __future__ import annotations

import re
import shutil
import sys
import time
from dataclasses import dataclass, field

import numpy as np

_BAR_CHARACTERS = 30
_PACKAGE_COLOUR, _NATIVE_COLOUR = "#1f6fb4", "#a9b4bf"
_BAR_INCHES, _MARGIN_INCHES, _WIDTH_INCHES = 0.36, 0.75, 7.5


@dataclass
class Result:
    """One training and its results.

    Attributes
    ----------
    booster, objective : str
        Names.
    is_native : bool
        Whether the objective is a native objective of the booster rather than one of gbdt_pairloss.
    metrics : dict of str to float
        Value of each metric; NaN if it is missing.
    seconds : float
        Time of the training; NaN if it failed.
    notes : list of (str, str)
        Subject of a note (the training, or a metric), and its text.
    """

    booster: str
    objective: str
    is_native: bool
    metrics: dict[str, float]
    seconds: float = float("nan")
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name in notes and in the progress bar."""
        return f"{self.booster} {self.objective}"


class Progress:
    """Progress bar on stderr, if that is a terminal: the rounds of all trainings, and the current training."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.current = total, 0, ""
        self.shown = sys.stderr is not None and sys.stderr.isatty()
        self._next_draw = 0.0

    def start(self, done: int, name: str) -> None:
        """Show the name of a training, which begins after ``done`` rounds."""
        self.done, self.current, self._next_draw = done, name, 0.0
        self._draw()

    def tick(self) -> None:
        """Count a round. The bar is drawn at most ten times a second."""
        self.done += 1
        self._draw()

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _draw(self) -> None:
        if not self.shown or time.monotonic() < self._next_draw:
            return
        filled = _BAR_CHARACTERS * self.done // self.total
        bar = "#" * filled + "." * (_BAR_CHARACTERS - filled)
        line = f"[{bar}] {self.done}/{self.total} rounds  {self.current}"
        print(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", end="", file=sys.stderr, flush=True)
        self._next_draw = time.monotonic() + 0.1


def table(results: list[Result]) -> list[str]:
    """Return the lines of an aligned table; ``*`` marks the best values of a metric, compared as printed."""
    rows = [["booster", "objective", *(f"{name} " for name in results[0].metrics), "seconds"]]
    best = {name: max((_cell(r.metrics[name], 4) for r in results), key=_value) for name in results[0].metrics}
    for result in results:
        cells = [(_cell(value, 4), best[name]) for name, value in result.metrics.items()]
        marked = [cell + ("*" if cell == top != "-" else " ") for cell, top in cells]
        rows.append([result.booster, result.objective, *marked, _cell(result.seconds, 2)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    text_columns = 2  # the other columns contain numbers
    return [
        "  ".join(f"{cell:{'<' if i < text_columns else '>'}{widths[i]}}" for i, cell in enumerate(row)) for row in rows
    ]


def _cell(value: float, digits: int) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def _value(cell: str) -> float:
    return -np.inf if cell == "-" else float(cell)


def note_lines(results: list[Result]) -> list[str]:
    """Return each note once, after all its subjects."""
    subjects_of: dict[str, dict[str, None]] = {}
    for result in results:
        for subject, note in result.notes:
            subjects_of.setdefault(_one_line(note), {})[subject] = None
    return [f"- {', '.join(subjects)}: {note}" for note, subjects in subjects_of.items()]


def _one_line(message: str) -> str:
    """Return a message without line breaks, and without XGBoost's time, source file and stack trace."""
    text = " ".join(message.partition("Stack trace:")[0].split())
    return re.sub(r"^\[[\d:]+\] \S+:\d+: (Check failed: [^:]*: )?", "", text)


def draw(results: list[Result], metric: str, path: str) -> bool:
    """Draw a metric as horizontal bars, with one panel for each booster.

    Parameters
    ----------
    results : list of Result
        Results in the order of the bars. Results without the metric are left out.
    metric : str
        Key of ``Result.metrics``.
    path : str
        Path of the PNG file to write.

    Returns
    -------
    bool
        False if there is nothing to draw, so no file is written.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib.figure import Figure  # pyplot would select a user interface
    from matplotlib.patches import Patch

    drawn = [result for result in results if not np.isnan(result.metrics[metric])]
    if not drawn:
        return False
    groups = {name: [r for r in drawn if r.booster == name] for name in dict.fromkeys(r.booster for r in drawn)}
    heights = [_BAR_INCHES * len(group) + 0.4 for group in groups.values()]
    figure = Figure(figsize=(_WIDTH_INCHES, sum(heights) + _MARGIN_INCHES), dpi=150, layout="constrained")
    panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for panel, (booster, group) in zip(panels, groups.items(), strict=True):
        values = [result.metrics[metric] for result in group]
        colours = [_NATIVE_COLOUR if result.is_native else _PACKAGE_COLOUR for result in group]
        bars = panel.barh([result.objective for result in group], values, height=0.7, color=colours)
        panel.bar_label(bars, [_cell(value, 4) for value in values], padding=4, fontsize=9)
        panel.set_title(booster, loc="left", fontsize=11, fontweight="bold")
        panel.invert_yaxis()  # the first result is on top
        panel.tick_params(axis="y", length=0)
        panel.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlim(0, 1.12 * max(result.metrics[metric] for result in drawn) or 1)
    panels[-1].set_xlabel(f"mean {metric} of the test queries")
    figure.legend(
        handles=[Patch(color=_PACKAGE_COLOUR, label="gbdt_pairloss"), Patch(color=_NATIVE_COLOUR, label="native")],
        loc="outside upper right",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    figure.savefig(path, format="png")
    return True
