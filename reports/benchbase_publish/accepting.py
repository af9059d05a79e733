"""Publishing one's own results, and accepting those of others."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import benchbase
from benchbase import BenchbaseError, Referee, SpecError, SuiteError
from benchbase.showing import alike, visible
from benchbase_publish.bundle import Bundle, Head
from benchbase_publish.folder import locked, write_site
from benchbase_publish.judge import differences, score_again, token, unsupported_faults
from benchbase_publish.packing import pack, read_bundle
from benchbase_publish.rerun import run_again
from benchbase_publish.rules import gaps
from benchbase_publish.schema import BundleError, software
from benchbase_publish.site import BUNDLES, INDEX, Held, Receipt, Site

_SHOWN = 20


@dataclass(frozen=True)
class Acceptance:
    """The result of `accept`: the bundle's suite, its solvers, and what is known about them now.

    `other_code` names the modules whose code differed from what the bundle names when the solvers
    were run again.
    """

    suite: str
    labels: tuple[str, ...]
    digest: str
    level: str
    other_code: tuple[str, ...] = ()


def publish(
    source: str | Path, folder: str | Path, *, run: str | None = None, verify: bool = False
) -> Site:
    """Write a static site of results, or write the pages of a site again.

    Parameters
    ----------
    source : str or pathlib.Path
        A folder of results, or a site.
    folder : str or pathlib.Path
        The site. Bundles that it has accepted stay. Results of the same suites that were published
        there are replaced.
    run : str, optional
        One run, or "all"; by default the latest of each suite.
    verify : bool, optional
        Score every stored signal again, as `accept` does, and refuse results that do not reproduce.

    Returns
    -------
    Site

    Raises
    ------
    BenchbaseError
        If there are no results, or the site cannot be written or does not fit them.
    """
    source, folder = Path(source), Path(folder)
    with locked(folder), tempfile.TemporaryDirectory() as place:
        site = Site.read(folder)
        held: Sequence[Held]
        if (source / INDEX).is_file() and (source / BUNDLES).is_dir():
            held = Site.read(source).held
        else:
            results = benchbase.load_results(source, run)
            held = _publish(results, Path(place), verify)
        made = {each.suite for each in held if each.receipt.origin == "published"}
        kept = (h for h in site.held if h.suite not in made or h.receipt.origin == "submitted")
        site = Site(folder, tuple(kept))
        for each in held:
            _check_joins(site, each.bundle)
            site = site.having(each)
        write_site(site)
    return Site.read(folder)


def _publish(results: benchbase.Results, folder: Path, verify: bool) -> list[Held]:
    held: list[Held] = []
    for part in results.by_suite():
        file = folder / f"{len(held)}.zip"
        pack(part, file)
        bundle = read_bundle(file)
        if verify and (faults := score_again(bundle, Referee(bundle.suite))):
            suite = bundle.manifest.suite.name
            raise BenchbaseError(f"the results of '{suite}' do not reproduce:\n{_listed(faults)}")
        held.append(Held(bundle.head, _receipt(bundle, "published", scored=verify), file))
    return held


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
    """Pack results of solvers on a suite into a bundle, if they are complete.

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
        If rows are missing, so that nobody would accept the bundle, or it cannot be written.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "bundle.zip")
        pack(results, file, labels, citation=citation, bibtex=bibtex)
        bundle = read_bundle(file)
        faults = gaps(bundle.manifest, _allowed(bundle))
        if faults:
            raise BenchbaseError(f"nobody would accept this:\n{_listed(faults)}")
        try:
            path.write_bytes(file.read_bytes())
        except OSError as error:
            raise BenchbaseError(f"{path}: {error.strerror or error}") from error
    return bundle


def accept(
    path: str | Path,
    folder: str | Path,
    *,
    rerun: int | None = None,
    plugins: Sequence[str] = (),
    jobs: int | None = None,
    dry_run: bool = False,
) -> Acceptance:
    """Check a bundle, and put it into a site.

    Parameters
    ----------
    path : str or pathlib.Path
        The bundle.
    folder : str or pathlib.Path
        The site; it is made if it does not exist.
    rerun : int, optional
        A seed on which to run the bundle's solvers again; they must be installed.
    plugins : sequence of str, optional
        Plugin files to load; their code is run.
    jobs : int, optional
        Worker processes for `rerun`.
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
    try:
        bundle = read_bundle(path)
        with nullcontext() if dry_run else locked(folder):
            site = Site.read(folder)
            before = site.find(bundle.digest)
            if before is not None and rerun is None:
                raise BundleError("it has been accepted already")
            referee = _referee(site, bundle, tuple(plugins))
            _check(site, bundle, referee)
            other: list[str] = []
            receipt = before.receipt if before else _receipt(bundle, "submitted", scored=True)
            if rerun is not None:
                other = _check_solvers(bundle, referee, rerun, jobs)
                receipt = receipt.having_run(rerun, other)
            if not dry_run:
                file = path if before is None else before.file
                write_site(site.having(Held(bundle.head, receipt, file)))
    except BundleError as error:
        message = f"{visible(str(path))} is refused: {visible(str(error), chr(10))}"
        raise BundleError(message) from error
    suite = bundle.manifest.suite.name
    return Acceptance(suite, tuple(bundle.labels), bundle.digest, receipt.level, tuple(other))


def _referee(site: Site, bundle: Bundle, plugins: tuple[str, ...]) -> Referee:
    """Return a referee of the acceptor's own suite with the name of the bundle's."""
    name = bundle.manifest.suite.name
    ours = site.suite(name)
    if ours is None:
        try:
            return Referee.of_installed(name, plugins)
        except SuiteError as error:
            raise BundleError(f"the suite is unknown: {error}, and the site has none") from error
    return Referee(ours, plugins)


def _check(site: Site, bundle: Bundle, referee: Referee) -> None:
    """Refuse a bundle that is not of the whole suite, or whose rows score differently."""
    for faults in (
        differences(bundle, dict(referee.suite)),
        site.clashes(bundle) + _impostors(bundle),
        gaps(bundle.manifest, _allowed(bundle)),
    ):
        if faults:
            raise BundleError(_listed(faults))
    faults = score_again(bundle, referee) + unsupported_faults(bundle, referee)
    if faults:
        raise BundleError(_listed(faults))


def _check_solvers(bundle: Bundle, referee: Referee, seed: int, jobs: int | None) -> list[str]:
    """Run the solvers on a seed, and return the modules whose code the bundle does not name."""
    with tempfile.TemporaryDirectory() as place:
        try:
            faults, other = run_again(bundle, referee, seed, Path(place), jobs)
        except SpecError as error:
            problem = "to use --rerun, install the solver that the bundle names"
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


def _impostors(bundle: Bundle) -> list[str]:
    """Say which labels are, or look like, labels of other solvers in the installed suite."""
    known = Referee.entries_of_installed(bundle.manifest.suite.name)
    names = [label for _, label in known]
    experiments = bundle.suite["experiments"]
    faults = []
    for entry in bundle.manifest.entries:
        if alike(entry.label, names) is None:
            continue
        here = known.get((experiments[entry.experiment]["name"], entry.label))
        same = [spec for (_, label), (spec, _) in known.items() if label == entry.label]
        if token(dict(entry.solver)) not in map(token, [here[0]] if here else same):
            taken = f"the label {entry.label!r} is that of another solver"
            faults.append(f"{taken} in the suite itself")
    return faults


def _receipt(bundle: Bundle, origin: str, *, scored: bool) -> Receipt:
    return Receipt.model_validate(
        {
            "bundle": bundle.digest,
            "origin": origin,
            "accepted": datetime.now(UTC).isoformat(timespec="seconds"),
            "scored": scored,
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
