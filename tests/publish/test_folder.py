"""A site's folder: links, full disks, rights; what is refused leaves no trace."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

import benchbase
from benchbase_publish.accepting import accept, submit
from benchbase_publish.schema import BundleError
from benchbase_publish.site import Site


def test_a_site_behind_a_link_stays_there(ran: Path, site: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("site")
    for label in ("knn", "mean"):
        submit(benchbase.load_results(ran), tmp_path / "b.zip", [label])
        accept(tmp_path / "b.zip", link)
    assert link.is_symlink()
    assert len(Site.read(site).held) == 3


def test_a_folder_that_cannot_be_replaced_is_told_at_once(
    honest: Path, site: Path, digest_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_of(site)
    monkeypatch.chdir(site / "bundles")
    with pytest.raises(benchbase.BenchbaseError, match="is the working directory, or around it"):
        accept(honest, "..")
    monkeypatch.chdir(site.parent)
    monkeypatch.setattr(Path, "is_mount", lambda path: path == site)
    with pytest.raises(benchbase.BenchbaseError, match="site is a mount point: it cannot be repl"):
        accept(honest, site)
    assert digest_of(site) == before


def test_what_only_looks_leaves_no_trace(honest: Path, site: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_text("x")
    before = sorted(site.parent.rglob("*"))
    assert accept(honest, site, dry_run=True).level == "reproducible"
    with pytest.raises(BundleError):
        accept(tmp_path / "bad.zip", tmp_path / "new" / "deep" / "site")
    assert sorted(site.parent.rglob("*")) == before


def test_a_full_disk_leaves_the_site_as_it_was(honest: Path, site: Path, digest_of: Any) -> None:
    before = digest_of(site)
    for most in (0, 4096, 50_000):
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, old[1]))
        try:
            with pytest.raises(benchbase.BenchbaseError):
                accept(honest, site)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        assert digest_of(site) == before
    assert accept(honest, site).level == "reproducible"


def test_files_have_whole_digests_and_the_folder_its_rights(honest: Path, site: Path) -> None:
    """Two bundles can be made that share the first 16 digits; one would take the other's place."""
    site.chmod(0o2750)
    digest = accept(honest, site).digest
    assert (site / "bundles" / f"small-{digest}.zip").is_file()
    assert site.stat().st_mode & 0o7777 == 0o2750
