"""`benchbase verify`: an untouched store reproduces, and whatever is altered in one is found."""

import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import benchbase
from benchbase import cli as command_line
from benchbase.checking.verify import Verification, verify
from benchbase.discovery.code import Code
from benchbase.discovery.provenance import environment
from benchbase.discovery.registry import registry
from benchbase.numerics.streams import solver_keys
from benchbase.running.executors import InProcess
from benchbase.running.local import LocalWorkers
from benchbase.storage.database import FILE

SUITE = """\
title = "Verified"
points = 5
trials = 2
seed = 7
report = []
frame = { name = "gaussian", n_pools = 90 }
[grid]
dataset = [{ name = "digits" }, { name = "gaussian", n = 6 }]
pooling = [{ name = "lp", p = inf }, { name = "lp", p = 2, rectified = true }]

[[solver]]
name = "altmin"
n_iter = 5
[[solver]]
name = "knn"
[[solver]]
name = "restarts"
n = 2
solver = { name = "altmin", n_iter = 3 }
[[solver]]
name = "scaled"
[[solver]]
name = "fragile"
"""
PLUGIN = """\
import numpy as np
import benchbase
from benchbase import Recovery

class Scaled(benchbase.Solver):
    name = "scaled"
    chunk = 2
    scale: float = float("inf")

    def __post_init__(self):
        print("not on standard output")

    def prepare(self, problem):
        return lambda b, run: Recovery(x=run.normal(problem.frame.n), n_iter=np.arange(len(b)))

class Fragile(benchbase.Solver):
    name = "fragile"
    chunk = 2

    def unsupported(self, problem):
        return "N is 6" if problem.frame.n == 6 else None

    def prepare(self, problem):
        def inverse(b, run):
            x = run.normal(problem.frame.n)
            if problem.pooling.p == 2 and run.size == 1:
                raise ArithmeticError("the last one")
            x[0] = np.nan
            return Recovery(x=x)
        return inverse

@benchbase.hookimpl
def register_solvers(register):
    register(Scaled)
    register(Fragile)
"""
Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run strangers' solvers in this process, as starting one for each cell takes half a second."""
    monkeypatch.setattr(
        "benchbase.checking.verify.LocalWorkers", lambda jobs: InProcess(registry())
    )


@pytest.fixture(scope="module")
def original(
    as_installed: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return a folder of results of all kinds, the plugin file that some need beside them."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "suite.toml").write_text(SUITE)
    (folder / "plugin.py").write_text(PLUGIN)
    with as_installed():
        benchbase.run(folder / "suite.toml", results=folder, plugins=folder / "plugin.py")
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """Return a copy to tamper with."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


@pytest.fixture
def tamper(folder: Path) -> Callable[..., Any]:
    """Execute SQL on the copy, and return the first row."""

    def execute(statement: str, *values: object) -> Any:
        connection = sqlite3.connect(folder / FILE)
        with connection:
            row = connection.execute(statement, values).fetchone()
        connection.close()
        return row

    return execute


@pytest.fixture
def check(fresh_registry: object, folder: Path) -> Callable[..., Verification]:
    """Verify the copy."""

    def run(**options: Any) -> Verification:
        return verify(folder, plugins=[folder / "plugin.py"], **({"sample": 0} | options))

    return run


@pytest.fixture
def verify_cli(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run `benchbase verify`."""
    monkeypatch.setitem(command_line.COMMANDS, "verify", "benchbase.cli.verify")
    return lambda *arguments: cli("verify", *arguments)


def altered(blob: bytes, kind: str, index: int, by: float) -> bytes:
    numbers = np.frombuffer(blob, kind).copy()
    numbers[index] += by
    return numbers.tobytes()


def key_of(tamper: Callable[..., Any], label: str, trial: int = 1) -> str:
    """Return the key of a label's cell on digits, p = ∞."""
    row = tamper(
        "SELECT key FROM run_cell JOIN cell USING (key) WHERE label = ? "
        "AND facts ->> 'trial' = ? AND facts ->> '$.dataset.name' = 'digits' "
        "AND facts ->> 'p' = 'inf'",
        label,
        trial,
    )
    return str(row[0])


def test_untouched_results_reproduce(verify_cli: Cli, folder: Path) -> None:
    result = verify_cli(folder, "--plugin", folder / "plugin.py", "--sample", "all")
    assert result.exit_code == 0, result.output
    # 8 problems of 5 signals for 3 solvers, 4 for knn; 2 for fragile, and 2 but for a signal.
    assert result.stdout == (
        "run 1: 40 cells, 158 estimates scored again, 32 cells run again: all reproduce\n"
    )
    statuses = set(benchbase.load_results(folder).rows()["status"])
    assert statuses == {"done", "failed", "unsupported"}  # else the above says less than it seems


def test_the_tables_of_an_earlier_run_are_verified_too(
    verify_cli: Cli, cli: Cli, folder: Path
) -> None:
    cli("run", folder / "suite.toml", "--plugin", folder / "plugin.py", "--points", "3",
        "--solver", "altmin", "--results", folder)  # fmt: skip # a line a few options
    for run, cells in {"1": 40, "2": 8, "all": 48}.items():
        options = ["--run", run, "--plugin", folder / "plugin.py", "--sample", "0", "--json"]
        result = verify_cli(folder, *options)
        summary = json.loads(result.stdout)
        assert (result.exit_code, summary["cells"], summary["findings"]) == (0, cells, [])


def test_one_altered_score_is_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key = key_of(tamper, "altmin")
    (blob,) = tamper("SELECT scores FROM chunk WHERE key = ?", key)
    # The last bit of one number: nothing is near enough on the same machine.
    numbers = np.frombuffer(blob).copy()
    numbers[3] = np.nextafter(numbers[3], 2)
    tamper("UPDATE chunk SET scores = ? WHERE key = ?", numbers.tobytes(), key)
    (finding,) = check().findings
    assert (finding.label, finding.n_pools, finding.trial) == ("altmin", 90, 1)
    assert (finding.pooling, finding.signals) == ("ℓ∞", (3,))
    assert "squared_cosine" in finding.message


def test_one_altered_estimate_is_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key = key_of(tamper, "scaled")
    (blob,) = tamper("SELECT x FROM recovered WHERE key = ? AND start = 2", key)
    blob = altered(blob, "<f4", 70, 0.001)
    tamper("UPDATE recovered SET x = ? WHERE key = ? AND start = 2", blob, key)
    (finding,) = check().findings
    assert (finding.label, finding.signals) == ("scaled", (3,))


def test_an_estimate_that_is_gone_is_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key = key_of(tamper, "scaled")
    tamper("DELETE FROM recovered WHERE key = ? AND start = 2", key)
    (finding,) = check().findings
    assert (finding.label, finding.signals) == ("scaled", (2, 3))


def test_one_altered_signal_is_found_in_all_cells_that_have_it(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key, blob = tamper(
        "SELECT signals.key, x FROM signals JOIN cell ON cell.signals = signals.key "
        "WHERE cell.key = ?",
        key_of(tamper, "altmin"),
    )
    tamper("UPDATE signals SET x = ? WHERE key = ?", altered(blob, "<f4", -1, 2e-4), key)
    findings = check().findings
    assert {finding.signals for finding in findings} == {(4,)}
    assert {finding.label for finding in findings} == {
        "altmin", "knn", "restarts", "scaled", "fragile"
    }  # fmt: skip # a set
    assert {finding.trial for finding in findings} == {1}
    assert all("test signals differ by up to 0.0002" in each.message for each in findings)


def test_an_altered_seed_is_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key = key_of(tamper, "knn")
    tamper("UPDATE cell SET facts = json_set(facts, '$.seed', 8) WHERE key = ?", key)
    findings = check(sample=None).findings
    assert {(finding.label, finding.trial) for finding in findings} == {("knn", 1)}
    told = " ".join(finding.message for finding in findings)
    for what in ("seed", "test signals differ", "measurements differs", "scored again"):
        assert what in told


def test_altered_digests_of_the_code_are_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    tamper("UPDATE environment SET facts = json_set(facts, '$.code.benchbase', '0')")
    messages = {finding.message for finding in check().findings}
    assert messages == {"the stored digests of the code are not those that made the cell's key"}


@pytest.mark.parametrize("whole", [True, False])
def test_outcomes_that_are_gone_from_a_finished_run_are_found(
    check: Callable[..., Verification], tamper: Callable[..., Any], whole: bool
) -> None:
    """One that is not finished misses none."""
    key = key_of(tamper, "scaled")
    tamper("DELETE FROM chunk WHERE key = ? AND start >= ?", key, 0 if whole else 2)
    (finding,) = check().findings
    assert finding.signals == ((0, 1, 2, 3, 4) if whole else (2, 3, 4))
    assert finding.message == "outcomes of a finished run are missing"
    tamper("UPDATE run SET finished = NULL")
    assert not check().findings


def test_a_failure_that_does_not_come_again_is_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key = key_of(tamper, "scaled")
    tamper("UPDATE chunk SET status = 'failed', scores = NULL WHERE key = ? AND start = 2", key)
    tamper("DELETE FROM recovered WHERE key = ? AND start = 2", key)
    (finding,) = check(sample=None).findings
    assert finding.signals == (2, 3)
    assert finding.message == "run again: the status is done, not failed"


def test_an_altered_fact_that_no_key_depends_on_is_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key = key_of(tamper, "knn")
    tamper("UPDATE cell SET facts = json_set(facts, '$.p', 2) WHERE key = ?", key)
    (finding,) = check().findings
    assert finding.message == "p is stored as 2, but it is inf"


def test_an_altered_checksum_is_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key = key_of(tamper, "scaled")
    for factor, number in ((1 + 1e-7, 0), (1 + 1e-5, 1)):
        tamper("UPDATE chunk SET checksum = ? * checksum WHERE key = ? AND start = 4", factor, key)
        findings = check().findings
        assert [finding.signals for finding in findings] == [(4,)] * number


def test_another_environment_has_a_tolerance(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    tamper("UPDATE environment SET facts = json_set(facts, '$.python', '3')")
    key = key_of(tamper, "scaled")
    (blob,) = tamper("SELECT scores FROM chunk WHERE key = ? AND start = 2", key)
    for by, number in ((1e-7, 0), (1e-5, 1)):
        changed = altered(blob, "<f8", 1, by)
        tamper("UPDATE chunk SET scores = ? WHERE key = ? AND start = 2", changed, key)
        findings = check(sample=None).findings
        assert [finding.signals for finding in findings] == [(3,)] * number


KERNEL = """
import sys
from benchbase.cli import main
from benchbase.discovery.provenance import environment
from benchbase.discovery.registry import registry
print(environment()["blas"], file=sys.stderr)
main()
"""


def test_results_of_another_blas_kernel_reproduce(folder: Path) -> None:
    blas = environment()["blas"]
    if platform.machine() != "x86_64" or "openblas" not in blas[0] or "Nehalem" in blas[0]:
        pytest.skip("needs OpenBLAS on x86, which has several kernels")
    command = ["verify", str(folder), "--plugin", str(folder / "plugin.py"), "--sample", "8"]
    there = subprocess.run(
        [sys.executable, "-c", KERNEL, *command],
        env=os.environ | {"OPENBLAS_CORETYPE": "Nehalem"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Nehalem" in there.stderr
    assert there.returncode == 0, there.stdout
    assert "8 cells run again: all reproduce" in there.stdout


def test_an_edited_solver_is_named_and_the_others_are_verified(
    verify_cli: Cli, folder: Path
) -> None:
    (folder / "plugin.py").write_text(PLUGIN.replace("run.normal(", "2 * run.normal("))
    result = verify_cli(folder, "--plugin", folder / "plugin.py", "--sample", "all")
    assert result.exit_code == 1
    *lines, summary = result.stdout.splitlines()
    told = "8 cells: cannot be verified: the code of solver"
    assert lines == [
        f"run 1, {label}, {told} '{label}' has changed since" for label in ("scaled", "fragile")
    ]
    assert "20 cells run again: 16 findings" in summary


def test_a_data_set_that_gives_the_same_signals_is_not_suspected(
    check: Callable[..., Verification], folder: Path, tamper: Callable[..., Any]
) -> None:
    tamper("DELETE FROM run_cell WHERE label != 'scaled'")  # nothing else speaks for the parts
    (folder / "plugin.py").write_text(f"{PLUGIN}\nEDITED = 1\n")
    (told,) = {finding.message for finding in check().findings}
    suspects = "solver 'scaled' or of pooling 'lp' or of frame 'gaussian'"
    assert told == f"cannot be verified: the code of {suspects} has changed since"


def test_a_changed_core_is_named(
    check: Callable[..., Verification], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Code, "core", lambda _: "another")
    found = check(sample=None)
    assert found.cells_run == 0
    assert len(found.findings) == 40
    assert all("or of benchbase has changed since" in each.message for each in found.findings)


def test_a_component_that_is_not_installed_is_a_finding(verify_cli: Cli, folder: Path) -> None:
    result = verify_cli(folder, "--sample", "0")
    assert result.exit_code == 1
    *lines, hint, _ = result.stdout.splitlines()
    assert [line.partition("; there are")[0] for line in lines] == [
        f"run 1, {label}, 8 cells: cannot be verified: no solver named '{label}'"
        for label in ("scaled", "fragile")
    ]
    assert hint == "solvers in a plugin file need --plugin FILE"


def test_what_a_plugin_changes_in_its_process_changes_nothing_in_the_verifying_one(
    tmp_path: Path, fresh_registry: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.toml").write_text(SUITE.partition("[[solver]]")[0].replace("90", "12"))
    (tmp_path / "leaky.py").write_text("""\
import numpy as np
import benchbase

@benchbase.solver
def leaky(frame, pooling, b, rng):
    np.linalg.leaky = 1
    return np.ones(frame.n)
""")
    monkeypatch.setattr("benchbase.checking.verify.LocalWorkers", LocalWorkers)
    given: dict[str, Any] = {"plugins": [tmp_path / "leaky.py"]}
    benchbase.run(
        tmp_path / "s.toml", results=tmp_path, points=1, trials=1, jobs=1,
        changes={"grid.dataset": [{"name": "gaussian", "n": 6}]}, **given,
    )  # fmt: skip # one argument per line would not be clearer
    found = verify(tmp_path, sample=None, **given)
    assert (found.cells_run, found.findings) == (2, [])
    assert not hasattr(np.linalg, "leaky")


def test_a_solver_that_gives_something_else_is_found_by_running_it(
    check: Callable[..., Verification], monkeypatch: pytest.MonkeyPatch
) -> None:
    def reseeded(seed: int, trial: int, signals: range) -> list[bytes]:
        return solver_keys(seed + 1, trial, signals)

    monkeypatch.setattr("benchbase.numerics.instance.solver_keys", reseeded)
    found = check(sample=None)
    assert {finding.label for finding in found.findings} >= {"altmin", "scaled", "restarts"}
    assert "knn" not in {finding.label for finding in found.findings}  # nothing random in it
    assert all("run again: " in finding.message for finding in found.findings)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"by": 1e-7}, None),
        ({"by": 1e-3}, "run again: the mean squared cosine differs by 0.001, with a standard"),
        ({"status": "failed", "message": "no luck"}, "run again: no luck"),
    ],
)
def test_elsewhere_the_mean_over_a_cell_must_be_that_stored(
    check: Callable[..., Verification],
    tamper: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    told: str | None,
) -> None:
    execute = InProcess.run

    def run(self: InProcess, tasks: Any) -> Iterator[Any]:
        for outcome in execute(self, tasks):
            outcome["squared_cosine"] += change.get("by", 0.0)
            yield outcome | change

    monkeypatch.setattr(InProcess, "run", run)
    tamper("UPDATE environment SET facts = json_set(facts, '$.python', '3')")
    tamper("DELETE FROM run_cell WHERE label = 'fragile'")  # a cosine of NaN is no number to change
    messages = [finding.message for finding in check().findings]
    assert messages == []
    found = check(sample=3).findings
    assert (len(found) >= 3) == (told is not None)  # a line for each chunk that fails
    assert all(finding.message.startswith(told or "!") for finding in found)


def test_noise_elsewhere_is_no_finding(
    check: Callable[..., Verification], tamper: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = InProcess.run

    def run(self: InProcess, tasks: Any) -> Iterator[Any]:
        for outcome in execute(self, tasks):
            noise = 0.01 * (-1.0) ** np.arange(outcome["start"], outcome["stop"])
            yield outcome | {"squared_cosine": outcome["squared_cosine"] + noise}

    monkeypatch.setattr(InProcess, "run", run)
    tamper("DELETE FROM run_cell WHERE label = 'fragile'")  # a failure has no cosine to change
    assert len(check(sample=3).findings) == 3
    tamper("UPDATE environment SET facts = json_set(facts, '$.python', '3')")
    assert check(sample=3).findings == []  # 0.002 is less than 3 standard errors of 0.005


def test_a_status_that_does_not_go_with_the_scores_is_found(
    check: Callable[..., Verification], tamper: Callable[..., Any]
) -> None:
    key = key_of(tamper, "scaled")
    tamper("UPDATE chunk SET status = 'failed' WHERE key = ? AND start = 2", key)
    (finding,) = check().findings
    assert (finding.label, finding.signals) == ("scaled", (2, 3))


def test_the_sample_is_fixed_and_of_the_size_asked_for(check: Callable[..., Verification]) -> None:
    assert [check(sample=n).cells_run for n in (0, 3, 1000)] == [0, 3, 32]


def test_results_that_cannot_be_read_exit_with_2(
    verify_cli: Cli, folder: Path, tmp_path: Path, tamper: Callable[..., Any]
) -> None:
    assert verify_cli(tmp_path / "none").exit_code == 2
    assert verify_cli(folder, "--run", "9").exit_code == 2
    assert verify_cli(folder, "--sample", "some").exit_code == 2
    tamper("UPDATE cell SET facts = '{'")
    result = verify_cli(folder)
    assert result.exit_code == 2
    assert "is damaged: a row of its table 'cell'" in result.stderr
    (folder / FILE).write_bytes(b"no database" * 100)
    assert verify_cli(folder).exit_code == 2


def test_json_is_all_there_is_on_standard_output(verify_cli: Cli, folder: Path) -> None:
    result = verify_cli(folder, "--json", "--sample", "1")
    summary = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (summary["runs"], summary["cells"], summary["cells_run"]) == ([1], 40, 1)
    assert {each["label"] for each in summary["findings"]} == {"scaled", "fragile"}
