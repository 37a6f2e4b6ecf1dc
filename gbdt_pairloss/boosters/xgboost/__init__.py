"""XGBoost: its DMatrix, batches of whole queries, and its ranker with our objectives."""
