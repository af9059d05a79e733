"""The wheel: what is in it, and under which names."""

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import benchbase

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel of the repository."""
    pytest.importorskip("hatchling")
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("there is no repository to build from")
    folder = tmp_path_factory.mktemp("wheel")
    line = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_every_top_level_name_starts_with_benchbase(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {"benchbase", "benchbase_altmin", "benchbase_suites", "benchbase_reports"} <= tops
    assert [top for top in tops if not top.startswith("benchbase")] == []


def test_every_source_file_is_in_the_wheel_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    packages = [ROOT / "benchbase"]
    for house in ("plugins", "suites", "reports"):
        packages += [init.parent for init in (ROOT / house).glob("*/__init__.py")]
    expected = {
        file.relative_to(package.parent).as_posix()
        for package in packages
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == expected | {"benchbase_command.py"}
    assert {f"benchbase_suites/{name}.toml" for name in ("quick", "figure1a", "figure1b")} <= found


def test_the_wheel_has_a_name_of_its_own(wheel: zipfile.ZipFile) -> None:
    """On the package index, "benchbase" is another program."""
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    lines = wheel.read(metadata).decode().splitlines()
    assert "Name: benchbase-recovery" in lines
    assert f"Version: {benchbase.__version__}" in lines


def test_the_wheel_has_the_command_the_plugins_and_the_licence(wheel: zipfile.ZipFile) -> None:
    (points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(points).decode())
    assert dict(parser["console_scripts"]) == {"benchbase": "benchbase_command:main"}
    for module in parser["benchbase"].values():
        assert f"{module}/__init__.py" in wheel.namelist()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
