"""`benchbase list`, `benchbase show` and the help: what there is."""

import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase.cli import COMMANDS
from benchbase.discovery.registry import KINDS, Registry
from benchbase.planning.toml import as_suite_table

Cli = Callable[..., Result]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    "what", ["solvers", "frames", "poolings", "datasets", "noises", "hints", "reports"]
)
def test_list_names_each_component_with_the_first_line_of_its_documentation(
    cli: Cli, fresh_registry: Registry, what: str
) -> None:
    classes = fresh_registry.classes[what.removesuffix("s")]
    lines = cli("list", what).stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(classes)
    for line in lines:
        name, _, summary = line.partition(" ")
        assert summary.strip() == (classes[name].__doc__ or "").strip().partition("\n")[0]
        assert summary.strip()


def test_list_names_each_suite_with_its_title(cli: Cli, fresh_registry: Registry) -> None:
    lines = cli("list", "suites").stdout.splitlines()
    found = {line.split()[0]: line.partition(" ")[2].strip() for line in lines}
    assert found == {
        name: tomllib.loads(path.read_text(encoding="utf-8"))["title"]
        for name, path in fresh_registry.suites.items()
    }


def test_list_without_a_word_lists_all(cli: Cli, fresh_registry: Registry) -> None:
    lines = cli("list").stdout.splitlines()
    headings = [line for line in lines if not line.startswith(" ")]
    kinds = ["solvers", "frames", "poolings", "datasets", "noises", "hints", "reports"]
    assert headings == [*kinds, "suites"]
    listed = sum(len(table) for table in fresh_registry.classes.values())
    assert len(lines) == len(headings) + listed + len(fresh_registry.suites)


def test_list_refuses_what_there_is_no_list_of(cli: Cli) -> None:
    result = cli("list", "solver")
    assert result.exit_code == 2
    assert "'solvers'" in result.stderr


def test_a_suite_that_cannot_be_read_is_still_listed(
    cli: Cli, fresh_registry: Registry, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("title = \n")
    fresh_registry.suites |= {"bad": bad, "gone": tmp_path / "gone.toml"}
    result = cli("list", "suites")
    assert result.exit_code == 0
    assert "bad.toml:1: Invalid value" in result.stdout
    assert "No such file" in result.stdout


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_show_gives_documentation_and_a_table_that_builds_the_component(
    cli: Cli, fresh_registry: Registry, kind: str
) -> None:
    assert fresh_registry.classes[kind]
    for name, cls in fresh_registry.classes[kind].items():
        text = cli("show", name).stdout
        parts = text[text.index(f"{kind} {name}") :].split(
            "In a suite, with the defaults (parameters that are unset by default are left out):\n\n"
        )
        assert "benchbase" in parts[0].splitlines()[0]
        assert (cls.__doc__ or "").strip().splitlines()[0] in parts[0]
        table, needed = parts[1].partition("\n\n")[0], "needs a value"
        if needed in table:
            assert "<class" not in table
            continue
        (spec,) = tomllib.loads(table).values()
        spec = spec[0] if isinstance(spec, list) else spec
        assert fresh_registry.build(kind, spec) == fresh_registry.build(kind, {"name": name})


def test_show_says_which_parameters_need_a_value(cli: Cli) -> None:
    assert "\n# n_pools = ... needs a value: int\n" in cli("show", "gaussian").stdout


def test_show_spells_parameters_of_every_type(cli: Cli, fresh_registry: Registry) -> None:
    class Various(benchbase.Solver):
        """Has parameters of several types."""

        name = "various"
        either: int | str
        inner: benchbase.Solver | None
        none: int | None = None
        sizes: tuple[int, ...] = (1, 2)
        far: float = float("inf")
        on: bool = True
        word: str = "a"

        def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
            raise NotImplementedError

    fresh_registry.add(Various)
    assert cli("show", "various").stdout.partition("\n\n")[2] == (
        "In a suite, with the defaults (parameters that are unset by default are left out):\n\n"
        '[[solver]]\nname = "various"\n'
        "# either = ... needs a value: int | str\n"
        "# inner = ... needs a value: benchbase.interfaces.Solver | None\n"
        'sizes = [1, 2]\nfar = inf\non = true\nword = "a"\n'
    )


PLAIN = st.text() | st.floats(allow_nan=False) | st.tuples(st.text(), st.integers())


@settings(max_examples=30)
@given(st.text(min_size=1), PLAIN, PLAIN)
def test_what_show_prints_is_read_as_the_component(name: str, one: object, two: object) -> None:
    class Inner(benchbase.Solver):
        """Stands inside another."""

        value: object = one

        def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
            raise NotImplementedError

    class Outer(Inner):
        """Holds another."""

        inner: benchbase.Solver = Inner()
        value: object = two

    Inner.name, Outer.name = f"{name}'s", name
    assert tomllib.loads("\n".join(as_suite_table(Outer))) == {"solver": [Outer().spec()]}


def test_show_shows_all_that_share_a_name(cli: Cli) -> None:
    text = cli("show", "gaussian").stdout
    assert "dataset gaussian" in text
    assert "frame gaussian" in text


def test_show_prints_a_suite_as_it_is(cli: Cli, fresh_registry: Registry) -> None:
    path = fresh_registry.suites["quick"]
    assert cli("show", "quick").stdout == path.read_text(encoding="utf-8")


def test_show_suggests_what_may_have_been_meant(cli: Cli) -> None:
    result = cli("show", "altmni")
    assert result.exit_code == 2
    assert result.stderr == "error: nothing is named 'altmni'; did you mean 'altmin'?\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_the_commands(cli: Cli, option: str) -> None:
    result = cli(option)
    assert result.exit_code == 0
    heads = ("\nCommands:\n", "\nCommands of plugins:\n")
    core, plugins = result.stdout.partition(heads[0])[2].split(heads[1])
    assert [line.split()[0] for line in core.splitlines()] == list(COMMANDS)
    assert {"leaderboard", "bounds"} <= {line.split()[0] for line in plugins.splitlines()}
    assert all(len(line.split()) > 1 for line in (core + plugins).splitlines())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_has_help(cli: Cli, command: str) -> None:
    result = cli(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: benchbase {command}" in result.stdout


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout.strip().endswith(benchbase.__version__)


def test_a_command_that_there_is_not_is_refused(cli: Cli) -> None:
    result = cli("rnu")
    assert result.exit_code == 2
    assert "No such command 'rnu'" in result.stderr


def test_broken_plugins_are_warnings_on_standard_error(cli: Cli, fresh_registry: Registry) -> None:
    fresh_registry.warnings.append("plugin 'x' of the distribution y cannot be loaded: Z")
    for arguments in (["list"], ["show", "lp"], ["--help"], ["command-of-a-plugin"]):
        result = cli(*arguments)
        assert result.exit_code == (2 if arguments == ["command-of-a-plugin"] else 0)
        assert result.stderr.startswith(f"warning: {fresh_registry.warnings[0]}\n")
        assert "warning" not in result.stdout


INFO = "Metadata-Version: 2.1\nName: {}\n"


def distribution(site: Path, name: str, module: str, source: str) -> None:
    """Install a distribution whose plugin is called "twin"."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(INFO.format(name))
    (info / "entry_points.txt").write_text(f"[benchbase]\ntwin = {module}\n")
    (site / f"{module}.py").write_text(source)


def test_two_plugins_of_one_name_are_told_in_one_line(cli_process: Command, tmp_path: Path) -> None:
    distribution(tmp_path / "site", "acme", "acme", "")
    distribution(tmp_path / "site", "zenith", "zenith", "")
    for command in ("list", "--help"):
        done = cli_process(command, path=tmp_path / "site")
        assert done.returncode == 0
        assert done.stderr == (
            "warning: two plugins are named 'twin', of the distribution acme and the distribution "
            "zenith, and neither is loaded; uninstall one of them\n"
        )


def test_a_broken_plugin_stops_nothing(cli_process: Command, tmp_path: Path) -> None:
    distribution(tmp_path / "site", "acme", "acme", "import nosuchmodule")
    done = cli_process("list", "solvers", path=tmp_path / "site")
    assert done.returncode == 0
    assert "altmin" in done.stdout
    assert done.stderr == (
        "warning: plugin 'twin' of the distribution acme cannot be loaded: "
        "ModuleNotFoundError: No module named 'nosuchmodule'\n"
    )
