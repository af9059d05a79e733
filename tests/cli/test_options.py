"""The options that commands share: what they give, and that no command has its own."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from benchbase.cli import main, options
from benchbase.discovery.registry import Registry


@click.command()
@options.results
@options.run
@options.labels
@options.plugins
@options.jobs
@options.as_json("the arguments")
@options.form(("plain", "rich"))
@options.output("FILE", "A file. Default: none.")
def command(**given: Any) -> None:
    """Hand back what it is given."""
    click.get_current_context().obj.update(given)


@click.command()
@options.workers
def apart(jobs: int | None) -> None:
    """Never compute in this process."""
    click.get_current_context().obj["jobs"] = jobs


def call(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    result = CliRunner().invoke(command, arguments, obj=found)
    assert result.exit_code == 0, result.output
    return found


def test_options_have_defaults(tmp_path: Path) -> None:
    assert call() == {
        "results": tmp_path / "results",  # as BENCHBASE_RESULTS says in all tests
        "run": None,
        "labels": (),
        "plugins": (),
        "jobs": None,
        "as_json": False,
        "form": "plain",
        "output": None,
    }


def test_options_give_what_is_asked_for() -> None:
    arguments = "--results a --run 3 --solver x --solver y --plugin p.py --jobs 0 --json"
    assert call(*arguments.split(), "--format", "rich", "-o", "out") == {
        "results": Path("a"),
        "run": "3",
        "labels": ("x", "y"),
        "plugins": ("p.py",),
        "jobs": 0,
        "as_json": True,
        "form": "rich",
        "output": "out",
    }


def test_a_tilde_stands_for_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert call("--results=~/r")["results"] == tmp_path / "r"
    monkeypatch.setenv("BENCHBASE_RESULTS", "~/q")
    assert call()["results"] == tmp_path / "q"


def test_results_are_in_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHBASE_RESULTS")
    assert call()["results"] == Path("benchbase-results")


def parameters(of: click.Command) -> dict[str, click.Option]:
    found = [each for each in of.params if isinstance(each, click.Option)]
    return {name: each for each in found for name in each.opts}


def test_no_command_has_such_an_option_of_its_own(fresh_registry: Registry) -> None:
    context = click.Context(main)
    shared, seen = parameters(command), set()
    helps = {spelling: {option.help} for spelling, option in shared.items()}
    helps["--jobs"] |= {option.help for option in parameters(apart).values()}
    for name in main.list_commands(context):
        found = main.get_command(context, name)
        assert found is not None
        for spelling, option in parameters(found).items():
            if spelling in ("--results", "--run", "--solver", "--plugin", "--jobs"):
                assert option.help in helps[spelling], f"{name} {spelling}"
                seen.add(spelling)
            elif spelling == "--json":
                assert option.help is not None
                assert option.help.endswith(" as JSON, and nothing else."), name
    assert len(seen) == 5


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, obj={})
    assert result.exit_code == 2
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--results=",), "a path cannot be empty"),
        (("-o", ""), "a path cannot be empty"),
        (("-o", "."), ". is a folder; name a file in it"),
        (("--jobs", "-1"), "-1 is not in the range"),
        (("--jobs", ""), "'' is not a valid integer"),
        (("--jobs", "nan"), "'nan' is not a valid integer"),
    ],
)
def test_what_is_no_path_or_number_is_refused(arguments: tuple[str, ...], told: str) -> None:
    assert told in refusal(*arguments)


def test_what_never_computes_in_its_own_process_needs_a_worker() -> None:
    found: dict[str, Any] = {}
    assert CliRunner().invoke(apart, ["--jobs", "1"], obj=found).exit_code == 0
    assert found == {"jobs": 1}
    assert CliRunner().invoke(apart, ["--jobs", "0"], obj={}).exit_code == 2


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "-1", "", "x", "1e999"])
def test_a_number_is_finite_and_in_its_range(value: str) -> None:
    @click.command()
    @click.option("--seconds", type=options.Number(min=0, min_open=True))
    def sleep(seconds: float) -> None:
        click.echo(seconds)

    assert CliRunner().invoke(sleep, ["--seconds", "2.5"]).output == "2.5\n"
    assert CliRunner().invoke(sleep, ["--seconds", value]).exit_code == 2


def test_all_numbers_of_all_commands_are_finite(fresh_registry: Registry) -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        found = main.get_command(context, name)
        assert found is not None
        for spelling, option in parameters(found).items():
            infinite = isinstance(option.type, click.types.FloatParamType)
            assert not infinite or isinstance(option.type, options.Number), f"{name} {spelling}"
            assert not isinstance(option.type, click.File | click.Path), f"{name} {spelling}"


def test_standard_output_is_for_what_is_written_there_by_default() -> None:
    assert call("-o", "-")["output"] is None

    @click.command()
    @options.output("DIR", "A folder.")
    def make(output: str | None) -> None:
        click.echo(output)

    result = CliRunner().invoke(make, ["-o", "-"])
    assert (result.exit_code, "standard output" in result.stderr) == (2, True)
    assert CliRunner().invoke(make, ["-o", "~"]).output == f"{Path.home()}\n"


def test_a_file_of_text_is_read(tmp_path: Path) -> None:
    @click.command()
    @click.argument("text", type=options.Text())
    def read(text: str) -> None:
        click.echo(text, nl=False)

    file = tmp_path / "a.bib"
    file.write_bytes("\ufeffcafé".encode())
    assert CliRunner().invoke(read, [str(file)]).output == "café"
    file.write_bytes("café".encode("latin-1"))
    result = CliRunner().invoke(read, [str(file)])
    assert (result.exit_code, "is not text in UTF-8" in result.stderr) == (2, True)
    assert CliRunner().invoke(read, [str(tmp_path)]).exit_code == 2
