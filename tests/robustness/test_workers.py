"""Simultaneous trainings in threads, in forked and spawned processes and in workers of joblib.

All of them end, and each gives the model of the same training alone, bit by bit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

pytest.importorskip("lightgbm", minversion="4.0")
pytest.importorskip("xgboost")

from _support import workers

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks")]


@pytest.fixture(scope="module")
def compiled() -> None:
    """Compile the kernels before the trainings, whose time is limited."""
    for job in workers.ALL:
        workers.train(job)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(
    ("kind", "n"),
    [
        ("in_threads", 12),
        ("in_forked_workers", 4),
        ("in_workers_forked_after_lightgbm_trained", 3),
        ("in_workers_forked_after_all_trained_on_one_thread", 4),
        ("in_spawned_workers", 4),
        ("in_joblib_workers", 4),
        ("in_workers_of_all_kinds_at_once", 12),
    ],
)
def test_simultaneous_trainings_give_the_model_of_each_alone(kind, n, environment) -> None:
    # OpenMP threads do not survive a fork, and LightGBM and XGBoost wait for them for ever, with their own objectives,
    # too. After LightGBM has trained, forked workers therefore use n_jobs=1. Before XGBoost trains, OpenMP must be
    # limited to one thread.
    if kind == "in_workers_forked_after_all_trained_on_one_thread":
        environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-c", f"from _support import workers; workers.main({kind!r})"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        try:
            out, err = process.communicate(timeout=200)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with its workers
    assert process.returncode == 0, err[-5000:]
    assert int(out.split()[-1]) == n
