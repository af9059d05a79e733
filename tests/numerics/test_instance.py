from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import Array, BenchbaseError, DataError, DiskError, ParameterError, PluginError
from benchbase.discovery.registry import Registry
from benchbase.errors import OutOfMemoryError
from benchbase.numerics.instance import (
    Arrays,
    Instance,
    Signals,
    build,
    build_frame,
    draw,
    file_of,
    frame_key,
    own_copy,
)
from benchbase.numerics.streams import generator, solver_keys

SEED, TRIAL, POINTS, N, K = 5, 2, 6, 4, 7


class Trained(benchbase.Dataset):
    name = "trained"
    n: int = N
    extra: int = 0
    file: str = ""

    def train(self, rng: np.random.Generator) -> Array:
        signals = rng.standard_normal((9, self.n))
        if not self.file:
            return signals
        np.save(self.file, signals.astype(np.float32))
        mapped: Array = np.load(self.file, mmap_mode="r")
        return mapped

    def test(self, size: int, rng: np.random.Generator) -> Array:
        return rng.standard_normal((size, self.n + self.extra))


class Shaken(benchbase.Noise):
    name = "shaken"
    bad: str = ""

    def measure(
        self, problem: benchbase.Problem, x: Array, generators: Sequence[np.random.Generator]
    ) -> Array:
        noise = np.array([rng.standard_normal(problem.frame.n_pools) for rng in generators])
        return spoilt(problem.measure(x) + noise, self.bad)


class Told(benchbase.Hint):
    name = "told"
    bad: str = ""

    def guess(self, x: Array, generators: Sequence[np.random.Generator]) -> Array:
        return spoilt(x + np.array([rng.standard_normal(N) for rng in generators]), self.bad)


def spoilt(array: Array, how: str) -> Array:
    """Return an array as it is, or with an entry that is not finite, or a column less."""
    if how == "nan":
        array[0, 0] = np.nan
    if how == "complex":
        return array + 0j
    return array[:, 1:] if how == "shape" else array


def make(make: Callable[[], Arrays]) -> Arrays:
    """Keep nothing."""
    return make()


def drawn(points: int = POINTS, **parameters: Any) -> Signals:
    return draw(Trained(**parameters), SEED, TRIAL, points, make)


@pytest.fixture
def built(parts: Registry) -> Callable[..., Instance]:
    """Return what builds a problem of a number of signals, without noise and hint."""

    def run(points: int = POINTS, noise: Any = None, hint: Any = None) -> Instance:
        design: Any = parts.build("frame", {"name": "random", "n_pools": K})
        pooling: Any = parts.build("pooling", {"name": "sum"})
        key = frame_key(design, N, SEED, TRIAL)
        frame = build_frame(design, N, None, key)
        return build(drawn(points), frame, pooling, noise, hint, SEED, TRIAL)

    return run


def test_signals_come_from_their_streams_and_are_rounded_as_they_are_stored() -> None:
    signals = drawn()
    test = generator(SEED, "test", TRIAL).standard_normal((POINTS, N))
    np.testing.assert_array_equal(signals.truth, test.astype(np.float32).astype(np.float64))
    train = generator(SEED, "train").standard_normal((9, N)).astype(np.float32)
    np.testing.assert_array_equal(signals.training, train)


def test_training_signals_are_those_that_were_kept() -> None:
    kept = {"train": np.ones((3, N), dtype=np.float32)}
    assert draw(Trained(), SEED, TRIAL, POINTS, lambda _: kept).training is kept["train"]


def test_training_signals_in_a_file_of_their_own_are_not_kept_again(tmp_path: Path) -> None:
    made: list[Arrays] = []

    def keep(make: Callable[[], Arrays]) -> Arrays:
        made.append(make())
        return made[-1]

    dataset = Trained(file=str(tmp_path / "train.npy"))
    training = draw(dataset, SEED, TRIAL, POINTS, keep).training
    assert isinstance(training, np.memmap)
    assert [*made[0]] == ["mapped"]


def test_signals_of_another_shape_are_told() -> None:
    with pytest.raises(PluginError, match=r"'trained' gave an array of shape \(6, 5\)"):
        drawn(extra=1)


@pytest.mark.parametrize(
    ("factor", "fault"),
    [
        (1j, "of complex numbers"),
        (np.nan, "that is not finite"),
        (1e300, "that is not finite"),  # beyond float32
        ("a", "of type <U1"),
    ],
)
def test_signals_that_are_no_real_numbers_are_refused(
    factor: Any, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trained, "test", lambda self, size, rng: np.full((size, N), factor))
    with pytest.raises(PluginError, match=f"the dataset 'trained' gave an array {fault}"):
        drawn()


def test_complex_training_signals_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trained, "train", lambda self, rng: np.ones((9, N), dtype=np.complex64))
    with pytest.raises(ParameterError, match="training must hold real numbers"):
        drawn()


FAULTS: list[tuple[type[BaseException], type[BenchbaseError], int, str]] = [
    (ArithmeticError, PluginError, 2, r"the dataset 'trained' failed: ArithmeticError: no \(test_"),
    (SystemExit, PluginError, 2, "the dataset 'trained' failed: SystemExit: no"),
    (MemoryError, OutOfMemoryError, 1, "the dataset 'trained': there is not enough memory"),
    (DataError, DataError, 2, "no"),
]


@pytest.mark.parametrize(("raised", "kind", "exit_code", "sentence"), FAULTS)
def test_what_a_component_raises_is_told_by_its_name(
    raised: type[BaseException],
    kind: type[BenchbaseError],
    exit_code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: Trained, size: int, rng: np.random.Generator) -> Array:
        raise raised("no")

    monkeypatch.setattr(Trained, "test", fail)
    with pytest.raises(kind, match=sentence) as caught:
        drawn()
    assert caught.value.exit_code == exit_code


def test_a_full_disk_is_no_fault_of_a_component(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Trained, size: int, rng: np.random.Generator) -> Array:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Trained, "test", fail)
    with pytest.raises(DiskError, match="make room"):
        drawn()


def test_the_frame_and_what_it_measures_come_from_the_frame_s_stream(
    built: Callable[..., Instance],
) -> None:
    instance = built()
    vectors = generator(SEED, "frame", K, TRIAL).standard_normal((K, 2, N))
    np.testing.assert_array_equal(instance.problem.frame.dense(), vectors)
    wanted = np.abs(np.einsum("kln,sn->skl", vectors, instance.truth)).sum(axis=-1)
    np.testing.assert_allclose(instance.b, wanted)
    assert instance.hint is None
    assert (instance.problem.noise, instance.problem.hint) == (0.0, False)


def test_noise_and_hints_are_each_signal_s_own(built: Callable[..., Instance]) -> None:
    clean = built()
    few, many = (built(points, Shaken(), Told()) for points in (2, POINTS))
    np.testing.assert_allclose(few.b, many.b[:2])
    assert many.hint is not None
    np.testing.assert_array_equal(few.hint, many.hint[:2])
    for signal in range(POINTS):
        noise = generator(SEED, "noise", TRIAL, signal).standard_normal(K)
        np.testing.assert_allclose(many.b[signal] - clean.b[signal], noise)
        hint = generator(SEED, "hint", TRIAL, signal).standard_normal(N)
        np.testing.assert_array_equal(many.hint[signal], many.truth[signal] + hint)
    assert (many.problem.noise, many.problem.hint) == (None, True)


@pytest.mark.parametrize("bad", ["nan", "shape", "complex"])
@pytest.mark.parametrize("part", [Shaken, Told])
def test_noise_and_hints_that_cannot_be_used_are_told(
    built: Callable[..., Instance], part: type[Shaken | Told], bad: str
) -> None:
    spoiler = part(bad=bad)
    faults = {"nan": "that is not finite", "complex": "of complex numbers", "shape": "of shape"}
    fault = faults[bad]
    with pytest.raises(PluginError, match=f"the {part.kind} '{part.name}' gave an array {fault}"):
        built(**{part.kind: spoiler})


def test_nothing_of_a_problem_can_be_written(built: Callable[..., Instance]) -> None:
    instance = built(hint=Told())
    assert instance.hint is not None
    for array in (instance.truth, instance.b, instance.hint):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1.0


def test_each_signal_of_a_run_has_its_own_stream(built: Callable[..., Instance]) -> None:
    assert built().keys(range(2, 5)) == solver_keys(SEED, TRIAL, range(2, 5))


def test_a_copy_leads_to_nothing_else() -> None:
    whole = np.arange(12.0).reshape(3, 4)
    for part in (whole, whole[1], whole[:, ::2], whole.T):
        copied = own_copy(part)
        np.testing.assert_array_equal(copied, part)
        assert copied.base is None
        assert copied.flags.owndata
        assert not copied.flags.writeable


def test_a_file_is_given_only_if_nothing_else_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.save(file, np.arange(12.0, dtype=np.float32).reshape(3, 4))
    mapped = np.load(file, mmap_mode="r")
    assert file_of(mapped) == str(file)
    assert file_of(np.load(file, mmap_mode="r")[:]) == str(file)
    raw = tmp_path / "raw"
    raw.write_bytes(file.read_bytes())
    offset = mapped.offset
    parts = (
        mapped[:2],
        mapped[::-1],
        mapped.T,
        mapped.view(np.int32),
        np.array(mapped),
    )
    assert [file_of(part) for part in parts] == [None] * len(parts)
    assert file_of(np.memmap(raw, np.float32, "r", offset - 4, (3, 4))) is None
