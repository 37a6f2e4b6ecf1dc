"""What importing the package does, and what it needs."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import subprocess
import sys

import pytest

import gbdt_pairloss


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_importing_it_imports_no_booster() -> None:
    heavy = "{'lightgbm', 'xgboost', 'numba', 'cupy', 'sklearn', 'scipy', 'dask', 'matplotlib'}"
    assert run(f"import sys, gbdt_pairloss; print(sorted({heavy} & set(sys.modules)))") == "[]"
    program = (
        "import sys, gbdt_pairloss as g; g.PairwiseLogistic(); "
        "g.metrics.ndcg, g.get_objective, g.attach, g.datasets, g.BPR; "
        "print(sorted({'lightgbm', 'xgboost', 'numba', 'cupy'} & set(sys.modules))); "
        "g.PairwiseLogistic().gradient_hessian([1, 0], [0.1, 0.2]); "
        "print(sorted({'lightgbm', 'xgboost', 'numba', 'cupy'} & set(sys.modules)))"
    )
    assert run(program) == "[]\n['numba']"


@pytest.mark.parametrize(("ranker", "package"), [("LGBMRanker", "lightgbm"), ("XGBRanker", "xgboost")])
def test_a_missing_booster_is_named_with_its_extra(ranker, package) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import gbdt_pairloss\n"
        f"try: gbdt_pairloss.{ranker}\n"
        "except ImportError as error: print(error)"
    )
    assert run(program) == f"{package} is not installed: pip install 'gbdt_pairloss[{package}]'"


def test_public_names() -> None:
    for name in gbdt_pairloss.__all__:
        assert getattr(gbdt_pairloss, name) is not None
        assert name in dir(gbdt_pairloss)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gbdt_pairloss.nonsense  # noqa: B018


def test_the_installed_package_is_this_one_and_typed() -> None:
    assert importlib.metadata.version("gbdt_pairloss") == gbdt_pairloss.__version__
    files = [str(path) for path in (importlib.resources.files("gbdt_pairloss")).iterdir()]
    assert any(path.endswith("py.typed") for path in files)
