from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchbase.showing import as_markdown, summarise
from benchbase_reports.blocks import Block, Form, best, cell_text, grid, make_blocks
from benchbase_reports.tables import ComparativeTable, latex, markdown

Make = Callable[..., pd.DataFrame]
Known = Callable[..., Any]
ALONE = ", where there is one for its frame only"
PLAIN = Form(3, " ± ", str, lambda text: f"<{text}>")


def shown(results: Any, width: int = 80, **options: Any) -> str:
    stream = io.StringIO()
    ComparativeTable().show(results, Console(file=stream, width=width, **options))
    return stream.getvalue()


def laid_out(*cells: pd.DataFrame, join: Make) -> tuple[list[str], list[list[Any]]]:
    (block,) = make_blocks(summarise(join(*cells)))
    return grid(block.cells, PLAIN)


@pytest.fixture(scope="module")
def suite(cell: Make, unsupported: Make, known: Known) -> Any:
    """Return results of two problems, with all that a table must cope with."""
    rng = np.random.default_rng(0)
    rows = []
    for rectified in (False, True):
        for k in range(10, 100, 10):
            for label, size in (("altmin", 6), ("mean|of_all", 6), ("few", 2)):
                rows += [
                    cell(rng.random(size), label, k, trial=t, rectified=rectified) for t in (0, 1)
                ]
        rows.append(cell(rng.random(6), "a label that is longer than labels ought to be", 10,
                         rectified=rectified))  # fmt: skip
    rows.append(unsupported("PhaseLift", 10, "rectified: 5% of_it & more", rectified=True))
    return known(*rows, title="Suite_1: 100% & more")


def test_the_grid_holds_solvers_by_pools(cell: Make, unsupported: Make, join: Make) -> None:
    heads, rows = laid_out(
        cell([1.0, 0.0], "b", 20),
        cell([0.25], "few", 20),
        cell([0.5, 0.5], "a", 100),
        cell([0.5, 0.5], "b", 3),
        unsupported("c", 20, points=2),
        cell([0.5, np.nan], "d", 20, status="pending"),
        cell([0.5, np.nan], "d", 3, status=["done", "pending"]),
        join=join,
    )
    assert heads == ["Solver", "K=3", "K=20", "K=100"]
    assert rows == [
        ["b", "<.500 ± .000>", "<.500 ± .500>", ""],
        ["few (1 pt)", "", ".250", ""],
        ["a", "", "", "<.500 ± .000>"],
        ["c", "", "n/a", ""],
        ["d", ".500…", "…", ""],
    ]


def test_frames_without_a_number_of_pools_have_a_column(cell: Make, join: Make) -> None:
    heads, rows = laid_out(cell([1.0]), cell([0.5], k=pd.NA), join=join)
    assert heads == ["Solver", "K", "K=10"]
    assert rows == [["altmin", "<.500>", "<1.000>"]]


@pytest.mark.parametrize(
    ("digits", "expected"), [(3, [True, False, False]), (2, [True, True, False])]
)
def test_all_that_round_to_the_best_are_marked(
    cell: Make, join: Make, digits: int, expected: list[bool]
) -> None:
    rows = [cell([score], label) for label, score in (("a", 0.984), ("b", 0.98), ("c", 0.974))]
    assert best(summarise(join(*rows)), digits) == expected


def test_what_was_not_computed_is_never_the_best(cell: Make, unsupported: Make, join: Make) -> None:
    rows = [unsupported("a"), cell([0.0] * 3, "b"), unsupported("a", 20)]
    assert best(summarise(join(*rows)), 3) == [False, True, False]


def test_the_best_is_among_those_with_the_most_signals(cell: Make, join: Make) -> None:
    rows = [cell([0.5] * 3, "all"), cell([1.0], "few"), cell([1.0], "few", 20)]
    assert best(summarise(join(*rows)), 3) == [True, False, True]


def test_cells_are_written_in_the_digits_of_the_form(cell: Make, join: Make) -> None:
    row: Any = next(summarise(join(cell([1.0, 0.9]))).itertuples())
    assert cell_text(row, Form(2, "±", str, str)) == ".95±.05"
    assert cell_text(row, PLAIN) == ".950 ± .050"


def test_notes_say_what_a_reader_must_know(cell: Make, unsupported: Make, join: Make) -> None:
    states = {"status": ["failed", "done", "pending"], "message": ["boom.", "", ""]}
    rows = [
        cell([0.5] * 3),
        cell([0.5] * 2, "few"),
        unsupported("a", 10, "needs p = 2."),
        unsupported("b", 10, "needs p = 2."),
        cell([np.nan, 0.5, np.nan], "bad", **states),
    ]
    (block,) = make_blocks(summarise(join(*rows)))
    assert block.title == "digits, n = 64 · gaussian frame, pools of 2 · ℓ2"
    assert block.own_notes() == [
        "Each cell: 3 signals, one frame; ± is the standard error for this frame only",
        "(2 pts): only the first 2 signals of each trial",
        "…: signals still to be computed",
        "n/a, a, b: needs p = 2",
        "bad: 1 of 2 signals at K=10 failed and count as 0 (boom)",
    ]


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ((3, 3), "3 trials of 2 signals; ± is the standard error over trials"),
        ((1, 3), "1 to 3 trials of 2 signals; ± is the standard error over trials" + ALONE),
    ],
)
def test_notes_say_what_the_standard_error_is_over(
    cell: Make, join: Make, trials: tuple[int, int], expected: str
) -> None:
    rows = [cell([0, 1], str(i), trial=t) for i, size in enumerate(trials) for t in range(size)]
    (block,) = make_blocks(summarise(join(*rows)))
    assert block.general[0] == f"Each cell: {expected}"


def test_csv_holds_the_summary_in_full(suite: Any, tmp_path: Path) -> None:
    ComparativeTable().write(suite, tmp_path)
    summary = summarise(suite.frame())
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == [*summary.columns]
    for column in ("mean_squared_cosine", "standard_error", "exact_share", "seconds", "n_pools"):
        read = [float(row[column] or "nan") for row in rows]
        np.testing.assert_array_equal(read, summary[column].astype(float))
    assert [row["label"] for row in rows] == summary["label"].tolist()


def test_markdown_parses_back(suite: Any) -> None:
    blocks = make_blocks(summarise(suite.frame()))
    text = markdown(suite.title, blocks)
    tables = re.findall(r"(?m)^## .*\n\n((?:\|.*\n)+)", text)
    assert len(tables) == len(blocks) == 2
    for table, block in zip(tables, blocks, strict=True):
        lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()]
        heads, _, *rows = [[entry.strip() for entry in line] for line in lines]
        assert heads == ["Solver", *(f"K={k}" for k in range(10, 100, 10))]
        assert rows == parsed(block)
    assert text.startswith("# Suite\\_1: 100% & more\n")
    assert "- n/a, PhaseLift: rectified: 5% of\\_it & more." in text


def parsed(block: Block) -> list[list[str]]:
    """Return what a Markdown table should hold, from the summary."""
    pools = range(10, 100, 10)
    rows = {name: [""] * len(pools) for name in block.cells["solver"].unique()}
    eligible = block.cells[block.cells["signals"] == 12]
    top = eligible.groupby("n_pools")["mean_squared_cosine"].max()
    for row in block.cells.to_dict("records"):
        mean, k = row["mean_squared_cosine"], row["n_pools"]
        text = "n/a" if np.isnan(mean) else f"{mean:.3f} ± {row['standard_error']:.3f}"
        text = re.sub(r"\b0\.", ".", text)
        marked = row["signals"] == 12 and f"{mean:.3f}" == f"{top[k]:.3f}"
        rows[row["solver"]][pools.index(k)] = f"**{text}**" if marked else text
    return [[as_markdown(name), *texts] for name, texts in rows.items()]


def test_latex_is_well_formed(suite: Any) -> None:
    text = latex(suite.title, "a_suite", make_blocks(summarise(suite.frame())))
    commands = r"\\(?:[A-Za-z]+|[&%$#_{}\\])"
    bare = re.sub(commands, "", text.partition("\n")[2].replace(r"\ell_", ""))
    assert not re.search(r"[%#_^~]", bare)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert text.count(r"\begin{tabular}{lrrrrrrrrr}") == text.count(r"\toprule") == 2
    assert re.findall(r"\\label\{(.*?)\}", text) == ["tab:a-suite-1", "tab:a-suite-2"]
    assert text.isascii()
    for body in re.findall(r"(?s)\\midrule\n(.*?)\\bottomrule", text):
        rows = body.splitlines()
        assert len(rows) >= 4
        for row in rows:
            assert row.endswith(r"\\")
            assert len(re.findall(r"(?<!\\)&", row)) == 9
    assert r"mean\textbar{}of\_all & " in text
    assert re.search(r"\\textbf\{\.\d{3} \$\\pm\$ \.\d{3}\}", text)
    assert r"\caption{Suite\_1: 100\% \& more: digits, n = 64" in text
    assert r"rectified: 5\% of\_it \& more" in text


@pytest.mark.parametrize("width", [30, 47, 60, 80, 120, 200])
def test_every_cell_is_shown_whatever_the_width(suite: Any, width: int) -> None:
    text = shown(suite, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    heads = re.findall(r"(?m)^Solver +(.*K=.*)$", text)
    pools = [head for line in heads for head in line.split()]
    assert pools == [f"K={k}" for k in range(10, 100, 10)] * 2
    digits = max((d for d in (2, 3) if re.search(rf"\.\d{{{d}}}\b", text)), default=0)
    for value in summarise(suite.frame())["mean_squared_cosine"].dropna():
        assert f"{value:.{digits}f}".removeprefix("0") in text


def test_wide_consoles_show_three_digits(suite: Any) -> None:
    assert re.search(r"\.\d{3} ± \.\d{3}\b", shown(suite, 200))
    assert not re.search(r"\.\d{3}", shown(suite, 80))


def test_the_best_are_starred_where_there_are_no_styles(cell: Make, known: Known) -> None:
    text = shown(known(cell([0.5], "a"), cell([0.25], "b")))
    assert re.findall(r"\S*\.\d+", text) == ["*.500", ".250"]


def test_the_best_are_bold_even_without_colour(
    cell: Make, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    results = known(cell([0.5], "a"), cell([0.25], "b"))
    text = shown(results, force_terminal=True, color_system="truecolor")
    assert "\x1b[1m.500\x1b[0m" in text
    assert "m.250" not in text
    assert "*" not in text
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|38|9[0-7])[;m]", text)


def test_labels_are_no_markup(cell: Make, known: Known) -> None:
    assert "[red]a[/red] :smile: " in shown(known(cell([0.5], "[red]a[/red] :smile:")))


def test_shared_notes_are_said_once(suite: Any) -> None:
    terminal, page = shown(suite, 200), markdown("", make_blocks(summarise(suite.frame())))
    for text in (terminal, page):
        assert text.count("only the first 2 signals of each trial") == 1
        assert text.count("n/a, PhaseLift: rectified: 5% of") == 1


def test_the_same_results_give_the_same_files(suite: Any, tmp_path: Path) -> None:
    written = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        files = ComparativeTable().write(suite, tmp_path / name)
        assert [file.name for file in files] == ["table.csv", "table.md", "table.tex"]
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]
