"""The command `benchbase cite`: what to cite for a component."""

from __future__ import annotations

import click

import benchbase
from benchbase_reports.citations import bibliography, bibliography_of_spec

KINDS = ("solver", "dataset", "frame", "pooling")


@click.command("cite")
@click.argument("name", required=False)
def cite_command(name: str | None) -> None:
    """Print BibTeX entries to cite for the solver, data set, frame or pooling NAME.

    Without NAME, print the entry of benchbase itself.
    """
    found = bibliography(None) if name is None else {}
    for kind in KINDS if name is not None else ():
        found |= bibliography_of_spec(kind, {"name": name})
    if not found:
        problem = f"there is nothing to cite for {name!r}; `benchbase list` names what is installed"
        raise benchbase.BenchbaseError(problem)
    click.echo("\n\n".join(found.values()))
