"""What solvers find about measurements once for all of a run, at the full price for each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from benchbase.component import Array
from benchbase.numerics.ledger import Cost, Ledger
from benchbase.problem import Finding, Problem, Query
from benchbase.representation import Pooling

Answer = tuple[dict[str, Array], Cost]
"""Named arrays, and what it has cost to find them."""


class Answers(Protocol):
    """Keeps what was found for the time of a run."""

    def get(self, key: str) -> Answer | None:
        """Return what is kept under a key, or None."""

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, if there is room."""

    def locked(self, key: str) -> AbstractContextManager[None]:
        """Let only one process at a time into contexts with the same key."""


@dataclass(frozen=True)
class Sharing:
    """What a solver shares with the other solvers of a run; by default, nothing.

    Parameters
    ----------
    answers : Answers, optional
        What was found so far; None if there is nobody to share with.
    group : str, optional
        The digest of the signals, the frame, the noise, and all that they depend on.
    problem : Problem, optional
        The problem that the solver was prepared for.
    b : ndarray, shape (S, K), optional
        The measurements of all signals that the solver is given.
    others : sequence of (Pooling, ndarray), optional
        Other poolings under which the solver will be given the same signals of the same frame, and
        their measurements, (S, K) each.
    """

    answers: Answers | None = None
    group: str = ""
    problem: Problem | None = None
    b: Array | None = None
    others: Sequence[tuple[Pooling, Array]] = ()

    def ask(
        self, ledger: Ledger, problem: Problem, b: Array, name: str, find: Finding
    ) -> dict[str, Array]:
        """Return what `find` finds, and charge its cost; see `benchbase.problem.Run.shared`.

        Nothing is shared if a solver asks about another frame or other training signals than those
        of the problem, as solvers do that call others on problems of their own making.
        """
        mine = self.problem
        same = mine is not None and problem.frame is mine.frame
        if self.answers is None or not (same and mine and problem.training is mine.training):
            (arrays,) = find([Query(problem, b, nullcontext)])
            return arrays
        key = self._key(problem.pooling, b, name)
        with ledger.pause():
            answer = self.answers.get(key)
            if answer is None:
                with self.answers.locked(f"{self.group} {name}"):
                    # Another process may have found it while this one waited.
                    answer = self.answers.get(key) or self._find(ledger, problem, b, name, find)
        arrays, cost = answer
        ledger.charge(cost)
        return arrays

    def _find(self, ledger: Ledger, problem: Problem, b: Array, name: str, find: Finding) -> Answer:
        """Find what is not kept yet about b, and about the other poolings if b is all of it."""
        assert self.answers is not None  # noqa: S101 # for mypy; `ask` has looked
        wanted = {self._key(problem.pooling, b, name): (problem.pooling, b)}
        if np.array_equal(b, self.b):  # type: ignore[arg-type] # None is equal to no array
            for pooling, measured in self.others:
                key = self._key(pooling, measured, name)
                if self.answers.get(key) is None:
                    wanted.setdefault(key, (pooling, measured))
        costs = [Cost() for _ in wanted]
        queries = [
            Query(replace(problem, pooling=pooling), measured, partial(ledger.diverted, cost))
            for (pooling, measured), cost in zip(wanted.values(), costs, strict=True)
        ]
        with ledger.clock(()), ledger.diverted(*costs):
            found = [*find(queries)]
        answers = [*zip(found, costs, strict=True)]
        for key, answer in zip(wanted, answers, strict=True):
            self.answers.put(key, answer)
        return answers[0]

    def _key(self, pooling: Pooling, b: Array, name: str) -> str:
        measured = np.ascontiguousarray(b)
        facts = [self.group, name, pooling.spec(), measured.dtype.str, measured.shape]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        digest.update(measured.data)
        return digest.hexdigest()
