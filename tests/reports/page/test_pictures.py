import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import benchbase
from benchbase.discovery.registry import registry
from benchbase.showing import component_of
from benchbase_reports import citations
from benchbase_reports.citations import bibliography, bibliography_of_spec
from benchbase_reports.leaderboard import make_board
from benchbase_reports.page import Page, page_data
from benchbase_reports.page.pictures import choices, png, telling


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> benchbase.Results:
    return benchbase.run(
        "quick",
        results=tmp_path_factory.mktemp("results"),
        points=5,
        trials=2,
        solvers=["altmin", "kNN"],
        changes={"grid.frame.n_pools": [24, 72]},
        jobs=0,
    )


def pixels(address: str) -> Any:
    _, _, text = address.partition("base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_png_keeps_grey_levels() -> None:
    grey = np.arange(64).reshape(8, 8) / 63
    np.testing.assert_array_equal(pixels(png(grey)), np.round(grey * 255))
    assert pixels(png(np.array([[-1.0, 2.0]]))).tolist() == [[0, 255]]


def test_pictures_are_of_the_signals_they_are_said_to_be(results: benchbase.Results) -> None:
    data, frame = page_data(results, make_board(results)), results.rows()
    dataset = component_of(frame.iloc[0], "dataset")
    assert len(set(data.pictures)) == len(data.pictures)
    problem = data.problems[0]
    shown = problem["pictures"]
    rows = frame[(frame["n_pools"] == shown["n_pools"]) & ~frame["rectified"]]
    assert len(shown["solvers"]) == 2
    for entry in shown["solvers"]:
        own = rows[rows["label"] == data.solvers[entry["solver"]]["label"]]
        ordered = own.sort_values("squared_cosine", ascending=False)
        assert [each["name"] for each in entry["choices"]] == ["best", "median", "worst"]
        for each, place in zip(entry["choices"], (0, len(ordered) // 2, -1), strict=True):
            row = ordered.iloc[place]
            assert each["score"] == row["squared_cosine"]
            x = results.signals(row["cell"])[row["signal"]]
            found = results.estimates(row["cell"])[row["signal"]]
            found = found if found @ x > 0 else -found
            for name, signal in (("original", x), ("estimate", found)):
                expected = np.clip(dataset.picture(signal), 0, 1) * 255
                assert np.abs(pixels(data.pictures[each[name]]) - expected).max() <= 0.51


def test_no_picture_is_kept_beyond_the_limit(results: benchbase.Results) -> None:
    data = page_data(results, make_board(results), largest=1)
    drawn = [len(each["pictures"]["solvers"]) for each in data.problems]
    assert sum(drawn) == 1
    (note,) = [note for note in data.notes if "left out" in note]
    assert f"Pictures of {2 * len(drawn) - 1} lower ranks" in note


def test_the_report_is_the_same_each_time_and_small(
    results: benchbase.Results, tmp_path: Path
) -> None:
    (file,) = Page().write(results, tmp_path)
    assert file == tmp_path / "page.html"
    once = file.read_bytes()
    Page().write(results, tmp_path)
    assert file.read_bytes() == once
    assert len(once) < 200_000
    without = Page(pictures=False).write(results, tmp_path)[0].read_bytes()
    assert b"data:image/png" not in without


def test_the_command_writes_it(results: benchbase.Results, cli: Any) -> None:
    done = cli("report", "page", "--results", results.folder)
    assert done.exit_code == 0, done.output
    assert list(results.folder.rglob("page.html"))


def scored(**scores: list[float]) -> pd.DataFrame:
    """Return rows of solvers; the score at place i is at K = 10 (i + 1)."""
    rows = [
        {"label": label, "n_pools": 10 * (i + 1), "score": score}
        for label, values in scores.items()
        for i, score in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_pictures_are_taken_where_solvers_differ_most() -> None:
    assert telling(scored(a=[0.0, 0.9, 1.0], b=[0.0, 0.1, 1.0])) == 20
    assert telling(scored(a=[0.5, 0.5])) == 10
    assert telling(scored(a=[0.5]).assign(n_pools=np.nan)) is None


@pytest.mark.parametrize(
    ("size", "names"), [(1, "best"), (2, "best worst"), (3, "best median worst")]
)
def test_few_signals_have_few_choices(size: int, names: str) -> None:
    rows = pd.DataFrame({"score": np.zeros(size), "trial": 0, "signal": range(size)})
    found = choices(rows)
    assert [name for name, _ in found] == names.split()
    assert [row["signal"] for _, row in found] == list(range(size))


def test_every_reference_is_of_an_installed_component() -> None:
    entries, components = citations._bundled()
    text = Path(citations.__file__).with_name("references.bib").read_text(encoding="utf-8")
    assert len(entries) == text.count("\n@")
    for entry in entries.values():
        assert entry.count("{") == entry.count("}")
        assert "keywords" not in entry
    known = registry()
    for name in components:
        kind, _, component = name.partition(":")
        assert component.partition("/")[0] in known.classes[kind], name
    named = {key for keys in components.values() for key in keys}
    assert named == set(entries) - {citations.OWN}


def test_parts_are_cited_too_and_strangers_cite_themselves() -> None:
    spec = {"name": "altmin", "init": {"name": "knn", "q": 3}}
    assert {"bruna2014", "gerchberg1972"} <= set(bibliography_of_spec("solver", spec))
    gone = {"name": "not installed", "solver": {"name": "phasecut"}}
    assert "waldspurger2015" in bibliography_of_spec("solver", gone)

    class Stranger(benchbase.Solver):
        name = "stranger"
        citation = "@article{me2026, title = {Mine}}"

        def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
            raise NotImplementedError

    assert bibliography(Stranger()) == {"me2026": "@article{me2026, title = {Mine}}"}


def test_the_command_prints_what_to_cite(cli: Any) -> None:
    assert "@inproceedings{bruna2014," in cli("cite", "altmin").output
    assert "@software{benchbase," in cli("cite").output
    done = cli("cite", "nosuch")
    assert done.exit_code == 2
    assert "nothing to cite for 'nosuch'" in done.output
