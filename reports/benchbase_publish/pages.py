"""The pages and data of a site, made from its bundles."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from gzip import GzipFile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import benchbase
from benchbase import BenchbaseError
from benchbase.showing import file_name
from benchbase_publish.index import MEANINGS, write_index
from benchbase_publish.packing import read_bundle
from benchbase_publish.site import BUNDLES, Held, Site

if TYPE_CHECKING:
    import pandas as pd

    from benchbase_reports.leaderboard import Board

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
LINKS = (
    ("All leaderboards", "../../index.html"),
    ("Leaderboard: CSV", "leaderboard.csv"),
    ("Leaderboard: Parquet", "leaderboard.parquet"),
    ("Signals: CSV (gzip)", "results.csv.gz"),
    ("Signals: Parquet", "results.parquet"),
)
"""The text and the address of the links on a site's leaderboard."""

_NOTES = ("Seconds and frame applications are as claimed: no scoring can check them",)


def write_pages(site: Site, folder: Path) -> None:
    """Write the index and a leaderboard for each suite into a folder.

    Parameters
    ----------
    site : Site
        The site with its bundles.
    folder : pathlib.Path
        An existing folder without pages.
    """
    for suite in site.suites:
        place = folder / "suites" / file_name(suite)
        place.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as store:
            write_suite(site.of(suite), Path(store), place)
    write_index(site, folder)


def write_suite(held: list[Held], store: Path, folder: Path) -> None:
    """Write the leaderboard of one suite: its page, its table, and one row per signal.

    Parameters
    ----------
    held : list of Held
        The bundles of the suite.
    store : pathlib.Path
        An empty folder for their results.
    folder : pathlib.Path
        The folder of the files.
    """
    from benchbase_reports.leaderboard import make_board
    from benchbase_reports.page import page_data, render

    runs = benchbase.write_records(store, map(_record, held))  # one is in memory at a time
    results = benchbase.Results(store, runs)
    write_csv(results.rows(), folder / "results.csv.gz")
    results.export("parquet", folder / "results.parquet")
    board = with_levels(make_board(results), held)
    write_csv(board.table, folder / "leaderboard.csv")
    board.table.to_parquet(folder / "leaderboard.parquet", index=False)
    with benchbase.without_downloads():
        data = page_data(results, board)
    data = replace(
        data,
        notes=[*_NOTES, *data.notes],
        links=LINKS,
        levels=tuple(MEANINGS.items()),
        solvers=_checked(data.solvers, held),
    )
    (folder / "index.html").write_text(render(data), encoding="utf-8")


def _record(held: Held) -> benchbase.SuiteRunRecord:
    bundle = read_bundle(held.file)
    if bundle.digest != held.bundle.digest:
        raise BenchbaseError(f"{held.file} has changed in the meantime")
    return bundle.record()


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV in which spreadsheets see no formula; compressed if named ``.gz``.

    Spreadsheets evaluate texts that begin with ``=``, ``+``, ``-`` or ``@``, so these get an
    apostrophe in front. The same table gives the same bytes.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    path : pathlib.Path
        The file.
    """
    from pyarrow import Table
    from pyarrow.csv import write_csv as write  # pandas takes 20 times as long

    texts = table.select_dtypes(include=["object", "string"])
    found = [name for name in texts if any(map(_is_formula, texts[name].unique()))]
    safe = table.assign(**{str(name): texts[name].map(_as_text) for name in found})
    rows = Table.from_pandas(safe, preserve_index=False)
    with path.open("wb") as file:
        if path.suffix == ".gz":
            with GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                write(rows, packed)
        else:
            write(rows, file)


def _is_formula(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_FORMULA)


def _as_text(value: Any) -> Any:
    return f"'{value}" if _is_formula(value) else value


def with_levels(board: Board, held: list[Held]) -> Board:
    """Return a board with the columns ``level`` (what is known about a row) and ``bundle``."""
    of, table = _by_label(held), board.table
    known = [of[label] for label in table["label"]]
    levels = [
        own.receipt.level_of(label, applies=signals > 0)
        for own, label, signals in zip(known, table["label"], table["signals"], strict=True)
    ]
    digests = [own.bundle.digest for own in known]
    return replace(board, table=table.assign(level=levels, bundle=digests))


def _checked(solvers: list[dict[str, Any]], held: list[Held]) -> list[dict[str, Any]]:
    """Return a page's solvers with what is known about their rows, and with their bundles."""
    of = _by_label(held)
    found = []
    for solver in solvers:
        own = of[solver["label"]]
        levels = {
            "level": own.receipt.level,
            "level_unsupported": own.receipt.level_of(solver["label"], applies=False),
        }
        link = (f"Bundle {own.bundle.digest[:12]}", f"../../{BUNDLES}/{quote(own.stem)}.zip")
        found.append(solver | levels | {"bundle": link})
    return found


def _by_label(held: list[Held]) -> dict[str, Held]:
    return {label: each for each in held for label in each.bundle.labels}
