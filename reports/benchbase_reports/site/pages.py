"""The pages and data of a site, made of its bundles."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import benchbase
from benchbase_reports.site.index import write_index

if TYPE_CHECKING:
    from benchbase_reports.leaderboard import Board
    from benchbase_reports.site.folder import Held, Site

_LINKS = (
    ("All leaderboards", "../../index.html"),
    ("Leaderboard as CSV", "leaderboard.csv"),
    ("as parquet", "leaderboard.parquet"),
    ("All signals as CSV", "results.csv"),
    ("as parquet", "results.parquet"),
)
_NOTES = (
    (
        "What is known of each row stands before its environment: claimed, scores verified (every "
        "stored estimate was scored again on problems made from the seed), or solver verified (the "
        "solver was also run on a seed that its author could not know)"
    ),
    "Seconds and frame applications are as claimed: no scoring can check them",
)


def write_pages(site: Site, folder: Path) -> None:
    """Write the index and a leaderboard for each suite into a folder.

    Parameters
    ----------
    site : Site
        The bundles.
    folder : pathlib.Path
        An existing folder without pages.
    """
    for suite in site.suites:
        place = folder / "suites" / suite
        place.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as store:
            write_suite(site.of(suite), Path(store), place)
    write_index(site, folder)


def write_suite(held: list[Held], store: Path, folder: Path) -> None:
    """Write the leaderboard of one suite: its page, its table, and a row a signal.

    Parameters
    ----------
    held : list of Held
        The bundles of the suite.
    store : pathlib.Path
        An empty folder to put their results into.
    folder : pathlib.Path
        Where the files go.
    """
    from benchbase_reports.leaderboard import make_board
    from benchbase_reports.page import page_data, render
    from benchbase_reports.rebuild import offline

    results = benchbase.write_records(store, [each.bundle.record() for each in held])
    results.export("csv", folder / "results.csv")
    results.export("parquet", folder / "results.parquet")
    board = with_levels(make_board(results), held)
    board.table.to_csv(folder / "leaderboard.csv", index=False)
    board.table.to_parquet(folder / "leaderboard.parquet", index=False)
    with offline():
        data = page_data(results, board)
    data = replace(data, notes=[*_NOTES, *data.notes], links=_LINKS)
    (folder / "index.html").write_text(render(data), encoding="utf-8")


def with_levels(board: Board, held: list[Held]) -> Board:
    """Add what is known of each row to a board: columns ``level`` and ``bundle``.

    It also stands before the row's environment, where pages show it.
    """
    of = {label: each for each in held for label in each.bundle.labels}
    levels = board.table["label"].map(lambda label: of[label].receipt.level)
    environments = board.table["environment"].fillna("").astype(str)
    told = [
        f"{level}; {text}".removesuffix("; ")
        for level, text in zip(levels, environments, strict=True)
    ]
    digests = board.table["label"].map(lambda label: of[label].bundle.digest)
    return replace(board, table=board.table.assign(environment=told, level=levels, bundle=digests))
