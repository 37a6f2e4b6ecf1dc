"""The docstrings of the public interface are complete, and their defaults, names and examples are right."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

pytest.importorskip("lightgbm", minversion="4.0")
pytest.importorskip("xgboost")
pytest.importorskip("dask.distributed")

from _support.docstring_rules import CANNOT_FAIL, MACHINERY, NO_SOURCE, Entry, faults, public

from gbdt_pairloss.metrics import METRICS

ENTRIES = public()
EXAMPLES = [entry for entry in ENTRIES if "\nExamples\n---" in entry.text]


@pytest.fixture
def needs_numpydoc() -> None:
    pytest.importorskip("numpydoc", reason="the extra test has numpydoc")


@pytest.mark.usefixtures("needs_numpydoc")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_docstring_is_complete(entry) -> None:
    assert faults(entry, ENTRIES) == []


class WithoutLightGBM(doctest.OutputChecker):
    """Ignores the messages that LightGBM 4.0 prints whatever ``verbose`` is."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        own = [line for line in got.splitlines(keepends=True) if not line.startswith("[LightGBM]")]
        return super().check_output(want, "".join(own), optionflags)


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: entry.name)
def test_the_examples_of_a_docstring_run(entry) -> None:
    globs = {entry.short: entry.object}
    example = doctest.DocTestParser().get_doctest(entry.text, globs, entry.name, None, None)
    result = doctest.DocTestRunner(WithoutLightGBM()).run(example)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_whole_interface_is_checked() -> None:
    names = {entry.name for entry in ENTRIES}
    wanted = "attach cv BPR BPR.compute LGBMRanker LGBMRanker.fit RankerMixin.score XGBRanker.predict DaskXGBRanker "
    wanted += "DaskRankerMixin.fit PairwiseLogistic RankingObjective.__call__ RankingDisplay.plot RankingSplit.group "
    wanted += "metrics.ndcg Metric.__call__ datasets.load_letor main"
    assert set(wanted.split()) <= names
    assert not any("_request" in name for name in names)  # made by scikit-learn
    assert names >= CANNOT_FAIL | NO_SOURCE
    assert {entry.short for entry in ENTRIES} >= MACHINERY
    assert {entry.object for entry in EXAMPLES} >= {definition.function for definition in METRICS.values()}


GOOD = """Weights of rows.

::

    weight = scores^k

Parameters
----------
scores : array of shape (n_rows,)
    Any numbers.
k : int, default=10
    The power.
ties : {"average", "order"}, default="average"
    How to rank equal scores.
mask : bool array of shape (n_rows,), optional
    False: the row takes no part.
**options
    Ignored.

Returns
-------
weight : float64 array of shape (n_rows,)

Raises
------
ValueError
    If a score is not finite.

References
----------
A book.
"""


def entry_of(text: str | None) -> Entry:
    def some_weights(scores: Any, k: int = 10, *, ties: str = "average", mask: Any = None, **options: Any) -> Any:
        raise ValueError("always")

    some_weights.__doc__ = text
    return Entry("some_weights", some_weights)


@pytest.mark.usefixtures("needs_numpydoc")
class TestTheRules:
    def test_a_complete_docstring_passes(self) -> None:
        assert faults(entry_of(GOOD), ENTRIES) == []

    @pytest.mark.parametrize(
        ("old", "new", "fault"),
        [
            (GOOD, None, "there is no docstring"),
            ("of rows.", "of rows", "the summary is not one line that ends with a period: 'Weights of rows'"),
            ("rows.\n\n", "rows, some\nof them.\n\n", "the summary is not one line that ends with a period: "),
            ("A book.", "%(raises)s", "a shared text was not filled in"),
            ("k : int, default=10\n    The power.\n", "", "k is not documented"),
            ("**options\n    Ignored.\n", "", "**options is not documented"),
            ("k : int", "k, power : int", "power is documented, but not a parameter"),
            ("k : int, default=10", "k", "k has no type"),
            ("    The power.\n", "", "k has no description"),
            ("k : int, default=10", "k : int, default=9", "k: the default is 10, not 9"),
            ("k : int, default=10", "k : int", "k: the default 10 is not stated"),
            ("k : int, default=10", "k : int, optional", "k: the default 10 is not stated"),
            (
                "bool array of shape (n_rows,), optional",
                "bool array of shape (n,)",
                "mask: the default None is not stated",
            ),
            (
                "scores : array of shape (n_rows,)",
                "scores : array of shape (n_rows,), optional",
                "scores is documented as",
            ),
            ("scores : array of shape (n_rows,)", "scores : list", "scores is an array, and has no shape"),
            ("bool array of shape (n_rows,)", "bool array", "mask is an array, and has no shape"),
            ("k : int, default=10\n    The power.", "k\n    As in :func:`metrics.ndcg`.", None),
            ("    The power.", "    As in :func:`metrics.spearman`.", "k: As in :func:`metrics.spearman` does not"),
            ("    The power.", "    As in ``xgboost.train``.", "k: As in ``xgboost.train`` does not document it"),
            ("Returns\n-------\nweight : float64 array of shape (n_rows,)\n", "", "there is no section Returns"),
            (
                "weight : float64 array of shape (n_rows,)",
                "float64 array",
                "the returned array has no s",
            ),
            (
                "float64 array of",
                "array of",
                "the returned array has no dtype: array of shape (n_rows,)",
            ),
            ("Raises\n------\nValueError\n    If a score is not finite.\n", "", "there is no section Raises"),
            ("ValueError\n", "TypeError\n", "ValueError is raised in the body, and not in the section Raises"),
            ("ValueError\n", "ValueError, BadError\n", "BadError is not an exception"),
            ("    If a score is not finite.\n", "", "ValueError has no condition"),
            ("    weight = scores^k\n", "", "there is no formula"),
            ("References\n----------\nA book.\n", "", "there is no section References"),
        ],
    )
    def test_a_fault_is_found(self, old, new, fault) -> None:
        assert old in GOOD
        found = faults(entry_of(None if new is None else GOOD.replace(old, new)), ENTRIES)
        if fault is None:
            assert found == []
        else:
            assert any(one.startswith(fault) for one in found), found

    def test_a_section_returns_without_a_value_is_found(self) -> None:
        def nothing() -> None: ...

        nothing.__doc__ = "Do it.\n\nReturns\n-------\nint\n"
        assert faults(Entry("nothing", nothing), ENTRIES) == ["there is a section Returns, but nothing to return"]
