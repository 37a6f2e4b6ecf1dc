"""The loader of the compiled core: levels of the instruction set, and installations without it or with a broken one."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

import pytest

from gbdt_pairloss.engine.cpu import native

needs_core = pytest.mark.skipif(not native.levels(), reason="the compiled core is not installed")

LEVEL_OF_MODULE = 'level = "{}"\n'


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that imports a copy of the loader from a package of the given files, and no others."""
    monkeypatch.delenv(native.VARIABLE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / f"core_of_{tmp_path.name}"

    def install(**files):
        package.mkdir()
        shutil.copy(native.__file__, package / "native.py")
        for name, text in {"__init__": "", **files}.items():
            (package / f"{name}.py").write_text(text)
        return importlib.import_module(f"{package.name}.native")

    yield install
    for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
        del sys.modules[name]


def processor(level):
    """Return the source of a module ``_cpu`` that reports a level."""
    return f"def level():\n    return {level!r}\n"


def modules(*levels):
    """Return the sources of modules that were compiled for the levels."""
    return {f"_native_{level}": LEVEL_OF_MODULE.format(level) for level in levels}


@needs_core
@pytest.mark.parametrize("level", native.LEVELS)
def test_a_level_that_the_processor_supports_can_be_chosen(level, environment) -> None:
    if level not in native.levels():
        pytest.skip(f"not for this processor, or not installed: {level}")
    program = "from gbdt_pairloss.engine.cpu.native import native; print(native().level)"
    environment[native.VARIABLE] = level
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == level, done.stderr


#: Small queries and one large one, of which each kind of sum is compared with the definition; and rank noise, which is
#: the definition's to the last bit.
_COMPARE = """
import numpy as np
from _support.engines import assert_matches_reference, cpu_engine
from gbdt_pairloss import PairwiseExponential, PairwiseHinge, PairwiseLogistic
from gbdt_pairloss.engine.cpu.native import native
from gbdt_pairloss.engine.draws import noised_scores
from gbdt_pairloss.engine.spec import RankNoise

rng = np.random.default_rng(0)
sizes = [1, 2, 17, 40, 130, 1100]
y, scores = rng.integers(0, 5, sum(sizes)).astype(float), 3 * rng.normal(size=sum(sizes))
weights = rng.random(y.size)
sums = [PairwiseLogistic(pair_weight=w) for w in ("uniform", "label_diff", "ndcg", "lambdarank")]
for objective in [*sums, PairwiseHinge(), PairwiseExponential()]:
    for dtype in (np.float32, np.float64):
        for sample_weight in (None, weights):
            assert_matches_reference(cpu_engine, objective, y, scores, dtype, group=sizes, sample_weight=sample_weight)

s, rows = rng.normal(size=10_000), rng.permutation(10**6)[:10_000].astype(np.int32)
noised = np.empty_like(s)
native().add_rank_noise(np.array([0, s.size]), s, rows, 1e4, 5, noised)
np.testing.assert_array_equal(noised, noised_scores(s, rows, RankNoise(1e4, 5), 1.0))
print("compared")
"""


@needs_core
@pytest.mark.parametrize("level", native.LEVELS)
def test_every_level_computes_the_definition(level, environment) -> None:
    if level not in native.levels():
        pytest.skip(f"not for this processor, or not installed: {level}")
    environment[native.VARIABLE] = level
    command = [sys.executable, "-c", _COMPARE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "compared", done.stderr


@needs_core
def test_the_highest_level_is_loaded_once(monkeypatch) -> None:
    monkeypatch.delenv(native.VARIABLE, raising=False)
    native.native.cache_clear()
    assert native.native().level == native.levels()[0]
    assert native.native() is native.native()


@pytest.mark.parametrize(
    ("level", "available"), [("v4", ("v4", "v3", "v2")), ("v3", ("v3", "v2")), ("v2", ("v2",)), ("generic", ())]
)
def test_levels_above_that_of_the_processor_are_not_loaded(install, level, available) -> None:
    loader = install(_cpu=processor(level), **modules("v2", "v3", "v4"))
    assert loader.levels() == available
    if available:
        assert loader.native().level == level


def test_levels_that_are_not_installed_are_passed_over(install) -> None:
    loader = install(_cpu=processor("v4"), **modules("v3"))
    assert loader.levels() == ("v3",)
    assert loader.native().level == "v3"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("v5", "GBDT_PAIRLOSS_ISA=v5: not a level of the instruction set; valid here: v3, v2"),
        ("V3", "GBDT_PAIRLOSS_ISA=V3: not a level of the instruction set; valid here: v3, v2"),
        ("v4", "GBDT_PAIRLOSS_ISA=v4: this processor supports only v3; valid here: v3, v2"),
        (
            "generic",
            "GBDT_PAIRLOSS_ISA=generic: the compiled core is not installed for this level; valid here: v3, v2",
        ),
    ],
)
def test_a_level_that_cannot_be_chosen_is_an_error(install, monkeypatch, value, message) -> None:
    loader = install(_cpu=processor("v3"), **modules("v2", "v3", "v4"))
    monkeypatch.setenv(native.VARIABLE, value)
    with pytest.raises(ValueError, match=f"^{message}$"):
        loader.native()


def test_an_installation_without_the_core_warns_once(install) -> None:
    loader = install()
    assert loader.levels() == ()
    with pytest.warns(RuntimeWarning, match=r"not installed.* C\+\+ compiler .*slower.* pip install --force-reinstall"):
        assert loader.native() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loader.native() is None


def test_a_processor_below_all_levels_is_named_in_the_warning(install) -> None:
    loader = install(_cpu=processor("v1"), **modules("v2", "v3", "v4"))
    with pytest.warns(RuntimeWarning, match="does not support this processor: x86-64-v1"):
        assert loader.native() is None


@pytest.mark.parametrize("broken", ["_cpu", "_native_v3"])
def test_a_module_that_does_not_load_is_an_error_that_names_its_file(install, broken) -> None:
    loader = install(**{"_cpu": processor("v3"), **modules("v2"), broken: ""})
    package = Path(loader.__file__).parent
    (package / f"{broken}.py").unlink()
    file = package / f"{broken}{sysconfig.get_config_var('EXT_SUFFIX')}"
    file.write_bytes(b"not a shared library")
    importlib.invalidate_caches()
    with pytest.raises(ImportError, match=r"cannot load .* pip install --force-reinstall") as caught:
        loader.native()
    assert str(file) in str(caught.value)
    assert caught.value.path == str(file)


def test_the_loader_imports_only_the_standard_library(install) -> None:
    loader = install(_cpu=processor("v2"), **modules("v2"))
    package = Path(loader.__file__).parent
    program = (
        f"import sys; sys.path.insert(0, {str(package.parent)!r}); before = set(sys.modules); "
        f"import {package.name}.native as loader; loader.native(); "
        f"print(*{{name.partition('.')[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [package.name]
