"""The docstrings of the package are plain English: their first lines, and phrases that have a plain substitute."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gbdt_pairloss

PACKAGE = Path(gbdt_pairloss.__file__).parent

MODULES = sorted(PACKAGE.rglob("*.py"))

#: A first line is a verb in the imperative or a noun phrase, not a clause that begins with one of these words.
FIRST_WORD = re.compile(r"\s*(What|How|Whether|Which|Where|As|That|It|This)\b")

#: Phrases and what to write instead.
INSTEAD = {
    r"but for": "except",
    r"nobody|somebody|anybody|whoever": "the subject",
    r"(?<!there\s)(?:is|are) no (?!longer|more|less|larger|smaller)": "is not a",
    r"ours": "of this package",
    r"one's own": "the owner, or 'custom'",
    r"in the place of|in its place": "instead of",
    r"looked (?:at|for)": "checked, read or searched",
    r"knows": "supports, has or reads",
    r"stands? (?:for|in|beside|together)": "is, means, or are contiguous",
    r"go(?:es)? with": "belongs to",
    r"as it is": "unchanged",
    r"likewise": "also",
}
PHRASES = {
    re.compile(rf"\b(?:{phrase})\b".replace(" ", r"\s+"), re.IGNORECASE): instead for phrase, instead in INSTEAD.items()
}


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                yield node.body[0].lineno, text


def faults(source: str) -> list[str]:
    """Return the faults of the docstrings in the source of a module, each with its line."""
    found = []
    for line, text in docstrings(source):
        first = FIRST_WORD.match(text)
        if first is not None:
            found.append((line, f"begin with a verb or a noun, not with {first[1]!r}"))
        for phrase, instead in PHRASES.items():
            for match in phrase.finditer(text):
                words = " ".join(match[0].split())
                found.append((line + text.count("\n", 0, match.start()), f"not {words!r}, but {instead}"))
    return [f"line {line}: {fault}" for line, fault in sorted(found)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_docstrings_of_a_module_are_plain_english(path) -> None:
    found = faults(path.read_text(encoding="utf-8"))
    assert not found, "\n".join(f"{path.relative_to(PACKAGE.parent)}, {fault}" for fault in found)


class TestTheRules:
    @pytest.mark.parametrize("word", ["What", "How", "Whether", "Which", "Where", "As", "That", "It", "This"])
    def test_a_first_line_that_is_a_clause_is_found(self, word) -> None:
        source = f'class Plan:\n    def runs(self):\n        """{word} the runs of a plan are."""\n'
        assert faults(source) == [f"line 3: begin with a verb or a noun, not with {word!r}"]

    @pytest.mark.parametrize(
        ("text", "phrase"),
        [
            ("All rows but for the last.", "but for"),
            ("Nobody reads it.", "Nobody"),
            ("A gradient is no loss.", "is no"),
            ("An objective of ours.", "ours"),
            ("A loss of one's own.", "one's own"),
            ("A sum in the place of another.", "in the place of"),
            ("No label is looked at.", "looked at"),
            ("An engine knows a loss.", "knows"),
            ("An engine that knows no loss.", "knows"),
            ("None stands for all rows.", "stands for"),
            ("A weight goes with a row.", "goes with"),
            ("The array, as it is.", "as it is"),
            ("Weights likewise.", "likewise"),
            ("An objective\n    of ours.", "ours"),
            ("A sum in\n    the place of another.", "in the place of"),
        ],
    )
    def test_a_phrase_is_found_in_its_line(self, text, phrase) -> None:
        source = f'"""Sums of pairs.\n\n{text}\n"""\n'
        (found,) = faults(source)
        line = 4 if "\n    of" in text else 3
        assert found.startswith(f"line {line}: not {phrase!r}, but ")

    @pytest.mark.parametrize(
        "text",
        [
            "Return the plan of a dataset.",
            "Ask the booster for its threads.",
            "Items whose weight is 0. There is no gradient for them, and it is no longer computed.",
            "Whatever the labels are, hours of standard work follow.",
            "Compute the sum.\n\n    As in :func:`metrics.ndcg`. This is the whole sum.",
        ],
    )
    def test_plain_english_passes(self, text) -> None:
        assert faults(f'def f():\n    """{text}"""\n') == []

    def test_strings_that_are_not_docstrings_are_not_checked(self) -> None:
        assert faults('MESSAGE = """What nobody knows."""\n') == []
