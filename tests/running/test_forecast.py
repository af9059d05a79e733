"""Estimates of what is to do, from outcomes that are written by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchbase.discovery.registry import registry
from benchbase.planning.cells import make_cells
from benchbase.planning.suite import load_suite
from benchbase.running.forecast import Estimate, estimate, longest_first
from benchbase.running.runner import Plan, plan
from benchbase.storage.store import Store
from benchbase.tasks import Outcome

SUITE = """
points = 10
trials = {trials}
dataset = {{ name = "gaussian", n = {n} }}
frame = {{ name = "gaussian" }}
pooling = {{ name = "lp" }}
grid = {{ "frame.n_pools" = {pools} }}
[[solver]]
name = "altmin"
n_iter = {n_iter}
[[solver]]
name = "mean"
"""
PREPARE, SIGNAL = 3.0, 0.25

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    def make(trials: int = 1, n: int = 8, pools: str = "[10]", n_iter: int = 5) -> Plan:
        file = tmp_path / "s.toml"
        file.write_text(SUITE.format(trials=trials, n=n, pools=pools, n_iter=n_iter))
        return plan(make_cells(load_suite(file, registry())), None, registry())

    return make


@pytest.fixture
def store(tmp_path: Path, planned: Planned) -> Store:
    """Return a store with outcomes of altmin for 10 pools, and twice as slow ones for 20."""
    made = Store(tmp_path / "r", create=True)
    todo = planned(pools="[10, 20]", trials=2)
    made.begin_run("s", "", {}, "", todo.cells)
    for task in todo.tasks:
        if task["solver"]["name"] == "altmin":
            factor = task["frame"]["n_pools"] / 10
            scores = dict.fromkeys(
                ("squared_cosine", "relative_error", "residual", "n_iter", "converged"), np.ones(10)
            )
            made.save(
                Outcome(key=task["key"], start=0, stop=10, status="done", environment={},
                        prepare_seconds=factor * PREPARE, init_seconds=factor * SIGNAL / 5,
                        solve_seconds=factor * SIGNAL * 4 / 5, **scores)  # type: ignore[typeddict-item] # names of scores
            )  # fmt: skip # one argument a line says no more
    return made


@pytest.mark.parametrize(("pools", "factor"), [("[10]", 1), ("[14, 20]", 3), ("[900]", 2)])
def test_a_chunk_takes_what_the_nearest_like_it_took(
    planned: Planned, store: Store, pools: str, factor: int
) -> None:
    todo = planned(pools=pools, trials=4)
    found = estimate(todo, store)
    assert found.seconds == pytest.approx(4 * factor * (PREPARE + 10 * SIGNAL))
    assert found.unknown == {"mean": 4 * pools.count(",") + 4}


@pytest.mark.parametrize("changes", [{"n": 9}, {"n_iter": 6}])
def test_other_problems_and_parameters_say_nothing(
    planned: Planned, store: Store, changes: dict[str, int]
) -> None:
    assert estimate(planned(**changes), store) == Estimate(0, {"altmin": 1, "mean": 1})


def test_without_results_nothing_is_known(planned: Planned) -> None:
    assert estimate(planned(), None) == Estimate(0, {"altmin": 1, "mean": 1})


def test_what_timed_out_took_its_limit(planned: Planned, store: Store) -> None:
    (task,) = (task for task in planned(n=9).tasks if task["solver"]["name"] == "altmin")
    store.begin_run("s", "", {}, "", planned(n=9).cells)
    store.save(
        Outcome(key=task["key"], start=0, stop=10, status="timeout", time_limit=7.0, environment={})
    )
    assert estimate(planned(n=9), store) == Estimate(70, {"mean": 1})


def test_the_longest_tasks_come_first(planned: Planned, store: Store) -> None:
    """Twenty pools take twice as long as ten; a solver of which nothing is known comes first."""
    todo = planned(pools="[10, 20]", trials=3)
    longest = longest_first(todo, store)
    order = [(t["trial"], t["frame"]["n_pools"], t["solver"]["name"]) for t in longest.tasks]
    both = ("mean", "altmin")
    assert order == [
        (trial, pools, name) for trial in range(3) for pools in (10, 20) for name in both
    ]
    alone = replace(todo, tasks=[t for t in todo.tasks if t["solver"]["name"] == "altmin"])
    order = [(t["trial"], t["frame"]["n_pools"], "") for t in longest_first(alone, store).tasks]
    assert order == [(trial, pools, "") for trial in range(3) for pools in (20, 10)]
    assert sorted(map(repr, longest.tasks)) == sorted(map(repr, todo.tasks))


def test_a_plan_of_which_nothing_is_known_keeps_its_order(planned: Planned, tmp_path: Path) -> None:
    with Store(tmp_path / "empty", create=True) as store:
        todo = planned(pools="[10, 20]", trials=3)
        assert longest_first(todo, store) == todo
