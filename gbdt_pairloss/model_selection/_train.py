"""Training of a booster with objectives and metrics by name."""

from __future__ import annotations

from typing import Any

from ..objectives._parameters import is_whole
from ..objectives._registry import AUTO
from ..ranking._adapter import Stopping, adapter_of
from ..ranking._validation import as_list
from ._arguments import name_of, resolved_direction, take_arguments


def train(
    params: dict[str, Any],
    dataset: Any,
    num_boost_round: int = 100,
    *,
    evals: Any = None,
    feval: Any = None,
    early_stopping_rounds: int | None = None,
    maximize: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Train a Booster of LightGBM or XGBoost, with objectives and metrics by name or as objects.

    It is the booster's ``train``, with the parameters that our objectives need, and with early stopping in the
    direction in which a metric improves.

    Parameters
    ----------
    params : dict
        The booster's parameters. ``"objective"`` is an objective of this package or its name, with parameters such as
        ``"objective__temperature"``, or a native one; default: "auto", as in the rankers. ``"metric"`` (LightGBM) and
        ``"eval_metric"`` (XGBoost) are names such as "ndcg@10"; "native:ndcg" is the booster's.
    dataset : lightgbm.Dataset or xgboost.DMatrix
        A dataset with groups.
    num_boost_round : int, default=100
        Number of rounds.
    evals : list of (dataset, name), optional
        Sets to evaluate after every round. A dataset without a name is "valid_0" and so on.
    feval : str, Metric, objective, callable or list of these, optional
        More metrics; callables in the booster's form.
    early_stopping_rounds : int, optional
        Stop if the last metric that is asked for has not improved in so many rounds on the last set.
    maximize : bool, optional
        Whether larger values of the last metric are better, for XGBoost and a callable, whose direction is not known.
    **kwargs
        Other arguments of the booster's ``train``, such as ``callbacks=``, and ``evals_result=``, a dict into which the
        values of the metrics are written.

    Returns
    -------
    booster : lightgbm.Booster or xgboost.Booster
        The booster's own model.

    Raises
    ------
    TypeError
        If ``dataset`` is not a booster's dataset, ``evals`` is not a list, a metric function of this package is given
        instead of its name, or the booster's ``train`` does not have such an argument.
    ValueError
        If a metric is unknown, the objective is given twice, a parameter is set that the objective would ignore, early
        stopping has nothing to follow, or ``maximize`` is needed and not given, or contradicts the metric. Also the
        errors of the objective.

    See Also
    --------
    cv : The booster's cross-validation, with the same parameters.
    LGBMRanker, XGBRanker : Rankers for arrays and tables.

    Examples
    --------
    >>> import lightgbm as lgb
    >>> from gbdt_pairloss import train
    >>> from gbdt_pairloss.datasets import make_ranking
    >>> data = make_ranking(n_queries=60, random_state=0)
    >>> dataset = lgb.Dataset(data.X, data.y, group=data.group)
    >>> history = {}
    >>> params = {"objective": "pairwise_logistic", "metric": "ndcg@10", "verbose": -1}
    >>> model = train(params, dataset, 20, evals=[(dataset, "train")], evals_result=history)
    >>> type(model).__name__, len(history["train"]["ndcg@10"])
    ('Booster', 20)
    """
    adapter = adapter_of(dataset)
    if adapter is None:
        raise TypeError(f"train takes a lightgbm.Dataset or an xgboost.DMatrix, got a {type(dataset).__name__}")
    params, kwargs = dict(params), {**kwargs, "feval": feval}
    objective, metrics = take_arguments(adapter, params, kwargs, default=AUTO)
    maximize = resolved_direction(metrics.last, maximize)
    sets = _named_sets(evals)
    stopping = None
    if early_stopping_rounds is not None:
        if not is_whole(early_stopping_rounds, 1):
            raise ValueError(f"early_stopping_rounds must be a whole number above 0, got {early_stopping_rounds!r}")
        if not sets:
            raise ValueError("early_stopping_rounds needs evals=, a list of (dataset, name)")
        stopping = Stopping(early_stopping_rounds, sets[-1][1], name_of(metrics.last), maximize)
    return adapter.train(
        params, dataset, num_boost_round, sets, objective, metrics.native, metrics.evaluate, stopping, **kwargs
    )


def _named_sets(evals: Any) -> list[tuple[Any, str]]:
    """Return evaluation sets with their names."""
    if isinstance(evals, tuple) and len(evals) == 2 and isinstance(evals[1], str):
        evals = [evals]
    sets = []
    for number, entry in enumerate(as_list(evals)):
        dataset, name = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, f"valid_{number}")
        if adapter_of(dataset) is None or not isinstance(name, str):
            raise TypeError(f"evals[{number}] must be a dataset, or a dataset and its name; got {entry!r}")
        sets.append((dataset, name))
    return sets
