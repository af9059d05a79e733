"""Vectors that do not span R^N, under every pooling: A = 0."""

from __future__ import annotations

import numpy as np

from benchbase_bounds.bracket import Bracket, conclude
from benchbase_bounds.geometry.rational import rank
from benchbase_bounds.representation import Operator

_SAFE = 1e-9  # relative singular values above it are not zero, whatever the rounding


def not_spanning(operator: Operator) -> Bracket | None:
    """Return the bracket of vectors that do not span R^N, or None if they do span it.

    A signal orthogonal to all vectors has the representation of 0, so that A = 0. B is at most
    λ₊(F), or √L λ₊(F) for p = 1.

    Parameters
    ----------
    operator : Operator
        The representation.
    """
    rows = operator.vectors.reshape(-1, operator.n)
    _, sizes, right = np.linalg.svd(rows)
    clearly = len(sizes) == operator.n and sizes[-1] > _SAFE * sizes[0]
    if clearly or rank(rows) == operator.n:
        return None
    x, y = np.zeros(operator.n), right[-1]
    factor = np.sqrt(operator.vectors.shape[1]) if operator.p == 1 else 1.0
    known = operator.p == 2 and not operator.rectified
    return conclude(
        0.0,
        float(operator.ratio(x, y)),
        (x, y),
        "the vectors do not span: not injective",
        "",
        largest=float(factor * sizes[0]),
        attained=None if known else 0.0,
    )
