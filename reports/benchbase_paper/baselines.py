"""What recovery is compared with: trivial estimates, projections, condition numbers of frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import benchbase
from benchbase.showing import EXACT, component_of, lp_name, summarise
from benchbase_paper.settings import BOTH, MEAN, NEAREST, RANDOM, Setting
from benchbase_paper.verdicts import Part, difference, scored

if TYPE_CHECKING:
    import pandas as pd

RANKS = (10, 25, 50)
"""The dimensions of the principal subspaces on which signals are projected."""

TRAINING = 50_000
"""The most training signals, evenly spaced, from which the subspaces are computed."""

POOLS_PER_DIMENSION = 1.3
"""About the ratio of the paper's 130 pools to n = 100, and of its 330 pools to n = 256."""

_SPHERE = [f"{solver}, {which}" for which in ("sphere", "no sphere") for solver in (RANDOM, BOTH)]
SOLVERS = (MEAN, NEAREST, RANDOM, BOTH, *_SPHERE)
"""The labels of solvers that have a column, if they were run."""


class Score(NamedTuple):
    """The scores of a solver on a problem.

    Attributes
    ----------
    mean, exact : float
        The mean squared cosine, and the share of exact recoveries.
    reduced : bool
        Whether another solver has more signals or trials.
    """

    mean: float
    exact: float
    reduced: bool = False


def baselines(results: benchbase.ResultsView, settings: list[Setting]) -> pd.DataFrame:
    """Return the scores of solvers beside those of trivial estimates, one row per problem.

    Parameters
    ----------
    results : benchbase.Results
        They hold the test signals.
    settings : list of Setting
        From `find_settings`.

    Returns
    -------
    pandas.DataFrame
        The columns ``problem`` and ``pools`` (the number that is nearest to 1.3 n), one for each of
        `SOLVERS` that was run, and one for each of `RANKS`, for example ``rank 10``. They hold
        a `Score`; None if there is no number, or the reason as text.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for setting in settings:
        ranks = projections(results, setting)
        pools = setting.rows["n_pools"].astype("int64")
        target = POOLS_PER_DIMENSION * setting.n
        k = min(sorted({*pools}), key=lambda value: abs(value - target))
        summary = summarise(setting.rows[pools == k])
        summary = summary[summary["signals"] > 0]
        for p, rectified in ((p, r) for p in setting.norms for r in (False, True)):
            these = summary[(summary["p"] == p) & (summary["rectified"] == rectified)]
            if these.empty:
                continue
            columns = ["label", "mean_squared_cosine", "exact_share", "reduced"]
            found = {label: Score(*scores) for label, *scores in these[columns].to_numpy()}
            name = f"{setting.title}, {'rectified ' if rectified else ''}{lp_name(p)}"
            shown = {label: found.get(label) for label in SOLVERS}
            rows.append({"problem": name, "pools": k} | shown | ranks)
    table = pd.DataFrame(rows, dtype=object)
    return table.dropna(axis="columns", how="all")


def projections(results: benchbase.ResultsView, setting: Setting) -> dict[str, Score | str]:
    """Return the scores of test signals projected on principal components of training signals.

    The components are those of the second moments, without subtracting the mean: of all subspaces
    of dimension d, theirs leaves the least sum of squares of the training signals. Data that are
    not on this machine are not downloaded.

    Parameters
    ----------
    results : benchbase.Results
        They hold the test signals.
    setting : Setting
        Its data set is built again, for the training signals.

    Returns
    -------
    dict
        For each of `RANKS` below n, the mean and the exact share of the squared cosines of test
        signals with their projections, or the reason why there are none. Empty if the data set has
        no training signals.
    """
    ranks = [d for d in RANKS if d < setting.n]
    try:
        training = _training(setting)
        if training is None:
            return {}
        test = [*_test(results, setting)]
    except benchbase.BenchbaseError:
        return {f"rank {d}": "data not here" for d in ranks}
    if not test or test[0].shape[1] != training.shape[1]:
        return {f"rank {d}": "data not here" for d in ranks}
    _, vectors = np.linalg.eigh(training.T @ training)
    energy = [np.cumsum((x @ vectors[:, ::-1]) ** 2, axis=1) for x in test]
    shares = [e / np.maximum(e[:, -1:], np.finfo(float).tiny) for e in energy]
    return {
        f"rank {d}": Score(
            float(np.mean([share[:, d - 1].mean() for share in shares])),
            float(np.mean([(share[:, d - 1] > EXACT).mean() for share in shares])),
        )
        for d in ranks
    }


def _training(setting: Setting) -> benchbase.Array | None:
    """Return evenly spaced training signals of a setting's data set, (T, N) float64."""
    with benchbase.without_downloads():
        dataset = component_of(setting.rows.iloc[0], "dataset")
        signals = dataset.train(np.random.default_rng(0))
    if signals is None:
        return None
    step = -(-len(signals) // TRAINING)
    return np.asarray(signals[::step], dtype=np.float64)


def _test(results: benchbase.ResultsView, setting: Setting) -> Iterator[benchbase.Array]:
    """Yield the test signals of each trial, from a cell that has the most of them."""
    rows = setting.rows[setting.rows["status"] == "done"]
    most = rows.sort_values("points", ascending=False, kind="stable")
    for cell in most.drop_duplicates(["seed", "trial"])["cell"]:
        yield np.asarray(results.signals(cell), dtype=np.float64)


def conditions(settings: list[Setting]) -> pd.DataFrame:
    """Return mean condition numbers of frames: one row per setting, one column per number of pools.

    They are condition numbers on the span of a frame's vectors. Settings without any are left out.
    """
    import pandas as pd

    rows = {}
    for setting in settings:
        frames = setting.rows.drop_duplicates(["n_pools", "seed", "trial"])
        found = frames.dropna(subset=["condition"]).groupby("n_pools")["condition"].mean()
        if len(found):
            rows[setting.title] = found
    table = pd.DataFrame(rows).T
    return table[sorted(table.columns)] if len(table) else table


def rotation_notes(settings: list[Setting]) -> list[str]:
    """Say what random frames and random starts cannot show, with a measurement if there is one."""
    notes = []
    for setting in (s for s in settings if s.letter in "bd"):
        text = (
            f"({setting.letter}): with random frames, altmin from random starts says nothing about "
            "the data: frames are rotation invariant, so the result is that of Gaussian vectors of "
            f"n = {setting.n}"
        )
        twins = [s for s in settings if s.letter == "a" and s.n == setting.n]
        part = _twin(setting, twins[0]) if twins else None
        if part:
            interval = part.interval()
            span = f", 95 % interval {interval[0]:+.3f} to {interval[1]:+.3f}" if interval else ""
            text += f" (measured: {part.estimate:+.3f} from these, mean over K and norms{span})"
        notes.append(text)
    return notes


def _twin(setting: Setting, gaussian: Setting) -> Part | None:
    """Return the mean difference to Gaussian vectors over the norms, linear and rectified."""
    pairs = [(p, r) for p in setting.norms for r in (False, True)]
    parts = [
        difference("", *(scored(s.select(RANDOM, p, r)) for s in (setting, gaussian)))
        for p, r in pairs
    ]
    found = [part for part in parts if part]
    sizes = {len(part.trials) for part in found}
    if len(sizes) != 1:
        return None
    values = np.mean([part.trials for part in found], axis=0)
    return Part("", tuple(map(float, values)), sum(part.signals for part in found))
