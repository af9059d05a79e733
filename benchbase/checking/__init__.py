"""Checks of stored results, and scores for estimates that others submit."""
