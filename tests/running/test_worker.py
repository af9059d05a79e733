from __future__ import annotations

import hashlib
import importlib
import json
import pickle
import platform
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import DenseFrame, Problem, Recovery, Run
from benchbase.discovery.code import Code
from benchbase.discovery.registry import Registry, registry
from benchbase.numerics.streams import generator
from benchbase.running.worker import Worker
from benchbase.tasks import Outcome, Task

Array = benchbase.Array
Rng = np.random.Generator
POINTS = 6

CALLS: Counter[str] = Counter()
"""How often the components below were called."""


class Signals(benchbase.Dataset):
    name = "signals"
    n: int = 5

    def train(self, rng: Rng) -> Array | None:
        CALLS["train"] += 1
        return rng.standard_normal((20, 5))

    def test(self, size: int, rng: Rng) -> Array:
        CALLS["test"] += 1
        return rng.standard_normal((size, self.n))


class Vectors(benchbase.FrameDesign):
    name = "vectors"
    n_pools: int = 20

    def build(self, n: int, train: Array | None, rng: Rng) -> DenseFrame:
        CALLS["frame"] += 1
        return DenseFrame(rng.standard_normal((self.n_pools, 2, n)))


class Iterates(benchbase.Solver):
    name = "iterates"
    n_iter: int = 30

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        CALLS["prepare"] += 1

        def inverse(b: Array, run: Run) -> Recovery:
            x = run.normal(problem.frame.n)
            for _ in range(self.n_iter):
                c = problem.pooling.rescale(problem.frame.analyse(x), b)
                x = problem.frame.least_squares(c)
            return self.finish(x)

        return inverse

    def finish(self, x: Array) -> Recovery:
        return Recovery(x=x)


def loop(frame: Any, pooling: Any, b: Array, rng: Rng) -> Array:
    x = rng.standard_normal(frame.n)
    for _ in range(30):
        x = frame.least_squares(pooling.rescale(frame.analyse(x), b))
    return np.asarray(x)


@pytest.fixture
def known() -> Registry:
    CALLS.clear()
    loaded = Registry()
    loaded.load_installed()
    loaded.classes["dataset"]["signals"] = Signals
    loaded.classes["frame"]["vectors"] = Vectors
    loaded.add(Iterates)
    loaded.add(benchbase.solver(loop))
    return loaded


@pytest.fixture
def execute(known: Registry) -> Callable[..., Outcome]:
    """Return what executes the task of a solver class in a worker of its own."""

    def run(solver: type[benchbase.Solver] = Iterates, **changes: Any) -> Outcome:
        known.add(solver)
        return Worker(known).execute(make(**({"solver": {"name": solver.name}} | changes)))

    return run


def make(**changes: Any) -> Task:
    """Return a task whose keys follow from what they have to."""
    facts: dict[str, Any] = {
        "dataset": {"name": "signals"},
        "frame": {"name": "vectors"},
        "pooling": {"name": "lp", "p": 2},
        "solver": {"name": "iterates"},
        "seed": 0,
        "trial": 0,
        "points": POINTS,
        "start": 0,
        "sources": {},
        "shared": [],
        "code": {},
        "packages": {},
        "files": [""],
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

    def digest(*names: str) -> str:
        return hashlib.sha256(json.dumps([facts[name] for name in names]).encode()).hexdigest()

    signals = ("dataset", "seed", "trial", "points")
    facts["train_key"] = digest("dataset", "seed") + str(id(CALLS))
    facts["signals_key"] = digest(*signals)
    facts["group_key"] = digest(*signals, "frame")
    facts["problem_key"] = digest(*signals, "frame", "pooling")
    facts["key"] = digest(*signals, "frame", "pooling", "solver")
    return facts  # type: ignore[return-value] # all keys are there


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return type(value) is dict and all(
            type(key) is str and is_plain(item) for key, item in value.items()
        )
    if isinstance(value, list):
        return type(value) is list and all(map(is_plain, value))
    if isinstance(value, np.ndarray):
        return type(value) is np.ndarray and value.dtype.kind == "f"
    return value is None or type(value) in (str, int, float, bool, bytes)


def same(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes are the same, times aside."""
    assert one.keys() == other.keys()
    names = [name for name in one if not name.endswith("_seconds")]
    return all(np.array_equal(one[name], other[name], equal_nan=name in SCORES) for name in names)  # type: ignore[literal-required] # its own keys


SCORES = ("squared_cosine", "relative_error", "residual", "n_iter", "converged")


OF_OTHERS = {"time_limit", "exit_code", "isolated", "sealed"}
"""The parts of an outcome that a worker does not set, or not of a chunk that is done."""


# What comes back ---------------------------------------------------------------------------------


def test_an_outcome_is_complete_and_plain(execute: Callable[..., Outcome]) -> None:
    outcome = execute(send_signals=True, trace=True)
    assert outcome["status"] == "done", outcome
    assert set(outcome) == set(Outcome.__annotations__) - OF_OTHERS
    assert is_plain(dict(outcome))
    for name in SCORES:
        assert outcome[name].shape == (POINTS,)  # type: ignore[literal-required] # its own keys
    for array in (outcome["x"], outcome["signals"]):
        assert array.dtype == np.float32
        assert array.shape == (POINTS, 5)
    again = pickle.loads(pickle.dumps(outcome))
    assert same(again, outcome)
    assert outcome["squared_cosine"].max() > 0.9
    assert np.isnan(outcome["n_iter"]).all()


class Counts(Iterates):
    name = "counts"

    def finish(self, x: Array) -> Recovery:
        size = len(x)
        return Recovery(x=x, n_iter=np.arange(size), converged=np.arange(size) > 2, message="hm")


class Lists(Iterates):
    name = "lists"

    def finish(self, x: Array) -> Recovery:
        size = len(x)
        return Recovery(x=x.tolist(), n_iter=[*range(size)], converged=[n > 2 for n in range(size)])  # type: ignore[arg-type] # lists do


class Whole(Iterates):
    name = "whole"

    def finish(self, x: Array) -> Recovery:
        return Recovery(x=np.ones(x.shape, dtype=np.int64))


class Strict(Iterates):
    name = "strict"

    def finish(self, x: Array) -> Recovery:
        return Recovery(x=np.asfortranarray(x.astype(np.float32)))


@pytest.mark.parametrize("solver", [Counts, Lists])
def test_iterations_and_convergence_are_passed_on(
    solver: type[Iterates], execute: Callable[..., Outcome]
) -> None:
    outcome = execute(solver)
    assert outcome["status"] == "done"
    assert outcome["n_iter"].tolist() == [0, 1, 2, 3, 4, 5]
    assert outcome["converged"].tolist() == [0, 0, 0, 1, 1, 1]
    assert outcome["message"] == ("hm" if solver is Counts else "")
    assert is_plain(dict(outcome))


@pytest.mark.parametrize("solver", [Whole, Strict])
def test_real_numbers_of_any_kind_do(
    solver: type[Iterates], execute: Callable[..., Outcome]
) -> None:
    outcome = execute(solver)
    assert outcome["status"] == "done"
    assert is_plain(dict(outcome))
    assert outcome["x"].dtype == np.float32


def test_a_stored_table_can_be_scored_again_exactly(
    execute: Callable[..., Outcome], known: Registry
) -> None:
    outcome = execute(seed=4, trial=1, send_signals=True, pooling={"name": "lp", "p": 1})
    frame = Vectors().build(5, None, generator(4, "frame", 20, 1))
    pooling = known.build("pooling", {"name": "lp", "p": 1})
    problem = Problem(frame, pooling)  # type: ignore[arg-type] # built as a pooling
    x, truth = outcome["x"].astype(float), outcome["signals"].astype(float)
    np.testing.assert_array_equal(outcome["squared_cosine"], benchbase.squared_cosine(x, truth))
    np.testing.assert_array_equal(outcome["relative_error"], benchbase.relative_error(x, truth))
    residual = problem.residual(x, problem.measure(truth))
    np.testing.assert_array_equal(outcome["residual"], residual)


def test_signals_are_sent_when_asked_for(execute: Callable[..., Outcome]) -> None:
    assert "signals" not in execute()
    part = execute(start=2, stop=3, send_signals=True)
    np.testing.assert_array_equal(part["signals"], execute(send_signals=True)["signals"])
    drawn = generator(0, "test", 0).standard_normal((POINTS, 5))
    np.testing.assert_allclose(part["signals"], drawn, rtol=1e-6)


def test_a_worker_sends_signals_once(known: Registry) -> None:
    worker = Worker(known)
    tasks = [make(seed=seed, send_signals=True) for seed in (0, 1, 0, 1)]
    assert ["signals" in worker.execute(each) for each in tasks] == [True, True, False, False]


def test_the_host_is_named_when_asked_for(execute: Callable[..., Outcome]) -> None:
    assert "host" not in execute()["environment"]
    assert execute(host_name=True)["environment"]["host"] == platform.node()


def planned(cls: type) -> dict[str, str]:
    """Return the digests of a class that a task has."""
    return {name: digest for name, digest in Code().of(cls).items() if digest is not None}


@pytest.mark.parametrize("name", ["benchbase_altmin.altmin", "no_such_package", "benchbase"])
def test_other_code_than_the_run_was_planned_with_is_refused(
    execute: Callable[..., Outcome], name: str
) -> None:
    right = planned(registry().classes["solver"]["knn"])
    assert execute(code={"solver": right})["status"] == "done"
    outcome = execute(code={"solver": right | {name: "0" * 64}})
    assert outcome["status"] == "refused"
    assert outcome["exit_code"] == 2
    assert f"the code of '{name}' is not what the run was planned with" in outcome["message"]


LAZY = """
import benchbase
class Mine(benchbase.Solver):
    name = "lazy"
    def prepare(self, problem):
        from lazy_package.helper import scale
        return lambda b, run: benchbase.Recovery(x=scale * run.normal(problem.frame.n))
"""


@pytest.mark.parametrize(
    ("edit", "status"),
    [(None, "done"), ("scale = 1  # a remark\n", "done"), ("scale = 2\n", "refused")],
)
def test_code_that_is_edited_before_it_is_imported_is_refused(
    execute: Callable[..., Outcome],
    write: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    edit: str | None,
    status: str,
) -> None:
    """After the worker has compared it with the plan; if it says something else."""
    write({"lazy_package/__init__.py": LAZY, "lazy_package/helper.py": "scale = 1\n"})
    mine = importlib.import_module("lazy_package").Mine
    asked = []

    def unsupported(self: benchbase.Solver, problem: Problem) -> None:
        asked.append(problem)
        if edit is not None:
            write({"lazy_package/helper.py": edit})

    monkeypatch.setattr(mine, "unsupported", unsupported)
    outcome = execute(mine, code={"solver": planned(mine)})
    assert asked
    assert outcome["status"] == status, outcome


DYNAMIC = """
import importlib
import benchbase
class Mine(benchbase.Solver):
    name = "dynamic"
    def prepare(self, problem):
        scale = importlib.import_module("dynamic_" + "scale").X
        return lambda b, run: benchbase.Recovery(x=scale * run.normal(problem.frame.n))
"""


def test_modules_that_no_text_tells_of_are_recorded(
    execute: Callable[..., Outcome], known: Registry, write: Callable[..., Path]
) -> None:
    write({"dynamic.py": DYNAMIC, "dynamic_scale.py": "X = 2\n"})
    mine = importlib.import_module("dynamic").Mine
    first, second = (execute(mine, code={"solver": planned(mine)}) for _ in range(2))
    assert first["environment"]["loaded"].keys() == {"dynamic/dynamic_scale.py"}
    assert second["environment"] == first["environment"]
    told = make(
        solver={"name": "altmin"}, code={"solver": planned(known.classes["solver"]["altmin"])}
    )
    assert "loaded" not in Worker(known).execute(told)["environment"]


# Tasks in succession -----------------------------------------------------------------------------


def test_interleaved_tasks_give_what_they_give_alone(known: Registry) -> None:
    problems: list[dict[str, Any]] = [
        {"frame": {"name": "vectors", "n_pools": 8}},
        {"frame": {"name": "vectors", "n_pools": 9}},
        {"frame": {"name": "vectors", "n_pools": 9}, "trial": 1},
        {"pooling": {"name": "lp", "p": 1}, "seed": 1},
        {"points": 3},
    ]
    tasks = [
        make(**problem, solver={"name": "iterates", "n_iter": n_iter})
        for problem in problems
        for n_iter in (0, 3)
    ]
    alone = [Worker(known).execute(task) for task in tasks]
    worker = Worker(known)
    order = np.random.default_rng(0).integers(len(tasks), size=60)
    for index in [*range(len(tasks)), *order]:
        assert same(worker.execute(tasks[index]), alone[index])


def test_the_last_two_problems_and_their_signals_are_kept(known: Registry) -> None:
    a, b, c = (make(frame={"name": "vectors", "n_pools": k}) for k in (7, 8, 9))
    worker = Worker(known)
    for task in (a, b, a, b, a):
        worker.execute(task)
    assert (CALLS["frame"], CALLS["test"]) == (2, 1)
    for task in (c, a, c, a):
        worker.execute(task)
    assert (CALLS["frame"], CALLS["test"]) == (3, 1)
    worker.execute(b)
    assert CALLS["frame"] == 4


def test_training_signals_are_made_once_for_all(known: Registry) -> None:
    tasks = [make(dataset={"name": "signals"}, seed=77, trial=trial) for trial in range(3)]
    for task in tasks:
        Worker(known).execute(task)
    assert CALLS["train"] == 1
    assert CALLS["test"] == 3


def test_a_solver_is_prepared_once_for_the_chunks_of_a_cell(known: Registry) -> None:
    chunks = [{"start": start, "stop": start + 2} for start in (0, 2, 4)]
    worker = Worker(known)
    for chunk in chunks:
        worker.execute(make(**chunk))
    assert CALLS["prepare"] == 1
    for chunk in chunks:
        worker.execute(make(**chunk, solver={"name": "iterates", "n_iter": 1}))
        worker.execute(make(**chunk))
    assert CALLS["prepare"] == 7


@pytest.mark.parametrize("size", [1, 2, 4])
def test_chunks_of_a_cell_are_the_whole_cell(size: int, known: Registry) -> None:
    whole = Worker(known).execute(make(solver={"name": "loop"}))
    worker = Worker(known)
    parts = [
        worker.execute(make(solver={"name": "loop"}, start=start, stop=min(start + size, POINTS)))
        for start in range(0, POINTS, size)
    ]
    np.testing.assert_array_equal(np.concatenate([part["x"] for part in parts]), whole["x"])
    for name in ("squared_cosine", "relative_error", "residual"):
        joined = np.concatenate([part[name] for part in parts])
        np.testing.assert_allclose(joined, whole[name], atol=1e-12)


def test_more_points_begin_with_the_same(known: Registry) -> None:
    worker = Worker(known)
    few, many = (worker.execute(make(points=n, solver={"name": "loop"})) for n in (3, 6))
    np.testing.assert_array_equal(many["x"][:3], few["x"])


# Costs -------------------------------------------------------------------------------------------


class Clock:
    now = 0.0


class Spends(Iterates):
    """Passes time: 1000 to prepare, 100 in all else, 10 in "init", 1 in a phase inside that."""

    name = "spends"
    takes_vectors: bool = False

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        frame = problem.frame
        Clock.now += 1000
        frame.analyse(np.ones((7, 5)))
        if self.takes_vectors:
            frame.dense()

        def inverse(b: Array, run: Run) -> Recovery:
            Clock.now += 60
            with run.phase("init") as init:
                Clock.now += 10
                frame.analyse(np.ones((len(b), 5)))
                with init.phase("search"):
                    Clock.now += 1
            Clock.now += 40
            frame.least_squares(frame.analyse(np.ones((len(b), 5))))
            return Recovery(x=run.normal(5))

        return inverse


@pytest.mark.parametrize("takes_vectors", [False, True])
def test_times_and_applications_are_means_a_signal(
    takes_vectors: bool, known: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchbase.numerics.ledger.time.perf_counter", lambda: Clock.now)
    known.add(Spends)
    worker = Worker(known)
    spec = {"name": "spends", "takes_vectors": takes_vectors}
    for start, stop in ((0, 4), (4, 6)):
        outcome = worker.execute(make(solver=spec, start=start, stop=stop))
        assert outcome["prepare_seconds"] == 1000
        assert outcome["init_seconds"] == 11 / (stop - start)
        assert outcome["solve_seconds"] == 100 / (stop - start)
        assert outcome["frame_applications"] == (None if takes_vectors else 3)


class Records(Iterates):
    name = "records"

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            for step in range(4):
                run.record(step, np.ones((len(b), 5)))
            return Recovery(x=np.ones((len(b), 5)))

        return inverse


@pytest.mark.parametrize(("most", "status"), [(4 * POINTS * 5 * 8, "done"), (959, "failed")])
def test_a_solver_may_record_so_much(
    most: int, status: str, execute: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchbase.running.solving.MOST_SNAPSHOTS", most)
    outcome = execute(Records, trace=True)
    assert outcome["status"] == status
    assert ("of snapshots; record fewer" in outcome["message"]) == (status == "failed")
    assert execute(Records, trace=False)["status"] == "done"
