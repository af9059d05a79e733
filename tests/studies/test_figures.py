"""The suites of the paper's figure against an independent implementation; minutes, by hand."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchbase

pytestmark = pytest.mark.slow

# Mean squared cosines by an independent NumPy implementation: 4 frames × 50 signals for Gaussian
# signals, n = 40, and 50 signals for MNIST, PCA to 100 components, uncentred, q = 10.
# Rectified too, from one sign of the start, where the suites try both.
# (label, rectified): K: the values for p = 1, 2, ∞, None where there is none.
Table = dict[tuple[str, bool], dict[int, tuple[float | None, float | None, float | None]]]
GAUSSIAN: Table = {
    ("altmin", False): {
        40: (0.104, 0.105, 0.100),
        60: (0.261, 0.272, 0.255),
        80: (0.480, 0.551, 0.477),
        120: (0.762, 0.760, 0.724),
        200: (0.981, 0.976, 0.972),
    },
    ("altmin", True): {
        40: (0.276, 0.271, 0.246),
        60: (0.763, 0.746, 0.709),
        80: (0.963, 0.958, 0.952),
        120: (1.0, 1.0, 1.0),
    },
}
MNIST: Table = {
    ("kNN", False): {60: (None, 0.901, None), 130: (None, 0.897, None)},
    ("altmin", False): {
        60: (0.017, 0.018, 0.017),
        130: (0.096, 0.097, 0.087),
        200: (0.410, 0.402, 0.343),
    },
    ("altmin + kNN", False): {
        60: (0.800, 0.839, 0.801),
        130: (0.988, 0.995, 0.986),
        200: (1.0, 1.0, 1.0),
    },
    ("altmin", True): {
        60: (None, 0.044, None),
        130: (None, 0.467, None),
        200: (None, 0.997, None),
    },
    ("altmin + kNN", True): {
        60: (0.831, 0.848, 0.838),
        130: (0.963, 0.986, 0.958),
        200: (1.0, 1.0, 1.0),
    },
}


ONE_SIGN = [
    {"label": "altmin, one sign", "name": "altmin"},
    {"label": "altmin + kNN, one sign", "name": "altmin", "init": {"name": "knn", "q": 10}},
]


def compare(frame: pd.DataFrame, table: Table, frames: int) -> pd.DataFrame:
    """Put measured means beside the table's; `frames` is how many the table had."""
    rows = []
    for (label, rectified), by_pools in table.items():
        one_sign = label if label == "kNN" else f"{label}, one sign"
        for pools, values in by_pools.items():
            for p, value in zip((1.0, 2.0, np.inf), values, strict=True):
                cell = frame[
                    (frame["label"] == one_sign)
                    & (frame["rectified"] == rectified)
                    & (frame["n_pools"] == pools)
                    & (frame["p"] == p)
                ]
                if value is None:
                    continue
                trials = cell.groupby("trial")["squared_cosine"].mean()
                error = trials.std(ddof=1) / np.sqrt(len(trials))
                # The table's own error is not known: that of signals alone is the least.
                signals = cell["squared_cosine"].std(ddof=1) / np.sqrt(frames * 50)
                theirs = max(signals, error * np.sqrt(len(trials) / frames))
                gap = abs(trials.mean() - value)
                allowed = 3 * np.hypot(error, theirs) + 0.01
                rows.append(
                    (label, rectified, p, pools, value, trials.mean(), error, gap <= allowed)
                )
    names = ["label", "rectified", "p", "K", "table", "measured", "error", "agrees"]
    return pd.DataFrame(rows, columns=names)


def test_figure1a(tmp_path: Path) -> None:
    pools = [40, 60, 80, 120, 200]
    changes = {"grid.frame.n_pools": pools}
    results = benchbase.run("figure1a", results=tmp_path, changes=changes, extra=ONE_SIGN[:1])
    compared = compare(results.rows().query("n == 40"), GAUSSIAN, frames=4)
    print(compared.round(3).to_string())  # noqa: T201 # the figures are to be quoted
    assert (~compared["agrees"]).sum() <= len(compared) / 40


def test_figure1b(tmp_path: Path) -> None:
    if "BENCHBASE_DATA" not in os.environ:
        pytest.skip("MNIST is wanted: set BENCHBASE_DATA")
    pools = [60, 130, 200]
    changes = {"grid.frame.n_pools": pools}
    results = benchbase.run("figure1b", results=tmp_path, changes=changes, extra=ONE_SIGN)
    frame = results.rows()
    compared = compare(frame, MNIST, frames=1)
    print(compared.round(3).to_string())  # noqa: T201 # as above
    assert (~compared["agrees"]).sum() <= max(1, len(compared) / 40)
    best = compared.query("label == 'altmin + kNN' and not rectified and p == 2 and K == 130")
    assert best["measured"].item() >= 0.98


SIX = [
    {"name": "lp", "p": p, "rectified": rectified}
    for rectified in (False, True)
    for p in (1, 2, np.inf)
]


def means(frame: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard error over trials, by label, pooling and number of pools."""
    by = ["label", "rectified", "p", "n_pools"]
    trials = frame.groupby([*by, "trial"])["squared_cosine"].mean()
    table = trials.groupby(by).agg(mean="mean", error="sem", trials="count").reset_index()
    print(table.round(3).to_string())  # noqa: T201 # as above
    return table


@pytest.mark.skipif("BENCHBASE_DATA" not in os.environ, reason="MNIST is wanted")
def test_random_frames_and_starts_take_mnist_for_gaussian_vectors(tmp_path: Path) -> None:
    tables = []
    for dataset in ({"name": "mnist"}, {"name": "gaussian", "n": 100}):
        changes = {"grid.frame.n_pools": [130, 200], "dataset": dataset}
        results = benchbase.run("figure1b", results=tmp_path, changes=changes, solvers="altmin")
        tables.append(means(results.rows()))
    gap = (tables[0]["mean"] - tables[1]["mean"]).abs()
    assert len(gap) == 12
    assert (gap <= 4 * np.hypot(tables[0]["error"], tables[1]["error"]) + 1e-6).all()


@pytest.mark.skipif("BENCHBASE_DATA" not in os.environ, reason="MNIST is wanted")
def test_figure1c(tmp_path: Path) -> None:
    labels = ["altmin", "altmin, no sphere"]
    changes = {"grid.frame.n_pools": [130]}
    results = benchbase.run("figure1c", results=tmp_path, changes=changes, solvers=labels)
    table = means(results.rows()).set_index(["label", "rectified"])["mean"]
    assert (table["altmin", False] >= 0.95).all()
    assert (table["altmin, no sphere", False] <= 0.3).all()
    assert (table["altmin", True] >= 0.75).all()


@pytest.mark.skipif("BENCHBASE_DATA" not in os.environ, reason="BSDS500 is wanted")
def test_figure1d(tmp_path: Path) -> None:
    """Patches of other photographs than those trained on: 400 signals."""
    changes = {"grid.frame.n_pools": [330], "grid.pooling": [{"name": "lp", "p": 2}]}
    results = benchbase.run(
        "figure1d", results=tmp_path, changes=changes, points=100, solvers="altmin + kNN"
    )
    (mean,) = means(results.rows())["mean"]
    assert 0.86 <= mean <= 0.97  # the paper says .97, its split at random


@pytest.mark.skipif("BENCHBASE_DATA" not in os.environ, reason="MNIST is wanted")
@pytest.mark.parametrize("suite", ["figure1a", "figure1b"])
def test_rectified_is_easier_from_random_starts(tmp_path: Path, suite: str) -> None:
    changes = {"grid.frame.n_pools": [60, 100, 130, 160], "grid.pooling": SIX}
    results = benchbase.run(suite, results=tmp_path, changes=changes, solvers="altmin")
    frame = results.rows()
    for _, problem in frame.groupby("n"):
        trials = problem.groupby(["p", "rectified", "trial"])["squared_cosine"].mean()
        gain = trials.xs(True, level="rectified") - trials.xs(False, level="rectified")
        of_p = gain.groupby("p")
        assert (of_p.mean() > 3 * of_p.sem()).all()
