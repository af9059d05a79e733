"""When packages were loaded: what is edited afterwards is not what runs."""

from __future__ import annotations

import time


def package_of(cls: type) -> str:
    """Return the name of the top-level package, or of the plugin file's module, of a class."""
    return cls.__module__.partition(".")[0]


def note_loaded(package: str) -> None:
    """Note that a package has just been loaded, unless it was loaded before."""
    _loaded_at.setdefault(package, time.time())


def loaded_at(package: str) -> float | None:
    """Return the time at which a package was loaded, in seconds since the epoch."""
    return _loaded_at.get(package)


_loaded_at: dict[str, float] = {}
