import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_noise.angle import Angle, HintStart
from benchbase_noise.noise import GaussianNoise, PoissonNoise


def make(n_pools: int = 30, n: int = 5, **pooling: Any) -> Problem:
    frame = DenseFrame(np.random.default_rng(0).standard_normal((n_pools, 2, n)))
    return Problem(frame, benchbase.build("pooling", {"name": "lp"} | pooling))


def streams(size: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, i]) for i in range(size)]


def signals(size: int, n: int = 5, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal((size, n))


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("snr", [0.0, 20.0, 60.0])
def test_noise_on_measurements_has_the_energy_asked_for(snr: float, rectified: bool) -> None:
    problem, x = make(400, rectified=rectified), signals(300)
    b = problem.measure(x)
    e = GaussianNoise(snr=snr)._noisy(b, streams(300)) - b
    ratio = np.sum(b**2, axis=1) / np.sum(e**2, axis=1)
    error = 10 * np.log10(ratio.mean()) - snr  # 300 chi squares of 400 degrees of freedom
    assert abs(error) < 0.1
    white = e / np.linalg.norm(e, axis=1, keepdims=True)
    assert abs(np.mean(white[:, ::2] * white[:, 1::2]) * 400) < 0.02


def test_zero_pools_are_noisy_too_and_nothing_is_below_zero() -> None:
    problem, x = make(200, rectified=True), signals(50)
    exact = problem.measure(x)
    b = GaussianNoise(snr=20).measure(problem, x, streams(50))
    assert (b >= 0).all()
    dark = b[exact == 0]
    assert len(dark) > 1000
    assert 0.4 < np.mean(dark > 0) < 0.6  # half of them are cut off


def test_poolings_with_a_sign_keep_negative_values() -> None:
    frame = DenseFrame(np.random.default_rng(0).standard_normal((30, 2, 5)))
    problem = Problem(frame, benchbase.build("pooling", {"name": "maxout"}))
    x = signals(50)
    exact, b = problem.measure(x), GaussianNoise(snr=20).measure(problem, x, streams(50))
    assert (b < 0).any()
    assert_allclose(b, exact, atol=0.1 * np.linalg.norm(exact, axis=1).max())


def test_noise_on_signals_is_measured_with_them() -> None:
    problem, x = make(), signals(2000)
    noise = GaussianNoise(snr=10, on="signals")
    b = noise.measure(problem, x, streams(2000))
    noisy = noise._noisy(x, streams(2000))
    assert_array_equal(b, problem.measure(noisy))
    energy = np.sum((noisy - x) ** 2, axis=1) / np.sum(x**2, axis=1)
    assert_allclose(energy.mean(), 0.1, rtol=0.05)


@pytest.mark.parametrize("on", ["measurements", "signals"])
def test_without_noise_measurements_are_exact(on: Any) -> None:
    problem, x = make(rectified=True), signals(20)
    b = GaussianNoise(snr=np.inf, on=on).measure(problem, x, streams(20))
    assert_array_equal(b, problem.measure(x))


@settings(max_examples=20)
@given(size=st.integers(0, 6), chosen=st.integers(0, 5), seed=st.integers(0, 2**31))
@pytest.mark.parametrize(
    "noise",
    [GaussianNoise(snr=10), GaussianNoise(snr=10, on="signals"), PoissonNoise(photons=5)],
    ids=str,
)
def test_each_signal_has_its_own_noise(
    noise: benchbase.Noise, size: int, chosen: int, seed: int
) -> None:
    problem, x = make(), signals(size)
    b = noise.measure(problem, x, streams(size, seed)) if size else np.empty((0, 30))
    assert b.shape == (size, 30)
    if chosen < size:
        alone = noise.measure(problem, x[[chosen]], streams(size, seed)[chosen : chosen + 1])
        assert_allclose(alone[0], b[chosen])


@pytest.mark.parametrize("scale", [1e-150, 1e150])
@pytest.mark.parametrize("noise", [GaussianNoise(snr=10), PoissonNoise(photons=5)], ids=str)
def test_noise_follows_units(noise: benchbase.Noise, scale: float) -> None:
    problem, x = make(), signals(4)
    b = noise.measure(problem, x, streams(4))
    assert_allclose(noise.measure(problem, scale * x, streams(4)) / scale, b, rtol=1e-10)


def test_of_nothing_there_is_no_noise() -> None:
    problem = make()
    for noise in (GaussianNoise(snr=3), PoissonNoise()):
        assert not noise.measure(problem, np.zeros((2, 5)), streams(2)).any()


def test_photons_are_counted() -> None:
    problem, x = make(2000), signals(50)
    b, photons = problem.measure(x), 100.0
    noisy = PoissonNoise(photons=photons).measure(problem, x, streams(50))
    scale = photons / np.mean(b**2, axis=1, keepdims=True)
    counts = scale * noisy**2
    assert_allclose(counts, np.round(counts), atol=1e-9 * counts.max())
    assert_allclose(counts.mean(), photons, rtol=0.01)
    z = (counts - scale * b**2) / np.sqrt(scale * b**2)  # mean 0, variance 1
    assert abs(z.mean()) < 0.02
    assert abs(z.var() - 1) < 0.02
    snr = 10 * np.log10(np.mean(np.sum(b**2, axis=1) / np.sum((noisy - b) ** 2, axis=1)))
    assert abs(snr - 10 * np.log10(4 * photons)) < 0.3


def test_photons_need_what_is_never_negative() -> None:
    frame = DenseFrame(np.random.default_rng(0).standard_normal((30, 2, 5)))
    problem = Problem(frame, benchbase.build("pooling", {"name": "maxout"}))
    with pytest.raises(ValueError, match="never negative"):
        PoissonNoise().measure(problem, signals(2), streams(2))


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        ("noise", {"name": "gaussian", "snr": -np.inf}, "snr: must be more than"),
        ("noise", {"name": "gaussian", "on": "pools"}, "on: must be 'measurements' or 'signals'"),
        ("noise", {"name": "poisson", "photons": 0}, "photons: must be above 0 and at most"),
        ("noise", {"name": "poisson", "photons": "inf"}, "photons: must be above 0 and at most"),
        ("hint", {"name": "angle", "degrees": 181}, "degrees: must be between 0 and 180"),
        ("hint", {"name": "angle", "degrees": -1}, "degrees: must be between 0 and 180"),
    ],
)
def test_bad_parameters_are_refused(kind: str, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(benchbase.SpecError, match=told):
        benchbase.build(kind, spec)


@given(degrees=st.floats(0, 180), n=st.integers(2, 9), seed=st.integers(0, 2**31))
def test_a_hint_has_its_angle_and_norm(degrees: float, n: int, seed: int) -> None:
    x = signals(3, n, seed)
    guess = Angle(degrees=degrees).guess(x, streams(3, seed + 1))
    assert_allclose(np.linalg.norm(guess, axis=1), np.linalg.norm(x, axis=1))
    cosine = np.sum(guess * x, axis=1) / np.sum(x**2, axis=1)
    assert_allclose(cosine, np.cos(np.deg2rad(degrees)), atol=1e-9)


def test_hints_of_one_dimension_and_of_zero() -> None:
    x = np.array([[2.0], [-3.0], [0.0]])
    assert_array_equal(Angle(degrees=80).guess(x, streams(3)), x)
    assert_array_equal(Angle(degrees=100).guess(x, streams(3)), -x)
    assert not Angle().guess(np.zeros((2, 4)), streams(2)).any()


def test_the_start_takes_the_hint_of_its_signals() -> None:
    problem = make()
    x = signals(6)
    run = SignalRun(solver_keys(0, 0, range(6)), hint=x)
    inverse = HintStart().prepare(problem)
    index = np.array([4, 1])
    assert_array_equal(inverse(np.zeros((2, 30)), run.rows(index)).x, x[index])
    twice = run.rows(index).repeat(2)
    assert_array_equal(inverse(np.zeros((4, 30)), twice).x, x[[4, 4, 1, 1]])
    with run.phase("init") as inner:
        assert_array_equal(inverse(np.zeros((6, 30)), inner).x, x)
    assert SignalRun(solver_keys(0, 0, [0])).hint is None


def test_the_start_needs_a_hint() -> None:
    reason = HintStart().unsupported(make())
    assert reason is not None
    assert "hint" in reason
    assert HintStart().unsupported(dataclasses.replace(make(), hint=True)) is None


SUITE = """
seed = 1
trials = 2
points = 12

[dataset]
name = "gaussian"
n = 10

[frame]
name = "gaussian"

[pooling]
name = "lp"
"""

NOISY = (
    SUITE
    + """
[grid]
frame.n_pools = [30, 40]
noise.snr = [20, 60, inf]

[noise]
name = "gaussian"

[[solver]]
name = "altmin"
init = { name = "spectral" }
"""
)


def run(text: str, tmp_path: Any, **options: Any) -> benchbase.Results:
    (tmp_path / "s.toml").write_text(text)
    return benchbase.run(tmp_path / "s.toml", results=tmp_path / "r", **options)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> benchbase.Results:
    return run(NOISY, tmp_path_factory.mktemp("noisy"))


def test_a_suite_with_an_axis_of_noise(noisy: benchbase.Results) -> None:
    frame = noisy.rows()
    assert set(frame["noise"]) == {"gaussian"}
    assert set(frame["noise.snr"]) == {20, 60, np.inf}
    error = frame[frame["n_pools"] == 40].groupby("noise.snr")["relative_error"].median()
    assert error[20] > 20 * error[60] > 100 * error[np.inf]
    assert error[20] < 0.2
    # One noise for all numbers of pools and ratios: what is left of it scales.
    exact = frame["residual"][frame["noise.snr"] == np.inf]
    assert exact.median() < 1e-6
    found = benchbase.load_results(noisy.folder)
    assert found.rows().equals(frame)


def test_noisy_results_verify(noisy: benchbase.Results, cli: Any) -> None:
    done = cli("verify", noisy.folder, "--sample", "all")
    assert done.exit_code == 0, done.output


def test_noise_is_the_same_in_a_worker_process(noisy: benchbase.Results, tmp_path: Any) -> None:
    there = run(NOISY.replace("[30, 40]", "[40]"), tmp_path, jobs=1).rows()
    here = noisy.rows()
    here = here[here["n_pools"] == 40].reset_index(drop=True)
    scores = ["n_pools", "noise.snr", "trial", "signal", "squared_cosine", "residual"]
    assert there[scores].equals(here[scores])


def test_noise_tells_problems_apart_in_tables(noisy: benchbase.Results, tmp_path: Any) -> None:
    report = benchbase.build("report", {"name": "table"})
    report.write(noisy, tmp_path)
    table = (tmp_path / "table.md").read_text()
    for told in ("gaussian noise, on measurements, snr 20", "snr 60", "snr inf"):
        assert told in table


HINTED = (
    SUITE
    + """
[grid]
frame.n_pools = [24]
hint.degrees = [0, 20, 90]

[hint]
name = "angle"

[[solver]]
label = "hint"
name = "hint"

[[solver]]
name = "altmin"
init = { name = "hint" }
"""
)


def test_a_suite_with_an_axis_of_angles(tmp_path: Any) -> None:
    frame = run(HINTED, tmp_path).rows()
    raw = frame[frame["label"] == "hint"]
    cosine = np.cos(np.deg2rad(raw["hint.degrees"]))
    assert_allclose(raw["squared_cosine"], cosine**2, atol=1e-6)
    ran = frame[frame["label"] == "altmin"]
    success = (ran["squared_cosine"] > 0.999).groupby(ran["hint.degrees"]).mean()
    assert success[0] == 1
    assert success[0] >= success[20] > success[90]


def test_without_hints_the_start_is_unsupported(tmp_path: Any) -> None:
    text = HINTED.replace("hint.degrees = [0, 20, 90]", "").replace('[hint]\nname = "angle"', "")
    frame = run(text, tmp_path).rows()
    assert set(frame["status"]) == {"unsupported"}
    assert frame["message"].str.contains("a hint").all()


def test_what_a_noise_gives_is_checked(tmp_path: Any, fresh_registry: Any) -> None:
    class Wrong(benchbase.Noise):
        name = "wrong"

        def measure(self, problem: Problem, x: Array, generators: Any) -> Array:
            return np.full((len(x), 3), np.nan)

    fresh_registry.classes["noise"]["wrong"] = Wrong
    text = NOISY.replace('[noise]\nname = "gaussian"', '[noise]\nname = "wrong"')
    with pytest.raises(benchbase.BenchbaseError, match="the noise 'wrong' gave an array of shape"):
        run(text.replace("noise.snr = [20, 60, inf]\n", ""), tmp_path)
