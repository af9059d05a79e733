"""Finding out whether a plugin's code has raised an error that nobody expected."""

from __future__ import annotations

import traceback
from importlib.metadata import entry_points

from benchbase.errors import PluginError, described
from benchbase.loading import CORE, given_source, top_of


def blamed(error: BaseException) -> PluginError | None:
    """Return an error that says where a plugin's code raised another one.

    Returns
    -------
    PluginError or None
        None if no plugin has to do with it. The plugins that come with benchbase do not count.
    """
    strangers = _strangers()
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        module = str(frame.f_globals.get("__name__", ""))
        if top_of(module) in strangers or given_source(module) is not None:
            place = f"{frame.f_code.co_filename}:{line}"
            return PluginError(f"a plugin failed: {place}: {described(error)}")
    return None


def _strangers() -> set[str]:
    """Return the names of the packages that supply plugins and do not come with benchbase."""
    points = entry_points()
    own = {p.dist.name for p in points.select(group="console_scripts", name=CORE) if p.dist}
    plugins = points.select(group=CORE)
    return {top_of(p.module) for p in plugins if p.dist is None or p.dist.name not in own}
