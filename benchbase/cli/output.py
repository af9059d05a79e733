"""`benchbase report` and `benchbase export`: show and export the results of earlier runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchbase.cli import options, warn_of_broken_plugins

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
    from benchbase.api import installed_reports
    from benchbase.discovery.registry import registry
    from benchbase.results import load_results

    warn_of_broken_plugins()
    loaded = load_results(results, run)
    chosen = [registry().build("report", {"name": name}) for name in names]
    files = show_reports(loaded, chosen or installed_reports(), output)  # type: ignore[arg-type] # built as reports
    say_where(files, loaded.folder)


def show_reports(
    results: Results, reports: list[Report] | tuple[Report, ...], output: str | None = None
) -> list[Path]:
    """Show reports in the terminal, write their files, and return the paths of the files."""
    from rich.console import Console

    from benchbase.api import report, report_errors

    console = Console()
    for part in results.by_suite():
        for each in reports:
            with report_errors(each):
                each.show(part, console)
    return report(results, output, reports)


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
