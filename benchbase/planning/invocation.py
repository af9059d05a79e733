"""The command that does the same as a call of `benchbase.run`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbase.planning.toml import as_toml


def run_command(
    suite: str | Path,
    *,
    points: int | None = None,
    trials: int | None = None,
    labels: Sequence[str] = (),
    extras: Sequence[Any] = (),
    plugins: Sequence[str | Path] = (),
    changes: Mapping[str, Any] | None = None,
    time_limit: float | None = None,
) -> str:
    """Write a run as a ``benchbase run`` command, so that others can repeat it.

    Parameters
    ----------
    suite, points, trials, labels, plugins, changes, time_limit
        The arguments of `benchbase.run`. Its `solvers` are called `labels` here.
    extras : sequence of dict or Solver
        Solvers that were added. A solver from a notebook or a script is written as if it were in a
        plugin file, because a command cannot name it otherwise.

    Returns
    -------
    str
        The command, quoted for a shell. It leaves out options that change no number, such as the
        number of workers and the folder of results.
    """
    words = ["benchbase", "run", str(suite)]
    for name, number in (("--points", points), ("--trials", trials), ("--time-limit", time_limit)):
        words += [] if number is None else [name, str(number)]
    for path in plugins:
        words += ["--plugin", str(path)]
    for extra in extras:
        words += ["--with", as_toml(extra)]
    for place, value in (changes or {}).items():
        words += ["--set", f"{place}={as_toml(value)}"]
    for label in labels:
        words += ["--solver", label]
    return shlex.join(words)
