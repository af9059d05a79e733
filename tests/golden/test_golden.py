"""All solvers, on all poolings, give the committed numbers bit for bit."""

from pathlib import Path

import numpy as np
import pytest

from tests.golden import compute


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reason = compute.cannot_compare()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("golden")
    compute.compute(folder)
    return folder


def test_the_numbers_are_the_golden_ones(found: Path) -> None:
    assert compute.differences(found) == []


def test_one_bit_is_a_difference(found: Path, tmp_path: Path) -> None:
    for file in found.glob("*.npz"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with np.load(tmp_path / "gaussian-rrr.npz") as arrays:
        changed = dict(arrays)
    x = changed["rrr"]["x"]
    x[3, 2] = np.nextafter(x[3, 2], np.float32(np.inf))
    np.savez_compressed(tmp_path / "gaussian-rrr.npz", **changed)
    (line,) = compute.differences(tmp_path)
    assert line.startswith("gaussian-rrr, rrr: 1 of 48 rows differ in x; ")


def test_the_arrays_cover_every_solver_and_pooling_and_are_small(found: Path) -> None:
    del found  # where nothing can be compared nothing is covered
    from benchbase.discovery.registry import registry

    known = registry()
    bundled = {
        name
        for name in known.classes["solver"]
        if known.providers["solver", name].owner == "the distribution benchbase-recovery"
    }
    assert {file.stem.partition("-")[2] for file in compute.ARRAYS.glob("*.npz")} == bundled
    assert sum(file.stat().st_size for file in compute.HERE.rglob("*.[nt]*[zl]")) < 300_000
