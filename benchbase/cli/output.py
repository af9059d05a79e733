"""`benchbase report` and `benchbase export`: show and export the results of earlier runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchbase.cli import options, warn_of_broken_plugins
from benchbase.errors import BenchbaseError, ReportError

if TYPE_CHECKING:
    from benchbase.interfaces import Report
    from benchbase.results import Results


@click.command("report")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@options.results
@options.run
@options.output(
    "DIR",
    "Folder under which the files are written, in SUITE/run-ID. Default: the folder of results.",
)
def report_command(
    names: tuple[str, ...], results: Path, run: str | None, output: str | None
) -> None:
    """Show reports of results, and write them to files.

    NAME is the name of a report that `benchbase list reports` prints. Without a NAME, all reports
    are made except those that take long, which must be named.
    """
    from benchbase.api import installed_reports, write_reports
    from benchbase.discovery.registry import registry
    from benchbase.results import load_results

    chosen = [registry().build("report", {"name": name}) for name in names] or installed_reports()
    warn_of_broken_plugins()
    loaded = load_results(results, run)
    files, errors = write_reports(loaded, chosen, output)  # type: ignore[arg-type] # built as reports
    show_reports(loaded, chosen, errors)  # type: ignore[arg-type] # as above
    say_where(files, loaded.folder)
    if errors:
        raise ReportError(errors)


def show_reports(results: Results, reports: Sequence[Report], errors: list[BenchbaseError]) -> None:
    """Show reports in the terminal, and add the errors of those that fail to the list."""
    from benchbase.api import collect_errors
    from benchbase.showing import open_console

    console = open_console()
    for part in results.by_suite():
        for each in reports:
            with collect_errors(each, errors):
                each.show(part, console)


def say_where(files: list[Path], folder: Path) -> None:
    """Print the paths of the files and of the results."""
    for file in files:
        click.echo(f"wrote {file}")
    click.echo(f"results are in {folder}; see also: benchbase report, benchbase export")


@click.command("export")
@options.form(("csv", "parquet", "json"))
@options.output("FILE", "File to write. Default: standard output.")
@options.results
@options.run
def export_command(form: str, output: str | None, results: Path, run: str | None) -> None:
    """Export results as a table with one row per signal of each cell.

    A cell is one solver on one setting in one trial.

    The columns hold the problem, the solver, all their parameters, the scores and the times. The
    page "Running and reading" of the documentation describes each column.
    """
    from benchbase.results import load_results

    loaded = load_results(results, run)
    loaded.export(form, Path(output) if output else sys.stdout)
