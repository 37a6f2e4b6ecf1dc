"""Ranking datasets: strict readers of LETOR files, an image retrieval task, and synthetic data."""

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

# scikit-learn is imported inside the functions that need it: make_ranking does not.

Path = str | os.PathLike[str]

_OPEN: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}  # by file extension, as in scikit-learn
_DENSE_FROM = 0.3  # share of stored cells above which a dense array needs less memory and time than csr
_QID = re.compile(rb"qid:([+-]?[0-9]{1,19})")
_SHAPE_FAMILY = np.array([0, 1, 2, 2, 1, 2, 0, 1, 0, 0])  # of digits 0 to 9; family 0: loops, 1: strokes, 2: curves
_MSLR_GRADE_SHARES = (0.52, 0.32, 0.134, 0.018, 0.008)  # of grades 0 to 4 in MSLR-WEB30K
_SIZE_SPREAD = 0.75  # standard deviation of the logarithm of a query's size


class RankingSplit(NamedTuple):
    """One part (train, validation, test) of a ranking dataset; the rows of a query need not be contiguous.

    Attributes
    ----------
    X : float32 or float64 array, or scipy.sparse.csr_matrix, of shape (n_rows, n_features)
        Features.
    y : float64 array of shape (n_rows,)
        Relevance labels, larger is better.
    qid : int64 array of shape (n_rows,)
        Query id of each row.
    name : str
        Name of the part, for messages.

    See Also
    --------
    load_letor : Read one LETOR file.
    load_letor_files : Read several LETOR files.
    make_digits_ranking : Make an image retrieval task.
    make_ranking : Make synthetic queries.
    """

    X: Any
    y: FloatArray
    qid: IntArray
    name: str

    @property
    def group(self) -> IntArray:
        """Number of rows of each query, in order, as the boosters' datasets accept it: int64, shape (n_queries,).

        Raises
        ------
        ValueError
            If the rows of a query are not contiguous.
        """
        groups = make_groups(len(self.y), qid=self.qid)
        if not groups.contiguous:
            raise ValueError(f"{self.name}: the rows of a query are not contiguous; sort them by qid, or use qid")
        return groups.sizes


def load_letor(
    path: Path, *, n_features: int | None = None, dtype: Any = np.float64, dense: bool | None = None
) -> RankingSplit:
    """Read one LETOR (SVMlight) file: ``label qid:7 1:0.5 2:0.25 # comment`` on each line.

    Features are numbered from 1, or from 0 if a feature 0 occurs. Use :func:`load_letor_files` to read the parts of one
    dataset: parts that are read one by one may differ in this numbering and in the number of features.

    Parameters
    ----------
    path : str or path-like
        The file. It is decompressed if its name ends in ``.gz`` or ``.bz2``. If no row has a qid, the number of rows of
        each query is read from a second file, one per line. As in LightGBM, its name is that of the file plus
        ``.query``.
    n_features : int, optional
        Number of columns of X; by default it follows from the largest feature index in the file.
    dtype : float32 or float64, default=float64
        Dtype of X; labels are always float64.
    dense : bool, optional
        True: X is an array. False: X is a csr_matrix. By default, X is an array if the file contains more than 30% of
        the cells.

    Returns
    -------
    split : RankingSplit
        Rows are in the order of the file; ``name`` is the name of the file without the folder.

    Raises
    ------
    ValueError
        If the file is malformed; the message names the file, the line and the fault. If ``dtype`` or ``dense`` has
        another value.
    OSError
        If the file cannot be opened.

    See Also
    --------
    load_letor_files : Read several files with the same features.

    Notes
    -----
    By convention of the format, a feature that is not on a line is 0, and ``nan`` is a missing value. XGBoost treats
    cells that a csr_matrix does not store as missing values, not as 0: use ``dense=True`` to avoid that.

    scikit-learn's reader parses the lines, except for the query ids: it accepts files in which only some rows have one,
    and its time for them is quadratic in the number of rows.

    References
    ----------
    Qin, Liu, Xu and Li, "LETOR: a benchmark collection for research on learning to rank for information retrieval",
    Information Retrieval 13, 2010. The format of the lines is that of Joachims, SVMlight.
    """
    return load_letor_files([path], n_features=n_features, dtype=dtype, dense=dense)[0]


def load_letor_files(
    paths: Iterable[Path], *, n_features: int | None = None, dtype: Any = np.float64, dense: bool | None = None
) -> list[RankingSplit]:
    """Read several LETOR files with the same features, each as a `RankingSplit`.

    The numbering of features (from 0 or 1), the number of features and the type of X (dense or sparse) are the same for
    all files.

    Parameters
    ----------
    paths : list of str or path-like
        The files; at least one.
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
    ValueError
        If ``paths`` is empty, a file is malformed, or ``dtype`` or ``dense`` has another value.
    OSError
        If a file cannot be opened.

    See Also
    --------
    load_letor : Read one file; its notes apply here, too.
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
                    raise file.error(_fault_of(file.pending)) from error
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
    """A LETOR file whose rows scikit-learn's reader iterates over.

    It checks what the reader does not check, and collects the query ids.
    """

    def __init__(self, path: str, stack: ExitStack) -> None:
        self.path, self.sizes_path = path, path + ".query"
        self.stream: BinaryIO = stack.enter_context(_OPEN.get(os.path.splitext(path)[1], open)(path, "rb"))
        self.line = 1
        self.pending: bytes | None = None  # the row that scikit-learn is parsing: if it raises, this row is malformed
        self.line_of_row, self.qids = array("q"), array("q")

    def read(self, size: int = -1) -> bytes:
        # scikit-learn recognises a file by this method, but iterates over its lines.
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
            raise self.error(f"the compressed data is corrupt ({error})") from error
        if not self.line_of_row:
            raise self.error("the file has no rows")

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
                raise self.error(f"{_show(parts[1])} is not qid: followed by a whole number of at most 64 bits")
            self.qids.append(int(match[1]))
        elif not self.line_of_row and not os.path.exists(self.sizes_path):
            raise self.error(f"the label is not followed by qid:, and there is no file {self.sizes_path} with sizes")
        self.line_of_row.append(self.line)

    def check_features(self, X: Any) -> None:
        """Raise a ValueError if a feature is infinite, or if there are no features."""
        cells = np.flatnonzero(np.isinf(X.data))
        if cells.size:
            self.line = self.line_of_row[int(np.searchsorted(X.indptr, cells[0], side="right")) - 1]
            raise self.error(f"the value of column {X.indices[cells[0]]} (counted from 0) is infinite in {X.dtype}")
        if X.nnz == 0:
            raise self.error("no row of the file has a feature")

    def query_ids(self) -> IntArray:
        """Return the query id of each row, from the rows or from the file of query sizes."""
        if self.qids:
            return np.array(self.qids, dtype=np.int64)
        with open(self.sizes_path, "rb") as stream:
            words = [line.strip() for line in stream]
        for number, word in enumerate(words, 1):
            if not re.fullmatch(rb"[0-9]{0,18}", word):
                raise ValueError(f"{self.sizes_path}, line {number}: {_show(word)} is not the size of a query")
        sizes = [int(word) for word in words if word]
        if sum(sizes) != len(self.line_of_row):
            fault = f"the sizes sum to {sum(sizes)}, but {self.path} has {len(self.line_of_row)} rows"
            raise ValueError(f"{self.sizes_path}, line {max(len(words), 1)}: {fault}")
        return np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)

    def error(self, fault: str) -> ValueError:
        """Return the error that names the file, the current line and the fault."""
        return ValueError(f"{self.path}, line {self.line}: {fault}")


def make_digits_ranking(
    *, n_train_queries: int = 120, n_test_queries: int = 80, n_candidates: int = 60, random_state: int = 0
) -> tuple[RankingSplit, RankingSplit]:
    """Make an image retrieval task from scikit-learn's handwritten digits, without a download.

    A query is an image. Its candidates are other images, drawn at random. The label of a candidate is 2 for the same
    digit (about 10% of the candidates), 1 for another digit of the same family of shapes (about 23%), and 0 otherwise.
    The families are loops (0, 6, 8, 9), strokes (1, 4, 7) and curves (2, 3, 5).

    Parameters
    ----------
    n_train_queries : int, default=120
        Number of training queries, from 1 to 898. The images are divided into two halves: no image is in both parts.
    n_test_queries : int, default=80
        Number of test queries, from 1 to 898.
    n_candidates : int, default=60
        Number of candidates of each query, from 2 to 897.
    random_state : int, default=0
        Seed of the draws of queries and candidates. Equal seeds give equal data.

    Returns
    -------
    train, test : RankingSplit
        X is float64, of shape (n_queries * n_candidates, 35). The rows of a query are contiguous.

    Raises
    ------
    ValueError
        If a number is out of range.

    See Also
    --------
    make_ranking : Make synthetic queries.

    Notes
    -----
    The 35 features compare the query with the candidate: absolute differences of 2 by 2 pooled pixels (16), of row
    means (8), of column means (8) and of the overall mean (1), the Euclidean distance and the cosine similarity.

    LambdaMART reaches an NDCG@10 of about 0.75 on the test part; a random order reaches 0.2.

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
            grades.append(same_digit.astype(np.float64) + same_family)  # a same digit also counts as the same family
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
    """Make synthetic queries with given sizes, whose features are informative about the labels.

    Parameters
    ----------
    n_queries : int, default=100
        Number of queries, at least 1.
    query_size : int, default=100
        Number of rows of each query. With ``max_query_size``, the mean number of rows, before clipping.
    max_query_size : int, optional
        If given, the sizes are drawn from a log-normal distribution and clipped to the range from 1 to
        ``max_query_size``. In MSLR-WEB30K, the mean is 119 and the maximum 1,251.
    n_features : int, default=20
        Number of features, at least 1.
    labels : {"grades", "binary", "float"}, default="grades"
        "grades": whole numbers from 0 to 4, with the shares of MSLR-WEB30K (52, 32, 13.4, 1.8 and 0.8%). "binary": 0 or
        1, with a share of 10% ones. "float": the latent relevance.
    noise : float, default=1.0
        Standard deviation of the noise in the latent relevance, at least 0. With 0, the label is a function of the
        features.
    random_state : int, default=0
        Seed of all draws. Equal seeds give equal data.

    Returns
    -------
    split : RankingSplit
        X is float32, of shape (n_rows, n_features). The rows of a query are contiguous.

    Raises
    ------
    ValueError
        If a number is out of range, or ``labels`` has another value.

    See Also
    --------
    make_digits_ranking : Make an image retrieval task.

    Notes
    -----
    Features are independent standard normal variables. The latent relevance is a weighted sum of the features (feature
    k has weight 1 / k) plus the product of the first and the last feature, scaled to variance 1, plus ``noise`` times a
    standard normal variable. Labels are obtained by thresholds that are the same for all queries.

    References
    ----------
    MSLR-WEB30K: Qin and Liu, "Introducing LETOR 4.0 datasets", arXiv:1306.2597, 2013.

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
        # The mean of a log-normal variable is exp(mu + sigma^2 / 2).
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


def _fault_of(row: bytes) -> str:
    """Describe the first fault in the features of a row that scikit-learn's reader rejected."""
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
    return "scikit-learn's reader rejects the row"


def _number(word: bytes) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _show(word: bytes) -> str:
    return repr(word[:40] + (b"..." if len(word) > 40 else b""))[1:]  # without the prefix b


def _pair_features(query: NDArray[np.float64], candidates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the features that compare an 8 by 8 image with each of n others: shape (n, 35)."""
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
