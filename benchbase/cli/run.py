"""`benchbase run`: compute the missing results of a suite, then show and write its reports."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbase.cli import INTERRUPTED, options, warn_of_broken_plugins
from benchbase.errors import BenchbaseError

if TYPE_CHECKING:
    from benchbase.planning.suite import Suite
    from benchbase.results import Results
    from benchbase.running.runner import Plan

_AT_LEAST_ONE = click.IntRange(min=1)
_ABOVE_ZERO = options.Number(min=0, min_open=True, max=1e9)


@click.command("run")
@click.argument("suite", type=options.PATH)
@options.results
@click.option(
    "--points",
    metavar="N",
    type=_AT_LEAST_ONE,
    help="Number of test signals per trial, in place of the suite's.",
)
@click.option(
    "--trials",
    metavar="N",
    type=_AT_LEAST_ONE,
    help="Number of trials, in place of the suite's. Each trial has its own frame and signals.",
)
@options.labels
@click.option(
    "--with",
    "specs",
    metavar="SPEC",
    multiple=True,
    help="""Add a solver to every experiment, as in '{ name = "altmin", n_iter = 50 }'.""",
)
@options.plugins
@click.option(
    "--set",
    "sets",
    metavar="PATH=VALUE",
    multiple=True,
    help="Set a value in every experiment. PATH is the place of the value in the suite file, with "
    "dots, as in --set seed=1 or --set 'grid.frame.n_pools=[30, 60]'.",
)
@options.jobs
@click.option(
    "--time-limit",
    metavar="SECONDS",
    type=_ABOVE_ZERO,
    help="Wall-clock seconds that a solver may take per signal. A worker is killed if a chunk of m "
    "signals takes more than m times as long. With --jobs 0 there is no limit. Default: the limits "
    "in the suite, or else none.",
)
@click.option(
    "--memory-limit",
    metavar="GB",
    type=_ABOVE_ZERO,
    help="Most memory that each worker may use. Default: no limit.",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Compute on the workers of the Dask scheduler at this address.",
)
@click.option(
    "--sealed",
    is_flag=True,
    help="Keep the signals and the seed in other processes than the solvers, and compute again "
    "what was not computed so.",
)
@click.option(
    "--sandbox",
    is_flag=True,
    help="Run the solvers of a sealed run in a sandbox without network, home and results. This "
    "needs Linux and bubblewrap.",
)
@click.option(
    "--failed",
    is_flag=True,
    help="Compute only results that failed, timed out or crashed before.",
)
@click.option(
    "--rerun",
    metavar="LABEL",
    multiple=True,
    help="Compute the results of the solver with this label again. Repeat the option for more "
    "solvers.",
)
@click.option("--host-name", is_flag=True, help="Store the name of the computer with the results.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what would be computed; run no solver and download nothing.",
)
@options.as_json("a summary")
@click.pass_context
def run_command(
    ctx: click.Context,
    suite: str,
    results: Path,
    points: int | None,
    trials: int | None,
    labels: tuple[str, ...],
    specs: tuple[str, ...],
    plugins: tuple[str, ...],
    sets: tuple[str, ...],
    jobs: int | None,
    time_limit: float | None,
    memory_limit: float | None,
    dask: str | None,
    sealed: bool,
    sandbox: bool,
    failed: bool,
    rerun: tuple[str, ...],
    host_name: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run a suite, then show and write its reports.

    SUITE is the name of an installed suite or the path of a TOML file. Results that are already in
    the folder of results are not computed again.
    """
    from benchbase.api import execute, resolve
    from benchbase.planning.experiment import Change, Extra
    from benchbase.planning.toml import from_toml
    from benchbase.results import load_results
    from benchbase.running.launch import check_workers, default_jobs, make_plan
    from benchbase.running.runner import InterruptedRun

    check_workers(jobs, memory_limit, dask)
    extras = [Extra(from_toml(spec, f"--with {spec}"), f"--with {spec}") for spec in specs]
    resolved = resolve(
        suite,
        points=points,
        trials=trials,
        labels=labels,
        extras=extras,
        plugins=plugins,
        changes=[Change.parse(text) for text in sets],
        time_limit=time_limit,
    )
    warn_of_broken_plugins()
    todo = make_plan(
        resolved,
        results,
        failed=failed,
        rerun=rerun,
        host_name=host_name,
        sealed=sealed,
        download=not dry_run,
    )
    if dry_run:
        workers = 1 if dask else default_jobs() if jobs is None else jobs
        _say_plan(resolved, todo, results, max(1, min(workers, len(todo.tasks))), as_json)
        return
    try:
        computed = execute(
            resolved,
            todo,
            results,
            command=shlex.join(["benchbase", *sys.argv[1:]]),
            jobs=jobs,
            memory_limit=memory_limit,
            dask=dask,
            sealed=sealed,
            sandbox=sandbox,
        )
    except InterruptedRun as interrupted:
        click.echo(INTERRUPTED, err=True)
        try:
            _finish(resolved, load_results(results, interrupted.run), None, as_json)
        except BenchbaseError as error:  # the exit code is that of the interruption all the same
            click.echo(f"error: {error}", err=True)
        ctx.exit(130)
    ctx.exit(_finish(resolved, computed, len(todo.tasks), as_json))


def _say_plan(suite: Suite, todo: Plan, folder: Path, workers: int, as_json: bool) -> None:
    from benchbase.planning.cells import NOT_DOWNLOADED
    from benchbase.running.forecast import estimate
    from benchbase.storage.database import has_results
    from benchbase.storage.store import Store

    with Store(folder) if has_results(folder) else nullcontext() as store:
        forecast = estimate(todo, store)
    absent = {c.setting.dataset.name for c in todo.cells if NOT_DOWNLOADED in c.files}
    facts = {
        "suite": suite.name,
        "cells": len(todo.cells),
        "chunks_done": todo.n_done,
        "chunks_to_do": len(todo.tasks),
        "seconds": forecast.seconds / workers,
        "workers": workers,
        "chunks_without_estimate": forecast.unknown,
        "not_downloaded": sorted(absent),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{suite.title}: {facts['cells']} cells")
    click.echo(f"chunks done {facts['chunks_done']}, to do {facts['chunks_to_do']}")
    if sum(forecast.unknown.values()) < len(todo.tasks):
        took = timedelta(seconds=max(1, round(forecast.seconds / workers)))
        click.echo(f"this takes about {took} with {workers} worker{'s' * (workers > 1)}")
    if absent:
        names = ", ".join(map(repr, sorted(absent)))
        click.echo(
            f"the data of {names} is not downloaded; the run does that first, and only then finds "
            "out which of its chunks are done"
        )
    if forecast.unknown:
        chunks = ", ".join(f"{count} of {name}" for name, count in forecast.unknown.items())
        click.echo(f"no estimate for {chunks}, because {folder} holds no similar results")


def _finish(suite: Suite, results: Results, computed: int | None, as_json: bool) -> int:
    """Write and show reports, print what failed, and return the exit code.

    `computed` is the number of chunks that were computed, or None after an interruption.
    """
    from benchbase.api import installed_reports, write_reports
    from benchbase.cli.output import say_where, show_reports
    from benchbase.running.runner import count_by_status
    from benchbase.storage.store import Store

    reports = installed_reports() if suite.reports is None else suite.reports
    run = results.runs[0]
    with Store(results.folder) as store:
        counts = count_by_status(store, run)
    if counts.keys() <= {"pending"}:  # interrupted before the first outcome
        reports = ()
    failures = _failures(results) if counts["failed"] else []
    files, errors = write_reports(results, reports)
    if as_json:
        summary: dict[str, Any] = {
            "suite": suite.name,
            "title": suite.title,
            "run": run,
            "results": str(results.folder),
            "cells": dict(counts),
            "chunks_computed": computed,
            "failures": failures,
            "files": [str(file) for file in files],
        }
        click.echo(json.dumps(summary))
    else:
        show_reports(results, reports, errors)
        cells = ", ".join(
            f"{count} {'cell' if count == 1 else 'cells'} {status}"
            for status, count in sorted(counts.items())
        )
        chunks = "" if computed is None else f"; {computed} chunks computed"
        click.echo(f"run {run}: {cells}{chunks}")
        say_where(files, results.folder)
        for failure in failures:
            click.echo(
                "{status}: {label}, {pooling}, K = {n_pools}: {message}".format(**failure), err=True
            )
    for message in dict.fromkeys(map(str, errors)):
        click.echo(f"error: {message}", err=True)
    return max([int(counts["failed"] > 0), *(error.exit_code for error in errors)])


def _failures(results: Results) -> list[dict[str, Any]]:
    """Return each kind of failure once, with its first place and its message."""
    from benchbase.tasks import LOST

    frame = results.rows()
    lost = frame[frame["status"].isin(LOST)].drop_duplicates(["label", "message"])
    columns = ["status", "label", "experiment", "pooling", "n_pools", "trial", "signal", "message"]
    return [dict(zip(columns, row, strict=True)) for row in lost[columns].astype(object).values]
