"""What all tests share."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings
from threadpoolctl import threadpool_limits

from benchbase.cli import main
from benchbase.discovery.registry import Registry, registry

# A busy machine is no reason to fail, and what a change is judged by is the same each time.
settings.register_profile("benchbase", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("benchbase")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread, as workers do: matrices are small, and waiting threads spin."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one cache folder for all tests: what it holds is costly and never changes."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_folders(session_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests out of the user's folders."""
    monkeypatch.setenv("BENCHBASE_CACHE", str(session_cache))
    monkeypatch.setenv("BENCHBASE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("BENCHBASE_JOBS", "0")  # tests of worker processes ask for them


@pytest.fixture
def fresh_registry() -> Iterator[Registry]:
    """Give the process a registry of installed plugins only, for tests that load plugin files."""
    registry.cache_clear()
    yield registry()
    registry.cache_clear()


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
    """Run the command line in this process, in the test's own folder; any traceback is raised."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Result:
        result = CliRunner().invoke(main, [str(each) for each in arguments], prog_name="benchbase")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
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
