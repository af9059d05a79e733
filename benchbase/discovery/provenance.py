"""What a result came from: digests of the code, versions, the machine."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import sys
import sysconfig
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from benchbase.component import loaded_at, note_loaded, package_of
from benchbase.errors import PluginError

CORE = "benchbase"
IMPORTS = "__benchbase_imports__"
CORE_FILES = (
    "component",
    "numerics/compose",
    "numerics/dense",
    "numerics/functions",
    "interfaces",
    "numerics/iteration",
    "problem",
    "numerics/recovery",
    "numerics/rounds",
    "numerics/rows",
    "numerics/starts",
    "representation",
    "numerics/streams",
    "numerics/traces",
    "running/worker",
)
"""The core's modules that numbers depend on."""

_LIBRARIES = ("numpy", "scipy", "cvxpy", "scs", "scikit-learn", "pandas", "pluggy")


@cache
def core_digest() -> str:
    """Return the digest of the core's numerical source files."""
    folder = Path(__file__).parents[1]
    return _digest([folder / f"{name}.py" for name in CORE_FILES], folder)


def code_digests(cls: type) -> dict[str, str | None]:
    """Return the digests of the code that a component's class comes from, by package.

    Parameters
    ----------
    cls : type
        A component's class.

    Returns
    -------
    dict
        For the top-level package or the plugin file of the class and of each component that it
        inherits from, and for what a plugin file imports that is not installed: the digest of all
        files. None where there are none, as in a notebook or ``__main__``: results are then never
        kept for another run. The core's own package is left out (see `core_digest`).
    """
    # Components are told by their method: importing them here would be a circle.
    bases = [base for base in cls.__mro__ if base is cls or hasattr(base, "spec")]
    names = [package_of(base) for base in bases]
    for name in list(names):
        names += getattr(sys.modules.get(name), IMPORTS, [])
    return {name: package_digest(name) for name in names if name != CORE}


def local_imports(source: bytes) -> list[str]:
    """Return the packages and modules that a file imports, and that are in no library folder."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    libraries = [Path(folder) for folder in sysconfig.get_paths().values()]
    found = []
    for name in sorted(names - {CORE}):
        module = sys.modules.get(name)
        places = [*getattr(module, "__path__", []), getattr(module, "__file__", None)]
        paths = [Path(place) for place in places if place]
        if paths and not any(path.is_relative_to(folder) for path in paths for folder in libraries):
            note_loaded(name)
            found.append(name)
    return found


_digests: dict[str, str] = {}  # of packages, as they were first met


def package_digest(name: str) -> str | None:
    """Return the digest of a package that this process has loaded; see `code_digests`.

    Raises
    ------
    PluginError
        If its files were edited since: the numbers would be those of other code.
    """
    module = sys.modules.get(name)
    if name == "__main__" or module is None:
        return None
    as_loaded: str | None = getattr(module, "__digest__", None)
    if as_loaded is not None:
        return as_loaded
    folders = [Path(entry) for entry in getattr(module, "__path__", [])]
    file = Path(getattr(module, "__file__", None) or "")
    if not folders and not file.is_file():
        return None
    sources = {d: [f for f in d.rglob("*") if _is_source(f, d)] for d in folders}
    sources = sources or {file.parent: [file]}
    digests = sorted(_digest(files, folder) for folder, files in sources.items())
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()
    if _digests.get(name, digest) != digest or (name not in _digests and _is_edited(name, sources)):
        raise PluginError(
            f"the code of '{name}' was edited after this process had loaded it; "
            "start again, in a notebook with a new kernel"
        )
    _digests[name] = digest
    return digest


def _is_edited(name: str, sources: dict[Path, list[Path]]) -> bool:
    """Whether a file is younger than the package's loading; a date in the future says nothing."""
    now = time.time()
    dates = [file.stat().st_mtime for files in sources.values() for file in files]
    since = loaded_at(name) or now
    return any(since < date <= now for date in dates)


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


core_digest()  # now: what is edited later is not what runs


@cache
def environment() -> dict[str, Any]:
    """Return what may change a number but is in no key: versions, BLAS, processor.

    Nothing in it names the host or its user. The BLAS is NumPy's: which others are loaded depends
    on what else has run.
    """
    from threadpoolctl import threadpool_info

    versions = {}
    plugins = {p.dist.name for p in metadata.entry_points(group="benchbase") if p.dist}
    for name in sorted({*_LIBRARIES, *plugins}):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # pragma: no cover # all are dependencies
            continue
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    own = [pool for pool in pools if "numpy" in "/".join(Path(pool["filepath"]).parts[-3:-1])]
    blas = sorted(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in own or pools
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


def circumstances(code: dict[str, str], *, host_name: bool = False) -> dict[str, Any]:
    """Return the environment with the digests of the packages that a result was made with.

    Parameters
    ----------
    code : dict
        The digests, by package.
    host_name : bool, optional
        Name the host too.
    """
    facts = environment() | {"code": code}
    return facts | {"host": platform.node()} if host_name else facts


def _processor() -> str:
    """Return the model of the processor; `platform` does not know it on Linux."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
