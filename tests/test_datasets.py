"""LETOR files: what is read, and how a broken one is reported; the demonstration task; synthetic shapes."""

from __future__ import annotations

import bz2
import gzip
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import Ridge

from gbdt_pairloss import datasets
from gbdt_pairloss.datasets import RankingSplit, load_letor, load_letor_files, make_digits_ranking, make_ranking

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


def mean_ndcg(split: RankingSplit, scores: np.ndarray, k: int = 10) -> float:
    """NDCG at k, written out: gain 2^y - 1, discount 1 / log2(rank + 1)."""
    values = []
    for query in np.unique(split.qid):
        rows = split.qid == query
        gain = 2.0 ** split.y[rows] - 1
        discount = 1 / np.log2(np.arange(min(k, gain.size)) + 2)
        ideal = np.sort(gain)[::-1][:k] @ discount
        if ideal > 0:
            values.append(gain[np.argsort(-scores[rows], kind="stable")][:k] @ discount / ideal)
    return float(np.mean(values))


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["train.txt", "train", "train.txt.gz", "train.bz2"])
def test_known_content(tmp_path, name):
    split = load_letor(write(tmp_path / name, VALID))
    assert split.name == name
    np.testing.assert_array_equal(split.X, VALID_X)
    np.testing.assert_array_equal(split.y, [2, 0, 1.5])
    np.testing.assert_array_equal(split.qid, [7, 7, 8])
    assert split.qid.dtype == np.int64
    assert split.y.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("suffix", ["txt", "txt.gz"])
@pytest.mark.parametrize("density", [0.05, 0.9])
@pytest.mark.parametrize("zero_based", [True, False])
def test_round_trip(tmp_path, dtype, suffix, density, zero_based):
    rng = np.random.default_rng(0)
    X = sp.random(200, 30, density=density, format="lil", random_state=0)
    X[0, 0] = X[0, 29] = 1  # the numbering and the number of features show in the file
    X = X.tocsr().astype(dtype)
    X.data = np.ceil(X.data * 1024) / 1024  # the writer keeps 16 digits, too few for any float64
    y, qid = rng.integers(0, 5, 200).astype(float), rng.integers(-(2**63), 2**63 - 1, 200)
    plain = tmp_path / "plain"
    dump_svmlight_file(X, y, str(plain), query_id=qid, zero_based=zero_based)
    split = load_letor(write(tmp_path / f"random.{suffix}", plain.read_bytes()), dtype=dtype)
    assert split.X.dtype == dtype
    assert isinstance(split.X, np.ndarray if density > 0.3 else sp.csr_matrix)
    np.testing.assert_array_equal(split.X if density > 0.3 else split.X.toarray(), X.toarray())
    np.testing.assert_array_equal(split.y, y)
    np.testing.assert_array_equal(split.qid, qid)


def test_rows_keep_their_order_where_queries_are_scattered(tmp_path):
    split = load_letor(write(tmp_path / "f", b"1 qid:5 1:1\n2 qid:-3 1:2\n3 qid:5 1:3\n"))
    np.testing.assert_array_equal(split.qid, [5, -3, 5])
    np.testing.assert_array_equal(split.X[:, 0], [1, 2, 3])


def test_windows_line_ends_no_last_line_end_and_missing_values(tmp_path):
    split = load_letor(write(tmp_path / "f", b"1 qid:5 1:1\r\n\t2  qid:5\t1:nan 2:3"))
    np.testing.assert_array_equal(split.X, [[1, 0], [np.nan, 3]])


def test_dense_and_n_features_as_asked(tmp_path):
    path = str(write(tmp_path / "f", VALID))
    assert sp.issparse(load_letor(path, dense=False).X)
    assert load_letor(path, n_features=6).X.shape == (3, 6)
    assert isinstance(load_letor(path, n_features=600, dense=True).X, np.ndarray)
    assert sp.issparse(load_letor(path, n_features=600).X)


def test_several_files_share_features_numbering_and_form(tmp_path):
    train = write(tmp_path / "train", b"1 qid:1 0:7 9:1\n")
    test = write(tmp_path / "test", b"1 qid:1 1:2 2:3\n0 qid:2 1:4\n")
    splits = load_letor_files([train, test])
    assert [split.name for split in splits] == ["train", "test"]
    assert [split.X.shape for split in splits] == [(1, 10), (2, 10)]
    assert all(sp.issparse(split.X) for split in splits)  # 5 of 30 cells
    np.testing.assert_array_equal(splits[1].X[0].toarray()[0, :3], [0, 2, 3])
    assert load_letor(test).X.shape == (2, 2)  # alone, its features are numbered from 1


def test_lightgbm_query_file(tmp_path):
    path = write(tmp_path / "rank.train", b"1 1:1\n# comment\n2 1:2\n3 1:3\n")
    write(tmp_path / "rank.train.query", b"1\r\n0\n2\n\n")
    split = load_letor(path)
    np.testing.assert_array_equal(split.qid, [0, 2, 2])
    np.testing.assert_array_equal(split.y, [1, 2, 3])


def test_qids_in_the_file_come_before_a_query_file(tmp_path):
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
def test_broken_query_file(tmp_path, sizes, message):
    path = write(tmp_path / "rank.train", b"1 1:1\n2 1:2\n3 1:3\n")
    write(tmp_path / "rank.train.query", sizes)
    with pytest.raises(ValueError, match="rank.train.query, " + message):
        load_letor(path)


# --- broken files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        # what scikit-learn's reader accepts
        (b"1 1:1", "the row has no qid:, unlike the rows before it"),
        (b"1", "the row has no qid:"),
        (b"1 qidx:3 1:1", "'qidx:3' is not qid: and a whole number of at most 64 bits"),
        (b"1 qid:1_0 1:1", "'qid:1_0' is not a number"),
        (b"1_0 qid:1 1:1", "'1_0' is not a number"),
        (b"1 qid:1 1:1_0", "'1:1_0' is not a number"),
        (b"1 qid:1 1_0:1", "'1_0:1' is not a number"),
        (b"nan qid:1 1:1", "the label 'nan' is not a finite number"),
        (b"-inf qid:1 1:1", "the label '-inf' is not a finite number"),
        (b"1e999 qid:1 1:1", "the label '1e999' is not a finite number"),
        (b"1 qid:1 2:inf", r"column 1 \(counted from 0\) is infinite in float64"),
        (b"1 qid:1 1:1e999", r"column 0 \(counted from 0\) is infinite"),
        # what it raises another error for
        (b"1 qid:9223372036854775808 1:1", "'qid:9223372036854775808' is not qid: and a whole number of at most 64"),
        (b"1 qid:" + b"9" * 5000 + b" 1:1", r"'qid:9+\.\.\.' is not"),
        (b"1 qid:1 99999999999:1", "the feature index '99999999999' is not a whole number from 0 to 2147483647"),
        (b"1 qid:1 " + b"9" * 5000 + b":1", r"the feature index '9+\.\.\.' is not"),
        # what it refuses without saying where
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
def test_broken_line(tmp_path, line, message, name):
    before = b"# comment\n" + b"0 qid:1 1:1 2:3\n" * 8 + b"\n" + b"0 qid:2 1:1\n" * 6
    path = write(tmp_path / name, before + line + b"\n0 qid:3 1:1\n")
    with pytest.raises(ValueError, match=f"{re.escape(name)}, line 17: .*{message}") as caught:
        load_letor(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the file ends without a single row"),
        (b"\n# only\n", "line 3: the file ends without a single row"),
        (b"1 qid:1\n2 qid:1\n", "line 3: the file ends, and no row has a feature"),
        (b"# no qid at all\n1 1:1\n", "line 2: no qid: follows the label, and there is no .*f.query"),
        (b"1 qid:1 1:1\r2 qid:1 1:1\r", "line 1: '2' is not a feature"),
        (gzip.compress(VALID, mtime=0), "line 1: the label .* is not"),
        (VALID.decode("latin-1").encode("utf-16"), "line 1: the label .* is not"),
    ],
)
def test_broken_file(tmp_path, content, message):
    with pytest.raises(ValueError, match="f, " + message):
        load_letor(write(tmp_path / "f", content))


def test_a_row_with_qid_after_rows_without(tmp_path):
    write(tmp_path / "f.query", b"2\n")
    with pytest.raises(ValueError, match="f, line 2: the row has a qid:, unlike the rows before it"):
        load_letor(write(tmp_path / "f", b"1 1:1\n1 qid:1 1:1\n"))


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
@pytest.mark.parametrize("damage", ["truncated", "plain text", "flipped"])
def test_broken_compression(tmp_path, suffix, damage):
    path = write(tmp_path / f"f{suffix}", VALID * 2000)
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes({"truncated": packed[: len(packed) // 2], "plain text": VALID, "flipped": packed}[damage])
    with pytest.raises(ValueError, match=rf"f\{suffix}, line \d+: "):
        load_letor(path)


def test_infinite_in_float32_only(tmp_path):
    path = write(tmp_path / "f", b"1 qid:1 1:1\n\n1 qid:1 1:1 3:1e39 4:1\n")
    assert load_letor(path).X[1, 2] == 1e39
    with pytest.raises(ValueError, match=r"f, line 3: .*column 2 .*infinite in float32"):
        load_letor(path, dtype=np.float32)


def test_the_broken_file_of_several_is_named(tmp_path):
    good, bad = write(tmp_path / "good", VALID), write(tmp_path / "bad", VALID + b"0 qid:1 1:x\n")
    for paths in ([good, bad], [bad, good]):
        with pytest.raises(ValueError, match="bad, line 6: the value 'x' of feature 1"):
            load_letor_files(paths)


def test_files_that_cannot_be_opened(tmp_path):
    for name in ("missing", "missing.gz", "missing.bz2"):
        with pytest.raises(FileNotFoundError, match=name):
            load_letor(tmp_path / name)
    with pytest.raises(OSError, match=str(tmp_path)):
        load_letor(tmp_path)


def test_arguments_of_the_readers(tmp_path):
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


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


BYTES = st.one_of(st.sampled_from(b"0123456789:#._-+ \n\r\teqidnaf\x00"), st.integers(0, 255))


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(VALID)), st.integers(0, 3), st.lists(BYTES, max_size=3)), min_size=1, max_size=4
    ),
    name=st.sampled_from(["fuzz.txt", "fuzz.gz", "fuzz.bz2"]),
    packed=st.booleans(),
)
def test_mutated_files_load_or_are_reported(scratch, changes, name, packed):
    path = write(scratch / name, VALID)
    content = path.read_bytes() if packed else VALID  # damage what is in the file, or what is packed into it
    for start, removed, inserted in changes:
        content = content[:start] + bytes(inserted) + content[start + removed :]
    if packed:
        path.write_bytes(content)
    else:
        write(path, content)
    message = ""
    try:
        split = load_letor(path)
    except ValueError as error:
        message = str(error)
    if message:
        assert re.match(re.escape(str(path)) + r", line \d+: .", message)
    else:
        assert split.X.shape[0] == split.y.size == split.qid.size > 0
        assert np.isfinite(split.y).all()


# --- the digits task -------------------------------------------------------------------------------------------------


def test_digits_are_deterministic():
    first, again, other = make_digits_ranking(), make_digits_ranking(), make_digits_ranking(random_state=1)
    for one, two, three in zip(first, again, other, strict=True):
        for attribute in ("X", "y", "qid"):
            np.testing.assert_array_equal(getattr(one, attribute), getattr(two, attribute))
        assert not np.array_equal(one.X, three.X)


def test_digits_shapes_and_grades():
    train, test = make_digits_ranking(n_train_queries=300, n_test_queries=200, n_candidates=40)
    assert (train.name, test.name) == ("digits-train", "digits-test")
    for split, n_queries in ((train, 300), (test, 200)):
        assert split.X.shape == (n_queries * 40, 35)
        assert np.isfinite(split.X).all()
        np.testing.assert_array_equal(split.qid, np.repeat(np.arange(n_queries), 40))
        shares = np.bincount(split.y.astype(int), minlength=3) / split.y.size
        assert set(np.unique(split.y)) == {0, 1, 2}
        assert 0.07 < shares[2] < 0.13
        assert 0.18 < shares[1] < 0.28


def test_digits_train_and_test_share_no_image(monkeypatch):
    seen = []

    def record(query, candidates):
        seen.append((query.tobytes(), [image.tobytes() for image in candidates]))
        return np.zeros((len(candidates), 1))

    monkeypatch.setattr(datasets, "_pair_features", record)
    make_digits_ranking(n_train_queries=30, n_test_queries=20, n_candidates=50)
    assert len({query for query, _ in seen}) == 50
    for query, candidates in seen:
        assert len({query, *candidates}) == 51  # the query is not among its candidates, and none comes twice
    train = {image for query, candidates in seen[:30] for image in (query, *candidates)}
    test = {image for query, candidates in seen[30:] for image in (query, *candidates)}
    assert not train & test


def test_digits_features_compare_the_pair():
    rng = np.random.default_rng(0)
    query, candidates = rng.random((8, 8)), rng.random((3, 8, 8))
    features = datasets._pair_features(query, candidates)
    assert features[1, 0] == pytest.approx(abs((query - candidates[1])[:2, :2].mean()))
    assert features[1, 16 + 2] == pytest.approx(abs((query - candidates[1])[2].mean()))
    assert features[1, 24 + 3] == pytest.approx(abs((query - candidates[1])[:, 3].mean()))
    assert features[1, 32] == pytest.approx(abs((query - candidates[1]).mean()))
    assert features[1, 33] == pytest.approx(np.sqrt(((query - candidates[1]) ** 2).sum()))
    np.testing.assert_allclose(datasets._pair_features(query, query[None])[0], [0] * 34 + [1], atol=1e-12)


@pytest.mark.parametrize("random_state", [0, 1])
def test_digits_are_neither_trivial_nor_hopeless(random_state):
    lightgbm = pytest.importorskip("lightgbm")
    train, test = make_digits_ranking(random_state=random_state)
    data = lightgbm.Dataset(train.X, train.y, group=np.bincount(train.qid), params={"verbosity": -1})
    parameters = {"objective": "lambdarank", "learning_rate": 0.1, "verbosity": -1, "num_threads": 1, "seed": 0}
    model = lightgbm.train(parameters, data, 100)
    assert 0.65 < mean_ndcg(test, model.predict(test.X)) < 0.9
    assert mean_ndcg(test, np.random.default_rng(0).random(test.y.size)) < 0.35


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("n_train_queries", 0),
        ("n_train_queries", 899),
        ("n_test_queries", 2.0),
        ("n_test_queries", True),
        ("n_candidates", 1),
        ("n_candidates", 898),
        ("random_state", -1),
        ("random_state", "seed"),
    ],
)
def test_digits_arguments(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be a whole number"):
        make_digits_ranking(**{argument: value})


def test_digits_take_the_largest_numbers():
    train, test = make_digits_ranking(n_train_queries=898, n_test_queries=898, n_candidates=2)
    assert len(train.y) == len(test.y) == 898 * 2
    assert len(make_digits_ranking(n_train_queries=1, n_test_queries=1, n_candidates=897)[0].y) == 897


# --- synthetic shapes ------------------------------------------------------------------------------------------------


def test_synthetic_shape():
    split = make_ranking(n_queries=7, query_size=11, n_features=3)
    assert split.X.shape == (77, 3)
    assert split.X.dtype == np.float32
    assert split.name == "synthetic"
    np.testing.assert_array_equal(split.qid, np.repeat(np.arange(7), 11))
    np.testing.assert_array_equal(split.y, make_ranking(n_queries=7, query_size=11, n_features=3).y)
    assert not np.array_equal(split.X, make_ranking(n_queries=7, query_size=11, n_features=3, random_state=1).X)
    assert len(make_ranking(n_queries=1, query_size=1, n_features=1).y) == 1


def test_synthetic_query_sizes():
    split = make_ranking(n_queries=5000, query_size=20, max_query_size=100, n_features=1)
    sizes = np.bincount(split.qid)
    assert sizes.size == 5000
    assert sizes.min() >= 1
    assert sizes.max() <= 100
    assert sizes.mean() == pytest.approx(20, rel=0.05)
    assert sizes.std() > 10


def test_synthetic_labels():
    grades = make_ranking(n_queries=200).y
    assert set(np.unique(grades)) == {0, 1, 2, 3, 4}
    np.testing.assert_allclose(np.bincount(grades.astype(int)) / 20_000, [0.52, 0.32, 0.134, 0.018, 0.008], atol=1e-3)
    binary = make_ranking(n_queries=200, labels="binary").y
    assert set(np.unique(binary)) == {0, 1}
    assert binary.mean() == pytest.approx(0.1, abs=1e-3)
    latent = make_ranking(n_queries=200, labels="float", noise=0.5).y
    assert np.unique(latent).size == latent.size
    assert latent.var() == pytest.approx(1 + 0.5**2, rel=0.05)


@pytest.mark.parametrize("labels", ["grades", "binary", "float"])
def test_synthetic_features_tell_something_and_noise_hides_it(labels):
    explained = []
    for noise in (0.0, 1.0, 10.0):
        split = make_ranking(n_queries=50, labels=labels, noise=noise)
        explained.append(Ridge().fit(split.X, split.y).score(split.X, split.y))
    assert explained[0] > explained[1] > explained[2]
    assert explained[1] > 0.05
    assert explained[2] < 0.05


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("n_queries", 0),
        ("query_size", 1.5),
        ("n_features", -1),
        ("max_query_size", 99),
        ("labels", "ranks"),
        ("noise", -1),
        ("noise", float("nan")),
        ("noise", "much"),
        ("random_state", None),
    ],
)
def test_synthetic_arguments(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be"):
        make_ranking(**{argument: value})


def test_group_is_the_rows_of_each_query() -> None:
    split = make_ranking(n_queries=5, query_size=7, random_state=0)
    np.testing.assert_array_equal(split.group, [7] * 5)
    scattered = split._replace(qid=split.qid[::-1].reshape(5, 7).T.ravel())
    with pytest.raises(ValueError, match="the rows of a query do not stand together"):
        _ = scattered.group


def test_a_byte_order_mark_is_no_label(tmp_path):
    split = load_letor(write(tmp_path / "f", b"\xef\xbb\xbf2 qid:1 1:0.5\n1 qid:1 1:1\n"))
    np.testing.assert_array_equal(split.y, [2, 1])
