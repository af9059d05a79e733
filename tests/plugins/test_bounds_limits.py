"""The limits of many pools of Gaussian vectors."""

import math

import numpy as np
import pytest

import benchbase
from benchbase import Array
from benchbase_bounds.limits import limit
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_constant import ascend
from benchbase_bounds.upper_ends.direct import minimise_ratio

NORMS = [(p, rectified) for p in (1, 2, math.inf) for rectified in (False, True)]


def lp(vectors: Array, p: float, rectified: bool = False) -> Operator:
    spec = {"name": "lp", "p": p, "rectified": rectified}
    return Operator.of(benchbase.DenseFrame(vectors), benchbase.build("pooling", spec))


@pytest.mark.parametrize(("p", "rectified"), NORMS)
def test_limits_at_three_dimensions(p: float, rectified: bool) -> None:
    k = 5000
    operator = lp(np.random.default_rng(2).standard_normal((k, 2, 3)), p, rectified)
    expected = limit(2, p, rectified=rectified)
    assert expected is not None
    found, _ = minimise_ratio(operator, restarts=4, n_iter=15)
    assert found / math.sqrt(k) == pytest.approx(math.sqrt(expected.lower), rel=0.04)
    assert ascend(operator, restarts=2) / math.sqrt(k) == pytest.approx(
        math.sqrt(expected.upper), rel=0.04
    )


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(("p", "rectified"), NORMS)
def test_limits_are_expectations_of_fixed_pairs(p: float, rectified: bool, size: int) -> None:
    expected = limit(size, p, rectified=rectified)
    assert expected is not None
    k = 80_000
    operator = lp(np.random.default_rng(3).standard_normal((k, size, 2)), p, rectified)
    x, y = np.eye(2)
    y = -x if expected.opposite else y
    lower, upper = operator.ratio(x, y), np.linalg.norm(operator(x))
    assert lower / math.sqrt(k) == pytest.approx(math.sqrt(expected.lower), rel=0.01)
    assert upper / math.sqrt(k) == pytest.approx(math.sqrt(expected.upper), rel=0.01)


def test_an_unknown_exponent_has_no_limit() -> None:
    assert limit(3, 2, rectified=False) is None
    with pytest.raises(benchbase.ParameterError, match="1, 2 or inf"):
        limit(2, 3, rectified=False)
