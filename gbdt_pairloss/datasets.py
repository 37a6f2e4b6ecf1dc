"""Data to rank: LETOR files read strictly, a demonstration task on bundled images, synthetic shapes."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import math
import os
import re
import zlib
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .ranking._groups import IntArray, make_groups
from .ranking._validation import FloatArray, check_choice

# scikit-learn is imported where it is used: the synthetic shapes do without it.

Path = str | os.PathLike[str]

_OPEN: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}  # by the name's ending, as scikit-learn does
_DENSE_FROM = 0.3  # share of stored cells from which a dense array takes less memory and time than csr
_QID = re.compile(rb"qid:([+-]?[0-9]{1,19})")
_SHAPE_FAMILY = np.array([0, 1, 2, 2, 1, 2, 0, 1, 0, 0])  # of the digits 0 to 9: loops 0, strokes 1, curves 2
_MSLR_GRADE_SHARES = (0.52, 0.32, 0.134, 0.018, 0.008)  # grades 0 to 4 in MSLR-WEB30K
_SIZE_SPREAD = 0.75  # standard deviation of the logarithm of a query's size


class RankingSplit(NamedTuple):
    """One part (train, validation, test) of a ranking data set; the rows of a query need not stand together.

    Attributes
    ----------
    X : float32 or float64 array, or scipy.sparse.csr_matrix, of shape (n_rows, n_features)
        Features.
    y : float64 array of shape (n_rows,)
        Relevance labels, larger is better.
    qid : int64 array of shape (n_rows,)
        The query of each row.
    name : str
        What messages call it.
    """

    X: Any
    y: FloatArray
    qid: IntArray
    name: str

    @property
    def group(self) -> IntArray:
        """Rows of each query, in order, as the boosters' own datasets take them: an int64 array of shape (n_queries,).

        Raises
        ------
        ValueError
            If the rows of a query do not stand together.
        """
        groups = make_groups(len(self.y), qid=self.qid)
        if not groups.contiguous:
            raise ValueError(f"{self.name}: the rows of a query do not stand together; sort them by qid, or use qid")
        return groups.sizes


def load_letor(
    path: Path, *, n_features: int | None = None, dtype: Any = np.float64, dense: bool | None = None
) -> RankingSplit:
    """Read one LETOR (SVMlight) file: ``label qid:7 1:0.5 2:0.25 # comment`` on each line.

    Features are numbered from 1, or from 0 if a feature 0 occurs. Use `load_letor_files` for the parts of one data set:
    read one by one, they may differ in this and in the number of features.

    Parameters
    ----------
    path : str or path-like
        Names ending in ``.gz`` and ``.bz2`` are decompressed. If no row has a qid, LightGBM's convention holds: a file
        of the same name plus ``.query`` has the number of rows of each query, one per line.
    n_features : int, optional
        Number of columns of X; by default the largest index in the file decides.
    dtype : float32 or float64, default=float64
        Of X; labels are float64.
    dense : bool, optional
        Whether X is an array rather than a csr_matrix; by default it is if more than 30% of the cells are in the file.

    Returns
    -------
    split : RankingSplit
        Rows in the file's order; its name is the file's name without the folder.

    Raises
    ------
    ValueError
        If the file is malformed; the message names the file, the line and what is wrong with it. If ``dtype`` or
        ``dense`` has another value.
    OSError
        If the file cannot be opened.

    Notes
    -----
    A feature that a line leaves out is 0 by the format's convention, and ``nan`` is a missing value. XGBoost takes what
    a csr_matrix leaves out as missing: ``dense=True`` avoids it. scikit-learn's reader does the parsing, except for the
    query ids: it accepts files in which only some rows have one, and its time grows with the square of the rows.

    References
    ----------
    Qin, Liu, Xu and Li, "LETOR: a benchmark collection for research on learning to rank for information retrieval",
    Information Retrieval 13, 2010. The form of the lines: Joachims, SVMlight.
    """
    return load_letor_files([path], n_features=n_features, dtype=dtype, dense=dense)[0]


def load_letor_files(
    paths: Iterable[Path], *, n_features: int | None = None, dtype: Any = np.float64, dense: bool | None = None
) -> list[RankingSplit]:
    """Read several LETOR files with the same features, one `RankingSplit` each.

    Numbering from 0 or 1, the number of features, and dense or sparse are decided once for all files. The notes of
    `load_letor` hold.

    Parameters
    ----------
    paths : list of str or path-like
        At least one.
    n_features, dtype, dense
        As in :func:`load_letor`, for all files.

    Returns
    -------
    splits : list of RankingSplit
        In the order of ``paths``.

    Raises
    ------
    TypeError
        If ``paths`` is a single path.
    ValueError, OSError
        As :func:`load_letor`, and if there is no path.
    """
    from sklearn.datasets import load_svmlight_files

    if isinstance(paths, (str, bytes, os.PathLike)):
        raise TypeError(f"paths must be a list of paths, got {paths!r}: load_letor reads a single file")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    check_choice(dense, "dense", (None, True, False))
    with ExitStack() as stack:
        files = [_LetorFile(os.fsdecode(path), stack) for path in paths]
        if not files:
            raise ValueError("paths is empty: there is no file to read")
        try:
            parsed = load_svmlight_files(files, n_features=n_features, dtype=np.dtype(dtype))
        except (ValueError, OverflowError) as error:
            for file in files:
                if file.pending is not None:
                    raise file.error(_what_is_wrong(file.pending)) from error
            raise
    matrices, labels = parsed[0::2], parsed[1::2]
    for file, X in zip(files, matrices, strict=True):
        file.check_features(X)
    if dense is None:
        dense = sum(X.nnz for X in matrices) > _DENSE_FROM * sum(math.prod(X.shape) for X in matrices)
    return [
        RankingSplit(X.toarray() if dense else sp.csr_matrix(X), y, file.query_ids(), os.path.basename(file.path))
        for file, X, y in zip(files, matrices, labels, strict=True)
    ]


class _LetorFile:
    """The rows of a LETOR file, for scikit-learn's reader to iterate over; checks what that reader lets through."""

    def __init__(self, path: str, stack: ExitStack) -> None:
        self.path, self.sizes_path = path, path + ".query"
        self.stream: BinaryIO = stack.enter_context(_OPEN.get(os.path.splitext(path)[1], open)(path, "rb"))
        self.line = 1
        self.pending: bytes | None = None  # the row that scikit-learn is at work on: if it raises, this one is broken
        self.line_of_row, self.qids = array("q"), array("q")

    def read(self, size: int = -1) -> bytes:
        # scikit-learn knows a file by this method, and reads it line by line.
        raise io.UnsupportedOperation("a LETOR file is read line by line")

    def __iter__(self) -> Iterator[bytes]:
        try:
            for line in self.stream:
                if self.line == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                row = line.partition(b"#")[0]
                parts = row.split(None, 2)
                if parts:
                    self._check_row(row, parts)
                    self.pending = row
                    yield row
                    self.pending = None
                self.line += 1
        except (OSError, EOFError, zlib.error) as error:
            if not isinstance(self.stream, (gzip.GzipFile, bz2.BZ2File)):
                raise
            raise self.error(f"the compressed data is broken ({error})") from error
        if not self.line_of_row:
            raise self.error("the file ends without a single row")

    def _check_row(self, row: bytes, parts: list[bytes]) -> None:
        if b"_" in row:  # Python reads 1_0 as ten
            word = next(word for word in row.split() if b"_" in word)
            raise self.error(f"{_show(word)} is not a number")
        label = _number(parts[0])
        if label is None or not math.isfinite(label):
            raise self.error(f"the label {_show(parts[0])} is not a finite number")
        has_qid = len(parts) > 1 and parts[1].startswith(b"qid")
        if self.line_of_row and has_qid != bool(self.qids):
            raise self.error(f"the row has {'a' if has_qid else 'no'} qid:, unlike the rows before it")
        if has_qid:
            match = _QID.fullmatch(parts[1])
            if match is None or not -(2**63) <= int(match[1]) < 2**63:
                raise self.error(f"{_show(parts[1])} is not qid: and a whole number of at most 64 bits")
            self.qids.append(int(match[1]))
        elif not self.line_of_row and not os.path.exists(self.sizes_path):
            raise self.error(f"no qid: follows the label, and there is no {self.sizes_path} with the queries' sizes")
        self.line_of_row.append(self.line)

    def check_features(self, X: Any) -> None:
        """Raise a ValueError if a feature is infinite, or if there are none."""
        cells = np.flatnonzero(np.isinf(X.data))
        if cells.size:
            self.line = self.line_of_row[int(np.searchsorted(X.indptr, cells[0], side="right")) - 1]
            raise self.error(f"the value of column {X.indices[cells[0]]} (counted from 0) is infinite in {X.dtype}")
        if X.nnz == 0:
            raise self.error("the file ends, and no row has a feature")

    def query_ids(self) -> IntArray:
        """The query of each row, from the rows themselves or from the file of query sizes."""
        if self.qids:
            return np.array(self.qids, dtype=np.int64)
        with open(self.sizes_path, "rb") as stream:
            words = [line.strip() for line in stream]
        for number, word in enumerate(words, 1):
            if not re.fullmatch(rb"[0-9]{0,18}", word):
                raise ValueError(f"{self.sizes_path}, line {number}: {_show(word)} is not the size of a query")
        sizes = [int(word) for word in words if word]
        if sum(sizes) != len(self.line_of_row):
            what = f"the sizes sum to {sum(sizes)}, but {self.path} has {len(self.line_of_row)} rows"
            raise ValueError(f"{self.sizes_path}, line {max(len(words), 1)}: {what}")
        return np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)

    def error(self, what: str) -> ValueError:
        return ValueError(f"{self.path}, line {self.line}: {what}")


def make_digits_ranking(
    *, n_train_queries: int = 120, n_test_queries: int = 80, n_candidates: int = 60, random_state: int = 0
) -> tuple[RankingSplit, RankingSplit]:
    """Image retrieval on scikit-learn's bundled handwritten digits: small, real, nothing to download.

    A query is an image; its candidates are other images, drawn at random. Grades: 2 for the same digit (about 10% of
    the candidates), 1 for another digit of the same family of shapes (about 23%: loops 0 6 8 9, strokes 1 4 7, curves
    2 3 5), 0 otherwise. The 35 features compare query and candidate: absolute differences of 2 by 2 pooled pixels
    (16), of row (8) and column (8) means and of the overall mean, Euclidean distance, cosine similarity.
    LambdaMART reaches an NDCG@10 of about 0.75 on the test part, a random order 0.2.

    Parameters
    ----------
    n_train_queries : int, default=120
        1 to 898: the images are split in two halves, and no image occurs in both parts.
    n_test_queries : int, default=80
        1 to 898.
    n_candidates : int, default=60
        Candidates per query, 2 to 897.
    random_state : int, default=0
        What queries and candidates are drawn by; the same data for the same number.

    Returns
    -------
    train, test : RankingSplit
        X is float64, of shape (n_queries * n_candidates, 35). The rows of a query stand together.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    The images: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository, 1998,
    as in ``sklearn.datasets.load_digits``.

    Examples
    --------
    >>> train, test = make_digits_ranking(n_train_queries=3, n_candidates=20)
    >>> train.X.shape, train.group
    ((60, 35), array([20, 20, 20]))
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, shown = digits.images / 16.0, digits.target
    half = len(images) // 2
    _check_count(n_train_queries, "n_train_queries", 1, half)
    _check_count(n_test_queries, "n_test_queries", 1, half)
    _check_count(n_candidates, "n_candidates", 2, half - 1)
    _check_count(random_state, "random_state", 0)
    rng = np.random.default_rng(random_state)
    shuffled = rng.permutation(len(images))
    parts = [("train", n_train_queries, shuffled[:half]), ("test", n_test_queries, shuffled[half:])]
    splits = []
    for name, n_queries, members in parts:
        features, grades = [], []
        for query in rng.choice(members, n_queries, replace=False):
            candidates = rng.choice(members[members != query], n_candidates, replace=False)
            features.append(_pair_features(images[query], images[candidates]))
            same_digit = shown[candidates] == shown[query]
            same_family = _SHAPE_FAMILY[shown[candidates]] == _SHAPE_FAMILY[shown[query]]
            grades.append(same_digit.astype(np.float64) + same_family)  # the same digit is of the same family
        qid = np.repeat(np.arange(n_queries, dtype=np.int64), n_candidates)
        splits.append(RankingSplit(np.concatenate(features), np.concatenate(grades), qid, f"digits-{name}"))
    return splits[0], splits[1]


def make_ranking(
    *,
    n_queries: int = 100,
    query_size: int = 100,
    max_query_size: int | None = None,
    n_features: int = 20,
    labels: Literal["grades", "binary", "float"] = "grades",
    noise: float = 1.0,
    random_state: int = 0,
) -> RankingSplit:
    """Synthetic queries of a wanted shape, with features that tell something about the label.

    Features (float32) are independent standard normal. The latent relevance is a weighted sum of them (feature k with
    weight 1 / k) plus the product of the first and the last, scaled to variance 1, plus ``noise`` times a standard
    normal; labels are cut from it at the same thresholds for all queries.

    Parameters
    ----------
    n_queries : int, default=100
        At least 1.
    query_size : int, default=100
        Rows of each query; their mean (before the cut) if ``max_query_size`` is given.
    max_query_size : int, optional
        Draw the sizes log-normally and cut them to 1 to ``max_query_size``. MSLR-WEB30K: mean 119, maximum 1,251.
    n_features : int, default=20
        At least 1.
    labels : {"grades", "binary", "float"}, default="grades"
        "grades": 0 to 4, with the shares of MSLR-WEB30K (52, 32, 13.4, 1.8 and 0.8%); "binary": 10% ones; "float": the
        latent relevance itself.
    noise : float, default=1.0
        At least 0; 0: the label is a function of the features.
    random_state : int, default=0
        What everything is drawn by; the same data for the same number.

    Returns
    -------
    split : RankingSplit
        X is float32, of shape (n_rows, n_features). The rows of a query stand together.

    Raises
    ------
    ValueError
        If a number is out of range, or there are no such labels.

    References
    ----------
    MSLR-WEB30K, whose shares of grades these are: Qin and Liu, "Introducing LETOR 4.0 datasets", arXiv:1306.2597, 2013.

    Examples
    --------
    >>> make_ranking(n_queries=3, query_size=4, labels="binary").X.shape
    (12, 20)
    """
    _check_count(n_queries, "n_queries", 1)
    _check_count(query_size, "query_size", 1)
    _check_count(n_features, "n_features", 1)
    _check_count(random_state, "random_state", 0)
    check_choice(labels, "labels", ("grades", "binary", "float"))
    if isinstance(noise, bool) or not isinstance(noise, (int, float, np.number)) or not 0 <= float(noise) < math.inf:
        raise ValueError(f"noise must be a finite number of at least 0, got {noise!r}")
    rng = np.random.default_rng(random_state)
    sizes: IntArray = np.full(n_queries, query_size, dtype=np.int64)
    if max_query_size is not None:
        _check_count(max_query_size, "max_query_size", query_size)
        # A log-normal variable has the mean exp(mu + sigma^2 / 2).
        drawn = rng.lognormal(math.log(query_size) - _SIZE_SPREAD**2 / 2, _SIZE_SPREAD, n_queries)
        sizes = np.clip(np.rint(drawn), 1, max_query_size).astype(np.int64)
    X = rng.standard_normal((int(sizes.sum()), n_features), dtype=np.float32)
    coefficients = 1 / np.arange(1, n_features + 1, dtype=np.float64)
    signal = X @ coefficients.astype(np.float32) + X[:, 0] * X[:, -1]
    latent = signal / math.sqrt(coefficients @ coefficients + 1) + float(noise) * rng.standard_normal(len(X))
    if labels == "float":
        y = latent
    else:
        shares = _MSLR_GRADE_SHARES if labels == "grades" else (0.9, 0.1)
        y = np.searchsorted(np.quantile(latent, np.cumsum(shares)[:-1]), latent).astype(np.float64)
    return RankingSplit(X, y, np.repeat(np.arange(n_queries, dtype=np.int64), sizes), "synthetic")


def _what_is_wrong(row: bytes) -> str:
    """Name the first fault among the features of a row that scikit-learn refused."""
    words = row.split()[1:]
    previous = -1
    for word in words[1:] if words[0].startswith(b"qid") else words:
        index, colon, value = word.partition(b":")
        number = int(index) if re.fullmatch(rb"\+?[0-9]{1,10}", index) else -1
        if not colon:
            return f"{_show(word)} is not a feature (index:value)"
        if not 0 <= number < 2**31:
            return f"the feature index {_show(index)} is not a whole number from 0 to {2**31 - 1}"
        if number <= previous:
            return f"feature {number} follows feature {previous}: indices must increase"
        if _number(value) is None:
            return f"the value {_show(value)} of feature {number} is not a number"
        previous = number
    return "scikit-learn's reader refuses the row"


def _number(word: bytes) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _show(word: bytes) -> str:
    return repr(word[:40] + (b"..." if len(word) > 40 else b""))[1:]  # without the b


def _pair_features(query: NDArray[np.float64], candidates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compare an 8 by 8 image with each of n others: shape (n, 35)."""
    difference = candidates - query
    pooled = difference.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    rows, columns = difference.mean(axis=2), difference.mean(axis=1)
    ink, distance = difference.mean(axis=(1, 2)), np.linalg.norm(difference, axis=(1, 2))
    norms = np.linalg.norm(query) * np.linalg.norm(candidates, axis=(1, 2))
    cosine = (candidates * query).sum(axis=(1, 2)) / norms
    return np.column_stack([np.abs(np.column_stack([pooled, rows, columns, ink])), distance, cosine])


def _check_count(value: Any, name: str, low: int, high: int = 2**32 - 1) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
