"""Running a plugin file, and saying what went wrong in it."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from benchbase.errors import PluginError


def plugin_module(file: Path) -> str:
    """Return the name of a plugin file's module, which depends on the file's path."""
    return f"benchbase_plugin_{hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:16]}"


def execute(file: Path, name: str, source: bytes, shown: str) -> ModuleType:
    """Run a plugin file as a module of the given name."""
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise PluginError(f"plugin {shown}: a plugin file's name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and typing look modules up by name
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102 # what --plugin is for
    except KeyboardInterrupt:
        del sys.modules[name]
        raise
    except BaseException as error:  # third-party code may raise anything
        del sys.modules[name]
        raise PluginError(explained(error, file, shown)) from error
    return module


def explained(error: BaseException, file: Path, shown: str) -> str:
    """Say what went wrong in a plugin file, and on which of its lines."""
    if isinstance(error, SyntaxError) and error.filename == str(file) and error.lineno:
        return f"{shown}:{error.lineno}: {error.msg}"
    trace = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in trace if frame.f_code.co_filename == str(file)]
    place = f"{shown}:{lines[-1]}" if lines else f"plugin {shown}"
    return f"{place}: {type(error).__name__}: {error}"
