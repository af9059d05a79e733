"""What solvers share: found once, at the full price for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import Array, DenseFrame, Problem, Query
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.sharing import Answer, Sharing
from benchbase.numerics.streams import SignalRun, solver_keys

S, N, K = 3, 4, 6


class Kept:
    """Keeps answers in memory, and the keys of locks."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.locks: list[str] = []

    def get(self, key: str) -> Answer | None:
        return self.answers.get(key)

    def put(self, key: str, answer: Answer) -> None:
        self.answers[key] = answer

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        self.locks.append(key)
        yield


class Setting:
    """A problem, its measurements, and those under two other poolings."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.ledger = Ledger()
        self.calls: list[int] = []
        frame = CountingFrame(DenseFrame(rng.standard_normal((K, 2, N))), self.ledger)
        training = rng.standard_normal((9, N)).astype(np.float32)
        self.poolings = [benchbase.build("pooling", {"name": "lp", "p": p}) for p in (1, 2, np.inf)]
        self.problem = Problem(frame, self.poolings[0], training)
        x = rng.standard_normal((S, N))
        self.b = [replace(self.problem, pooling=each).measure(x) for each in self.poolings]
        self.ledger.clear()

    def find(self, queries: Sequence[Query]) -> list[dict[str, Array]]:
        """Analyse 9 signals for all, and for each as many as its exponent says."""
        self.calls.append(len(queries))
        self.problem.frame.analyse(np.ones((9, N)))
        found = []
        for query in queries:
            with query.alone():
                rows = 3 if query.problem.pooling.p == np.inf else int(query.problem.pooling.p or 0)
                query.problem.frame.analyse(np.ones((rows, N)))
            found.append({"b": query.b + 1})
        return found

    def ask(self, which: int, kept: Kept | None, **changes: Any) -> tuple[Array, float]:
        """Ask about all signals under a pooling; return the answer and the applications."""
        problem = replace(self.problem, pooling=self.poolings[which])
        others = [
            (pooling, b)
            for number, (pooling, b) in enumerate(zip(self.poolings, self.b, strict=True))
            if number != which
        ]
        sharing = Sharing(kept, "group", problem, self.b[which], others)
        run = SignalRun(solver_keys(0, 0, range(S)), self.ledger, sharing=sharing)
        asked = replace(problem, **{k: v for k, v in changes.items() if k != "b"})
        self.ledger.clear()
        with self.ledger.clock(()), run.phase("init") as inner:
            found = inner.shared(asked, changes.get("b", self.b[which]), "q 3", self.find)
        assert set(self.ledger.applications) == {("init",)}
        return found["b"], self.ledger.applications[("init",)]


@pytest.fixture
def setting() -> Setting:
    return Setting()


@pytest.mark.parametrize("shared", [False, True])
def test_one_call_answers_all_poolings_and_each_pays_what_it_would_alone(
    setting: Setting, *, shared: bool
) -> None:
    kept = Kept() if shared else None
    for which, own in ((1, 2), (0, 1), (2, 3), (1, 2)):
        found, applications = setting.ask(which, kept)
        np.testing.assert_array_equal(found, setting.b[which] + 1)
        assert applications == 9 + own
    assert setting.calls == ([3] if shared else [1, 1, 1, 1])


def test_the_seconds_of_an_answer_are_those_of_finding_it(setting: Setting) -> None:
    kept = Kept()
    setting.ask(0, kept)
    for answer in kept.answers.values():
        answer[1].seconds = 1000.0
    setting.ask(1, kept)
    assert 1000 <= sum(setting.ledger.seconds.values()) < 1900


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {"frame": CountingFrame(DenseFrame(np.ones((K, 2, N))), s.ledger)},
        lambda s: {"training": s.problem.training.copy()},
    ],
)
def test_problems_of_a_solvers_own_making_are_not_shared(
    setting: Setting, change: Callable[[Setting], dict[str, Any]]
) -> None:
    kept = Kept()
    for _ in range(2):
        setting.ask(0, kept, **change(setting))
    assert setting.calls == [1, 1]
    assert not kept.answers


def test_a_part_of_the_signals_is_shared_but_leads_to_no_other_pooling(setting: Setting) -> None:
    kept = Kept()
    part = setting.b[0][1:]
    for _ in range(2):
        found, _ = setting.ask(0, kept, b=part)
        np.testing.assert_array_equal(found, part + 1)
    setting.ask(0, kept)
    assert setting.calls == [1, 3]
    assert len(set(kept.locks)) == 1


def test_who_waited_for_another_process_reads_what_that_has_found(setting: Setting) -> None:
    class Waits(Kept):
        @contextmanager
        def locked(self, key: str) -> Iterator[None]:
            del key
            self.answers |= first.answers
            yield

    first = Kept()
    setting.ask(0, first)
    setting.ask(1, Waits())
    assert setting.calls == [3]
