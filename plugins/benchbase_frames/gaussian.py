"""Random frames of Gaussian vectors."""

from typing import Literal

import numpy as np

import benchbase
from benchbase import Array


class Gaussian(benchbase.FrameDesign):
    """Random frames: pools of standard normal vectors, made orthogonal within each pool.

    These are the random frames of Bruna, Szlam and LeCun, "Signal recovery from pooling
    representations", ICML 2014, section 3.2. The vectors are drawn as an array (K, L, N) in one
    call, so that the three kinds of pools come from the same draw.

    Parameters
    ----------
    n_pools : int
        The number of pools K.
    pool_size : int, optional
        The number of vectors L in a pool.
    pools : {"orthogonal", "orthonormal", "drawn"}, optional
        "orthogonal" makes the vectors of each pool orthogonal by Gram-Schmidt, in their order;
        each keeps the length that it has then. "orthonormal" also scales them to unit length, so
        that the pools are Haar distributed. "drawn" leaves the vectors as they are drawn.

    Raises
    ------
    ParameterError
        If `n_pools` or `pool_size` is less than 1.
    """

    name = "gaussian"
    n_pools: int
    pool_size: int = 2
    pools: Literal["orthogonal", "orthonormal", "drawn"] = "orthogonal"

    def __post_init__(self) -> None:
        benchbase.check_range("n_pools", self.n_pools, least=1)
        benchbase.check_range("pool_size", self.pool_size, least=1)

    def check(self, n: int) -> None:
        """Check that pools of orthogonal vectors fit into `n` dimensions.

        Raises
        ------
        ParameterError
            If pools that are not "drawn" hold more than `n` vectors.
        """
        if self.pools != "drawn" and self.pool_size > n:
            problem = f"must be at most the dimension {n} for {self.pools} pools"
            raise benchbase.ParameterError("pool_size", f"{problem}, not {self.pool_size}")

    def build(self, n: int, train: Array | None, rng: np.random.Generator) -> benchbase.DenseFrame:
        """Draw a frame for signals of dimension `n`; `train` is not used.

        Raises
        ------
        ParameterError
            If pools that are not "drawn" hold more than `n` vectors.
        """
        del train
        vectors = rng.standard_normal((self.n_pools, self.pool_size, n))
        if self.pools == "drawn":
            return benchbase.DenseFrame(vectors)
        if self.pool_size > n:
            problem = f"must be at most the dimension {n} for {self.pools} pools"
            raise benchbase.ParameterError("pool_size", f"{problem}, not {self.pool_size}")
        q, r = np.linalg.qr(vectors.transpose(0, 2, 1))
        lengths = np.diagonal(r, axis1=1, axis2=2)
        # QR leaves the sign of R's diagonal open, whereas Gram-Schmidt makes it positive. Without
        # that sign, all first coordinates would be negative and the pools not Haar distributed.
        factors = np.sign(lengths) if self.pools == "orthonormal" else lengths
        return benchbase.DenseFrame((q * factors[:, None, :]).transpose(0, 2, 1))
