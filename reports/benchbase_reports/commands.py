"""The commands that this package adds to `benchbase`: leaderboard, compare, cite."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import click

import benchbase
from benchbase.cli import options
from benchbase_reports.cite import cite_command

FORMATS = ("terminal", "markdown", "latex", "csv", "json", "html")
_OF_ONE_SUITE = ("csv", "json", "html")


@click.command("leaderboard")
@options.results
@options.run
@click.option(
    "--budget",
    type=options.Number(min=0, min_open=True),
    default=None,
    metavar="N",
    help="Largest number of frame applications (products with the frame) that a solver may take "
    "per signal. Default: no limit.",
)
@options.form(FORMATS, "Format to write. csv and json have all columns, and html is a web page.")
@options.output("FILE", "File to write. Default: standard output.")
def leaderboard_command(
    results: Path, run: str | None, budget: float | None, form: str, output: str | None
) -> None:
    """Rank the solvers of a suite on each problem.

    The leaderboard also shows how certain the ranks are, and has one section per pooling. The
    primary column is K95, the number of pools at which 95 % of the signals are recovered within the
    budget.

    If the results have several suites, their leaderboards are written one after another. The
    formats csv, json and html can hold only one suite: choose its run with --run.

    The two reports `leaderboard` and `page` write all formats and the figures. To make them, type:
    benchbase report leaderboard page
    """
    from benchbase_reports.leaderboard.formats import WRITERS, print_board
    from benchbase_reports.leaderboard.make import make_board

    loaded = benchbase.load_results(results, run)
    suites = loaded.by_suite()
    boards = [make_board(each, budget=math.inf if budget is None else budget) for each in suites]
    if form in _OF_ONE_SUITE and len(boards) > 1:
        runs = ", ".join(f"{each['id']} ({each['suite']})" for each in loaded.suites)
        raise benchbase.BenchbaseError(
            f"{form} holds the leaderboard of one suite; choose a run with --run: {runs}"
        )
    if form == "terminal":
        from benchbase.showing import open_console

        stream = io.StringIO()
        console = open_console(stream if output else None)
        for board in boards:
            print_board(board, console)
        text = stream.getvalue()
    elif form == "html":
        from benchbase_reports.page import page_data, render

        text = "".join(map(render, map(page_data, suites, boards)))
    else:
        text = "\n".join(WRITERS[form](board) for board in boards)
    if output:
        _write(Path(output), text)
    else:
        click.echo(text, nl=False)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise benchbase.BenchbaseError(f"{file}: {error.strerror or error}") from error


@click.command("compare")
@click.argument("a")
@click.argument("b")
@options.results
@options.run
@options.as_json("the numbers")
def compare_command(a: str, b: str, results: Path, run: str | None, as_json: bool) -> None:
    """Compare two solvers on the signals that both have tried.

    A and B are labels or names of solvers. For each suite, the command prints a line for all
    problems together, if there are several, and one for each problem. It says which solver recovers
    better, or that the two cannot be told apart at the 5 % level, then the difference of their mean
    squared cosines with its 95 % interval, how likely such a difference is by chance, and on how
    many signals each solver is ahead. Names with spaces need quotes:
    benchbase compare 'altmin + kNN' kNN
    """
    from benchbase_reports.leaderboard.compare import Comparison, compare, resolve
    from benchbase_reports.leaderboard.formats import plain

    loaded = benchbase.load_results(results, run)
    parts = [(part.suites[-1], part.rows()) for part in loaded.by_suite()]
    first, second = (resolve([frame for _, frame in parts], name) for name in (a, b))
    if first == second:
        raise benchbase.BenchbaseError(
            f"{a!r} and {b!r} are the same solver, {first!r}; name two different ones"
        )
    comparisons: list[Comparison] = []
    for suite, frame in parts:
        if {first, second} <= {*frame["label"].unique()}:
            comparisons += compare(frame, suite, first, second)
    if not comparisons:
        raise benchbase.BenchbaseError(
            f"no suite has results of both {first!r} and {second!r}; choose other runs with --run"
        )
    if as_json:
        rows = [
            {key: plain(value) for key, value in each.numbers().items()} for each in comparisons
        ]
        click.echo(json.dumps(rows, allow_nan=False, ensure_ascii=False))
    else:
        for each in comparisons:
            click.echo(each.sentence())


COMMANDS = (leaderboard_command, compare_command, cite_command)
"""All commands of this package."""
