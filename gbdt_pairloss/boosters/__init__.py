"""The boosters, one folder each. All folders have these files.

- ``dataset``: the booster's datasets. The module has the names of ``Adapter`` in ``ranking/_adapter.py``.
- ``ranker``: the booster's scikit-learn ranker with the objectives of this package, a subclass of ``RankerMixin`` in
  ``boosters/_ranker.py`` and of the booster's ranker.
- ``training``: the training of that ranker with gradients of this package, and the parameters that matter to them.
- ``evaluation``: the evaluation sets of that training, and the metrics of this package on them.

A native objective, metric or ranker is the booster's. A folder may have more files for what only its booster needs:
``lightgbm/columns.py``, ``xgboost/batches.py``.

To add a booster:

1. Make a folder with the name of the booster's package, and write its ``dataset``, which imports the package by
   ``import_booster``. Add the name to the loop below. The objectives and ``feval`` as callables, ``attach`` and ``cv``
   then support the booster.
2. Write the other files. ``training`` has ``check_parameters``, ``min_child_hessian``, ``gradient_function`` and
   ``fit_natively``; ``evaluation`` has ``evaluation_arguments``. The ranker's bases are ``RankerMixin`` and the native
   ranker; it defines ``fit``, ``predict``, ``_native_ranker``, ``_forget`` and ``_n_splits``.
3. Add the ranker to ``__all__`` and to the lazy imports of ``gbdt_pairloss/__init__.py``.
4. Add the package to the extras and to mypy's list of untyped modules in ``pyproject.toml``.
5. Add the ranker to ``tests/_support/rankers.py``, and the package to the parametrized tests in ``tests/boosters``.
6. If the booster trains on Dask clusters, add its network and its ranker to ``gbdt_pairloss/dask/``.
"""

from __future__ import annotations

from ..ranking._adapter import register_adapter

for _package in ("lightgbm", "xgboost"):
    register_adapter(_package, f"{__name__}.{_package}.dataset")
