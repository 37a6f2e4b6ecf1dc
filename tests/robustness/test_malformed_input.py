"""10,000 random calls, malformed and unusual, each end in an error of the package or in a right result.

They run in processes of their own, so that a crash or a hang is a failure like any other. The README states the counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

pytest.importorskip("lightgbm", minversion="4.0")
pytest.importorskip("xgboost")
pytest.importorskip("pandas")
pytest.importorskip("polars")
pytest.importorskip("pyarrow")

from _support import malformed_judge

#: Cases of each method, in chunks.
CHUNKS = [
    *(("gradient_hessian", first, first + 3000) for first in (0, 3000)),
    ("loss", 0, 2500),
    *((ranker, first, first + 375) for ranker in ("LGBMRanker", "XGBRanker") for first in (0, 375)),
]


def run(method, first, last, seconds, environment):
    """Return the number of cases of a chunk by kind and ending, and the complaints about wrong ones."""
    code = f"from _support import malformed_judge; malformed_judge.main({method!r}, {first}, {last})"
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert ended.returncode == 0, f"the process ended with {ended.returncode}:\n{ended.stderr[-3000:]}"
    outcome = json.loads(ended.stdout.splitlines()[-1])
    return Counter(outcome["counts"]), outcome["wrong"]


def test_the_first_cases_of_gradient_hessian() -> None:
    for number in range(100):
        wrong = malformed_judge.judge(number, "gradient_hessian")[1]
        assert wrong is None, f"case {number}: {wrong}"


@pytest.mark.slow
@pytest.mark.parametrize(("method", "first", "last"), CHUNKS)
def test_every_case_ends_in_an_error_of_the_package_or_in_a_right_result(method, first, last, environment) -> None:
    counts, wrong = run(method, first, last, 600, environment)
    print(f"{method}: {dict(counts)}")
    assert not wrong, "\n".join(wrong)
    assert counts.total() == last - first
    # Each kind of case and ending occurs often enough to mean something.
    assert counts["sound: result"] > 0.2 * counts.total()
    assert counts["fault: error"] > 0.2 * counts.total()
    assert counts["anything: error"] > 0.1 * counts.total()
    assert counts["anything: result"] > 0
    assert counts["fault: result"] == 0
