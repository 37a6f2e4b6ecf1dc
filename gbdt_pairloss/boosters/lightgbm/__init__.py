"""LightGBM: its datasets, and our ranker."""
