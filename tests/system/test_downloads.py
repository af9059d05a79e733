"""Where data sets may download their files, and where they may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import benchbase

Cli = Callable[..., Result]


def test_downloads_are_refused_where_nobody_expects_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHBASE_OFFLINE", raising=False)
    benchbase.check_download("ours", "x.gz", "put it there")
    with (
        benchbase.without_downloads(),
        pytest.raises(benchbase.NotDownloadedError, match=r"^ours: x\.gz has not been downloaded"),
    ):
        benchbase.check_download("ours", "x.gz", "put it there")
    monkeypatch.setenv("BENCHBASE_OFFLINE", "1")
    with (
        benchbase.without_downloads(),
        pytest.raises(benchbase.DataError, match="BENCHBASE_OFFLINE is set; put it there"),
    ):
        benchbase.check_download("ours", "x.gz", "put it there")


SUITE = """
title = "s"
points = 2
trials = 1
dataset = { name = "mnist" }
frame = { name = "gaussian", pool_size = 2, n_pools = 9 }
pooling = { name = "lp", p = 2 }
grid.dataset = [{ name = "mnist" }, { name = "patches", source = "voc2012" }, { name = "digits" }]
[[solver]]
name = "mean"
"""


def test_a_dry_run_downloads_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import pooch

    monkeypatch.delenv("BENCHBASE_OFFLINE", raising=False)
    monkeypatch.delenv("BENCHBASE_DATA", raising=False)
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pooch, "retrieve", lambda *a, **k: pytest.fail("it downloads"))
    Path("s.toml").write_text(SUITE)
    done = cli("run", "s.toml", "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert "chunks done 0, to do 3" in done.stdout
    assert "the data of 'mnist', 'patches' is not downloaded; the run does that" in done.stdout
    assert not (tmp_path / "cache").exists()
