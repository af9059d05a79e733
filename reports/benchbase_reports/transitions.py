"""Phase transitions: the numbers of pools K50 and K95 that recover half and 95 % of the signals.

How K50 and K95 are found, from the successes at each K of the grid:

- Success follows a logistic curve in K, fitted by Firth's penalised likelihood ("Bias reduction of
  maximum likelihood estimates", Biometrika 1993), which has finite estimates where successes and
  failures are separated, as 0, 0, 1, 1 are (Heinze and Schemper, "A solution to the problem of
  separation in logistic regression", Statistics in Medicine 2002).
- The 95 % interval is that of the delta method, with the larger of two variances: that of the
  model, and the sandwich over trials (whose signals share frames) times T / (T − 1); and with
  Student's t of T − 1 degrees of freedom. One trial has the model's variance and the normal
  distribution: its interval is for its own frames only.
- Nothing is read off the curve outside the grid: a number above the largest K is infinite, one
  below the least K is that. An interval that leaves the grid ends at the outermost K of the grid
  at which the curve is significantly below or above the level, else at 0 or infinity.
- Where at most one K has both successes and failures, any steep curve fits, and the interval is
  widened to the neighbours in the grid between which success passes the level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase_reports.summary import (
    FITS,
    RECOVERED,
    latest,
    problem_columns,
    with_scores,
)

if TYPE_CHECKING:
    import pandas as pd

    from benchbase import Array

CONFIDENCE = 0.95
LEVELS = {"K50": 0.5, "K95": 0.95}

COLUMNS = {
    "trials": "trials (each with frames of its own) that it comes from",
    "signals": "signals with an outcome at any K, failed ones included",
    "least": "the least K with an outcome",
    "largest": "the largest",
    "K50": "K at which half of the signals are recovered; inf: more than the largest",
    "K50_low": "lower end of its 95 % interval; 0 below the least K",
    "K50_high": "upper end; inf above the largest K",
    "K95": "K at which 95 % are recovered, as K50",
    "K95_low": "lower end of its 95 % interval",
    "K95_high": "upper end",
    "K95_per_n": "K95 / n",
    "last_below": "largest K at which fewer than 95 % were recovered; 0 if there is none",
    "all_from": "least K from which on 95 % were recovered at every K; inf if there is none",
    "at": "the least K of the grid that is at least K95",
    "seconds": "mean seconds a signal at that K, start and solution, without preparation",
    "frame_applications": "mean frame applications a signal at that K",
    "wrong_fit_share": f"share of signals, at all K, that fit (residual ≤ {FITS:g}) and are wrong",
    "failed": "signals without a finite estimate, counted as not recovered",
    "unsupported": "signals that the solver does not apply to, left out",
    "pending": "signals without an outcome yet, left out",
    "message": "why signals failed or are unsupported",
}
"""The columns that `transitions` adds to those that name problem and solver, and what they hold."""

_WHOLE = ("trials", "signals", "least", "largest", "at", "failed", "unsupported", "pending")
_NEEDED = ["solver", "draw", "n", "n_pools", "score", "residual", "seconds", "frame_applications"]
_NEEDED += ["lost", "unsupported", "pending", "mishap"]
_STEPS = 200  # Newton's; 5 to 10 are common
_LARGEST_STEP = 5.0  # of a coefficient, with K in standard deviations
_ROUNDING = 1e-12  # of a likelihood


@dataclass(frozen=True)
class Crossing:
    """A number of pools at which success passes a level, and its 95 % interval.

    Attributes
    ----------
    value : float
        Infinity above the largest K of the grid, its least K at or below that; NaN where success
        passes the level but does not grow with K.
    low, high : float
        The interval: 0 below the least K, infinity above the largest.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """A fitted curve: logit of the success probability = a + c·(K − centre) / scale.

    Attributes
    ----------
    centre, scale : float
        Mean and standard deviation of K over the grid.
    beta : ndarray, shape (2,)
        a and c.
    model, robust : ndarray, shape (2, 2)
        Covariance of beta: the inverse of Fisher's information, and the sandwich over trials; for
        one trial the first twice.
    quantile : float
        Standard errors that an interval reaches to either side.
    """

    centre: float
    scale: float
    beta: Array
    model: Array
    robust: Array
    quantile: float

    def reach(self, gradient: Array) -> float:
        """Return half the length of the interval of a quantity with a gradient in beta."""
        variances = [float(gradient @ each @ gradient) for each in (self.model, self.robust)]
        return self.quantile * math.sqrt(max(variances))

    def at(self, pools: float) -> Crossing:
        """Return the logit at K = `pools`, with its interval."""
        x = np.array([1.0, (pools - self.centre) / self.scale])
        value, half = float(x @ self.beta), self.reach(x)
        return Crossing(value, value - half, value + half)

    def crossing(self, level: float) -> Crossing | None:
        """Return where the curve passes a level, wherever that is; None if it does not rise."""
        a, c = self.beta
        if not c > 0:
            return None
        place = (logit(level) - a) / c
        half = self.reach(np.array([-1.0, -place]) / c)
        value, half = self.centre + self.scale * place, self.scale * half
        return Crossing(value, value - half, value + half)


def logit(share: float) -> float:
    """Return log(share / (1 − share))."""
    return math.log(share / (1 - share))


def fit(pools: Array, successes: Array, sizes: Array) -> Curve:
    """Fit a logistic curve to the successes of trials at several numbers of pools.

    Parameters
    ----------
    pools : ndarray, shape (G,)
        Two or more different K, each with a signal.
    successes, sizes : ndarray, shape (T, G)
        Signals that were recovered, and signals, of each trial.
    """
    centre, scale = float(pools.mean()), float(pools.std())
    x = np.stack([np.ones(len(pools)), (pools - centre) / scale], axis=1)
    total, wins = sizes.sum(axis=0), successes.sum(axis=0)
    beta = _maximise(x, wins, total)
    probability = expit(x @ beta)
    information = _information(x, probability, total)
    covariance = np.linalg.inv(information)
    # A trial's part in the penalty is its share of the signals: the scores add up to zero.
    penalty = _leverage(x, probability, total, information) * (0.5 - probability)
    scores = (successes - sizes * probability + penalty * sizes / total) @ x
    present = sizes.any(axis=1)
    trials = int(present.sum())
    if trials < 2:
        return Curve(centre, scale, beta, covariance, covariance, float(student(math.inf)))
    spread = scores[present].T @ scores[present] * trials / (trials - 1)
    robust = covariance @ spread @ covariance
    return Curve(centre, scale, beta, covariance, robust, float(student(trials - 1)))


def _maximise(x: Array, wins: Array, total: Array) -> Array:
    """Return the beta of the largest penalised likelihood, by Newton's method with step halving."""

    def value(beta: Array) -> float:
        eta = x @ beta
        likelihood = wins @ eta - total @ np.logaddexp(0, eta)
        return float(likelihood + np.linalg.slogdet(_information(x, expit(eta), total))[1] / 2)

    beta, best = np.zeros(2), value(np.zeros(2))
    for _ in range(_STEPS):
        probability = expit(x @ beta)
        information = _information(x, probability, total)
        leverage = _leverage(x, probability, total, information)
        score = (wins - total * probability + leverage * (0.5 - probability)) @ x
        step = np.linalg.solve(information, score)
        step *= min(1.0, _LARGEST_STEP / max(np.abs(step).max(), 1e-300))
        while (found := value(beta + step)) < best - _ROUNDING * abs(best):
            step /= 2
        if np.abs(step).max() <= 1e-10:
            break
        beta, best = beta + step, found
    return beta


def expit(eta: Array) -> Array:
    """Return 1 / (1 + exp(−eta)), kept off 0 and 1."""
    probability: Array = 0.5 * (1 + np.tanh(eta / 2))
    return np.clip(probability, 1e-15, 1 - 1e-15)  # the information stays regular


def _information(x: Array, probability: Array, total: Array) -> Array:
    information: Array = (x.T * (total * probability * (1 - probability))) @ x
    return information


def _leverage(x: Array, probability: Array, total: Array, information: Array) -> Array:
    """Return the leverage of all signals at each K together."""
    own = np.einsum("gi,ij,gj->g", x, np.linalg.inv(information), x)
    leverage: Array = total * probability * (1 - probability) * own
    return leverage


def student(freedom: Array | float) -> Array:
    """Return the standard errors that a 95 % interval reaches to either side.

    Parameters
    ----------
    freedom : ndarray or float
        Degrees of freedom of Student's t; infinite for the normal distribution.
    """
    from scipy.special import stdtrit  # not scipy.stats, which takes a second to import

    return np.asarray(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def bracket(pools: Array, shares: Array, level: float) -> tuple[float, float]:
    """Return the largest K with a share below a level, and the least from which on none is.

    0 and infinity where there is none.
    """
    below = np.flatnonzero(shares < level)
    if not below.size:
        return 0.0, float(pools[0])
    last = int(below[-1])
    return float(pools[last]), float(pools[last + 1]) if last + 1 < len(pools) else math.inf


def find_crossings(pools: Array, successes: Array, sizes: Array) -> dict[str, Crossing]:
    """Return K50 and K95 by the rules of this module.

    Parameters
    ----------
    pools : ndarray, shape (G,)
        The grid, ascending, each K with a signal.
    successes, sizes : ndarray, shape (T, G)
        Signals that were recovered, and signals, of each trial.
    """
    shares = successes.sum(axis=0) / sizes.sum(axis=0)
    mixed = (shares > 0) & (shares < 1)
    curve = None
    if len(pools) > 1 and (mixed.any() or len({*shares}) > 1):
        curve = fit(pools, successes, sizes)
    return {
        name: _crossing(curve, pools, shares, level, steep=mixed.sum() <= 1)
        for name, level in LEVELS.items()
    }


def _crossing(
    curve: Curve | None, pools: Array, shares: Array, level: float, *, steep: bool
) -> Crossing:
    least, largest = float(pools[0]), float(pools[-1])
    never, always = bool((shares < level).all()), bool((shares >= level).all())
    if curve is None:  # a single K, or all or none recovered at every K
        sure = shares[0] in (0, 1)
        if always:
            return Crossing(least, 0.0, least if sure else math.inf)
        return Crossing(math.inf, largest if sure else 0.0, math.inf)
    wanted, passes = logit(level), curve.crossing(level)
    value, low, high = math.nan, 0.0, math.inf
    if passes:
        value, low, high = passes.value, passes.low, passes.high
    elif not (never or always):
        return Crossing(value, low, high)
    places = [(float(k), curve.at(k)) for k in pools]
    below = max((k for k, place in places if place.high < wanted), default=0.0)
    above = min((k for k, place in places if place.low > wanted), default=math.inf)
    if never or value > largest:
        low = largest if below == largest else min(low, largest)
        value, high = math.inf, math.inf
    elif value < least or not passes:
        high = least if above == least else max(high, least)
        value, low = least, 0.0
    elif steep:
        last, first = bracket(pools, shares, level)
        low, high = min(low, last), max(high, first)
    return Crossing(value, low if low >= least else below, high if high <= largest else above)


def transitions(frame: pd.DataFrame, recovered: float = RECOVERED) -> pd.DataFrame:
    """Find the transition of each solver on each problem.

    A signal is recovered if its squared cosine is above `recovered`; one that failed or is not
    finite is not. Signals that the solver does not apply to, and those without an outcome yet, are
    left out.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.frame`. Where several runs hold the same trial of a problem,
        solver and number of points, the latest run counts. Frames without a number of pools are
        left out.
    recovered : float, optional
        The squared cosine above which a signal is recovered.

    Returns
    -------
    pandas.DataFrame
        One row for each combination of `problem_columns`, ``label`` and ``points``, in order of
        first appearance, with the columns of `COLUMNS`; numbers are NaN where nothing was
        computed.
    """
    import pandas as pd

    keys = [*problem_columns(frame), "label", "points"]
    scored = with_scores(latest(frame[frame["n_pools"].notna()], [*keys, "n_pools"]))
    scored = scored.assign(
        solver=scored.groupby(keys, dropna=False, sort=False).ngroup(),
        draw=scored.groupby(["seed", "trial"]).ngroup(),
    )
    heads = scored.drop_duplicates("solver")[keys].reset_index(drop=True)
    rows = [_row(part, recovered) for _, part in scored[_NEEDED].groupby("solver", sort=False)]
    table = pd.concat([heads, pd.DataFrame(rows, columns=[*COLUMNS])], axis=1)
    return table.astype(dict.fromkeys(_WHOLE, "Int64"))


def _row(part: pd.DataFrame, recovered: float) -> dict[str, Any]:
    """Return the statistics of a solver on a problem."""
    told = {
        "failed": int(part["lost"].sum()),
        "unsupported": int(part["unsupported"].sum()),
        "pending": int(part["pending"].sum()),
        "message": "; ".join(message for message in part["mishap"].unique() if message),
    }
    part = part[part["score"].notna()]
    if part.empty:
        return {"trials": 0, "signals": 0} | told
    score, k = part["score"].to_numpy(float), part["n_pools"].to_numpy(float)
    fits = ~part["lost"].to_numpy(bool) & (part["residual"] <= FITS).to_numpy(bool)
    pools, successes, sizes = _count(k, part["draw"].to_numpy(), score > recovered)
    crossings = find_crossings(pools, successes, sizes)
    last, first = bracket(pools, successes.sum(axis=0) / sizes.sum(axis=0), LEVELS["K95"])
    found: dict[str, Any] = {}
    for name, crossing in crossings.items():
        found |= {name: crossing.value, f"{name}_low": crossing.low, f"{name}_high": crossing.high}
    k95 = crossings["K95"].value
    at = next((value for value in pools if value >= k95), None)
    there = part[k == at]
    return {
        "trials": len(sizes),
        "signals": len(part),
        "least": pools[0],
        "largest": pools[-1],
        **found,
        "K95_per_n": k95 / int(part["n"].iloc[0]),
        "last_below": last,
        "all_from": first,
        "at": at,
        "seconds": there["seconds"].mean(),
        "frame_applications": there["frame_applications"].mean(),
        "wrong_fit_share": float(np.mean(fits & (score <= recovered))),
        **told,
    }


def _count(k: Array, trials: Array, won: Array) -> tuple[Array, Array, Array]:
    """Return the grid of K, and successes and signals of each trial (T, G)."""
    pools, column = np.unique(k, return_inverse=True)
    names, row = np.unique(trials, return_inverse=True)
    successes, sizes = np.zeros((2, len(names), len(pools)))
    np.add.at(successes, (row, column), won)
    np.add.at(sizes, (row, column), 1)
    return pools, successes, sizes
