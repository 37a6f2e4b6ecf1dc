"""Another version of this package, in an environment of its own, as a candidate of the same run.

The file is also the program that the other environment's Python runs: it reads one request per line and answers with
one line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timing import RefusedError


class Baseline:
    """A process of another Python that calls the gradients of the version of this package that it has.

    Parameters
    ----------
    python : str
        The interpreter of an environment with an editable installation of the other version, whose benchmarks know its
        modules.
    """

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=variables_of(python),
        )

    def start(self, shape: str, scale: float, threads: int, params: dict[str, Any]) -> Callable[[], float]:
        """Prepare a call, and return a step that makes it once and returns its seconds."""
        self._ask({"shape": shape, "scale": scale, "threads": threads, "params": params})
        return lambda: float(self._ask({}))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the baseline ended with exit status {self._process.wait()}")
        answer = json.loads(line)
        if isinstance(answer, str):
            raise RefusedError(answer)
        return answer


def variables_of(python: str) -> dict[str, str]:
    """Return the environment variables for a Python: the path of this one is not another one's."""
    return {name: value for name, value in os.environ.items() if python == sys.executable or name != "PYTHONPATH"}


def serve() -> None:
    """Answer requests: with arguments they prepare a call, without they make it."""
    import gbdt_pairloss

    sys.path[0] = str(Path(gbdt_pairloss.__file__).parents[1] / "benchmarks")
    from ours import make_call
    from shapes import SHAPES
    from timing import RefusedError, timed

    call: Callable[[], Any] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if request:
            try:
                data = SHAPES[request["shape"]].make(request["scale"])
                call = make_call(data, request["threads"], **request["params"])
            except (RefusedError, ValueError) as refusal:
                print(json.dumps(str(refusal)), flush=True)
            else:
                print("null", flush=True)
        else:
            assert call is not None
            print(timed(call), flush=True)


if __name__ == "__main__":
    serve()
