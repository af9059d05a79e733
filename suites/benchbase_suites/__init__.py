"""The bundled suites: every TOML file beside this one is a suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import benchbase


@benchbase.hookimpl
def register_suites(register: Callable[[Path], None]) -> None:
    """Register every TOML file of the package."""
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        register(path)
