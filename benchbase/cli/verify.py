"""`benchbase verify`: check that stored results can be reproduced."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from benchbase.cli import options, warn_of_broken_plugins

if TYPE_CHECKING:
    from benchbase.checking.verify import Finding


@click.command("verify")
@click.argument("results", type=options.PATH)
@click.option(
    "--sample",
    metavar="N|all",
    default="3",
    show_default=True,
    callback=lambda *given: _cells(given[-1]),
    help="Number of cells to run again. A cell is one solver on one setting (with its number of "
    "pools) in one trial.",
)
@options.run
@options.plugins
@options.as_json("the findings")
@click.pass_context
def verify_command(
    ctx: click.Context,
    results: str,
    sample: int | None,
    run: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check that stored results can be reproduced.

    RESULTS is a folder of results. All problems are built again, all estimates are scored again,
    and some cells are run again. The exit code is 1 if anything differs or cannot be verified.
    """
    from dataclasses import asdict

    from benchbase.checking.verify import verify

    outcome = verify(results, run=run, sample=sample, plugins=plugins)
    warn_of_broken_plugins()
    if as_json:
        click.echo(json.dumps({"results": results} | asdict(outcome)))
    else:
        for line in _lines(outcome.findings):
            click.echo(line)
        runs = ", ".join(map(str, outcome.runs))
        click.echo(
            f"run {runs}: {outcome.cells} cells, {outcome.estimates} estimates scored again, "
            f"{outcome.cells_run} cells run again: "
            + (f"{len(outcome.findings)} findings" if outcome.findings else "all reproduce")
        )
    ctx.exit(1 if outcome.findings else 0)


def _cells(value: str) -> int | None:
    """Read a number of cells. None stands for all cells."""
    if value == "all":
        return None
    if not value.isdecimal() or len(value) > 9:
        raise click.BadParameter(f"must be a number of cells or 'all', not {value!r}")
    return int(value)


def _lines(findings: list[Finding]) -> Iterator[str]:
    """Yield a line for each finding; what several cells of a solver have in common has one line."""
    same = Counter(map(_of_solver, findings))
    for finding in findings:
        number = 1 if finding.signals else same.pop(_of_solver(finding), 0)
        if number == 1:
            yield _line(finding)
        elif number:
            yield f"run {finding.run}, {finding.label}, {number} cells: {finding.message}"
    if any("no solver named" in finding.message for finding in findings):
        yield "solvers in a plugin file need --plugin FILE"


def _of_solver(finding: Finding) -> tuple[object, ...]:
    return finding.run, finding.label, finding.message, bool(finding.signals)


def _line(finding: Finding) -> str:
    """Describe a finding in one line: where it is, and what differs."""
    place = [f"run {finding.run}", finding.experiment, finding.label, finding.pooling]
    place += [f"K = {finding.n_pools}"] if finding.n_pools is not None else []
    place += [f"trial {finding.trial}"]
    if finding.signals:
        more = len(finding.signals) - 3
        shown = ", ".join(map(str, finding.signals[:3]))
        place.append(f"signal {shown}" + (f" and {more} more" if more > 0 else ""))
    return f"{', '.join(filter(None, place))}: {finding.message}"
