"""Sealed runs: the same numbers, and nothing to find."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import Result

import benchbase
from benchbase.discovery.registry import Registry
from benchbase.errors import BenchbaseError

if TYPE_CHECKING:
    import pandas as pd

PARTS = Path(__file__).parents[1] / "parts"
CHEATS = ["attributes", "seeds", "slices", "environment"]
"""Those that look at what they are given."""

OF_PROCESS = ["collected", "frames", "closures", "patched"]
"""Those that look through their process. The last one changes the scores of all after it."""

HONEST = ["altmin", "knn", "gamp", "phaselift", "phasecut", "mean", "wirtinger"]
HONEST += ["rrr", "levenberg_marquardt", "lifted", "spectral"]
TIMES = ["run", "prepare_seconds", "init_seconds", "solve_seconds", "isolated", "sealed"]

PROBLEM = """
seed = 3
points = 5
report = []
dataset = { name = "gaussian", n = 6 }
frame = { name = "gaussian", n_pools = 16 }
pooling = { name = "lp", p = 2 }
hint = { name = "angle", degrees = 30 }
[[solver]]
name = "altmin"
n_iter = 2
"""

FAMILIES = """
seed = 3
points = 2
trace = true
report = []
dataset = { name = "digits", components = 6 }
frame = { name = "gaussian", n_pools = 18 }
pooling = { name = "lp", p = 2 }
grid.noise = [{ name = "gaussian", snr = 30 }]
""" + "".join(f'[[solver]]\nname = "{name}"\n' for name in HONEST)


def run(folder: Path, text: str, **options: object) -> pd.DataFrame:
    file = folder / "sealed-suite.toml"
    file.write_text(text)
    return benchbase.run(file, results=folder / "r", jobs=1, **options).rows()  # type: ignore[arg-type] # its options


@pytest.fixture(scope="module")
def cosines(
    tmp_path_factory: pytest.TempPathFactory,
    as_installed: Callable[[], AbstractContextManager[Registry]],
) -> Callable[[bool], dict[str, float]]:
    """Return the mean squared cosine of each cheat, in an ordinary run and in a sealed one."""
    found: dict[bool, dict[str, float]] = {}
    with as_installed(), pytest.MonkeyPatch.context() as patch:
        for sealed in (False, True):
            folder = tmp_path_factory.mktemp("cheats")
            patch.setenv("BENCHBASE_CACHE", str(folder / "cache"))
            rows = run(
                folder,
                PROBLEM,
                plugins=PARTS / "cheats.py",
                solvers=CHEATS + OF_PROCESS,
                sealed=sealed,
            )
            assert set(rows["status"]) == {"done"}, rows[["label", "message"]].drop_duplicates()
            assert rows["isolated"].all()
            assert (rows["sealed"] == sealed).all()
            # What the cheats have put into the cache is in a folder of their own.
            names = {each.name.partition("-")[0] for each in (folder / "cache").iterdir()}
            assert names == {"train", "strangers"}
            means = rows.groupby("label")["squared_cosine"].mean()
            found[sealed] = {str(label): float(mean) for label, mean in means.items()}
    return found.__getitem__


@pytest.mark.parametrize("cheat", CHEATS)
def test_what_a_solver_is_given_leads_nowhere_in_any_run(
    cosines: Callable[[bool], dict[str, float]], cheat: str
) -> None:
    assert cosines(False)[cheat] < 0.9
    assert cosines(True)[cheat] < 0.9


@pytest.mark.parametrize("cheat", OF_PROCESS)
def test_the_process_of_a_sealed_solver_holds_no_answer(
    cosines: Callable[[bool], dict[str, float]], cheat: str
) -> None:
    assert cosines(False)[cheat] > 0.999  # the cheat works where the signals are
    assert cosines(True)[cheat] < 0.9


def test_a_sealed_run_gives_the_same_numbers(tmp_path: Path, fresh_registry: Registry) -> None:
    """For one solver of each bundled family; from their estimates on to their traces."""
    ordinary = benchbase.Results(tmp_path / "a" / "r", (1,))
    for folder, sealed in ((tmp_path / "a", False), (tmp_path / "b", True)):
        folder.mkdir()
        run(folder, FAMILIES, sealed=sealed)
    other = benchbase.Results(tmp_path / "b" / "r", (1,))
    assert ordinary.rows()["status"].eq("done").sum() > 15
    assert ordinary.rows()["sealed"].eq(False).all()
    assert other.rows()["sealed"].all()
    assert ordinary.rows().drop(columns=TIMES).equals(other.rows().drop(columns=TIMES))
    for cell in ordinary.rows()["cell"].unique():
        assert ordinary.estimates(cell).tobytes() == other.estimates(cell).tobytes()
        assert ordinary.signals(cell).tobytes() == other.signals(cell).tobytes()
    traces = [each.traces().drop(columns="seconds") for each in (ordinary, other)]
    assert len(traces[0]) > 0
    assert traces[0].equals(traces[1])


BOTH = """
import numpy as np
import benchbase
class Own(benchbase.Dataset):
    name = "own"
    n: int = 6
    def test(self, size, rng):
        return rng.standard_normal((size, 6))
@benchbase.solver
def mine(frame, pooling, b, rng):
    return np.ones(frame.n)
@benchbase.hookimpl
def register_datasets(register): register(Own)
"""


def test_what_is_not_sealed_is_computed_again_where_it_can_be(
    tmp_path: Path, fresh_registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "both.py").write_text(BOTH)
    text = PROBLEM.replace('{ name = "gaussian", n = 6 }', '{ name = "own" }')
    given = {"plugins": tmp_path / "both.py", "solvers": ["altmin", "mine"]}
    first = run(tmp_path, text, **given)
    assert not first["sealed"].any()
    capfd.readouterr()
    sealed = run(tmp_path, text, **given, sealed=True)
    told = capfd.readouterr().err
    assert sealed.groupby("label")["sealed"].all().to_dict() == {"altmin": True, "mine": False}
    assert "not sealed: mine; the solver and a part of its problem both come from the file" in told
    assert "both.py" in told
    finished = benchbase.load_results(tmp_path / "r", "all").suites
    again = run(tmp_path, text, **given)
    assert again["sealed"].tolist() == sealed["sealed"].tolist()
    assert again["solve_seconds"].tolist() == sealed["solve_seconds"].tolist()
    assert len(finished) == 2


def test_what_goes_wrong_in_a_sealed_solver_costs_its_chunk(
    tmp_path: Path, fresh_registry: Registry
) -> None:
    solvers = ["raises", "exits", "gives_nan", "fine"]
    rows = run(tmp_path, PROBLEM, plugins=PARTS / "faulty.py", solvers=solvers, sealed=True)
    assert rows.groupby("label")["status"].first().to_dict() == {
        "raises": "failed",
        "exits": "crashed",
        "gives_nan": "failed",
        "fine": "done",
    }
    assert rows["sealed"].all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"jobs": 0}, "a sealed run needs worker processes"),
        ({"dask": "tcp://127.0.0.1:9"}, "a run on a Dask cluster cannot be sealed"),
    ],
)
def test_what_cannot_be_sealed_is_refused(
    tmp_path: Path, fresh_registry: Registry, options: dict[str, object], told: str
) -> None:
    (tmp_path / "s.toml").write_text(PROBLEM)
    with pytest.raises(BenchbaseError, match=told):
        benchbase.run(tmp_path / "s.toml", results=tmp_path / "r", sealed=True, **options)  # type: ignore[arg-type] # its options


def test_the_command_line_seals_too(cli: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(PROBLEM)
    assert os.environ["BENCHBASE_JOBS"] == "0"
    ran = cli("run", "s.toml", "--results", "r", "--sealed")
    assert ran.exit_code == 2
    assert "a sealed run needs worker processes" in ran.output
