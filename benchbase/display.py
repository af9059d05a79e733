"""What people see while something takes its time: bars and remarks, wherever it is computed.

Whoever works says how far it is with `progress`, and what is worth knowing with `note`. In a worker
process both go to the process that has started it; there, bars are shown on a terminal only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

Message = tuple[Any, ...]
"""("bar", label, done, total), ("end", label) or ("note", text)."""

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


def note(text: str) -> None:
    """Say something on standard error, above the bars."""
    send(("note", text))


def send(message: Message) -> None:
    """Pass a message on to where it is shown."""
    (_receivers[-1] if _receivers else _without_bars)(message)


def pass_on(receiver: Callable[[Message], None]) -> None:
    """Let messages go elsewhere from now on: to the process that has started this one."""
    _receivers.append(receiver)


_receivers: list[Callable[[Message], None]] = []  # the last one counts


@contextmanager
def terminal(*, shown: bool) -> Iterator[None]:
    """Show bars on standard error while the context lasts; within another, that one does it."""
    if _receivers:
        yield
    elif not shown:
        with _receiving(_without_bars):
            yield
    else:
        with _rich_bars() as bars, _receiving(_Terminal(bars).receive):
            yield


@contextmanager
def _receiving(receiver: Callable[[Message], None]) -> Iterator[None]:
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)


def _without_bars(message: Message) -> None:
    if message[0] == "note":
        sys.stderr.write(f"{message[1]}\n")


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
