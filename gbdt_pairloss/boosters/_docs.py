"""Texts that the docstrings of both rankers share; a placeholder such as ``%(rows)s`` is replaced by its text."""

from __future__ import annotations

#: For :func:`gbdt_pairloss._docstrings.documented_with`.
RANKER_TEXT = {
    "eval_fraction": """\
eval_fraction : float between 0 and 1, optional
    Share of the queries that ``fit`` holds out as an evaluation set if it is given none. Whole queries are drawn with
    the seed ``random_state`` (None: 0), and the model does not learn from them. This allows early stopping
    (``early_stopping_rounds=20``) inside pipelines and searches. None: no query is held out.""",
    "init_raises": """\
ValueError
    If a parameter of the objective is given without ``objective__``, does not exist, or has a value that is not
    allowed. ``fit`` checks the other parameters.""",
    "rows": """\
X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
    Features. A column ``qid`` of a DataFrame (pandas, polars) or an Arrow table holds the query ids.
y : array of shape (n_rows,)
    Labels, larger is better. The objectives of this package take any numbers of a magnitude below 1e38; for negative
    ones the objective's ``ignore_negative_labels`` must be set. May be None with ``pairs``. With a
    :class:`gbdt_pairloss.WeightedSum` whose terms read several labels, an array of shape (n_rows, n_columns); the
    booster and the metrics read the first column.
qid : array of shape (n_rows,), optional
    Query id of each row, of any dtype and in any order. Rows are regrouped internally.
group : array of shape (n_queries,), optional
    Number of rows of each query, in order, instead of ``qid``; ``[n_rows]`` if all rows are one query. One of the two
    must be given, unless there are ``pairs``.
sample_weight : array of shape (n_rows,) or (n_queries,), optional
    One weight per row: item weights, the weight of each row as the winner of its pairs. One per query: query weights.
loser_weight : array of shape (n_rows,), optional
    The weight of each row as the loser of its pairs; for BPR, as a negative.
item_id : array of shape (n_rows,), optional
    The item of each row, of any dtype. BPR does not use a row as a negative if its item is a positive of the query in
    another row.
pairs : (winner, loser) or (winner, loser, weight), optional
    Arrays of shape (n_pairs,), or such columns as one array, table or list of tuples: learn from these pairs of rows,
    counted from 0, instead of the pairs that follow from the labels. Without ``qid`` and ``group``, all rows are then
    one query, for which ``normalize="none"`` or ``"query"`` is a suitable parameter of the objective. scikit-learn's
    searches do not support pairs, because they do not split them along with X.
mask : bool array of shape (n_rows,), optional
    Rows with False take no part in the objective and in the metrics, such as rows without a label; their labels are not
    read and may be NaN. Rows whose label is masked (``numpy.ma``) take no part either. The booster still makes its bins
    from all rows.""",
    "eval_set": """\
eval_set : list of (X, y), optional
    Sets to evaluate after every round, of the shapes of X and y. A single tuple (X, y) is one set. Each list below has
    one entry per set, in the form of the argument of the same name without ``eval``. An entry may be None.
eval_qid : list of arrays of shape (n_rows,), optional
    Query id of each row.
eval_group : list of arrays of shape (n_queries,), optional
    Number of rows of each query, instead of ``eval_qid``.
eval_loser_weight : list of arrays of shape (n_rows,), optional
    Weights of rows as losers, for the loss of the objective.
eval_item_id : list of arrays of shape (n_rows,), optional
    The item of each row, for the loss of BPR.
eval_pairs : list of (winner, loser) or (winner, loser, weight), optional
    Arrays of shape (n_pairs,), for the loss of the objective and for "pair_accuracy".
eval_mask : list of bool arrays of shape (n_rows,), optional
    Rows with False take no part.""",
    "eval_weight": """\
Weights of rows or of queries. A query counts in the mean with its weight, or with the mean of its rows' weights.""",
    "eval_X": """\
eval_X, eval_y : array-likes of the shapes of X and y, or tuples of these, optional
    ``eval_set`` in the form of LightGBM 4.7, which a pipeline can transform (``transform_input=["eval_X"]``).""",
    "fit_raises": """\
RuntimeError
    If ``objective__device="cuda"`` and there is no CUDA device.
TypeError
    If ``pairs`` has another form, if a metric function of this package is given instead of its name, or (LightGBM) if
    a polars or Arrow table has a categorical column.
ValueError
    If X, groups, labels, weights, pairs or a parameter are malformed; if neither ``qid``, ``group`` nor ``pairs`` are
    given; if a metric is unknown, or does not accept the
    labels of an evaluation set; if nothing can be learned because every pair has weight 0; if the objective is one of
    this package, and a parameter is set that only native ranking objectives read.""",
    "fit_warns": """\
UserWarning
    If nothing can be learned, because there is no pair or the Hessians are too small for a split; if no tree has a
    split.""",
    "fitted": """\
objective_ : RankingObjective, or a native objective
    What was trained. ``pair_weight="auto"`` is replaced by what it is for the labels.
n_queries_ : int
    Number of queries that ``fit`` was given.""",
}
