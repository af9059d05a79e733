"""A site's folder: written whole or not at all, by one process at a time.

A site is built beside its place and then renamed into it. Whoever reads it sees either the old site
or the new one. If the new one cannot be made, the old one stays untouched.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from benchbase import BenchbaseError, disk_errors
from benchbase.showing import visible
from benchbase_publish.pages import write_pages
from benchbase_publish.site import BUNDLES, INDEX, Held, Site

OWN = (BUNDLES, "suites", "index.html", INDEX, "index.schema.json", ".nojekyll")
"""The names that belong to a site; everything else in its folder is kept."""

PATIENCE = 120.0
"""Seconds to wait for another process that changes the same site."""


def write_site(site: Site) -> None:
    """Make a site, and put it into its place as a whole.

    Parameters
    ----------
    site : Site
        The folder of the site and its bundles.

    Raises
    ------
    BenchbaseError
        If it cannot be written; a `DiskError` if the disk is full. The site that was there is
        unchanged then.
    """
    place = _real(site.folder)  # a link stays a link
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
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change a site, and undo a move by a process that was killed.

    Raises
    ------
    BenchbaseError
        If the folder cannot be moved, files beside it cannot be written, or another process changes
        the site for longer than `PATIENCE`; a `DiskError` if the disk is full.
    """
    with disk_errors(folder):
        place = _real(folder)
        inside = Path.cwd().is_relative_to(place)
        if inside or place.is_mount():
            what = "the working directory, or around it" if inside else "a mount point"
            raise BenchbaseError(
                f"{folder} is {what}: it cannot be replaced; choose another folder"
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        with _lock(_beside(place, "lock"), folder):
            old = _beside(place, "old")
            if old.exists() and not place.exists():
                old.rename(place)
            shutil.rmtree(old, ignore_errors=True)
            yield


@contextmanager
def _lock(file: Path, folder: Path) -> Iterator[None]:
    """Hold the lock of a site's folder; its holder is written beside it, for those who wait."""
    from filelock import FileLock, Timeout

    holder = file.with_suffix(".holder")
    # The library would wait for ever where no file can be made, such as in /proc.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o644))
    try:
        lock = FileLock(file).acquire(timeout=PATIENCE)
    except Timeout:
        try:
            whose = holder.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            whose = "an unknown process"
        raise BenchbaseError(
            f"{folder} has been locked for more than {PATIENCE:g} seconds by "
            f"{visible(whose[:200])} ({file}); wait for that process or end it, then try again"
        ) from None
    except NotImplementedError:
        raise BenchbaseError(
            f"{folder}: files cannot be locked on this disk; make the site on another disk"
        ) from None
    with lock:
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        holder.write_text(f"process {os.getpid()} on {platform.node()} since {started}\n", "utf-8")
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


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
        if path.name not in OWN:
            _copy_all(path, new / path.name)


def _copy_all(path: Path, target: Path) -> None:
    """Copy a file, a link, or a folder with all that is in it; errors keep their numbers."""
    if path.is_dir() and not path.is_symlink():
        target.mkdir()
        for inner in path.iterdir():
            _copy_all(inner, target / inner.name)
        shutil.copystat(path, target)
    else:
        shutil.copy2(path, target, follow_symlinks=False)


def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))  # `Path.resolve` raises for a link to itself
