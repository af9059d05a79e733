"""Many solvers on many problems: Friedman's test, and performance profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class Friedman(NamedTuple):
    """Friedman's test, with the critical difference of Nemenyi's test.

    Attributes
    ----------
    ranks : pandas.Series
        The mean rank of each solver over the problems, ascending; 1 is the best.
    problems : int
        The number N of problems on which all solvers have a score.
    statistic, p : float
        Friedman's χ², corrected for ties, and its p value with k − 1 degrees of freedom.
    critical_difference : float
        Two solvers whose mean ranks differ by more are different at 5 %.
    """

    ranks: pd.Series[float]
    problems: int
    statistic: float
    p: float
    critical_difference: float


def friedman(scores: pd.DataFrame) -> Friedman:
    """Test whether k solvers differ over N problems.

    The statistic is χ² = 12 N / (k (k + 1)) · Σ (R_j − (k + 1)/2)², divided by
    1 − Σ (t³ − t) / (N (k³ − k)) for groups of t equal ranks (Friedman, JASA 1937; Conover,
    *Practical Nonparametric Statistics*). The critical difference is q √(k (k + 1) / 6N), where q
    is the upper 5 % point of the studentised range of k with infinite degrees of freedom, divided
    by √2 (Nemenyi 1963; Demšar, "Statistical comparisons of classifiers over multiple data sets",
    JMLR 2006).

    Parameters
    ----------
    scores : pandas.DataFrame, shape (N, k)
        One row per problem and one column per solver; large scores are good. Rows with NaN are
        left out. Rows must be independent: several rows of one trial, which share signals, make p
        too small.

    Returns
    -------
    Friedman
        The statistic is 0 and p is 1 if all solvers are equal on every problem. The statistic, p
        and the critical difference are NaN for fewer than two solvers or no problem.
    """
    from scipy.special import chdtrc

    whole = scores.dropna()
    n, k = whole.shape
    ranks = whole.rank(axis=1, ascending=False)
    means = ranks.mean().sort_values(kind="stable")
    if k < 2 or not n:
        return Friedman(means, n, np.nan, np.nan, np.nan)
    spread = float(((means - (k + 1) / 2) ** 2).sum()) * 12 * n / (k * (k + 1))
    groups = [np.unique(row, return_counts=True)[1] for row in ranks.to_numpy()]
    tied = sum(float((each**3 - each).sum()) for each in groups)
    correction = 1 - tied / (n * (k**3 - k))
    statistic = spread / correction if correction > 0 else 0.0
    critical = nemenyi(k) * np.sqrt(k * (k + 1) / (6 * n))
    return Friedman(means, n, statistic, float(chdtrc(k - 1, statistic)), float(critical))


def nemenyi(k: int) -> float:
    """Return q of Nemenyi's test for k solvers at 5 %, as in table 5a of Demšar (2006)."""
    from scipy.optimize import brentq

    # P(range of k normals ≤ w) = k ∫ φ(z) [Φ(z + w) − Φ(z)]^(k − 1) dz. SciPy's own function
    # takes minutes.
    from scipy.special import ndtr

    z = np.linspace(-9.0, 9.0, 4001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])

    def excess(w: float) -> float:
        return float(k * density @ (ndtr(z + w) - ndtr(z)) ** (k - 1)) - 0.95

    return float(brentq(excess, 0.1, 20) / np.sqrt(2))


def performance_profiles(costs: pd.DataFrame) -> pd.DataFrame:
    """Return the performance profiles of solvers.

    ρ_s(τ) is the share of problems that solver s solves at no more than τ times the cost of the
    best solver (Dolan and Moré, "Benchmarking optimization software with performance profiles",
    Mathematical Programming 2002). ρ_s(1) says how often it is the best, and the limit for large τ
    how many problems it solves.

    Parameters
    ----------
    costs : pandas.DataFrame
        One row per problem and one column per solver. Costs are positive, and infinite if the
        solver does not solve the problem. Rows with NaN are left out. A problem that nobody solves
        counts as not solved for all.

    Returns
    -------
    pandas.DataFrame
        One row per step, indexed by τ, ascending from 1; one column per solver.
    """
    import pandas as pd

    whole = costs.dropna()
    best = whole.min(axis=1)
    solved = np.isfinite(best.to_numpy(float))
    ratios = whole.to_numpy(float)[solved] / best.to_numpy(float)[solved, None]
    steps = np.unique(np.append(1.0, ratios[np.isfinite(ratios)]))
    shares = (ratios[None] <= steps[:, None, None]).sum(axis=1) / max(len(whole), 1)
    return pd.DataFrame(shares, index=pd.Index(steps, name="tau"), columns=costs.columns)
