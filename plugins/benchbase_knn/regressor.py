"""A regression from measurements to signals, learned from training signals."""

from __future__ import annotations

from importlib import import_module

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_knn.prior import moments

PAIRS = (
    500  # the kernel's width is the median distance between so many measurements and as many others
)


class Regressor(benchbase.Solver):
    """Kernel ridge regression from measurements to signals, learned from training signals.

    scikit-learn's `Nystroem` maps measurements to features, which are made from a Gaussian kernel
    between them and the measurements of `landmarks` training signals. `Ridge` maps the features to
    signals. (Williams and Seeger, "Using the Nyström method to speed up kernel machines", NIPS
    2000.) The width of the kernel is the median distance of training measurements. If the sign is
    lost, each training signal gets the sign that makes its coefficient of the leading principal
    component (of x xᵀ) positive. This helps if few signals are nearly orthogonal to that component,
    as with images that are not centred.

    An estimate costs 2 m (K + m + N) operations with m landmarks; the regression is learned while
    preparing, which does not count.

    The estimates are meant as starts for other solvers. On 200 MNIST images held out of the
    training signals (N = 100, K = 110, p = 2, one frame), the mean squared cosine is .936 with
    2,000 landmarks and .921 with 1,000; with half rectification it is .948. A neural network with
    two layers of 512 units that learns from the same 20,000 samples reaches .912, and .945 with
    half rectification, in twelve times the seconds.

    Parameters
    ----------
    landmarks : int, optional
        The number of features.
    samples : int, optional
        The largest number of training signals to learn from. They are spread evenly over all.
    ridge : float, optional
        The penalty on the squared weights of the regression from features to signals.

    Raises
    ------
    ParameterError
        If `landmarks` or `samples` is less than 1, or if `ridge` is not positive or not finite.
    """

    name = "regressor"
    requires = ("sklearn.kernel_approximation", "sklearn.linear_model")
    landmarks: int = 1000
    samples: int = 20_000
    ridge: float = 1e-3

    def __post_init__(self) -> None:
        benchbase.check_range("landmarks", self.landmarks, least=1)
        benchbase.check_range("samples", self.samples, least=1)
        benchbase.check_range("ridge", self.ridge, above=0, below=np.inf)

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason if training signals are missing, or if the frame is complex."""
        if problem.training is None or len(problem.training) == 0:
            return "needs training signals"
        if problem.frame.is_complex:
            return "the frame is complex, but the regressor is for real signals"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Fit the regression to the training signals and their measurements."""
        assert problem.training is not None  # noqa: S101 # for mypy; `unsupported` has refused such problems
        training = problem.training
        chosen = np.unique(
            np.linspace(0, len(training) - 1, min(self.samples, len(training)), dtype=np.int64)
        )
        signals = training[chosen].astype(np.float64)
        if problem.pooling.even:
            leading = np.linalg.eigh(moments(training)[1])[1][:, -1]
            signals *= np.where(signals @ leading < 0, -1, 1)[:, None]
        size = float(np.abs(signals).max(initial=0.0))
        unit = size if size > 0 else 1.0
        measured = problem.measure(signals)
        spread = float(np.abs(measured).max(initial=0.0))
        scale = spread if spread > 0 else 1.0
        features = import_module("sklearn.kernel_approximation").Nystroem(
            gamma=_gamma(measured / scale),
            n_components=min(self.landmarks, len(signals)),
            random_state=0,
        )
        count, frame = features.n_components, problem.frame
        # Distances from the landmarks, the product that makes features of them, and the regression.
        operations = 2 * count * (frame.n_pools + count + frame.n)
        cost = operations / (2 * frame.n_pools * frame.pool_size * frame.n)
        ridge = import_module("sklearn.linear_model").Ridge(alpha=self.ridge)
        ridge.fit(features.fit_transform(measured / scale), signals / unit)

        def inverse(b: Array, run: Run) -> Recovery:
            run.count(len(b) * cost)  # nothing is random
            x: Array = (
                ridge.predict(features.transform(b / scale))
                if len(b)
                else np.empty((0, problem.frame.n))
            )
            return Recovery(x=x.reshape(len(b), problem.frame.n) * unit)

        return inverse


def _gamma(measured: Array) -> float:
    """Return 1 divided by the median squared distance between measurements."""
    rows = measured[: 2 * PAIRS]
    half = len(rows) // 2
    square = np.sum((rows[:half, None] - rows[None, half:]) ** 2, axis=-1)
    median = float(np.median(square)) if square.size else 0.0
    return 1 / median if median > 0 else 1.0
