"""Streams of random numbers, and the run that hands them to solvers.

Every stream has a key, derived one way from the suite's seed, a role and indices, never from
values: every solver meets the same problem, and adding a solver changes no other number.

===========  =======================
role         indices
===========  =======================
``train``    none
``test``     trial
``frame``    number of pools, trial
``noise``    trial, signal
``hint``     trial, signal
``solver``   trial, signal
===========  =======================

The phases and repeats of a solver's run have keys derived from the run's own. A generator is
seeded by a value derived from its key once more, so that nothing which a generator reveals (NumPy
shows its seed) leads to the seed, to the key, or to any other stream.

The recipe, for other programs that want the same problems: a key is the BLAKE2b digest of 32 bytes,
personalised by ``benchbase``, of the JSON list ``[seed, role, index, ...]`` without blanks; what is
derived from a key is the same of ``[step, ...]`` with BLAKE2b keyed by it. The generator is
``numpy.random.default_rng`` of the value of step ``"draw"`` as a big-endian integer; the other
steps are ``"phase", name`` and ``"repeat", number``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Literal, TypeAlias

import numpy as np

from benchbase.component import Array
from benchbase.errors import check_real
from benchbase.numerics.ledger import Ledger
from benchbase.numerics.sharing import Sharing
from benchbase.problem import Finding, Problem

Role: TypeAlias = Literal["train", "test", "frame", "noise", "solver", "hint"]
"""What the numbers of a stream are for."""


def stream_key(seed: int, role: Role, *indices: int) -> bytes:
    """Return the key of a stream: 32 bytes that do not reveal the seed.

    Parameters
    ----------
    seed : int
        The suite's seed, at least 0.
    role : {"train", "test", "frame", "noise", "hint", "solver"}
        What the numbers are for.
    *indices : int
        See the table above.
    """
    return _digest(b"", int(seed), role, *map(int, indices))


def solver_keys(seed: int, trial: int, signals: Iterable[int]) -> list[bytes]:
    """Return the keys of the solver's streams, one for each signal of a trial."""
    return [stream_key(seed, "solver", trial, signal) for signal in signals]


def open_stream(key: bytes) -> np.random.Generator:
    """Return the generator of the stream with a key."""
    return np.random.default_rng(int.from_bytes(_digest(key, "draw")))


def generator(seed: int, role: Role, *indices: int) -> np.random.Generator:
    """Return the generator of a role and its indices under a seed; see `stream_key`."""
    return open_stream(stream_key(seed, role, *indices))


def _digest(key: bytes, *message: int | str) -> bytes:
    """Return 32 bytes that lead back neither to the key nor to the message."""
    text = json.dumps(message, separators=(",", ":")).encode()
    return blake2b(text, digest_size=32, key=key, person=b"benchbase").digest()


@dataclass(frozen=True)
class Snapshot:
    """Estimates that a solver recorded while it ran; see `Run.record`.

    Attributes
    ----------
    phase : tuple of str
        The phase that recorded them.
    rows : ndarray of int, shape (S,)
        The places of these signals in the whole batch.
    n_iter : int
        The number of iterations so far.
    seconds : float
        The time spent on the whole batch so far, in all phases.
    x : ndarray, shape (S, N)
        The estimates.
    """

    phase: tuple[str, ...]
    rows: Array
    n_iter: int
    seconds: float
    x: Array


class SignalRun:
    """The `Run` of a batch of signals.

    Parameters
    ----------
    keys : list of bytes
        The key of each signal's stream; see `solver_keys`.
    ledger : Ledger, optional
        Where time and frame applications are counted.
    trace : list of Snapshot, optional
        The list to which snapshots are appended; None if none are kept.
    hint : ndarray, shape (S, N), optional
        First guesses at the signals.
    sharing : Sharing, optional
        What the solvers of a run share; None if there is nobody to share with.
    """

    def __init__(
        self,
        keys: list[bytes],
        ledger: Ledger | None = None,
        trace: list[Snapshot] | None = None,
        *,
        hint: Array | None = None,
        sharing: Sharing | None = None,
        phase: tuple[str, ...] = (),
        rows: Array | None = None,
    ) -> None:
        self._keys = keys
        self._ledger = ledger if ledger is not None else Ledger()
        self._trace = trace
        self._phase = phase
        self._rows = np.arange(len(keys)) if rows is None else rows
        self._hint = hint  # of the whole batch, which `rows` point into
        self._sharing = Sharing() if sharing is None else sharing

    @property
    def size(self) -> int:
        """The number of signals S."""
        return len(self._keys)

    @property
    def hint(self) -> Array | None:
        """First guesses at the signals (S, N); None if the problem has none."""
        return None if self._hint is None else self._hint[self._rows]

    @cached_property
    def generators(self) -> list[np.random.Generator]:
        """One generator per signal."""
        return [open_stream(key) for key in self._keys]

    def normal(self, *shape: int) -> Array:
        """Draw standard normal numbers, (S, ...); row i comes from the stream of signal i."""
        numbers = np.empty((self.size, *shape))
        for i, stream in enumerate(self.generators):
            numbers[i] = stream.standard_normal(shape)
        return numbers

    @contextmanager
    def phase(self, name: str) -> Iterator[SignalRun]:
        """Open a part of the work that has its own streams, clock and frame count."""
        keys = [_digest(key, "phase", name) for key in self._keys]
        inner = self._child(keys, self._rows, (*self._phase, name))
        with self._ledger.clock(inner._phase):
            yield inner

    def count(self, rows: float) -> None:
        """Add applications of the frame to `rows` signals to the cost."""
        self._ledger.count(rows)

    def shared(self, problem: Problem, b: Array, name: str, find: Finding) -> dict[str, Array]:
        """Return what `find` finds about measurements, once for all solvers of a run."""
        return self._sharing.ask(self._ledger, problem, b, name, find)

    def record(self, n_iter: int, x: Array) -> None:
        """Keep a snapshot of the estimates if a trace was asked for, outside the clock."""
        check_real("x", x)
        if self._trace is not None:
            with self._ledger.pause():
                seconds = sum(self._ledger.seconds.values())
                self._trace.append(Snapshot(self._phase, self._rows, n_iter, seconds, x.copy()))

    def rows(self, index: Array) -> SignalRun:
        """Return the run of a part of the batch; its signals continue with their own streams."""
        chosen = np.arange(self.size)[index]
        part = self._child([self._keys[i] for i in chosen], self._rows[chosen], self._phase)
        part.__dict__["generators"] = [self.generators[i] for i in chosen]
        return part

    def repeat(self, n: int) -> SignalRun:
        """Return a run of S·n rows: each signal n times in succession, each with its own stream."""
        keys = [_digest(key, "repeat", i) for key in self._keys for i in range(n)]
        return self._child(keys, np.repeat(self._rows, n), self._phase)

    def _child(self, keys: list[bytes], rows: Array, phase: tuple[str, ...]) -> SignalRun:
        return SignalRun(
            keys,
            self._ledger,
            self._trace,
            hint=self._hint,
            sharing=self._sharing,
            phase=phase,
            rows=rows,
        )
