"""Bundles that mean to mislead readers, exhaust the machine, or break the site for others."""

from __future__ import annotations

import csv
import gzip
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from pydantic import ValidationError

import benchbase
from benchbase.discovery.registry import forget_plugins, registry
from benchbase.showing import visible
from benchbase_publish import archive as archives
from benchbase_publish.accepting import accept
from benchbase_publish.rules import MOST_SOLVERS, gaps
from benchbase_publish.schema import BundleError, Manifest, read_manifest

M = dict[str, Any]
Cli = Callable[..., Result]
Forged = Callable[..., Path]
Refused = Callable[[Path, str], None]

EST, SCORES = "estimates/000000.npy", "scores/000000.npy"
CHUNK = ("cells", 0, "chunks", 0)
EXPERIMENT = ("suite", "experiments", 0)
SOLVER = ("entries", 0, "solver")


def at(*path: Any, value: Any) -> Callable[[M, M], None]:
    """Set a value of the manifest."""

    def forge(m: M, a: M) -> None:
        target: Any = m
        for part in path[:-1]:
            target = target[part]
        target[path[-1]] = value

    return forge


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("altmin\u3164", r"invisible character U\+3164"),
        ("altmin\u2800", r"invisible character U\+2800"),
        ("knn\ufe0f", r"invisible character U\+FE0F"),
        ("a\u034fltmin", r"invisible character U\+034F"),
        ("\u0430ltmin", "mixes Latin and Cyrillic letters in a word"),
        ("\u03b1ltmin", "mixes Latin and Greek letters in a word"),
        ("knn\u0301\u0301\u0301\u0301", "more than 2 accents on a letter"),
        (" knn", "begins or ends with a space"),
    ],
)
def test_a_label_that_passes_for_another_is_refused(
    text: str, reason: str, forged: Forged, refused: Refused
) -> None:
    refused(forged(at("entries", 0, "label", value=text)), reason)


UNSEEN = "\x1b[2J\u202ex"


@pytest.mark.parametrize(
    "path",
    [
        ("suite", "title"),
        (*EXPERIMENT, "name"),
        (*EXPERIMENT, "problems", 0, "pooling", "name"),
        (*SOLVER, "name"),
        (*SOLVER, "text"),
        (*SOLVER, UNSEEN),
        (*CHUNK, "message"),
        ("environments", 0, "processor"),
        ("environments", 0, UNSEEN),
        ("provenance", "command"),
        ("provenance", "software"),
        ("citation", "text"),
        ("citation", "bibtex"),
    ],
)
def test_text_that_orders_terminals_about_is_refused(
    path: tuple[Any, ...], forged: Forged, refused: Refused
) -> None:
    refused(forged(at(*path, value=UNSEEN)), r"invisible character U\+(001B|202E)")


def test_a_date_is_a_date_only(forged: Forged, refused: Refused) -> None:
    started = "2020-01-01\x1b00:00:00+00:00"
    refused(forged(at("provenance", "started", value=started)), r"invisible character U\+001B")


def test_what_is_told_of_a_bundle_is_seen(
    forged: Forged, site: Path, tmp_path: Path, cli: Cli
) -> None:
    """Names that the reasons quote, and the file's own, come with escapes."""
    path = tmp_path / "a\x1b[2J\n::error::b.zip"
    shutil.copy(forged(at("evil\x1b[2J\n::error::x", value=1)), path)
    done = cli("accept", path, site)
    assert done.exit_code == 2
    assert "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert r"wrong at evil\x1b[2J\n::error::x: Extra" in done.stderr
    assert visible("a\tb\u202e\u00e4\n", "\n") == "a\\tb\\u202eä\n"


def test_messages_of_honest_solvers_are_packed_so_that_they_are_seen(
    ran: Path, tmp_path: Path
) -> None:
    from benchbase_publish.packing import pack, read_bundle

    records = benchbase.read_records(benchbase.load_results(ran))
    for cell in records[-1].cells:
        for chunk in cell.chunks:
            chunk["message"] = (
                "a\x1b[31m\nb\u202e in '/data/me and you/x.bin' (/data/my/solver.py:4)"
            )
    runs = benchbase.write_records(tmp_path / "told", iter(records[-1:]))
    pack(benchbase.Results(tmp_path / "told", runs), tmp_path / "b.zip", ["knn"])
    message = read_bundle(tmp_path / "b.zip").manifest.cells[0].chunks[0].message
    assert message == r"a\x1b[31m b\u202e in 'x.bin' (solver.py:4)"  # no folders of the machine


@pytest.mark.parametrize(
    "facts",
    [
        {"versions": 5},
        {"versions": {"numpy": [1]}},
        {"blas": 5},
        {"blas": [[1]]},
        {"processor": 5},
        {"system": {"a": 1}},
        {"code": [1]},
        {"code": {"a": {"b": 1}}},
    ],
)
def test_an_environment_of_other_kinds_is_refused(
    facts: M, forged: Forged, refused: Refused
) -> None:
    name = next(iter(facts))
    refused(forged(at("environments", 0, value=facts)), f"has a '{name}' of a wrong type")


def all_costs(m: M, a: M) -> None:
    for cell in m["cells"]:
        for chunk in cell["chunks"]:
            chunk["frame_applications"] = 1e308


def many_parameters(m: M, a: M) -> None:
    m["entries"][0]["solver"] = {"name": "x", "of": {f"p{i}": i for i in range(600)}}


def iterations(m: M, a: M) -> None:
    a[SCORES][3, 0] = 1e300


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (at(*SOLVER, "label", value="altmin"), "has the parameter 'label', which no solver can"),
        (at(*SOLVER, "points", value=1), "has the parameter 'points', which no solver can have"),
        (many_parameters, "its solvers have more than 500 parameters"),
        (iterations, "a number of iterations is larger than can be counted"),
        (all_costs, "frame_applications: Input should be less than or equal to 10000"),
    ],
)
def test_what_breaks_or_bends_the_pages_is_refused(
    forge: Callable[[M, M], object], reason: str, forged: Forged, refused: Refused
) -> None:
    refused(forged(forge), reason)


def test_a_submission_has_not_too_many_solvers(honest: Path) -> None:
    from benchbase_publish.packing import read_bundle

    manifest = read_bundle(honest).manifest
    entry = manifest.entries[0]
    labels = [f"x{i}" for i in range(MOST_SOLVERS + 1)]
    entries = [entry.model_copy(update={"label": label}) for label in labels]
    told = gaps(manifest.model_copy(update={"entries": entries}))
    assert told == ["it has 201 solvers, more than 200: pack several bundles"]


# What exhausts the machine.


def test_the_first_mistake_in_a_list_is_enough(honest: Path) -> None:
    """All of them would take gigabytes."""
    manifest = archives.Archive(honest).manifest() | {"cells": [{}] * 100_000}
    with pytest.raises(BundleError, match=r"cells\.0\.entry: Field required"):
        read_manifest(manifest)
    manifest["signals"] = [tuple(shape) for shape in manifest["signals"]]
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate(manifest)
    assert caught.value.error_count() < 10
    many = manifest | {f"x{i}": 0 for i in range(2000)}
    with pytest.raises(BundleError, match=r"the manifest is wrong in 20.. places"):
        read_manifest(many)


# Archives that programs would unpack in different ways.


def gap(archive: zipfile.ZipFile) -> None:
    assert archive.fp is not None
    archive.fp.seek(archive.start_dir)
    archive.fp.write(b"hidden")
    archive.start_dir += 6


def overlap(archive: zipfile.ZipFile) -> None:
    archive.filelist[-1].header_offset = archive.filelist[-2].header_offset


@pytest.mark.parametrize(
    ("forge", "reason"),
    [(gap, "holds more than its members"), (overlap, "overlaps another, or follows a gap")],
)
def test_members_follow_each_other(
    forge: Callable[[zipfile.ZipFile], None],
    reason: str,
    honest: Path,
    tmp_path: Path,
    refused: Refused,
) -> None:
    path = tmp_path / "laid.zip"
    with zipfile.ZipFile(honest) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            new.writestr(info, old.read(info))
        forge(new)
    refused(path, reason)


@pytest.mark.parametrize("place", [6, 8, 14, 18, 22, 30])
def test_heads_say_what_the_table_says(
    place: int, honest: Path, tmp_path: Path, refused: Refused
) -> None:
    """Flags, packing, checksum, sizes and name of the first member."""
    data = bytearray(honest.read_bytes())
    data[place] ^= 1
    path = tmp_path / "two.zip"
    path.write_bytes(data)
    refused(path, "the member manifest.json is described in two ways|overlaps")


# What is published.


def test_no_text_is_a_formula_for_spreadsheets(forged: Forged, site: Path) -> None:
    def forge(m: M, a: M) -> None:
        m["entries"][0] |= {"label": "=1+1", "solver": {"name": "@x", "p": "+cmd|' /C calc'!A0"}}
        for cell in [cell for cell in m["cells"] if cell["entry"] == 0]:
            cell["chunks"][0] |= {"status": "failed", "message": '-HYPERLINK("x")'}
        a[EST][:], a[SCORES][:] = np.nan, np.nan

    accept(forged(forge), site)
    place = site / "suites" / "small"
    whole = gzip.decompress((place / "results.csv.gz").read_bytes()).decode()
    for text in (whole, (place / "leaderboard.csv").read_text()):
        assert "'=1+1" in text
        for cell in (cell for row in csv.reader(text.splitlines()) for cell in row):
            assert not cell.startswith(("=", "+", "-", "@")) or float(cell) < 0, cell
    assert "=1+1" in set(pd.read_parquet(place / "results.parquet")["label"])


# Solvers that are built from a bundle's words.


PLUGIN = """\
import benchbase

class Reader(benchbase.Solver):
    name = "reader"
    data: benchbase.Dataset
    def prepare(self, problem):
        raise NotImplementedError

class Moody(benchbase.Solver):
    name = "moody"
    def unsupported(self, problem):
        raise OverflowError("too large")
    def prepare(self, problem):
        raise NotImplementedError

@benchbase.hookimpl
def register_solvers(register):
    register(Reader)
    register(Moody)
"""


def test_a_bundles_solver_reads_no_folder_of_the_acceptors(honest: Path, tmp_path: Path) -> None:
    from benchbase_publish.packing import read_bundle

    (tmp_path / "reader.py").write_text(PLUGIN)
    forget_plugins()
    try:
        registry().load_file(tmp_path / "reader.py")
        referee = benchbase.Referee(read_bundle(honest).suite)
        spec = {"name": "reader", "data": {"name": "patches", "source": os.fspath(tmp_path)}}
        with pytest.raises(benchbase.SpecError, match="reader holds the data set 'patches'"):
            referee.unsupported(0, 0, spec)
        with pytest.raises(benchbase.SpecError, match="reader holds the data set 'patches'"):
            referee.run_again([(0, 0, spec, 4, 4)], 3)
        with pytest.raises(benchbase.SpecError, match="moody does not come with benchbase"):
            referee.unsupported(0, 0, {"name": "moody"})
    finally:
        forget_plugins()
