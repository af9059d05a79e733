"""A site's folder: written whole or not at all, by one process at a time.

A site is built beside its place and then renamed into it. Whoever reads it sees either the old site
or the new one. If the new one cannot be made, the old one stays untouched.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchbase import BenchbaseError
from benchbase_publish.pages import write_pages
from benchbase_publish.site import BUNDLES, INDEX, Held, Site

OWN = (BUNDLES, "suites", "index.html", INDEX, "index.schema.json", ".nojekyll")
"""The names that belong to a site; everything else in its folder is kept."""


def write_site(site: Site) -> None:
    """Make a site, and put it into its place as a whole.

    Parameters
    ----------
    site : Site
        The folder of the site and its bundles.

    Raises
    ------
    BenchbaseError
        If it cannot be written. The site that was there is unchanged then.
    """
    place = site.folder.resolve()  # a link stays a link
    new, old = _beside(place, "new"), _beside(place, "old")
    try:
        shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
        (new / BUNDLES).mkdir(parents=True)
        for held in site.held:
            _copy(held, new / BUNDLES)
        write_pages(site, new)
        _keep_others(place, new)
        if place.exists():
            shutil.copymode(place, new)
            place.rename(old)
        try:
            new.rename(place)
        except OSError:
            old.rename(place)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        where = error.filename or site.folder
        raise BenchbaseError(f"{where}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change a site, and undo a move by a process that was killed.

    Raises
    ------
    BenchbaseError
        If the folder cannot be moved, or files beside it cannot be written.
    """
    from filelock import FileLock

    try:
        place = folder.resolve()
        inside = Path.cwd().is_relative_to(place)
        if inside or place.is_mount():
            what = "the working directory, or around it" if inside else "a mount point"
            raise BenchbaseError(
                f"{folder} is {what}: it cannot be replaced; choose another folder"
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(_beside(place, "lock")):
            old = _beside(place, "old")
            if old.exists() and not place.exists():
                old.rename(place)
            shutil.rmtree(old, ignore_errors=True)
            yield
    except OSError as error:
        raise BenchbaseError(f"{folder}: {error.strerror or error}") from error


def _beside(place: Path, what: str) -> Path:
    return place.with_name(f".{place.name}.{what}")


def _copy(held: Held, folder: Path) -> None:
    data = held.file.read_bytes()
    if hashlib.sha256(data).hexdigest() != held.bundle.digest:
        raise BenchbaseError(
            f"{held.file} changed while the site was being written; nothing was published, so run "
            "the command again"
        )
    (folder / f"{held.stem}.zip").write_bytes(data)
    text = held.receipt.model_dump_json(indent=1)
    (folder / f"{held.stem}.json").write_text(text + "\n", encoding="utf-8")


def _keep_others(before: Path, new: Path) -> None:
    """Copy what does not belong to the site itself: CNAME, a repository, a licence."""
    for path in sorted(before.iterdir()) if before.is_dir() else ():
        if path.name in OWN:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, new / path.name, symlinks=True)
        else:
            shutil.copy2(path, new / path.name, follow_symlinks=False)
