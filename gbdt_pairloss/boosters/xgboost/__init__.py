"""XGBoost: its datasets, batches of these, and our ranker."""
