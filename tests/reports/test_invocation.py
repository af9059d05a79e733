from pathlib import Path

import pytest

import benchbase
from benchbase_reports.invocation import row_command, sized_command, suite_command
from benchbase_reports.leaderboard import make_board
from benchbase_reports.page import page_data

PLUGIN = """
import numpy as np
import benchbase

@benchbase.solver
def of_file(frame, pooling, b, rng, *, power: float = 1.0):
    return rng.standard_normal(frame.n) ** 3 * np.mean(b**power)
"""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("benchbase run quick", "benchbase run quick"),
        (
            "benchbase run quick --points 3 --results /data/me/r --jobs=2 --json --solver kNN",
            "benchbase run quick --points 3",
        ),
        (
            "benchbase run /data/me/s.toml --plugin=/data/me/p.py --plugin /data/me/q.py",
            "benchbase run s.toml --plugin=p.py --plugin q.py",
        ),
        (
            "benchbase run quick --dask tcp://10.0.0.1:80 --memory-limit 3 --time-limit 9 --failed",
            "benchbase run quick --time-limit 9",
        ),
        (
            "benchbase run quick --set 'grid.frame.n_pools=[60, 80]' --rerun kNN --host-name",
            "benchbase run quick --set 'grid.frame.n_pools=[60, 80]'",
        ),
        (
            "benchbase run ../me/s.toml --plugin ~ann/p.py --sealed",
            "benchbase run s.toml --plugin p.py",
        ),
        (
            "benchbase run suites/s.toml --plugin a/p.py",
            "benchbase run suites/s.toml --plugin a/p.py",
        ),
        ("benchbase run quick; rm -r x", "benchbase run 'quick;' rm -r x"),
        ("benchbase publish x", ""),
        ("benchbase run 'quick", ""),
        ("seed 3", ""),
        ("", ""),
    ],
)
def test_a_suites_command_holds_what_changes_its_numbers(command: str, expected: str) -> None:
    assert suite_command(command) == expected
    assert suite_command(expected) == expected


def test_a_run_without_a_command_is_told_by_its_size() -> None:
    run = {"suite": "a suite", "resolved": '{"experiments": [{"points": 7, "trials": 2}]}'}
    assert sized_command(run) == "benchbase run 'a suite' --points 7 --trials 2"
    run["resolved"] = '{"experiments": [{"points": 7, "trials": 2}, {"points": 9, "trials": 2}]}'
    assert sized_command(run) == "benchbase run 'a suite' --trials 2"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("kNN", ""),
        ("x", """--with '{name = "x"}' """),
        ("x(q=3)", """--with '{name = "x"}' """),
        ("y y", """'--with={name = "x", label = "y y"}' """),
    ],
)
def test_a_rows_command_adds_no_other_solver(label: str, expected: str) -> None:
    added = """--with '{name = "x"}' '--with={name = "x", label = "y y"}'"""
    found = row_command(f"benchbase run quick {added} --points 3", label)
    quoted = f"'{label}'" if label not in ("kNN", "x") else label
    expected = expected.replace("'--with={", "--with '{")
    assert found == f"benchbase run quick {expected}--points 3 --solver {quoted}"


def test_each_rows_command_computes_the_row_again(
    tmp_path: Path, cli: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two runs of the Python interface, of an added solver, and of one in a plugin file."""
    import shlex

    file = tmp_path / "of_file.py"
    file.write_text(PLUGIN)
    made = benchbase.run(
        "quick", results=tmp_path / "once", points=3, trials=2, solvers=["kNN", "noise of file"],
        plugins=file, extra=[{"name": "of_file", "label": "noise of file", "power": 2.0}],
        changes={"grid.frame.n_pools": [24, 72]}, jobs=0,
    )  # fmt: skip # one line a group
    monkeypatch.chdir(tmp_path)
    data = page_data(made, make_board(made), largest=0)
    assert data.command == (
        "benchbase run quick --points 3 --trials 2 --plugin of_file.py "
        """--with '{ name = "of_file", label = "noise of file", power = 2.0 }' """
        "--set 'grid.frame.n_pools=[24, 72]'"
    )
    for number, entry in enumerate(data.solvers):
        (command,) = entry["commands"]
        own = tmp_path / str(number)
        done = cli(*shlex.split(command)[1:], "--results", own, "--jobs", 0)  # type: ignore[operator] # a fixture
        assert done.exit_code == 0, done.output
        again = make_board(benchbase.load_results(own)).table
        table = make_board(made).table
        first = table[table["label"] == entry["label"]]
        for column in ("problem", "success", "mean", "area", "signals", "trials", "n_least"):
            assert list(again[column]) == list(first[column])
