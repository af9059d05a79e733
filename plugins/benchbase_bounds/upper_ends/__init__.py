"""Searches for pairs of signals with a small ratio, the upper ends of brackets of A."""
