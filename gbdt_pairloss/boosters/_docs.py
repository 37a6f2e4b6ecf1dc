"""What the docstrings of both rankers say alike, written once."""

from __future__ import annotations

#: What both rankers say of what both have, in their own docstrings and in that of ``fit``.
RANKER_TEXT = {
    "eval_fraction": """\
eval_fraction : float between 0 and 1, optional
    Share of the queries, drawn by ``random_state`` (None: 0), that ``fit`` holds out as evaluation set, whole,
    where it is given none: for early stopping (``early_stopping_rounds=20``) inside pipelines and searches. The
    model learns from the others alone.""",
    "init_raises": """\
ValueError
    If a parameter of the objective is given without ``objective__``, does not exist, or has a value that it cannot
    have. ``fit`` looks at the others.""",
    "rows": """\
X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
    Features. A column ``qid`` of a DataFrame (pandas, polars) or an Arrow table holds the query ids.
y : array of shape (n_rows,)
    Labels, larger is better. Any finite numbers for our objectives. None with ``pairs``.
qid : array of shape (n_rows,), optional
    Query id of each row: any dtype, any order; rows are regrouped inside.
group : array of shape (n_queries,), optional
    Rows of each query, in order, instead of ``qid``. Without either all rows are one query, with a warning.
sample_weight : array of shape (n_rows,) or (n_queries,), optional
    One per row: how much it counts as the winner of its pairs. One per query: how much the query counts.
loser_weight : array of shape (n_rows,), optional
    Weight of each row as the loser of its pairs; for BPR, as a negative.
item_id : array of shape (n_rows,), optional
    The item that each row is, of any dtype: BPR takes no row for a negative whose item is a positive of its
    query in another row.
pairs : (winner, loser) or (winner, loser, weight), optional
    Arrays of shape (n_pairs,): learn from these pairs of rows, counted from 0, in the place of those that the
    labels make. Without qid and group all rows are then one query; ``normalize="none"`` or ``"query"`` of
    the objective suits it. Nobody cuts pairs along with X: they do not go through scikit-learn's searches.""",
    "eval_set": """\
eval_set : list of (X, y), optional
    Sets to evaluate after every round, of the shapes of X and y; a tuple (X, y) alone is one set. The lists below have
    one entry for each set, in the form of the argument without ``eval``; None: none.
eval_qid : list of arrays of shape (n_rows,), optional
    Query id of each row.
eval_group : list of arrays of shape (n_queries,), optional
    Rows of each query, instead of ``eval_qid``.
eval_loser_weight : list of arrays of shape (n_rows,), optional
    Weights of rows as losers, for the objectives' own loss.
eval_item_id : list of arrays of shape (n_rows,), optional
    The item that each row is, for the loss of BPR.
eval_pairs : list of (winner, loser) or (winner, loser, weight), optional
    Arrays of shape (n_pairs,), for the objectives' own loss and "pair_accuracy".""",
    "eval_weight": """\
Weights of rows, or of queries: a query counts in the mean with its weight, or the mean of its rows' weights.""",
    "eval_X": """\
eval_X, eval_y : array-likes of the shapes of X and y, or tuples of these, optional
    ``eval_set`` in the form of LightGBM 4.7, which a pipeline can transform (``transform_input=["eval_X"]``).""",
    "fit_raises": """\
RuntimeError
    For ``objective__device="cuda"``, if there is no device.
TypeError
    If ``pairs`` are not a tuple, a metric function of ours is given in the place of its name, or (LightGBM) categorical
    columns are polars' or Arrow's.
ValueError
    If X, groups, labels, weights, pairs or a parameter are malformed; if a metric is not known, or the labels of an
    evaluation set do not suit it; if nothing can be learned, for every pair has weight 0; if a parameter of the
    booster's own objectives is set that ours would ignore.""",
    "fit_warns": """\
UserWarning
    If neither qid nor group is given; if nothing can be learned, for there is no pair or Hessians are too small for a
    split; if no tree has a split.""",
}
