"""LightGBM: its Dataset, and its ranker with our objectives."""
