"""What is published is the union of what was run; nothing leaves a site unseen."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import benchbase
from benchbase_publish.accepting import accept, publish, submit
from benchbase_publish.folder import locked
from benchbase_publish.schema import BundleError

Cli = Callable[..., Result]


def labels(site: Path) -> list[str]:
    found = json.loads((site / "index.json").read_text())["bundles"]
    return sorted(label for each in found for label in each["labels"])


@pytest.fixture
def results(ran: Path, tmp_path: Path) -> Path:
    """Return a copy of results of four solvers."""
    return Path(shutil.copytree(ran, tmp_path / "ran", ignore=shutil.ignore_patterns("one")))


def test_a_later_run_of_one_solver_adds_a_row_and_removes_none(
    cli: Cli, results: Path, tmp_path: Path
) -> None:
    options = ["--results", results, "--with", "{ name = 'mean', label = 'mine' }"]
    done = cli("run", results / "small.toml", *options, "--solver", "mine", "--jobs", "1")
    assert done.exit_code == 0
    publish(results, tmp_path / "site")
    assert labels(tmp_path / "site") == ["altmin", "knn", "mean", "mine", "phasecut"]
    before = (tmp_path / "site" / "index.json").read_bytes()
    with pytest.raises(benchbase.BenchbaseError, match="lose its rows of 'small' by 'altmin', 'kn"):
        publish(results, tmp_path / "site", ["mine"])
    assert (tmp_path / "site" / "index.json").read_bytes() == before
    publish(results, tmp_path / "site", ["mine"], drop=True)
    assert labels(tmp_path / "site") == ["mine"]


def test_what_is_not_finished_is_not_published(results: Path, tmp_path: Path) -> None:
    with sqlite3.connect(results / "results.sqlite") as store:
        of_knn = "WHERE key IN (SELECT key FROM run_cell WHERE label = 'knn')"
        store.execute(f"DELETE FROM chunk {of_knn}")
        store.execute(f"DELETE FROM recovered {of_knn}")
    store.close()
    with pytest.raises(benchbase.BenchbaseError, match=r"'small' are not finished:\n.*knn"):
        publish(results, tmp_path / "site")
    assert not (tmp_path / "site").exists()
    publish(results, tmp_path / "site", ["altmin", "mean"])
    assert labels(tmp_path / "site") == ["altmin", "mean"]


def test_what_a_host_of_sites_needs_may_be_there_before_the_site(ran: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / ".git").mkdir(parents=True)
    names = ["CNAME", ".nojekyll", "README.md", ".git/HEAD"]
    for name in names:
        (site / name).write_text("kept")
    for _ in range(2):
        publish(ran / "one", site)
        assert {(site / name).read_text() for name in names if name != ".nojekyll"} == {"kept"}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(benchbase.BenchbaseError, match=r"other than a site \(thesis\.tex\)"):
        publish(ran / "one", tmp_path / "other")


def test_a_newer_bundle_of_a_submitter_replaces_the_older_one(
    ran: Path, site: Path, tmp_path: Path
) -> None:
    loaded = benchbase.load_results(ran)
    submit(loaded, tmp_path / "one.zip", ["knn"])
    submit(loaded, tmp_path / "two.zip", ["knn", "mean"])
    accept(tmp_path / "one.zip", site, submitter="ann")
    with pytest.raises(BundleError, match="already has a solver labelled 'knn'"):
        accept(tmp_path / "two.zip", site, submitter="bob")
    done = accept(tmp_path / "two.zip", site, submitter="ann")
    assert len(done.replaced) == 1
    assert labels(site) == ["altmin", "knn", "mean"]
    with pytest.raises(BundleError, match="remove the rows of 'mean'; pack these too"):
        accept(tmp_path / "one.zip", site, submitter="ann")


def test_a_lock_has_a_limit_and_a_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchbase_publish.folder.PATIENCE", 0.1)
    told = r"locked for more than 0\.1 seconds by process \d+ on .* since"
    with locked(tmp_path / "site"):  # noqa: SIM117 # the second waits for the first
        with pytest.raises(benchbase.BenchbaseError, match=told), locked(tmp_path / "site"):
            pass
    with pytest.raises(benchbase.BenchbaseError, match="/proc"), locked(Path("/proc/x")):
        pass


TELLTALE = """\
import os
import pathlib
import numpy as np
import benchbase

with pathlib.Path(__file__).with_suffix(".pids").open("a") as file:
    file.write(f"{os.getpid()}\\n")
np.linalg.norm = None

@benchbase.solver
def nothing(frame, pooling, b, rng):
    return np.full(frame.n, np.nan)
"""


def test_the_process_that_judges_never_runs_the_code_of_a_stranger(
    forged: Callable[..., Path], site: Path, tmp_path: Path
) -> None:
    """It claims to be `mean`, whose rows a forged bundle gives to a solver of a plugin file."""
    (tmp_path / "telltale.py").write_text(TELLTALE)

    def claim(m: dict[str, object], a: dict[str, object]) -> None:
        m["entries"][1]["solver"] = {"name": "nothing"}  # type: ignore[index] # a manifest

    with pytest.raises(BundleError, match="run again, the share of signals with an est"):
        accept(forged(claim), site, rerun=True, plugins=[str(tmp_path / "telltale.py")], jobs=1)
    pids = {int(line) for line in (tmp_path / "telltale.pids").read_text().split()}
    assert pids
    assert os.getpid() not in pids
