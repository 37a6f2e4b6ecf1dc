"""What the main job shows: the progress bar, the table, and the picture."""

from __future__ import annotations

import re
import shutil
import sys
import time
from dataclasses import dataclass, field

import numpy as np

_BAR_CHARACTERS = 30
_OURS, _NATIVE = "#1f6fb4", "#a9b4bf"
_BAR_INCHES, _MARGIN_INCHES, _WIDTH_INCHES = 0.36, 0.75, 7.5


@dataclass
class Result:
    """One training: what was trained, and what came out.

    Attributes
    ----------
    booster, objective : str
    is_ours : bool
        Whether the objective is gbdt_pairloss's, and not the booster's own.
    metrics : dict of str to float
        Value by column; NaN where there is none.
    seconds : float
    notes : list of (str, str)
        What a note is about (the training, or a column), and the note.
    """

    booster: str
    objective: str
    is_ours: bool
    metrics: dict[str, float]
    seconds: float = float("nan")
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What notes and the progress bar call it."""
        return f"{self.booster} {self.objective}"


class Progress:
    """A bar on stderr, if that is a terminal: the rounds done of all trainings, and what trains now."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.what = total, 0, ""
        self.shown = sys.stderr is not None and sys.stderr.isatty()
        self._next_draw = 0.0

    def start(self, done: int, what: str) -> None:
        """Show another training, which begins after ``done`` rounds."""
        self.done, self.what, self._next_draw = done, what, 0.0
        self._draw()

    def tick(self) -> None:
        """Count a round; the bar is drawn at most ten times a second."""
        self.done += 1
        self._draw()

    def clear(self) -> None:
        """Take the bar away."""
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _draw(self) -> None:
        if not self.shown or time.monotonic() < self._next_draw:
            return
        filled = _BAR_CHARACTERS * self.done // self.total
        bar = "#" * filled + "." * (_BAR_CHARACTERS - filled)
        line = f"[{bar}] {self.done}/{self.total} rounds  {self.what}"
        print(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", end="", file=sys.stderr, flush=True)
        self._next_draw = time.monotonic() + 0.1


def table(results: list[Result]) -> list[str]:
    """The lines of an aligned table; ``*`` marks the best value of a metric, as far as its digits tell."""
    rows = [["booster", "objective", *(f"{name} " for name in results[0].metrics), "seconds"]]
    best = {name: max((_cell(r.metrics[name], 4) for r in results), key=_value) for name in results[0].metrics}
    for result in results:
        cells = [(_cell(value, 4), best[name]) for name, value in result.metrics.items()]
        marked = [cell + ("*" if cell == top != "-" else " ") for cell, top in cells]
        rows.append([result.booster, result.objective, *marked, _cell(result.seconds, 2)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    text_columns = 2  # the others hold numbers
    return [
        "  ".join(f"{cell:{'<' if i < text_columns else '>'}{widths[i]}}" for i, cell in enumerate(row)) for row in rows
    ]


def _cell(value: float, digits: int) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def _value(cell: str) -> float:
    return -np.inf if cell == "-" else float(cell)


def note_lines(results: list[Result]) -> list[str]:
    """Each note once, after all that it is about."""
    about: dict[str, dict[str, None]] = {}
    for result in results:
        for subject, note in result.notes:
            about.setdefault(_one_line(note), {})[subject] = None
    return [f"- {', '.join(subjects)}: {note}" for note, subjects in about.items()]


def _one_line(message: str) -> str:
    """A message without line breaks, and without XGBoost's time, source file and stack trace."""
    text = " ".join(message.partition("Stack trace:")[0].split())
    return re.sub(r"^\[[\d:]+\] \S+:\d+: (Check failed: [^:]*: )?", "", text)


def draw(results: list[Result], metric: str, path: str) -> bool:
    """Draw a metric as horizontal bars, a panel for each booster.

    Parameters
    ----------
    results : list of Result
        In the order to draw; those without the metric are left out.
    metric : str
        A key of ``Result.metrics``.
    path : str
        The PNG file to write.

    Returns
    -------
    bool
        False if there is nothing to draw; then no file is written.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib.figure import Figure  # not pyplot, which would start a user interface
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
        colours = [_OURS if result.is_ours else _NATIVE for result in group]
        bars = panel.barh([result.objective for result in group], values, height=0.7, color=colours)
        panel.bar_label(bars, [_cell(value, 4) for value in values], padding=4, fontsize=9)
        panel.set_title(booster, loc="left", fontsize=11, fontweight="bold")
        panel.invert_yaxis()  # the first on top
        panel.tick_params(axis="y", length=0)
        panel.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlim(0, 1.12 * max(result.metrics[metric] for result in drawn) or 1)
    panels[-1].set_xlabel(f"mean {metric} of the test queries")
    figure.legend(
        handles=[Patch(color=_OURS, label="gbdt_pairloss"), Patch(color=_NATIVE, label="the booster's own")],
        loc="outside upper right",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    figure.savefig(path, format="png")
    return True
