"""The command that computes one row of a leaderboard again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

_WITH_VALUE = frozenset(
    {"--results", "--solver", "--jobs", "--dask", "--memory-limit", "--rerun", "--time-limit"}
)
_ALONE = frozenset({"--json", "--failed", "--host-name", "--dry-run"})
_PATHS = frozenset({"--plugin"})


def row_command(command: str, suite: str, label: str, points: int, trials: int) -> str:
    """Return the command line that computes what one solver has in a leaderboard.

    The recorded command without what changes no number (folders, workers, limits) and with the
    one solver chosen; folders of the machine that ran it are left out of paths. A run that no
    command line asked for is told by its numbers of signals and trials.

    Parameters
    ----------
    command : str
        As recorded with the run.
    suite : str
        Its suite.
    label : str
        The solver's label.
    points, trials : int
        Signals a trial and trials, for runs of the Python interface.
    """
    words = _words(command)
    if words[:2] != ["benchbase", "run"]:
        words = ["benchbase", "run", suite, "--points", str(points), "--trials", str(trials)]
    return shlex.join([*_kept(words), "--solver", label])


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # an open quotation: not the work of `shlex.join`
        return []


def _kept(words: list[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if name in _WITH_VALUE:
            if not equals:
                next(rest, None)
        elif word in _ALONE:
            continue
        elif name in _PATHS and equals:
            yield f"{name}={_place(word.partition('=')[2])}"
        else:
            yield word if name.startswith("-") else _place(word)


def _place(word: str) -> str:
    """Return a path's last part where it is absolute, and other words as they are."""
    return Path(word).name if word.startswith(("/", "~/")) else word
