"""Fixtures and settings shared by all tests."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import hypothesis
import pytest
from _support.problems import Problem, make_problem

import gbdt_pairloss

# The same examples in every run; --hypothesis-profile=default draws others.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

# Numba looks at the time of the file that a kernel stands in, but not at the files of what it calls: a cache of the
# kernels' own contents is never out of date.
_kernels = sorted((Path(gbdt_pairloss.__file__).parent / "engine" / "cpu").glob("*.py"))
_contents = b"".join(path.read_bytes() for path in _kernels) + version("numba").encode()
_digest = hashlib.sha256(_contents).hexdigest()[:16]
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"gbdt_pairloss-kernels-{_digest}"))


# What most tests need of the kernels, but for those that the first ones need, compiled on another core meanwhile.
_COMPILE = """
import numpy as np
from gbdt_pairloss import PairwiseLogistic

labels, scores = np.arange(3000.0) % 3, np.linspace(0, 1e5, 3000)
for pair_weight, dtype in (("ndcg", "f4"), ("ndcg", "f8"), ("uniform", "f8"), ("uniform", "f4")):
    PairwiseLogistic(pair_weight=pair_weight, n_threads=1).gradient_hessian(labels, scores.astype(dtype))
PairwiseLogistic(pair_weight="lambdarank", truncation=32, n_threads=1).gradient_hessian(labels, scores.astype("f4"))
large = np.linspace(0, 5, 70_000)
PairwiseLogistic(pair_weight="ndcg", n_threads=1).gradient_hessian(np.round(large), large.astype("f4"))

from _support import simulator

simulator.build_usual()
"""


def pytest_sessionstart(session: pytest.Session) -> None:
    if not Path(os.environ["NUMBA_CACHE_DIR"]).exists():
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        session.config.stash[_compiling] = subprocess.Popen([sys.executable, "-c", _COMPILE], env=environment)


def pytest_sessionfinish(session: pytest.Session) -> None:
    compiling = session.config.stash.get(_compiling, None)
    if compiling is not None:
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
def device(monkeypatch: pytest.MonkeyPatch) -> object:
    """A simulated CUDA device instead of the machine's."""
    from _support.devices import simulate_cuda

    return simulate_cuda(monkeypatch)


@pytest.fixture
def cupy() -> object:
    return pytest.importorskip("cupy")


@pytest.fixture
def environment() -> dict[str, str]:
    """For processes of their own: this package and the tests' helpers are theirs, too."""
    folders = [str(Path(__file__).parent), str(Path(gbdt_pairloss.__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
