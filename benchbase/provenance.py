"""What a result came from: digests of the code, versions, the machine."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

CORE_FILES = ("functions", "interfaces", "problem", "recovery", "streams", "worker")
"""The core's modules that numbers depend on."""

_LIBRARIES = ("numpy", "scipy", "cvxpy", "scs", "scikit-learn", "pandas", "pluggy")


@cache
def core_digest() -> str:
    """Return the digest of the core's numerical source files."""
    folder = Path(__file__).parent
    return _digest([folder / f"{name}.py" for name in CORE_FILES], folder)


def code_digest(cls: type) -> str | None:
    """Return the digest of the source that a class comes from.

    Parameters
    ----------
    cls : type
        A component's class.

    Returns
    -------
    str or None
        Of all files of its top-level package, or of its plugin file; None where there are none,
        as in a notebook or ``__main__``: results are then never kept for another run.
    """
    top = cls.__module__.partition(".")[0]
    if top == "__main__":
        return None
    as_loaded: str | None = getattr(sys.modules.get(top), "__digest__", None)
    return as_loaded or _package_digest(top)


@cache
def _package_digest(top: str) -> str | None:
    module = sys.modules.get(top)
    folders = [Path(entry) for entry in getattr(module, "__path__", [])]
    if folders:
        digests = [_digest([f for f in d.rglob("*") if _is_source(f, d)], d) for d in folders]
        return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).is_file():
        return None
    return _digest([Path(file)], Path(file).parent)


def _is_source(file: Path, folder: Path) -> bool:
    """Whether a file is neither a compiled module nor hidden, as editors' own files are."""
    parts = file.relative_to(folder).parts
    hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
    return file.is_file() and not hidden and file.suffix != ".pyc"


def _digest(files: list[Path], folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(file.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


@cache
def environment() -> dict[str, Any]:
    """Return what may change a number but is in no key: versions, BLAS, processor.

    Nothing in it names the host or its user.
    """
    from threadpoolctl import threadpool_info

    versions = {}
    plugins = {p.dist.name for p in metadata.entry_points(group="benchbase") if p.dist}
    for name in sorted({*_LIBRARIES, *plugins}):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # pragma: no cover # all are dependencies
            continue
    blas = sorted(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )
    return {
        "versions": versions,
        "core": core_digest(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "blas": blas,
        "blas_threads": 1,
    }


def _processor() -> str:
    """Return the model of the processor; `platform` does not know it on Linux."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
