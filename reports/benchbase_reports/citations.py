"""What to cite: the BibTeX entries of solvers, data sets and other components."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import benchbase

OWN = "benchbase"
"""The key of this software's own entry."""

_ENTRY = re.compile(r"^@\w+\{([^,\s]+),\n(?:.*\n)*?\}$", re.MULTILINE)
_KEYWORDS = re.compile(r"^  keywords = \{(.*)\},\n", re.MULTILINE)
_KEY = re.compile(r"@\w+\s*\{\s*([^,\s]+)\s*,")


@cache
def _bundled() -> tuple[Mapping[str, str], Mapping[str, tuple[str, ...]]]:
    """Return the bundled entries by key, and the keys by component ("solver:altmin")."""
    text = Path(__file__).with_name("references.bib").read_text(encoding="utf-8")
    entries: dict[str, str] = {}
    components: dict[str, tuple[str, ...]] = {}
    for entry in _ENTRY.finditer(text):
        keywords = _KEYWORDS.search(entry[0])
        for name in keywords[1].split(", ") if keywords else ():
            components[name] = (*components.get(name, ()), entry[1])
        entries[entry[1]] = _KEYWORDS.sub("", entry[0])
    return entries, components


def bibliography(component: benchbase.Component | None) -> dict[str, str]:
    """Return the BibTeX entries of a component and of the components among its parameters.

    Those of bundled components are in ``references.bib``. Any other component has its own in a
    class attribute ``citation``: one or more BibTeX entries as text. Components without an entry
    are passed over.

    Parameters
    ----------
    component : Component or None
        A solver, data set, frame or pooling, or None for benchbase itself.

    Returns
    -------
    dict of str to str
        The entries by their keys, in the order of the components.
    """
    entries, _ = _bundled()
    if component is None:
        return {OWN: entries[OWN]}
    found: dict[str, str] = {}
    for part in component.walk():
        own = getattr(type(part), "citation", "")
        if isinstance(own, str) and own.strip():
            keys = _KEY.search(own)
            found[keys[1] if keys else part.name] = own.strip()
        else:
            found |= _named(part.kind, part.spec())
    return found


def bibliography_of_spec(kind: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the same as `bibliography` for a component that is given as plain data.

    If a plugin is not installed, entries are found by names alone.

    Parameters
    ----------
    kind : str
        "solver", "dataset", "frame" or "pooling".
    spec : mapping
        The name and parameters, as suites hold them.
    """
    try:
        return bibliography(benchbase.build(kind, dict(spec)))
    except benchbase.BenchbaseError:
        found: dict[str, str] = {}
        for part in _parts(spec):
            found |= _named(kind, part)
        return found


def _parts(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield spec
    for value in spec.values():
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, Mapping) and "name" in item:
                yield from _parts(item)


def _named(kind: str, spec: Mapping[str, Any]) -> dict[str, str]:
    entries, components = _bundled()
    name = f"{kind}:{spec['name']}"
    keys = [*components.get(name, ()), *components.get(f"{name}/{spec.get('source')}", ())]
    return {key: entries[key] for key in keys}
