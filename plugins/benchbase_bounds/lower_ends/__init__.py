"""Certified lower bounds of A, the lower ends of brackets."""
