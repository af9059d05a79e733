"""`benchbase cite`: print what to cite for a component."""

from __future__ import annotations

import click

import benchbase
from benchbase_reports.citations import bibliography, bibliography_of_spec

KINDS = ("solver", "dataset", "frame", "pooling")


@click.command("cite")
@click.argument("name", required=False)
def cite_command(name: str | None) -> None:
    """Print what to cite for a component, as BibTeX entries.

    NAME is the name of a solver, a data set, a frame or a pooling. Without NAME, print the entry of
    benchbase itself.
    """
    entries = bibliography(None) if name is None else {}
    for kind in KINDS if name is not None else ():
        entries |= bibliography_of_spec(kind, {"name": name})
    if not entries:
        problem = (
            f"there is nothing to cite for {name!r}: only solvers, data sets, frames and poolings "
            "have citations, and `benchbase list` shows their names"
        )
        raise benchbase.BenchbaseError(problem)
    click.echo("\n\n".join(entries.values()))
