"""Recovery from the training signals with the most similar measurements."""

from typing import ClassVar

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_knn.fit import fit
from benchbase_knn.index import Index, blocks


class NearestNeighbours(benchbase.Solver):
    """Nearest neighbours: the principal component of training signals with similar measurements.

    This is the regression of section 3.1 of Bruna, Szlam and LeCun, "Signal recovery from pooling
    representations", ICML 2014. The q training signals whose measurements are nearest to b in
    Euclidean distance are found exactly. The estimate is the leading eigenvector of Σ x xᵀ over
    these neighbours, which does not depend on their signs. It is scaled so that its measurements
    fit b best. If measurements tell x from −x, the sign with the smaller residual is taken.

    Each call measures all T training signals anew, in one pass for all of its queries. The memory
    does not grow with T, apart from the pages of a memory-mapped file, which the system takes back
    when it needs them. The pass counts as solving: its time, and its T frame applications. So do
    the distances of each signal, 2 T K operations, which are T / (L N) applications. The pass
    counts in full also if another solver of the run has made it for the same measurements
    (`Run.shared`), or for another pooling of the frame. With `store_measurements`, there is a
    single pass of its own, while preparing, and the measurements take T·K·4 bytes (3 GB for 900,000
    signals and 830 pools). That is faster for a solver that calls this one more than once, each
    time for other measurements. The neighbours are the same.

    Parameters
    ----------
    q : int, optional
        The number of neighbours.
    store_measurements : bool, optional
        Whether to keep the measurements of the training signals in memory.

    Raises
    ------
    ParameterError
        If `q` is less than 1.
    """

    name = "knn"
    asks_alike: ClassVar[bool] = True
    q: int = 10
    store_measurements: bool = False

    def __post_init__(self) -> None:
        benchbase.check_range("q", self.q, least=1)

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason if there are fewer than q training signals, or none."""
        if problem.training is None:
            return "needs training signals"
        if len(problem.training) < self.q:
            return f"q = {self.q} is more than the {len(problem.training)} training signals"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Measure the training signals, if their measurements are to be stored."""
        assert problem.training is not None  # noqa: S101 # for mypy; `unsupported` has refused such problems
        training, frame = problem.training, problem.frame
        index = Index(problem, store=self.store_measurements)
        width = self.q * max(frame.n, frame.pool_size * frame.n_pools)

        def inverse(b: Array, run: Run) -> Recovery:
            x = np.empty((len(b), frame.n))
            neighbours = index.find(b, self.q, run)
            run.count(len(b) * index.search_cost)
            for block in blocks(len(b), width):
                near = training[neighbours[block]].astype(np.float64)
                direction = np.linalg.svd(near, full_matrices=False)[2][:, 0]
                largest = np.linalg.norm(near, axis=-1).max(axis=-1)
                x[block] = fit(problem, direction, b[block], 4 * largest)
            return Recovery(x=x)

        return inverse
