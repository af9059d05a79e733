"""Which numbers are zero, and how far rounding may take a computed one from the true one.

Relative sizes below `ZERO` may be the rounding of zero, and those of at least `CLEAR` cannot be.
Nothing is certified of a size between the two.
"""

from __future__ import annotations

import numpy as np

ZERO, CLEAR = 1e-12, 1e-7
EPS = float(np.finfo(np.float64).eps)


class NearlyDegenerateError(ArithmeticError):
    """Vectors are so close to dependent ones that rounding decides whether they are."""
