"""The Python blocks of the README run, and its tables name every objective and metric. (.ci/run runs its commands.)"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gbdt_pairloss
from gbdt_pairloss.metrics import METRICS
from gbdt_pairloss.objectives import objective_names

pytest.importorskip("lightgbm", minversion="4.0")
pytest.importorskip("xgboost")

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


# Each block runs in a process of its own. The first ones, of both boosters and a ranker, are part of every run.
@pytest.mark.parametrize("number", [0, 1, 2, *(pytest.param(i, marks=pytest.mark.slow) for i in range(3, len(BLOCKS)))])
def test_a_python_block_runs_unchanged(number, tmp_path, environment) -> None:
    environment["OMP_WAIT_POLICY"] = "passive"  # on a busy machine, threads that spin while they wait take minutes
    command = [sys.executable, "-W", "error", "-c", BLOCKS[number]]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_tables_name_every_objective_and_metric() -> None:
    assert len(BLOCKS) >= 5
    for name in objective_names():
        assert f'`"{name}"`' in README
    aliases = {"average_precision", "reciprocal_rank", "pre"}
    for name in set(METRICS) - aliases:
        assert re.search(rf'`"{name}(@\d+)?"`', README), name
    for name in ("PairwiseLogistic", "BPR", "LGBMRanker", "XGBRanker", "attach", "metrics", "datasets"):
        assert name in gbdt_pairloss.__all__
        assert name in README
