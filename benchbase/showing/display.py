"""Progress bars and remarks on the terminal, also for work that other processes do."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from benchbase.system.channel import Message, is_received, receiving, send, without_bars

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_PAUSE = 0.1  # seconds between two messages about one bar
_NARROWEST = 40  # columns; in fewer, names are folded beyond recognition
_SIZE = re.compile("[1-9][0-9]{0,3}")  # of a terminal; some editors and containers set COLUMNS=0


class Bar:
    """The progress of one piece of work. Its methods are those that pooch calls on its bars.

    Parameters
    ----------
    label : str
        The name of the work.
    total : float
        The amount of work; it may be set later.
    done : float, optional
        The amount that is already done.
    """

    def __init__(self, label: str, total: float, done: float = 0) -> None:
        self.label, self.total, self._done = label, total, done
        self._last_sent = 0.0
        self._send()

    def update(self, more: float = 1) -> None:
        """Add to the amount that is done."""
        self._done += more
        if self._done >= self.total or time.monotonic() >= self._last_sent + _PAUSE:
            self._send()

    def reset(self) -> None:
        """Set the amount that is done back to 0."""
        self._done = 0
        self._send()

    def close(self) -> None:
        """Do nothing, because the bar ends with its context."""

    def _send(self) -> None:
        self._last_sent = time.monotonic()
        send(("bar", self.label, self._done, self.total))


def is_terminal() -> bool:
    """Return whether standard error is a terminal; it may also be closed or missing."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


@contextmanager
def progress(label: str, total: float = 0, done: float = 0) -> Iterator[Bar]:
    """Show a progress bar on standard error while the context lasts, if that is a terminal.

    Parameters
    ----------
    label : str
        The name of the work.
    total : float, optional
        The amount of work.
    done : float, optional
        The amount that is already done.
    """
    with terminal(shown=is_terminal()):
        try:
            yield Bar(label, total, done)
        finally:
            send(("end", label))


@contextmanager
def terminal(*, shown: bool) -> Iterator[None]:
    """Show bars and remarks on standard error while the context lasts; only remarks if not `shown`.

    Inside another such context, or in a worker process, messages go on to the receiver there.
    """
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
                self._bars.remove_task(task)  # complete bars stay visible
        else:
            done, total = numbers
            if text not in self._tasks:
                self._tasks[text] = self._bars.add_task(text, completed=done, total=total)
            self._bars.update(self._tasks[text], completed=done, total=total)


def open_console(file: TextIO | None = None, *, stderr: bool = False) -> Console:
    """Return a console that is wide enough to read, whatever ``COLUMNS`` says.

    Parameters
    ----------
    file : text stream, optional
        Where to print; by default standard output.
    stderr : bool, optional
        Whether to print on standard error instead.
    """
    from rich.console import Console

    sizes = {"COLUMNS", "LINES"}
    usable = {k: v for k, v in os.environ.items() if k not in sizes or _SIZE.fullmatch(v)}
    console = Console(file=file, stderr=stderr, _environ=usable)
    if console.width < _NARROWEST:
        console.width = _NARROWEST
    return console


def _rich_bars() -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=open_console(stderr=True))
