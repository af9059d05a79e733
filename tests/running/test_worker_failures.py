"""What becomes of a task in which something goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import DenseFrame, Problem, Recovery, Run
from benchbase.discovery.registry import Registry
from benchbase.running.worker import Worker
from benchbase.tasks import Outcome, Task, fingerprints

Array = benchbase.Array
POINTS = 6


class Wrong(benchbase.Dataset):
    """Signals of another dimension than it says."""

    name = "wrong"
    n: int = 5

    def test(self, size: int, rng: np.random.Generator) -> Array:
        return np.ones((size, self.n + 1))


class NoFrame(benchbase.FrameDesign):
    name = "no-frame"

    def build(self, n: int, train: Array | None, rng: np.random.Generator) -> DenseFrame:
        raise ArithmeticError("no such frame")


class Guess(benchbase.Solver):
    """A solver in order."""

    name = "guess"

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        return lambda b, run: self.finish(run.normal(problem.frame.n))

    def finish(self, x: Array) -> Recovery:
        return Recovery(x=x)


@pytest.fixture
def known() -> Registry:
    loaded = Registry()
    loaded.load_installed()
    return loaded


@pytest.fixture
def execute(known: Registry) -> Callable[..., Outcome]:
    """Return what executes the task of a solver class, in a worker of its own."""
    known.classes["dataset"]["wrong"] = Wrong
    known.classes["frame"]["no-frame"] = NoFrame
    known.add(Refuses)

    def run(solver: type[benchbase.Solver] = Guess, **changes: Any) -> Outcome:
        known.add(solver)
        facts: dict[str, Any] = {
            "dataset": {"name": "digits", "components": 5},
            "frame": {"name": "gaussian", "n_pools": 20},
            "pooling": {"name": "lp", "p": 2},
            "solver": {"name": solver.name},
            "seed": 0,
            "trial": 0,
            "points": POINTS,
            "start": 0,
            "sources": {},
            "shared": [],
            "code": {},
            "packages": {},
            "host_name": False,
            "send_signals": False,
            "noise": None,
            "hint": None,
            "trace": False,
            "others": [],
            "answers": None,
            "time_limit": None,
        } | changes
        facts.setdefault("stop", facts["points"])
        with contextlib.suppress(benchbase.BenchbaseError):  # the worker is to find it out
            dataset = known.build("dataset", facts["dataset"])
            facts.setdefault("files", fingerprints(dataset))
        facts.setdefault("files", [])
        facts.setdefault("train_key", str(facts["dataset"]))
        facts |= dict.fromkeys(("key", "signals_key", "problem_key", "group_key"), "key")
        task: Task = facts  # type: ignore[assignment] # all keys are there
        return Worker(known).execute(task)

    return run


def is_plain(outcome: Outcome) -> bool:
    """Whether an outcome is what any process can send: numbers, text and arrays of numbers."""
    return all(
        (type(value) is np.ndarray and value.dtype.kind == "f")
        or value is None
        or type(value) in (str, int, float, dict)
        for value in outcome.values()
    )


class FailsToSay(Guess):
    name = "fails-to-say"

    def unsupported(self, problem: Problem) -> str | None:
        raise ArithmeticError("two\nlines")


class FailsToPrepare(Guess):
    name = "fails-to-prepare"

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        raise ArithmeticError("two\nlines")


class FailsToSolve(Guess):
    name = "fails-to-solve"

    def finish(self, x: Array) -> Recovery:
        raise ArithmeticError("two\nlines")


@pytest.mark.parametrize("solver", [FailsToSay, FailsToPrepare, FailsToSolve])
def test_a_solver_that_raises_fails_in_one_line(
    solver: type[Guess], execute: Callable[..., Outcome]
) -> None:
    outcome = execute(solver, send_signals=True)
    assert outcome["status"] == "failed"
    assert outcome["message"].startswith("ArithmeticError: two lines (test_worker_failures.py:")
    assert is_plain(outcome)
    assert "x" not in outcome
    assert "signals" in outcome


def test_a_message_that_is_no_text_can_be_stored(execute: Callable[..., Outcome]) -> None:
    def fail(self: Any, x: Array) -> Recovery:
        raise ArithmeticError(os.fsdecode(b"caf\xe9"))

    message = execute(type("Odd", (Guess,), {"name": "odd", "finish": fail}))["message"]
    assert message.startswith("ArithmeticError: caf")
    assert message.encode()


class Silent(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


class FailsToTell(Guess):
    name = "fails-to-tell"

    def finish(self, x: Array) -> Recovery:
        raise Silent


class Exits(Guess):
    name = "exits"

    def finish(self, x: Array) -> Recovery:
        raise SystemExit(3)


@pytest.mark.parametrize("solver", [FailsToTell, Exits])
def test_a_solver_cannot_end_the_run(solver: type[Guess], execute: Callable[..., Outcome]) -> None:
    assert execute(solver)["status"] == "failed"


class Interrupted(Guess):
    name = "interrupted"

    def finish(self, x: Array) -> Recovery:
        raise KeyboardInterrupt


def test_an_interruption_is_no_failure(execute: Callable[..., Outcome]) -> None:
    with pytest.raises(KeyboardInterrupt):
        execute(Interrupted)


RETURNS: dict[str, tuple[Callable[[Array], Any], str]] = {
    "an array": (lambda x: x, "ndarray, not a Recovery"),
    "nothing": (lambda x: None, "NoneType, not a Recovery"),
    "one row": (lambda x: Recovery(x=x[0]), r"x of shape \(5,\), not \(6, 5\)"),
    "too few rows": (lambda x: Recovery(x=x[1:]), r"x of shape \(5, 5\), not \(6, 5\)"),
    "columns": (lambda x: Recovery(x=x.T), r"x of shape \(5, 6\)"),
    "complex": (lambda x: Recovery(x=x + 0j), "x must hold real numbers"),
    "text": (lambda x: Recovery(x=x.astype(str)), "signals are real"),
    "objects": (lambda x: Recovery(x=x.astype(object)), "signals are real"),
    "ragged": (lambda x: Recovery(x=[[1.0], [1.0, 2.0]]), "inhomogeneous"),  # type: ignore[arg-type] # what is tested
    "one number": (lambda x: Recovery(x=x, n_iter=np.array(3)), "n_iter of shape"),
    "long": (lambda x: Recovery(x=x, converged=np.zeros(9, bool)), "converged of shape"),
    "words": (lambda x: Recovery(x=x, n_iter=np.array(["a"] * 6)), "could not convert"),
}


@pytest.mark.parametrize("what", RETURNS)
def test_what_is_no_recovery_fails(what: str, execute: Callable[..., Outcome]) -> None:
    give, sentence = RETURNS[what]
    solver = type("Bad", (Guess,), {"name": "bad", "finish": lambda self, x: give(x)})
    outcome = execute(solver)
    assert outcome["status"] == "failed"
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(outcome["message"])
    assert is_plain(outcome)


@pytest.mark.parametrize("remark", [None, 3, ValueError("x")], ids=repr)
def test_a_remark_that_is_no_text_does_no_harm(
    remark: Any, execute: Callable[..., Outcome]
) -> None:
    body = {"name": "remarks", "finish": lambda self, x: Recovery(x=x, message=remark)}
    outcome = execute(type("Remarks", (Guess,), body))
    assert type(outcome["message"]) is str


class PartlyNan(Guess):
    name = "partly-nan"

    def finish(self, x: Array) -> Recovery:
        x[1], x[2, 3], x[4] = np.nan, np.inf, 1e300
        return Recovery(x=x)


def test_rows_that_are_not_finite_fail_alone(execute: Callable[..., Outcome]) -> None:
    outcome, whole = execute(PartlyNan), execute()
    assert outcome["status"] == "done"
    lost = np.array([False, True, True, False, True, False])
    for name in ("squared_cosine", "relative_error", "residual"):
        np.testing.assert_array_equal(np.isnan(outcome[name]), lost)
        np.testing.assert_allclose(outcome[name][~lost], whole[name][~lost], atol=1e-12)
    assert np.isinf(outcome["x"][4]).all()  # beyond float32


WRITES: dict[str, Callable[[Problem, Array], None]] = {
    "measurements": lambda problem, b: b.fill(0),
    "vectors": lambda problem, b: problem.frame.dense().fill(0),
    "training signals": lambda problem, b: problem.training.fill(0),  # type: ignore[union-attr] # digits have some
}


@pytest.mark.parametrize("what", WRITES)
def test_nothing_that_is_given_can_be_written(what: str, execute: Callable[..., Outcome]) -> None:
    class Writes(Guess):
        name = "writes"

        def prepare(self, problem: Problem) -> benchbase.Inverse:
            def inverse(b: Array, run: Run) -> Recovery:
                WRITES[what](problem, b)
                return Recovery(x=run.normal(5))

            return inverse

    outcome = execute(Writes)
    assert outcome["status"] == "failed"
    assert "read-only" in outcome["message"]


class Refuses(Guess):
    name = "refuses"
    requires = ("no_such_module",)

    def unsupported(self, problem: Problem) -> str | None:
        return "p is 1" if problem.pooling.p == 1 else None


class Inside(Guess):
    name = "inside"
    inner: benchbase.Solver = Refuses()


@pytest.mark.parametrize("solver", [Refuses, Inside])
def test_what_does_not_apply_or_is_not_installed_is_no_failure(
    solver: type[benchbase.Solver], execute: Callable[..., Outcome]
) -> None:
    outcome = execute(solver, pooling={"name": "lp", "p": 1}, send_signals=True)
    assert (outcome["status"], outcome["message"]) == ("unsupported", "p is 1")
    assert "signals" in outcome
    outcome = execute(solver)
    assert outcome["status"] == "unsupported"
    assert outcome["message"].startswith("not installed: no_such_module (")
    assert is_plain(outcome)


def test_a_users_mistakes_are_refused(
    execute: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHBASE_OFFLINE", "1")
    monkeypatch.setenv("BENCHBASE_DATA", str(tmp_path))
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path))
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"dataset": {"name": "digits"}, "points": 511}, "510"),
        ({"dataset": {"name": "mnist"}}, "train-images-idx3-ubyte"),
        ({"sources": {"solver": [str(tmp_path / "gone.py")]}}, "gone.py"),
        ({"frame": {"name": "gaussian", "n_pools": 3, "pool_size": 6}}, "pool_size"),
        ({"dataset": {"name": "nothing"}}, "no dataset named 'nothing'"),
    ]
    for changes, sentence in mistakes:
        outcome = execute(**changes)
        assert outcome["status"] == "refused"
        assert sentence in outcome["message"]
        assert is_plain(outcome)


def test_a_problem_that_cannot_be_built_is_no_failure_of_the_solver(
    execute: Callable[..., Outcome],
) -> None:
    outcome = execute(dataset={"name": "wrong"})
    assert outcome["status"] == "refused"
    assert f"the dataset 'wrong' gave an array of shape ({POINTS}, 6)" in outcome["message"]
    outcome = execute(frame={"name": "no-frame"})
    assert (outcome["status"], outcome["exit_code"]) == ("refused", 2)
    assert outcome["message"].startswith("the frame 'no-frame' failed: ArithmeticError: no such")


class Sloppy(Guess):
    """Changes what it shares with others."""

    name = "sloppy"

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        os.chdir("/")
        np.seterr(all="raise")
        return super().prepare(problem)


def test_what_a_solver_sets_is_for_itself_alone(execute: Callable[..., Outcome]) -> None:
    folder, before = Path.cwd(), np.geterr()
    assert execute(Sloppy)["status"] == "done"
    assert (Path.cwd(), np.geterr()) == (folder, before)


class Cancelled(Guess):
    name = "cancelled"

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        raise asyncio.CancelledError


def test_what_is_no_exception_is_a_failure_too(execute: Callable[..., Outcome]) -> None:
    outcome = execute(Cancelled)
    assert outcome["status"] == "failed"
    assert outcome["message"].startswith("CancelledError")


class Files(benchbase.Dataset):
    """Draws from a file that others may write while it does."""

    name = "files"
    n: int = 5
    file: str = ""
    write_when: str = ""

    def _read(self, what: str) -> float:
        level = float(Path(self.file).read_text())
        if what == self.write_when:
            Path(self.file).write_text("2")
        return level

    def train(self, rng: np.random.Generator) -> Array:
        return np.full((50, 5), self._read("train"), dtype=np.float32)

    def test(self, size: int, rng: np.random.Generator) -> Array:
        if self.write_when == "fails":
            Path(self.file).write_text("2")
            raise ValueError("cut short")
        return self._read("test") + rng.standard_normal((size, 5))

    def fingerprint(self) -> str:
        return Path(self.file).read_text()


@pytest.mark.parametrize("what", ["train", "test", "fails"])
def test_signals_of_other_files_than_planned_are_refused(
    execute: Callable[..., Outcome], known: Registry, tmp_path: Path, what: str
) -> None:
    """And never kept for another run."""
    file = tmp_path / "level"
    file.write_text("1")
    known.classes["dataset"]["files"] = Files
    spec = {"name": "files", "file": str(file)}
    changes: dict[str, Any] = {"train_key": str(file), "files": ["1"]}
    outcome = execute(dataset=spec | {"write_when": what}, **changes)
    assert outcome["status"] == "refused"
    assert "the files of the data set 'files' are not those" in outcome["message"]
    if what == "train":
        kept = benchbase.cached(f"train-files {file}", lambda: {"nothing": np.ones(1)})
        assert set(kept) == {"nothing"}
    file.write_text("1")
    assert execute(dataset=spec, **changes)["status"] == "done"
    file.write_text("2")
    assert execute(dataset=spec, **changes)["status"] == "refused"
