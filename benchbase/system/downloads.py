"""Where data sets may download their files, and where they may not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from benchbase.errors import DataError, NotDownloadedError

_downloads: ContextVar[bool] = ContextVar("downloads", default=True)


@contextmanager
def without_downloads() -> Iterator[None]:
    """Let `check_download` refuse all downloads while the context lasts.

    No user expects that a report, a published page or a dry run downloads anything.
    """
    before = _downloads.set(False)
    try:
        yield
    finally:
        _downloads.reset(before)


def check_download(name: str, file: str, advice: str) -> None:
    """Refuse a download if there may be none now; a data set calls this before it downloads.

    Parameters
    ----------
    name : str
        The name of the data set.
    file : str
        The name of the file.
    advice : str
        What to do if the file cannot be downloaded; it becomes a part of the error message.

    Raises
    ------
    DataError
        If ``BENCHBASE_OFFLINE`` is set.
    NotDownloadedError
        In reports and dry runs, which download nothing.
    """
    if os.environ.get("BENCHBASE_OFFLINE"):
        raise DataError(
            f"{name}: {file} is not in the cache, and BENCHBASE_OFFLINE is set; {advice}"
        )
    if not _downloads.get():
        raise NotDownloadedError(f"{name}: {file} has not been downloaded yet")
