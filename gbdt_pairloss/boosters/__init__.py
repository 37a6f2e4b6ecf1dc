"""The boosters: a folder each, with the same files. To add one: its folder, and its name here.

- ``dataset``: reads the booster's datasets, an :class:`~gbdt_pairloss.ranking._adapter.Adapter`;
- ``ranker``: its scikit-learn estimator;
- ``training``: how our gradients get into its training;
- ``evaluation``: how our metrics do.
"""

from __future__ import annotations

from ..ranking._adapter import register_adapter

for _package in ("lightgbm", "xgboost"):
    register_adapter(_package, f"{__name__}.{_package}.dataset")
