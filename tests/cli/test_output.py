"""`benchbase report` and `benchbase export`: results of earlier runs."""

import csv
import errno
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import benchbase
from benchbase.cli import main
from benchbase.discovery.registry import Registry

Cli = Callable[..., Result]

SUITE = """\
title = "Small"
points = 3
report = []
pooling = { name = "lp", p = inf }
dataset = { name = "gaussian", n = 4 }
frame = { name = "gaussian", n_pools = 6 }

[[solver]]
name = "altmin"
n_iter = 20
init = { name = "altmin", n_iter = 0 }

[[solver]]
name = "phasecut"
"""
COLUMNS = """
suite cell dataset n frame n_pools pool_size pooling p rectified solver label trial signal status
message squared_cosine relative_error residual n_iter converged prepare_seconds init_seconds
solve_seconds frame_applications pooling.threshold solver.init.n_iter
"""


class Lister(benchbase.Report):
    """Lists the labels."""

    name = "lister"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        file = folder / "labels.txt"
        file.write_text("\n".join(results.rows()["label"].unique()))
        return [file]

    def show(self, results: benchbase.ResultsView, console: Any) -> None:
        console.print(f"{len(results.rows())} rows of {results.suites[0]['suite']}")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs of one suite and one of another."""
    folder = tmp_path_factory.mktemp("done")
    for name in ("one", "two"):
        (folder / f"{name}.toml").write_text(SUITE)
    benchbase.run(folder / "one.toml", results=folder / "r")
    benchbase.run(folder / "two.toml", results=folder / "r")
    benchbase.run(folder / "one.toml", results=folder / "r", points=2)
    return folder / "r"


@pytest.fixture
def lister(fresh_registry: Registry) -> None:
    """Let the small report above be the only one that is installed."""
    fresh_registry.classes["report"] = {"lister": Lister}


def records(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_export_writes_one_row_a_signal_with_all_columns(cli: Cli, done: Path) -> None:
    rows = records(cli("export", "--results", done))
    assert set(COLUMNS.split()) <= set(rows[0])
    assert len(rows) == 2 * 3 + 2 * 2  # the latest run of each suite
    assert {row["suite"] for row in rows} == {"one", "two"}
    for row in rows:
        assert row["p"] == "inf"
        if row["solver"] == "phasecut":
            assert (row["status"], row["squared_cosine"]) == ("unsupported", "")
            assert row["message"]
        else:
            assert row["status"] == "done"
            assert 0 <= float(row["squared_cosine"]) <= 1
            assert float(row["solver.init.n_iter"]) == 0
            assert float(row["frame_applications"]) > 0


@pytest.mark.parametrize(
    ("run", "suites", "rows"), [("1", {"one"}, 6), ("2", {"two"}, 6), ("3", {"one"}, 4)]
)
def test_one_run_can_be_chosen(cli: Cli, done: Path, run: str, suites: set[str], rows: int) -> None:
    found = records(cli("export", "--results", done, "--run", run))
    assert len(found) == rows
    assert {row["suite"] for row in found} == suites


def test_all_runs_can_be_chosen(cli: Cli, done: Path) -> None:
    assert len(records(cli("export", "--results", done, "--run", "all"))) == 6 + 6 + 4


def test_the_formats_hold_the_same(cli: Cli, done: Path) -> None:
    frame = benchbase.load_results(done).rows()
    for form in ("csv", "json", "parquet"):
        result = cli("export", "--results", done, "--format", form, "-o", f"out.{form}")
        assert result.exit_code == 0
        assert result.stdout == ""
    text = Path("out.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    columns = ["label", "signal", "squared_cosine", "n_iter"]
    tables = [
        pd.read_csv("out.csv"), pd.DataFrame(json.loads(text)), pd.read_parquet("out.parquet"),
    ]  # fmt: skip # the three in a row
    for table in tables:
        assert list(table.columns) == list(frame.columns)
        assert list(table["label"]) == list(frame["label"])
        numbers = frame[columns[1:]].astype(float)
        pd.testing.assert_frame_equal(table[columns[1:]].astype(float), numbers, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "parquet"], "parquet is not a text format; name a file with -o"),
        (["--format", "xml"], "'xml' is not one of 'csv', 'parquet', 'json'"),
        (["-o", "no/such/folder.csv"], "no/such/folder.csv: "),
        (["-o", "folder"], "folder is a folder; name a file in it"),
        (["--run", "9"], "no run '9'"),
        (["--run", "first"], "no run 'first'"),
        (["--run", "²"], "no run '²'"),
    ],
)
def test_what_cannot_be_exported_is_told(
    cli: Cli, done: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    (tmp_path / "folder").mkdir()
    before = (done / "results.sqlite").read_bytes()
    result = cli("export", "--results", done, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""
    assert (done / "results.sqlite").read_bytes() == before


def test_a_run_that_there_is_not_is_told_with_those_that_there_are(cli: Cli, done: Path) -> None:
    assert (
        "there are: 1 (one), 2 (two), 3 (one)"
        in cli("export", "--results", done, "--run", "9").stderr
    )


@pytest.mark.parametrize("command", ["export", "report"])
@pytest.mark.parametrize("kind", ["nothing", "folder", "text", "empty"])
def test_results_that_are_not_there_are_told(
    cli: Cli, tmp_path: Path, command: str, kind: str
) -> None:
    folder = tmp_path / "r"
    if kind != "nothing":
        folder.mkdir()
    if kind == "text":
        (folder / "results.sqlite").write_text("no table\n" * 200)
    if kind == "empty":
        (folder / "results.sqlite").touch()
    before = {path: path.stat().st_size for path in tmp_path.rglob("*")}
    result = cli(command, "--results", "r")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert {path: path.stat().st_size for path in tmp_path.rglob("*")} == before


@pytest.mark.usefixtures("lister")
def test_report_shows_and_writes_a_folder_a_suite(cli: Cli, done: Path) -> None:
    result = cli("report", "--results", done, "-o", "out")
    assert result.exit_code == 0
    assert "4 rows of one" in result.stdout
    assert "6 rows of two" in result.stdout
    for place in ("one/run-3", "two/run-2"):
        assert f"wrote out/{place}/labels.txt" in result.stdout.splitlines()
        assert Path("out", place, "labels.txt").read_text() == "altmin\nphasecut"


@pytest.mark.usefixtures("lister")
def test_report_of_one_run_beside_the_results(cli: Cli, done: Path) -> None:
    result = cli("report", "lister", "--results", done, "--run", "2")
    assert result.exit_code == 0
    assert "one" not in result.stdout.replace("done", "")
    assert (done / "two" / "run-2" / "labels.txt").is_file()
    assert not (done / "one").exists()


@pytest.mark.usefixtures("lister")
def test_report_says_which_plugins_are_broken_and_where_results_are(
    cli: Cli, done: Path, fresh_registry: Registry
) -> None:
    """A report that is missing may be that of a broken plugin."""
    fresh_registry.warnings.append("plugin 'x' of the distribution y cannot be loaded: Z")
    result = cli("report", "--results", done, "-o", "out")
    assert result.stderr == f"warning: {fresh_registry.warnings[0]}\n"
    assert f"results are in {done}" in result.stdout.splitlines()[-1]


@pytest.mark.usefixtures("lister")
def test_a_report_that_there_is_not_is_told(cli: Cli, done: Path) -> None:
    result = cli("report", "listr", "--results", done, "-o", "out")
    assert result.exit_code == 2
    assert "no report named 'listr'; did you mean 'lister'?" in result.stderr
    assert not Path("out").exists()


@pytest.mark.usefixtures("lister")
def test_a_place_where_reports_cannot_be_written_is_told(cli: Cli, done: Path) -> None:
    Path("out").write_text("a file")
    result = cli("report", "--results", done, "-o", "out", "--run", "2")
    assert result.exit_code == 2
    assert result.stderr == "error: out/two/run-2: Not a directory\n"
    assert "6 rows of two" in result.stdout  # what can be shown is shown


@pytest.mark.usefixtures("lister")
def test_a_run_ends_in_the_reports_of_the_suite_or_all(cli: Cli, tmp_path: Path) -> None:
    for name, line in {
        "all": "",
        "some": 'report = [{ name = "lister" }]\n',
        "no": "report = []\n",
    }.items():
        Path(f"{name}.toml").write_text(SUITE.replace("report = []\n", line))
        result = cli("run", f"{name}.toml", "--results", "r")
        assert ("labels.txt" in result.stdout) is (name != "no")
        assert Path("r", name).exists() is (name != "no")
        as_json = json.loads(cli("run", f"{name}.toml", "--results", "r", "--json").stdout)
        place = f"r/{name}/run-{as_json['run']}/labels.txt"
        assert as_json["files"] == ([] if name == "no" else [place])
        assert all(Path(file).is_file() for file in as_json["files"])


class Broken(Lister):
    """Fails where it is told to."""

    name = "broken"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        if self.fault == "write":
            raise ZeroDivisionError("in my report\nof two lines\x1b")
        if self.fault == "ends":
            sys.exit(0)
        return []

    def show(self, results: benchbase.ResultsView, console: Any) -> None:
        if self.fault == "show":
            raise ZeroDivisionError("in my report")

    fault: str = "write"


@pytest.fixture
def broken(fresh_registry: Registry) -> None:
    fresh_registry.classes["report"] = {"broken": Broken, "lister": Lister}


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("write", r"ZeroDivisionError: in my report of two lines\\x1b"),
        ("show", "ZeroDivisionError: in my report"),
        ("ends", "SystemExit: 0"),
    ],
)
def test_a_report_that_fails_takes_no_other_along(
    cli: Cli, tmp_path: Path, fault: str, told: str
) -> None:
    reports = f'report = [{{ name = "broken", fault = "{fault}" }}, {{ name = "lister" }}]\n'
    Path("one.toml").write_text(SUITE.replace("report = []\n", reports))
    for more in ((), ("--json",)):
        result = cli("run", "one.toml", "--results", "r", *more)
        if more and fault == "show":
            continue  # nothing is shown
        assert result.exit_code == 2
        line, place = result.stderr.splitlines()[-1], r"test_output\.py:\d+"
        assert re.fullmatch(rf"error: the report 'broken' failed at .*{place}: {told}", line)
        assert Path("r/one/run-1/labels.txt").is_file()
        if more:
            assert json.loads(result.stdout)["files"] == ["r/one/run-2/labels.txt"]
        else:
            assert "6 rows of one" in result.stdout
            assert "wrote r/one/run-1/labels.txt" in result.stdout


@pytest.mark.usefixtures("broken")
def test_report_and_its_function_write_all_others(cli: Cli, done: Path, tmp_path: Path) -> None:
    result = cli("report", "--results", done, "-o", "out", "--run", "2")
    assert result.exit_code == 2
    assert result.stderr.count("the report 'broken' failed") == 1
    assert "wrote out/two/run-2/labels.txt" in result.stdout
    with pytest.raises(benchbase.BenchbaseError, match="'broken' failed") as error:
        benchbase.report(benchbase.load_results(done, 2), tmp_path / "here", [Broken(), Lister()])
    assert error.value.exit_code == 2
    assert (tmp_path / "here/two/run-2/labels.txt").is_file()


def test_a_report_that_takes_other_arguments_is_told_by_its_line(
    done: Path, tmp_path: Path
) -> None:
    class Odd(Lister):
        name = "odd"

        def write(self) -> list[Path]:  # type: ignore[override] # as a user may write it
            return []

    with pytest.raises(
        benchbase.BenchbaseError, match=r"'odd' failed at .*test_output\.py:\d+: Ty"
    ):
        benchbase.report(benchbase.load_results(done, 2), tmp_path, [Odd()])


def test_a_report_that_cannot_be_made_is_left_out(
    cli: Cli, done: Path, fresh_registry: Registry
) -> None:
    class Needs(Lister):
        name = "needs"
        size: int

    fresh_registry.classes["report"] = {"lister": Lister, "needs": Needs}
    result = cli("report", "--results", done, "-o", "out", "--run", "2")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: the report 'needs' is left out: ")
    assert "labels.txt" in result.stdout


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.parametrize("columns", ["0", "7", "²", "99999999999"])
def test_a_table_is_shown_whatever_the_terminal_claims_to_be(
    cli: Cli, done: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    result = cli("report", "table", "--results", done, "-o", "out", "--run", "2")
    assert result.exit_code == 0
    assert "altmin" in result.stdout
    assert "K=6" in result.stdout


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.parametrize("encoding", ["iso8859-1", "ascii"])
@pytest.mark.parametrize(
    "command", [["report", "table", "transitions", "leaderboard"], ["leaderboard"], ["export"]]
)
def test_output_has_only_characters_of_its_encoding(
    done: Path, tmp_path: Path, encoding: str, command: list[str]
) -> None:
    line = [*command, "--results", str(done), "--run", "2"]
    line += ["-o", str(tmp_path)] if command[0] == "report" else []
    result = CliRunner(charset=encoding).invoke(main, line)
    assert result.exit_code == 0, result.stderr
    text = result.stdout_bytes.decode(encoding)
    assert "linf" in text or command == ["export"]
    if command[0] == "report":
        assert "ℓ∞" in (tmp_path / "two/run-2/table.md").read_text(encoding="utf-8")


class Full(io.StringIO):
    """Standard output on a disk that becomes full."""

    def write(self, text: str) -> int:
        if self.tell() > 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


@pytest.mark.usefixtures("lister")
def test_a_run_whose_output_fails_stores_and_writes_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("all.toml").write_text(SUITE.replace("report = []\n", ""))
    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(SystemExit) as end:
        main(["run", "all.toml", "--results", "r"])
    assert end.value.code == 1
    assert "error: standard output: No space left on device" in capsys.readouterr().err
    assert Path("r/all/run-1/labels.txt").is_file()
    assert set(benchbase.load_results("r").rows()["status"]) == {"done", "unsupported"}
