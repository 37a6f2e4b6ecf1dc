"""Texts that the docstrings of the objectives share; ``%(shared)s`` in a docstring is replaced by the parameters."""

from __future__ import annotations

from .._docstrings import TEXT

_TEMPERATURE = """\
temperature : float, default=1.0
    T > 0. Newton boosting is scale-free: T alone rescales the scores (leaf values are proportional to T) and ranks
    the same, so a grid over it that shows no effect is not an error. It matters with initial scores, regularisation
    and the minimal Hessian of a leaf."""

_PAIR_WEIGHT = """\
pair_weight : {"uniform", "label_diff", "gain_diff", "ndcg", "lambdarank", "auto"} or callable, default="uniform"
    phi_ij of a pair of winner i and loser j:

    - ``"uniform"``: 1;
    - ``"label_diff"``: y_i - y_j (Rax's ``labeldiff_lambdaweight``, TF-Ranking's ``LabelDiffLambdaWeight``);
    - ``"gain_diff"``: gain(y_i) - gain(y_j);
    - ``"ndcg"``: the change of NDCG if the two rows exchanged places in the current ranking (LambdaRank; LambdaMART
      in a booster), (gain(y_i) - gain(y_j)) |1 / log2(1 + rank_i) - 1 / log2(1 + rank_j)| / ideal DCG; equal scores
      are ranked in row order;
    - ``"lambdarank"``: the same divided by 0.01 + |s_i - s_j|, as in LightGBM's lambdarank (``lambdarank_norm``). With
      ``truncation=30`` and ``normalize="log"`` the gradients are LightGBM's. It does not separate into sums over
      rows: without a truncation its cost grows with the number of pairs;
    - ``"auto"``: "ndcg" with a rank noise of 1 if all labels of a dataset are grades, that is, whole numbers from 0 to
      31; otherwise, and with explicit pairs, "uniform", which does not read ``gain``, ``truncation`` and
      ``rank_noise``. It is the default of the rankers, in which the training set decides for the evaluation sets, too;
    - a callable ``(label_winner, label_loser) -> weight`` of two floats, which returns a finite number of at least 0.
      It is evaluated once for every pair of distinct labels of a query, at most 2^27 times in all (1 GiB), and the
      cost per row grows with the number of distinct labels. Lambdas and local functions can be used, but not pickled.

    Rax's ``dcg_lambdaweight(normalize=True)`` and TF-Ranking's ``DCGLambdaWeight`` (``smooth_fraction=1``, gain
    2^y - 1, discount 1 / log2(1 + rank)) are "ndcg" times the length of the list."""

_REST = {
    "gain": """\
gain : {"exp2", "linear"}, default="exp2"
    Gain of a label, for "gain_diff", "ndcg" and "lambdarank": 2^y - 1, or y.""",
    "truncation": """\
truncation : int or None, default=None
    With "ndcg" and "lambdarank": a pair counts if either row is among this many first ranks, and the ideal DCG is cut
    there (LightGBM's ``lambdarank_truncation_level``). None: all pairs. With "ndcg", rows far from the top then have
    few pairs and small Hessians, so that their scores may diverge at high learning rates. "lambdarank" prevents this
    by its division by the distance of scores.""",
    "rank_noise": """\
rank_noise : float or None, default=None
    With "ndcg" and "lambdarank": a >= 0; None: 1 with "auto", else 0. The ranks, and the distance of "lambdarank", are
    those of noised scores

    z = s + a T log(u / (1 - u)),

    with u drawn uniformly from (0, 1) for each row, anew in every iteration. The loss of a pair keeps the scores
    themselves. Training on |delta NDCG| of the current ranking alone overfits that ranking; a noise of 1 to 3 prevents
    it, and gives better rankings (``benchmarks/results/quality.md``). 0 is LambdaRank; with more noise the pair weights
    tend to differences of gains. :meth:`metric` ranks without noise. The cost of "ndcg" hardly changes, except in
    queries of thousands of rows whose scores span more than 40 temperatures: there it is several times as high.
    "lambdarank" takes time in proportion to its pairs, as without noise.""",
    "normalize": """\
normalize : {"log", "query", "none"}, default="log"
    Factor on each query, so that large queries do not dominate small ones:

    - ``"log"``: log2(1 + S) / S with S = 2 sum |lambda| before weights, as LightGBM's lambdarank and XGBoost's
      ``rank:*`` do by default. A query's Hessians then sum to about 0.5 log2(pairs) at the start.
    - ``"query"``: n_q / sum of phi, where n_q is the number of rows that take part. Without pair weights the Hessians
      sum to n_q / 2 at the start, as for a regression, for queries of any size. It suits few, huge queries with
      XGBoost's ``min_child_weight=1``.
    - ``"none"``: the plain sum.

    The default was chosen by measurement. In cross-validation on five data sets with both boosters, "log" has the best
    means. The 95% intervals of its differences to both others exclude 0 for MAP with XGBoost.""",
    "hessian_scale": """\
hessian_scale : float or None, default=None
    Factor on the Hessian, by which steps are divided. None: that of the booster's own ranking objectives, 2 in XGBoost
    and 1 in LightGBM, so that the steps of equal learning rates are alike; 1 for arrays.""",
    "ignore_negative_labels": """\
ignore_negative_labels : bool or None, default=None
    True: rows with a negative label take no part (KerasRS). False: a negative label is a label like any other
    (returns, XGBoost's -1). None: a negative label is an error.""",
    "item_weight": """\
item_weight : {"winner", "both"}, default="winner"
    A pair's weight contains its winner's item weight (KerasRS, Rax, TF-Ranking), or the product of both rows' item
    weights.""",
    "random_state": """\
random_state : int or None, default=None
    Seed of draws (``rank_noise``; ``negatives`` of BPR), a whole number from 0 and below 2^64. A draw is a function of
    the seed, of the bits of the scores (of the query, for rank noise), and of the row. Draws are therefore the same for
    any number of threads and in every run, and different as soon as a score has changed; continued training does not
    repeat them. Another order of the rows is like another seed. None: the ranker's ``random_state``, if that is a whole
    number, or 0.""",
    "n_threads": """\
n_threads : int or None, default=None
    Threads to compute with; results do not depend on their number. None: the number that is set for the booster (a
    ranker's ``n_jobs``, LightGBM's ``num_threads``, a DMatrix's ``nthread``). If none is set there, all cores that this
    process may use, but at most ``OMP_NUM_THREADS``.""",
    "device": """\
device : {"auto", "cpu", "cuda"}, default="auto"
    Device that computes the gradients. "auto": the CUDA device (through CuPy) if the scores are on it, or the booster
    trains on it and takes gradients from it (XGBoost's ``device="cuda"``), and if the CUDA engine supports the sum and
    is expected to be faster; else the CPU. The CUDA engine supports the logistic loss over all or explicit pairs, with
    any weights, and the pairwise mean squared error. It is not expected to be faster with "ndcg", "lambdarank" or a
    callable ``pair_weight`` if a query has more than 16,384 rows. "cuda": always the CUDA device; a RuntimeError if
    there is none, a ValueError if the CUDA engine does not support the sum. Results are CuPy arrays if the scores
    are.""",
}

_WEIGHT = """\
sample_weight : array of the shape of ``y_pred``, or of shape (n_queries,) or (n_lists, 1), optional
    One per row: item weights. One per query, with ``group`` (or 2-D, as a column): query weights."""

_MORE = """\
loser_weight : array of the shape of ``y_pred``, optional
    Weight of a row as the loser of its pairs.
item_id : array of the shape of ``y_pred``, optional
    Id of each row's item, of any dtype; for :class:`gbdt_pairloss.BPR` only.
pairs : (winner, loser) or (winner, loser, weight), optional
    Arrays of shape (n_pairs,): sum over these pairs of rows instead of those that follow from the labels; see
    :func:`gbdt_pairloss.attach`. Rows of 2-D arrays are counted list by list. ``y_true`` may then be None."""

#: For :func:`gbdt_pairloss._docstrings.documented_with`.
OBJECTIVE_TEXT = {
    "shared": "\n".join((_TEMPERATURE, _PAIR_WEIGHT, *_REST.values())),
    "temperature": _TEMPERATURE,
    **_REST,
    "data": "\n".join((TEXT["arrays"], _WEIGHT, TEXT["mask"], _MORE)),
    "data_raises": """\
ValueError
    If shapes, groups or pairs are malformed, if a label, score or weight is NaN, infinite or negative where it
    must not be, if a result leaves the range of its type, if an argument has an unknown value, or if
    ``device="cuda"`` does not support the sum.
TypeError
    If ``pairs`` has another form.
RuntimeError
    For ``device="cuda"``, if there is no device.""",
    "invalid": """\
ValueError
    If the value of a parameter is not allowed.""",
    "cost_of_ndcg": """\
The time of ``pair_weight="ndcg"`` and ``"lambdarank"`` is proportional to the number of pairs.""",
}
