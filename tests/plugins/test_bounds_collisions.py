"""The report ``collisions`` on a small run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import benchbase
from benchbase.cli import main
from benchbase_bounds.collision_search import find_collision
from benchbase_bounds.reports.collisions import (
    Collisions,
    collisions_table,
    draw,
    grids,
    has_collision,
    name_of_k,
)
from benchbase_bounds.representation import Operator

SUITE = """
title = "counts"
trials = 2
points = 1
report = [{ name = "collisions" }]
dataset = { name = "gaussian", n = 3 }
frame = { name = "gaussian", pools = "drawn" }

[grid]
frame.n_pools = [4, 5, 6, 13]
frame.pool_size = [1, 2]
pooling = [
    { name = "lp", p = 1 },
    { name = "lp", p = 2 },
    { name = "lp", p = 2, rectified = true },
]

[[solver]]
name = "gaussian"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> benchbase.Results:
    folder = tmp_path_factory.mktemp("collisions")
    (folder / "counts.toml").write_text(SUITE)
    return benchbase.run(folder / "counts.toml", results=folder / "results", jobs=0)


@pytest.fixture(scope="module")
def table(results: benchbase.Results) -> pd.DataFrame:
    return collisions_table(results, starts=16)


def test_counts_follow_the_dimension_count(table: pd.DataFrame) -> None:
    assert {*table["n_pools"]} == {4, 5, 6}  # 13 > 4N is not searched
    assert (table["frames"] == 2).all()
    assert (table["searched"] == 2).all()
    linear = table[~table["rectified"]]
    assert (linear.query("n_pools == 4")["collisions"] == 2).all()  # 2N − 2
    assert (linear.query("n_pools == 6")["collisions"] == 0).all()  # 2N
    quadratic = linear[(linear["p"] == 2) | (linear["pool_size"] == 1)]
    assert (quadratic.query("n_pools == 5")["collisions"] == 0).all()  # 2N − 1
    # Of six half rectified vectors in R³ fewer than three are active somewhere.
    assert (table.query("rectified and n_pools == 4")["collisions"] == 2).all()
    assert {*table["pooling_name"]} == {"ℓ1", "ℓ2", "rectified ℓ2"}


def test_regions_with_few_active_vectors_are_found() -> None:
    vectors = np.random.default_rng(3).standard_normal((16, 1, 4))
    frame = benchbase.DenseFrame(vectors)
    pooling = benchbase.build("pooling", {"name": "lp", "p": 2, "rectified": True})
    problem = benchbase.Problem(frame=frame, pooling=pooling)
    assert find_collision(Operator.of(frame, pooling), np.random.default_rng(0), starts=8) is None
    assert has_collision(problem, starts=8)  # where three vectors are active


def test_grids_name_numbers_of_pools(table: pd.DataFrame) -> None:
    ((name, grid),) = grids(table)
    assert name == "gaussian, n = 3 · gaussian frame"
    assert list(grid) == ["pooling", "L", "2N − 2", "2N − 1", "2N"]
    assert len(grid) == 3 * 2
    assert list(grid.query("pooling == 'ℓ2' and L == 2").iloc[0])[2:] == ["2/2", "0/2", "0/2"]


@pytest.mark.parametrize(
    ("k", "n", "name"),
    [(6, 4, "2N − 2"), (7, 4, "2N − 1"), (8, 4, "2N"), (4, 4, "N"), (16, 4, "4N"), (9, 4, "K = 9")],
)
def test_names_of_numbers_of_pools(k: int, n: int, name: str) -> None:
    assert name_of_k(k, n) == name


def test_the_figure_shows_the_counts(table: pd.DataFrame) -> None:
    drawn = draw(table, "counts")
    panels = {ax.get_title(): ax for ax in drawn.axes if ax.get_title()}
    assert list(panels) == ["ℓ1", "ℓ2", "rectified ℓ2"]
    ks, sizes = [4, 5, 6], [1, 2]
    for name, ax in panels.items():
        shown = {text.get_position(): text.get_text() for text in ax.texts}
        for _, row in table[table["pooling_name"] == name].iterrows():
            place = (ks.index(row["n_pools"]), sizes.index(row["pool_size"]))
            assert shown[place] == str(row["collisions"])
        (image,) = ax.get_images()
        assert image.get_array() is not None
    ticks = [label.get_text() for label in panels["ℓ1"].get_xticklabels()]
    assert ticks == ["4\n2N − 2", "5\n2N − 1", "6\n2N"]
    assert "frames of 2 with a collision" in drawn._suptitle.get_text()  # type: ignore[attr-defined] # no public name
    assert drawn._supylabel.get_text() == "vectors per pool L"  # type: ignore[attr-defined] # as above


def test_files_and_terminal(
    results: benchbase.Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(  # the counts are tested above
        "benchbase_bounds.reports.collisions.has_collision", lambda problem, starts: False
    )
    arguments = ["report", "collisions", "--results", str(results.folder), "-o", str(tmp_path)]
    found = CliRunner().invoke(main, arguments, env={"COLUMNS": "120"})
    assert found.exit_code == 0, found.output
    assert "2N − 1" in found.stdout
    assert "0/2" in found.stdout
    assert "none is found proves nothing" in " ".join(found.stdout.split())
    names = {file.name for file in (tmp_path / "counts" / "run-1").iterdir()}
    pictures = {"collisions-1.svg", "collisions-1.png"}
    assert names == {"collisions.csv", "collisions.md", *pictures}


def test_what_is_not_searched_is_said(results: benchbase.Results, tmp_path: Path) -> None:
    Collisions(limit=1e-9).write(results, tmp_path)
    text = (tmp_path / "collisions.md").read_text(encoding="utf-8")
    assert "36 of 36 frames: not computed: the limit of 1e-09 seconds was reached." in text
    assert "2/2" not in text
    table = pd.read_csv(tmp_path / "collisions.csv")
    assert (table["searched"] == 0).all()


@pytest.mark.parametrize("options", [{"starts": 0}, {"limit": -1.0}])
def test_starts_and_limit_are_positive(options: dict[str, float]) -> None:
    with pytest.raises(benchbase.ParameterError, match="must be positive"):
        Collisions(**options)  # type: ignore[arg-type] # a number each
