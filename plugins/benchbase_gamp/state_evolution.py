"""State evolution: it predicts the error of message passing on large random frames.

Consider K = ρ·N pools of L independent Gaussian vectors (or orthonormal ones, which is the same for
large N), and N → ∞. After t iterations the error of message passing has the variance V_t, in units
of the signal's variance. It follows ::

    1/V_{t+1} = 1 + ρ · L · (1 − E[v(V_t)]/V_t) / V_t

Here v(V) is the posterior variance of a pool's coefficients z ~ N(p, V·I) given the pool's value,
averaged over the members, and the expectation E is over p ~ N(0, (1 − V)·I) and z. Sources: Rangan,
"Generalized approximate message passing for estimation with random linear mixing", ISIT 2011; for
pools as in Barbier, Krzakala, Macris, Miolane and Zdeborová, "Optimal errors and phase transitions
in high-dimensional generalized linear models", PNAS 116 (2019). V falls if ρ is above ::

    ρ(V) = (1 − V) / (L · (1 − E[v(V)]/V))

The least ratio with which V falls from a start to zero is therefore the largest ρ(V) over the V
below the start. An iteration of `benchbase_gamp.gamp.Gamp` does more at once than one of this
recursion, but both stand still at the same V.
"""

import numpy as np

import benchbase
from benchbase import Array, Pooling
from benchbase_gamp.outputs import Output, output_of

POINTS = 2**15  # points of a scrambled Sobol sequence with a fixed seed
WEAK = 1e-3  # share of the signal's variance that an estimate next to zero explains
LEAST = 1e-9  # the variance up to which an error counts as zero
GRID = np.concatenate((np.geomspace(LEAST, 0.01, 15), np.linspace(0.02, 0.98, 49), [1 - WEAK]))


def ratios(pooling: Pooling, pool_size: int, variances: Array) -> Array:
    """Return ρ(V), the ratio K/N of pools to dimensions above which V falls.

    For V → 1 it is the weak threshold, above which the estimate of a signal begins to grow from
    zero. For V → 0 it is the ratio above which the error falls to zero from a start near the
    signal.

    Parameters
    ----------
    pooling : Pooling
        A pooling that `gamp` supports. Its threshold is in units of the standard deviation of
        coefficients.
    pool_size : int
        The number L of vectors in a pool.
    variances : ndarray, shape (V,)
        Error variances V, in units of the signal's, above 0 and below 1.

    Returns
    -------
    ndarray, shape (V,)

    Raises
    ------
    ParameterError
        If the pooling is not supported, or has a threshold for each coefficient.
    """
    gains = _gains(pooling, pool_size, np.asarray(variances, dtype=np.float64))
    rho: Array = (1 - variances) / (pool_size * gains)
    return rho


def state_evolution(
    pooling: Pooling, pool_size: int, ratio: float, start: float = 1 - WEAK, n_iter: int = 100
) -> Array:
    """Return the error variances V_0, …, V_T of message passing, in units of the signal's.

    Parameters
    ----------
    pooling, pool_size
        As in `ratios`.
    ratio : float
        ρ = K/N.
    start : float, optional
        V_0, above 0 and below 1.
    n_iter : int, optional
        T. Once V is below 1e-9, which counts as zero, it stays as it is.

    Raises
    ------
    ParameterError
        As in `ratios`.
    """
    variances = np.full(n_iter + 1, start)
    for t in range(n_iter):
        gain = _gains(pooling, pool_size, variances[t : t + 1])[0]
        variances[t + 1] = 1 / (1 + ratio * pool_size * gain / variances[t])
        if variances[t + 1] < LEAST:
            variances[t + 1 :] = variances[t + 1]
            break
    return variances


def threshold(pooling: Pooling, pool_size: int, start: float = 1.0) -> float:
    """Return the least K/N at which the error of message passing falls from a start to zero.

    Parameters
    ----------
    pooling, pool_size
        As in `ratios`.
    start : float, optional
        The error variance of the start, in units of the signal's variance; 1 for a start that says
        next to nothing about the signal.

    Raises
    ------
    ParameterError
        As in `ratios`, or if `start` is out of range.
    """
    benchbase.check_range("start", start, above=LEAST, most=1)
    below = GRID[start > GRID]
    return float(ratios(pooling, pool_size, below).max())


def _gains(pooling: Pooling, pool_size: int, variances: Array) -> Array:
    """Return 1 − E[v(V)]/V for each V."""
    output, alpha = _output(pooling, pool_size)
    prior, error = _normal(pool_size)
    gains = np.empty(len(variances))
    for i, v in enumerate(variances):
        p = (1 - v) ** 0.5 * prior
        b = pooling(p + v**0.5 * error)
        mean, variance = output(p - alpha, np.full((1, 1), v), b)
        if v < 0.5:
            gains[i] = 1 - np.mean(variance) / v
        else:  # equal by Bayes' rule, and not a small difference of large numbers
            gains[i] = np.mean((mean + alpha - p) ** 2) / v
    return gains


def _output(pooling: Pooling, pool_size: int) -> tuple[Output, float]:
    alpha = pooling.threshold
    if isinstance(alpha, tuple):
        raise benchbase.ParameterError("pooling", "must have one threshold for all coefficients")
    output = output_of(pooling, pool_size)
    if isinstance(output, str):
        raise benchbase.ParameterError("pooling", f"is not supported: {output}")
    return output, alpha


def _normal(pool_size: int) -> tuple[Array, Array]:
    """Return two sets of standard normal pools (1, L, POINTS)."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = qmc.Sobol(2 * pool_size, seed=0).random(POINTS)
    normal = ndtri(np.clip(points, 1e-12, 1 - 1e-12)).T
    return normal[None, :pool_size], normal[None, pool_size:]
