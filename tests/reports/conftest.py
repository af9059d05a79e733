from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import benchbase
from benchbase.results import COLUMNS

WHOLE = ("run", "n", "n_pools", "pool_size", "seed", "trial", "points", "signal")


@dataclass(frozen=True)
class Known:
    """Results whose rows are given."""

    rows: pd.DataFrame
    title: str = "A suite"

    def frame(self) -> pd.DataFrame:
        return self.rows.copy()

    @property
    def suites(self) -> list[dict[str, Any]]:
        return [{"id": 1, "suite": "a_suite", "title": self.title}]


def cell(
    scores: Sequence[float] | np.ndarray[Any, Any],
    label: str = "altmin",
    k: int = 10,
    **others: Any,
) -> pd.DataFrame:
    """Return the rows of a cell with the given squared cosines; `__` in a name stands for a dot."""
    rows = {
        "run": 1,
        "suite": "a_suite",
        "experiment": "",
        "cell": "key",
        "dataset": "digits",
        "n": 64,
        "frame": "gaussian",
        "n_pools": k,
        "pool_size": 2,
        "condition": 3.0,
        "pooling": "lp",
        "p": 2.0,
        "rectified": False,
        "noise": "",
        "hint": "",
        "solver": "altmin",
        "label": label,
        "seed": 0,
        "trial": 0,
        "points": len(scores),
        "signal": np.arange(len(scores)),
        "status": "done",
        "message": "",
        "squared_cosine": np.asarray(scores, dtype=float),
        "relative_error": 0.0,
        "residual": 0.0,
        "n_iter": 1,
        "converged": True,
        "prepare_seconds": 5.0,
        "init_seconds": 0.25,
        "solve_seconds": 0.5,
        "frame_applications": 2.0,
        "pooling.threshold": 0.0,
    }
    assert [*COLUMNS] == [*rows][: len(COLUMNS)]
    changes = {name.replace("__", "."): value for name, value in others.items()}
    return pd.DataFrame(rows | {"frame.n_pools": k} | changes)


def join(*cells: pd.DataFrame) -> pd.DataFrame:
    """Return one frame of cells, with the types that `Results.frame` has."""
    frame = pd.concat(cells, ignore_index=True)
    kinds = dict.fromkeys(WHOLE, "Int64") | {"rectified": "boolean"}
    return frame.astype(kinds).astype({"squared_cosine": "float64", "p": "float64"})


@pytest.fixture(scope="session", name="cell")
def cell_fixture() -> Callable[..., pd.DataFrame]:
    return cell


@pytest.fixture(scope="session", name="join")
def join_fixture() -> Callable[..., pd.DataFrame]:
    return join


@pytest.fixture(scope="session")
def known() -> Callable[..., benchbase.Results]:
    def make(*cells: pd.DataFrame, title: str = "A suite") -> Any:
        return Known(join(*cells), title)

    return make


@pytest.fixture(scope="session")
def unsupported() -> Callable[..., pd.DataFrame]:
    def make(label: str, k: int = 10, reason: str = "needs p = 2", **others: Any) -> pd.DataFrame:
        told = {"status": "unsupported", "message": reason, "init_seconds": np.nan}
        return cell([np.nan] * 3, label, k, **told, solve_seconds=np.nan, **others)

    return make
