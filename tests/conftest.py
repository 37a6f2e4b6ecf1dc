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
import numpy as np
import pytest
import sklearn
from _support.problems import Problem, make_problem

import gbdt_pairloss

# The same examples in every run; --hypothesis-profile=default draws others.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

# Numba checks the time of the file that defines a kernel, but not of the files that it calls. A cache named by the
# contents of all kernels is never out of date.
_kernels = sorted((Path(gbdt_pairloss.__file__).parent / "engine" / "cpu").glob("*.py"))
_contents = b"".join(path.read_bytes() for path in _kernels) + version("numba").encode()
_digest = hashlib.sha256(_contents).hexdigest()[:16]
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"gbdt_pairloss-kernels-{_digest}"))


# Compile the kernels that most tests need on another core, while the first tests run.
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
