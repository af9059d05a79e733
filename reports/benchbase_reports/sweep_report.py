"""The report ``sweeps``: errors and successes against a parameter of the problem."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import benchbase
from benchbase.showing import save_figure, split, write_texts
from benchbase_reports.cramer_rao import cramer_rao
from benchbase_reports.sweep_figure import draw
from benchbase_reports.sweeps import sweep_columns, sweeps

if TYPE_CHECKING:
    import pandas as pd


class Sweeps(benchbase.Report):
    """Error and success against a parameter of the problem, such as the SNR of its noise.

    A parameter is swept if it is a number of the data set, frame, pooling, noise or hint, other
    than the number of pools, and takes several values while everything else is the same. The
    report shows the median relative error and the share of signals recovered (squared cosine above
    .999), with 95 % intervals over trials (Student's t). There is one line per solver, and one pair
    of panels per pooling and number of pools. If measurements have Gaussian noise of a given SNR,
    the Cramér-Rao bound is drawn too: the least root mean square error of an unbiased estimate.

    Written as ``sweeps.csv``, ``sweeps.svg`` and ``sweeps.png``, or not at all if nothing varies.
    Of more than six numbers of pools the figure shows six; the table has all.
    """

    name = "sweeps"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write the three files, or nothing if no parameter varies.

        Parameters
        ----------
        results : benchbase.Results
            Those of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The files. The same results give the same bytes.
        """
        frame = results.rows()
        table = sweeps(frame)
        if table.empty:
            return []
        table = table.assign(bound=cramer_rao_bounds(results, frame, table))
        texts = {"sweeps.csv": table.to_csv(index=False, lineterminator="\n")}
        figure = save_figure(folder, self.name, lambda: draw(table, results.suites[-1]["title"]))
        return write_texts(folder, texts) + figure


def cramer_rao_bounds(
    results: benchbase.ResultsView, frame: pd.DataFrame, table: pd.DataFrame
) -> list[float]:
    """Return the Cramér-Rao bound on the relative error for each row of a table.

    It is NaN unless the measurements have white noise of a given SNR, and if no problem of the row
    can be rebuilt. The bounds of signals are averaged as errors are: by the geometric mean of the
    trials' medians.

    Parameters
    ----------
    results : benchbase.Results
        They hold the test signals, and rebuild problems.
    frame : pandas.DataFrame
        Their frame.
    table : pandas.DataFrame
        From `sweeps`.
    """
    if not {"noise.on", "noise.snr"} <= {*table}:
        return [math.nan] * len(table)
    keys = sweep_columns(frame, "noise.snr")
    white = (frame["noise"] == "gaussian") & (frame["noise.on"] == "measurements")
    done = frame[white & (frame["status"] == "done")].drop_duplicates("cell")
    done = done.sort_values("points", ascending=False, kind="stable")
    levels: dict[tuple[str, ...], float] = {}
    for part in split(done, keys) if len(done) else []:
        trials = split(part, ["seed", "trial"])
        medians = [_at_zero_decibels(results, trial["cell"].tolist()) for trial in trials]
        levels[_identity(part.iloc[0], keys)] = float(np.exp(np.mean(np.log(medians))))
    found = []
    for _, row in table.iterrows():
        level = levels.get(_identity(row, keys), math.nan)
        found.append(level * 10 ** (-row["noise.snr"] / 20) if math.isfinite(level) else math.nan)
    return found


def _identity(row: pd.Series[Any], keys: list[str]) -> tuple[str, ...]:
    return tuple(str(row[key]) for key in keys)


def _at_zero_decibels(results: benchbase.ResultsView, cells: list[str]) -> float:
    """Return the median bound on the relative error at an SNR of 0 dB, over a trial's signals.

    All cells of a trial have the same problem. The first one that can be rebuilt is used; the
    bound is NaN if there is none.
    """
    for cell in cells:
        try:
            with benchbase.without_downloads():
                problem = results.problem(cell)
            x = np.asarray(results.signals(cell), dtype=np.float64)
        except benchbase.BenchbaseError:  # a plugin or data are not here
            continue
        x = x[np.linalg.norm(x, axis=1) > 0]
        if not len(x):
            break
        sigma = np.linalg.norm(problem.measure(x), axis=1) / math.sqrt(problem.frame.n_pools)
        return float(np.median(cramer_rao(problem, x, sigma) / np.linalg.norm(x, axis=1)))
    return math.nan
