"""Downloads that are checked: a file is what was published, or it is not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import benchbase
from benchbase import DataError, DiskError

TIMEOUT = 10.0
"""Seconds without an answer after which a mirror is given up."""


def data_folder(name: str) -> Path | None:
    """Return the folder `name` in the folder that ``BENCHBASE_DATA`` names, if there is one."""
    data = os.environ.get("BENCHBASE_DATA")
    folder = Path(data) / name if data else None
    return folder if folder is not None and folder.is_dir() else None


def download(name: str, archive: str, digest: str, mirrors: Sequence[str], advice: str) -> Path:
    """Download a file into the data set's folder in the cache, from the first mirror that has it.

    Parameters
    ----------
    name : str
        The data set.
    archive : str
        The name of the file, there and here.
    digest : str
        Its SHA-256 digest.
    mirrors : sequence of str
        Addresses of the folders that it is in.
    advice : str
        What to do where it cannot be had, for the error.

    Raises
    ------
    DataError
        If ``BENCHBASE_OFFLINE`` is set, or no mirror gives the file. Nothing that could be taken
        for the file is left of a download that was interrupted or is of another file.
    DiskError
        If the disk is full.
    """
    absent = f"{name}: {archive} is not here and"
    if os.environ.get("BENCHBASE_OFFLINE"):
        raise DataError(f"{absent} BENCHBASE_OFFLINE is set; {advice}")
    import pooch

    folder = benchbase.cache_folder() / name
    problems = []
    for mirror in mirrors:
        try:
            with benchbase.progress(f"{archive}, bytes") as bar:
                path = pooch.retrieve(
                    mirror + archive,
                    known_hash=f"sha256:{digest}",
                    fname=archive,
                    path=folder,
                    downloader=pooch.HTTPDownloader(
                        progressbar=bar, timeout=TIMEOUT, chunk_size=1 << 16
                    ),
                )
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskError(f"{folder}: {error.strerror}; make room, then try again") from error
            problems.append(f"{mirror}: {type(error).__name__}")
        except ValueError:  # what pooch raises for a wrong checksum
            problems.append(f"{mirror}: not the published file")
        else:
            return Path(path)
    raise DataError(f"{absent} cannot be downloaded ({', '.join(problems)}); {advice}")
