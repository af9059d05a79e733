"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path


def user_path(path: str | Path) -> Path:
    """Return a path in which a tilde at the start stands for the home of a user.

    It stays what it is if there is no such user, as in a shell.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 # `Path.expanduser` raises for no such user


def cache_folder() -> Path:
    """Return the folder of the cache: ``BENCHBASE_CACHE``, or else one in the user's cache."""
    chosen = os.environ.get("BENCHBASE_CACHE")
    if chosen:
        return user_path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("benchbase")


def real_path(path: Path) -> Path:
    """Return the absolute path of a file without links. A link that leads to itself is kept."""
    return Path(os.path.realpath(path))  # `Path.resolve` raises for such links
