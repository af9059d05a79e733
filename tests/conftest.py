"""What all tests share."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import settings
from threadpoolctl import threadpool_limits

import benchbase
from benchbase.cli import main
from benchbase.discovery.registry import Registry, registry
from benchbase.results import COLUMNS
from benchbase.system import loading

if TYPE_CHECKING:
    import pandas as pd

# A busy machine is no reason to fail, and what a change is judged by is the same each time.
settings.register_profile("benchbase", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("benchbase")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run single files in this process: workers take longer to start than most files to run."""
    files = [argument for argument in config.args if Path(argument.split("::")[0]).is_file()]
    return 0 if len(files) == len(config.args) <= 4 else None


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread, as workers do: matrices are small, and waiting threads spin."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests out of the user's cache. All share one: what it holds never changes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # what the workers share
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHBASE_CACHE", str(folder / "cache"))
        patch.setenv("BENCHBASE_JOBS", "0")  # tests of worker processes ask for them
        yield


@pytest.fixture(autouse=True)
def own_results(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests out of the user's results, each in its own folder if it has one."""
    nowhere = Path(os.devnull)  # making a folder for each of thousands of tests takes seconds
    own = "tmp_path" in request.fixturenames
    folder = request.getfixturevalue("tmp_path") if own else nowhere
    monkeypatch.setenv("BENCHBASE_RESULTS", str(folder / "results"))


Fresh = Callable[[], contextlib.AbstractContextManager[Registry]]


@contextlib.contextmanager
def as_installed() -> Iterator[Registry]:
    """Give the process a registry of installed plugins, and take back what is added to it.

    Installed plugins are not loaded anew.
    """
    known = registry()
    with pytest.MonkeyPatch.context() as patch:
        for part in ("classes", "suites", "providers", "warnings", "plugin_files", "_loaded"):
            patch.setattr(known, part, deepcopy(getattr(known, part)))
        yield known


@pytest.fixture
def fresh_registry() -> Iterator[Registry]:
    """Give the process a registry of installed plugins only, for tests that load plugin files."""
    with as_installed() as known:
        yield known


@pytest.fixture(scope="session", name="as_installed")
def as_installed_fixture() -> Fresh:
    """Return the same for fixtures that many tests share: `with as_installed(): ...`."""
    return as_installed


@pytest.fixture(scope="session")
def parts() -> Registry:
    """Return a registry of nothing but the small components of `parts/tiny.py`."""
    known = Registry()
    known.load_file(Path(__file__).parent / "parts" / "tiny.py")
    return known


@pytest.fixture
def cli(
    fresh_registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run the command line in this process, in the test's own folder; no error is internal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHBASE_DEBUG", "1")  # shows the traceback of what is

    def run(*arguments: str | Path) -> Result:
        result = CliRunner().invoke(main, [str(each) for each in arguments], prog_name="benchbase")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code != 70, result.output
        return result

    return run


@pytest.fixture
def cli_process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the installed command in a process of its own, in the test's own folder."""
    command = Path(sys.executable).with_name("benchbase")
    if not command.is_file():
        pytest.skip("the command `benchbase` is not installed beside this Python")

    def run(
        *arguments: str | Path, path: Path | None = None, cwd: Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        folders = [str(path or ""), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}
        line = [str(command), *(str(each) for each in arguments)]
        return subprocess.run(
            line, capture_output=True, text=True, cwd=cwd, env=environment, timeout=60, check=False
        )

    return run


@pytest.fixture
def write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Mapping[str, str | None]], Path]]:
    """Return what writes files, by their names, into a folder on the path, and returns the folder.

    None removes a file. Modules that were loaded from there are forgotten in the end.
    """
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def run(files: Mapping[str, str | None]) -> Path:
        for name, text in files.items():
            file = folder / name
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        importlib.invalidate_caches()
        return folder

    yield run
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
            loading._seen.discard(name)  # another test may have one of that name elsewhere


WHOLE = ("run", "n", "n_pools", "pool_size", "seed", "trial", "points", "signal")


TRUTHS = ("rectified", "isolated", "sealed")


@dataclass(frozen=True)
class Known:
    """Results whose rows are given."""

    table: pd.DataFrame
    title: str = "A suite"

    def rows(self) -> pd.DataFrame:
        return self.table.copy()

    @property
    def suites(self) -> list[dict[str, Any]]:
        return [{"id": 1, "suite": "a_suite", "title": self.title}]


def cell(
    scores: Sequence[float] | np.ndarray[Any, Any],
    label: str = "altmin",
    k: int = 10,
    **others: Any,
) -> pd.DataFrame:
    """Return the rows of a cell with the given squared cosines; `__` in a name stands for a dot."""
    rows = {
        "run": 1,
        "suite": "a_suite",
        "experiment": "",
        "cell": "key",
        "dataset": "digits",
        "n": 64,
        "frame": "gaussian",
        "n_pools": k,
        "pool_size": 2,
        "condition": 3.0,
        "pooling": "lp",
        "p": 2.0,
        "rectified": False,
        "noise": "",
        "hint": "",
        "solver": "altmin",
        "label": label,
        "seed": 0,
        "trial": 0,
        "points": len(scores),
        "signal": np.arange(len(scores)),
        "status": "done",
        "message": "",
        "squared_cosine": np.asarray(scores, dtype=float),
        "relative_error": 0.0,
        "residual": 0.0,
        "n_iter": 1,
        "converged": True,
        "prepare_seconds": 5.0,
        "init_seconds": 0.25,
        "solve_seconds": 0.5,
        "frame_applications": 2.0,
        "isolated": True,
        "sealed": False,
        "pooling.threshold": 0.0,
    }
    import pandas as pd

    assert [*COLUMNS] == [*rows][: len(COLUMNS)]
    changes = {name.replace("__", "."): value for name, value in others.items()}
    return pd.DataFrame(rows | {"frame.n_pools": k} | changes)


def join(*cells: pd.DataFrame) -> pd.DataFrame:
    """Return one frame of cells, with the types that `Results.rows` has."""
    import pandas as pd

    frame = pd.concat(cells, ignore_index=True)
    kinds = dict.fromkeys(WHOLE, "Int64") | dict.fromkeys(TRUTHS, "boolean")
    return frame.astype(kinds).astype({"squared_cosine": "float64", "p": "float64"})


@pytest.fixture(scope="session", name="cell")
def cell_fixture() -> Callable[..., pd.DataFrame]:
    return cell


@pytest.fixture(scope="session", name="join")
def join_fixture() -> Callable[..., pd.DataFrame]:
    return join


@pytest.fixture(scope="session")
def known() -> Callable[..., benchbase.Results]:
    def make(*cells: pd.DataFrame, title: str = "A suite") -> Any:
        return Known(join(*cells), title)

    return make


@pytest.fixture(scope="session")
def unsupported() -> Callable[..., pd.DataFrame]:
    def make(label: str, k: int = 10, reason: str = "needs p = 2", **others: Any) -> pd.DataFrame:
        told = {"status": "unsupported", "message": reason, "init_seconds": np.nan}
        return cell([np.nan] * 3, label, k, **told, solve_seconds=np.nan, **others)

    return make
