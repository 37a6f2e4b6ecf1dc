"""Fixtures and settings shared by all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import sklearn
from _support.problems import Problem, make_problem

import gbdt_pairloss

# The same examples in every run; --hypothesis-profile=default draws others.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

# Compile the kernels of the simulator that most tests need on another core, while the first tests run.
_COMPILE = "from _support import simulator; simulator.build_usual()"


def pytest_sessionstart(session: pytest.Session) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    session.config.stash[_compiling] = subprocess.Popen([sys.executable, "-c", _COMPILE], env=environment)


def pytest_sessionfinish(session: pytest.Session) -> None:
    compiling = session.config.stash[_compiling]
    compiling.kill()
    compiling.wait()


_compiling = pytest.StashKey[subprocess.Popen[bytes]]()


@pytest.fixture
def problem() -> Problem:
    return make_problem(0)


@pytest.fixture
def make() -> object:
    return make_problem


@pytest.fixture
def scattered(problem):
    """Return features, labels and query ids, with the rows of a query scattered."""
    order = np.random.default_rng(0).permutation(problem.y.size)
    return problem.X[order], problem.y[order], np.array([f"q{i}" for i in problem.qid])[order]


@pytest.fixture
def routing():
    """Enable the metadata routing of scikit-learn."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> object:
    """A simulated CUDA device instead of the machine's."""
    from _support.devices import simulate_cuda

    return simulate_cuda(monkeypatch)


@pytest.fixture
def cupy() -> object:
    return pytest.importorskip("cupy")


@pytest.fixture
def environment() -> dict[str, str]:
    """Return an environment for subprocesses that import this package and the helpers of the tests."""
    folders = [str(Path(__file__).parent), str(Path(gbdt_pairloss.__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
