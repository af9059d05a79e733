"""Verification of stored results, and scoring what others claim."""
