"""A plugin-based benchmarking framework for signal recovery from pooling representations.

All that a plugin needs is here; see `benchbase.interfaces` for what to implement and
`benchbase.hookspecs` for how to be found.
"""

import importlib
from typing import TYPE_CHECKING, Any

from benchbase.component import Array, Component
from benchbase.discovery.code import code_digest
from benchbase.errors import (
    BenchbaseError,
    DataError,
    DiskError,
    FormatError,
    NotDownloadedError,
    OutOfMemoryError,
    ParameterError,
    PluginError,
    ReportError,
    SpecError,
    StoreError,
    SuiteError,
    check_range,
    disk_errors,
    system_error,
)
from benchbase.hookspecs import hookimpl
from benchbase.interfaces import Dataset, Hint, Inverse, Noise, Report, ResultsView, Solver
from benchbase.numerics.compose import has_init, starting_at
from benchbase.numerics.dense import DenseFrame
from benchbase.numerics.functions import solver
from benchbase.numerics.iteration import Begin, Blocks, Iteration, IterativeSolver, StepSolver
from benchbase.numerics.recovery import solve
from benchbase.numerics.rounds import BestSoFar, run_rounds
from benchbase.numerics.rows import divisors, energies, moved, norms, root_mean_squares
from benchbase.numerics.starts import Start, fitting_scale, gaussian_start, start_of
from benchbase.problem import (
    Finding,
    Problem,
    Query,
    Recovery,
    Run,
    SignalSet,
    relative_error,
    squared_cosine,
)
from benchbase.representation import Frame, FrameDesign, Pooling
from benchbase.showing.display import progress
from benchbase.storage.cache import cache_folder, cached
from benchbase.storage.plain import array_bytes, parse_array, parse_json
from benchbase.system.channel import note
from benchbase.system.downloads import check_download, without_downloads
from benchbase.system.loading import VERSION
from benchbase.system.paths import user_path

if TYPE_CHECKING:
    from benchbase.api import report, run, suite_problems
    from benchbase.checking.referee import Referee
    from benchbase.discovery.registry import without_strangers
    from benchbase.planning.cells import problem_facts
    from benchbase.planning.toml import as_toml, from_toml
    from benchbase.results import Results, load_results
    from benchbase.storage.records import CellRecord, SuiteRunRecord, read_records, write_records

__version__ = VERSION

__all__ = [
    "Array",
    "Begin",
    "BenchbaseError",
    "BestSoFar",
    "Blocks",
    "CellRecord",
    "Component",
    "DataError",
    "Dataset",
    "DenseFrame",
    "DiskError",
    "Finding",
    "FormatError",
    "Frame",
    "FrameDesign",
    "Hint",
    "Inverse",
    "Iteration",
    "IterativeSolver",
    "Noise",
    "NotDownloadedError",
    "OutOfMemoryError",
    "ParameterError",
    "PluginError",
    "Pooling",
    "Problem",
    "Query",
    "Recovery",
    "Referee",
    "Report",
    "ReportError",
    "Results",
    "ResultsView",
    "Run",
    "SignalSet",
    "Solver",
    "SpecError",
    "Start",
    "StepSolver",
    "StoreError",
    "SuiteError",
    "SuiteRunRecord",
    "__version__",
    "array_bytes",
    "as_toml",
    "build",
    "cache_folder",
    "cached",
    "check_download",
    "check_range",
    "code_digest",
    "disk_errors",
    "divisors",
    "energies",
    "fitting_scale",
    "from_toml",
    "gaussian_start",
    "has_init",
    "hookimpl",
    "load_results",
    "moved",
    "norms",
    "note",
    "parse_array",
    "parse_json",
    "problem_facts",
    "progress",
    "read_records",
    "relative_error",
    "report",
    "root_mean_squares",
    "run",
    "run_rounds",
    "solve",
    "solver",
    "squared_cosine",
    "start_of",
    "starting_at",
    "suite_problems",
    "system_error",
    "user_path",
    "without_downloads",
    "without_strangers",
    "write_records",
]

_LAZY = {
    "CellRecord": "storage.records",
    "Referee": "checking.referee",
    "Results": "results",
    "SuiteRunRecord": "storage.records",
    "as_toml": "planning.toml",
    "from_toml": "planning.toml",
    "load_results": "results",
    "problem_facts": "planning.cells",
    "read_records": "storage.records",
    "report": "api",
    "run": "api",
    "suite_problems": "api",
    "without_strangers": "discovery.registry",
    "write_records": "storage.records",
}
"""Names whose modules import more than plugins and `benchbase list` need."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'benchbase' has no attribute {name!r}")
    return getattr(importlib.import_module(f"benchbase.{_LAZY[name]}"), name)


def build(kind: str, spec: dict[str, Any]) -> Any:
    """Build a component of the installed plugins from its spec.

    Parameters
    ----------
    kind : {"dataset", "frame", "pooling", "noise", "hint", "solver", "report"}
        What to build.
    spec : dict
        ``{"name": ..., parameter: value, ...}``, as in a suite.

    Returns
    -------
    Component
        A `Dataset`, `FrameDesign`, `Pooling`, `Noise`, `Hint`, `Solver` or `Report`.

    Raises
    ------
    SpecError
        If the name or a parameter is unknown, missing, or of the wrong type or value.
    """
    from benchbase.discovery.registry import registry

    return registry().build(kind, spec)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
