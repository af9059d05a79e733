"""Carrying out what is planned."""
