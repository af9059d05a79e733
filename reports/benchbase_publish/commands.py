"""`benchbase publish`, `submit` and `accept`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

import click

from benchbase.cli import options


@click.command("publish")
@click.argument("results")
@click.argument("site", metavar="DIR")
@options.run
@click.option("--verify", is_flag=True, help="Score every stored signal again first.")
def publish_command(results: str, site: str, run: str | None, verify: bool) -> None:
    """Write the folder RESULTS as a static site DIR, whole or not at all.

    Bundles that the site has accepted stay in its leaderboards. Where RESULTS is a site itself,
    its pages are made anew.
    """
    from benchbase_publish.accepting import publish

    made = publish(results, site, run=run, verify=verify)
    for suite in made.suites:
        count = sum(len(held.bundle.labels) for held in made.of(suite))
        click.echo(f"{suite}: {count} solvers")
    click.echo(f"wrote {site}; give the folder to any static host")


@click.command("submit")
@options.results
@options.run
@options.labels
@click.option("--citation", metavar="TEXT", default="", help="How to cite them.")
@click.option("--bibtex", metavar="FILE", type=click.File(encoding="utf-8"), help="As BibTeX.")
@options.output("BUNDLE", "The file to write.", required=True)
def submit_command(
    results: Path,
    run: str | None,
    labels: tuple[str, ...],
    citation: str,
    bibtex: TextIO | None,
    output: str,
) -> None:
    """Pack results of solvers on a suite into a bundle, which others can score again."""
    import benchbase
    from benchbase_publish.accepting import submit

    loaded = benchbase.load_results(results, run)
    reference = bibtex.read() if bibtex else ""
    bundle = submit(loaded, output, labels, citation=citation, bibtex=reference)
    rows = sum(len(scores[0]) for scores in bundle.scores)
    click.echo(
        f"wrote {output}: {', '.join(bundle.labels)} on {bundle.manifest.suite.name}, "
        f"{len(bundle.manifest.cells)} cells, {rows} signals"
    )


@click.command("accept")
@click.argument("bundle")
@click.argument("site")
@click.option(
    "--rerun",
    metavar="SEED",
    type=click.IntRange(0, 2**63 - 1),
    help="Run the solvers, which must be installed, on this seed too.",
)
@options.plugins
@options.jobs
@click.option("--dry-run", is_flag=True, help="Check, and write nothing.")
@options.as_json("the outcome")
def accept_command(
    bundle: str,
    site: str,
    rerun: int | None,
    plugins: tuple[str, ...],
    jobs: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Check the file BUNDLE and put it into the site in the folder SITE, which is made again.

    Every stored signal is scored again. What is not as it should be is refused with the reasons,
    and the site stays as it is.
    """
    from benchbase_publish.accepting import accept
    from benchbase_publish.wording import visible

    done = accept(bundle, site, rerun=rerun, plugins=plugins, jobs=jobs, dry_run=dry_run)
    if done.other_code:
        told = f"run here with other code than the bundle names: {', '.join(done.other_code)}"
        click.echo(f"warning: {told}", err=True)
    if as_json:
        click.echo(
            json.dumps(vars(done) | {"bundle": bundle, "site": site, "written": not dry_run})
        )
        return
    verb = "would be accepted" if dry_run else f"accepted into {site}"
    who = f"{', '.join(done.labels)} on {done.suite}"
    click.echo(f"{visible(bundle)}: {verb}; {who}: {done.level}")


COMMANDS = (publish_command, submit_command, accept_command)
