"""How long a leaderboard of many solvers takes, from its rows: a row a signal."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from pytest_benchmark.fixture import BenchmarkFixture

from benchbase_reports.leaderboard import make_board

SOLVERS = 30  # 1000 by hand: 15 million rows, 4 GB, to which a board adds a third of one
POOLS, TRIALS, SIGNALS = np.arange(20, 70, 5), 5, 50
POOLINGS = [(p, rectified) for p in (1.0, 2.0, math.inf) for rectified in (False, True)]


def make_rows() -> pd.DataFrame:
    """Return 300 cells a solver: six poolings, ten numbers of pools, five trials."""
    shape = (SOLVERS, len(POOLINGS), TRIALS, len(POOLS))
    solver, pooling, trial, column = (each.ravel() for each in np.indices(shape))
    cells = np.arange(len(solver)).repeat(SIGNALS)
    rng = np.random.default_rng(0)
    k = POOLS[column]
    rate = 1 / (1 + np.exp(-(k - rng.uniform(20, 80, SOLVERS)[solver]) / 3))
    won = rng.random(len(cells)) < rate[cells]
    same: dict[str, Any] = {
        "suite": "s",
        "experiment": "",
        "dataset": "gaussian",
        "frame": "gaussian",
    }
    same |= {"pooling": "lp", "noise": "", "hint": "", "solver": "altmin", "message": ""}
    same |= {"status": "done", "run": 1, "n": 20, "pool_size": 2, "seed": 0, "points": SIGNALS}
    blocks = pd.DataFrame(
        same
        | {
            "cell": np.arange(len(solver)).astype(str),
            "label": np.array([f"solver {i}" for i in range(SOLVERS)])[solver],
            "p": np.array([p for p, _ in POOLINGS])[pooling],
            "rectified": np.array([rectified for _, rectified in POOLINGS])[pooling],
            "trial": trial,
            "n_pools": k,
            "init_seconds": rng.random(len(solver)),
            "solve_seconds": rng.random(len(solver)),
            "frame_applications": rng.integers(1, 20000, len(solver)).astype(float),
        }
    )
    rows = blocks.iloc[cells].reset_index(drop=True)
    return rows.assign(
        signal=np.tile(np.arange(SIGNALS), len(solver)),
        squared_cosine=np.where(won, 1.0, rng.random(len(cells))),
        residual=0.0,
        n_iter=rng.integers(1, 1000, len(cells)),
    )


def test_many_solvers(benchmark: BenchmarkFixture) -> None:
    """Report the seconds of `make_board`; the aim is 2 for 1,000 solvers."""
    rows = make_rows()
    suite = {"suite": "s", "title": "S", "command": ""}
    results: Any = SimpleNamespace(rows=lambda: rows, environments=list, suites=[suite])
    board = benchmark.pedantic(make_board, args=(results,), rounds=2)  # type: ignore[no-untyped-call] # it has no types
    assert len(board.table) == SOLVERS * len(POOLINGS)
    assert board.table["rank"].notna().all()
