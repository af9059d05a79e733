"""Progress bars on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """How much of one thing is done; shown or not. The methods are those that pooch calls.

    Parameters
    ----------
    shown : rich.progress.Progress or None
        The display, or None to show nothing.
    label : str
        What is done.
    total : float
        How much there is to do; may be set later.
    """

    def __init__(self, shown: Progress | None, label: str, total: float) -> None:
        self._shown = shown
        self._task = shown.add_task(label, total=total) if shown is not None else None
        self.total = total

    def update(self, more: float = 1) -> None:
        """Add to what is done."""
        if self._shown is not None and self._task is not None:
            self._shown.update(self._task, advance=more, total=self.total)

    def reset(self) -> None:
        """Begin again."""
        if self._shown is not None and self._task is not None:
            self._shown.reset(self._task)

    def close(self) -> None:
        """Do nothing: the display closes when its context does."""


@contextmanager
def progress(label: str, total: float = 0, *, in_bytes: bool = False) -> Iterator[Bar]:
    """Show a bar for as long as the context lasts.

    Parameters
    ----------
    label : str
        What is done.
    total : float
        How much there is to do.
    in_bytes : bool
        Whether that is a number of bytes.
    """
    if not sys.stderr.isatty():
        yield Bar(None, label, total)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    done = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), done, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        yield Bar(shown, label, total)
