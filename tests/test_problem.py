from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import benchbase
from benchbase import DenseFrame, ParameterError, Problem, relative_error, squared_cosine
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.problem import relative_residual

Array = benchbase.Array
AMBIGUITIES = ("none", "sign", "phase")
numbers = st.floats(-100, 100, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-3)
pairs = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        hnp.arrays(float, n, elements=numbers), hnp.arrays(float, n, elements=numbers)
    )
)


class Norm(benchbase.Pooling):
    name = "norm"
    even = True
    nonnegative = True

    def check(self, n_pools: int, pool_size: int) -> None:
        if pool_size > 3:
            raise ParameterError("pool_size", f"must be at most 3, not {pool_size}")

    def __call__(self, c: Array) -> Array:
        return np.asarray(np.linalg.norm(c, axis=-2))

    def rescale(self, c: Array, b: Array) -> Array:
        return c

    def project(self, c: Array, b: Array) -> Array:
        return c


class Sum(Norm):
    name = "sum"
    even = False

    def __call__(self, c: Array) -> Array:
        return np.asarray(c.sum(axis=-2))


def frame(complex_: bool = False) -> DenseFrame:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5, 2, 3))
    return DenseFrame(vectors + 1j * rng.standard_normal((5, 2, 3)) if complex_ else vectors)


@pytest.mark.parametrize("degrees", [0, 30, 45, 60, 90, 120, 180])
def test_squared_cosine_is_that_of_the_angle(degrees: int) -> None:
    angle = np.deg2rad(degrees)
    x, truth = 3 * np.array([np.cos(angle), np.sin(angle)]), np.array([2.0, 0.0])
    assert squared_cosine(x, truth) == pytest.approx(np.cos(angle) ** 2, abs=1e-15)
    kept = np.cos(angle) ** 2 if degrees < 90 else 0.0
    assert squared_cosine(x, truth, "none") == pytest.approx(kept, abs=1e-15)


@pytest.mark.parametrize("degrees", [0, 30, 60, 120, 180])
def test_relative_error_is_the_chord(degrees: int) -> None:
    angle = np.deg2rad(degrees)
    x, truth = 2 * np.array([np.cos(angle), np.sin(angle)]), np.array([2.0, 0.0])
    assert relative_error(x, truth, "none") == pytest.approx(2 * np.sin(angle / 2))
    nearer = min(angle, np.pi - angle)
    assert relative_error(x, truth) == pytest.approx(2 * np.sin(nearer / 2), abs=1e-15)


@given(pairs, st.sampled_from(AMBIGUITIES), st.floats(0.01, 100))
def test_cosine_is_between_0_and_1_symmetric_and_blind_to_scale(
    pair: tuple[Array, Array], ambiguity: str, scale: float
) -> None:
    x, truth = pair
    value = squared_cosine(x, truth, ambiguity)
    assert 0 <= value <= 1
    assert squared_cosine(truth, x, ambiguity) == pytest.approx(value, abs=1e-12)
    assert squared_cosine(scale * x, truth, ambiguity) == pytest.approx(value, abs=1e-12)


@given(pairs)
def test_the_sign_matters_only_where_it_is_kept(pair: tuple[Array, Array]) -> None:
    x, truth = pair
    assert squared_cosine(-x, truth) == pytest.approx(squared_cosine(x, truth), abs=1e-12)
    assert relative_error(-x, truth) == pytest.approx(relative_error(x, truth), abs=1e-9)
    # Exactly one of x and -x is on the truth's side, unless they are orthogonal.
    both = [squared_cosine(sign * x, truth, "none") for sign in (1, -1)]
    assert sorted(both) == pytest.approx([0, squared_cosine(x, truth)], abs=1e-12)
    errors = [relative_error(sign * x, truth, "none") for sign in (1, -1)]
    assert min(errors) == pytest.approx(relative_error(x, truth), abs=1e-9)


@given(pairs, st.floats(0, 2 * np.pi))
def test_the_phase_does_not_matter_where_it_is_lost(
    pair: tuple[Array, Array], angle: float
) -> None:
    x, truth = pair[0] + 0j, pair[1]
    turned = x * np.exp(1j * angle)
    assert squared_cosine(turned, truth, "phase") == pytest.approx(
        squared_cosine(x, truth, "phase"), abs=1e-9
    )
    assert relative_error(turned, truth, "phase") == pytest.approx(
        relative_error(x, truth, "phase"), abs=1e-6
    )


@given(pairs)
def test_relative_error_at_the_best_scale_is_the_sine(pair: tuple[Array, Array]) -> None:
    x, truth = pair
    assume(x.any() and truth.any())
    fitted = x * (x @ truth) / (x @ x)
    sine = 1 - squared_cosine(x, truth)
    assert relative_error(fitted, truth) ** 2 == pytest.approx(sine, abs=1e-9)


@pytest.mark.parametrize("ambiguity", AMBIGUITIES)
def test_zero_vectors(ambiguity: str) -> None:
    zero, one = np.zeros((1, 3)), np.array([[2.0, 0.0, 0.0]])
    assert squared_cosine(zero, one, ambiguity).tolist() == [0]
    assert squared_cosine(one, zero, ambiguity).tolist() == [0]
    assert relative_error(zero, one, ambiguity).tolist() == [1]
    assert relative_error(one, zero, ambiguity).tolist() == [2]
    assert relative_error(zero, zero, ambiguity).tolist() == [0]


@pytest.mark.parametrize("ambiguity", AMBIGUITIES)
def test_nan_stays_in_its_row(ambiguity: str) -> None:
    truth = np.ones((3, 2))
    x = np.array([[1.0, 1.0], [np.nan, 1.0], [1.0, 0.0]])
    cosine = squared_cosine(x, truth, ambiguity)
    np.testing.assert_allclose(cosine, [1, np.nan, 0.5])
    assert np.isnan(relative_error(x, truth, ambiguity)).tolist() == [False, True, False]


def test_metrics_of_integers() -> None:
    x, truth = np.array([3, 4]), np.array([6, 8])
    assert squared_cosine(x, truth) == 1
    assert relative_error(x, truth) == 0.5


@pytest.mark.parametrize("batch", [(), (4,), (2, 4)])
def test_metrics_keep_the_batch_axes(batch: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, truth = rng.standard_normal((2, *batch, 3))
    problem = Problem(frame(), Norm())
    b = problem.measure(truth)
    assert b.shape == (*batch, 5)
    for values in (
        squared_cosine(x, truth),
        relative_error(x, truth),
        problem.residual(x, b),
    ):
        assert np.shape(values) == batch
    rows = [
        squared_cosine(*row) for row in zip(x.reshape(-1, 3), truth.reshape(-1, 3), strict=True)
    ]
    np.testing.assert_allclose(squared_cosine(x, truth).ravel(), rows)


def test_residual_is_relative_unless_there_is_nothing() -> None:
    measured = np.array([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]])
    b = np.array([[0.0, 5.0], [0.0, 0.0], [0.0, 0.0]])
    assert relative_residual(measured, b) == pytest.approx([np.sqrt(10) / 5, 5, 0])


@given(st.floats(0.1, 10))
def test_residual_is_blind_to_the_scale_of_both(scale: float) -> None:
    problem = Problem(frame(), Norm())
    x, truth = np.random.default_rng(0).standard_normal((2, 4, 3))
    value = problem.residual(x, problem.measure(truth))
    scaled = problem.residual(scale * x, problem.measure(scale * truth))
    np.testing.assert_allclose(scaled, value)
    np.testing.assert_allclose(problem.residual(-truth, problem.measure(truth)), 0, atol=1e-15)


def test_ambiguity() -> None:
    assert Problem(frame(), Norm()).ambiguity == "sign"
    assert Problem(frame(complex_=True), Norm()).ambiguity == "phase"
    assert Problem(frame(), Sum()).ambiguity == "none"


def test_a_problem_asks_the_pooling_whether_it_fits() -> None:
    with pytest.raises(ParameterError, match="at most 3, not 4"):
        Problem(DenseFrame(np.ones((2, 4, 3))), Norm())


def test_a_problem_is_frozen() -> None:
    problem = Problem(frame(), Norm())
    with pytest.raises(AttributeError):
        problem.signal_norm = 1.0  # type: ignore[misc] # what is tested


def test_an_even_pooling_loses_the_phase_of_complex_signals() -> None:
    real, turned = (DenseFrame(np.ones((3, 2, 4))) for _ in range(2))
    turned.field = "complex"
    ambiguities = [Problem(frame, Norm()).ambiguity for frame in (real, turned)]
    assert ambiguities == ["sign", "phase"]
    odd = frame()
    odd.field = "complex"
    with pytest.raises(ParameterError, match="its n must be even"):
        Problem(odd, Norm())


@given(hnp.arrays(float, (2, 6), elements=numbers), st.floats(0, 2 * np.pi))
def test_scores_forgive_the_phase_of_a_complex_signal_that_is_stored_as_real(
    pair: Array, angle: float
) -> None:
    x, truth = pair
    assume(x.any() and truth.any())
    turned = DenseFrame(np.ones((3, 2, 6)))
    turned.field = "complex"
    problem = Problem(turned, Norm())
    as_complex = (x[:3] + 1j * x[3:]) * np.exp(1j * angle)
    moved = np.concatenate([as_complex.real, as_complex.imag])
    for score in (problem.squared_cosine, problem.relative_error):
        np.testing.assert_allclose(score(moved, truth), score(x, truth), atol=1e-9)
    np.testing.assert_allclose(problem.relative_error(moved, x), 0, atol=1e-9)
    # A pooling that loses nothing keeps the phase.
    kept = Problem(turned, Sum()).squared_cosine(moved, x)
    np.testing.assert_allclose(kept, max(np.cos(angle), 0) ** 2, atol=1e-9)


def test_complex_signals_are_refused() -> None:
    training = np.ones((4, 3), dtype=np.complex64)
    with pytest.raises(ParameterError, match="training must hold real numbers, not complex ones"):
        Problem(frame(), Norm(), training=training)
    for posed in (Problem(frame(), Norm()), Problem(frame(complex_=True), Norm())):
        assert posed.measure(np.ones(3)).dtype == float  # whatever the frame, signals are real
        with pytest.raises(ParameterError, match="x must hold real numbers, not complex ones"):
            posed.measure(np.ones(3) + 0j)


def test_what_a_frame_says_of_its_signals_and_vectors() -> None:
    vectors = np.random.default_rng(0).standard_normal((5, 2, 6))
    counted = CountingFrame(DenseFrame(vectors), Ledger())
    for frame in (DenseFrame(vectors), DenseFrame(vectors * 1j), counted):
        assert frame.shape == (6,)
        assert frame.field == "real"
        np.testing.assert_allclose(frame.row_energy(), (vectors**2).sum(axis=(1, 2)))
    np.testing.assert_array_equal(Problem(counted, Norm()).vectors(), vectors)
