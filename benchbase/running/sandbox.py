"""A sandbox for solvers: what their process can see and reach, by bubblewrap (Linux)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchbase.discovery.providers import strangers
from benchbase.errors import BenchbaseError, in_one_line
from benchbase.storage.answers import RUNS
from benchbase.storage.cache import STRANGERS
from benchbase.system.loading import top_of
from benchbase.system.paths import cache_folder
from benchbase.tasks import Task

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/nix", "/gnu")
_PATIENCE = 30  # seconds that an empty sandbox may take
_HOME = "/tmp"  # noqa: S108 # it is empty, and the sandbox's own


class Sandbox:
    """What processes in the sandbox see: the system, Python, the cache, and some plugin files.

    All of it is read-only. There is no network, no home, no other folder, and no other process.

    Parameters
    ----------
    tasks : iterable of Task
        The tasks, whose plugin files are to be seen.

    Raises
    ------
    BenchbaseError
        If bubblewrap is not installed, or does not work here.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise BenchbaseError(
                "a sandbox needs bubblewrap, but there is no command bwrap; install it, or leave "
                "out --sandbox"
            )
        named = {s for task in tasks for each in task["sources"].values() for s in each}
        cache = cache_folder().absolute()
        private = [cache / name for name in (STRANGERS, RUNS)]
        for folder in private:
            folder.mkdir(parents=True, exist_ok=True)
        self._start = [bwrap, "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]
        self._start += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", _HOME]
        for path in (*_SYSTEM, *_of_python(), str(cache), *filter(os.path.isabs, sorted(named))):
            self._start += ["--ro-bind-try", path, path]
        for folder in private:  # what is computed here goes with it, and nobody else's is seen
            self._start += ["--tmpfs", str(folder)]
        self._start += ["--setenv", "HOME", _HOME, "--chdir", _HOME, "--"]
        self._try()

    def around(self, command: list[str]) -> list[str]:
        """Return the command that runs a command in the sandbox. It inherits descriptors."""
        return [*self._start, *command]

    def _try(self) -> None:
        command = self.around([sys.executable, "-I", "-c", ""])
        try:
            done = subprocess.run(  # noqa: S603 # the command above
                command, capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            told = f"it took longer than {_PATIENCE} s"
        else:
            told = in_one_line(done.stderr) or f"exit code {done.returncode}"
            if done.returncode == 0:
                return
        raise BenchbaseError(
            f"bubblewrap does not work here ({told}), perhaps because user namespaces are switched "
            "off; leave out --sandbox"
        )


def _of_python() -> Iterator[str]:
    """Yield the folders from which this Python and the modules on its path are loaded."""
    yield from {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    yield str(Path(sys.executable).resolve().parent)
    here = Path.cwd()
    for name in filter(None, sys.path):  # "" is where workers do not look either
        path = Path(name).absolute()
        if path != here:
            yield str(path)
        else:  # it may hold the suite and the results, and of a checkout the modules as well
            tops = {top_of(module) for module in (*sys.modules, *strangers().values())}
            places = (path / place for top in tops for place in (f"{top}/__init__.py", f"{top}.py"))
            yield from (str(_outermost(file)) for file in places if file.is_file())


def _outermost(file: Path) -> Path:
    """Return the folder of a package's `__init__`, or the file of another module."""
    return file.parent if file.name == "__init__.py" else file
