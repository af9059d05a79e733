"""Frames that do not span: what is orthogonal to all vectors is lost under every pooling."""

from __future__ import annotations

import time

import numpy as np

from benchbase_bounds.bracket import Bracket
from benchbase_bounds.geometry.rational import rank
from benchbase_bounds.representation import Operator

_SAFE = 1e-9  # relative singular values above it are not zero, whatever the rounding


def not_spanning(operator: Operator) -> Bracket | None:
    """Return the bracket of vectors that do not span R^N, None where they do.

    A signal orthogonal to all vectors has the representation of 0, and A = 0. B is only said to be
    at most √L λ₊(F), or λ₊(F) for p other than 1.
    """
    begin = time.perf_counter()
    rows = operator.vectors.reshape(-1, operator.n)
    _, sizes, right = np.linalg.svd(rows)
    clearly = len(sizes) == operator.n and sizes[-1] > _SAFE * sizes[0]
    if clearly or rank(rows) == operator.n:
        return None
    x, y = np.zeros(operator.n), right[-1]
    factor = np.sqrt(operator.vectors.shape[1]) if operator.p == 1 else 1.0
    return Bracket(
        lower=0.0,
        upper=float(operator.ratio(x, y)),
        exact=True,
        largest=float(factor * sizes[0]),
        largest_exact=not operator.rectified and operator.p == 2,
        pair=(x, y),
        method="the vectors do not span: not injective",
        seconds=time.perf_counter() - begin,
    )
