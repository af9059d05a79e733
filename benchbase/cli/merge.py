"""`benchbase merge`: merge several folders of results into one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchbase.cli import options

if TYPE_CHECKING:
    from benchbase.storage.merge import Conflict


@click.command("merge")
@click.argument("sources", metavar="DIR...", nargs=-1, required=True, type=options.PATH)
@options.output("DIR", "The new folder.", required=True)
@options.as_json("the conflicts")
@click.pass_context
def merge_command(ctx: click.Context, sources: tuple[str, ...], output: str, as_json: bool) -> None:
    """Merge several folders of results into a new one.

    Nothing is dropped. If folders have different outcomes of the same computation, the latest
    outcome counts, the others are kept as earlier attempts, and the conflict is printed. The exit
    code is 1 if there are conflicts.
    """
    from benchbase.storage.merge import merge

    conflicts = merge([Path(source) for source in sources], Path(output))
    if as_json:
        listed = [vars(conflict) for conflict in conflicts]
        click.echo(json.dumps({"results": output, "conflicts": listed}))
    else:
        for conflict in conflicts:
            click.echo(_line(conflict))
        click.echo(f"wrote {output}; conflicts: {len(conflicts)}", err=True)
    ctx.exit(1 if conflicts else 0)


def _line(conflict: Conflict) -> str:
    """Describe a conflict in one line."""
    pools = "" if conflict.n_pools is None else f", K = {conflict.n_pools}"
    statuses = " against ".join(conflict.statuses)
    parts = [f"{conflict.label}{pools}, from signal {conflict.start}: {statuses}"]
    if conflict.difference is not None:
        parts.append(f"largest difference {conflict.difference:.2g}")
    parts += [f"{name} {one} against {two}" for name, (one, two) in conflict.environments.items()]
    return "; ".join([*parts, f"cell {conflict.key}"])
