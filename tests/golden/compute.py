"""Computes the golden results, in a process whose arithmetic is pinned.

``python tests/golden/compute.py FOLDER`` writes one file for each solver into a folder. To renew
what a change of a solver's arithmetic has made different, name the solvers too::

    python tests/golden/compute.py tests/golden/arrays altmin

The process starts itself anew with OpenBLAS's kernels of Haswell processors and without NumPy's
AVX-512 loops: other kernels round differently, and iterations that search amplify that.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy._core._multiarray_umath import __cpu_features__  # type: ignore[import-not-found] # no public place

import benchbase
from benchbase import Array

HERE = Path(__file__).parent
ARRAYS = HERE / "arrays"
VERSIONS = HERE / "versions.json"
SUITES = ("gaussian", "digits")
PINNED = {
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "BENCHBASE_JOBS": "0",
}
LIBRARIES = ("cvxpy", "numpy", "scikit-learn", "scipy", "scs")


def versions() -> dict[str, str]:
    """Return what the results hold for: Python and the libraries that compute."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python} | {name: importlib.metadata.version(name) for name in LIBRARIES}


def cannot_compare() -> str | None:
    """Say why this machine cannot give the golden results, or return None if it can."""
    if platform.machine() not in ("x86_64", "AMD64") or not __cpu_features__["AVX2"]:
        return "the golden results are those of x86-64 processors with AVX2"
    wanted, found = json.loads(VERSIONS.read_text()), versions()
    other = [
        f"{name} {found[name]}, not {wanted[name]}"
        for name in wanted
        if found[name] != wanted[name]
    ]
    return f"the golden results are those of other versions: {'; '.join(other)}" if other else None


def compute(folder: Path) -> None:
    """Write the results of all suites into a folder, in a child process that is pinned."""
    line = [sys.executable, __file__, str(folder), "--pinned"]
    # The user's cache may hold frames that another process learned without the pinned arithmetic.
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | PINNED | {"BENCHBASE_CACHE": cache}
        subprocess.run(line, env=environment, check=True, cwd=HERE)


def _compute_here(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as results:
        for suite in SUITES:
            found = benchbase.run(HERE / f"{suite}.toml", results=results, jobs=0, progress=False)
            for solver, arrays in _by_solver(found).items():
                np.savez_compressed(folder / f"{suite}-{solver}.npz", **arrays)  # type: ignore[arg-type] # the names of solvers


def _by_solver(results: benchbase.Results) -> dict[str, dict[str, Array]]:
    """Return the rows of each label, by solver: cells in the suite's order, signals within them."""
    frame = results.rows()
    found: dict[str, dict[str, Array]] = {}
    for (solver, label), rows in frame.groupby(["solver", "label"], sort=False):
        estimates = [results.estimates(cell) for cell in rows["cell"].unique()]
        x = np.concatenate(estimates)
        columns = ("n_iter", "squared_cosine", "residual", "frame_applications")
        table = np.empty(
            len(rows),
            [("status", "S11"), ("x", "<f4", x.shape[1:]), *((name, "<f8") for name in columns)],
        )
        table["status"], table["x"] = rows["status"].to_numpy().astype("S11"), x
        for name in columns:
            table[name] = rows[name].astype("float64")
        found.setdefault(str(solver), {})[str(label)] = table
    return found


def differences(found: Path, wanted: Path = ARRAYS) -> list[str]:
    """Return a sentence for each label whose results are not those wanted, bit for bit."""
    names = sorted({file.name for folder in (found, wanted) for file in folder.glob("*.npz")})
    return [line for name in names for line in _compare(found / name, wanted / name)]


def _compare(found: Path, wanted: Path) -> list[str]:
    for file in (found, wanted):
        if not file.is_file():
            return [f"{file.name} is not among the {'results' if file is found else 'golden ones'}"]
    with np.load(found) as ours, np.load(wanted) as golden:
        if set(ours) != set(golden):
            return [f"{found.name} has {sorted(ours)}, not {sorted(golden)}"]
        return [
            f"{found.stem}, {label}: {told}"
            for label in golden
            if (told := _difference(ours[label], golden[label])) is not None
        ]


def _difference(ours: Array, golden: Array) -> str | None:
    if ours.dtype != golden.dtype or ours.shape != golden.shape:
        return f"{ours.shape} rows of {ours.dtype}, not {golden.shape} of {golden.dtype}"
    changed = {
        name: rows
        for name in golden.dtype.names or ()
        if (rows := _rows_that_differ(ours[name], golden[name])).any()
    }
    if not changed:
        return None
    share = np.logical_or.reduce(list(changed.values()))
    means = " → ".join(f"{np.nanmean(each['squared_cosine']):.4f}" for each in (golden, ours))
    told = f"{share.sum()} of {len(golden)} rows differ in {', '.join(changed)}"
    return f"{told}; mean squared cosine {means}"


def _rows_that_differ(ours: Array, golden: Array) -> Array:
    same = ours == golden
    if golden.dtype.kind == "f":
        same |= np.isnan(ours) & np.isnan(golden)
    differs: Array = ~same.reshape(len(golden), -1).all(axis=1)
    return differs


def _renew(folder: Path, solvers: list[str]) -> None:
    """Replace the golden arrays of some solvers, and say how they differ from the old ones."""
    with tempfile.TemporaryDirectory() as made:
        compute(Path(made))
        print("\n".join(differences(Path(made), folder)) or "nothing differs")  # noqa: T201 # a script
        for file in Path(made).glob("*.npz"):
            if not solvers or file.stem.partition("-")[2] in solvers:
                (folder / file.name).write_bytes(file.read_bytes())
    VERSIONS.write_text(json.dumps(versions(), indent=2) + "\n")


if __name__ == "__main__":
    target, *others = sys.argv[1:]
    _compute_here(Path(target)) if others == ["--pinned"] else _renew(Path(target), others)
