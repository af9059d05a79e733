import re
import tomllib
from pathlib import Path
from textwrap import dedent

import click
import numpy as np
import pytest

import benchbase
from benchbase import hookspecs, showing
from benchbase.cli import main
from benchbase.conformance import check_solver
from benchbase.discovery.registry import KINDS, Registry, registry
from benchbase.numerics.streams import Snapshot
from benchbase.planning.suite import load_suite
from benchbase.results import COLUMNS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WHEEL = f"benchbase_recovery-{benchbase.__version__}-py3-none-any.whl"
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "benchbase_spec")]


def test_every_hook_is_documented() -> None:
    written = re.findall(r"autofunction:: benchbase\.hookspecs\.(\w+)", read("plugins.rst"))
    assert written == HOOKS
    assert len(HOOKS) == len(KINDS) + 2


def test_every_column_is_documented() -> None:
    rows = re.findall(r"^``(\w+)``\s+(.+)$", read("columns.rst"), re.MULTILINE)
    assert dict(rows) == COLUMNS


def test_every_public_name_is_in_the_reference() -> None:
    text = read("api.rst") + read("plugins.rst")
    errors = {name for name in benchbase.__all__ if name.endswith("Error")}
    others = set(benchbase.__all__) - errors - {"Array", "Inverse", "hookimpl"}
    assert {name for name in others if f":: benchbase.{name}\n" not in text} == set()
    assert "automodule:: benchbase.errors" in text


def test_every_name_for_reports_is_in_the_reference() -> None:
    names = re.findall(r":: benchbase\.showing\.(\w+)\n", read("api.rst"))
    assert sorted(names) == sorted(showing.__all__)


@pytest.mark.parametrize("kind", KINDS)
def test_every_bundled_component_is_documented(kind: str) -> None:
    known = registry()
    bundled = [
        cls
        for name, cls in known.classes[kind].items()
        if known.providers[kind, name].owner == "the distribution benchbase-recovery"
    ]
    assert bundled
    for cls in bundled:
        package = cls.__module__.partition(".")[0]
        assert f"autoclass:: {package}.{cls.__name__}\n" in read("components.rst")


def test_every_option_of_run_is_in_its_table() -> None:
    from benchbase.cli.run import run_command

    text, _, _ = read("running.rst").partition("Reports are written into")
    written = set(re.findall(r"^``(--[a-z-]+)", text, re.MULTILINE))
    options = {name for each in run_command.params for name in each.opts if name[:2] == "--"}
    assert written == options


def test_every_variable_is_documented_and_read() -> None:
    read_by_code = {"NO_COLOR"}  # by the libraries for terminals
    for house in ("benchbase", "plugins", "reports"):
        for file in (ROOT / house).rglob("*.py"):
            found = re.findall(r"""environ[^\n]*["'](BENCHBASE_[A-Z]+)""", file.read_text("utf-8"))
            read_by_code |= {*found}
    written = re.findall(r"^``([A-Z_]+)``", read("running.rst"), re.MULTILINE)
    assert set(written) == read_by_code


def test_every_suite_and_report_is_documented() -> None:
    known, text = registry(), read("suites.rst")
    named = set(re.findall(r"``([a-z0-9-]+)``", text)) | {f"figure1{row}" for row in "abcde"}
    paper = {name for name in named if re.match("figure1|supplement|paper|threshold", name)}
    assert {f"{name.removesuffix('-small')}-small" for name in paper} <= known.suites.keys()
    assert known.suites.keys() <= named | {f"{name}-small" for name in paper}
    _, _, reports = read("running.rst").partition("\nReports\n----")
    written = set(re.findall(r"^``([a-z0-9]+)``", reports, re.MULTILINE))
    assert written == known.classes["report"].keys()


def test_the_quick_suite_has_seven_solvers() -> None:
    """In about a minute: 54 s of one processor, which no test can hold a machine to."""
    suite = load_suite("quick", registry())
    assert "seven solvers" in suite.title
    assert {len(experiment.entries) for experiment in suite.experiments} == {7}


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in DOCS.glob("*.rst"))])
def test_every_command_on_a_page_is_there_with_its_options(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    fenced = "\n".join(re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    blocks = re.findall(r"^ {3,}(?:\$ )?(benchbase .*)", text, re.MULTILINE)
    inline = re.findall(r"`(benchbase [a-z][^`]*)`", text)
    for call in (*blocks, *inline, *re.split(r"\n|&& ", fenced)):
        for name, rest in re.findall(r"^benchbase ([a-z]+)([^|;&]*)", call):
            command = main.get_command(click.Context(main), name)
            assert command is not None, call
            known = {option for each in command.params for option in each.opts}
            assert {*re.findall(r"(?<!\S)(--[a-z][a-z-]+)", rest)} <= known, call


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == benchbase.__version__
    assert f"version: {benchbase.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_solver_of_the_readme_runs(tmp_path: Path, fresh_registry: Registry) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# my_solver\.py\n.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) <= 20
    (tmp_path / "my_solver.py").write_text(code)
    results = benchbase.run(
        "quick",
        results=tmp_path / "results",
        points=3,
        trials=1,
        plugins=tmp_path / "my_solver.py",
        solvers="my_solver",
        changes={"grid.frame.n_pools": [72]},
    )
    frame = results.rows()
    assert set(frame["label"]) == {"my_solver"}
    assert set(frame["status"]) == {"done"}


@pytest.mark.usefixtures("fresh_registry")
def test_the_report_of_the_page_on_plugins_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"(?m)^   # my_report\.py\n(?:   .*\n|\n)+", read("plugins.rst"))
    (tmp_path / "my_report.py").write_text(dedent(code))
    results = benchbase.run(
        "quick",
        results=tmp_path,
        points=2,
        trials=1,
        plugins=tmp_path / "my_report.py",
        solvers="mean",
        changes={"grid.frame.n_pools": [72]},
    )
    (file,) = benchbase.report(results, tmp_path, [benchbase.build("report", {"name": "exact"})])
    text = file.read_text(encoding="utf-8")
    assert re.search(r"\| rectified ℓ2 \| +mean \|", text)


@pytest.fixture
def averaged(tmp_path: Path) -> Path:
    """Write the iterative solver of the documentation into a file."""
    (block,) = re.findall(
        r"code-block:: python\n\n((?:   # averaged\.py\n)(?:(?:   .*)?\n)+)", read("plugins.rst")
    )
    path = tmp_path / "averaged.py"
    path.write_text(dedent(block).strip() + "\n")
    return path


def test_the_iterative_solver_of_the_docs_is_short_and_runs(
    averaged: Path, tmp_path: Path, fresh_registry: Registry
) -> None:
    assert len(averaged.read_text().splitlines()) <= 15
    inner = {"name": "averaged_projections"}
    restarts = {"name": "restarts", "label": "restarts", "n": 3, "solver": inner}
    results = benchbase.run(
        "quick",
        results=tmp_path / "results",
        points=5,
        trials=1,
        plugins=averaged,
        extra=[restarts],
        solvers=["averaged_projections", "restarts"],
        changes={"grid.frame.n_pools": [72]},
    )
    frame = results.rows()
    assert set(frame["status"]) == {"done"}
    solved = frame.groupby("label")["converged"].sum()
    assert 0 < solved["averaged_projections"] <= solved["restarts"]


def test_the_iterative_solver_of_the_docs_has_batches_traces_and_early_leaving(
    averaged: Path, fresh_registry: Registry
) -> None:
    (cls,) = fresh_registry.load_file(averaged)
    solver = cls()
    frame = benchbase.DenseFrame(np.random.default_rng(0).standard_normal((40, 2, 8)))
    problem = benchbase.Problem(frame, benchbase.build("pooling", {"name": "lp"}))
    b = problem.measure(np.random.default_rng(1).standard_normal((12, 8)))
    trace: list[Snapshot] = []
    found = benchbase.solve(solver, problem, b, trace=trace)
    assert found.n_iter is not None
    assert found.converged is not None
    assert found.converged.mean() > 0.5
    assert len(set(found.n_iter)) > 3
    looks = [snapshot.n_iter for snapshot in trace]
    assert looks == [*range(0, looks[-1] + 1, 10)]
    residuals = np.array([problem.residual(snapshot.x, b) for snapshot in trace])
    assert (np.diff(residuals, axis=0) <= 0).all()
    check_solver(solver)


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_what_pip_is_told_to_install() -> None:
    """Benchbase only from a path or a URL: on the package index, its name is another program's."""
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.rst")]
    for house in ("benchbase", "plugins", "reports", "suites"):
        files += (ROOT / house).rglob("*.py")
    text = "\n".join(file.read_text("utf-8") for file in files)
    found = {each.strip() for each in re.findall(r"pip install ([^\n`&)#]*)", text)}
    benchbase_itself = {".", "-e .", "-e '.[test]'", "-c .ci/constraints.txt -e '.[test]'"}
    others = {"pre-commit", "distributed", '"$BENCHBASE"'}
    assert found == benchbase_itself | others
    assert re.findall("BENCHBASE: (.*)", text) == [f"https://example.org/{WHEEL}"]
    assert re.findall(r"\bbenchbase(?:\[|==|>=).*", text) == []
