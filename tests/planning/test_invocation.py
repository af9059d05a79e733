import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import benchbase
from benchbase import as_toml
from benchbase.planning.invocation import run_command

SCALARS = st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_toml_reads_what_is_written(value: Any) -> None:
    assert tomllib.loads(f"value = {as_toml(value)}")["value"] == value


def test_specs_are_written_as_suites_write_them() -> None:
    spec = {"name": "x", "init": {"name": "knn", "q": 10}, "on": True, "w": [1, 2.5], "no": None}
    expected = '{ name = "x", init = { name = "knn", q = 10 }, on = true, w = [1, 2.5] }'
    assert as_toml(spec) == expected
    assert as_toml(dict(reversed(spec.items()))).startswith('{ name = "x", ')
    assert as_toml(np.array([1.5, np.inf])) == "[1.5, inf]"
    built = benchbase.build("pooling", {"name": "lp", "p": 2})
    assert as_toml(built) == as_toml(built.spec())


def test_a_run_is_written_as_the_command_line_takes_it() -> None:
    found = run_command(
        Path("a b.toml"), points=3, trials=2, labels=["k N"], extras=[{"name": "knn", "q": 3}],
        plugins=["p.py"], changes={"grid.frame.n_pools": [60, 80]}, time_limit=1.5,
    )  # fmt: skip # as the command
    assert found == (
        "benchbase run 'a b.toml' --points 3 --trials 2 --time-limit 1.5 --plugin p.py "
        """--with '{ name = "knn", q = 3 }' --set 'grid.frame.n_pools=[60, 80]' --solver 'k N'"""
    )
