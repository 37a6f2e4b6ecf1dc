"""The shared part of both Dask rankers: ``fit``, ``predict`` and ``score`` of Dask collections."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone

from ..metrics._names import as_metric
from ..objectives._interface import evaluator_of
from ..objectives._registry import negative_label_rule, objective_names
from ..ranking._features import qid_column
from ..ranking._reading import first_labels, read_rows
from ._cluster import assign_partitions, gather, gather_training, one_worker_per_process, submit
from ._rows import LABEL, QUERY, Features, da, dask, dd, distributed, pd, shuffle_by_query
from ._workers import INITIAL_SCORES, check_part, explain_unlearnable, train


class DaskRankerMixin:
    """A mixin with ``fit``, ``predict`` and ``score`` of Dask collections; it precedes a local ranker in the bases."""

    #: The class of the local ranker, the class of its network, and the dtype of its predictions.
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
        mask: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train the ranker on the rows of a cluster.

        Parameters
        ----------
        X : Dask DataFrame or Dask array of shape (n_rows, n_features)
            Features, in any partitions: the rows of a query may be in several of them. A column ``qid`` of a DataFrame
            holds the query ids.
        y : Dask Series or array of shape (n_rows,)
            Labels, larger is better. With a ``WeightedSum``, an array or DataFrame of shape (n_rows, n_columns) if its
            terms read several labels.
        qid : Dask Series or array of shape (n_rows,), optional
            Query id of each row: numbers, dates or strings, in any order. Required if X has no column ``qid``.
        sample_weight : Dask Series or array of shape (n_rows,), optional
            Item weights: the weight of each row as the winner of its pairs.
        loser_weight : Dask Series or array of shape (n_rows,), optional
            The weight of each row as the loser of its pairs; for BPR, as a negative.
        item_id : Dask Series or array of shape (n_rows,), optional
            The item of each row. BPR does not use a row as a negative if its item is a positive of the query in another
            row.
        mask : Dask Series or array of bool of shape (n_rows,), optional
            Rows with False take no part, and their labels are not read.
        **fit_params
            The other arguments of the local ranker's ``fit``. Initial scores (``init_score`` of LightGBM,
            ``base_margin`` of XGBoost) must be a Dask collection, like y. Evaluation sets, their query ids and weights
            may be Dask collections: they are computed, and every worker gets all of them, so that they must fit into
            its memory. Callbacks are copied, and what they record stays on the workers; only ``evals_result_`` is
            returned.

        Returns
        -------
        self : DaskLGBMRanker or DaskXGBRanker
            The ranker, with the attributes of a fitted local ranker.

        Raises
        ------
        TypeError
            If X, y, qid or a weight is not a Dask collection, ids are not all numbers, dates or strings, or the local
            ranker's ``fit`` does not have such an argument.
        ValueError
            If query ids are missing, collections have different partitions, categories differ between partitions, or an
            argument or parameter is not supported on a cluster: ``pairs``, ``group``, ``eval_fraction``, weights per
            query.
        RuntimeError
            If a worker leaves the cluster during the training.

        Warns
        -----
        UserWarning
            If nothing can be learned, or no tree has a split; if the training failed, and workers that would have
            waited for the others forever were restarted, or have to be.

        See Also
        --------
        gbdt_pairloss.LGBMRanker.fit : Train LightGBM's ranker locally.
        gbdt_pairloss.XGBRanker.fit : Train XGBoost's ranker locally.

        Notes
        -----
        The workers that hold rows after the shuffle take part, one of each process. Each of them uses all of its
        threads, and ``n_jobs`` is ignored. The model does not depend on the partitions.

        Gradients are the same as in a training on one machine, except for drawn negatives and rank noise. The
        booster's bins, sums and samples depend on the number of workers. LightGBM's data-parallel learner
        estimates the number of rows in a leaf from its Hessians, so that its trees may differ if leaves are
        small.
        """
        self._refuse_unsupported(fit_params)
        if qid is None and qid_column(X) is None:
            raise ValueError("fit on a cluster needs qid=, one id per row, or a column qid of X")
        columns = {LABEL: y, QUERY: qid, "sample_weight": sample_weight, "loser_weight": loser_weight}
        columns |= {"item_id": item_id, "mask": mask}
        for name in INITIAL_SCORES:
            columns[name] = fit_params.pop(name, None)
        columns = {name: values for name, values in columns.items() if values is not None}
        client = self.client_
        with client.as_current():
            workers = one_worker_per_process(client)
            objective = self.pairwise_objective()  # type: ignore[attr-defined]
            features, parts = shuffle_by_query(client, X, columns, objective, len(workers))
            if not parts:
                raise ValueError("X has no rows")
            assigned = assign_partitions(client, parts, workers)
            ranker = self._unfitted_local()
            n_queries, learnable, has_grades = self._check_on_workers(client, assigned, features, ranker)
            if objective is not None:
                ranker.objective = objective._decided(has_grades)
            (shared,) = client.scatter([dask.compute(fit_params)[0]], broadcast=True, hash=False)
            # One training at a time. The lease of a client that has left expires.
            with distributed.Semaphore(max_leases=1, name="gbdt_pairloss.dask"):
                network = self._network.of(client, [worker for worker, _ in assigned], ranker)
                calls = [
                    (worker, (part, features, ranker, shared, network, rank, workers[worker]))
                    for rank, (worker, part) in enumerate(assigned)
                ]
                trained = gather_training(client, submit(client, train, calls))
        vars(self).update(self._fitted_state(trained))
        self.n_queries_ = n_queries
        if learnable and objective is not None:
            continued = any(fit_params.get(name) is not None for name in ("init_model", "xgb_model"))
            self._warn_without_split(continued)  # type: ignore[attr-defined]
        return self

    def predict(self, X: Any, **kwargs: Any) -> Any:
        """Predict scores on the workers that hold the rows.

        Parameters
        ----------
        X : Dask DataFrame or Dask array of shape (n_rows, n_features)
            Features, with the columns of ``fit``. If X is not a Dask collection, the local ranker predicts at once.
        **kwargs
            The other arguments of the local ranker's ``predict``.

        Returns
        -------
        scores : Dask Series or array of shape (n_rows,)
            A Series with the index of X for a DataFrame, an array for an array, in the order and partitions of X. The
            dtype is the booster's: float64 for LightGBM, float32 for XGBoost.

        Raises
        ------
        ValueError
            If the local ranker's ``predict`` does not accept the features. It is raised when the scores are computed.

        See Also
        --------
        to_local : Make a local ranker.

        Notes
        -----
        Only one number per row is supported. For several numbers per row, as with ``pred_contrib``, use
        ``X.map_partitions(ranker.to_local().predict, ...)``.
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
        """Compute the mean of a metric over the queries of a test set.

        Parameters
        ----------
        X : Dask DataFrame or Dask array of shape (n_rows, n_features)
            Features. A column ``qid`` of a DataFrame holds the query ids.
        y : Dask Series or array of shape (n_rows,)
            Labels, larger is better. Of several labels of a ``WeightedSum`` the first column is used.
        qid : Dask Series or array of shape (n_rows,), optional
            Query id of each row. Required if X has no column ``qid``.
        sample_weight : Dask Series or array of shape (n_rows,), optional
            Item weights. The weight of a query is the mean of its item weights.
        metric : str or Metric, optional
            A name such as "ndcg@10", or the result of ``metrics.get_metric``. None: "ndcg".

        Returns
        -------
        score : float
            Larger is better.

        Raises
        ------
        ValueError
            If query ids are missing or given twice, the metric does not accept the data, or the metric is unknown.
        TypeError
            If ``metric`` is neither a name nor a Metric.

        Notes
        -----
        Scores are predicted on the workers. Scores, labels, query ids and weights must fit into the memory of the
        client, which computes the metric.
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
        objective = self.pairwise_objective()  # type: ignore[attr-defined]
        if objective is not None and objective._reads_columns:
            labels = first_labels(labels)
        rule = negative_label_rule(objective, column=0)
        return float(evaluation(read_rows(scores, labels, ids, None, weight, ignore_negative_labels=rule), scores))

    def to_local(self) -> Any:
        """Make a local ranker with the same parameters and, if this ranker is fitted, the same model.

        Returns
        -------
        ranker : LGBMRanker or XGBRanker
            A ranker that does not use Dask.
        """
        local = self._unfitted_local()
        vars(local).update(self._fitted_state(self))
        return local

    @property
    def client_(self) -> Any:
        """The client of the cluster: ``client``, or the current client of this process if ``client`` is None.

        Raises
        ------
        ValueError
            If there is no client.
        """
        return distributed.get_client() if self.client is None else self.client

    def _unfitted_local(self) -> Any:
        """Return an unfitted local ranker with the same parameters."""
        params = self.get_params(deep=False)  # type: ignore[attr-defined]
        return self._local_ranker(**{name: value for name, value in params.items() if name != "client"})

    def _fitted_state(self, ranker: Any) -> dict[str, Any]:
        """Return the attributes of a ranker that are not parameters."""
        kept = {*self.get_params(deep=False), "_other_params"}  # type: ignore[attr-defined]
        return {name: value for name, value in vars(ranker).items() if name not in kept}

    def _refuse_unsupported(self, fit_params: dict[str, Any]) -> None:
        """Raise if an argument is unknown, or an argument or parameter is not supported on a cluster."""
        known = inspect.signature(self._local_ranker.fit).parameters
        for name in fit_params:
            if name not in known:
                raise TypeError(f"fit has no argument {name!r}")
        for name in ("pairs", "group"):
            if fit_params.get(name) is not None:
                raise ValueError(
                    f"{name} has no meaning on a cluster, where rows have no numbers; give qid=, one id per row"
                )
        if self.eval_fraction is not None:  # type: ignore[attr-defined]
            raise ValueError("eval_fraction does not work on a cluster: hold out queries and give them as eval_set")
        evaluator = evaluator_of(self.pairwise_objective())  # type: ignore[attr-defined]
        if evaluator is not None and evaluator.row_parameter is not None:
            raise ValueError(
                f"{evaluator.row_parameter}= of the objective is an array, and rows have no numbers on a cluster: give "
                "fit loser_weight=, per row"
            )

    def _check_on_workers(
        self, client: Any, assigned: list[tuple[str, Any]], features: Features, ranker: Any
    ) -> tuple[int, bool, bool]:
        """Check the rows on every worker.

        Return the number of queries, whether anything can be learned, and whether all labels are grades.

        Warns
        -----
        UserWarning
            If nothing can be learned.
        """

        def run(function: Any, assigned: list[tuple[str, Any]]) -> list[Any]:
            calls = [(worker, (part, features, ranker)) for worker, part in assigned]
            return gather(client, submit(client, function, calls))

        reports = run(check_part, assigned)
        learnable = any(report.learnable for report in reports)
        if not learnable:
            # A worker with pairs, if there is one, can tell why no pair counts.
            chosen = max(range(len(reports)), key=lambda i: reports[i].has_pairs)
            (messages,) = run(explain_unlearnable, [assigned[chosen]])
            for message in messages:
                warnings.warn(message, UserWarning, stacklevel=3)
        has_grades = all(report.has_grades for report in reports)
        return sum(report.n_queries for report in reports), learnable, has_grades

    def __sklearn_clone__(self) -> Any:
        # clone() copies parameters, but a client cannot be copied.
        params = clone(self._unfitted_local()).get_params(deep=False)
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
