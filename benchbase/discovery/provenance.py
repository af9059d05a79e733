"""Where a result comes from: versions, the machine, and digests of the code."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from benchbase.discovery.code import Code
from benchbase.discovery.points import distribution_name, plugin_points
from benchbase.system.loading import CORE, VERSION
from benchbase.tasks import Task, code_of

_LIBRARIES = ("numpy", "scipy", "cvxpy", "scs", "scikit-learn", "pandas", "pluggy")


@cache
def environment() -> dict[str, Any]:
    """Return facts that may change a number but are in no key: versions, BLAS, processor.

    None of them names the host or its user. The BLAS is the one that NumPy uses; which others are
    loaded depends on what else has run.
    """
    from threadpoolctl import threadpool_info

    versions = {CORE: VERSION}
    plugins = [distribution_name(point.dist) for point in plugin_points()[0] if point.dist]
    for name in sorted({*_LIBRARIES, *filter(None, plugins)}):
        with suppress(metadata.PackageNotFoundError, KeyError):  # lost, or without a version
            versions[name] = metadata.version(name)
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    own = [pool for pool in pools if "numpy" in "/".join(Path(pool["filepath"]).parts[-3:-1])]
    blas = sorted(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in own or pools
    )
    return {
        "versions": versions,
        "core": Code().core(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "blas": blas,
        "blas_threads": 1,
    }


def circumstances(task: Task) -> dict[str, Any]:
    """Return the environment in which a task runs, with the digests of its code.

    Parameters
    ----------
    task : Task
        The task, which holds these digests and says whether to name the host.
    """
    facts = environment() | {"code": code_of(task["code"]), "packages": task["packages"]}
    return facts | {"host": platform.node()} if task["host_name"] else facts


def _processor() -> str:
    """Return the model of the processor, which `platform` does not know on Linux."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
