"""A script: what a run costs in benchopt and in benchbase, measured in turn on the same work.

    python tests/performance/benchopt_side_by_side.py [ROUNDS]

Needs benchopt beside this Python, else it says so and exits with 2. The work is that of
``trivial.toml``: two signals in 8 dimensions, 10 pools of 2, a solver that gives ones, its squared
cosines; every run is a data set of its own. Both store what they find, neither draws plots, BLAS
has one thread. Costs are processor seconds, user and system, of whole commands and the processes
that they have waited for. A run's is the difference between many and few runs over that of their
numbers; what it leaves of few runs is the start-up. Medians over rounds, 3 if not given.

benchopt runs solvers in its own process, as ``benchbase run --jobs 0`` does; ``--jobs 1``, a
worker process, is what benchbase does by default.
"""

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
FEW, MANY = 20, 220  # runs
ROUNDS = 3
FILES = {
    "objective.py": """
import numpy as np
from benchopt import BaseObjective

class Objective(BaseObjective):
    name = "squared cosine"
    sampling_strategy = "run_once"

    def set_data(self, truth, vectors):
        self.truth, self.vectors = truth, vectors

    def get_objective(self):
        coefficients = np.einsum("kln,sn->skl", self.vectors, self.truth)
        return {"b": np.linalg.norm(coefficients, axis=-1), "n": self.truth.shape[1]}

    def get_one_result(self):
        return {"x": np.ones_like(self.truth)}

    def evaluate_result(self, x):
        norms = np.linalg.norm(x, axis=1) * np.linalg.norm(self.truth, axis=1)
        return {"value": float(np.mean((np.sum(x * self.truth, axis=1) / norms) ** 2))}
""",
    "datasets/gaussian.py": """
import numpy as np
from benchopt import BaseDataset

class Dataset(BaseDataset):
    name = "gaussian"
    parameters = {"trial": list(range(RUNS))}

    def get_data(self):
        rng = np.random.default_rng(self.trial)
        return {
            "truth": rng.standard_normal((2, 8)),
            "vectors": rng.standard_normal((10, 2, 8)),
        }
""",
    "solvers/trivial.py": """
import numpy as np
from benchopt import BaseSolver

class Solver(BaseSolver):
    name = "trivial"
    sampling_strategy = "run_once"

    def set_objective(self, b, n):
        self.shape = len(b), n

    def run(self, _):
        self.x = np.ones(self.shape)

    def get_result(self):
        return {"x": self.x}
""",
}


def cpu_seconds(line: list[str], folder: Path) -> tuple[float, str]:
    """Run a command in a folder and return the processor seconds that it took, and its output."""
    own = {"BENCHBASE_CACHE": str(folder / "cache"), "BENCHOPT_CACHE": str(folder / "cache")}
    output = folder / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=file,
            cwd=folder,
            env=os.environ | own | {"OPENBLAS_NUM_THREADS": "1"},
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(line)}: exit code {process.returncode}\n{output.read_text()}")
    return usage.ru_utime + usage.ru_stime, output.read_text()


def benchopt(runs: int, folder: Path) -> float:
    """Let benchopt run in a folder, from its cache what it has done before."""
    import pandas as pd

    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("RUNS", str(runs)))
    results = folder / "outputs" / "results.parquet"
    results.unlink(missing_ok=True)
    line = [sys.executable, "-m", "benchopt", "run", ".", "--no-plot", "--no-display"]
    spent, _ = cpu_seconds([*line, "--output", str(results)], folder)
    found = pd.read_parquet(results)["objective_value"]
    if found.nunique() != runs:
        sys.exit(f"benchopt has {found.nunique()} values of {runs} runs")
    return spent


def benchbase(jobs: int) -> Callable[[int, Path], float]:
    """Let benchbase run in a folder, with so many workers."""

    def run(runs: int, folder: Path) -> float:
        command = Path(sys.executable).with_name("benchbase")
        line = [str(command), "run", str(HERE / "trivial.toml"), "--results", "r", "--json"]
        line += ["--plugin", str(HERE / "trivial_solver.py")]
        spent, told = cpu_seconds([*line, "--trials", str(runs), "--jobs", str(jobs)], folder)
        cells = json.loads(told)["cells"]
        if cells != {"done": runs}:
            sys.exit(f"benchbase has {cells} of {runs} runs")
        return spent

    return run


def costs(run: Callable[[int, Path], float]) -> dict[str, float]:
    """Return the costs of one round."""
    spent = {}
    for runs in (FEW, MANY):
        with tempfile.TemporaryDirectory() as folder:
            spent[runs] = [run(runs, Path(folder)) for _ in ("new", "done")]
    new, done = ((m - f) / (MANY - FEW) for f, m in zip(spent[FEW], spent[MANY], strict=True))
    return {
        "a run, ms": new * 1000,
        "a run that is done, ms": done * 1000,
        "start-up, s": spent[FEW][0] - FEW * new,
    }


def main(rounds: int) -> None:
    """Measure in turn, and show the medians, and in brackets benchopt's over ours."""
    programs = {
        "benchopt": benchopt,
        "benchbase --jobs 0": benchbase(0),
        "benchbase --jobs 1": benchbase(1),
    }
    found: defaultdict[str, dict[str, list[float]]] = defaultdict(dict)
    for _ in range(rounds):
        for program, run in programs.items():
            for what, cost in costs(run).items():
                found[what].setdefault(program, []).append(cost)
    names = ("benchopt", "benchbase-recovery")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
    lines = [
        f"{', '.join(versions)}, Python {platform.python_version()}",
        f"processor time; medians of {rounds} rounds of {FEW} and {MANY} runs; (benchopt over it)",
        "".join(f"{head:>22}" for head in ("", *programs)),
    ]
    for what, by_program in found.items():
        medians = [statistics.median(by_program[program]) for program in programs]
        shown = [f"{medians[0]:.3g}", *(f"{m:.3g} ({medians[0] / m:.1f})" for m in medians[1:])]
        lines.append("".join(f"{each:>22}" for each in (what, *shown)))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    try:
        importlib.metadata.version("benchopt")
    except importlib.metadata.PackageNotFoundError:
        sys.stderr.write("benchopt is not installed beside this Python: pip install benchopt\n")
        sys.exit(2)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
