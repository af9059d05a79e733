"""Downloads of published files; a file that differs from the published one is not kept."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import benchbase
from benchbase import DataError, DiskError, user_path

TIMEOUT = 10.0
"""How many seconds a mirror may stay silent before the next one is tried."""


def data_folder(name: str) -> Path | None:
    """Return the folder `name` inside the folder ``BENCHBASE_DATA``, or None if there is none."""
    data = os.environ.get("BENCHBASE_DATA")
    folder = user_path(data) / name if data else None
    return folder if folder is not None and folder.is_dir() else None


def download(name: str, archive: str, digest: str, mirrors: Sequence[str], advice: str) -> Path:
    """Download a file into the data set's cache folder, from the first mirror that has it.

    Parameters
    ----------
    name : str
        The name of the data set.
    archive : str
        The name of the file, on the mirrors and in the cache.
    digest : str
        The SHA-256 digest of the file.
    mirrors : sequence of str
        The addresses of the folders that hold the file.
    advice : str
        What to do if the file cannot be had; it becomes a part of the error message.

    Raises
    ------
    DataError
        If nothing may be downloaded now, or no mirror gives the file. If a download was
        interrupted or gave another file, nothing is left that could be taken for the file.
    DiskError
        If the disk is full.
    """
    benchbase.check_download(name, archive, advice)
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
                raise DiskError(f"{folder}: {error.strerror}; make room and try again") from error
            problems.append(f"{mirror}: {type(error).__name__}")
        except ValueError:  # pooch raises it for a wrong checksum
            problems.append(f"{mirror}: not the published file")
        else:
            return Path(path)
    absent = f"{name}: {archive} is not in the cache, and"
    raise DataError(f"{absent} it cannot be downloaded ({', '.join(problems)}); {advice}")
