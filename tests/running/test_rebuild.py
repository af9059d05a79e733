"""Cells and problems from stored facts: the same as those of the suite."""

from pathlib import Path

import numpy as np
import pytest

from benchbase.discovery.registry import registry
from benchbase.errors import BenchbaseError, SpecError
from benchbase.planning.cells import Cell, make_cells, problem_facts
from benchbase.planning.parts import Parts
from benchbase.planning.suite import load_suite
from benchbase.running.rebuild import Rebuilder
from benchbase.running.scorer import Scorer
from benchbase.running.workshop import Workshop

SUITE = """
seed = 3
trials = 2
points = 5
dataset = { name = "gaussian", n = 6 }
frame = { name = "gaussian", n_pools = 8 }
hint = { name = "angle", degrees = 30 }
grid.pooling = [{ name = "lp", p = inf }, { name = "lp", p = 2, rectified = true }]
grid.noise = [{ name = "gaussian", snr = 30 }]
[[solver]]
name = "altmin"
init = { name = "hint" }
[[solver]]
name = "altmin"
label = "few"
points = 2
"""


@pytest.fixture
def cells(tmp_path: Path, fresh_registry: object) -> list[Cell]:
    file = tmp_path / "suite.toml"
    file.write_text(SUITE)
    return make_cells(load_suite(file, registry()))


def test_a_cell_has_the_same_keys(cells: list[Cell]) -> None:
    rebuilder = Rebuilder(registry())
    for cell in cells:
        again = rebuilder.cell(cell.facts())
        assert (again.key, again.problem_key) == (cell.key, cell.problem_key)
        assert again.facts() == cell.facts()
        assert rebuilder.setting(problem_facts(cell.facts())) == cell.setting


def test_a_problem_needs_no_solver(cells: list[Cell]) -> None:
    rebuilder = Rebuilder(registry())
    for cell in cells[::3]:
        facts = cell.facts()
        del facts["solver"]
        found = rebuilder.instance(rebuilder.cell(facts))
        task = next(cell.tasks(Parts(registry())))
        scorer = Scorer(Workshop(registry()))
        expected = scorer.instance(task, scorer.signals(task))
        np.testing.assert_array_equal(found.truth, expected.truth)
        np.testing.assert_array_equal(found.b, expected.b)


def test_what_cannot_be_built_is_told(cells: list[Cell]) -> None:
    facts = cells[0].facts()
    with pytest.raises(SpecError, match="no solver named 'gone'"):
        Rebuilder(registry()).cell(facts | {"solver": {"name": "gone"}})
    with pytest.raises(BenchbaseError, match="n_pools"):
        Rebuilder(registry()).setting(facts | {"frame": {"name": "gaussian", "n_pools": 0}})
