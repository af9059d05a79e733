"""Nearest neighbours in measurement space."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_knn.fit import fit
from benchbase_knn.index import Index, blocks


class NearestNeighbours(benchbase.Solver):
    """Nearest neighbours: the principal component of the training signals that measure alike.

    Section 3.1 of Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML
    2014. The q training signals whose measurements are nearest to b in Euclidean distance are
    found exactly. The estimate is the leading eigenvector of Σ x xᵀ over them, which does not
    depend on their signs, scaled so that its measurements fit b best. Where measurements tell x
    from −x, the sign with the smaller residual is taken.

    Each call measures all T training signals anew, in one pass for all of its queries and in
    memory that does not grow with T (the pages of a mapped file apart, which the system takes back
    when it needs them). The pass counts as solving: its time, and T frame applications. A solver
    that works in several chunks, or calls this one more than once, makes as many passes;
    `store_measurements` makes a single one, while preparing, at T·K·4 bytes (900,000 signals and
    830 pools: 3 GB). For one call that is no faster. The neighbours are the same.

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
    q: int = 10
    store_measurements: bool = False

    def __post_init__(self) -> None:
        benchbase.check_range("q", self.q, least=1)

    def unsupported(self, problem: Problem) -> str | None:
        """Say so where there are no training signals, or fewer than q."""
        if problem.training is None:
            return "needs training signals"
        if len(problem.training) < self.q:
            return f"q = {self.q} is more than the {len(problem.training)} training signals"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Measure the training signals, if their measurements are to be stored."""
        assert problem.training is not None  # noqa: S101 # for mypy; `unsupported` has said so
        training, frame = problem.training, problem.frame
        index = Index(problem, store=self.store_measurements)
        width = self.q * max(frame.n, frame.pool_size * frame.n_pools)

        def inverse(b: Array, run: Run) -> Recovery:
            del run
            x = np.empty((len(b), frame.n))
            neighbours = index.nearest(b, self.q)
            for block in blocks(len(b), width):
                near = training[neighbours[block]].astype(np.float64)
                direction = np.linalg.svd(near, full_matrices=False)[2][:, 0]
                largest = np.linalg.norm(near, axis=-1).max(axis=-1)
                x[block] = fit(problem, direction, b[block], 4 * largest)
            return Recovery(x=x)

        return inverse
