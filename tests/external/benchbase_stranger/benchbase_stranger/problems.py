"""What is to be recovered, and from what."""

import numpy as np

import benchbase
from benchbase import Array


class Waves(benchbase.Dataset):
    """One wave of random frequency and phase.

    Parameters
    ----------
    n : int, optional
        The dimension N.
    """

    name = "waves"
    n: int = 8

    def __post_init__(self) -> None:
        if self.n < 2:
            raise benchbase.ParameterError("n", f"must be at least 2, not {self.n}")

    def train(self, rng: np.random.Generator) -> Array:
        return self.test(100, rng).astype(np.float32)

    def test(self, size: int, rng: np.random.Generator) -> Array:
        frequency, phase = rng.uniform(0.5, 6, size=(size, 2)).T[:, :, None]
        waves: Array = np.cos(frequency * np.linspace(0, 1, self.n) + phase)
        return waves


class NeighbourFrame(benchbase.Frame):
    """Each pool holds a coordinate and the next: a tight frame whose vectors are never formed."""

    def __init__(self, n: int) -> None:
        self.n, self.n_pools, self.pool_size = n, n, 2

    def analyse(self, x: Array) -> Array:
        return np.stack((x, np.roll(x, -1, axis=-1)), axis=-2)

    def adjoint(self, c: Array) -> Array:
        total: Array = c[..., 0, :] + np.roll(c[..., 1, :], 1, axis=-1)
        return total

    def least_squares(self, c: Array) -> Array:
        return self.adjoint(c) / 2

    def dense(self) -> Array:
        raise NotImplementedError


class Neighbours(benchbase.FrameDesign):
    """Pools of neighbouring coordinates; their number and size follow from the signals."""

    name = "neighbours"

    def size(self, n: int) -> tuple[int, int]:
        return n, 2

    def build(self, n: int, train: Array | None, rng: np.random.Generator) -> benchbase.Frame:
        assert train is not None
        assert train.shape == (100, n)
        return NeighbourFrame(n)


class Energy(benchbase.Pooling):
    """The sum of the squares of each pool, times a gain.

    Parameters
    ----------
    gain : float, optional
        The factor.
    """

    name = "energy"
    gain: float = 1.0

    @property
    def even(self) -> bool:
        return True

    @property
    def nonnegative(self) -> bool:
        return True

    def __call__(self, c: Array) -> Array:
        energy: Array = self.gain * np.sum(np.square(c), axis=-2)
        return energy

    def rescale(self, c: Array, b: Array) -> Array:
        size = np.maximum(self(c), np.finfo(c.dtype).tiny)
        scaled: Array = c * np.sqrt(b / size)[..., None, :]
        return scaled

    def project(self, c: Array, b: Array) -> Array:
        return self.rescale(c, b)
