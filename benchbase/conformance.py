"""The checks that every plugin must pass, for use in the plugins' own tests.

Each function takes a component and raises `AssertionError` with one sentence at the first
violation. Only the tests of plugins import this module::

    from benchbase.conformance import check_solver

    def test_my_solver():
        check_solver(MySolver(n_iter=500))

Shapes: S signals, N dimension, K pools, L pool size, T training signals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np

from benchbase.component import Array, Component
from benchbase.errors import ParameterError
from benchbase.interfaces import Dataset, Inverse, Solver
from benchbase.numerics.dense import DenseFrame
from benchbase.numerics.functions import solver_class
from benchbase.numerics.recovery import recover
from benchbase.numerics.streams import SignalRun, generator, solver_keys
from benchbase.problem import Problem
from benchbase.representation import Frame, FrameDesign, Pooling
from benchbase.tasks import json_ready

BATCHES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 3))
"""The batch axes with which linear maps, poolings and pictures are tried."""


def check_dataset(dataset: Dataset) -> None:
    """Check a data set that has at least five test signals.

    Signals must have the right shapes, be real and be finite. The same generator must give the same
    signals, and S test signals must be the first S of a longer draw. If `n_test` is set, there must
    be that many test signals and no more; if `signal_norm` is set, they must have that norm.
    Training signals must be float32, and no test signal may be among them. `fingerprint` must
    return a string, and `picture` must keep batch axes.
    """
    _check_component(dataset, Dataset)

    def draw(size: int) -> Array:
        return np.asarray(dataset.test(size, generator(0, "test", 0)))

    train, test = dataset.train(generator(0, "train")), draw(5)
    _require(test.shape == (5, dataset.n), f"test(5, rng) has shape {test.shape}, not (5, N)")
    _require(not np.iscomplexobj(test), "test signals must be real; complex ones are refused")
    _require(np.isfinite(test).all(), "test signals must be finite")
    _require(_same(draw(2), test[:2]), "the first test signals of a longer draw must be the same")
    _require(_same(draw(5), test), "the same generator must give the same test signals")
    if dataset.n_test is not None:
        most = draw(dataset.n_test).shape
        _require(most == (dataset.n_test, dataset.n), f"test(n_test, rng) has shape {most}")
        try:
            more = draw(dataset.n_test + 1).shape
        except ParameterError:
            more = None
        _require(more is None, "test() must raise ParameterError for more than n_test signals")
    if dataset.signal_norm is not None:
        gap = np.abs(np.linalg.norm(test, axis=1) / dataset.signal_norm - 1)
        _require((gap < 1e-6).all(), "test signals must have the norm signal_norm")
    if train is not None:
        right = train.ndim == 2 and train.shape[1] == dataset.n and len(train) > 0
        _require(right, f"train(rng) has shape {train.shape}, not (T, N)")
        _require(train.dtype == np.float32, f"training signals are {train.dtype}, not float32")
        _require(np.isfinite(train).all(), "training signals must be finite")
        for signal in test.astype(np.float32):
            leaked = (train == signal).all(axis=1).any()
            _require(not leaked, "a test signal is among the training signals")
        again = dataset.train(generator(0, "train"))
        _require(_same(again, train), "the same generator must give the same training signals")
    _require(isinstance(dataset.fingerprint(), str), "fingerprint() must return a str")
    for batch in BATCHES:
        picture = dataset.picture(np.broadcast_to(test[0], (*batch, dataset.n)))
        if picture is not None:
            right = picture.ndim == len(batch) + 2 and picture.shape[:-2] == batch
            _require(right, f"picture() of {(*batch, dataset.n)} has shape {picture.shape}")


def check_frame(design: FrameDesign, n: int = 16) -> None:
    """Check a recipe for frames, and the frame that it builds for signals of dimension `n`.

    The frame must have the size that the recipe says, and the same generator must give the same
    frame. `analyse`, `adjoint` and `least_squares` must work with any batch axes, keep the
    precision, and leave their inputs alone. `adjoint` must be the adjoint of `analyse`.
    `least_squares` must give the shortest least-squares solution, so that `least_squares` after
    `analyse` projects onto the row space. If the frame forms its vectors, `dense` must return those
    that `analyse` uses, read-only.
    """
    _check_component(design, FrameDesign)
    design.check(n)
    train = np.random.default_rng(1).standard_normal((200, n)).astype(np.float32)
    train.flags.writeable = False
    frame, again = (design.build(n, train, generator(0, "frame", 0, 0)) for _ in range(2))
    _require(isinstance(frame, Frame), f"build() must return a Frame, not {frame!r}")
    _require(frame.n == n, f"the frame's n is {frame.n}, not {n}")
    for name, wanted in zip(("n_pools", "pool_size"), design.size(n), strict=True):
        size = getattr(frame, name)
        _require(wanted == size, f"the frame's {name} is {size}, but size() says {wanted}")
    x = np.random.default_rng(0).standard_normal(n)
    same = _same(frame.analyse(x), again.analyse(x))
    _require(same, "the same generator must give the same frame")
    for batch in BATCHES:
        _check_linear_maps(frame, batch)
    with suppress(NotImplementedError):
        vectors = frame.dense()
        shape = (frame.n_pools, frame.pool_size, n)
        _require(vectors.shape == shape, f"dense() has shape {vectors.shape}, not {shape}")
        same = _near(np.einsum("kln,n->lk", vectors, x), frame.analyse(x))
        _require(same, "dense() must hold the vectors that analyse() uses")
        _require(not vectors.flags.writeable, "dense() must return a read-only array")


def _check_linear_maps(frame: Frame, batch: tuple[int, ...]) -> None:
    # Signals are real even if the frame is complex, so that inner products, and maps back to
    # signals, may keep only real parts.
    rng = np.random.default_rng(0)
    shape = (*batch, frame.pool_size, frame.n_pools)
    x, y = rng.standard_normal((2, *batch, frame.n))
    c = rng.standard_normal(shape)
    if frame.is_complex:
        c = c + 1j * rng.standard_normal(shape)
    for kind in (np.float32, np.float64):
        many = c.astype(np.result_type(kind, np.complex64) if frame.is_complex else kind)
        _check_map("analyse", frame.analyse, (x.astype(kind),), shape, {many.dtype})
        kinds = {many.dtype, np.dtype(kind)}
        _check_map("adjoint", frame.adjoint, (many,), x.shape, kinds)
        _check_map("least_squares", frame.least_squares, (many,), x.shape, kinds)
    same = _near(_inner(frame.analyse(x), c), _inner(x, frame.adjoint(c)))
    _require(same, "adjoint() is not the adjoint: <F x, c> is not <x, F* c>")
    solution = frame.least_squares(c)
    left = _inner(frame.analyse(y), c - frame.analyse(solution)) / _inner(c, c) ** 0.5
    _require(_near(left, np.zeros(())), "least_squares() is not: F* (c - F x) is not zero")
    px, py, again = (frame.least_squares(frame.analyse(z)) for z in (x, y, solution))
    least = _near(_inner(px, y), _inner(x, py)) and _near(again, solution)
    _require(least, "least_squares() is not the shortest: its result leaves the row space")


def check_pooling(pooling: Pooling, n_pools: int = 5, pool_size: int = 2) -> None:
    """Check a pooling operator on pools of a given number and size.

    The operator P, `rescale` and `project` must work with any batch axes, keep the precision, leave
    their inputs alone, and give finite values, also at zero. `even`, `nonnegative` and
    `homogeneous` must be true of P. If `p`, `slopes` and `threshold` give a formula, P must follow
    it. `rescale` and `project` must keep coefficients that have the pooled values already.
    `project` must give coefficients with these values, must give them again if repeated, and must
    move no farther than to any others tried that have the values. `rescale` must keep the
    coefficients that are not `known`.
    """
    _check_component(pooling, Pooling)
    pooling.check(n_pools, pool_size)
    rng = np.random.default_rng(0)
    for batch in BATCHES:
        shape = (*batch, pool_size, n_pools)
        for kind in (np.float32, np.float64):
            c, other = rng.standard_normal((2, *shape)).astype(kind)
            kinds = {c.dtype}
            _check_map("P", pooling, (c,), (*batch, n_pools), kinds)
            b = pooling(other)
            zero = (c, np.zeros_like(b))
            for pair in [(c, b), (np.zeros_like(c), b), *([zero] if pooling.nonnegative else [])]:
                rescaled = _check_map("rescale", pooling.rescale, pair, shape, kinds)
                _check_map("project", pooling.project, pair, shape, kinds)
                known = pooling.known(*pair)
                if known is not None:
                    right = known.shape == shape and known.dtype == np.bool_
                    _require(right, f"known() must be None or bool of shape {shape}")
                    kept = _same(rescaled[~known], pair[0][~known])
                    _require(kept, "rescale() must keep the coefficients that are not known()")
        _check_values(pooling, c, other)
    # There are many pools so that a pooling that is not even does not seem even by chance.
    c = rng.standard_normal((50, pool_size, n_pools))
    even = _near(pooling(-c), pooling(c))
    _require(even == pooling.even, f"even is {pooling.even}, but P(-c) = P(c) is {even}")
    sign = not pooling.nonnegative or (pooling(c) >= 0).all()
    _require(sign, "nonnegative is true, but P(c) is not")
    _check_formula(pooling, c)


def _check_formula(pooling: Pooling, c: Array) -> None:
    """Check that the operator does what `homogeneous`, `p`, `slopes` and `threshold` say."""
    if pooling.homogeneous:
        for size in (1e-3, 1e3):
            same = _near(pooling(size * c) / size, pooling(c))
            _require(same, f"homogeneous is true, but P({size:g} c) is not {size:g} P(c)")
    if pooling.slopes is None:
        return
    left, right = pooling.slopes
    alpha = pooling.thresholds(c.shape[-1], c.shape[-2])
    for u in (c, (1 + np.abs(alpha)) * c):  # at one of them, a threshold of any size shows
        bent = np.where(u < 0, left * u, right * u)
        largest = pooling.p is None or pooling.p == np.inf
        value = bent.max(axis=-2) if largest else np.linalg.norm(bent, pooling.p, axis=-2)
        message = f"P is not what p = {pooling.p}, slopes = {pooling.slopes} and threshold say"
        _require(_near(pooling(u + alpha), value), message)


def _check_values(pooling: Pooling, c: Array, other: Array) -> None:
    b = pooling(other)
    for name in ("rescale", "project"):
        stays = _near(getattr(pooling, name)(c, pooling(c)), c)
        _require(stays, f"{name}() must keep coefficients that already have the values b")
    nearest = pooling.project(c, b)
    _require(_near(pooling(nearest), b), "project() must give coefficients that have the values b")
    again = _near(pooling.project(nearest, b), nearest)
    _require(again, "project() must keep the coefficients that it gave, but it moves them again")
    for rival in (pooling.rescale(c, b), other):
        fits = np.isclose(pooling(rival), b, rtol=1e-9, atol=1e-12)
        gain = np.linalg.norm(nearest - c, axis=-2) - np.linalg.norm(rival - c, axis=-2)
        nearer = (fits & (gain > 1e-9)).any()
        _require(not nearer, "project() must give the nearest coefficients that have the values b")


def check_solver(solver: Any, problem: Problem | None = None) -> None:
    """Check a solver, or a function that is marked with `benchbase.solver`.

    `unsupported` must answer for problems of all kinds. Estimates must have the right shape and be
    finite, and the solver must leave its inputs alone. The same seed must give the same estimates,
    also when a prepared solver is used a second time. A signal alone must be recovered as in a
    batch, with a relative error of at most 1e-6, up to what the measurements cannot tell (such as
    the sign). Measurements of one signal that are not finite must not change the estimates of the
    others. NumPy's global random state must stay as it is.

    `problem` is a problem that the solver solves with ease. By default it is made of the Euclidean
    norms of 30 pairs of Gaussian vectors in five dimensions, with training signals.
    """
    solver = solver if isinstance(solver, Solver) else solver_class(solver)()
    _check_component(solver, Solver)
    whole = solver.chunk is None or solver.chunk >= 1
    _require(whole, f"chunk must be None or at least 1, not {solver.chunk}")
    names = isinstance(solver.requires, tuple) and all(isinstance(m, str) for m in solver.requires)
    _require(names, f"requires must be a tuple of module names, not {solver.requires!r}")
    problem = _easy_problem() if problem is None else problem
    before = str(np.random.get_state())  # noqa: NPY002 # what solvers must leave alone
    for each in (*_other_problems(problem), problem):
        with _named("unsupported()"):
            reason = solver.unsupported(each)
        right = reason is None or (isinstance(reason, str) and reason != "")
        _require(right, f"unsupported() must return None or a reason, not {reason!r}")
    _require(reason is None, f"the problem must be one that the solver supports: {reason}")
    _check_recoveries(solver, problem)
    after = str(np.random.get_state())  # noqa: NPY002 # as above
    _require(
        after == before, "random numbers must come from the run, not from NumPy's global state"
    )


def _check_recoveries(solver: Solver, problem: Problem) -> None:
    rng = np.random.default_rng(2)
    truth = rng.standard_normal((4, problem.frame.n))
    hint = truth + 0.1 * rng.standard_normal(truth.shape) if problem.hint else None
    if problem.signal_norm is not None:
        truth *= problem.signal_norm / np.linalg.norm(truth, axis=1, keepdims=True)
    b = problem.measure(truth)
    b.flags.writeable = False
    untouched = b.copy()

    def solve(inverse: Inverse, signals: range) -> Array:
        rows = slice(signals.start, signals.stop)
        own = None if hint is None else hint[rows]
        run = SignalRun(solver_keys(0, 0, signals), hint=own)
        given = b[rows]
        with _named("the solver"):
            x = np.asarray(recover(inverse, given, run, problem.frame.n).x)
        _require(_same(b, untouched), "the solver must leave the measurements alone")
        _require(np.isfinite(x).all(), "the solver gives estimates that are not finite")
        return x

    with _named("prepare()"):
        inverse, other = solver.prepare(problem), solver.prepare(problem)
    x = solve(inverse, range(4))
    _require(_same(solve(other, range(4)), x), "the same seed must give the same result")
    again = _same(solve(inverse, range(4)), x)
    _require(again, "a prepared solver must give the same result when it is used again")
    for signal in range(4):
        alone = solve(inverse, range(signal, signal + 1))[0]
        gap = problem.relative_error(alone, x[signal])
        message = f"a signal alone must be recovered as in a batch, but differs by {gap:.1e}"
        _require(gap <= 1e-6, message)
    spoilt = b.copy()
    spoilt[1, 0] = np.nan
    kept = np.array([True, False, True, True])
    run = SignalRun(solver_keys(0, 0, range(4)), hint=hint)
    with _named("the solver, with one measurement that is not finite,"):
        rest = np.asarray(recover(inverse, spoilt, run, problem.frame.n).x)[kept]
    gaps = problem.relative_error(rest, x[kept])
    _require((gaps <= 1e-6).all(), "a measurement that is not finite must lose its signal alone")


class _EuclideanNorm(Pooling):
    """The Euclidean norm of each pool; it is here because the core may not import plugins."""

    name = "euclidean"
    even, nonnegative, p = True, True, 2.0

    def __call__(self, c: Array) -> Array:
        size: Array = np.linalg.norm(c, axis=-2)
        return size

    def rescale(self, c: Array, b: Array) -> Array:
        scaled: Array = c * (b / np.maximum(self(c), np.finfo(float).tiny))[..., None, :]
        return scaled

    project = rescale


class _Implicit(DenseFrame):
    """A frame that never forms its vectors."""

    def dense(self) -> Array:
        raise NotImplementedError


def _easy_problem() -> Problem:
    rng = np.random.default_rng(3)
    training = rng.standard_normal((64, 5)).astype(np.float32)
    training.flags.writeable = False
    return Problem(DenseFrame(rng.standard_normal((30, 2, 5))), _EuclideanNorm(), training)


def _other_problems(problem: Problem) -> Iterator[Problem]:
    """Yield problems that a solver may refuse, but for which `unsupported` must not raise."""
    yield replace(problem, training=None)
    vectors = np.random.default_rng(3).standard_normal((9, 2, problem.frame.n))
    for frame in (DenseFrame(vectors[:1]), _Implicit(vectors), DenseFrame(vectors * 1j)):
        with suppress(ParameterError):  # a pooling with one threshold per coefficient fits one size
            yield replace(problem, frame=frame)


def _check_component(component: Any, kind: type[Component]) -> None:
    _require(isinstance(component, kind), f"{component!r} is not a benchbase.{kind.__name__}")
    _require(bool(component.name), f"{type(component).__qualname__} has no name")
    with _named("spec(), or hash(),"):  # parameters that are not plain data make these raise
        json.dumps(json_ready(component.spec()), allow_nan=False)
        hash(component)


def _check_map(
    name: str, f: Callable[..., Array], given: tuple[Array, ...], shape: Any, kinds: set[Any]
) -> Array:
    """Check that f(*given) has the right shape and type, is finite, and leaves `given` alone."""
    before = [argument.copy() for argument in given]
    result = f(*given)
    call = f"{name}() of {' and '.join(str(argument.shape) for argument in given)}"
    _require(result.shape == shape, f"{call} has shape {result.shape}, not {shape}")
    wanted = " or ".join(sorted(map(str, kinds)))
    _require(result.dtype in kinds, f"{name}() of {given[0].dtype} is {result.dtype}, not {wanted}")
    _require(np.isfinite(result).all(), f"{call} is not finite")
    _require(all(map(_same, given, before)), f"{name}() must not change its arguments")
    return result


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turn whatever is raised into an `AssertionError` that names the method that raised it."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{name} raises {type(error).__name__}: {error}") from error


def _require(condition: Any, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b)


def _near(a: Array, b: Array) -> bool:
    """Return whether two arrays are equal but for rounding errors, also of ill-conditioned maps."""
    size = np.linalg.norm(a) + np.linalg.norm(b) + 1.0
    return bool(np.linalg.norm(a - b) <= 1e-7 * size)


def _inner(a: Array, b: Array) -> Array:
    """Return the real inner product over all axes."""
    return np.asarray(np.vdot(a, b).real)
