"""The workflow that the documentation shows: it parses, and what it runs is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from benchbase.cli import main
from benchbase_publish.schema import (
    Cell,
    Citation,
    Entry,
    Experiment,
    Manifest,
    ProblemFacts,
    Provenance,
    SuiteFacts,
)
from benchbase_publish.site import Receipt

yaml = pytest.importorskip("yaml")  # comes with Dask, of the extra "test"

DOCS = Path(__file__).parents[2] / "docs" / "submissions.rst"
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
    assert jobs["accept"]["permissions"] == {"contents": "write"}
    assert "contents" not in jobs["serve"]["permissions"]
    for job in (jobs["check"], jobs["accept"]):  # no token lies in a file while bundles are read
        assert job["steps"][0]["with"]["persist-credentials"] is False
        assert [step for step in job["steps"] if "TOKEN" in step.get("run", "")] == [
            step for step in job["steps"] if "env" in step
        ]
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
        (tmp_path / "submissions" / "bad.zip").unlink(missing_ok=True)
    assert "submissions/a b.zip: accepted into site" in outputs[0]
    assert "::warning::submissions/bad.zip was refused" in outputs[0]
    assert outputs[1] == ""


def test_its_check_lets_bundles_come_alone(
    published: Path, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (script,) = [text for text in scripts() if "GITHUB_BASE_REF" in text]
    place, (work, tools) = tmp_path, (tmp_path / "work", tmp_path / "tools")
    shutil.copytree(published, work / "site")
    tools.mkdir()
    (tools / "benchbase").write_text(
        '#!/bin/sh\necho "called $*"\n'
    )  # what it says is tested above
    (tools / "benchbase").chmod(0o755)
    env = {"PATH": f"{tools}:/usr/bin:/bin", "GITHUB_BASE_REF": "main", "HOME": str(place)}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=work, env=env, text=True, capture_output=True, check=False
        )
        return f"{done.returncode} {done.stdout}"

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        assert run("git", *identity, *arguments).startswith("0"), arguments

    def check(name: str, change: Callable[[], object]) -> str:
        git("checkout", "-q", "-B", name, "origin/main")
        (work / "submissions").mkdir(exist_ok=True)
        shutil.copy(honest, work / "submissions" / "mine.zip")
        change()
        git("add", "-A")
        git("commit", "-qm", name)
        return run("bash", "-e", "-c", script)

    git("init", "-q", "-b", "main")
    (work / "submissions").mkdir()
    (work / "submissions" / "old.zip").write_text("x")
    git("add", "-A")
    git("commit", "-qm", "site")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    told = "0 called accept submissions/mine.zip site --dry-run\n"
    assert check("honest", lambda: None) == told
    receipt = next((work / "site" / "bundles").glob("*.json"))
    for name, change in {
        "site": lambda: receipt.write_text("{}"),
        "workflow": lambda: (work / ".github").write_text("x"),
        "changed": lambda: (work / "submissions" / "old.zip").write_text("y"),
        "deleted": lambda: (work / "submissions" / "old.zip").unlink(),
        "newline": lambda: (work / "submissions" / "a\n::error::b.zip").write_text("x"),
        "option": lambda: (work / "submissions" / "--rerun.zip").write_text("x"),
    }.items():
        found = check(name, change)
        assert found.startswith("1 "), name
        assert "called" not in found, name


def test_every_field_of_a_manifest_is_described() -> None:
    told = set(re.findall(r"``(\w+)``", TEXT))
    models = (Manifest, SuiteFacts, Experiment, ProblemFacts, Entry, Cell, Provenance, Citation)
    for model in models:
        assert set(model.model_fields) <= told, model
    assert set(Receipt.model_fields) <= told
