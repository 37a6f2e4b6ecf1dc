"""The boosters, one folder each. All folders have these files.

- ``dataset``: the booster's datasets. The module has the names of ``Adapter`` in ``ranking/_adapter.py``.
- ``ranker``: the booster's scikit-learn ranker with the objectives of this package, a subclass of ``RankerMixin`` in
  ``boosters/_ranker.py`` and of the booster's ranker.
- ``parameters``: the booster's parameters that matter to objectives of this package.
- ``training``: the training of that ranker with gradients of this package.
- ``evaluation``: the evaluation sets of that training, and the metrics of this package on them.

A native objective, metric or ranker is the booster's. A folder may have more files for what only its booster needs:
``lightgbm/columns.py``, ``xgboost/batches.py``.

To add a booster:

1. Make a folder with the name of the booster's package, and write its ``dataset``, which imports the package by
   ``import_booster``. Add the name to the loop below. The objectives and ``feval`` as callables, ``attach`` and ``cv``
   then support the booster.
2. Write the other files. ``parameters`` has ``check_parameters`` and ``min_child_hessian``, ``training`` has
   ``gradient_function`` and ``fit_natively``, ``evaluation`` has ``evaluation_arguments``. The ranker's bases are
   ``RankerMixin`` and the native ranker. It defines ``__init__`` with ``objective`` and ``eval_fraction`` and the
   signature of ``keyword_signature``, ``fit``, ``predict``, ``_native_ranker``, ``_forget``, ``_n_splits``, and what
   turns its parameters into native ones, by ``native_parameters`` and ``seed_of``.
3. Add the ranker to the docstring, ``__all__`` and the lazy imports of ``gbdt_pairloss/__init__.py``, and to the tables
   of ``gbdt_pairloss/_demo/_comparison.py``.
4. Add the package to the extras and to mypy's list of untyped modules in ``pyproject.toml``, and its versions to
   ``.ci/run``.
5. Add the ranker and the package to the lists in ``tests/_support``: ``rankers.py``, ``boosters.py``, ``datasets.py``.
6. If the booster trains on Dask clusters, add its network and its ranker to ``gbdt_pairloss/dask/``, its initial scores
   to ``_workers.py``, its initial model to ``_ranker.py`` and its package to ``_cluster.py``.
"""

from __future__ import annotations

from ..ranking._adapter import register_adapter

for _package in ("lightgbm", "xgboost"):
    register_adapter(_package, f"{__name__}.{_package}.dataset")
