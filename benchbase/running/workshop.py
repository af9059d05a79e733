"""What both halves of a worker need: components, frames, and the code that they are made of."""

from __future__ import annotations

import os
import sys
import traceback
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase.component import Array
from benchbase.discovery.code import Code
from benchbase.discovery.providers import bundled
from benchbase.errors import BenchbaseError, in_one_line
from benchbase.numerics.instance import build_frame
from benchbase.representation import Frame
from benchbase.storage.cache import keep_apart
from benchbase.system.loading import top_of
from benchbase.tasks import Solved, code_of

if TYPE_CHECKING:
    from benchbase.discovery.registry import Registry

CORE_CODE = "core"
"""The kind under which a task has the digest of the core."""

_Code = Mapping[str, Mapping[str, str]]


class Workshop:
    """Builds components and frames, and compares their code with that of the plan.

    Parameters
    ----------
    registry : Registry
        The components that tasks may name. Plugins that a task needs are loaded into it.
    apart : bool, optional
        Whether the process is a worker, which keeps what it computes with a stranger's code apart
        from the cache of the others.
    """

    def __init__(self, registry: Registry, *, apart: bool = False) -> None:
        self._registry, self._keeps_apart = registry, apart
        self._frames: OrderedDict[str, Frame] = OrderedDict()
        self._code, self._modules = Code(), len(sys.modules)
        self._compared: dict[str, str] = {}

    def load(self, sources: Mapping[str, list[str]], code: _Code, kinds: Collection[str]) -> None:
        """Load the plugins that supply the components of some kinds, unless they are loaded.

        A plugin file is loaded only once: edits during a run have no effect. A bundled plugin is in
        the package of the components that it supplies, whose modules the code names. If the code of
        a kind is not known, as when another solver takes the place of the planned one, all bundled
        plugins are loaded.
        """
        if all(code[kind] for kind in kinds if kind in code):
            self._registry.load_bundled({top_of(name) for name in code_of(code, kinds)})
        else:
            self._registry.load_bundled(bundled())
        for kind in kinds:
            for source in sources.get(kind, ()):
                if self._keeps_apart:
                    keep_apart(source)
                self._registry.load_source(source)

    def build(self, kind: str, spec: Mapping[str, Any]) -> Any:
        """Build a component from the spec of a task."""
        return self._registry.build(kind, spec, trusted=True)

    def frame(
        self, group: str, spec: Mapping[str, Any], n: int, training: Array | None, key: bytes
    ) -> Frame:
        """Build the frame of a problem, or return it if it is one of the last two.

        Parameters
        ----------
        group : str
            The key of the problems that have this frame (`Task`).
        spec : dict
            The frame's spec.
        n, training, key
            As for `build_frame`.
        """
        if group not in self._frames:
            self._frames[group] = build_frame(self.build("frame", spec), n, training, key)
            if len(self._frames) > 2:
                self._frames.popitem(last=False)
        self._frames.move_to_end(group)
        return self._frames[group]

    def compare(self, code: _Code, kinds: Collection[str]) -> None:
        """Make sure that the code of some kinds is what a task was planned with.

        Raises
        ------
        PluginError
            If it is other code.
        """
        if self._modules != len(sys.modules):  # what was imported since may be other code
            self._code, self._modules = Code(self._code), len(sys.modules)
            self._compared = {}
        for name, digest in code_of(code, (CORE_CODE, *kinds)).items():
            if self._compared.get(name) != digest:
                self._code.compare(name, digest)
                self._compared[name] = digest

    def unforeseen(
        self,
        code: _Code,
        kinds: Collection[str],
        before: set[str],
        read: Iterable[Path] = (),
    ) -> dict[str, str]:
        """Return the digests of files that no code of these kinds reaches; see `Code`."""
        return self._code.unforeseen(code_of(code, kinds), before, read)


@contextmanager
def contained() -> Iterator[None]:
    """Limit what third-party code does to the current folder and to NumPy's error handling."""
    try:
        folder = Path.cwd()
    except OSError:  # it has been deleted
        folder = None
    try:
        with np.errstate():
            yield
    finally:
        if folder is not None:
            with suppress(OSError):  # it has been deleted meanwhile
                os.chdir(folder)


def refused(error: BenchbaseError) -> Solved:
    """Say that a mistake of the user keeps a chunk from being computed."""
    return Solved(status="refused", message=str(error), exit_code=error.exit_code)


def went_wrong(error: BaseException) -> Solved:
    """Say what went wrong, and where, in one line; running out of memory counts as a crash."""
    status = "crashed" if isinstance(error, MemoryError) else "failed"
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = in_one_line(error) or "no message"
    place = f"{Path(where.filename).name}:{where.lineno}"
    return Solved(status=status, message=f"{type(error).__name__}: {text} ({place})")
