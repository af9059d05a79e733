"""What takes longer than a test may: certified values of larger frames."""

import numpy as np
import pytest

import benchbase
from benchbase_bounds.dispatch import bounds

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("n", "m", "value"), [(10, 24, 0.04746491), (10, 30, 0.32280734), (10, 40, 0.71403602)]
)
def test_larger_phaseless_frames_are_certified(n: int, m: int, value: float) -> None:
    vectors = np.random.default_rng(0).standard_normal((n, m)).T
    pooling = benchbase.build("pooling", {"name": "lp", "p": 2})
    found = bounds(benchbase.DenseFrame(vectors[:, None, :]), pooling)
    assert found.exact
    assert found.upper == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("seed", [0, 1])
def test_rectified_l2_is_certified_in_three_dimensions(seed: int) -> None:
    frame = benchbase.DenseFrame(np.random.default_rng(seed).standard_normal((12, 2, 3)))
    pooling = benchbase.build("pooling", {"name": "lp", "p": 2, "rectified": True})
    found = bounds(frame, pooling)
    assert 0.5 * found.upper < found.lower <= found.upper
