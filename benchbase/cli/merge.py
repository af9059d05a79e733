"""`benchbase merge`: results of several folders made one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from benchbase.storage.merge import Conflict


@click.command("merge")
@click.argument("sources", metavar="DIR...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="DIR", required=True, help="A new folder for all of them.")
@click.option("--json", "as_json", is_flag=True, help="Print the conflicts as JSON, nothing else.")
@click.pass_context
def merge_command(ctx: click.Context, sources: tuple[str, ...], output: str, as_json: bool) -> None:
    """Unite the results in several folders DIR in a new one, and list where they disagree.

    Nothing is dropped: of outcomes that differ, the latest counts and the others are kept as
    earlier attempts. Exits with 1 if there are any.
    """
    from benchbase.storage.merge import merge

    conflicts = merge([Path(source) for source in sources], Path(output))
    if as_json:
        found = [vars(conflict) for conflict in conflicts]
        click.echo(json.dumps({"results": output, "conflicts": found}))
    else:
        for conflict in conflicts:
            click.echo(_line(conflict))
        click.echo(f"wrote {output}; conflicts: {len(conflicts)}", err=True)
    ctx.exit(1 if conflicts else 0)


def _line(conflict: Conflict) -> str:
    """Spell a conflict in one line."""
    where = (
        conflict.label
        if conflict.n_pools is None
        else (f"{conflict.label}, K = {conflict.n_pools}")
    )
    parts = [f"{where}, from signal {conflict.start}: {' against '.join(conflict.statuses)}"]
    if conflict.difference is not None:
        parts.append(f"largest difference {conflict.difference:.2g}")
    parts += [f"{name} {one} against {two}" for name, (one, two) in conflict.environments.items()]
    return "; ".join([*parts, f"cell {conflict.key}"])
