"""LETOR files, valid and mutated, are read like by a reader in plain Python, or refused by file and line."""

from __future__ import annotations

import bz2
import gzip
import math
import random
import re
import zlib

import numpy as np
import pytest
import scipy.sparse as sp

from gbdt_pairloss.datasets import load_letor

# --- the format, read plainly ----------------------------------------------------------------------------------------


class BrokenLine(Exception):
    """An error with the number of the broken line, counted from 1."""


def number(word, line):
    try:
        if b"_" in word:  # Python takes 1_0 for ten, the format does not
            raise BrokenLine(line)
        return float(word)
    except ValueError:
        raise BrokenLine(line) from None


def read_plainly(content):
    """Return labels, query ids, and the features of each row as dictionaries by index."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    labels, qids, rows, line_of = [], [], [], []
    for line, text in enumerate(lines, 1):
        words = text.split(b"#", 1)[0].split()
        if not words:
            continue
        label = number(words[0], line)
        qid = re.fullmatch(rb"qid:([+-]?[0-9]{1,19})", words[1]) if len(words) > 1 else None
        if not math.isfinite(label) or qid is None or not -(2**63) <= int(qid[1]) < 2**63:
            raise BrokenLine(line)
        features = {}
        for word in words[2:]:
            match = re.fullmatch(rb"(\+?[0-9]+):(.*)", word, re.DOTALL)
            if match is None or not max(features, default=-1) < int(match[1][:30]) < 2**31:
                raise BrokenLine(line)
            features[int(match[1])] = number(match[2], line)
        labels.append(label)
        qids.append(int(qid[1]))
        rows.append(features)
        line_of.append(line)
    for line, features in zip(line_of, rows, strict=True):
        if any(map(math.isinf, features.values())):
            raise BrokenLine(line)
    if not any(rows):
        raise BrokenLine(len(lines) + 1)
    return labels, qids, rows


# --- files -----------------------------------------------------------------------------------------------------------

LABELS = ["0", "1", "2", "-1", "1.5", "+3", ".5", "4.", "1e-3", "-0.0", "007", "1E2"]
QIDS = ["1", "1", "2", "7", "-3", "+4", "009", "9223372036854775807", "-9223372036854775808"]
VALUES = ["0", "1", "-2.5", "1e300", "1e-320", "nan", "NaN", "+.25", "3.", "0.1000000000000000055511151231257827"]
COMMENTS = ["", "", "# docid = GX-1", "#", "# 1:x # qid:9", "#\xff\xfe\x00"]
HOSTILE = [
    *("", "qid", "qid:", "qid:x", "qid:1.5", "qid:9223372036854775808", "qid:1_0", "QID:1", "qid:--1", "qid:1:2"),
    *("inf", "-inf", "nan", "1e999", "1_0", "0x10", "one", "1,5", "1:inf", "2:1e999", "3:-inf", "1:nan(1)"),
    *("1:", ":1", "1:2:3", "-1:1", "1.0:1", "99999999999:1", "2147483648:1", "2147483647:1", "+3:1", "1:1_0", "a:b"),
    *("#", "\x00", "\ufeff", "\u0661:1", "1:\u0662", "9" * 400 + ":1", "1:" + "9" * 400, "\x0c", "\x0b", "\r"),
]


def valid_file(rng):
    lines = []
    for _ in range(rng.randint(1, 6)):
        indices = sorted(rng.sample(range(rng.randint(0, 1), rng.choice([5, 9, 200])), rng.randint(0, 4)))
        words = [rng.choice(LABELS), f"qid:{rng.choice(QIDS)}", *(f"{k}:{rng.choice(VALUES)}" for k in indices)]
        gap = rng.choice([" ", " ", "  ", "\t"])
        lines.append(rng.choice(["", "", " "]) + gap.join(words) + rng.choice(["", " "]) + rng.choice(COMMENTS))
        if rng.random() < 0.2:
            lines.append(rng.choice(["", "  ", "# a comment", "\r"]))
    end = rng.choice(["\n", "\n", "\r\n"])
    text = end.join(lines) + rng.choice([end, end, ""])
    start = b"\xef\xbb\xbf" if rng.random() < 0.1 else b""
    return start + text.encode("latin-1")


def mutated(rng, content):
    """Return the content with a few changes of bytes or of words."""
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.5:
            start, removed = rng.randint(0, len(content)), rng.randint(0, 3)
            some = [rng.choice(b"0123456789:#._-+ \n\r\teqidnaf\x00\xff"), rng.randrange(256)]
            content = content[:start] + bytes(rng.choices(some, k=rng.randint(0, 2))) + content[start + removed :]
            continue
        words = re.split(rb"([ \t\n]+)", content)
        place = rng.randrange(len(words))
        kind = rng.choice(["replace", "replace", "repeat", "drop", "swap"])
        if kind == "replace":
            words[place] = rng.choice(HOSTILE).encode()
        elif kind == "repeat":
            words[place:place] = [words[place], b" "]
        elif kind == "drop":
            del words[place]
        else:
            other = rng.randrange(len(words))
            words[place], words[other] = words[other], words[place]
        content = b"".join(words)
    return content


PACK = {"txt": bytes, "gz": lambda content: gzip.compress(content, mtime=0), "bz2": bz2.compress}
UNPACK = {"txt": bytes, "gz": gzip.decompress, "bz2": bz2.decompress}


def check(path, rng):
    """Write a random file, compare load_letor with the plain reader, and return "rows" or "error"."""
    ending = path.suffix[1:]
    content = valid_file(rng)
    if rng.random() < 0.75:
        content = mutated(rng, content)
    packed = PACK[ending](content)
    damage = rng.random() if ending != "txt" else 1.0
    if damage < 0.3:
        packed = packed[: rng.randrange(len(packed))]
    elif damage < 0.6:
        place = rng.randrange(len(packed))
        packed = packed[:place] + bytes([rng.randrange(256)]) + packed[place + 1 :]
    path.write_bytes(packed)
    try:
        expected = read_plainly(UNPACK[ending](packed))
        broken = None
    except BrokenLine as error:
        broken = error.args[0]
    except (OSError, EOFError, ValueError, zlib.error):
        broken = r"\d+"  # a line may be broken before the part that cannot be unpacked
    refusal, split = None, None
    try:
        split = load_letor(path)
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        assert broken is not None, f"{packed!r} is refused: {refusal}"
        assert re.match(rf"{re.escape(str(path))}, line {broken}: .", refusal), f"{packed!r}: {refusal}"
        return "error"
    assert broken is None, f"{packed!r} is read as {split}, but line {broken} is broken"
    labels, qids, rows = expected
    np.testing.assert_array_equal(split.y, labels)
    np.testing.assert_array_equal(split.qid, qids)
    assert split.qid.dtype == np.int64
    first = min(map(min, filter(None, rows))) > 0  # numbered from 1 unless there is a feature 0
    cells = sp.coo_matrix(split.X)
    found = {(i, k + first): value for i, k, value in zip(cells.row, cells.col, cells.data, strict=True) if value != 0}
    wanted = {(i, k): value for i, row in enumerate(rows) for k, value in row.items() if value != 0}
    assert split.X.shape == (len(rows), max(map(max, filter(None, rows))) + 1 - first)
    assert found.keys() == wanted.keys()
    np.testing.assert_array_equal([found[cell] for cell in wanted], list(wanted.values()))
    return "rows"


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "n"), [("txt", 6000), ("gz", 2000), ("bz2", 2000)])
def test_a_file_is_read_by_the_format_or_refused_by_file_and_line(tmp_path, ending, n) -> None:
    outcomes = [check(tmp_path / f"file.{ending}", random.Random(f"{ending} {k}")) for k in range(n)]
    print(f"{ending}: {outcomes.count('rows')} read, {outcomes.count('error')} refused")
    assert 0.1 * n < outcomes.count("rows") < 0.9 * n  # so that both outcomes are tested


@pytest.mark.parametrize(("ending", "n"), [("txt", 100), ("gz", 100), ("bz2", 50)])
def test_the_first_files_are_read_by_the_format_or_refused(tmp_path, ending, n) -> None:
    outcomes = [check(tmp_path / f"file.{ending}", random.Random(f"{ending} {k}")) for k in range(n)]
    assert set(outcomes) == {"rows", "error"}
