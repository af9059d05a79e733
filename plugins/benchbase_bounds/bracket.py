"""What is known of the Lipschitz constants of a frame under a pooling."""

from __future__ import annotations

from dataclasses import dataclass

from benchbase import Array

_KNOWN = 1e-9  # a relative difference of both ends of B that is rounding


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """The two Lipschitz constants of a pooling representation R, as far as they are known.

    A·d(x, x') ≤ ‖R(x) − R(x')‖ ≤ B·d(x, x') for all x, x' in R^N, with the largest A and the
    least B. The distance d is min(‖x − x'‖, ‖x + x'‖) if x and −x have the same representation,
    and ‖x − x'‖ otherwise (Bruna, Szlam and LeCun, "Signal recovery from pooling representations",
    ICML 2014, section 2).

    Attributes
    ----------
    lower : float
        A certified lower bound of A, with an allowance for rounding. 0 if no better one is known.
    upper : float
        The best upper estimate of A: the ratio ‖R(x) − R(x')‖ / d(x, x') of `pair`.
    exact : bool
        Whether `lower` and `upper` agree to rounding, so that A is known.
    largest : float
        B, or the best upper bound of it.
    largest_exact : bool
        Whether `largest` is B to rounding, rather than a bound.
    pair : tuple of two ndarrays, each of shape (N,), or None
        x and x', which attain `upper`, or None if they are not known.
    method : str
        How the bracket was obtained.
    reason : str
        Why A is not known, or empty if it is.
    seconds : float
        The wall-clock time that it took.
    """

    lower: float
    upper: float
    exact: bool
    largest: float
    largest_exact: bool
    pair: tuple[Array, Array] | None
    method: str
    reason: str = ""
    seconds: float = 0.0


def agree(lower: float, upper: float, largest: float) -> bool:
    """Say whether a lower and an upper bound of A agree to rounding, which is 1e-6 of B.

    Certified bounds of A² allow about 1e-13 B² for rounding. If A is zero, the root makes 3e-7 B
    of that.
    """
    return upper - lower <= 1e-6 * largest


def conclude(
    lower: float,
    upper: float,
    pair: tuple[Array, Array] | None,
    method: str,
    reason: str,
    *,
    largest: float,
    attained: float | None = None,
) -> Bracket:
    """Put a bracket together: whether A and B are known, and a reason if A is not.

    Parameters
    ----------
    lower, upper, pair, method, reason, largest
        As in `Bracket`. A lower end above the upper one, by rounding, is cut to it.
    attained : float, optional
        A value that B attains; by default `largest` itself.
    """
    exact = agree(lower, upper, largest)
    return Bracket(
        lower=min(lower, upper),
        upper=upper,
        exact=exact,
        largest=largest,
        largest_exact=attained is None or largest - attained <= _KNOWN * largest,
        pair=pair,
        method=method,
        reason="" if exact else reason,
    )
