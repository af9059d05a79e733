"""`benchbase run`: what it computes and says, and what it refuses."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import benchbase
from benchbase.cli import INTERRUPTED, output
from benchbase.discovery.registry import Registry
from benchbase.running.worker import Worker
from benchbase.storage.store import Store

Cli = Callable[..., Result]

SUITE = """\
title = "Small"
trials = 1
points = 3
report = []

[dataset]
name = "gaussian"
n = 4

[frame]
name = "gaussian"
pool_size = 2

[pooling]
name = "lp"
p = 2

[grid]
frame.n_pools = [6, 9]

[[solver]]
name = "altmin"
n_iter = 20

[[solver]]
label = "short"
name = "altmin"
n_iter = 10
"""

SOLVERS = """
import numpy as np
import benchbase

class Bad(benchbase.Solver):
    def prepare(self, problem):
        return lambda b, run: self.give(np.zeros((len(b), problem.frame.n)))

@benchbase.solver
class Raises(Bad):
    name = "raises"
    def give(self, x):
        raise KeyError("out of luck")

@benchbase.solver
class Unready(Bad):
    name = "unready"
    def prepare(self, problem):
        raise RuntimeError("not today")

@benchbase.solver
class Leaves(Bad):
    name = "leaves"
    def give(self, x):
        raise SystemExit(0)

@benchbase.solver
class WrongShape(Bad):
    name = "wrong_shape"
    def give(self, x):
        return benchbase.Recovery(x[:, :-1])

@benchbase.solver
class NotFinite(Bad):
    name = "not_finite"
    def give(self, x):
        x[1] = np.nan
        return benchbase.Recovery(x)

@benchbase.solver
class Picky(Bad):
    name = "picky"
    def unsupported(self, problem):
        return "only on Sundays"
    def give(self, x):
        raise AssertionError

@benchbase.solver
def chatty(frame, pooling, b, rng, *, size: float = 1.0):
    print("this is on standard output")
    return size * rng.standard_normal(frame.n)
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Write the suite `s.toml` and the plugin file `bad.py`."""
    (tmp_path / "bad.py").write_text(SOLVERS)
    (tmp_path / "s.toml").write_text(SUITE)
    return tmp_path / "s.toml"


def summary(result: Result) -> dict[str, object]:
    assert result.exit_code in (0, 1), result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def content(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def rows(folder: Path, run: int | None = None) -> list[tuple[object, ...]]:
    """Return what must be the same whenever a cell is computed."""
    frame = benchbase.load_results(folder, run).rows()
    kept = ["label", "n_pools", "trial", "signal", "status", "squared_cosine", "residual", "cell"]
    return [tuple(row) for row in frame[kept].itertuples(index=False)]


def test_a_run_computes_all_cells_and_the_next_one_nothing(cli: Cli, suite: Path) -> None:
    first = summary(cli("run", "s.toml", "--results", "r", "--json"))
    assert first["cells"] == {"done": 4}
    assert first["chunks_computed"] == 4
    assert (first["suite"], first["title"], first["run"]) == ("s", "Small", 1)
    assert (first["failures"], first["files"]) == ([], [])
    before = rows(Path("r"))
    again = summary(cli("run", "s.toml", "--results", "r", "--json"))
    assert again | {"run": 1, "chunks_computed": 4} == first
    assert again["chunks_computed"] == 0
    assert rows(Path("r")) == before
    assert len(before) == 12


def test_the_same_seed_gives_the_same_rows_in_another_folder(cli: Cli, suite: Path) -> None:
    for folder in ("one", "two"):
        summary(cli("run", "s.toml", "--results", folder, "--json"))
    summary(cli("run", "s.toml", "--results", "other", "--json", "--set", "seed=1"))
    assert rows(Path("one")) == rows(Path("two"))
    assert not {row[5] for row in rows(Path("one"))} & {row[5] for row in rows(Path("other"))}


def test_results_go_where_the_option_the_environment_or_neither_says(
    cli: Cli, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert summary(cli("run", "s.toml", "--json"))["results"] == str(tmp_path / "results")
    cli("run", "s.toml", "--json", "--results", "chosen")
    monkeypatch.delenv("BENCHBASE_RESULTS")
    cli("run", "s.toml", "--json")
    folders = {path.parent for path in tmp_path.rglob("results.sqlite")}
    assert folders == {tmp_path / name for name in ("results", "chosen", "benchbase-results")}


def test_for_people_a_run_ends_in_a_line_that_says_where_the_files_are(
    cli: Cli, suite: Path
) -> None:
    result = cli("run", "s.toml", "--results", "r")
    assert result.exit_code == 0
    assert "4 cells done" in result.stdout
    assert "results are in r" in result.stdout.splitlines()[-1]
    assert result.stderr == ""  # no progress bar where there is no terminal


def test_a_run_says_which_plugins_are_broken(
    cli: Cli, suite: Path, fresh_registry: Registry
) -> None:
    fresh_registry.warnings.append("plugin 'x' of the distribution y cannot be loaded: Z")
    result = cli("run", "s.toml", "--results", "r", "--json")
    assert summary(result)["cells"] == {"done": 4}
    assert result.stderr == f"warning: {fresh_registry.warnings[0]}\n"


def test_fewer_points_neither_mix_with_nor_replace_a_longer_run(cli: Cli, suite: Path) -> None:
    summary(cli("run", "s.toml", "--results", "r", "--json"))
    long = rows(Path("r"))
    short = summary(cli("run", "s.toml", "--results", "r", "--json", "--points", "2"))
    assert short["chunks_computed"] == 4
    assert len(rows(Path("r"))) == 8
    assert rows(Path("r"), 1) == long
    assert summary(cli("run", "s.toml", "--results", "r", "--json"))["chunks_computed"] == 0
    assert rows(Path("r")) == long


@pytest.mark.parametrize(("asked", "of_solver", "got"), [(5, 3, 3), (2, 3, 2), (5, 9, 5)])
def test_a_solver_has_at_most_the_points_of_the_run(
    cli: Cli, suite: Path, asked: int, of_solver: int, got: int
) -> None:
    text = SUITE.replace('label = "short"', f'label = "short"\npoints = {of_solver}')
    suite.write_text(text)
    summary(cli("run", "s.toml", "--results", "r", "--json", "--points", asked))
    frame = benchbase.load_results("r").rows()
    assert dict(frame.groupby(["label", "n_pools"]).size()) == {
        ("altmin", 6): asked, ("altmin", 9): asked, ("short", 6): got, ("short", 9): got,
    }  # fmt: skip # a solver a pair


def test_more_trials_keep_the_first(cli: Cli, suite: Path) -> None:
    summary(cli("run", "s.toml", "--results", "r", "--json"))
    first = rows(Path("r"))
    more = summary(cli("run", "s.toml", "--results", "r", "--json", "--trials", "2"))
    assert more["chunks_computed"] == 4
    assert [row for row in rows(Path("r")) if row[2] == 0] == first


def test_an_added_solver_changes_no_other_row(cli: Cli, suite: Path) -> None:
    summary(cli("run", "s.toml", "--results", "r", "--json"))
    before = rows(Path("r"))
    specs = ['{name = "altmin", n_iter = 5}', '{name = "mean", label = "average"}']
    added = summary(
        cli("run", "s.toml", "--results", "r", "--json", "--with", specs[0], "--with", specs[1])
    )
    assert added["chunks_computed"] == 4
    after = rows(Path("r"))
    assert [row for row in after if row[0] in ("altmin", "short")] == before
    assert {row[0] for row in after} == {"altmin", "short", "altmin(n_iter=5)", "average"}


def test_a_spelt_out_default_is_the_same_cell(cli: Cli, suite: Path) -> None:
    summary(cli("run", "s.toml", "--results", "r", "--json"))
    text = SUITE.replace("p = 2", "p = 2.0\nrectified = false\nthreshold = 0").replace(
        "n_iter = 10", 'n_iter = 10\ntol = 1e-8\nrectified_update = "rows"'
    )
    suite.write_text(text.replace("pool_size = 2", ""))
    assert summary(cli("run", "s.toml", "--results", "r", "--json"))["chunks_computed"] == 0


def test_solvers_can_be_chosen_by_label(cli: Cli, suite: Path) -> None:
    chosen = summary(cli("run", "s.toml", "--results", "r", "--json", "--solver", "short"))
    assert chosen["chunks_computed"] == 2
    assert {row[0] for row in rows(Path("r"))} == {"short"}


def test_set_changes_values_and_infinity_is_written_inf(cli: Cli, suite: Path) -> None:
    changes = ["--set", "grid.frame.n_pools=[7]", "--set", "pooling.p=inf", "--set", "trials=2"]
    assert summary(cli("run", "s.toml", "--results", "r", "--json", *changes))["cells"] == {
        "done": 4
    }
    frame = benchbase.load_results("r").rows()
    assert set(frame["n_pools"]) == {7}
    assert set(frame["p"]) == {float("inf")}
    records = json.loads(cli("export", "--format", "json", "--results", "r").stdout)
    assert {record["p"] for record in records} == {"inf"}


def test_a_dry_run_says_what_there_is_to_do_and_does_nothing(cli: Cli, suite: Path) -> None:
    dry = cli("run", "s.toml", "--results", "r", "--dry-run", "--json")
    assert json.loads(dry.stdout) == {
        "suite": "s", "cells": 4, "chunks_done": 0, "chunks_to_do": 4,
        "seconds": 0, "workers": 1, "chunks_without_estimate": {"altmin": 4}, "not_downloaded": [],
    }  # fmt: skip # one line of JSON
    assert not Path("r").exists()
    cli("run", "s.toml", "--results", "r", "--solver", "short")
    before = content(Path("r"))
    text = cli("run", "s.toml", "--results", "r", "--dry-run").stdout
    assert "4 cells" in text
    assert "done 2, to do 2" in text
    assert "no estimate for 2 of altmin, because r holds no similar results" in text
    more = cli(
        "run", "s.toml", "--results", "r", "--dry-run", "--trials", "3", "--jobs", "2"
    ).stdout
    assert "this takes about 0:00:01 with 2 workers" in more
    assert content(Path("r")) == before


def test_solvers_of_a_plugin_file_are_appended(cli: Cli, suite: Path) -> None:
    result = cli("run", "s.toml", "--results", "r", "--json", "--plugin", "bad.py")
    found = summary(result)
    assert result.exit_code == 1
    assert found["cells"] == {"done": 6, "failed": 10, "unsupported": 2}
    labels = list(dict.fromkeys(row[0] for row in rows(Path("r"))))
    assert labels == [
        "altmin", "short", "raises", "unready", "leaves", "wrong_shape", "not_finite", "picky",
        "chatty",
    ]  # fmt: skip # in the order of the suite, then of the file


def test_what_fails_is_told_and_the_others_go_on(cli: Cli, suite: Path) -> None:
    result = cli("run", "s.toml", "--results", "r", "--plugin", "bad.py")
    assert result.exit_code == 1
    told = {line.split(", ")[0]: line for line in result.stderr.splitlines() if "failed: " in line}
    assert set(told) == {
        f"failed: {label}" for label in ("raises", "unready", "leaves", "wrong_shape", "not_finite")
    }
    assert "KeyError: 'out of luck' (bad.py:13)" in told["failed: raises"]
    assert "RuntimeError: not today (bad.py:19)" in told["failed: unready"]
    assert "x of shape (3, 3), not (3, 4)" in told["failed: wrong_shape"]
    assert "not finite" in told["failed: not_finite"]
    frame = benchbase.load_results("r").rows()
    of = dict(list(frame.groupby("label")))
    assert set(of["altmin"]["status"]) == {"done"}
    assert list(of["not_finite"]["status"]) == ["done", "failed", "done"] * 2
    assert set(of["picky"]["message"]) == {"only on Sundays"}
    assert len(frame) == 2 * 3 * 9
    again = cli("run", "s.toml", "--results", "r", "--plugin", "bad.py", "--failed", "--json")
    assert summary(again)["chunks_computed"] == 2 * 5  # what is not finite has failed too


def test_what_was_finished_before_an_interruption_is_kept(cli: Cli, suite: Path) -> None:
    Path("stop.py").write_text(SOLVERS.replace('KeyError("out of luck")', "KeyboardInterrupt"))
    arguments = ["--results", "r", "--plugin", "stop.py", "--solver", "altmin"]
    result = cli("run", "s.toml", *arguments, "--solver", "raises")
    assert result.exit_code == 130
    assert result.stderr == f"{INTERRUPTED}\n"
    assert "1 cell done" in result.stdout
    assert set(benchbase.load_results("r").rows()["status"]) == {"done", "pending"}
    again = summary(cli("run", "s.toml", *arguments, "--json"))
    assert again["chunks_computed"] == 1  # the other problem had not been reached


def test_an_interruption_before_anything_is_written_shows_no_other_run(
    cli: Cli, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    cli("run", "s.toml", "--results", "r", "--solver", "short")
    monkeypatch.setattr(Store, "begin_run", interrupted)
    for folder in ("r", "new"):
        result = cli("run", "s.toml", "--results", folder)
        assert result.exit_code == 130
        assert result.stderr == f"{INTERRUPTED}\n"
        assert result.stdout == ""


def test_an_interruption_before_the_first_outcome_makes_no_reports(
    cli: Cli, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    suite.write_text(SUITE.replace("report = []\n", ""))  # all reports
    monkeypatch.setattr(Worker, "execute", interrupted)
    result = cli("run", "s.toml", "--results", "r")
    assert result.exit_code == 130
    assert result.stderr == f"{INTERRUPTED}\n"
    assert result.stdout.startswith("run 1: 4 cells pending\nresults are in r;")


def test_a_report_that_fails_changes_nothing_about_an_interruption(
    cli: Cli, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise benchbase.BenchbaseError("no report")

    monkeypatch.setattr(output, "show_reports", broken)
    Path("stop.py").write_text(SOLVERS.replace('KeyError("out of luck")', "KeyboardInterrupt"))
    arguments = ["--results", "r", "--plugin", "stop.py", "--solver", "altmin"]
    result = cli("run", "s.toml", *arguments, "--solver", "raises")
    assert result.exit_code == 130
    assert result.stderr == f"{INTERRUPTED}\nerror: no report\n"


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--jobs", "-1", "-1"),
        ("--time-limit", "nan", "nan is not a finite number"),
        ("--time-limit", "-1", "-1"),
        ("--memory-limit", "nan", "nan is not a finite number"),
        ("--memory-limit", "inf", "inf is not in the range"),
        ("--points", "0", "0"),
        ("--trials", "-3", "-3"),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    option: str, value: str, reason: str, cli: Cli, suite: Path
) -> None:
    result = cli("run", "s.toml", "--results", "r", option, value)
    assert result.exit_code == 2
    assert reason in result.stderr.splitlines()[-1]
    assert not Path("r").exists()


def test_json_is_alone_on_standard_output_whatever_solvers_print(cli: Cli, suite: Path) -> None:
    arguments = ["--plugin", "bad.py", "--solver", "chatty", "--solver", "raises"]
    result = cli("run", "s.toml", "--results", "r", "--json", *arguments)
    failures = summary(result)["failures"]
    assert isinstance(failures, list)
    assert [failure["label"] for failure in failures] == ["raises"]
    assert failures[0]["message"].startswith("KeyError: 'out of luck'")
    assert "NaN" not in result.stdout
    assert "this is on standard output" in result.stderr


def test_a_plugin_may_be_named_and_given_parameters_in_the_suite(cli: Cli, suite: Path) -> None:
    suite.write_text(SUITE + '[[solver]]\nname = "chatty"\nsize = 3\n')
    arguments = ["--plugin", "bad.py", "--solver", "chatty"]
    assert summary(cli("run", "s.toml", "--results", "r", "--json", *arguments))["cells"] == {
        "done": 2
    }
    assert set(benchbase.load_results("r").rows()["solver.size"]) == {3.0}


def test_editing_a_plugin_file_runs_its_cells_again(cli: Cli, suite: Path) -> None:
    arguments = ["--plugin", "bad.py", "--solver", "chatty", "--solver", "short"]
    assert (
        summary(cli("run", "s.toml", "--results", "r", "--json", *arguments))["chunks_computed"]
        == 4
    )
    for more, computed in {"# a remark\n": 0, "MORE = 1\n": 2}.items():
        Path("bad.py").write_text(SOLVERS + more)
        again = summary(cli("run", "s.toml", "--results", "r", "--json", *arguments))
        assert again["chunks_computed"] == computed


# What is replaced in the suite by what, further arguments, the line that is told, what is told.
BAD_SUITES = [
    ("[6, 9]", "[]", [], 19, "grid.frame.n_pools: must be a list of at least one value, not []"),
    ("[6, 9]", "[6, 0]", [], 19, "frame.n_pools: must be at least 1, not 0"),
    ("frame.n_pools", "frame.n_pool", [], 19, "no parameter 'n_pool'; did you mean 'n_pools'?"),
    ('"altmin"', '"altmni"', [], 22, "no solver named 'altmni'; did you mean 'altmin'?"),
    ("n_iter = 20", "n_itr = 20", [], 23, "no parameter 'n_itr'; did you mean 'n_iter'?"),
    ("n_iter = 20", 'n_iter = "20"', [], 23, "solver[0].n_iter: must be a valid integer, not '2"),
    ("n_iter = 20", "n_iter = 2O", [], 23, "Expected newline or end of document"),
    ("n_iter = 20", "n_iter = -1", [], 23, "solver[0].n_iter: must be at least 0, not -1"),
    ("n_iter = 20", 'init = { name = "kn" }', [], 23, "named 'kn'; did you mean 'knn'?"),
    ("p = 2\n", "p = 0\n", [], 16, "pooling.p: must be 1, 2 or inf, not 0"),
    (
        "p = 2\n",
        "rectified = true\nthreshold = [1, 2]\n",
        ["--set", "grid.frame.n_pools=[6]"],
        17,
        "pooling.threshold: must be one number or 12 (one per coefficient), not 2",
    ),
    ("p = 2\n", "threshold = 1\n", [], 16, "pooling.threshold: must be 0 unless rectified"),
    ("pool_size = 2", "pool_size = 0", [], 12, "frame.pool_size: must be at least 1, not 0"),
    ("pool_size = 2", "pool_size = 2.0", [], 12, "frame.pool_size: must be a valid integer"),
    ("pool_size = 2", "pool_size = 5", [], None, "must be at most the dimension 4"),
    ("n = 4", "n = 0", [], 8, "dataset.n: must be at least 1, not 0"),
    ("points = 3", "points = 0", [], 3, "points: must be an integer of at least 1, not 0"),
    ("points = 3", "seed = -1", [], 3, "seed: must be an integer of at least 0, not -1"),
    ("points = 3", "pints = 3", [], 3, "unknown key 'pints'; did you mean 'points'?"),
    ("points = 3", 'include = ["s.toml"]', [], 3, "s.toml includes itself"),
    ("points = 3", 'include = ["figure1z"]', [], 3, "include: no suite named 'figure1z'; did you"),
    ("points = 3", "points = 3\n\n]", [], 5, "Invalid statement"),
    ('label = "short"', "", [], 25, "solver[1].label: two solvers are labelled 'altmin'"),
    ('name = "gaussian"\nn = 4', 'name = "digits"', ["--points", "511"], None, "at most 510"),
    ("", "", ["--set", "grid.frame.n_pools=[]"], None, "must be a list of at least one value"),
    ("", "", ["--set", "points"], None, "--set points: write PATH=VALUE"),
    ("", "", ["--set", "points=x"], None, "--set points=x: not a TOML value"),
    ("", "", ["--set", "poits=3"], None, "the suite has no poits; did you mean 'points'?"),
    ("", "", ["--set", "solver.0.n_itr=3"], None, "--set solver.0.n_itr=3: solver[0].n_itr: alt"),
    ("", "", ["--with", "altmin"], None, "--with altmin: not a TOML value"),
    ("", "", ["--with", 'name = "knn"'], None, "Invalid value; text needs quotes"),
    ("", "", ["--with", "{name = 'altmin', n_itr = 1}"], None, "n_itr = 1}: n_itr: altmin has no"),
    ("", "", ["--with", '"altmin"'], None, '--with "altmin": '),
    ("", "", ["--with", "{n = 1}"], None, "--with {n = 1}: "),
    ("", "", ["--with", "{name = 'altmni'}"], None, "'altmni'; did you mean 'altmin'?"),
    ("", "", ["--with", "{name='altmin', label='short'}"], None, "two solvers are labelled 'short"),
    ("", "", ["--solver", "shrt"], None, "no solver labelled 'shrt'; did you mean 'short'?"),
    ("", "", ["--plugin", "no.py"], None, "no.py: No such file or directory"),
    ("", "", ["--plugin", "syntax.py"], None, "syntax.py:2: invalid syntax"),
    ("", "", ["--plugin", "raises.py"], None, "raises.py:2: ValueError: on purpose"),
    ("", "", ["--plugin", "nameless.py"], None, "Mine has no name"),
    ("", "", ["--plugin", "taken.py"], None, "two plugins supply a solver named 'altmin'"),
    ("", "", ["--points", "0"], None, "Invalid value for '--points'"),
    ("", "", ["--points", "many"], None, "Invalid value for '--points'"),
    ("", "", ["--trials", "-1"], None, "Invalid value for '--trials'"),
    ("", "", ["--nosuch"], None, "No such option"),
]

BAD_PLUGINS = {
    "syntax.py": "x = 1\nx = 1 1\n",
    "raises.py": "x = 1\nraise ValueError('on purpose')\n",
    "nameless.py": SOLVERS.replace('name = "raises"', "").replace("class Raises", "class Mine"),
    "taken.py": SOLVERS.replace("chatty", "altmin"),
}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of an earlier run."""
    folder = tmp_path_factory.mktemp("earlier")
    (folder / "s.toml").write_text(SUITE)
    benchbase.run(folder / "s.toml", results=folder / "r")
    return folder / "r"


def check_refused(result: Result, told: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert told in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "arguments", "line", "told"), BAD_SUITES, ids=range(len(BAD_SUITES))
)
def test_bad_input_is_one_message_and_leaves_results_alone(
    cli: Cli,
    suite: Path,
    earlier: Path,
    old: str,
    new: str,
    arguments: list[str],
    line: int | None,
    told: str,
) -> None:
    assert old in SUITE
    suite.write_text(SUITE.replace(old, new, 1))
    for name, source in BAD_PLUGINS.items():
        Path(name).write_text(source)
    before = content(earlier)
    result = cli("run", "s.toml", *arguments, "--results", "new")
    check_refused(result, told)
    if line is not None:
        assert result.stderr.startswith(f"error: s.toml:{line}: ")
    # One line, or those of click, which begin with the command's usage.
    assert result.stderr.count("\n") == (1 if result.stderr.startswith("error: ") else 4)
    assert not Path("new").exists()
    check_refused(cli("run", "s.toml", *arguments, "--results", earlier), told)
    assert content(earlier) == before


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("quik", "no suite named 'quik'; did you mean 'quick'?"),
        ("qqqq", "no suite named 'qqqq'; there are: 'figure1', 'figure1-small', 'figure1a'"),
        ("no.toml", "no.toml: No such file or directory"),
        ("folder/", "folder: No such file or directory"),
        (".toml", ".toml: No such file or directory"),
        ("latin.toml", "latin.toml:2: not UTF-8 text"),
        ("empty.toml", "empty.toml: needs a [dataset]"),
    ],
)
def test_what_is_no_suite_is_told(cli: Cli, tmp_path: Path, source: str, told: str) -> None:
    (tmp_path / "latin.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    (tmp_path / "empty.toml").write_text("")
    check_refused(cli("run", source, "--results", "r"), told)
    assert not Path("r").exists()


def test_all_that_is_wrong_is_told_at_once(cli: Cli, suite: Path) -> None:
    text = SUITE.replace("trials = 1", "trials = 0").replace("n_iter = 10", "n_itr = 10")
    suite.write_text(text.replace("p = 2\n", "p = 3\n").replace("n = 4", "n = 0"))
    lines = cli("run", "s.toml", "--results", "r").stderr.removeprefix("error: ").splitlines()
    assert sorted(line.split(": ")[0] for line in lines) == [
        "s.toml:16", "s.toml:2", "s.toml:28", "s.toml:8",
    ]  # fmt: skip # a line a mistake


@pytest.mark.parametrize("has_folder", [False, True])
def test_missing_data_are_told_with_what_to_put_where(
    cli: Cli, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_folder: bool
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if has_folder:
        (data / "mnist").mkdir()
    for name, value in {"OFFLINE": "1", "DATA": str(data), "CACHE": str(tmp_path / "c")}.items():
        monkeypatch.setenv(f"BENCHBASE_{name}", value)
    suite.write_text(SUITE.replace('name = "gaussian"\nn = 4', 'name = "mnist"'))
    for more in ([], ["--dry-run"]):
        result = cli("run", "s.toml", "--results", "r", *more)
        check_refused(result, "train-images-idx3-ubyte.gz and t10k-images-idx3-ubyte.gz")
        assert str(data if has_folder else tmp_path / "c" / "mnist") in result.stderr
        assert not Path("r").exists()


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--json"]])
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("text", "file is not a database"),
        ("cut", "results.sqlite: "),
        ("newer", "has the format 99, and this benchbase reads"),
        ("other", "has the format 0, and this benchbase reads"),
    ],
)
def test_unreadable_results_are_told_and_left_alone(
    cli: Cli, suite: Path, earlier: Path, kind: str, told: str, more: list[str]
) -> None:
    file = Path("r") / "results.sqlite"
    file.parent.mkdir()
    if kind == "text":
        file.write_text("this is no table of numbers\n" * 100)
    elif kind == "cut":
        file.write_bytes((earlier / "results.sqlite").read_bytes()[:5000])
    else:
        connection = sqlite3.connect(file)
        connection.execute("CREATE TABLE something (x)")
        if kind == "newer":
            connection.execute("PRAGMA user_version = 99")
        connection.commit()
        connection.close()
    before = content(Path("r"))
    check_refused(cli("run", "s.toml", "--results", "r", *more), told)
    assert content(Path("r")) == before


def test_an_empty_file_holds_no_results_yet(cli: Cli, suite: Path) -> None:
    file = Path("r") / "results.sqlite"
    file.parent.mkdir()
    file.touch()
    assert cli("run", "s.toml", "--results", "r", "--dry-run").exit_code == 0
    assert file.stat().st_size == 0
    assert summary(cli("run", "s.toml", "--results", "r", "--json"))["cells"] == {"done": 4}


@pytest.mark.parametrize("where", ["r", "r/results.sqlite/"])
def test_results_that_cannot_be_there_are_told(cli: Cli, suite: Path, where: str) -> None:
    if where == "r":
        Path("r").write_text("a file where the folder should be")
    else:
        Path(where).mkdir(parents=True)
    before = sorted(Path().rglob("*"))
    result = cli("run", "s.toml", "--results", "r")
    check_refused(result, "results in r")
    assert sorted(Path().rglob("*")) == before


FEW = """
import benchbase

class Few(benchbase.Dataset):
    name = "few"
    n: int = 4

    def test(self, size, rng):
        if size > 5:
            raise benchbase.ParameterError("points", f"must be at most 5, not {size}")
        return rng.standard_normal((size, self.n))

@benchbase.hookimpl
def register_datasets(register):
    register(Few)
"""


def test_a_run_that_is_refused_when_it_is_under_way_hides_no_earlier_one(
    cli: Cli, suite: Path
) -> None:
    suite.write_text(SUITE.replace('name = "gaussian"\nn = 4', 'name = "few"'))
    Path("few.py").write_text(FEW)
    arguments = ["run", "s.toml", "--results", "r", "--plugin", "few.py"]
    summary(cli(*arguments, "--json"))
    before = rows(Path("r"))
    check_refused(cli(*arguments, "--points", "6"), "points must be at most 5, not 6")
    assert rows(Path("r")) == before


def test_run_needs_a_suite(cli: Cli) -> None:
    assert cli("run").exit_code == 2
    assert "Missing argument 'SUITE'" in cli("run").stderr
