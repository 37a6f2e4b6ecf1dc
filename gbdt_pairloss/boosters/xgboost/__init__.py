"""XGBoost: its DMatrix, batches of whole queries, and its ranker with the objectives of this package."""
