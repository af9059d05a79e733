"""Signals of unit norm."""

from __future__ import annotations

import numpy as np

import benchbase
from benchbase import Array

BLOCK = 4096
"""Signals that are converted to float64 at a time."""


class NormalisedDataset(benchbase.Dataset):
    """A data set whose signals can be scaled to unit norm, which solvers are then told.

    Parameters
    ----------
    normalise : bool
        Whether every signal is scaled to unit Euclidean norm. A signal that is zero stays zero.
    """

    normalise: bool = False

    @property
    def signal_norm(self) -> float | None:  # type: ignore[override] # none sets it, all read it
        """The norm that all signals share: 1, or None where they differ."""
        return 1.0 if self.normalise else None


def to_unit_norm(signals: Array) -> float:
    """Scale signals (S, N) to unit norm, in place, and return what their norms were.

    Zero signals stay zero.

    Returns
    -------
    float
        The root mean square of the norms before, with which pictures of scaled signals get about
        the contrast of their images back; 1 if all were zero.
    """
    energy = 0.0
    for start in range(0, len(signals), BLOCK):
        block = signals[start : start + BLOCK].astype(np.float64)
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        energy += float(np.sum(norms**2))
        signals[start : start + BLOCK] = block / np.where(norms > 0, norms, 1.0)
    return float(np.sqrt(energy / max(len(signals), 1))) or 1.0
