"""A small suite, a site that was published of it, and a bundle that the site would accept."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import benchbase
from benchbase.discovery.registry import forget_plugins
from benchbase_publish.accepting import accept, publish, submit
from benchbase_publish.archive import Archive, write_archive
from benchbase_publish.bundle import array_shapes
from benchbase_publish.schema import read_manifest

SUITE = """\
title = "Small"
points = 4
trials = 2
seed = 7
report = []
frame = { name = "gaussian" }
[grid]
frame.n_pools = [10, 30]
dataset = [{ name = "digits", components = 8 }]
pooling = [{ name = "lp", p = 2 }, { name = "lp", p = 2, rectified = true }]

[[solver]]
name = "altmin"
n_iter = 20
[[solver]]
name = "knn"
[[solver]]
name = "mean"
[[solver]]
name = "phasecut"
"""

Forge = Callable[[dict[str, Any], dict[str, Any]], object]


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of results of the suite ``small``, its file beside them."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "small.toml").write_text(SUITE)
    forget_plugins()
    benchbase.run(folder / "small.toml", results=folder, jobs=1)
    # A site of one solver is published; the others are to be submitted.
    benchbase.run(folder / "small.toml", results=folder / "one", solvers="altmin", jobs=1)
    return folder


@pytest.fixture(scope="session")
def published(ran: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "site"
    publish(ran / "one", folder)
    return folder


@pytest.fixture
def site(published: Path, tmp_path: Path) -> Path:
    """Return a copy of the published site."""
    return Path(shutil.copytree(published, tmp_path / "site"))


@pytest.fixture(scope="session")
def honest(ran: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of the other solvers; PhaseCut does not apply to half of the problems."""
    path = tmp_path_factory.mktemp("honest") / "bundle.zip"
    submit(benchbase.load_results(ran), path, ["knn", "mean", "phasecut"])
    return path


@pytest.fixture(scope="session")
def accepted(published: Path, honest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site that has accepted the bundle; it is not to be changed."""
    folder = tmp_path_factory.mktemp("accepted") / "site"
    shutil.copytree(published, folder)
    accept(honest, folder)
    return folder


@pytest.fixture
def whole(accepted: Path, tmp_path: Path) -> Path:
    """Return a copy of the site that has accepted the bundle."""
    return Path(shutil.copytree(accepted, tmp_path / "whole"))


@pytest.fixture
def forged(honest: Path, tmp_path: Path) -> Callable[[Forge], Path]:
    """Write a bundle that `forge` has changed, digests and all else made to fit again."""

    def make(forge: Forge) -> Path:
        archive = Archive(honest)
        manifest = archive.manifest()
        shapes = array_shapes(read_manifest(manifest))
        arrays = {
            name: archive.array(name, *shape, manifest["digests"][name]).copy()
            for name, shape in shapes.items()
        }
        del manifest["digests"]
        forge(manifest, arrays)
        write_archive(tmp_path / "forged.zip", manifest, arrays)
        return tmp_path / "forged.zip"

    return make


@pytest.fixture
def digest_of() -> Callable[[Path], str]:
    """Return one digest of all names and bytes in a folder."""

    def digest(folder: Path) -> str:
        total = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            total.update(f"{path.relative_to(folder)} {path.is_dir()}\0".encode())
            if path.is_file():
                total.update(hashlib.sha256(path.read_bytes()).digest())
        return total.hexdigest()

    return digest


@pytest.fixture
def refused(site: Path, digest_of: Callable[[Path], str]) -> Iterator[Callable[[Path, str], None]]:
    """Check that a bundle is refused for a reason, and that the site is as it was to the byte."""
    from benchbase_publish.schema import BundleError

    before = digest_of(site)

    def check(path: Path, reason: str) -> None:
        with pytest.raises(BundleError, match=reason) as caught:
            accept(path, site)
        assert str(caught.value).startswith(f"{path} is refused: ")
        assert digest_of(site) == before

    yield check
    assert [p.name for p in site.parent.iterdir() if p.name.startswith(".site.n")] == []
