"""What takes longer than a test may: certified values of larger frames."""

import re
import time
from pathlib import Path

import numpy as np
import pytest

import benchbase
from benchbase_bounds.dispatch import bounds

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("n", "m", "value"),
    [
        (8, 32, None),
        (6, 36, None),
        (10, 24, 0.04746491),
        (10, 30, 0.32280734),
        (10, 40, 0.71403602),
    ],
)
def test_larger_phaseless_frames_are_certified(n: int, m: int, value: float | None) -> None:
    vectors = np.random.default_rng(0).standard_normal((n, m)).T
    pooling = benchbase.build("pooling", {"name": "lp", "p": 2})
    start = time.process_time()
    found = bounds(benchbase.DenseFrame(vectors[:, None, :]), pooling)
    print(f"N = {n}, M = {m}: {time.process_time() - start:.1f} s")  # noqa: T201 # to be quoted
    assert found.exact
    assert value is None or found.upper == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("rectified", [False, True])
def test_l2_is_certified_as_far_as_the_page_says(rectified: bool, column: int) -> None:
    page = (Path(__file__).parents[2] / "docs" / "bounds.rst").read_text("utf-8")
    name = "rectified ℓ2" if rectified else "ℓ2"
    (row,) = re.findall(rf"(?m)^{name}  +(.* %)$", page)
    told = re.findall(r"(\d+), (\d+) %", row)[column]
    n, k = [(2, 6), (2, 16), (3, 9), (3, 12)][column]
    pooling = benchbase.build("pooling", {"name": "lp", "p": 2, "rectified": rectified})
    for seed, share in enumerate(told):
        frame = benchbase.DenseFrame(np.random.default_rng(seed).standard_normal((k, 2, n)))
        found = bounds(frame, pooling)
        assert round(100 * found.lower / found.upper) == int(share)
