"""`benchbase publish`, `submit` and `accept`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from benchbase.cli import options


@click.command("publish")
@click.argument("results", type=options.PATH)
@click.argument("site", metavar="DIR", type=options.PATH)
@options.run
@options.labels
@click.option(
    "--drop",
    is_flag=True,
    help="Let solvers go that the site has and that these results do not have.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="First score every stored signal again, and publish nothing if a score differs.",
)
def publish_command(
    results: str, site: str, run: str | None, labels: tuple[str, ...], drop: bool, verify: bool
) -> None:
    """Publish results as a static web site.

    RESULTS is a folder of results, and DIR is the folder in which the site is made. If anything
    fails, the site stays as it was. Of each solver, its latest run is published. Bundles that the
    site has accepted stay in its leaderboards. If RESULTS is itself a site, its pages are made
    again.
    """
    from benchbase_publish.accepting import publish

    published = publish(results, site, labels, run=run, verify=verify, drop=drop)
    for suite in published.suites:
        count = sum(len(held.bundle.labels) for held in published.of(suite))
        click.echo(f"{suite}: {count} solvers")
    click.echo(f"wrote {site}; any static web host can serve this folder")


@click.command("submit")
@options.results
@options.run
@options.labels
@click.option("--citation", metavar="TEXT", default="", help="How to cite the results, as text.")
@click.option(
    "--bibtex",
    metavar="FILE",
    type=options.Text(),
    help="How to cite the results, as a BibTeX file.",
)
@options.output("BUNDLE", "The file to write.", required=True)
def submit_command(
    results: Path,
    run: str | None,
    labels: tuple[str, ...],
    citation: str,
    bibtex: str | None,
    output: str,
) -> None:
    """Pack results of solvers on a suite into a bundle.

    The bundle is a file that others can check, score again and accept into a site. It holds the
    results of one suite: if there are several, choose a run with --run.
    """
    import benchbase
    from benchbase_publish.accepting import submit

    loaded = benchbase.load_results(results, run)
    bundle = submit(loaded, output, labels, citation=citation, bibtex=bibtex or "")
    rows = sum(len(scores[0]) for scores in bundle.scores)
    click.echo(
        f"wrote {output}: {', '.join(bundle.labels)} on {bundle.manifest.suite.name}, "
        f"{len(bundle.manifest.cells)} cells, {rows} signals"
    )


@click.command("accept")
@click.argument("bundle", type=options.PATH)
@click.argument("site", type=options.PATH)
@click.option(
    "--rerun",
    is_flag=True,
    help="Also run the solvers again, on a seed that is drawn now, in processes that hold neither "
    "the seed nor the signals. They must be installed, or in a --plugin.",
)
@options.plugins
@click.option(
    "--submitter",
    metavar="NAME",
    default="",
    help="Who sent the bundle, as you know them. It replaces their older bundle with its labels.",
)
@options.workers
@click.option(
    "--sandbox",
    is_flag=True,
    help="Run the solvers in a sandbox without network, home and your files. This needs Linux and "
    "bubblewrap.",
)
@click.option("--dry-run", is_flag=True, help="Only check the bundle, and write nothing.")
@options.as_json("the outcome")
def accept_command(
    bundle: str,
    site: str,
    rerun: bool,
    plugins: tuple[str, ...],
    submitter: str,
    jobs: int | None,
    sandbox: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Check a bundle and add it to a site.

    BUNDLE is a file that `benchbase submit` wrote, and SITE is the folder of a site. Every stored
    signal is scored again, and then the pages of the site are made again. If a check fails, the
    bundle is refused with the reasons, and the site stays as it is.
    """
    from benchbase.showing import visible
    from benchbase_publish.accepting import accept

    done = accept(
        bundle, site, rerun=rerun, plugins=plugins, submitter=submitter, jobs=jobs,
        sandbox=sandbox, dry_run=dry_run,
    )  # fmt: skip # one argument per line would not be clearer
    for digest in done.replaced:
        click.echo(f"it replaces the bundle {digest[:12]}", err=True)
    if done.not_verified:
        who = ", ".join(done.not_verified)
        message = (
            "say that they do not apply to some problems, and could not be asked; not verified"
        )
        click.echo(f"warning: {message}: {who}", err=True)
    if done.other_code:
        modules = ", ".join(done.other_code)
        message = "the code that ran here differs from the code that the bundle names"
        click.echo(f"warning: {message}, in: {modules}", err=True)
    if as_json:
        click.echo(
            json.dumps(vars(done) | {"bundle": bundle, "site": site, "written": not dry_run})
        )
        return
    verb = "would be accepted" if dry_run else f"accepted into {site}"
    who = f"{', '.join(done.labels)} on {done.suite}"
    click.echo(f"{visible(bundle)}: {verb}; {who}: {done.level}")


COMMANDS = (publish_command, submit_command, accept_command)
