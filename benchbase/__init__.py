"""A plugin-based benchmarking framework for signal recovery from pooling representations.

All that a plugin needs is here; see `benchbase.interfaces` for what to implement and
`benchbase.hookspecs` for how to be found. Each name is imported when it is first used, so that
commands that compute nothing start without NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchbase.system.loading import VERSION

if TYPE_CHECKING:
    from benchbase.api import report, run, suite_problems
    from benchbase.checking.referee import Referee
    from benchbase.component import Array, Component
    from benchbase.discovery.code import code_digest
    from benchbase.discovery.registry import without_strangers
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
    from benchbase.planning.cells import problem_facts
    from benchbase.planning.toml import as_toml, from_toml
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
    from benchbase.results import Results, load_results
    from benchbase.showing.display import progress
    from benchbase.storage.cache import cached
    from benchbase.storage.plain import array_bytes, parse_array, parse_json
    from benchbase.storage.records import CellRecord, SuiteRunRecord, read_records, write_records
    from benchbase.system.channel import note
    from benchbase.system.downloads import check_download, without_downloads
    from benchbase.system.paths import cache_folder, user_path

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

_NAMES = {
    "api": "report run suite_problems",
    "checking.referee": "Referee",
    "component": "Array Component",
    "discovery.code": "code_digest",
    "discovery.registry": "without_strangers",
    "errors": (
        "BenchbaseError DataError DiskError FormatError NotDownloadedError OutOfMemoryError "
        "ParameterError PluginError ReportError SpecError StoreError "
        "SuiteError check_range disk_errors system_error"
    ),
    "hookspecs": "hookimpl",
    "interfaces": "Dataset Hint Inverse Noise Report ResultsView Solver",
    "numerics.compose": "has_init starting_at",
    "numerics.dense": "DenseFrame",
    "numerics.functions": "solver",
    "numerics.iteration": "Begin Blocks Iteration IterativeSolver StepSolver",
    "numerics.recovery": "solve",
    "numerics.rounds": "BestSoFar run_rounds",
    "numerics.rows": "divisors energies moved norms root_mean_squares",
    "numerics.starts": "Start fitting_scale gaussian_start start_of",
    "planning.cells": "problem_facts",
    "planning.toml": "as_toml from_toml",
    "problem": "Finding Problem Query Recovery Run SignalSet relative_error squared_cosine",
    "representation": "Frame FrameDesign Pooling",
    "results": "Results load_results",
    "showing.display": "progress",
    "storage.cache": "cached",
    "storage.plain": "array_bytes parse_array parse_json",
    "storage.records": "CellRecord SuiteRunRecord read_records write_records",
    "system.channel": "note",
    "system.downloads": "check_download without_downloads",
    "system.paths": "cache_folder user_path",
}
"""The names by the modules that define them, as they are imported for type checkers above."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'benchbase' has no attribute {name!r}")
    value = getattr(import_module(f"benchbase.{_MODULES[name]}"), name)
    return globals().setdefault(name, value)  # which is found at once from now on


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
