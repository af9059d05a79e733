"""What the framework itself costs, in processor seconds: a trivial solver, results stored.

A cell here is a problem of its own with two test signals in 8 dimensions and 10 pools. The cost of
a cell is the difference between a run of many cells and one of few, by the difference in their
numbers, so that no start-up is in it. Commands to be compared run in turn in one process, warmed by
a run before.
"""

import importlib.metadata
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import benchbase

HERE = Path(__file__).parent
FEW, MANY = 2, 202  # cells; two are a problem each for two workers
ROUNDS = 3

Costs = Callable[[Sequence["Run"]], list[float]]


class Run:
    """A `benchbase run`: how many cells, in how many workers, into which folder."""

    def __init__(self, cells: int, jobs: int, folder: str, *, done: bool = False) -> None:
        self.cells = cells
        self.computed = 0 if done else cells
        self.arguments = [
            *("run", str(HERE / "trivial.toml"), "--plugin", str(HERE / "trivial_solver.py")),
            *("--trials", str(cells), "--jobs", str(jobs), "--results", folder, "--json"),
        ]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def costs(benchmark: BenchmarkFixture, tmp_path: Path) -> Costs:
    """Measure runs in turn, check what they tell, and return the processor seconds of each."""

    def measure(runs: Sequence[Run]) -> list[float]:
        def in_turn() -> str:
            return subprocess.run(
                [sys.executable, HERE / "commands_in_turn.py"],
                input=json.dumps([run.arguments for run in [Run(FEW, 0, "warm"), *runs]]),
                stdout=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
                check=True,
            ).stdout

        said = benchmark.pedantic(in_turn)  # type: ignore[no-untyped-call] # it has no types
        _, *summaries, seconds = map(json.loads, said.splitlines())
        for run, summary in zip(runs, summaries, strict=True):
            assert summary["cells"] == {"done": run.cells}
            assert summary["chunks_computed"] == run.computed
        return [float(each) for each in seconds[1:]]

    return measure


def report(benchmark: BenchmarkFixture, name: str, values: Sequence[float]) -> None:
    """Report the median, and the values it is of."""
    assert statistics.median(values) > 0
    benchmark.extra_info[name] = round(statistics.median(values), 3)
    benchmark.extra_info[f"{name}_by_round"] = [round(value, 3) for value in values]


def ms_a_cell(few: Sequence[float], many: Sequence[float]) -> list[float]:
    """Return the cost of a cell by round, from the seconds of few and of many cells."""
    return [(m - f) / (MANY - FEW) * 1000 for f, m in zip(few, many, strict=True)]


def test_a_cell_in_process(benchmark: BenchmarkFixture, costs: Costs, tmp_path: Path) -> None:
    """Report the cost of a cell without workers, in ms; the aim is 1.5."""
    runs = [Run(cells, 0, f"r{i}-{cells}") for i in range(ROUNDS) for cells in (FEW, MANY)]
    seconds = costs(runs)
    report(benchmark, "cpu_ms_a_cell_in_process", ms_a_cell(seconds[::2], seconds[1::2]))
    frame = benchbase.load_results(tmp_path / f"r0-{MANY}").rows()
    assert len(frame) == MANY * 2
    assert frame["squared_cosine"].between(0, 1).all()
    assert frame["squared_cosine"].nunique() == len(frame)  # each cell has a problem of its own


def test_a_cell_that_is_done(benchmark: BenchmarkFixture, costs: Costs) -> None:
    """Report the cost of a cell that has an outcome already, in ms; the aim is .5."""
    first = [Run(cells, 0, f"r{cells}") for cells in (FEW, MANY)]
    again = [Run(cells, 0, f"r{cells}", done=True) for cells in (FEW, MANY)] * ROUNDS
    seconds = costs([*first, *again])[2:]
    report(benchmark, "cpu_ms_a_cell_done", ms_a_cell(seconds[::2], seconds[1::2]))


def test_workers(benchmark: BenchmarkFixture, costs: Costs) -> None:
    """Report what isolation costs, the workers' part included.

    A cell with one worker, in ms; the aim is 5. What two workers for two problems cost more than
    one, in s; the aim is .3.
    """
    sizes = [(FEW, 1), (MANY, 1), (FEW, 2)]
    runs = [
        Run(cells, jobs, f"r{i}-{cells}-{jobs}") for i in range(ROUNDS) for cells, jobs in sizes
    ]
    seconds = costs(runs)
    few, many, two = seconds[::3], seconds[1::3], seconds[2::3]
    report(benchmark, "cpu_ms_a_cell_isolated", ms_a_cell(few, many))
    more = [both - alone for both, alone in zip(two, few, strict=True)]
    report(benchmark, "cpu_s_a_second_worker", more)


@pytest.mark.parametrize("jobs", [0, 1])
def test_from_the_start_to_the_first_cell(
    benchmark: BenchmarkFixture,
    cli_process: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    jobs: int,
) -> None:
    """Report the cost of `benchbase run` until a solver first has its turn, in s; the aim is .5.

    It is what the process has used since it began, Python's own start included, when `prepare` is
    first called. With a worker, it is the worker's and the command's at that moment together.
    """
    if jobs and sys.platform != "linux":
        pytest.skip("a process can read what its parent has used on Linux only")
    spent: list[float] = []

    def start() -> None:
        file = tmp_path / f"spent-{len(spent)}"
        monkeypatch.setenv("TRIVIAL_REPORT", str(file))
        ran = cli_process(*Run(1, jobs, file.name.replace("spent", "r")).arguments)
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout)["cells"] == {"done": 1}
        told = json.loads(file.read_text())
        spent.append(told["own"] + (told["parent"] if jobs else 0))

    benchmark.pedantic(start, rounds=ROUNDS)  # type: ignore[no-untyped-call] # it has no types
    place = "in_a_worker" if jobs else "in_process"
    report(benchmark, f"cpu_s_to_the_first_cell_{place}", spent)


def test_without_benchopt_the_comparison_says_so() -> None:
    try:
        importlib.metadata.version("benchopt")
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        pytest.skip("benchopt is installed beside this Python")
    script = HERE / "benchopt_side_by_side.py"
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == "benchopt is not installed beside this Python: pip install benchopt\n"
