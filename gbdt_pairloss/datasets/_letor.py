"""Strict readers of LETOR (SVMlight) files."""

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
from typing import Any, BinaryIO

import numpy as np
import scipy.sparse as sp

from ..ranking._groups import IntArray
from ..ranking._validation import check_choice
from ._split import RankingSplit

Path = str | os.PathLike[str]

_OPEN: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}  # by file extension, as in scikit-learn
_DENSE_FROM = 0.3  # share of stored cells above which a dense array needs less memory and time than csr
_QID = re.compile(rb"qid:([+-]?[0-9]{1,19})")


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
