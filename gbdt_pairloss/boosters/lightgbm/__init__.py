"""LightGBM: its Dataset, and its ranker with the objectives of this package."""
