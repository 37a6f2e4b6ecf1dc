"""The sums that the CUDA engine supports. Importing this module imports neither the engine nor CuPy."""

from __future__ import annotations

from ..spec import PairSum


def unsupported(spec: PairSum) -> str | None:
    """Return the part of a sum that the CUDA engine does not support, in words, or None if it supports all of it."""
    if spec.pair_loss.name not in ("logistic", "squared_residual"):
        return f"the {spec.pair_loss.name} loss"
    return None if spec.negatives is None else "drawn negatives"
