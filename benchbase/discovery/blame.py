"""Finding out whether a plugin's code has raised an error that nobody expected."""

from __future__ import annotations

import traceback

from benchbase.discovery.providers import strangers
from benchbase.errors import PluginError, described
from benchbase.system.loading import given_source, top_of


def blamed(error: BaseException) -> PluginError | None:
    """Return an error that says where a plugin's code raised another one.

    Returns
    -------
    PluginError or None
        None if no plugin has to do with it. The plugins that come with benchbase do not count.
    """
    packages = {top_of(module) for module in strangers().values()}
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        module = str(frame.f_globals.get("__name__", ""))
        if top_of(module) in packages or given_source(module) is not None:
            place = f"{frame.f_code.co_filename}:{line}"
            return PluginError(f"a plugin failed: {place}: {described(error)}")
    return None
