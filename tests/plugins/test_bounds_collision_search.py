"""Collisions are found where the dimension count expects them, and nowhere else."""

from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase_bounds.collision_search import find_collision
from benchbase_bounds.representation import Operator

N = 4


@pytest.mark.parametrize(
    ("p", "size"), [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), ("inf", 2), ("inf", 3)]
)
def test_proposition_2_8_on_drawn_frames(p: Any, size: int) -> None:
    pooling = benchbase.build("pooling", {"name": "lp", "p": p})
    rng = np.random.default_rng(1)

    def collisions(k: int, frames: int = 4) -> int:
        total = 0
        for _ in range(frames):
            operator = Operator.of(benchbase.DenseFrame(rng.standard_normal((k, size, N))), pooling)
            pair = find_collision(operator, rng, starts=32)
            if pair is not None:
                x, y = pair
                scale = np.hypot(np.linalg.norm(x), np.linalg.norm(y))
                assert operator.distance(x, y) > 1e-3 * scale
                assert operator.ratio(x, y) < 1e-5
                total += 1
        return total

    quadratic = p == 2 or size == 1  # these need one pool less
    assert collisions(2 * N - 2) == 4
    assert collisions(2 * N - 1) == 0 if quadratic else collisions(2 * N - 1) > 1
    assert collisions(2 * N) == 0
    assert collisions(4 * N, frames=1) == 0
