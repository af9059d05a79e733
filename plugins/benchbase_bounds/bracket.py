"""What is known of the Lipschitz constants of a frame under a pooling."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchbase import Array


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """The two Lipschitz constants of a pooling representation R, as far as they are known.

    A·d(x, x') ≤ ‖R(x) − R(x')‖ ≤ B·d(x, x') for all x, x' in R^N, with the largest A and the
    least B. The distance d is min(‖x − x'‖, ‖x + x'‖) where x and −x have the same
    representation, and ‖x − x'‖ elsewhere (Bruna, Szlam and LeCun, "Signal recovery from pooling
    representations", ICML 2014, section 2).

    Attributes
    ----------
    lower : float
        A certified lower bound of A, allowance for rounding made; 0 where none is known.
    upper : float
        The best upper estimate of A: the ratio ‖R(x) − R(x')‖ / d(x, x') of `pair`.
    exact : bool
        Whether `lower` and `upper` agree to rounding, so that A is known.
    largest : float
        B, or the best upper bound of it.
    largest_exact : bool
        Whether `largest` is B to rounding, rather than a bound.
    pair : tuple of two ndarrays, each of shape (N,), or None
        x and x', which attain `upper`; None where it is not known.
    method : str
        How the bracket was obtained, a sentence.
    seconds : float
        The wall-clock time that it took.
    reason : str
        Why something is not certified or not available; empty where all is.
    """

    lower: float
    upper: float
    exact: bool
    largest: float
    largest_exact: bool
    pair: tuple[Array, Array] | None
    method: str
    seconds: float
    reason: str = ""


def agree(lower: float, upper: float, largest: float) -> bool:
    """Say whether a lower and an upper bound of A are the same number to rounding.

    To 1e-6 of B. Certified bounds of A² are short of it by about 1e-13 B² for rounding, of which a
    root makes 3e-7 B where A is zero.
    """
    return upper - lower <= 1e-6 * largest


def conclude(
    begin: float,
    lower: float,
    upper: float,
    pair: tuple[Array, Array] | None,
    method: str,
    reason: str,
    *,
    largest: float,
    largest_exact: bool = True,
) -> Bracket:
    """Put a bracket together: whether it is exact, the time since `begin`, a reason if it is not.

    Parameters
    ----------
    begin : float
        What `time.perf_counter` said at the start.
    lower, upper, pair, method, reason, largest, largest_exact
        As in `Bracket`; a lower end above the upper one, by rounding, is cut to it.
    """
    exact = agree(lower, upper, largest)
    return Bracket(
        lower=min(lower, upper),
        upper=upper,
        exact=exact,
        largest=largest,
        largest_exact=largest_exact,
        pair=pair,
        method=method,
        seconds=time.perf_counter() - begin,
        reason="" if exact else reason,
    )
