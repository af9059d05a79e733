"""Source files: the digest of the program in each, and what it imports."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchbase.discovery.imports import Imports, imports
from benchbase.discovery.program import parse, program_digest
from benchbase.errors import PluginError, system_error
from benchbase.system.loading import given_source, is_changed, keep_source, top_of


@dataclass(frozen=True)
class Program:
    """A source file: the digest of its program, and what the program imports."""

    digest: str
    imports: Imports


@lru_cache(maxsize=4096)
def read(source: bytes) -> Program:
    """Read a source. If Python cannot parse it, as a compiled module, its bytes are digested.

    Parameters
    ----------
    source : bytes
        The content of the file.
    """
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError):
        nothing = Imports(frozenset(), opaque=True, names={}, hands_on=False)
        return Program(hashlib.sha256(source).hexdigest(), nothing)
    return Program(program_digest(tree), imports(tree))


def program_of(module: str, file: Path) -> Program:
    """Return the program of a module as it was loaded, or else as it is in its file.

    Raises
    ------
    PluginError
        If the file was edited after this process had loaded it, so that its program is another, or
        if the file cannot be read.
    """
    given = given_source(module)
    if given is not None:
        return read(given)
    source = content_of(file)
    known = keep_source(file, source) if module in sys.modules else source
    program = read(known)
    if source != known and read(source).digest != program.digest:
        raise _edited(module)
    return program


def file_digest(package: str, file: Path) -> str:
    """Return the digest of a file of a package that is not a source, such as a table.

    Raises
    ------
    PluginError
        If the file was written after this process had loaded the package, or cannot be read.
    """
    content = content_of(file)
    if is_changed(file):
        raise _edited(package)
    return hashlib.sha256(content).hexdigest()


def content_of(file: Path) -> bytes:
    """Return the bytes of a file; raise a `PluginError` if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise system_error(file, error, PluginError) from error


def _edited(module: str) -> PluginError:
    return PluginError(
        f"the code of '{top_of(module)}' was edited after this process had loaded it; "
        "start Python again, or in a notebook restart the kernel"
    )
