"""Messages about work in progress, passed from the code that works to the place that shows them.

Code that works reports remarks with `note`, and its progress with `benchbase.progress`.
In a worker process, both go to the process that started the worker.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from benchbase.errors import in_one_line

Message = tuple[Any, ...]
"""("bar", label, done, total), ("end", label) or ("note", text)."""


def note(text: str) -> None:
    """Show a remark on standard error, above the progress bars."""
    send(("note", text))


def send(message: Message) -> None:
    """Pass a message on to the present receiver; without one, notes go to standard error.

    Its text becomes one line of limited length without invisible characters.
    """
    kind, text, *numbers = message
    (_receivers[-1] if _receivers else without_bars)((kind, in_one_line(text), *numbers))


def pass_on(receiver: Callable[[Message], None]) -> None:
    """Send messages to a receiver from now on, such as the process that started this one."""
    _receivers.append(receiver)


_receivers: list[Callable[[Message], None]] = []  # only the last one gets messages


@contextmanager
def receiving(receiver: Callable[[Message], None]) -> Iterator[None]:
    """Send messages to a receiver while the context lasts."""
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)


def without_bars(message: Message) -> None:
    """Show notes on standard error, and nothing else."""
    if message[0] == "note":
        with suppress(AttributeError, OSError, ValueError):  # it may be missing or closed
            sys.stderr.write(f"{message[1]}\n")


def is_received() -> bool:
    """Return whether a receiver is set; if not, notes go straight to standard error."""
    return bool(_receivers)
