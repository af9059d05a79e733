"""What a stranger does: installs a package of plugins, or brings a single file."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import benchbase

SOURCE = Path(__file__).parent / "benchbase_stranger"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the stranger's package into a folder, as ``pip install`` does."""
    pytest.importorskip("pip")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("site")
    line = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder), str(SOURCE),
    ]  # fmt: skip # one command
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_stranger_imports_nothing_of_benchbase_but_itself() -> None:
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
                assert not [name for name in names if name.startswith("benchbase.")]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchbase"):
                assert node.module == "benchbase"
                assert {alias.name for alias in node.names} <= set(benchbase.__all__)


def test_an_installed_plugin_is_discovered(cli_process: Command, site: Path) -> None:
    done = cli_process("list", path=site)
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith(" ")]
    supplied = {"waves", "neighbours", "energy", "averaged", "shot_in_the_dark", "summary"}
    assert supplied | {"stranger", "altmin", "quick"} <= set(listed)


def test_its_suite_runs_and_its_report_is_written(
    cli_process: Command, site: Path, tmp_path: Path
) -> None:
    done = cli_process("run", "stranger", "--results", "r", path=site)
    assert (done.returncode, done.stderr) == (0, "")
    assert "8 cells done" in done.stdout
    assert "wrote r/stranger/run-1/summary.txt" in done.stdout
    lines = (tmp_path / "r" / "stranger" / "run-1" / "summary.txt").read_text().splitlines()
    assert [line.rsplit(" ", 1)[0] for line in lines] == ["averaged", "in the dark"]
    assert all(line in done.stdout for line in lines)
    frame = benchbase.load_results(tmp_path / "r").rows()
    assert len(frame) == 2 * 2 * 2 * 5
    assert set(frame["message"]) == {"averaged well", ""}
    assert set(frame["pooling.gain"]) == {1.0, 4.0}
    assert (frame["n_pools"] == frame["n"]).all()  # no field of its frames, but told
    assert set(frame["pool_size"]) == {2}
    averaged = frame[frame["label"] == "averaged"]
    assert set(averaged["solver.init.scale"]) == {0.1}
    assert set(averaged["frame_applications"]) == {3 * 200 - 200 + 1}


def test_its_parts_go_with_the_bundled_ones(
    cli_process: Command, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "mixed.toml").write_text(
        """
        report = []
        points = 2
        dataset = { name = "waves" }
        frame = { name = "gaussian", n_pools = 12 }
        pooling = { name = "lp" }
        [[solver]]
        name = "altmin"
        init = { name = "averaged", n_iter = 3 }
        [[solver]]
        name = "restarts"
        n = 2
        solver = { name = "averaged", init = { name = "knn" } }
        """
    )
    done = cli_process("run", "mixed.toml", "--json", path=site)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["cells"] == {"done": 2}


def test_its_command_is_there(cli_process: Command, site: Path) -> None:
    assert cli_process("stranger", path=site).stdout == "hello from a stranger\n"


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """Write a plugin file of a solver function and class, and a suite elsewhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    file = folder / "mine.py"
    file.write_text(
        """
import sys
from pathlib import Path
import numpy as np
import benchbase

assert str(Path(__file__).parent) not in sys.path
assert __name__ not in ("mine", "__main__")

@benchbase.solver
def one(frame, pooling, b, rng, *, steps: int = 50):
    x = rng.standard_normal(frame.n)
    for _ in range(steps):
        x = frame.least_squares(pooling.rescale(frame.analyse(x), b))
    return x

@benchbase.solver
class All(benchbase.Solver):
    name = "all"
    steps: int = 50

    def prepare(self, problem):
        def inverse(b, run):
            x = run.normal(problem.frame.n)
            for _ in range(self.steps):
                c = problem.pooling.rescale(problem.frame.analyse(x), b)
                x = problem.frame.least_squares(c)
            return benchbase.Recovery(x)
        return inverse
"""
    )
    (tmp_path / "s.toml").write_text(
        """
        report = []
        points = 6
        dataset = { name = "gaussian", n = 5 }
        frame = { name = "gaussian", n_pools = 15 }
        pooling = { name = "lp" }
        [[solver]]
        name = "mean"
        """
    )
    return file


def test_a_bare_file_works_with_plugin(
    cli: Callable[..., Result], plugin: Path, tmp_path: Path
) -> None:
    done = cli("run", "s.toml", "--plugin", "elsewhere/mine.py", "--results", "r")
    assert (done.exit_code, done.stderr) == (0, "")
    frame = benchbase.load_results(tmp_path / "r").rows()
    assert list(dict.fromkeys(frame["label"])) == ["mean", "one", "all"]
    assert set(frame["status"]) <= {"done", "unsupported"}
    # One signal at a time or all at once, from the same streams: the same.
    one, together = (
        frame.loc[frame["label"] == label, "squared_cosine"].to_numpy() for label in ("one", "all")
    )
    assert len(one) == 6
    assert one == pytest.approx(together, abs=1e-6)


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.parametrize("what", ["function", "class", "object", "spec"])
def test_a_notebook_may_add_what_it_defines(tmp_path: Path, plugin: Path, what: str) -> None:
    @benchbase.solver
    class Halves(benchbase.Solver):
        name = "halves"
        part: float = 0.5

        def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
            return lambda b, run: benchbase.Recovery(self.part * run.normal(problem.frame.n))

    @benchbase.solver
    def guess(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as in a notebook
        return rng.standard_normal(frame.n)

    extra = {
        "function": guess, "class": Halves, "object": Halves(part=0.1),
        "spec": {"name": "altmin", "label": "mine"},
    }[what]  # fmt: skip # two to a line
    results = benchbase.run(tmp_path / "s.toml", results=tmp_path / "r", extra=[extra])
    label = {"function": "guess", "spec": "mine"}.get(what, "halves")
    assert set(results.rows()["label"]) == {"mean", label}
    assert "mean squared cosine" in results._repr_html_()
