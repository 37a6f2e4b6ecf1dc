"""The source code of the kernels: one text for the compiler, and the parameters that it declares."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent / "kernels"
_INCLUDE = re.compile(r'#include "([^"]+)"')
_KERNEL = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\(\w+\) )?(\w+)\(([^)]*)\)', re.DOTALL)


#: The files that draw random numbers. A fused multiply-add would round otherwise than the other engines do, and another
#: draw may be another ranking. It is an option of the compiler, because the formulas are shared with the CPU.
NOT_CONTRACTED = frozenset({"rank_noise.cu"})


class Parameter(NamedTuple):
    """A parameter of a kernel. ``type`` of a pointer is the type that it points to."""

    name: str
    type: str
    is_pointer: bool


def files() -> list[str]:
    """Return the names of all files with kernels."""
    return sorted(path.name for path in _FOLDER.glob("*.cu"))


@cache
def kernels_of(file: str) -> dict[str, tuple[Parameter, ...]]:
    """Return the parameters of the kernels that a file defines, by the names of the kernels."""
    found = {}
    for name, parameters in _KERNEL.findall((_FOLDER / file).read_text()):
        found[name] = tuple(_parameter(text) for text in parameters.split(","))
    return found


def _parameter(text: str) -> Parameter:
    """Parse the declaration of a parameter."""
    words = text.replace("const ", "").split()
    kind, name = " ".join(words[:-1]), words[-1]
    return Parameter(name, kind.rstrip("*").strip(), kind.endswith("*"))


@cache
def code_of(file: str) -> str:
    """Return the source code of a file with kernels for the compiler."""
    return with_includes(_FOLDER / file)


def with_includes(path: Path) -> str:
    """Return the text of a file, with the text of every file that it includes instead of the first ``#include``.

    CuPy's cache of compiled kernels is keyed by this text. With an option ``-I`` a kernel would not be compiled again
    after a change of a header. The names of system headers are left to the compiler.
    """
    return "\n".join(_lines(path.resolve(), set()))


def _lines(path: Path, included: set[Path]) -> list[str]:
    """Return the lines of a file and of those that it includes, and add them to ``included``."""
    if path in included:
        return []
    included.add(path)
    lines = [f'#line 1 "{path.name}"']
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := _INCLUDE.match(line):
            lines += [*_lines((path.parent / found[1]).resolve(), included), f'#line {number + 1} "{path.name}"']
        elif line == "#pragma once":
            lines.append("")
        else:
            lines.append(line)
    return lines
