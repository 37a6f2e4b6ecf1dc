"""The comparison that ``python -m gbdt_pairloss`` runs."""
