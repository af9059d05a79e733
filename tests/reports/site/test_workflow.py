"""The workflow that the documentation shows: it parses, and what it runs is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from benchbase.cli import main
from benchbase_reports.site.folder import Receipt
from benchbase_reports.site.schema import (
    Cell,
    Citation,
    Entry,
    Experiment,
    Manifest,
    Problem,
    Provenance,
    SuiteFacts,
)

yaml = pytest.importorskip("yaml")  # comes with Dask, of the extra "test"

DOCS = Path(__file__).parents[3] / "docs" / "submissions.rst"
if not DOCS.is_file():
    pytest.skip("these tests are about the repository", allow_module_level=True)
TEXT = DOCS.read_text(encoding="utf-8")


def block(language: str) -> list[str]:
    found = re.findall(rf"\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", TEXT)
    return [textwrap.dedent(each) for each in found]


def workflow() -> Any:
    (text,) = block("yaml")
    return yaml.safe_load(text)


def scripts() -> list[str]:
    jobs = workflow()["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def commands() -> Iterator[list[str]]:
    """Yield each call of benchbase in the page, as words."""
    for text in [*scripts(), *block("console")]:
        for call in re.findall(r"(?:^|[;{ ])benchbase ([a-z]+ .*?)(?: \|\||$)", text, re.MULTILINE):
            yield shlex.split(call)


def test_what_may_write_runs_on_main_only() -> None:
    jobs = workflow()["jobs"]
    assert workflow()["permissions"] == {"contents": "read"}
    assert "permissions" not in jobs["check"]
    assert jobs["accept"]["if"] == "github.event_name == 'push'"
    assert "pull_request_target" not in TEXT
    assert not [text for text in scripts() if "--rerun" in text or "--plugin" in text]
    assert not [text for text in scripts() if "${{" in text]  # nobody's text becomes a command


def test_its_commands_exist_and_parse() -> None:
    called = list(commands())
    assert {name for name, *_ in called} == {"run", "publish", "submit", "accept"}
    for name, *arguments in called:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        for option in [each for each in arguments if each.startswith("-")]:
            assert option in {o for p in command.params for o in p.opts}, option
        if name != "submit":  # opens the file of --bibtex
            command.make_context(name, [*arguments])


@pytest.mark.parametrize("script", scripts())
def test_its_scripts_parse(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_script_accepts_what_is_new(published: Path, honest: Path, tmp_path: Path) -> None:
    (script,) = [text for text in scripts() if "sha256sum" in text]
    shutil.copytree(published, tmp_path / "site")
    (tmp_path / "submissions").mkdir()
    shutil.copy(honest, tmp_path / "submissions" / "a b.zip")
    (tmp_path / "submissions" / "bad.zip").write_text("x")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=tmp_path, env=os.environ | {"PATH": path},
            text=True, capture_output=True, check=True,
        )  # fmt: skip # one command
        outputs.append(done.stdout)
    assert "./submissions/a b.zip: accepted into site" in outputs[0]
    assert "::warning::submissions/bad.zip was refused" in outputs[0]
    assert outputs[1] == "::warning::submissions/bad.zip was refused\n"


def test_every_field_of_a_manifest_is_described() -> None:
    told = set(re.findall(r"``(\w+)``", TEXT))
    for model in (Manifest, SuiteFacts, Experiment, Problem, Entry, Cell, Provenance, Citation):
        assert set(model.model_fields) <= told, model
    assert set(Receipt.model_fields) <= told
