"""Bars and remarks on the terminal while something takes its time, wherever it is computed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchbase.channel import Message, is_received, receiving, send, without_bars

if TYPE_CHECKING:
    from rich.progress import Progress

_PAUSE = 0.1  # seconds between two messages about one bar


class Bar:
    """How much of one thing is done. The methods are those that pooch calls of a bar.

    Parameters
    ----------
    label : str
        What is done.
    total : float
        How much there is to do; may be set later.
    done : float, optional
        How much is done already.
    """

    def __init__(self, label: str, total: float, done: float = 0) -> None:
        self.label, self.total, self._done = label, total, done
        self._told = 0.0
        self._tell()

    def update(self, more: float = 1) -> None:
        """Add to what is done."""
        self._done += more
        if self._done >= self.total or time.monotonic() >= self._told + _PAUSE:
            self._tell()

    def reset(self) -> None:
        """Begin again."""
        self._done = 0
        self._tell()

    def close(self) -> None:
        """Do nothing: the bar goes when its context does."""

    def _tell(self) -> None:
        self._told = time.monotonic()
        send(("bar", self.label, self._done, self.total))


@contextmanager
def progress(label: str, total: float = 0, done: float = 0) -> Iterator[Bar]:
    """Show on a terminal how far something is, for as long as the context lasts.

    Parameters
    ----------
    label : str
        What is done.
    total : float, optional
        How much there is to do.
    done : float, optional
        How much is done already.
    """
    with terminal(shown=sys.stderr.isatty()):
        try:
            yield Bar(label, total, done)
        finally:
            send(("end", label))


@contextmanager
def terminal(*, shown: bool) -> Iterator[None]:
    """Show bars on standard error while the context lasts; within another, that one does it."""
    if is_received():
        yield
    elif not shown:
        with receiving(without_bars):
            yield
    else:
        with _rich_bars() as bars, receiving(_Terminal(bars).receive):
            yield


class _Terminal:
    """Bars on a terminal, by their labels."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def receive(self, message: Message) -> None:
        kind, text, *numbers = message
        if kind == "note":
            self._bars.console.print(text, markup=False, highlight=False)
        elif kind == "end":
            task = self._tasks.pop(text, None)
            if task is not None and not self._bars.tasks[self._bars.task_ids.index(task)].finished:
                self._bars.remove_task(task)  # what is complete stays to be seen
        else:
            done, total = numbers
            if text not in self._tasks:
                self._tasks[text] = self._bars.add_task(text, completed=done, total=total)
            self._bars.update(self._tasks[text], completed=done, total=total)


def _rich_bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))
