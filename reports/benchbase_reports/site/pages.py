"""The pages and data of a site, made of its bundles."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import benchbase
from benchbase_reports.site.index import write_index

if TYPE_CHECKING:
    from benchbase_reports.site.folder import Held, Site


def write_pages(site: Site, folder: Path) -> None:
    """Write the index and a leaderboard for each suite into a folder."""
    for suite in site.suites:
        place = folder / "suites" / suite
        place.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as store:
            write_suite(site.of(suite), Path(store), place)
    write_index(site, folder)


def write_suite(held: list[Held], store: Path, folder: Path) -> None:
    """Write the data of one suite: a row a signal, with what is known of each."""
    results = benchbase.write_records(store, [each.bundle.record() for each in held])
    results.export("csv", folder / "results.csv")
    results.export("parquet", folder / "results.parquet")
