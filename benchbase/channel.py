"""What is said while something takes its time, on its way to where it is shown.

Whoever works says what is worth knowing with `note`, and how far it is with `benchbase.progress`.
In a worker process both go to the process that has started it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Message = tuple[Any, ...]
"""("bar", label, done, total), ("end", label) or ("note", text)."""


def note(text: str) -> None:
    """Say something on standard error, above the bars."""
    send(("note", text))


def send(message: Message) -> None:
    """Pass a message on to where it is shown."""
    (_receivers[-1] if _receivers else without_bars)(message)


def pass_on(receiver: Callable[[Message], None]) -> None:
    """Let messages go elsewhere from now on: to the process that has started this one."""
    _receivers.append(receiver)


_receivers: list[Callable[[Message], None]] = []  # the last one counts


@contextmanager
def receiving(receiver: Callable[[Message], None]) -> Iterator[None]:
    """Let messages go to a receiver while the context lasts."""
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)


def without_bars(message: Message) -> None:
    """Show notes on standard error, and nothing else."""
    if message[0] == "note":
        sys.stderr.write(f"{message[1]}\n")


def is_received() -> bool:
    """Return whether messages go anywhere but to standard error."""
    return bool(_receivers)
