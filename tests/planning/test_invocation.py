"""A run, written as a command."""

from pathlib import Path

from benchbase.planning.invocation import run_command


def test_a_run_is_written_as_the_command_line_takes_it() -> None:
    found = run_command(
        Path("a b.toml"), points=3, trials=2, labels=["k N"], extras=[{"name": "knn", "q": 3}],
        plugins=["p.py"], changes={"grid.frame.n_pools": [60, 80]}, time_limit=1.5,
    )  # fmt: skip # as the command
    assert found == (
        "benchbase run 'a b.toml' --points 3 --trials 2 --time-limit 1.5 --plugin p.py "
        """--with '{ name = "knn", q = 3 }' --set 'grid.frame.n_pools=[60, 80]' --solver 'k N'"""
    )
