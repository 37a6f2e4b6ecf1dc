"""The package as a whole: imports, public names, and the modules that older pickles name."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import pickle
import pydoc
import re
import subprocess
import sys

import pytest

import gbdt_pairloss
from gbdt_pairloss._moved import MOVED

#: Classes and functions that users of version 0.1.0 may have pickled, by the modules in which it had them.
NAMES_OF_0_1_0 = {
    "attachments": ["Attachment", "attach"],
    "boosters.lightgbm_ranker": ["LGBMRanker"],
    "boosters.xgboost_batches": ["whole_queries"],
    "boosters.xgboost_ranker": ["XGBRanker"],
    "bpr": ["BPR"],
    "cross_validation": ["cv"],
    "dask.lightgbm": ["DaskLGBMRanker"],
    "dask.xgboost": ["DaskXGBRanker"],
    "datasets": ["RankingSplit"],
    "display": ["RankingDisplay"],
    "metrics._names": ["Feval", "Metric"],
    "objectives": [
        "PairwiseCustom",
        "PairwiseExponential",
        "PairwiseHinge",
        "PairwiseLogistic",
        "PairwiseSoftZeroOne",
        "PairwiseSquared",
    ],
    "objective_base": ["PairwiseObjective"],
    "pairs": ["Pairs"],
    "registry": ["get_objective"],
    "scoring": ["RankingScorer", "make_ranking_scorer"],
    "weights": ["popularity_weights", "propensity_weights"],
}
NEEDS = {"boosters.lightgbm_ranker": "lightgbm", "boosters.xgboost_ranker": "xgboost"}
NEEDS |= {"boosters.xgboost_batches": "xgboost"}
NEEDS |= {"dask.lightgbm": "distributed", "dask.xgboost": "distributed"}


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_importing_the_package_does_not_import_a_booster() -> None:
    heavy = "{'lightgbm', 'xgboost', 'cupy', 'sklearn', 'scipy', 'dask', 'matplotlib'}"
    assert run(f"import sys, gbdt_pairloss; print(sorted({heavy} & set(sys.modules)))") == "[]"
    program = (
        "import sys, gbdt_pairloss as g; g.PairwiseLogistic(); "
        "g.metrics.ndcg, g.get_objective, g.attach, g.datasets, g.BPR; "
        "g.PairwiseLogistic().gradient_hessian([1, 0], [0.1, 0.2]); "
        "print(sorted({'lightgbm', 'xgboost', 'cupy'} & set(sys.modules)))"
    )
    assert run(program) == "[]"


@pytest.mark.parametrize(("ranker", "package"), [("LGBMRanker", "lightgbm"), ("XGBRanker", "xgboost")])
def test_the_error_of_a_missing_booster_names_the_extra_to_install(ranker, package) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import gbdt_pairloss\n"
        f"try: gbdt_pairloss.{ranker}\n"
        "except ImportError as error: print(error)"
    )
    assert run(program) == f"{package} is not installed: pip install 'gbdt_pairloss[{package}]'"


def test_public_names_resolve_and_others_do_not() -> None:
    for name in gbdt_pairloss.__all__:
        assert getattr(gbdt_pairloss, name) is not None
        assert name in dir(gbdt_pairloss)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gbdt_pairloss.nonsense  # noqa: B018


def test_the_installed_package_has_this_version_and_is_typed() -> None:
    assert importlib.metadata.version("gbdt_pairloss") == gbdt_pairloss.__version__
    files = [str(path) for path in (importlib.resources.files("gbdt_pairloss")).iterdir()]
    assert any(path.endswith("py.typed") for path in files)


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in NAMES_OF_0_1_0.items() for name in names]
)
def test_a_name_of_version_0_1_0_is_found_in_its_former_module(module, name) -> None:
    if module in NEEDS:
        pytest.importorskip(NEEDS[module])
    found = getattr(importlib.import_module(f"gbdt_pairloss.{module}"), name)
    assert callable(found)
    assert found.__name__ == name
    assert found is getattr(gbdt_pairloss, name, found)
    # A pickle names a class by its module and its name.
    assert pickle.loads(f"cgbdt_pairloss.{module}\n{name}\n.".encode()) is found


def test_every_module_that_has_moved_since_version_0_1_0_is_tested() -> None:
    assert set(MOVED) <= set(NAMES_OF_0_1_0)
    with pytest.raises(AttributeError, match="nonsense"):
        importlib.import_module("gbdt_pairloss.bpr").nonsense  # noqa: B018


def test_pickling_objects_of_others_imports_no_booster() -> None:
    # pickle looks for a function without a module in every module that is loaded, this package's among them.
    program = (
        "import sys; import gbdt_pairloss; import pickle; from scipy.special import expit; pickle.dumps(expit); "
        "print(sorted({'lightgbm', 'xgboost', 'dask', 'sklearn'} & set(sys.modules)))"
    )
    assert run(program) == "[]"


def test_a_pickle_of_version_0_1_0_loads_before_the_package_is_imported() -> None:
    program = "import pickle; print(pickle.loads(b'cgbdt_pairloss.bpr\\nBPR\\n.').__name__)"
    assert run(program) == "BPR"


@pytest.mark.parametrize("name", gbdt_pairloss.__all__)
def test_help_lists_every_public_name_with_a_description(name) -> None:
    """Each name begins a line of a table or a list in the docstring of the package, and a description follows."""
    line = re.compile(
        rf"^ *(?:[-*] +|\| *)?(?::\w+:)?`{{0,2}}~?(?:gbdt_pairloss\.)?{name}\b`{{0,2}}(?:\([^)\n]*\))?"
        r"(?: {2,}| *[:|-] *|\n +)(?=.*[A-Za-z]{2}).+$",
        re.MULTILINE,
    )
    listed = line.search(gbdt_pairloss.__doc__)
    assert listed is not None, f"the docstring of the package does not list {name}"
    shown = pydoc.render_doc(gbdt_pairloss, renderer=pydoc.plaintext)
    assert all(part.strip() in shown for part in listed[0].splitlines())
