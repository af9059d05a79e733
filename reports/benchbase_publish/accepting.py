"""Publishing one's own results, and accepting those of others."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import benchbase
from benchbase import (
    BenchbaseError,
    Referee,
    SpecError,
    SuiteError,
    disk_errors,
    without_strangers,
)
from benchbase.showing import visible
from benchbase_publish.bundle import Bundle, Head
from benchbase_publish.choosing import check_isolated, latest_runs
from benchbase_publish.folder import locked, write_site
from benchbase_publish.judge import differences, impostors, score_again, unsupported_faults
from benchbase_publish.packing import pack, read_bundle
from benchbase_publish.rerun import run_again
from benchbase_publish.rules import gaps, unfinished
from benchbase_publish.schema import BundleError, software
from benchbase_publish.site import BUNDLES, INDEX, Held, Receipt, Site

_SHOWN = 20


@dataclass(frozen=True)
class Acceptance:
    """The result of `accept`: the bundle's suite, its solvers, and what is known about them now.

    `not_verified` has the labels of solvers that say that they do not apply to some problems, and
    could not be asked. `replaced` has the digests of the submitter's earlier bundles that this one
    replaced. `other_code` names the modules whose code differed from what the bundle names when the
    solvers were run again.
    """

    suite: str
    labels: tuple[str, ...]
    digest: str
    level: str
    not_verified: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    other_code: tuple[str, ...] = ()


def publish(
    source: str | Path,
    folder: str | Path,
    labels: Sequence[str] = (),
    *,
    run: str | None = None,
    verify: bool = False,
    drop: bool = False,
) -> Site:
    """Write a static site of results, or write the pages of a site again.

    Parameters
    ----------
    source : str or pathlib.Path
        A folder of results, or a site.
    folder : str or pathlib.Path
        The site. Bundles that it has accepted stay. Results of the same suites that were published
        there are replaced.
    labels : sequence of str, optional
        The solvers; by default all.
    run : str, optional
        One run, or "all". By default, each solver's latest run that is of the same problems as the
        latest run of its suite.
    verify : bool, optional
        Score every stored signal again, as `accept` does, and refuse results that do not reproduce.
    drop : bool, optional
        Let solvers go that were published there and are not among these results.

    Returns
    -------
    Site

    Raises
    ------
    BenchbaseError
        If there are no results, some are not finished, the site cannot be written or does not fit
        them, or solvers would go from it.
    """
    source, folder = Path(source), Path(folder)
    with locked(folder), tempfile.TemporaryDirectory() as place:
        site = Site.read(folder)
        held: Sequence[Held]
        if (source / INDEX).is_file() and (source / BUNDLES).is_dir():
            held = Site.read(source).held
        else:
            held = [
                _publish(part, Path(place, f"{number}.zip"), labels, verify)
                for number, part in enumerate(_parts(source, run))
            ]
        made = {each.suite for each in held if each.receipt.origin == "published"}
        gone = [h for h in site.held if h.suite in made and h.receipt.origin == "published"]
        if not drop:
            _check_lost(gone, held)
        site = site.without(gone)
        for each in held:
            _check_joins(site, each.bundle)
            site = site.having(each)
        write_site(site)
    return Site.read(folder)


def _parts(source: Path, run: str | None) -> list[benchbase.Results]:
    """Return the results to publish, by suite."""
    if run is not None:
        return benchbase.load_results(source, run).by_suite()
    parts = []
    for part in benchbase.load_results(source, "all").by_suite():
        latest, others = latest_runs(part)
        if others:
            numbers = ", ".join(map(str, sorted(others)))
            suite = part.suites[-1]["suite"]
            benchbase.note(f"of '{suite}', left out because of other problems: run {numbers}")
        parts.append(latest)
    return parts


def _publish(results: benchbase.Results, file: Path, labels: Sequence[str], verify: bool) -> Held:
    pack(results, file, labels)
    bundle = read_bundle(file)
    suite = bundle.manifest.suite.name
    if faults := unfinished(bundle.manifest):
        raise BenchbaseError(
            f"the results of '{suite}' are not finished:\n{_listed(faults)}\n"
            "give the command of the run again, or choose finished solvers with --solver"
        )
    not_asked: list[str] = []
    if verify:
        referee = Referee(bundle.suite)
        if faults := score_again(bundle, referee):
            raise BenchbaseError(f"the results of '{suite}' do not reproduce:\n{_listed(faults)}")
        not_asked = unsupported_faults(bundle, referee)[1]
    receipt = _receipt(bundle, "published", scored=verify, not_asked=not_asked)
    return Held(bundle.head, receipt, file)


def _check_lost(gone: Sequence[Held], held: Sequence[Held]) -> None:
    """Refuse to remove solvers from a site without being told to."""
    for suite in sorted({each.suite for each in gone}):
        kept = {label for each in held if each.suite == suite for label in each.bundle.labels}
        before = {label for each in gone if each.suite == suite for label in each.bundle.labels}
        if lost := sorted(before - kept):
            raise BenchbaseError(
                f"the site would lose its rows of '{suite}' by {', '.join(map(repr, lost))}; "
                "publish results that have them too, or give --drop to let them go"
            )


def _check_joins(site: Site, bundle: Head) -> None:
    """Refuse to publish what does not fit the bundles that the site has accepted."""
    ours = site.suite(bundle.manifest.suite.name)
    faults = ([] if ours is None else differences(bundle, ours)) + site.clashes(bundle)
    if faults:
        name = bundle.manifest.suite.name
        raise BenchbaseError(f"the results of '{name}' do not fit the site:\n{_listed(faults)}")


def submit(
    results: benchbase.ResultsView,
    path: str | Path,
    labels: Sequence[str] = (),
    *,
    citation: str = "",
    bibtex: str = "",
) -> Bundle:
    """Pack results of solvers on a suite into a bundle, if a site would accept it.

    It passes the checks of `accept`, as far as they do not depend on what a site holds.

    Parameters
    ----------
    results : benchbase.Results
        Those of one suite.
    path : str or pathlib.Path
        The bundle to write.
    labels : sequence of str, optional
        The solvers; by default all.
    citation, bibtex : str, optional
        How to cite them.

    Raises
    ------
    BenchbaseError
        If nobody would accept the bundle, or it cannot be written.
    """
    path = Path(path)
    with disk_errors(path), tempfile.TemporaryDirectory() as place:
        file = Path(place, "bundle.zip")
        pack(results, file, labels, citation=citation, bibtex=bibtex)
        check_isolated(results, labels)
        bundle = read_bundle(file)
        try:
            referee = Referee.of_installed(bundle.manifest.suite.name)
        except SuiteError:  # the suite is not installed, but a site may have it
            referee = Referee(bundle.suite)
        try:
            _check(Site(path), bundle, referee)
        except BundleError as error:
            raise BenchbaseError(f"nobody would accept this:\n{error}") from error
        path.write_bytes(file.read_bytes())
    return bundle


def accept(
    path: str | Path,
    folder: str | Path,
    *,
    rerun: bool = False,
    plugins: Sequence[str] = (),
    submitter: str = "",
    jobs: int | None = None,
    sandbox: bool = False,
    dry_run: bool = False,
) -> Acceptance:
    """Check a bundle, and put it into a site.

    No code of the bundle's author runs in this process.

    Parameters
    ----------
    path : str or pathlib.Path
        The bundle.
    folder : str or pathlib.Path
        The site; it is made if it does not exist.
    rerun : bool, optional
        Run the bundle's solvers again, sealed and on a seed that is drawn now. They must be
        installed or in `plugins`; their code runs in worker processes only.
    plugins : sequence of str, optional
        Plugin files with the solvers to run again.
    submitter : str, optional
        Who sent the bundle, as the acceptor knows them. It replaces an older bundle of theirs that
        has the same labels.
    jobs : int, optional
        The number of worker processes for `rerun`, at least 1.
    sandbox : bool, optional
        Run the solvers in a sandbox without network, home and files of this user, which needs Linux
        and bubblewrap.
    dry_run : bool, optional
        Check, and write nothing.

    Returns
    -------
    Acceptance

    Raises
    ------
    BundleError
        If the bundle is refused; the message has the reasons, and the site is unchanged.
    BenchbaseError
        If it cannot be checked here.
    """
    path, folder = Path(path), Path(folder)
    if plugins and not rerun:
        raise BenchbaseError("plugins are loaded only to run solvers again: give --rerun as well")
    if sandbox and not rerun:
        raise BenchbaseError("a sandbox is for solvers that run again: give --rerun as well")
    try:
        bundle = read_bundle(path)
        with without_strangers(), nullcontext() if dry_run else locked(folder):
            site = Site.read(folder)
            before = site.find(bundle.digest)
            if before is not None and not rerun:
                raise BundleError("it has been accepted already")
            referee = _referee(site, bundle)
            earlier = site.earlier(bundle, submitter)
            site = site.without(earlier)
            not_asked = _check(site, bundle, referee)
            receipt = (
                before.receipt
                if before
                else _receipt(
                    bundle, "submitted", scored=True, not_asked=not_asked, submitter=submitter
                )
            )
            other: list[str] = []
            if rerun:
                seed = secrets.randbits(63)  # drawn after the bundle was made
                other = _check_solvers(bundle, referee, seed, plugins, jobs, sandbox=sandbox)
                receipt = receipt.having_run(seed, other)
            if not dry_run:
                file = path if before is None else before.file
                write_site(site.having(Held(bundle.head, receipt, file)))
    except BundleError as error:
        message = f"{visible(str(path))} is refused: {visible(str(error), chr(10))}"
        raise BundleError(message) from error
    return Acceptance(
        suite=bundle.manifest.suite.name,
        labels=tuple(bundle.labels),
        digest=bundle.digest,
        level=receipt.level,
        not_verified=tuple(receipt.not_asked),
        replaced=tuple(held.bundle.digest for held in earlier),
        other_code=tuple(other),
    )


def _referee(site: Site, bundle: Bundle) -> Referee:
    """Return a referee of the acceptor's own suite with the name of the bundle's."""
    name = bundle.manifest.suite.name
    ours = site.suite(name)
    if ours is not None:
        return Referee(ours)
    try:
        return Referee.of_installed(name)
    except SuiteError as error:
        raise BundleError(f"the suite is unknown: {error}, and the site has none") from error


def _check(site: Site, bundle: Bundle, referee: Referee) -> list[str]:
    """Refuse a bundle that is not of the whole suite, or whose rows score differently.

    Returns the labels of the solvers that could not be asked where they do not apply.
    """
    for faults in (
        differences(bundle, dict(referee.suite)),
        site.clashes(bundle) + impostors(bundle),
        gaps(bundle.manifest, _allowed(bundle)),
    ):
        if faults:
            raise BundleError(_listed(faults))
    unsupported, not_asked = unsupported_faults(bundle, referee)
    if faults := score_again(bundle, referee) + unsupported:
        raise BundleError(_listed(faults))
    return not_asked


def _check_solvers(
    bundle: Bundle,
    referee: Referee,
    seed: int,
    plugins: Sequence[str],
    jobs: int | None,
    *,
    sandbox: bool,
) -> list[str]:
    """Run the solvers on a seed, and return the modules whose code the bundle does not name."""
    try:
        faults, other = run_again(bundle, referee, seed, plugins, jobs, sandbox=sandbox)
    except SpecError as error:
        problem = "to use --rerun, install the solver that the bundle names, or give its --plugin"
        raise BenchbaseError(f"{problem}: {error}") from error
    if faults:
        if other:
            problem = "the code that ran here differs from the code that the bundle names"
            faults.append(f"{problem}, in: {', '.join(other)}")
        raise BundleError(_listed(faults))
    return other


def _allowed(bundle: Bundle) -> list[tuple[str, str, int]]:
    """Return the solvers to which the installed suite itself gives fewer signals than to others."""
    entries = Referee.entries_of_installed(bundle.manifest.suite.name)
    return [(*place, points) for place, (_, points) in entries.items()]


def _receipt(
    bundle: Bundle, origin: str, *, scored: bool, not_asked: Sequence[str] = (), submitter: str = ""
) -> Receipt:
    return Receipt.model_validate(
        {
            "bundle": bundle.digest,
            "origin": origin,
            "accepted": datetime.now(UTC).isoformat(timespec="seconds"),
            "submitter": submitter,
            "scored": scored,
            "not_asked": [*not_asked],
            "seeds": [],
            "other_seeds": [],
            "other_code": [],
            "software": software(),
        }
    )


def _listed(faults: Sequence[str]) -> str:
    """Return reasons, one per line; only the first ones if there are many."""
    lines = [*dict.fromkeys(faults)]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join([*lines[:_SHOWN], *more])
