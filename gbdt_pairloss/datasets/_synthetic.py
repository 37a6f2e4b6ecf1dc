"""Synthetic queries of any size, with graded, binary or float labels."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from ..ranking._groups import IntArray
from ..ranking._validation import check_choice
from ._split import RankingSplit, check_count

_MSLR_GRADE_SHARES = (0.52, 0.32, 0.134, 0.018, 0.008)  # of grades 0 to 4 in MSLR-WEB30K
_SIZE_SPREAD = 0.75  # standard deviation of the logarithm of a query's size


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
        ``max_query_size``, which must be at least ``query_size``. In MSLR-WEB30K, the mean is 119 and the maximum
        1,251.
    n_features : int, default=20
        Number of features, at least 1.
    labels : {"grades", "binary", "float"}, default="grades"
        "grades": whole numbers from 0 to 4, with the shares of MSLR-WEB30K (52, 32, 13.4, 1.8 and 0.8%). "binary": 0 or
        1, with a share of 10% ones. "float": the latent relevance.
    noise : float, default=1.0
        Standard deviation of the noise in the latent relevance, at least 0. With 0, the label is a function of the
        features.
    random_state : int, default=0
        Seed of all draws, at least 0. Equal seeds give equal data.

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
    check_count(n_queries, "n_queries", 1)
    check_count(query_size, "query_size", 1)
    check_count(n_features, "n_features", 1)
    check_count(random_state, "random_state", 0)
    check_choice(labels, "labels", ("grades", "binary", "float"))
    if isinstance(noise, bool) or not isinstance(noise, (int, float, np.number)) or not 0 <= float(noise) < math.inf:
        raise ValueError(f"noise must be a finite number of at least 0, got {noise!r}")
    rng = np.random.default_rng(random_state)
    sizes: IntArray = np.full(n_queries, query_size, dtype=np.int64)
    if max_query_size is not None:
        check_count(max_query_size, "max_query_size", query_size)
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
