"""Bundles as files: results of a suite are packed, and read again with every part checked."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import benchbase
from benchbase import Array, BenchbaseError, CellRecord, SuiteRunRecord, disk_errors
from benchbase.showing import visible, without_folders
from benchbase_publish.archive import LARGEST, Archive, write_archive
from benchbase_publish.bundle import N_SCORES, Bundle, array_shapes
from benchbase_publish.choosing import chosen_cells, described
from benchbase_publish.rules import check_arrays, check_manifest
from benchbase_publish.schema import (
    FORMAT,
    LONGEST_MESSAGE,
    VERSION,
    BundleError,
    read_manifest,
    software,
)
from benchbase_reports.invocation import suite_command

_COSTS = ("prepare_seconds", "init_seconds", "solve_seconds", "frame_applications")
_REALS = (*_COSTS, "checksum", "condition")


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle, and check every member, field and shape.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Raises
    ------
    BundleError
        If anything is wrong with it; the message says what.
    """
    archive = Archive(Path(path))
    manifest = read_manifest(archive.manifest())
    check_manifest(manifest)
    shapes = array_shapes(manifest)
    if missing := sorted(shapes.keys() - archive.names):
        raise BundleError(f"the archive lacks {missing[0]}")
    if more := sorted(archive.names - shapes.keys()):
        raise BundleError(f"the archive holds {more[0]}, which the manifest does not name")
    if manifest.digests.keys() != shapes.keys():
        raise BundleError("the manifest's digests are not those of the archive's arrays")
    arrays: dict[str, list[Array]] = {"estimates": [], "scores": [], "signals": []}
    for name in sorted(shapes):
        array = archive.array(name, *shapes[name], manifest.digests[name])
        arrays[name.partition("/")[0]].append(array)
    bundle = Bundle(manifest, archive.digest, **arrays)
    check_arrays(bundle)
    return bundle


def pack(
    results: benchbase.ResultsView,
    path: str | Path,
    labels: Sequence[str] = (),
    *,
    citation: str = "",
    bibtex: str = "",
) -> None:
    """Write results of one suite as a bundle; the same results give the same bytes.

    Parameters
    ----------
    results : benchbase.Results
        One or more runs of one suite. If several ran a solver, the latest counts.
    path : str or pathlib.Path
        The file to write.
    labels : sequence of str, optional
        The solvers; by default all.
    citation, bibtex : str, optional
        How to cite them.

    Raises
    ------
    BenchbaseError
        If there is no such solver, runs are of different problems, or the file cannot be written.
    """
    runs = benchbase.read_records(results)
    suite = described(runs)
    manifest, arrays = _packed(runs[-1], suite, chosen_cells(runs, labels))
    manifest["citation"] = {"text": citation, "bibtex": bibtex}
    read_manifest(manifest | {"digests": {}})  # refuses here what `read_bundle` would refuse
    if sum(array.nbytes for array in arrays.values()) > LARGEST:
        problem = f"the bundle would be larger than {LARGEST >> 20} MiB"
        raise BenchbaseError(f"{problem}; pack fewer solvers with --solver LABEL")
    with disk_errors(Path(path)):
        write_archive(Path(path), manifest, arrays)


def _packed(
    run: SuiteRunRecord, suite: dict[str, Any], cells: Sequence[CellRecord]
) -> tuple[dict[str, Any], dict[str, Array]]:
    places = {each["name"]: index for index, each in enumerate(suite["experiments"])}
    problems = [
        {json.dumps(one, sort_keys=True): index for index, one in enumerate(each["problems"])}
        for each in suite["experiments"]
    ]
    entries: dict[tuple[int, str], int] = {}
    listed: list[dict[str, Any]] = []
    known: dict[str, int] = {}
    truths: dict[str, int] = {}
    signals: list[Array] = []
    estimates: list[list[Array]] = []
    scores: list[list[Array]] = []
    packed = []
    for cell in cells:
        place = places[cell.experiment]
        points, solver = cell.facts["points"], cell.facts["solver"]
        if (place, cell.label) not in entries:
            entry = {"experiment": place, "label": cell.label, "points": points, "solver": solver}
            entries[place, cell.label] = len(entries)
            listed.append(entry)
            estimates.append([])
            scores.append([])
        number = entries[place, cell.label]
        if cell.signals is not None and cell.signals_key not in truths:
            truths[cell.signals_key] = len(signals)
            signals.append(cell.signals)
        facts = json.dumps(benchbase.problem_facts(cell.facts), sort_keys=True)
        packed.append(
            {
                "entry": number,
                "problem": problems[place][facts],
                "trial": cell.facts["trial"],
                "signals": truths.get(cell.signals_key),
                "chunks": [_chunk(chunk, known) for chunk in cell.chunks],
            }
        )
        estimates[number].append(cell.estimates.astype("<f4").ravel())
        scores[number].append(_scores(cell))
    arrays = {f"estimates/{i:06}.npy": np.concatenate(each) for i, each in enumerate(estimates)}
    joined = {f"scores/{i:06}.npy": np.concatenate(each, 1) for i, each in enumerate(scores)}
    drawn = {f"signals/{i:06}.npy": each for i, each in enumerate(signals)}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "suite": suite,
        "entries": listed,
        "cells": packed,
        "signals": [[*each.shape] for each in signals],
        "environments": [json.loads(text) for text in known],
        "provenance": {
            "software": software(),
            "command": visible(suite_command(run.command), "\n\t"),  # no paths of this machine
            "started": run.started,
            "finished": run.finished,
        },
    }
    return manifest, arrays | joined | drawn


def _chunk(chunk: dict[str, Any], known: dict[str, int]) -> dict[str, Any]:
    """Return an outcome without its arrays; environments are numbered in order of appearance."""
    text = json.dumps(chunk["environment"], sort_keys=True)
    found = {name: chunk[name] for name in ("start", "stop", "status")}
    found["message"] = without_folders(visible(" ".join(chunk["message"].split())))[
        :LONGEST_MESSAGE
    ]
    for name in _REALS:
        value = chunk[name]
        found[name] = None if value is None or not math.isfinite(value) else value
    return found | {"environment": known.setdefault(text, len(known))}


def _scores(cell: CellRecord) -> Array:
    scores = np.full((N_SCORES, cell.facts["points"]), np.nan)
    for chunk in cell.chunks:
        if chunk["scores"] is not None:
            scores[:, chunk["start"] : chunk["stop"]] = chunk["scores"]
    return scores
