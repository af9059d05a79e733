"""The command line that asks for what a call of `benchbase.run` asks for."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchbase.component import Component

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


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
    """Write a run as ``benchbase run`` takes it, so that others can repeat it.

    Parameters
    ----------
    suite, points, trials, labels, plugins, changes, time_limit
        As `benchbase.run` takes them; `labels` are its `solvers`.
    extras : sequence of dict or Solver
        Solvers that were added. One that is defined in a session is named as it would be if a
        plugin file held it: there is no other way to name it.

    Returns
    -------
    str
        Quoted for a shell. What changes no number (workers, folders) is not in it.
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


def as_toml(value: Any) -> str:
    """Write a value as TOML on one line: ``{ name = "knn", q = 10 }``.

    Of a dict, ``name`` comes first, and what is None is left out.

    Parameters
    ----------
    value : object
        A number, text, path, component, or lists and dicts of these.
    """
    if isinstance(value, Component):
        value = value.spec()
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        named = sorted(value.items(), key=lambda item: item[0] != "name")  # else in their order
        pairs = [f"{_key(k)} = {as_toml(v)}" for k, v in named if v is not None]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else _text(str(value))


def _key(name: Any) -> str:
    return str(name) if _BARE_KEY.fullmatch(str(name)) else _text(str(name))


def _text(text: str) -> str:
    """Write a TOML string: JSON's escapes are TOML's, which also wants the delete character's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
