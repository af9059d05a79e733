"""Nesterov's momentum with restarts, for each signal of a batch."""

from __future__ import annotations

import numpy as np

from benchbase import Array


class Momentum:
    """Nesterov's momentum: the shares of the last step by which signals go ahead.

    The sequence of shares begins again after each restart. Source: O'Donoghue and Candès, "Adaptive
    restart for accelerated gradient schemes", Foundations of Computational Mathematics 15 (2015).

    Parameters
    ----------
    size : int
        The number of signals S.
    """

    def __init__(self, size: int) -> None:
        self._pace = np.ones(size)

    def shares(self, restart: Array) -> Array:
        """Return the next shares (S,), which are 0 for signals that the mask `restart` marks."""
        self._pace[restart] = 1.0
        following = (1 + np.sqrt(1 + 4 * self._pace**2)) / 2
        shares: Array = (self._pace - 1) / following
        self._pace = following
        return shares

    def keep(self, stay: Array) -> None:
        """Go on with the signals that a boolean mask (S,) marks."""
        self._pace = self._pace[stay]
