from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchbase.showing import (
    ProblemTable,
    as_latex,
    as_markdown,
    comparative_table,
    problem_tables,
    split,
    summarise,
)
from benchbase_reports.tables import ComparativeTable, latex, markdown

Make = Callable[..., pd.DataFrame]
Known = Callable[..., Any]


def shown(results: Any, width: int = 80, **options: Any) -> str:
    stream = io.StringIO()
    ComparativeTable().show(results, Console(file=stream, width=width, **options))
    return stream.getvalue()


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


@pytest.fixture(scope="module")
def tables(suite: Any) -> list[ProblemTable]:
    return problem_tables(summarise(suite.rows()))


def test_csv_holds_the_summary_in_full(suite: Any, tmp_path: Path) -> None:
    ComparativeTable().write(suite, tmp_path)
    summary = summarise(suite.rows())
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == [*summary.columns]
    for column in ("mean_squared_cosine", "standard_error", "exact_share", "seconds", "n_pools"):
        read = [float(row[column] or "nan") for row in rows]
        np.testing.assert_array_equal(read, summary[column].astype(float))
    assert [row["label"] for row in rows] == summary["label"].tolist()


def of_markdown(text: str) -> Iterator[list[list[str]]]:
    """Yield the rows of each table, its heads first."""
    for table in re.findall(r"(?m)^## .*\n\n((?:\|.*\n)+)", text):
        lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()]
        heads, _, *rows = [[entry.strip() for entry in line] for line in lines]
        yield [heads, *rows]


def of_latex(text: str) -> Iterator[list[list[str]]]:
    for table in re.findall(r"(?s)\\toprule\n(.*?)\\bottomrule", text):
        lines = [line.removesuffix(r"\\") for line in table.splitlines() if "&" in line]
        yield [[entry.strip() for entry in re.split(r"(?<!\\)&", line)] for line in lines]


def of_terminal(text: str) -> Iterator[list[list[str]]]:
    """Yield the rows of each table, without cells that are blank."""
    for table in re.findall(r"(?m)^Solver .*\n.*─.*\n(?:.*(?:\d|n/a) *\n)+", text):
        heads, _, *rows = table.splitlines()
        yield [
            [cell.lstrip("*") for cell in re.split(" {2,}", row.strip())] for row in (heads, *rows)
        ]


def test_all_formats_hold_the_texts_of_the_data_frame(
    suite: Any, tables: list[ProblemTable]
) -> None:
    table = comparative_table(suite.rows())
    wanted = [
        [["Solver", *table], *part.drop(columns="Problem").to_numpy().tolist()]
        for part in split(table.reset_index(), ["Problem"])
    ]
    assert len(wanted) == 2

    def escaped(escape: Callable[[str], str]) -> list[list[list[str]]]:
        return [[[escape(text) for text in row] for row in rows] for rows in wanted]

    def plain(found: Iterator[list[list[str]]], bold: str) -> list[list[list[str]]]:
        return [[[re.sub(bold, r"\1", text) for text in row] for row in rows] for rows in found]

    found = plain(of_markdown(markdown("", tables)), r"^\*\*(.*)\*\*$")
    assert found == escaped(as_markdown)
    found = plain(of_latex(latex("", "suite", tables)), r"^\\textbf\{(.*)\}$")
    assert found == escaped(as_latex)
    found = [*of_terminal(shown(suite, 200))]
    assert found == [[[text for text in row if text] for row in rows] for rows in wanted]


def test_markdown_holds_the_summary_with_the_best_in_bold(
    suite: Any, tables: list[ProblemTable]
) -> None:
    text = markdown(suite.title, tables)
    found = [*of_markdown(text)]
    assert [rows[0] for rows in found] == [["Solver", *(f"K={k}" for k in range(10, 100, 10))]] * 2
    assert [rows[1:] for rows in found] == [*map(parsed, tables)]
    assert text.startswith("# Suite\\_1: 100% & more\n")
    assert "- n/a, PhaseLift: rectified: 5% of\\_it & more." in text


def parsed(table: ProblemTable) -> list[list[str]]:
    """Return what a Markdown table should hold, from the summary."""
    pools = range(10, 100, 10)
    rows = {name: [""] * len(pools) for name in table.cells["solver"].unique()}
    eligible = table.cells[table.cells["signals"] == 12]
    top = eligible.groupby("n_pools")["mean_squared_cosine"].max()
    for row in table.cells.to_dict("records"):
        mean, k = row["mean_squared_cosine"], row["n_pools"]
        text = "n/a" if np.isnan(mean) else f"{mean:.3f} ± {row['standard_error']:.3f}"
        text = re.sub(r"\b0\.", ".", text)
        marked = row["signals"] == 12 and f"{mean:.3f}" == f"{top[k]:.3f}"
        rows[row["solver"]][pools.index(k)] = f"**{text}**" if marked else text
    return [[as_markdown(name), *texts] for name, texts in rows.items()]


def test_latex_is_well_formed(suite: Any, tables: list[ProblemTable]) -> None:
    text = latex(suite.title, "a_suite", tables)
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
    for value in summarise(suite.rows())["mean_squared_cosine"].dropna():
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


def test_shared_notes_are_said_once(suite: Any, tables: list[ProblemTable]) -> None:
    terminal, page = shown(suite, 200), markdown("", tables)
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
