"""Trainings in threads, forked and spawned processes and joblib's workers, many at once: each ends, and ends in the
model that the same training gives alone, bit by bit."""

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
    """What compiling takes is not for the clock of the trainings."""
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
def test_trainings(kind, n, environment) -> None:
    # OpenMP threads do not survive a fork, and LightGBM and XGBoost, with their own objectives too, wait for
    # them for ever: forked workers take n_jobs=1 after LightGBM trained, and after XGBoost did, all of OpenMP must have
    # had one thread.
    if kind == "in_workers_forked_after_all_trained_on_one_thread":
        environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-c", f"from _support import workers; workers.main({kind!r})"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        try:
            out, err = process.communicate(timeout=200)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its workers, too
    assert process.returncode == 0, err[-5000:]
    assert int(out.split()[-1]) == n
