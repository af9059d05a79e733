"""`benchbase report` and `benchbase export`: results of earlier runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchbase.cli import warn_of_broken_plugins

if TYPE_CHECKING:
    from benchbase.interfaces import Report
    from benchbase.results import Results

RESULTS_OPTION = click.option(
    "--results", metavar="DIR", help="Folder of results (BENCHBASE_RESULTS, benchbase-results)."
)
RUN_OPTION = click.option(
    "--run", "number", metavar="ID|all", help="One run, or all; else the latest of each suite."
)


@click.command("report")
@click.argument("names", nargs=-1)
@RESULTS_OPTION
@RUN_OPTION
@click.option("-o", "--output", metavar="DIR", help="Where to write (the folder of results).")
def report_command(
    names: tuple[str, ...], results: str | None, number: str | None, output: str | None
) -> None:
    """Write reports of results and show them: all that are installed, or those NAMED."""
    from benchbase.api import installed_reports, results_folder
    from benchbase.discovery.registry import registry
    from benchbase.results import load_results

    warn_of_broken_plugins()
    loaded = load_results(results_folder(results), number)
    chosen = [registry().build("report", {"name": name}) for name in names]
    files = show_reports(loaded, chosen or installed_reports(), output)  # type: ignore[arg-type] # built as reports
    say_where(files, loaded.folder)


def show_reports(
    results: Results, reports: list[Report] | tuple[Report, ...], output: str | None = None
) -> list[Path]:
    """Show reports in the terminal and write them; return the files."""
    from rich.console import Console

    from benchbase.api import report, report_errors

    console = Console()
    for part in results.by_suite():
        for each in reports:
            with report_errors(each):
                each.show(part, console)
    return report(results, output, reports)


def say_where(files: list[Path], folder: Path) -> None:
    """Say where the files are."""
    for file in files:
        click.echo(f"wrote {file}")
    click.echo(f"results are in {folder}; see also: benchbase report, benchbase export")


@click.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "parquet", "json"]), default="csv")
@click.option("-o", "--output", metavar="FILE", help="Where to write (standard output).")
@RESULTS_OPTION
@RUN_OPTION
def export_command(form: str, output: str | None, results: str | None, number: str | None) -> None:
    """Export results, one row a signal, with all parameters."""
    from benchbase.api import results_folder
    from benchbase.results import load_results

    loaded = load_results(results_folder(results), number)
    loaded.export(form, Path(output) if output else sys.stdout)
