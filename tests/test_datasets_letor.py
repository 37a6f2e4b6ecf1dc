"""LETOR files: the rows that are read, and the errors of broken files, which name the file and the line."""

from __future__ import annotations

import bz2
import gzip
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

from gbdt_pairloss.datasets import load_letor, load_letor_files

VALID = b"""# a comment alone, then an empty line

2 qid:7 1:0.5 2:-3e2 4:1 # docid = GX-00_1, 5:x, qid:9
0 qid:7 2:0.25
1.5 qid:8 1:1 3:2 #\xff\xe9 not UTF-8
"""


VALID_X = np.array([[0.5, -300, 0, 1], [0, 0.25, 0, 0], [1, 0, 2, 0]])


def write(path: Path, content: bytes) -> Path:
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(content))
    return path


@pytest.mark.parametrize("name", ["train.txt", "train", "train.txt.gz", "train.bz2"])
def test_a_file_is_read_plain_or_compressed(tmp_path, name):
    split = load_letor(write(tmp_path / name, VALID))
    assert split.name == name
    np.testing.assert_array_equal(split.X, VALID_X)
    np.testing.assert_array_equal(split.y, [2, 0, 1.5])
    np.testing.assert_array_equal(split.qid, [7, 7, 8])
    assert split.qid.dtype == np.int64
    assert split.y.dtype == np.float64


@pytest.mark.parametrize(
    ("dtype", "suffix", "density", "zero_based"),
    [  # every pair of settings
        (np.float32, "txt", 0.05, True),
        (np.float32, "txt.gz", 0.9, False),
        (np.float64, "txt", 0.9, False),
        (np.float64, "txt.gz", 0.05, False),
        (np.float64, "txt.gz", 0.9, True),
    ],
)
def test_a_written_file_is_read_back_exactly(tmp_path, dtype, suffix, density, zero_based):
    rng = np.random.default_rng(0)
    X = sp.random(200, 30, density=density, format="lil", random_state=0)
    X[0, 0] = X[0, 29] = 1  # so that the file shows the numbering and the number of features
    X = X.tocsr().astype(dtype)
    X.data = np.ceil(X.data * 1024) / 1024  # the writer keeps 16 digits, too few for some float64
    y, qid = rng.integers(0, 5, 200).astype(float), rng.integers(-(2**63), 2**63 - 1, 200)
    plain = tmp_path / "plain"
    dump_svmlight_file(X, y, str(plain), query_id=qid, zero_based=zero_based)
    split = load_letor(write(tmp_path / f"random.{suffix}", plain.read_bytes()), dtype=dtype)
    assert split.X.dtype == dtype
    assert isinstance(split.X, np.ndarray if density > 0.3 else sp.csr_matrix)
    np.testing.assert_array_equal(split.X if density > 0.3 else split.X.toarray(), X.toarray())
    np.testing.assert_array_equal(split.y, y)
    np.testing.assert_array_equal(split.qid, qid)


def test_rows_of_scattered_queries_keep_their_order(tmp_path):
    split = load_letor(write(tmp_path / "f", b"1 qid:5 1:1\n2 qid:-3 1:2\n3 qid:5 1:3\n"))
    np.testing.assert_array_equal(split.qid, [5, -3, 5])
    np.testing.assert_array_equal(split.X[:, 0], [1, 2, 3])


def test_windows_line_ends_a_missing_last_line_end_and_missing_values_are_read(tmp_path):
    split = load_letor(write(tmp_path / "f", b"1 qid:5 1:1\r\n\t2  qid:5\t1:nan 2:3"))
    np.testing.assert_array_equal(split.X, [[1, 0], [np.nan, 3]])


def test_a_byte_order_mark_is_skipped(tmp_path):
    split = load_letor(write(tmp_path / "f", b"\xef\xbb\xbf2 qid:1 1:0.5\n1 qid:1 1:1\n"))
    np.testing.assert_array_equal(split.y, [2, 1])


def test_dense_and_n_features_set_the_form_of_the_features(tmp_path):
    path = str(write(tmp_path / "f", VALID))
    assert sp.issparse(load_letor(path, dense=False).X)
    assert load_letor(path, n_features=6).X.shape == (3, 6)
    assert isinstance(load_letor(path, n_features=600, dense=True).X, np.ndarray)
    assert sp.issparse(load_letor(path, n_features=600).X)


def test_several_files_share_the_number_the_numbering_and_the_form_of_features(tmp_path):
    train = write(tmp_path / "train", b"1 qid:1 0:7 9:1\n")
    test = write(tmp_path / "test", b"1 qid:1 1:2 2:3\n0 qid:2 1:4\n")
    splits = load_letor_files([train, test])
    assert [split.name for split in splits] == ["train", "test"]
    assert [split.X.shape for split in splits] == [(1, 10), (2, 10)]
    assert all(sp.issparse(split.X) for split in splits)  # 5 of 30 cells
    np.testing.assert_array_equal(splits[1].X[0].toarray()[0, :3], [0, 2, 3])
    assert load_letor(test).X.shape == (2, 2)  # alone, its features are numbered from 1


def test_a_query_file_of_lightgbm_gives_the_queries(tmp_path):
    path = write(tmp_path / "rank.train", b"1 1:1\n# comment\n2 1:2\n3 1:3\n")
    write(tmp_path / "rank.train.query", b"1\r\n0\n2\n\n")
    split = load_letor(path)
    np.testing.assert_array_equal(split.qid, [0, 2, 2])
    np.testing.assert_array_equal(split.y, [1, 2, 3])


def test_query_ids_in_the_file_take_precedence_over_a_query_file(tmp_path):
    path = write(tmp_path / "f", VALID)
    write(tmp_path / "f.query", b"99\n")
    np.testing.assert_array_equal(load_letor(path).qid, [7, 7, 8])


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (b"1\n1\n", "line 2: the sizes sum to 2, but .*rank.train has 3 rows"),
        (b"", "line 1: the sizes sum to 0"),
        (b"999999999999999999\n" * 20, "line 20: the sizes sum to"),
        (b"1\n2x\n", "line 2: '2x' is not the size of a query"),
        (b"4\n-1\n", "line 2: '-1' is not"),
        (b"1.0\n2\n", "line 1: '1.0' is not"),
        (b"1\xff\n", r"line 1: '1\\xff' is not"),
    ],
)
def test_a_broken_query_file_is_refused_by_line(tmp_path, sizes, message):
    path = write(tmp_path / "rank.train", b"1 1:1\n2 1:2\n3 1:3\n")
    write(tmp_path / "rank.train.query", sizes)
    with pytest.raises(ValueError, match="rank.train.query, " + message):
        load_letor(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        # lines that scikit-learn's reader accepts
        (b"1 1:1", "the row has no qid:, unlike the rows before it"),
        (b"1", "the row has no qid:"),
        (b"1 qidx:3 1:1", "'qidx:3' is not qid: followed by a whole number of at most 64 bits"),
        (b"1 qid:1_0 1:1", "'qid:1_0' is not a number"),
        (b"1_0 qid:1 1:1", "'1_0' is not a number"),
        (b"1 qid:1 1:1_0", "'1:1_0' is not a number"),
        (b"1 qid:1 1_0:1", "'1_0:1' is not a number"),
        (b"nan qid:1 1:1", "the label 'nan' is not a finite number"),
        (b"-inf qid:1 1:1", "the label '-inf' is not a finite number"),
        (b"1e999 qid:1 1:1", "the label '1e999' is not a finite number"),
        (b"1 qid:1 2:inf", r"column 1 \(counted from 0\) is infinite in float64"),
        (b"1 qid:1 1:1e999", r"column 0 \(counted from 0\) is infinite"),
        # lines for which it raises an error of another type
        (b"1 qid:9223372036854775808 1:1", "'qid:9223372036854775808' is not qid: followed by a whole number"),
        (b"1 qid:" + b"9" * 5000 + b" 1:1", r"'qid:9+\.\.\.' is not"),
        (b"1 qid:1 99999999999:1", "the feature index '99999999999' is not a whole number from 0 to 2147483647"),
        (b"1 qid:1 " + b"9" * 5000 + b":1", r"the feature index '9+\.\.\.' is not"),
        # lines that it refuses without naming them
        (b"1 qid:1.5 1:1", "'qid:1.5' is not"),
        (b"1 qid: 1:1", "'qid:' is not"),
        (b"1 qid:1 qid:2 1:1", "the feature index 'qid' is not"),
        (b"1 1:1 qid:3", "the row has no qid:"),
        (b"relevant qid:1 1:1", "the label 'relevant' is not a finite number"),
        (b"1,2 qid:1 1:1", "the label '1,2' is not"),
        (b"qid:1 1:1", "the label 'qid:1' is not"),
        (b"\xef\xbb\xbf1 qid:1 1:1", r"the label '\\xef\\xbb\\xbf1' is not"),
        (b"1 qid:1 1:2 foo 3:1", r"'foo' is not a feature \(index:value\)"),
        (b"1 qid:1 1:NULL", "the value 'NULL' of feature 1 is not a number"),
        (b"1 qid:1 1: 2:3", "the value '' of feature 1 is not a number"),
        (b"1 qid:1 1:2:3", "the value '2:3' of feature 1 is not"),
        (b"1 qid:1 1:\xff\xfe", r"the value '\\xff\\xfe' of feature 1 is not"),
        (b"1 qid:1 1:2\x00", r"the value '2\\x00' of feature 1 is not"),
        (b"1 qid:1 x:1", "the feature index 'x' is not a whole number"),
        (b"1 qid:1 1.0:1", "the feature index '1.0' is not a whole number"),
        (b"1 qid:1 -1:1", "the feature index '-1' is not a whole number from 0"),
        (b"1 qid:1 3:1 3:1", "feature 3 follows feature 3: indices must increase"),
        (b"1 qid:1 3:1 2:1", "feature 2 follows feature 3: indices must increase"),
    ],
)
@pytest.mark.parametrize("name", ["train.txt", "train.txt.gz"])
def test_a_broken_line_is_refused_by_file_and_line(tmp_path, line, message, name):
    before = b"# comment\n" + b"0 qid:1 1:1 2:3\n" * 8 + b"\n" + b"0 qid:2 1:1\n" * 6
    path = write(tmp_path / name, before + line + b"\n0 qid:3 1:1\n")
    with pytest.raises(ValueError, match=f"{re.escape(name)}, line 17: .*{message}") as caught:
        load_letor(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the file has no rows"),
        (b"\n# only\n", "line 3: the file has no rows"),
        (b"1 qid:1\n2 qid:1\n", "line 3: no row of the file has a feature"),
        (b"# no qid at all\n1 1:1\n", "line 2: the label is not followed by qid:, and there is no file .*f.query"),
        (b"1 qid:1 1:1\r2 qid:1 1:1\r", "line 1: '2' is not a feature"),
        (gzip.compress(VALID, mtime=0), "line 1: the label .* is not"),
        (VALID.decode("latin-1").encode("utf-16"), "line 1: the label .* is not"),
    ],
)
def test_a_broken_file_is_refused_by_file_and_line(tmp_path, content, message):
    with pytest.raises(ValueError, match="f, " + message):
        load_letor(write(tmp_path / "f", content))


def test_a_row_with_a_query_id_after_rows_without_is_refused(tmp_path):
    write(tmp_path / "f.query", b"2\n")
    with pytest.raises(ValueError, match="f, line 2: the row has a qid:, unlike the rows before it"):
        load_letor(write(tmp_path / "f", b"1 1:1\n1 qid:1 1:1\n"))


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
@pytest.mark.parametrize("damage", ["truncated", "plain text", "flipped"])
def test_broken_compression_is_refused_by_file_and_line(tmp_path, suffix, damage):
    path = write(tmp_path / f"f{suffix}", VALID * 2000)
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes({"truncated": packed[: len(packed) // 2], "plain text": VALID, "flipped": packed}[damage])
    with pytest.raises(ValueError, match=rf"f\{suffix}, line \d+: "):
        load_letor(path)


def test_a_value_that_is_infinite_in_float32_only_is_refused_there(tmp_path):
    path = write(tmp_path / "f", b"1 qid:1 1:1\n\n1 qid:1 1:1 3:1e39 4:1\n")
    assert load_letor(path).X[1, 2] == 1e39
    with pytest.raises(ValueError, match=r"f, line 3: .*column 2 .*infinite in float32"):
        load_letor(path, dtype=np.float32)


def test_the_broken_one_of_several_files_is_named(tmp_path):
    good, bad = write(tmp_path / "good", VALID), write(tmp_path / "bad", VALID + b"0 qid:1 1:x\n")
    for paths in ([good, bad], [bad, good]):
        with pytest.raises(ValueError, match="bad, line 6: the value 'x' of feature 1"):
            load_letor_files(paths)


def test_files_that_cannot_be_opened_raise_the_error_of_the_system(tmp_path):
    for name in ("missing", "missing.gz", "missing.bz2"):
        with pytest.raises(FileNotFoundError, match=name):
            load_letor(tmp_path / name)
    with pytest.raises(OSError, match=str(tmp_path)):
        load_letor(tmp_path)


def test_bad_arguments_of_the_readers_are_refused(tmp_path):
    path = write(tmp_path / "f", VALID)
    with pytest.raises(TypeError, match="paths must be a list of paths"):
        load_letor_files(str(path))
    with pytest.raises(ValueError, match="paths is empty"):
        load_letor_files([])
    with pytest.raises(ValueError, match="dtype must be float32 or float64"):
        load_letor(path, dtype=np.int64)
    with pytest.raises(ValueError, match="dense must be one of"):
        load_letor(path, dense="yes")
    for n_features in (2, 0):
        with pytest.raises(ValueError, match="n_features"):
            load_letor(path, n_features=n_features)
