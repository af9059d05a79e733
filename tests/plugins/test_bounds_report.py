"""The report ``bounds`` on a small run."""

import math
from pathlib import Path

import pandas as pd
import pytest

import benchbase
from benchbase_bounds.report import Bounds, bounds_table

SUITE = """
title = "small"
points = 3
report = [{ name = "table" }]
dataset = { name = "gaussian", n = 2 }
frame = { name = "gaussian", pool_size = 2, pools = "drawn" }

[grid]
frame.n_pools = [3, 8]
pooling = [
    { name = "lp", p = 1, rectified = true },
    { name = "lp", p = inf },
    { name = "maxout" },
]

[[solver]]
name = "altmin"
"""


def test_constants_stand_beside_recovery(tmp_path: Path) -> None:
    suite = tmp_path / "small.toml"
    suite.write_text(SUITE)
    results = benchbase.run(suite, results=tmp_path / "results", jobs=0)
    table = bounds_table(results, effort=0.1)
    assert len(table) == 6
    assert (table["lower"] <= table["upper"]).all()
    assert (table["upper"] <= table["largest"]).all()
    assert table["cos² altmin"].between(0, 1 + 1e-9).all()
    row = table[(table["pooling"] == "lp") & table["rectified"] & (table["n_pools"] == 8)].iloc[0]
    assert row["limit_lower"] == pytest.approx(math.sqrt(8 / 2))
    assert row["limit_upper"] == pytest.approx(math.sqrt(8 * (1 + 1 / math.pi)))
    files = Bounds(effort=0.1).write(results, tmp_path)
    assert {file.suffix for file in files} == {".csv", ".md", ".svg", ".png"}
    assert len(pd.read_csv(files[0])) == 6
    assert "rectified ℓ1" in (tmp_path / "bounds.svg").read_text(encoding="utf-8")


def test_effort_is_positive() -> None:
    with pytest.raises(benchbase.ParameterError, match="must be positive"):
        Bounds(effort=0)
