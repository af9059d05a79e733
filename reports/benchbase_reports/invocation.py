"""Commands as leaderboards show them: they run for anybody, on any machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import benchbase

_OF_THE_MACHINE = frozenset({"--results", "--jobs", "--dask", "--memory-limit"})
_OF_THAT_DAY = frozenset({"--solver", "--rerun"})
_ALONE = frozenset({"--json", "--failed", "--host-name", "--dry-run", "--sealed"})
_PATHS = frozenset({"--plugin"})


def suite_command(command: str) -> str:
    """Return the command that computes a suite, or "" if the record is not such a command.

    Options that change no number are left out: those of the machine that ran it (the folder of
    results, workers, memory, a cluster), and those that chose a part of the suite on that day
    (solvers, failed ones, a rerun). Paths that lead out of the folder are cut to the file's name.
    Every word is quoted anew, so that a stranger's record is one command and cannot hide another.

    Parameters
    ----------
    command : str
        The command that a run has recorded.
    """
    words = _words(command)
    return shlex.join(_kept(words)) if words[:2] == ["benchbase", "run"] else ""


def sized_command(run: Mapping[str, Any]) -> str:
    """Return the command of a run that recorded none, from its suite's name and size.

    Parameters
    ----------
    run : mapping
        As from `benchbase.Results.suites`.
    """
    experiments = json.loads(run.get("resolved", "{}")).get("experiments", ())
    words = ["benchbase", "run", str(run["suite"])]
    for name in ("points", "trials"):
        sizes = {each[name] for each in experiments if name in each}
        if len(sizes) == 1:  # several sizes are the suite's own; no option sets them all
            words += [f"--{name}", str(*sizes)]
    return shlex.join(words)


def row_command(command: str, label: str) -> str:
    """Return the command that computes the rows of one solver in a leaderboard.

    Parameters
    ----------
    command : str
        From `suite_command` or `sized_command`.
    label : str
        The solver's label. Solvers that ``--with`` adds under other labels are left out, because
        their plugin may not be installed.
    """
    words = iter(_words(command))
    kept = []
    for word in words:
        name, equals, text = word.partition("=")
        if name != "--with":
            kept.append(word)
            continue
        text = text if equals else next(words, "")
        kept += ["--with", text] if _adds(text, label) else []
    return shlex.join([*kept, "--solver", label])


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # an open quotation, which `shlex.join` does not write
        return []


def _kept(words: list[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _OF_THE_MACHINE | _OF_THAT_DAY:
            if not equals:
                next(rest, None)
        elif word in _ALONE:
            continue
        elif name in _PATHS and equals:
            yield f"{name}={_place(value)}"
        else:
            yield word if name.startswith("-") else _place(word)


def _place(word: str) -> str:
    """Return the last part of a path that leads out of the folder, and any other word as it is."""
    outside = word.startswith(("/", "~")) or ".." in Path(word).parts
    return Path(word).name if outside else word


def _adds(text: str, label: str) -> bool:
    """Whether a spec of ``--with`` may have a label."""
    try:
        spec = benchbase.from_toml(text, "--with")
    except benchbase.SuiteError:
        return True
    if not isinstance(spec, dict):
        return bool(spec == label)
    name = str(spec.get("name", ""))
    if "label" in spec:
        return bool(spec["label"] == label)
    return label == name or label.startswith((f"{name}(", f"{name} "))  # the name was taken
