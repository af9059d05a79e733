"""Costs that are diverted from a ledger and charged to it again."""

from __future__ import annotations

import numpy as np
import pytest

from benchbase import DenseFrame
from benchbase.numerics.ledger import Cost, CountingFrame, Ledger


class Clock:
    """Stands in for `time.perf_counter`."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("benchbase.numerics.ledger.time.perf_counter", made)
    return made


def test_what_is_diverted_counts_in_full_for_each_cost_and_not_for_the_phase(clock: Clock) -> None:
    ledger, one, two = Ledger(), Cost(), Cost()
    frame = CountingFrame(DenseFrame(np.ones((3, 2, 4))), ledger)
    with ledger.clock(("init",)):
        clock.now += 1
        with ledger.diverted(one, two):
            clock.now += 2
            frame.analyse(np.ones((5, 4)))
            with ledger.diverted(two):
                clock.now += 4
                frame.analyse(np.ones((7, 4)))
                frame.dense()
            clock.now += 8
        clock.now += 16
    assert one == Cost(2 + 8, 5, dense=False)
    assert two == Cost(2 + 4 + 8, 5 + 7, dense=True)
    assert (dict(ledger.seconds), dict(ledger.applications)) == ({("init",): 17}, {})
    assert not ledger.dense


def test_an_error_ends_the_diversion(clock: Clock) -> None:
    ledger, cost = Ledger(), Cost()

    def fail() -> None:
        with ledger.diverted(cost):
            clock.now += 1
            raise ZeroDivisionError

    with ledger.clock(()):
        with pytest.raises(ZeroDivisionError):
            fail()
        clock.now += 2
        ledger.count(3)
    assert (cost.seconds, ledger.seconds, ledger.applications) == (1, {(): 2}, {(): 3})


def test_a_charge_goes_to_the_present_phase() -> None:
    ledger = Ledger()
    with ledger.clock(("init",)):
        ledger.charge(Cost(2.0, 3.0, dense=True))
    assert ledger.seconds[("init",)] >= 2
    assert ledger.applications == {("init",): 3}
    assert ledger.dense
