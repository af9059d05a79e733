"""Logistic curves of success against K for many solvers at once, and where they pass a level.

They are fitted by Firth's penalised likelihood ("Bias reduction of maximum likelihood estimates",
Biometrika 1993). `benchbase_reports.transitions` states the rules. Each fit also holds the
contribution of every trial (or signal), so that a resample costs a product and no further fit. That
is the one-step, or score, bootstrap of Kline and Santos ("A score based approach to wild bootstrap
inference", J. Econometric Methods 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log

import numpy as np

from benchbase import Array
from benchbase_reports.statistics.student import student

LEVELS = {"K50": 0.5, "K95": 0.95}

_STEPS = 100  # of Newton's method, at most; 5 to 10 are common
_HALVINGS = 40
_LARGEST_STEP = 5.0  # of a coefficient, with K in standard deviations
_ROUNDING = 1e-12  # of a likelihood
_SMALL = 1e-9  # a step of Newton's method that ends the search
_FINE = 1e-6  # a step too small for the likelihood to judge, whose changes are rounding


def logit(share: float) -> float:
    """Return log(share / (1 − share))."""
    return log(share / (1 - share))


def expit(eta: Array) -> Array:
    """Return 1 / (1 + exp(−eta)), kept away from 0 and 1."""
    probability: Array = 0.5 * (1 + np.tanh(eta / 2))
    return np.clip(probability, 1e-15, 1 - 1e-15)  # so that the information is invertible


@dataclass(frozen=True)
class Fits:
    """Fitted curves of a batch: logit of the success probability = a + c·(K − centre) / scale.

    Attributes
    ----------
    centre, scale : ndarray, shape (B,)
        The mean and standard deviation of each solver's K.
    beta : ndarray, shape (B, 2)
        a and c. They are NaN if nothing can be fitted: there are fewer than two K, or all or none
        are recovered.
    influence : ndarray, shape (B, C, 2)
        The contribution of each cluster to beta: the covariance times its score. They sum to 0.
    model, robust : ndarray, shape (B, 2, 2)
        The covariances of beta: the inverse of Fisher's information, and the sandwich over
        clusters.
    quantile : ndarray, shape (B,)
        How many standard errors an interval reaches to either side.
    """

    centre: Array
    scale: Array
    beta: Array
    influence: Array
    model: Array
    robust: Array
    quantile: Array

    def reach(self, gradient: Array) -> Array:
        """Return half the length of intervals of quantities with gradients (B, ..., 2)."""
        first, second = gradient[..., 0], gradient[..., 1]
        wide = (-1, *(1 for _ in gradient.shape[2:]))
        variances = []
        for each in (self.model, self.robust):
            v11, v12, v22 = (each[:, i, j].reshape(wide) for i, j in ((0, 0), (0, 1), (1, 1)))
            variances.append(v11 * first**2 + 2 * v12 * first * second + v22 * second**2)
        # Rounding may make a variance of 0 negative.
        half: Array = self.quantile.reshape(wide) * np.sqrt(np.maximum(np.maximum(*variances), 0))
        return half


def fit_many(pools: Array, successes: Array, sizes: Array, *, trials: bool = True) -> Fits:
    """Fit a logistic curve to each of B solvers.

    Parameters
    ----------
    pools : ndarray, shape (G,)
        The grid of K.
    successes, sizes : ndarray, shape (B, C, G)
        The signals that were recovered, and all signals, of each cluster at each K. The size is 0
        where a solver has no signal.
    trials : bool, optional
        Whether clusters are trials. If not, they are the signals of one trial, and covariances are
        those of the model.
    """
    total, wins = sizes.sum(axis=1), successes.sum(axis=1)
    there = total > 0
    count = np.maximum(there.sum(axis=1), 1)
    centre = there @ pools / count
    scale = np.sqrt((there * (pools - centre[:, None]) ** 2).sum(axis=1) / count)
    fitted = (there.sum(axis=1) > 1) & (wins.sum(axis=1) > 0) & (wins < total).any(axis=1)
    scale = np.where(scale > 0, scale, 1.0)
    z = (pools - centre[:, None]) / scale[:, None]

    beta = np.full((len(total), 2), np.nan)
    influence = np.zeros((*sizes.shape[:2], 2))
    model = np.full((len(total), 2, 2), np.nan)
    if fitted.any():
        z, wins, total = z[fitted], wins[fitted], total[fitted]
        beta[fitted] = _maximise(z, wins, total)
        state = _State.at(beta[fitted], z, wins, total)
        influence[fitted] = _influence(state, z, beta[fitted], successes[fitted], sizes[fitted])
        model[fitted] = state.solve(np.broadcast_to(np.eye(2), (len(z), 2, 2)))
    count = sizes.any(axis=2).sum(axis=1)
    if not trials:
        return Fits(centre, scale, beta, influence, model, model, np.full(len(beta), student(inf)))
    more = np.maximum(count - 1, 1)
    robust = np.einsum("bci,bcj->bij", influence, influence) * (count / more)[:, None, None]
    quantile = np.where(count > 1, student(more), student(inf))
    return Fits(centre, scale, beta, influence, model, robust, quantile)


@dataclass
class _State:
    """The penalised likelihood at a beta, and what Newton's method needs there."""

    value: Array  # (B,)
    information: tuple[Array, Array, Array]  # entries 11, 12, 22, each (B,)
    residual: Array  # successes minus those expected, with the penalty's part, (B, G)

    @classmethod
    def at(cls, beta: Array, z: Array, wins: Array, total: Array) -> _State:
        eta = beta[:, :1] + beta[:, 1:] * z
        p = expit(eta)
        w = total * p * (1 - p)
        wz = w * z
        i11, i12, i22 = w.sum(axis=1), wz.sum(axis=1), (wz * z).sum(axis=1)
        determinant = i11 * i22 - i12**2
        # log(1 + e^η), several times as fast as with logaddexp
        softplus = np.maximum(eta, 0) + np.log1p(np.exp(-np.abs(eta)))
        likelihood = (wins * eta - total * softplus).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = likelihood + 0.5 * np.log(determinant)
            own = i22[:, None] - 2 * i12[:, None] * z + i11[:, None] * z**2
            leverage = w * own / determinant[:, None]
        residual = wins - total * p + leverage * (0.5 - p)
        return cls(np.where(np.isnan(value), -np.inf, value), (i11, i12, i22), residual)

    def of(self, some: Array) -> _State:
        """Return the state of some solvers."""
        i11, i12, i22 = (entry[some] for entry in self.information)
        return _State(self.value[some], (i11, i12, i22), self.residual[some])

    def put(self, some: Array, other: _State) -> None:
        """Replace the state of some solvers."""
        self.value[some], self.residual[some] = other.value, other.residual
        for entry, new in zip(self.information, other.information, strict=True):
            entry[some] = new

    def solve(self, score: Array) -> Array:
        """Return the inverse of the information times scores, (B, ..., 2)."""
        shape = (-1, *(1 for _ in score.shape[2:]))
        i11, i12, i22 = (entry.reshape(shape) for entry in self.information)
        determinant = i11 * i22 - i12**2
        first, second = score[..., 0], score[..., 1]
        found = i22 * first - i12 * second, i11 * second - i12 * first
        return np.stack([part / determinant for part in found], axis=-1)


def _maximise(z: Array, wins: Array, total: Array) -> Array:
    """Return the beta of the largest penalised likelihood: Newton's method with step halving."""
    beta = np.zeros((len(z), 2))
    left = np.arange(len(z))  # the solvers that have not converged
    state = _State.at(beta, z, wins, total)
    for _ in range(_STEPS):
        mine = z[left], wins[left], total[left]
        score = np.stack([state.residual.sum(axis=1), (state.residual * mine[0]).sum(axis=1)], -1)
        step = state.solve(score)
        largest = np.abs(step).max(axis=1)
        step *= np.minimum(1.0, _LARGEST_STEP / np.maximum(largest, 1e-300))[:, None]
        worst = state.value - _ROUNDING * np.abs(state.value)
        state = _State.at(beta[left] + step, *mine)
        for _ in range(_HALVINGS):
            worse = (state.value < worst) & (np.abs(step).max(axis=1) > _FINE)
            if not worse.any():
                break
            step[worse] /= 2
            again = _State.at(beta[left[worse]] + step[worse], *(each[worse] for each in mine))
            state.put(worse, again)
        beta[left] += step
        moving = np.abs(step).max(axis=1) > _SMALL
        if not moving.any():
            break
        left = left[moving]
        state = state.of(moving)
    return beta


def _influence(state: _State, z: Array, beta: Array, successes: Array, sizes: Array) -> Array:
    """Return the covariance times the score of each cluster, (B, C, 2)."""
    total = sizes.sum(axis=1)
    p = expit(beta[:, :1] + beta[:, 1:] * z)
    penalty = state.residual - (successes.sum(axis=1) - total * p)
    # A cluster's part of the penalty is its share of the signals, so that the scores sum to zero.
    each = penalty / np.maximum(total, 1) - p
    residual = successes + sizes * each[:, None, :]
    score = np.stack([residual.sum(axis=2), np.einsum("bcg,bg->bc", residual, z)], axis=-1)
    return state.solve(score)


def find_levels(
    fits: Fits, pools: Array, wins: Array, total: Array, level: float
) -> tuple[Array, Array, Array]:
    """Return the K at which each of B solvers passes a level, by the rules of `transitions`.

    Parameters
    ----------
    fits : Fits
        The curves of these successes.
    pools : ndarray, shape (G,)
        The grid of K, ascending.
    wins, total : ndarray, shape (B, G)
        The signals that were recovered, and all signals, of all clusters.
    level : float
        The share of signals.

    Returns
    -------
    value, low, high : ndarray, shape (B,)
        As in `benchbase_reports.transitions.Crossing`; NaN if there is no signal.
    """
    if not len(pools):
        return tuple(np.full((3, len(total)), np.nan))  # type: ignore[return-value] # three
    there = total > 0
    share = wins / np.maximum(total, 1)
    least = np.where(there, pools, inf).min(axis=1)
    largest = np.where(there, pools, -inf).max(axis=1)
    never = ((share < level) | ~there).all(axis=1)
    always = ((share >= level) | ~there).all(axis=1)
    below, above = _significant(fits, np.where(there, pools, np.nan), logit(level))
    value, low, high = _place(fits, logit(level))
    flat = np.isnan(value)  # the curve does not rise
    low, high = np.where(flat, 0.0, low), np.where(flat, inf, high)
    over = never | (value > largest)
    under = ~over & (always & flat | (value < least))
    steep = ~over & ~under & (((share > 0) & (share < 1) & there).sum(axis=1) <= 1)
    last, first = bracket(pools, np.where(there, share, np.nan), level)
    low = np.where(over, np.where(below == largest, largest, np.minimum(low, largest)), low)
    high = np.where(under, np.where(above == least, least, np.maximum(high, least)), high)
    low, high = np.where(under, 0.0, low), np.where(over, inf, high)
    value = np.where(over, inf, np.where(under, least, value))
    low, high = (
        np.where(steep, np.minimum(low, last), low),
        np.where(steep, np.maximum(high, first), high),
    )
    unknown = flat & ~(never | always)
    low = np.where((low >= least) | unknown, low, below)
    high = np.where((high <= largest) | unknown, high, above)
    # There is no curve if there is a single K, or all or none are recovered at every K.
    none = np.isnan(fits.beta[:, 0])
    sure = np.isin(np.where(there, share, np.nan)[np.arange(len(share)), there.argmax(1)], (0, 1))
    value = np.where(none, np.where(always, least, inf), value)
    low = np.where(none, np.where(always | ~sure, 0.0, largest), low)
    high = np.where(none, np.where(always & sure, least, inf), high)
    nothing = ~there.any(axis=1)
    return tuple(np.where(nothing, np.nan, each) for each in (value, low, high))  # type: ignore[return-value] # three


def _place(fits: Fits, wanted: float) -> tuple[Array, Array, Array]:
    """Return the K at which curves pass a logit, with intervals; NaN if a curve does not rise."""
    a, c = fits.beta[:, 0], np.where(fits.beta[:, 1] > 0, fits.beta[:, 1], np.nan)
    place = (wanted - a) / c
    half = fits.scale * fits.reach(np.stack([-1 / c, -place / c], axis=-1))
    value = fits.centre + fits.scale * place
    return value, value - half, value + half


def _significant(fits: Fits, pools: Array, wanted: float) -> tuple[Array, Array]:
    """Return the outermost K at which curves are significantly below and above a logit."""
    z = (pools - fits.centre[:, None]) / fits.scale[:, None]
    eta = fits.beta[:, :1] + fits.beta[:, 1:] * z
    half = fits.reach(np.stack([np.ones_like(z), z], axis=-1))
    below = np.where(eta + half < wanted, pools, 0.0).max(axis=1)
    above = np.where(eta - half > wanted, pools, inf).min(axis=1)
    return below, above


def bracket(pools: Array, share: Array, level: float) -> tuple[Array, Array]:
    """Return the largest K with a share below a level, and the least K above it.

    Parameters
    ----------
    pools : ndarray, shape (G,)
        The grid of K, ascending.
    share : ndarray, shape (B, G)
        The share of signals recovered; NaN where there is no signal.
    level : float
        The share of signals that is to be reached.

    Returns
    -------
    last, first : ndarray, shape (B,)
        ``last`` is 0 and ``first`` infinite if there is no such K.
    """
    last = np.where(share < level, pools, 0.0).max(axis=1, initial=0.0)
    after = ~np.isnan(share) & (pools > last[:, None])
    return last, np.where(after, pools, inf).min(axis=1, initial=inf)


def resampled(beta: Array, fits: Fits, ends: Array, level: float) -> Array:
    """Return the K at which resampled curves pass a level.

    Parameters
    ----------
    beta : ndarray, shape (R, B, 2)
        The coefficients in R resamples.
    fits : Fits
        The curves that are resampled.
    ends : ndarray, shape (B, 2)
        The least and the largest K of each solver's grid.
    level : float
        The share of signals.

    Returns
    -------
    ndarray, shape (R, B)
        It is infinite above the largest K, the least K at or below the least, and NaN if nothing
        was fitted. For a curve that does not rise it is the least K if the curve is above the level
        on the whole grid, and otherwise infinite.
    """
    a, c = beta[..., 0], beta[..., 1]
    least, largest = ends[:, 0], ends[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        place = fits.centre + fits.scale * (logit(level) - a) / c
    rising = np.where(place > largest, inf, np.maximum(place, least))
    over = a + c * (largest - fits.centre) / fits.scale >= logit(level)
    found: Array = np.where(c > 0, rising, np.where(over, least, inf))
    return np.where(np.isnan(a), np.nan, found)
