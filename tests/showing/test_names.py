from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchbase.showing import (
    norm_name,
    pooling_name,
    setting_name,
    solver_names,
    summarise,
    variant_name,
    varying_parameters,
)

Make = Callable[..., pd.DataFrame]


@pytest.mark.parametrize(
    ("pooling", "norm", "variant", "name"),
    [
        ({}, "ℓ2", "linear", "ℓ2"),
        ({"p": np.inf}, "ℓ∞", "linear", "ℓ∞"),
        ({"p": 1.5, "rectified": True}, "ℓ1.5", "rectified", "rectified ℓ1.5"),
        (
            {"rectified": True, "pooling__threshold": 0.1},
            "ℓ2",
            "rectified, threshold .1",
            "rectified ℓ2, threshold .1",
        ),
        ({"pooling": "maxout", "p": np.nan}, "maxout", "linear", "maxout"),
        ({"pooling": "soft"}, "ℓ2 (soft)", "linear", "ℓ2 (soft)"),
        ({"pooling__even": True, "pooling__p": 2.0}, "ℓ2", "linear, even", "ℓ2, even"),
    ],
)
def test_poolings_are_named(
    cell: Make, pooling: dict[str, Any], norm: str, variant: str, name: str
) -> None:
    row = cell([1.0], **pooling).iloc[0]
    assert (norm_name(row), variant_name(row), pooling_name(row)) == (norm, variant, name)


def test_settings_name_what_tells_problems_apart(cell: Make) -> None:
    facts = {"dataset__components": 8, "noise": "gaussian", "noise__snr": 20.0}
    row = cell([1.0], experiment="a", **facts).iloc[0]
    assert setting_name(row, []) == (
        "a · digits, n = 64 · gaussian frame, pools of 2 · gaussian noise, snr 20"
    )
    assert "digits, n = 64, components 8" in setting_name(row, ["dataset.components"])


def test_parameters_vary_if_they_have_several_values(cell: Make, join: Make) -> None:
    parts = [cell([1.0], dataset__components=n, dataset__other=1) for n in (8, 16)]
    assert varying_parameters(summarise(join(*parts))) == ["dataset.components"]


def test_solvers_that_ran_on_fewer_signals_say_so(cell: Make, join: Make) -> None:
    parts = [cell([0.5] * 3, "a"), cell([0.5], "b"), cell([0.5] * 2, "c"), cell([0.5], "d", p=1.0)]
    assert solver_names(summarise(join(*parts))) == ["a", "b (1 pt)", "c (2 pts)", "d"]
