from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbase import DenseFrame
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.streams import (
    Role,
    SignalRun,
    Snapshot,
    generator,
    solver_keys,
    stream_key,
)

KEYS = solver_keys(0, 0, range(6))
ROLES: tuple[Role, ...] = get_args(Role)


class Clock:
    """Stands in for `time.perf_counter`."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("benchbase.numerics.ledger.time.perf_counter", made)
    return made


def draw(seed: int, role: Role, *indices: int) -> tuple[float, ...]:
    return tuple(generator(seed, role, *indices).standard_normal(3))


def test_streams_differ_by_seed_role_and_indices() -> None:
    places = [
        (seed, role, indices)
        for seed in (0, 1)
        for role in ROLES
        for size in (0, 1, 2, 3)
        for indices in itertools.product((0, 1), repeat=size)
    ]
    drawn = {draw(seed, role, *indices) for seed, role, indices in places}
    assert len(drawn) == len(places)


def published(key: bytes, message: str) -> bytes:
    return hashlib.blake2b(message.encode(), digest_size=32, key=key, person=b"benchbase").digest()


def test_streams_follow_the_published_recipe() -> None:
    # Other programs can make the same problems.
    frame = published(b"", '[7,"frame",130,1]')
    solver = published(b"", '[7,"solver",0,0]')
    part = published(published(solver, '["phase","init"]'), '["repeat",2]')
    with SignalRun(solver_keys(7, 0, [0])).phase("init") as run:
        repeated = run.repeat(3).normal(3)
    for key, drawn in [(frame, draw(7, "frame", 130, 1)), (part, repeated[2])]:
        seed = int.from_bytes(published(key, '["draw"]'), "big")
        assert np.random.default_rng(seed).standard_normal(3).tolist() == list(drawn)


def revealed(stream: np.random.Generator) -> set[int]:
    """Return the numbers that a generator shows of what it was made from."""
    sequence = stream.bit_generator.seed_seq
    assert isinstance(sequence, np.random.SeedSequence)
    assert isinstance(sequence.entropy, int)
    assert sequence.spawn_key == ()
    return {sequence.entropy}


def test_what_a_generator_reveals_leads_to_no_other_stream() -> None:
    run = SignalRun(KEYS)
    with run.phase("init") as inner:
        shown = [revealed(stream) for part in (run, inner) for stream in part.generators]
    with run.phase("init") as inner:
        secret = {int.from_bytes(key) for key in [*KEYS, *inner._keys, *inner.repeat(2)._keys]}
    for (number,) in shown:
        assert number not in secret
        # Taken as a key, it does not open the phases, repeats or draws of its own run either.
        as_key = SignalRun([number.to_bytes(32)])
        with as_key.phase("init") as guessed:
            others = [as_key.generators[0], guessed.generators[0], as_key.repeat(1).generators[0]]
        assert not any(revealed(stream) in shown for stream in others)


def test_the_seed_is_not_among_what_frames_and_solvers_get() -> None:
    seed = 2**70 + 12345
    for role in ROLES:
        stream = generator(seed, role, 0, 0)
        assert revealed(stream) == {
            int.from_bytes(published(stream_key(seed, role, 0, 0), '["draw"]'))
        }
        assert seed.to_bytes(16) not in stream_key(seed, role, 0, 0)


@given(st.integers(0, 2**64), st.integers(0, 2**32), st.integers(0, 2**32))
def test_the_same_place_gives_the_same_numbers(seed: int, trial: int, signal: int) -> None:
    assert draw(seed, "solver", trial, signal) == draw(seed, "solver", trial, signal)


def test_a_batch_draws_what_a_loop_draws() -> None:
    run = SignalRun(KEYS)
    first, second = run.normal(4), run.normal(2, 2)
    assert first.shape == (6, 4)
    assert second.shape == (6, 2, 2)
    for i, key in enumerate(KEYS):
        alone = SignalRun([key])
        np.testing.assert_array_equal(alone.normal(4)[0], first[i])
        np.testing.assert_array_equal(alone.normal(2, 2)[0], second[i])


def test_no_shape_is_one_number_a_signal() -> None:
    assert SignalRun(KEYS).normal().shape == (6,)


@pytest.mark.parametrize("index", [[4, 1], np.arange(6) % 2 == 0, slice(1, 3)])
def test_rows_go_on_with_the_streams_of_the_parent(index: object) -> None:
    whole = SignalRun(KEYS)
    whole.normal(2)
    wanted = whole.normal(3)
    run = SignalRun(KEYS)
    run.normal(2)
    part = run.rows(index)  # type: ignore[arg-type] # any index of NumPy's
    np.testing.assert_array_equal(part.normal(3), wanted[index])  # type: ignore[call-overload] # as above


def test_what_a_part_has_drawn_is_gone_for_the_parent() -> None:
    wanted = SignalRun(KEYS).normal(2, 3)
    run = SignalRun(KEYS)
    np.testing.assert_array_equal(run.rows(np.array([4])).normal(3)[0], wanted[4, 0])
    drawn = run.normal(3)
    np.testing.assert_array_equal(drawn[4], wanted[4, 1])
    np.testing.assert_array_equal(drawn[5], wanted[5, 0])


def test_rows_of_rows() -> None:
    run = SignalRun(KEYS)
    part = run.rows(np.array([5, 3, 1])).rows(np.array([False, True, True]))
    assert part.size == 2
    assert part.generators == [run.generators[3], run.generators[1]]


def test_repeats_have_streams_of_their_own() -> None:
    run = SignalRun(KEYS)
    repeated = run.repeat(3)
    assert repeated.size == 18
    drawn = repeated.normal(2)
    own = run.normal(2)
    assert len({tuple(row) for row in [*drawn, *own]}) == 24
    # Fewer repeats are the first of more, and a part of the batch has the same ones.
    np.testing.assert_array_equal(
        SignalRun(KEYS).repeat(2).normal(2), drawn.reshape(6, 3, 2)[:, :2].reshape(12, 2)
    )
    part = SignalRun(KEYS).rows(np.array([2])).repeat(3)
    np.testing.assert_array_equal(part.normal(2), drawn[6:9])


def test_phases_have_streams_of_their_own() -> None:
    run = SignalRun(KEYS)
    seen = {tuple(run.normal(2)[0])}
    with run.phase("init") as init:
        seen.add(tuple(init.normal(2)[0]))
        with init.phase("polish") as inner:
            seen.add(tuple(inner.normal(2)[0]))
    with run.phase("polish") as polish:
        seen.add(tuple(polish.normal(2)[0]))
    assert len(seen) == 4


def test_what_a_phase_draws_changes_nothing_outside() -> None:
    plain = SignalRun(KEYS).normal(2)
    run = SignalRun(KEYS)
    with run.phase("init") as init:
        init.normal(100)
    np.testing.assert_array_equal(run.normal(2), plain)


def test_clocks_leave_out_what_is_inside(clock: Clock) -> None:
    ledger = Ledger()
    run = SignalRun(KEYS, ledger)
    clock.pass_(100)
    with ledger.clock(()):
        clock.pass_(1)
        with run.phase("init") as init:
            clock.pass_(2)
            with init.phase("polish"):
                clock.pass_(4)
            clock.pass_(8)
        clock.pass_(16)
        with run.phase("init"):
            clock.pass_(32)
    clock.pass_(100)
    assert ledger.seconds == {(): 17, ("init",): 42, ("init", "polish"): 4}


def test_clocks_stop_when_something_raises(clock: Clock) -> None:
    ledger = Ledger()
    run = SignalRun(KEYS, ledger)

    def fail() -> None:
        with run.phase("init"):
            clock.pass_(1)
            raise ZeroDivisionError

    with ledger.clock(()):
        with pytest.raises(ZeroDivisionError):
            fail()
        clock.pass_(2)
    clock.pass_(4)
    with ledger.clock(()):
        clock.pass_(8)
    assert ledger.seconds == {(): 10, ("init",): 1}


def test_snapshots_are_taken_outside_the_clock(clock: Clock) -> None:
    ledger = Ledger()
    trace: list[Snapshot] = []
    run = SignalRun(KEYS, ledger, trace)
    slow = CopyTakes(np.zeros((2, 3)), 50, clock)
    with ledger.clock(()):
        clock.pass_(1)
        with run.phase("init") as init:
            clock.pass_(2)
            init.rows(np.array([4, 2])).record(7, slow)  # type: ignore[arg-type] # copies like an array
            clock.pass_(4)
    assert ledger.seconds == {(): 1, ("init",): 6}
    (snapshot,) = trace
    assert (snapshot.phase, snapshot.n_iter, snapshot.seconds) == (("init",), 7, 1 + 2)
    assert snapshot.rows.tolist() == [4, 2]


class CopyTakes:
    def __init__(self, array: object, seconds: float, clock: Clock) -> None:
        self._array, self._seconds, self._clock = array, seconds, clock

    def copy(self) -> object:
        self._clock.pass_(self._seconds)
        return self._array


def test_snapshots_are_copies() -> None:
    trace: list[Snapshot] = []
    x = np.zeros((6, 2))
    SignalRun(KEYS, trace=trace).record(0, x)
    x += 1
    assert not trace[0].x.any()


def test_without_a_trace_nothing_is_kept(clock: Clock) -> None:
    run = SignalRun(KEYS)
    run.record(0, CopyTakes(None, 1, clock))  # type: ignore[arg-type] # never looked at
    assert clock.now == 0


def test_repeats_tell_which_signals_they_are() -> None:
    trace: list[Snapshot] = []
    SignalRun(KEYS, trace=trace).rows(np.array([3, 5])).repeat(2).record(0, np.zeros((4, 1)))
    assert trace[0].rows.tolist() == [3, 3, 5, 5]


@pytest.mark.parametrize(("batch", "rows"), [((), 1), ((5,), 5), ((2, 5), 10), ((0,), 0)])
def test_frame_applications_are_counted_by_the_row_and_phase(
    batch: tuple[int, ...], rows: int
) -> None:
    ledger = Ledger()
    inner = DenseFrame(np.random.default_rng(0).standard_normal((4, 2, 3)))
    frame = CountingFrame(inner, ledger)
    assert (frame.n, frame.n_pools, frame.pool_size, frame.is_complex) == (3, 4, 2, False)
    x, c = np.ones((*batch, 3)), np.ones((*batch, 2, 4))
    calls: list[Callable[[], object]] = [
        lambda: np.testing.assert_array_equal(frame.analyse(x), inner.analyse(x)),
        lambda: np.testing.assert_array_equal(frame.adjoint(c), inner.adjoint(c)),
        lambda: np.testing.assert_array_equal(frame.least_squares(c), inner.least_squares(c)),
    ]
    calls[0]()
    with ledger.clock(("init",)):
        for call in calls:
            call()
    assert ledger.applications == {(): rows, ("init",): 3 * rows}
    assert not ledger.dense


def test_taking_the_vectors_is_noted_and_stays_noted() -> None:
    ledger = Ledger()
    inner = DenseFrame(np.ones((4, 2, 3)))
    assert CountingFrame(inner, ledger).dense() is inner.dense()
    ledger.clear()
    assert ledger.dense


def test_clearing_forgets_what_was_used(clock: Clock) -> None:
    ledger = Ledger()
    with ledger.clock(()):
        clock.pass_(1)
        ledger.count(3)
    ledger.clear()
    assert not ledger.seconds
    assert not ledger.applications
