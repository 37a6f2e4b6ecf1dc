"""What both rankers on clusters share: ``fit``, ``predict`` and ``score`` of Dask collections."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone

from ..metrics._names import as_metric
from ..objectives import negative_label_rule, objective_names
from ..objectives._evaluator import evaluator_of
from ..ranking._features import qid_column
from ..ranking._reading import read_rows
from ._cluster import gather, gather_training, one_per_process, placed_on, submitted
from ._rows import LABEL, QUERY, Features, da, dask, dd, distributed, pd, shuffled
from ._workers import STARTS, check, complaint, train


class DaskRankerMixin:
    """``fit``, ``predict`` and ``score`` of Dask collections; put before a ranker of ours."""

    _local_ranker: Any
    _network: Any
    _score_dtype: str
    client: Any

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        qid: Any = None,
        sample_weight: Any = None,
        loser_weight: Any = None,
        item_id: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train the ranker on the rows of a cluster.

        Parameters
        ----------
        X : Dask DataFrame or Dask array of shape (n_rows, n_features)
            In any partitions: a query's rows may lie in several. A column ``qid`` of a DataFrame holds the query ids.
        y : Dask Series or array of shape (n_rows,)
            Labels, larger is better.
        qid : Dask Series or array of shape (n_rows,), optional
            Query id of each row: numbers, dates or strings, in any order. Needed where X has no column ``qid``.
        sample_weight : Dask Series or array of shape (n_rows,), optional
            One per row: item weights.
        loser_weight, item_id : Dask Series or array of shape (n_rows,), optional
            As in the local ranker.
        **fit_params
            What else the local ranker's ``fit`` takes. Dask collections among evaluation sets, their query ids and
            weights are computed, and go whole to every worker: they have to fit into its memory. Callbacks are copied:
            what they write down stays on the workers (``evals_result_`` comes back).

        Returns
        -------
        self : the ranker, with the attributes of a local one

        Raises
        ------
        TypeError
            If X, y, qid or a weight is no Dask collection, ids are neither numbers, dates nor strings, or the local
            ranker's ``fit`` has no such argument.
        ValueError
            If query ids are missing, collections are cut differently, categories differ between partitions, or
            something does not work on a cluster: ``pairs``, ``group``, ``eval_fraction``, weights per query.
        RuntimeError
            If a worker leaves the cluster meanwhile.

        Warns
        -----
        UserWarning
            If nothing can be learned, or no tree has a split; if a training failed, and workers had to be restarted
            that would have waited for their partners for ever.

        Notes
        -----
        The workers take part that got rows, one of each process, each with all of its threads (``n_jobs`` is not
        looked at). The model does not depend on the partitions. Next to a training on one machine, gradients are the
        same, but for negatives that are drawn; the booster's bins, sums and samples depend on the number of workers,
        and LightGBM's data-parallel learner guesses the rows of a leaf from its Hessians, so that trees may differ
        where leaves are small.
        """
        self._refuse(fit_params)
        if qid is None and qid_column(X) is None:
            raise ValueError("fit on a cluster needs qid=, one id per row, or a column qid of X")
        columns = {LABEL: y, QUERY: qid, "sample_weight": sample_weight, "loser_weight": loser_weight}
        columns["item_id"] = item_id
        for name in STARTS:
            columns[name] = fit_params.pop(name, None)
        columns = {name: values for name, values in columns.items() if values is not None}
        client = self.client_
        with client.as_current():
            workers = one_per_process(client)
            objective = self.pairwise_objective()  # type: ignore[attr-defined]
            features, parts = shuffled(client, X, columns, objective, len(workers))
            if not parts:
                raise ValueError("X has no rows")
            placed = placed_on(client, parts, workers)
            ranker = self._unfitted()
            n_queries, learnable = self._check(client, placed, features, ranker)
            (shared,) = client.scatter([dask.compute(fit_params)[0]], broadcast=True, hash=False)
            # One training at a time; the lease of a client that is gone expires.
            with distributed.Semaphore(max_leases=1, name="gbdt_pairloss.dask"):
                network = self._network.of(client, [worker for worker, _ in placed], ranker)
                calls = [
                    (worker, (part, features, ranker, shared, network, rank, workers[worker]))
                    for rank, (worker, part) in enumerate(placed)
                ]
                trained = gather_training(client, submitted(client, train, calls))
        vars(self).update(self._fitted_state(trained))
        self.n_queries_ = n_queries
        if learnable and objective is not None:
            continued = any(fit_params.get(name) is not None for name in ("init_model", "xgb_model"))
            self._warn_without_split(continued)  # type: ignore[attr-defined]
        return self

    def predict(self, X: Any, **kwargs: Any) -> Any:
        """Scores of rows, by the workers that hold them.

        What gives more than one number per row, such as ``pred_contrib``, takes
        ``X.map_partitions(ranker.to_local().predict, ...)``.

        Parameters
        ----------
        X : Dask DataFrame or Dask array of shape (n_rows, n_features)
            Features, in the columns of ``fit``. Anything else is predicted here and now.
        **kwargs
            What else the local ranker's ``predict`` takes.

        Returns
        -------
        scores : Dask Series or array of shape (n_rows,)
            For a DataFrame a Series with its index, for an array an array; order and partitions are those of X. The
            dtype is the booster's: float64 of LightGBM, float32 of XGBoost.

        Raises
        ------
        ValueError
            When it is computed, as the local ranker's ``predict``.
        """
        local = self.to_local()
        meta = pd.Series(name="score", dtype=self._score_dtype)
        if isinstance(X, dd.DataFrame):
            return X.map_partitions(_predict_frame, local, kwargs, meta.dtype, meta=meta)
        if isinstance(X, da.Array):
            X = X.rechunk({1: -1})
            return X.map_blocks(_predict_array, local, kwargs, meta.dtype, drop_axis=1, dtype=meta.dtype)
        return local.predict(X, **kwargs)

    def score(self, X: Any, y: Any, *, qid: Any = None, sample_weight: Any = None, metric: Any = None) -> float:
        """Mean of a metric over the queries of a test set; labels, query ids, weights and scores are brought here.

        Parameters
        ----------
        X, y, qid, sample_weight
            As in :meth:`fit`.
        metric : str or Metric, optional
            Default: "ndcg".

        Returns
        -------
        score : float
            Larger is better.

        Raises
        ------
        ValueError
            If there are no query ids, the data do not suit the metric, or there is no such metric.
        TypeError
            If ``metric`` is neither a name nor a Metric.
        """
        evaluation = as_metric(metric or "ndcg", losses=objective_names())
        name = qid_column(X)
        if name is not None and qid is not None:
            raise ValueError(f"qid is given twice: as the column {name!r} of X and as qid=")
        qid = qid if name is None else X[name]
        if qid is None:
            raise ValueError("score ranks within queries: it needs qid=, or a column qid of X")
        with self.client_.as_current():
            computed = dask.compute(self.predict(X), y, qid, sample_weight)
        scores, labels, ids, weight = (None if values is None else np.asarray(values) for values in computed)
        rule = negative_label_rule(self.pairwise_objective())  # type: ignore[attr-defined]
        return float(evaluation(read_rows(scores, labels, ids, None, weight, ignore_negative_labels=rule), scores))

    def to_local(self) -> Any:
        """The same ranker without Dask.

        Returns
        -------
        ranker : LGBMRanker or XGBRanker
            Fitted, if this one is.
        """
        local = self._unfitted()
        vars(local).update(self._fitted_state(self))
        return local

    @property
    def client_(self) -> Any:
        """The client that is used: ``client``, or the process's own.

        Raises
        ------
        ValueError
            If there is none.
        """
        return distributed.get_client() if self.client is None else self.client

    def _unfitted(self) -> Any:
        params = self.get_params(deep=False)  # type: ignore[attr-defined]
        return self._local_ranker(**{name: value for name, value in params.items() if name != "client"})

    def _fitted_state(self, ranker: Any) -> dict[str, Any]:
        """What is not a parameter of a ranker."""
        kept = {*self.get_params(deep=False), "_other_params"}  # type: ignore[attr-defined]
        return {name: value for name, value in vars(ranker).items() if name not in kept}

    def _refuse(self, fit_params: dict[str, Any]) -> None:
        """Raise where an argument or a parameter cannot work on a cluster."""
        known = inspect.signature(self._local_ranker.fit).parameters
        for name in fit_params:
            if name not in known:
                raise TypeError(f"fit has no argument {name!r}")
        for name in ("pairs", "group"):
            if fit_params.get(name) is not None:
                raise ValueError(f"{name} has no meaning on a cluster, where rows have no numbers; give qid= per row")
        if self.eval_fraction is not None:  # type: ignore[attr-defined]
            raise ValueError("eval_fraction does not work on a cluster: hold out queries yourself, as eval_set")
        evaluator = evaluator_of(self.pairwise_objective())  # type: ignore[attr-defined]
        if evaluator is not None and evaluator.row_parameter is not None:
            raise ValueError(
                f"{evaluator.row_parameter}= of the objective is an array, and rows have no numbers on a cluster: give "
                "fit loser_weight=, per row"
            )

    def _check(self, client: Any, placed: list[tuple[str, Any]], features: Features, ranker: Any) -> tuple[int, bool]:
        """Have every worker check its rows: the number of queries, and whether anything can be learned from them."""

        def ask(question: Any, placed: list[tuple[str, Any]]) -> list[Any]:
            calls = [(worker, (part, features, ranker)) for worker, part in placed]
            return gather(client, submitted(client, question, calls))

        reports = ask(check, placed)
        learnable = any(report.learnable for report in reports)
        if not learnable:
            # One with pairs, if there is one, knows why they count for nothing.
            speaker = max(range(len(reports)), key=lambda i: reports[i].has_pairs)
            (messages,) = ask(complaint, [placed[speaker]])
            for message in messages:
                warnings.warn(message, UserWarning, stacklevel=3)
        return sum(report.n_queries for report in reports), learnable

    def __sklearn_clone__(self) -> Any:
        # The client is no parameter to copy.
        params = clone(self._unfitted()).get_params(deep=False)
        ranker: Any = type(self)
        return ranker(client=self.client, **params)

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())  # type: ignore[misc]
        state["client"] = None
        if "_other_params" in state:
            state["_other_params"] = {name: v for name, v in state["_other_params"].items() if name != "client"}
        return state


def _predict_frame(frame: Any, ranker: Any, kwargs: dict[str, Any], dtype: Any) -> Any:
    return pd.Series(_predict_array(frame, ranker, kwargs, dtype), index=frame.index, name="score")


def _predict_array(block: Any, ranker: Any, kwargs: dict[str, Any], dtype: Any) -> Any:
    return ranker.predict(block, **kwargs) if len(block) else np.empty(0, dtype=dtype)
