"""Functions that run suites and write reports, for scripts, notebooks and the command line."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbase.discovery.registry import Registry, registry
from benchbase.errors import BenchbaseError, ReportError, described, system_error
from benchbase.interfaces import Report
from benchbase.planning.cells import make_cells
from benchbase.planning.experiment import Change, Extra
from benchbase.planning.invocation import run_command
from benchbase.planning.suite import Suite, load_suite
from benchbase.planning.toml import parse_path
from benchbase.results import Results
from benchbase.running import launch
from benchbase.running.launch import check_workers, make_plan
from benchbase.running.rebuild import Rebuilder
from benchbase.running.runner import Plan
from benchbase.showing.display import is_terminal, terminal
from benchbase.showing.display import progress as progress_bar
from benchbase.system.paths import user_path
from benchbase.wording import file_name, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchbase.problem import Problem

DEFAULT_FOLDER = "benchbase-results"
_LONGEST = 2000  # characters of what a report's error says


def results_folder(chosen: str | Path | None = None) -> Path:
    """Return the chosen folder, or else that of ``BENCHBASE_RESULTS``, or else the default.

    A tilde at the start stands for the user's home.
    """
    return user_path(chosen or os.environ.get("BENCHBASE_RESULTS") or DEFAULT_FOLDER)


def run(
    suite: str | Path,
    *,
    results: str | Path | None = None,
    points: int | None = None,
    trials: int | None = None,
    solvers: str | Sequence[str] = (),
    extra: Sequence[Any] = (),
    plugins: str | Path | Sequence[str | Path] = (),
    changes: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    time_limit: float | None = None,
    memory_limit: float | None = None,
    dask: str | None = None,
    failed: bool = False,
    rerun: str | Sequence[str] = (),
    host_name: bool = False,
    sealed: bool = False,
    sandbox: bool = False,
    progress: bool | None = None,
) -> Results:
    """Run a suite and return its results.

    What already has an outcome in the folder of results is not computed again.

    Parameters
    ----------
    suite : str or pathlib.Path
        The name of an installed suite, or the path of a TOML file.
    results : str or pathlib.Path, optional
        The folder for the results; ``BENCHBASE_RESULTS`` or "benchbase-results" if not given.
    points, trials : int, optional
        Numbers of test signals and of trials, in place of the suite's.
    solvers : str or sequence of str, optional
        Run only the solvers with these labels.
    extra : sequence, optional
        Solvers to add to every experiment: specs, `Solver` objects, classes, or functions marked
        with ``@benchbase.solver``.
    plugins : str, pathlib.Path or sequence of them, optional
        Plugin files to load. Their solvers are added to every experiment as well.
    changes : mapping, optional
        Values to set in every experiment: ``{"grid.frame.n_pools": [60, 80]}``.
    jobs : int, optional
        The number of worker processes; ``BENCHBASE_JOBS`` or the number of cores if not given.
        With 0, everything is computed in this process. Solvers that are defined in this session
        are always computed in this process.
    time_limit : float, optional
        Wall-clock seconds per signal, in place of the suite's and the solvers' limits. Workers that
        take longer are killed. The limit does not apply to what this process computes.
    memory_limit : float, optional
        GB of memory that a worker may have.
    dask : str, optional
        The address of a Dask scheduler, on whose workers to compute.
    failed : bool, optional
        Run only what failed, timed out or crashed, once more.
    rerun : str or sequence of str, optional
        Labels of solvers to run again, whatever their outcomes.
    host_name : bool, optional
        Record the name of the host that computes.
    sealed : bool, optional
        Keep the signals and the seed in other processes than the solvers, and compute again what
        was not computed so. It needs worker processes. Rows whose solver and problem come from one
        stranger's package or file cannot be sealed, and neither can those of this session.
    sandbox : bool, optional
        Run the solvers of a sealed run in a sandbox, which needs Linux and bubblewrap.
    progress : bool, optional
        Show a progress bar on standard error; by default, only if standard error is a terminal.

    Returns
    -------
    Results

    Raises
    ------
    BenchbaseError
        If any part of the request cannot be carried out; what was computed before is kept.
    """
    check_workers(jobs, memory_limit, dask)
    known = registry()
    added = [Extra(_as_spec(item, known), f"extra[{i}]") for i, item in enumerate(extra)]
    set_to = [_change(path, value) for path, value in (changes or {}).items()]
    labels = [solvers] if isinstance(solvers, str) else solvers
    files = [plugins] if isinstance(plugins, str | Path) else plugins
    asked: dict[str, Any] = {"points": points, "trials": trials, "labels": labels}
    asked |= {"time_limit": time_limit, "plugins": files}
    resolved = resolve(suite, **asked, extras=added, changes=set_to)
    specs = [each.spec for each in added]
    command = run_command(suite, **asked, extras=specs, changes=changes)
    folder = results_folder(results)
    again = [rerun] if isinstance(rerun, str) else rerun
    todo = make_plan(
        resolved, folder, failed=failed, rerun=again, host_name=host_name, sealed=sealed
    )
    return execute(
        resolved, todo, folder, command=command, jobs=jobs, memory_limit=memory_limit, dask=dask,
        sealed=sealed, sandbox=sandbox, progress=progress,
    )  # fmt: skip # one argument a line says no more


def _as_spec(item: Any, known: Registry) -> Any:
    from benchbase.interfaces import Solver

    if isinstance(item, Mapping):
        return dict(item)
    if isinstance(item, Solver):
        for part in item.walk():
            if isinstance(part, Solver):
                known.add(type(part))
        return item
    return {"name": known.add(item).name}


def _change(path: str, value: Any) -> Change:
    return Change(parse_path(path), value, f"changes[{path!r}]")


def resolve(
    suite: str | Path,
    *,
    points: int | None = None,
    trials: int | None = None,
    labels: Sequence[str] = (),
    extras: Sequence[Extra] = (),
    plugins: Sequence[str | Path] = (),
    changes: Sequence[Change] = (),
    time_limit: float | None = None,
) -> Suite:
    """Read a suite with the changes that the command line or a script makes to it.

    Parameters are those of `run`. The solvers of plugin files are added to an experiment unless it,
    or `extras`, already names them.

    Raises
    ------
    BenchbaseError
        If anything is wrong with the suite or its changes.
    """
    known = registry()
    from_files = [
        Extra({"name": solver.name}, f"--plugin {path}", if_new=True)
        for path in plugins
        for solver in known.load_file(path)
    ]
    numbers = {"points": points, "trials": trials}
    flags = [
        Change((key,), value, f"--{key} {value}")
        for key, value in numbers.items()
        if value is not None
    ]
    loaded = load_suite(suite, known, [*changes, *flags], [*extras, *from_files])
    chosen = loaded.select(labels) if labels else loaded
    return chosen if time_limit is None else chosen.limited(time_limit)


def suite_problems(suite: str | Path) -> Iterator[tuple[str, Problem]]:
    """Yield the problems of a suite's first trial as its solvers meet them, without running them.

    Parameters
    ----------
    suite : str or pathlib.Path
        The name of an installed suite, or the path of a TOML file.

    Yields
    ------
    experiment : str
        The experiment's name.
    problem : Problem
        Frame, pooling and training signals. Problems that differ only in noise or hint come once.

    Raises
    ------
    BenchbaseError
        If the suite is wrong or data are missing.
    """
    rebuilder, seen = Rebuilder(registry()), []
    for cell in make_cells(resolve(suite)):
        known = (cell.experiment, cell.seed, cell.setting[:3])
        if cell.trial or known in seen:
            continue
        seen.append(known)
        yield cell.experiment, rebuilder.instance(cell).problem


def execute(
    suite: Suite,
    todo: Plan,
    folder: Path,
    *,
    command: str,
    jobs: int | None = None,
    memory_limit: float | None = None,
    dask: str | None = None,
    sealed: bool = False,
    sandbox: bool = False,
    progress: bool | None = None,
) -> Results:
    """Run a resolved suite with a progress bar and return its results.

    Parameters
    ----------
    suite : Suite
        From `resolve`.
    todo : Plan
        From `make_plan`.
    folder : pathlib.Path
        The folder of results.
    command : str
        The command that asked for the run, for the record.
    jobs, memory_limit, dask, sealed, sandbox : optional
        As in `run`.
    progress : bool, optional
        Show a progress bar; by default, only if standard error is a terminal.

    Raises
    ------
    BenchbaseError
        If the store cannot be read or written, or a task is refused.
    """
    shown = is_terminal() if progress is None else progress
    with _progress_bar(suite.name, todo, shown) as advance:
        number = launch.execute(
            suite, todo, folder, command=command, jobs=jobs, memory_limit=memory_limit,
            dask=dask, sealed=sealed, sandbox=sandbox, on_outcome=advance,
        )  # fmt: skip # one argument a line says no more
    return Results(folder, (number,))


@contextmanager
def _progress_bar(name: str, todo: Plan, shown: bool) -> Iterator[Callable[[], None]]:
    total = len(todo.tasks) + todo.n_done
    shown = shown and bool(todo.tasks)
    with terminal(shown=shown), progress_bar(name, total, todo.n_done) as bar:
        yield bar.update


def installed_reports() -> tuple[Report, ...]:
    """Return all reports of plugins with their defaults, except those made only ``on_request``.

    A report that cannot be made with its defaults becomes a warning of the registry.
    """
    known = registry()
    made: list[Report] = []
    for name, cls in sorted(known.classes["report"].items()):
        if getattr(cls, "on_request", False):
            continue
        try:
            made.append(known.build("report", {"name": name}))  # type: ignore[arg-type] # built as a report
        except BenchbaseError as error:
            warning = f"the report '{name}' is left out: {error}"
            known.warnings += [warning] if warning not in known.warnings else []
    return tuple(made)


def report(
    results: Results, folder: str | Path | None = None, reports: Sequence[Report] | None = None
) -> list[Path]:
    """Write reports, in one folder per suite and run.

    Parameters
    ----------
    results : Results
        The results to report.
    folder : str or pathlib.Path, optional
        Where to make the folders; by default in the results' own folder.
    reports : sequence of Report, optional
        The reports to write; by default those of `installed_reports`.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    ReportError
        If reports fail. All others have been written.
    """
    chosen = installed_reports() if reports is None else reports
    files, errors = write_reports(results, chosen, folder)
    if errors:
        raise ReportError(errors)
    return files


def write_reports(
    results: Results, reports: Sequence[Report], folder: str | Path | None = None
) -> tuple[list[Path], list[BenchbaseError]]:
    """Write reports as `report` does; return the files, and the errors of those that failed."""
    files: list[Path] = []
    errors: list[BenchbaseError] = []
    for part in results.by_suite():
        place = report_folder(part, folder)
        try:
            if reports:
                place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            errors.append(system_error(place, error))
            continue
        for each in reports:
            with collect_errors(each, errors):
                files += [Path(file) for file in each.write(part, place)]
    return files, errors


@contextmanager
def collect_errors(report: Report, errors: list[BenchbaseError]) -> Iterator[None]:
    """Turn whatever a report raises into a `BenchbaseError` with one sentence, and go on."""
    name = f"the report '{report.name}'"
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BenchbaseError as error:
        errors.append(error)
    except OSError as error:
        place = f"{name} cannot be written"
        place += f": {error.filename}" if error.filename else ""
        errors.append(system_error(place, error))
    except BaseException as error:  # a plugin's report may raise anything, such as SystemExit
        what = visible(described(error))[:_LONGEST]
        errors.append(BenchbaseError(f"{name} failed at {_place(report, error)}: {what}"))


def _place(report: Report, error: BaseException) -> str:
    """Return the file and line of a report's own code at which an error came up."""
    module = type(report).__module__
    own = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == module.partition(".")[0]
    ]
    code = type(report).write.__code__  # for a method that does not take what it is given
    return own[-1] if own else f"{code.co_filename}:{code.co_firstlineno}"


def report_folder(results: Results, folder: str | Path | None = None) -> Path:
    """Return the folder for reports of one suite's results; each run has a folder of its own."""
    base = Path(folder) if folder is not None else results.folder
    suite = file_name(str(results.suites[-1]["suite"]))  # a merged store may name it "../x"
    return base / suite / f"run-{'-'.join(map(str, results.runs))}"
