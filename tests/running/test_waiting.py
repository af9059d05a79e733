from __future__ import annotations

from typing import Any

import pytest

from benchbase.running.waiting import Held, Realm, Waiting, held_of, realm_of

BUNDLED, A, B = (Realm(sealed=False, sources=sources) for sources in ((), ("a",), ("b",)))
SEALED = Realm(sealed=True, sources=())


def task(problem: str, source: str = "", shared: str = "") -> Any:
    """Return a task whose solver comes from a stranger's plugin, if one is named.

    A problem's group is the first letter of its name.
    """
    sources = {"solver": [source] if source else [], "pooling": []}
    facts = {"problem_key": problem, "key": problem + source, "start": 0, "sources": sources}
    return facts | {"group_key": problem[0], "shared": [shared] if shared else []}


def at(problem: str) -> Held:
    return held_of(task(problem))


def held(*problems: str) -> set[Held]:
    return {at(problem) for problem in problems}


def take(queue: Waiting, problem: str | None, of_others: set[str]) -> str:
    last = None if problem is None else at(problem)
    return queue.take(BUNDLED, last, held(*of_others))[1]["problem_key"]


def test_tasks_go_to_the_worker_that_holds_their_problem() -> None:
    queue = Waiting([task("a"), task("b"), task("a"), task("c"), task("b")])
    assert take(queue, "b", {"a"}) == "b"
    assert take(queue, None, {"a", "b"}) == "c"
    assert take(queue, None, {"a", "b"}) == "a"
    assert take(queue, "a", {"b"}) == "a"
    assert queue
    assert take(queue, "a", {"b"}) == "b"
    assert not queue


def test_then_come_the_other_poolings_of_a_frame_and_frames_that_nobody_has() -> None:
    queue = Waiting([task(name) for name in ("a1", "a2", "a3", "b1", "b2", "c1")])
    assert take(queue, None, set()) == "a1"
    assert take(queue, None, {"a1"}) == "b1"
    assert take(queue, "a1", {"b1"}) == "a2"
    assert take(queue, "b1", {"a2"}) == "b2"
    assert take(queue, "b2", {"a2"}) == "c1"
    assert take(queue, "c1", {"a2"}) == "a3"
    assert not queue


def test_a_worker_stays_with_the_code_that_it_has_run_if_the_frame_has_more_of_it() -> None:
    queue = Waiting([task("a1"), task("a1", "a"), task("a2")])
    assert queue.take(BUNDLED, at("a3"), set())[1]["key"] == "a1"
    assert queue.take(BUNDLED, at("a1"), set())[1]["key"] == "a2"
    assert queue.take(BUNDLED, at("a2"), set())[1]["key"] == "a1a"


def test_a_task_comes_back_once() -> None:
    queue = Waiting([task("a"), task("b")])
    _, first = queue.take(None, None, set())
    assert queue.put_back(first)
    assert queue.take(None, None, set()) == (BUNDLED, first)
    assert not queue.put_back(first)
    assert take(queue, None, set()) == "b"
    assert not queue


@pytest.mark.parametrize(
    ("has_run", "may", "takes"),
    [
        (BUNDLED, BUNDLED, True),
        (BUNDLED, A, True),
        (A, A, True),
        (A, BUNDLED, False),
        (A, B, False),
        (A, Realm(sealed=False, sources=("a", "b")), False),
        (SEALED, BUNDLED, False),
        (BUNDLED, SEALED, False),
    ],
)
def test_a_process_that_ran_a_strangers_code_runs_no_other(
    has_run: Realm, may: Realm, takes: bool
) -> None:
    assert has_run.takes(may) is takes


def test_workers_get_what_they_may_take_and_else_what_needs_another_worker() -> None:
    queue = Waiting([task("x", "a"), task("x"), task("y", "b"), task("z", "b")])
    assert queue.take(B, at("z"), held("y"))[1]["key"] == "zb"
    assert queue.take(B, at("x"), held("y"))[1]["key"] == "yb"
    assert queue.take(BUNDLED, at("x"), set())[1]["key"] == "x"
    realm, last = queue.take(B, at("x"), set())
    assert (realm, last["key"]) == (A, "xa")


def test_what_shares_its_origin_with_the_problem_is_not_sealed() -> None:
    assert realm_of(task("x", "a"), sealed=True) == Realm(sealed=True, sources=("a",))
    assert realm_of(task("x", "a", "a"), sealed=True) == A
