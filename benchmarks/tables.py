"""What the reports are made of: Markdown tables, and what the figures were taken on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("gbdt_pairloss", "numpy", "lightgbm", "xgboost", "catboost")


def markdown(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def versions() -> str:
    """Of Python and the packages that the figures hold for."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return f"Python {platform.python_version()}, {', '.join(found)}."


def machine() -> list[str]:
    """The processor and the versions that the figures hold for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{_processor()}, {cores} cores; {versions()}"
    if not hasattr(os, "getloadavg"):
        return [text]
    # What two threads show is worth nothing where others use the cores.
    return [f"{text} Processes that were running in the minute before: {os.getloadavg()[0]:.1f}."]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    fields = {}
    if info.exists():
        pairs = (line.partition(":") for line in info.read_text().splitlines())
        fields = {name.strip(): value.strip() for name, _, value in pairs}
    vectors = {"avx512f": " (AVX-512)", "avx2": " (AVX2)"}
    has = next((text for flag, text in vectors.items() if flag in fields.get("flags", "").split()), "")
    return fields.get("model name", platform.processor() or platform.machine()) + has
