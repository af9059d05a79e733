"""`benchbase verify`: whether stored results reproduce."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from benchbase.cli import warn_of_broken_plugins

if TYPE_CHECKING:
    from benchbase.checking.verify import Finding


@click.command("verify")
@click.argument("results")
@click.option(
    "--sample",
    metavar="N|all",
    default="3",
    show_default=True,
    callback=lambda *given: _cells(given[-1]),
    help="How many cells to run again.",
)
@click.option(
    "--run", "number", metavar="ID|all", help="One run, or all; else the latest of each suite."
)
@click.option("--plugin", "plugins", metavar="FILE.py", multiple=True, help="Load a plugin file.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON, nothing else.")
@click.pass_context
def verify_command(
    ctx: click.Context,
    results: str,
    sample: int | None,
    number: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Verify that the results in the folder RESULTS reproduce.

    All estimates are scored again, and some cells are run again. Exits with 1 if anything differs.
    """
    from dataclasses import asdict

    from benchbase.checking.verify import verify

    found = verify(results, run=number, sample=sample, plugins=plugins)
    warn_of_broken_plugins()
    if as_json:
        click.echo(json.dumps({"results": results} | asdict(found)))
    else:
        for finding in found.findings:
            click.echo(_line(finding))
        runs = ", ".join(map(str, found.runs))
        click.echo(
            f"run {runs}: {found.cells} cells, {found.estimates} estimates scored again, "
            f"{found.cells_run} cells run again: "
            + (f"{len(found.findings)} findings" if found.findings else "all reproduces")
        )
    ctx.exit(1 if found.findings else 0)


def _cells(value: str) -> int | None:
    """Return a number of cells, None for all."""
    if value == "all":
        return None
    if not value.isdecimal():
        raise click.BadParameter(f"must be a number of cells or 'all', not {value!r}")
    return int(value)


def _line(finding: Finding) -> str:
    """Say where and what a finding is."""
    place = [f"run {finding.run}", finding.experiment, finding.label, finding.pooling]
    place += [f"p = {finding.p}"] if finding.p is not None else []
    place += [f"K = {finding.n_pools}"] if finding.n_pools is not None else []
    place += [f"trial {finding.trial}"]
    if finding.signals:
        more = len(finding.signals) - 3
        shown = ", ".join(map(str, finding.signals[:3]))
        place.append(f"signal {shown}" + (f" and {more} more" if more > 0 else ""))
    return f"{', '.join(filter(None, place))}: {finding.message}"
