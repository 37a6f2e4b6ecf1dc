"""Imports run downward: every module may import what is on a lower floor, and its own wing without circles."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import gbdt_pairloss

ROOT = Path(gbdt_pairloss.__file__).parent

#: From the bottom up. A module belongs to the longest of these names that it begins with; "" is the package itself.
FLOORS = [
    ("_lazy", "_docstrings", "_device"),
    ("ranking",),
    ("engine",),
    ("engine.cpu",),
    ("engine.cuda",),
    ("engine.select",),
    ("metrics", "objectives", "datasets"),
    ("boosters", "model_selection"),
    ("dask",),
    ("_demo",),
    ("", "_moved", "__main__"),
]


def name_of(path: Path) -> str:
    """The name of a module within the package; "" for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def wing_and_floor(module: str) -> tuple[str, int]:
    """The wing that a module belongs to (its first folder or file), and the number of its floor."""
    found = [
        (len(name), number)
        for number, names in enumerate(FLOORS)
        for name in names
        if name and f"{module}.".startswith(f"{name}.")
    ]
    return module.partition(".")[0], max(found)[1] if found else len(FLOORS) - 1


def imports_of(source: str, module: str, is_package: bool, modules: set[str]) -> set[str]:
    """The modules of the package that a source imports, wherever in it the statement is."""
    package = module if is_package else module.rpartition(".")[0]
    targets = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets |= {within(alias.name) for alias in node.names if is_ours(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".") if package else []
                base = ".".join(["gbdt_pairloss", *parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
            if is_ours(base):
                # "from package import name": the name may be a module.
                names = {within(f"{base}.{alias.name}") for alias in node.names}
                targets |= {name if name in modules else within(base) for name in names}
    return targets


def within(name: str) -> str:
    """A module's name within the package."""
    return name.removeprefix("gbdt_pairloss").removeprefix(".")


def is_ours(name: str) -> bool:
    return name == "gbdt_pairloss" or name.startswith("gbdt_pairloss.")


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports."""
    return {
        name: imports_of(path.read_text(), name, path.name == "__init__.py", set(MODULES))
        for name, path in MODULES.items()
    }


def upward(imports: dict[str, set[str]]) -> list[str]:
    """The imports that run up, or across to another wing of the same floor."""
    wrong = []
    for module, targets in imports.items():
        wing, floor = wing_and_floor(module)
        for target in targets:
            other_wing, other_floor = wing_and_floor(target)
            if other_floor > floor or (other_floor == floor and other_wing != wing and floor < len(FLOORS) - 1):
                wrong.append(f"{module or 'gbdt_pairloss'} imports {target or 'gbdt_pairloss'}")
    return wrong


def circle(imports: dict[str, set[str]]) -> list[str]:
    """A circle of imports, as the names along it; empty if there is none."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in sorted(imports[module] - {""}):
            found = walk(target, [*path, module])
            if found:
                return found
        done.add(module)
        return []

    return next((found for module in imports if (found := walk(module, []))), [])


def test_every_module_is_on_a_floor() -> None:
    for module in MODULES:
        first = module.partition(".")[0]
        assert any(first == name.partition(".")[0] for names in FLOORS for name in names), module


def test_no_import_runs_upward() -> None:
    assert upward(graph()) == []


def test_no_imports_go_round_in_a_circle() -> None:
    assert circle(graph()) == []


@pytest.mark.parametrize(
    ("module", "source", "imported"),
    [
        ("ranking._plan", "from ..engine.select import select_engine", "engine.select"),
        ("ranking._plan", "def f():\n    from ..engine import select", "engine.select"),
        ("engine.cpu.engine", "import gbdt_pairloss.objectives", "objectives"),
        ("metrics._names", "from ..objectives import get_objective", "objectives"),
        ("boosters._ranker", "from gbdt_pairloss.dask import _ranker", "dask._ranker"),
    ],
)
def test_an_upward_import_is_found_wherever_it_is_written(module, source, imported) -> None:
    found = imports_of(source, module, False, set(MODULES))
    assert imported in found
    assert upward({module: found})


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}) == ["a", "b", "c", "a"]


@pytest.mark.parametrize("floor", range(1, len(FLOORS) - 3), ids=lambda floor: "+".join(FLOORS[floor]))
def test_importing_a_floor_loads_nothing_above_it(floor) -> None:
    pytest.importorskip("lightgbm")
    pytest.importorskip("xgboost")
    own = [f"gbdt_pairloss.{module}" for module in MODULES if module and wing_and_floor(module)[1] == floor]
    program = f"import importlib, sys\nfor name in {own!r}: importlib.import_module(name)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    modules = {name.removeprefix("gbdt_pairloss.") for name in loaded if is_ours(name)} & set(MODULES)
    above = {module for module in modules if wing_and_floor(module)[1] > floor}
    # The package itself makes its boosters known by name.
    assert above <= {"_moved", "boosters"}
