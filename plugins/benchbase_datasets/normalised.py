"""Data sets that can scale their signals to unit norm."""

from __future__ import annotations

import numpy as np

import benchbase
from benchbase import Array

BLOCK = 4096
"""The number of signals that are converted to float64 at a time, to bound the memory."""


class NormalisedDataset(benchbase.Dataset):
    """A data set whose signals can be scaled to unit norm.

    If they are, the attribute `signal_norm` tells the solvers.

    Parameters
    ----------
    normalise : bool
        Whether every signal is scaled to unit Euclidean norm. A zero signal stays zero.
    """

    normalise: bool = False

    @property
    def signal_norm(self) -> float | None:  # type: ignore[override] # it is read, never assigned
        """The norm that all signals share: 1 if they are normalised, else None."""
        return 1.0 if self.normalise else None


def to_unit_norm(signals: Array) -> float:
    """Scale signals (S, N) to unit norm in place and return their former root mean square norm.

    Zero signals stay zero.

    Returns
    -------
    float
        The root mean square of the norms before scaling; 1 if all signals were zero. A
        picture multiplied by this number has about the contrast that it had before scaling.
    """
    energy = 0.0
    for start in range(0, len(signals), BLOCK):
        block = signals[start : start + BLOCK].astype(np.float64)
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        energy += float(np.sum(norms**2))
        signals[start : start + BLOCK] = block / np.where(norms > 0, norms, 1.0)
    return float(np.sqrt(energy / max(len(signals), 1))) or 1.0
