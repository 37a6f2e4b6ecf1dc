"""The tests of the boosters need LightGBM 4 and XGBoost. Without them only the test of LightGBM 3 is collected."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def is_installed(package: str, oldest: int) -> bool:
    try:
        return int(version(package).split(".")[0]) >= oldest
    except PackageNotFoundError:
        return False


collect_ignore_glob = [] if is_installed("lightgbm", 4) and is_installed("xgboost", 2) else ["test_[!l]*.py"]
