"""What the methods of the relaxations cost, in floating-point operations.

The numbers are those of the dominant linear algebra, in matrices of size n: 9 n³ operations for an
eigendecomposition, 4/3 n³ for eigenvalues alone, n³/3 for a Cholesky factor and 2 n³ for an inverse
or a product (Golub and Van Loan, "Matrix computations"). An operation on complex numbers counts
four.
"""

from __future__ import annotations

from typing import NamedTuple

from benchbase import Frame
from benchbase_sdp.constraints import Constraints

COMPLEX = 4  # real operations in one on complex numbers
ADMM_CHECK = 25  # iterations of ADMM between two looks at its residuals, which cost as much as two
PROJECTION = 11  # in units of n³: an eigendecomposition, and the product of its positive part


class Cost(NamedTuple):
    """The operations of a method that solves programs with the same constraints.

    Parameters
    ----------
    setup : float
        What all programs share.
    start : float
        What each program takes before, or besides, its iterations.
    iteration : float
        One iteration.
    reweighting : float
        Forming the constraints of a reweighted program from the last solution.
    finish : float
        The measurement of how near the solution is to optimal, and the signal in it.
    """

    setup: float
    start: float
    iteration: float
    reweighting: float
    finish: float


class Splitting(NamedTuple):
    """The operations of SCS: of the factorisation of its matrix, and of one iteration."""

    factorisation: float
    iteration: float


def application(frame: Frame) -> float:
    """Return the operations of one application of a frame: 2·K·L·N, twice that if it is complex."""
    return 2.0 * frame.n_pools * frame.pool_size * frame.n * (2 if frame.is_complex else 1)


def splitting(rows: int, n: int, *, is_complex: bool, embedded: bool = False) -> Splitting:
    """Return what SCS costs for one Hermitian unknown (n, n).

    An iteration passes forwards and backwards through the factors of its matrix, whose entries are
    about those of the dense constraints, and projects onto the cone.

    Parameters
    ----------
    rows : int
        The number of dense rows of the constraints.
    n : int
        The size of the unknown.
    is_complex : bool
        Whether the unknown is complex.
    embedded : bool, optional
        Whether a complex unknown is represented by a real one of twice the size, as CVXPY does.
    """
    unknowns = n * n if is_complex else n * (n + 1) / 2
    few, many = sorted((rows, unknowns))
    projection = PROJECTION * n**3
    if is_complex:
        projection *= 2**3 if embedded else COMPLEX
    return Splitting(few**2 * many, 4 * rows * unknowns + projection)


def cost_of(method: str, constraints: Constraints) -> Cost:
    """Return the cost of one of PhaseLift's methods for constraints.

    With M rows and m constraints on a matrix of size n, an iteration takes

    - "interior-point": 4 M² n + 20 M n² + 4/3 m³ + 55 n³ operations. They are for the entries of
      the Schur complement, ten products of the rows with a matrix, two systems (predictor and
      corrector), and the factorisations and eigenvalues that give step lengths and optimality;
    - "admm": 6 M n² + 2 m² + 11 n³, and a look at the residuals every 25 iterations;
    - "scs" and "cvxpy": 4 m n (n + 1) / 2 + 11 n³; see `splitting`.

    Parameters
    ----------
    method : {"interior-point", "admm", "scs", "cvxpy"}
        The method.
    constraints : Constraints
        The constraints.
    """
    n, m, rows = constraints.n, len(constraints), len(constraints.rows)
    is_complex = constraints.rows.dtype.kind == "c"
    each = COMPLEX if is_complex else 1
    product = each * 2 * rows * n**2  # of the rows with a matrix
    cube = each * n**3
    schur = 2 * product + each * 4 * rows**2 * n
    look = 2 * product + 8 / 3 * cube  # at how near to optimal a solution is
    ends = (product + 15 * cube, look + 13 * cube)  # with an eigendecomposition each
    if method == "interior-point":
        newton = schur + 2 * product + 2 * cube  # with the residuals and the inverse of S
        steps = 2 * (2 * product + 2 / 3 * m**3 + 8 * cube) + 4 * cube
        lengths = 4 * (1 / 3 + 2 + 4 + 4 / 3) * cube  # to two cones, for two steps
        return Cost(0.0, look, newton + steps + lengths + look, *ends)
    if method == "admm":
        iteration = 3 * product + 2 * m**2 + PROJECTION * cube + look / ADMM_CHECK
        return Cost(schur + PROJECTION * m**3, look, iteration, *ends)
    scs = splitting(m, n, is_complex=is_complex, embedded=method == "cvxpy")
    matrices = m * product
    if method == "scs":
        return Cost(matrices + scs.factorisation, 0.0, scs.iteration, *ends)
    return Cost(matrices, scs.factorisation, scs.iteration, *ends)  # CVXPY factorises each time
