"""Publishing, submitting and accepting, from the command line."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from pydantic import TypeAdapter

import benchbase
from benchbase_publish import pages
from benchbase_publish.accepting import accept, publish, submit
from benchbase_publish.index import CLAIMED, Index
from benchbase_publish.packing import read_bundle
from benchbase_publish.site import LEVELS, Receipt, Site

Cli = Callable[..., Result]
Forged = Callable[..., Path]
HTML = "<script>alert(1)</script><b>'\"&"


def index(site: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((site / "index.json").read_text())
    return found


def test_the_whole_way_from_results_to_a_leaderboard(cli: Cli, ran: Path, tmp_path: Path) -> None:
    done = cli("publish", ran / "one", "site", "--verify")
    assert done.exit_code == 0, done.output
    assert (
        done.stdout == "small: 1 solvers\nwrote site; any static web host can serve this folder\n"
    )
    (tmp_path / "my.bib").write_text("@misc{knn}")
    line = ["submit", "--results", ran, "--run", "1", "--solver", "knn", "--citation", "By us."]
    done = cli(*line, "--bibtex", "my.bib", "-o", "knn.zip")
    assert done.stdout == "wrote knn.zip: knn on small, 8 cells, 32 signals\n"
    done = cli("accept", "knn.zip", "site", "--dry-run")
    assert done.stdout == "knn.zip: would be accepted; knn on small: reproducible\n"
    assert len(index(tmp_path / "site")["bundles"]) == 1
    done = cli("accept", "knn.zip", "site", "--json")
    told = json.loads(done.stdout)
    assert (told["labels"], told["level"], told["written"]) == (["knn"], "reproducible", True)
    found = index(tmp_path / "site")
    assert [(b["labels"], b["origin"], b["level"]) for b in found["bundles"]] == [
        (["altmin"], "published", "reproducible"),
        (["knn"], "submitted", "reproducible"),
    ]
    assert found["bundles"][1]["citation"] == "By us."
    assert found["bundles"][1]["bibtex"] == "@misc{knn}"
    assert "benchbase_knn.knn" in found["bundles"][1]["code"]


def test_errors_are_told_in_a_sentence(cli: Cli, ran: Path, site: Path, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").touch()
    results = ["--results", ran]
    for line, told in {
        ("accept", "x.zip", site): "x.zip is refused: the bundle is not a zip file",
        ("accept", "y.zip", site): "y.zip is refused: there is no bundle y.zip",
        ("publish", "nothing", "s"): "no results in nothing",
        ("publish", ran / "one", "other"): "other holds something other than a site",
        ("submit", *results, "-o", "no/x.zip"): "no/x.zip: No such file or directory",
        ("submit", *results, "-o", "b.zip", "--solver", "mine"): "no solver labelled 'mine'",
    }.items():
        done = cli(*line)
        assert done.exit_code == 2, done.output
        assert told in done.stderr
    assert list((tmp_path / "other").iterdir()) == [tmp_path / "other" / "letter.txt"]


def test_results_that_lack_rows_are_not_packed(cli: Cli, ran: Path, tmp_path: Path) -> None:
    few = [
        "run",
        ran / "small.toml",
        "--results",
        "few",
        "--with",
        "{ name = 'mean', label = 'some' }",
    ]
    assert cli(*few).exit_code == 0
    with sqlite3.connect(tmp_path / "few" / "results.sqlite") as store:
        for table in ("chunk", "recovered"):
            cells = "SELECT key FROM run_cell WHERE label = 'some'"
            store.execute(f"DELETE FROM {table} WHERE key IN ({cells})")
    store.close()
    done = cli("submit", "--results", "few", "--solver", "some", "-o", "b.zip")
    assert done.exit_code == 2
    assert "nobody would accept this:\nrows are missing: 4 signals of some, lp" in done.stderr
    assert not (tmp_path / "b.zip").exists()


def test_runs_of_other_problems_are_not_mixed(cli: Cli, ran: Path, tmp_path: Path) -> None:
    for seed in (7, 8):
        cli(
            "run", ran / "small.toml", "--solver", "mean", "--set", f"seed={seed}", "--results", "r"
        )
    done = cli("submit", "--results", "r", "--run", "all", "-o", "b.zip")
    assert "runs of the suite 'small' are of different problems" in done.stderr
    assert cli("publish", "r", "site").exit_code == 0  # the latest run
    assert read_bundle(next((tmp_path / "site/bundles").glob("*.zip"))).suite["experiments"][0][
        "seed"
    ] == 8  # fmt: skip # one condition


def test_a_bundle_names_its_command_without_the_machine(ran: Path, honest: Path) -> None:
    told = read_bundle(honest).manifest.provenance.command
    assert told == "benchbase run small.toml"
    assert str(ran) in benchbase.load_results(ran).suites[-1]["command"]


def test_a_bundle_is_the_same_each_time(ran: Path, tmp_path: Path) -> None:
    results = benchbase.load_results(ran)
    for name in ("a", "b"):
        submit(results, tmp_path / name, ["mean"])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_bundle_makes_the_rows_that_it_was_made_of(
    ran: Path, honest: Path, tmp_path: Path
) -> None:
    bundle = read_bundle(honest)
    runs = benchbase.write_records(tmp_path / "again", [bundle.record()])
    again = benchbase.Results(tmp_path / "again", runs)
    before = benchbase.load_results(ran).rows()
    before = before[before["label"] != "altmin"].reset_index(drop=True)
    after = again.rows()
    apart = ["run", "cell", "solver.n_iter", "solver.init.name", "isolated", "sealed"]
    same = [c for c in before if c in after and c not in apart]
    order = ["label", "n_pools", "rectified", "trial", "signal"]
    pd.testing.assert_frame_equal(
        before.sort_values(order)[same].reset_index(drop=True),
        after.sort_values(order)[same].reset_index(drop=True),
    )
    cell, other = (f[f["status"] == "done"]["cell"].iloc[0] for f in (before, after))
    np.testing.assert_array_equal(
        benchbase.load_results(ran).signals(cell), again.signals(other)
    )  # fmt: skip # one condition


def test_a_bundle_is_accepted_once(honest: Path, whole: Path, digest_of: Any) -> None:
    before = digest_of(whole)
    with pytest.raises(benchbase.BenchbaseError, match="it has been accepted already"):
        accept(honest, whole)
    assert digest_of(whole) == before


def test_a_site_is_made_by_accepting_into_nothing(cli: Cli, tmp_path: Path) -> None:
    """Of an installed suite, whose solvers' labels are theirs."""
    few = ["run", "quick", "--results", "r", "--solver", "mean", "--jobs", "1"]
    assert cli(*few).exit_code == 0
    assert cli("submit", "--results", "r", "-o", "mean.zip").exit_code == 0
    done = cli("accept", "mean.zip", "new/site")
    assert done.exit_code == 0, done.output
    assert index(tmp_path / "new/site")["suites"][0]["name"] == "quick"


def test_a_label_of_the_installed_suite_is_for_its_solver_only(cli: Cli, tmp_path: Path) -> None:
    spec = "{ name = 'mean', label = 'other' }"
    options = ["--results", "r", "--with", spec, "--solver", "other"]
    assert cli("run", "quick", *options).exit_code == 0
    results = benchbase.load_results(tmp_path / "r")
    with pytest.raises(benchbase.BenchbaseError, match="'other' were computed in benchbase's own"):
        submit(results, tmp_path / "b.zip", ["other"])
    assert cli("run", "quick", *options, "--rerun", "other", "--jobs", "1").exit_code == 0
    results = benchbase.load_results(tmp_path / "r")
    submit(results, tmp_path / "b.zip", ["other"])
    from benchbase_publish.archive import Archive, write_archive
    from benchbase_publish.bundle import array_shapes
    from benchbase_publish.schema import read_manifest

    archive = Archive(tmp_path / "b.zip")
    manifest = archive.manifest()
    shapes = array_shapes(read_manifest(manifest)).items()
    arrays = {n: archive.array(n, *shape, manifest["digests"][n]) for n, shape in shapes}
    del manifest["digests"]
    for label in ("PhaseLift", "phase lift", "ＰhaseLift"):
        manifest["entries"][0]["label"] = label
        write_archive(tmp_path / "b.zip", manifest, arrays)
        done = cli("accept", "b.zip", "site")
        assert done.exit_code == 2
        assert f"the label '{label}' is that of another solver in the suite itself" in done.stderr
        assert not (tmp_path / "site").exists()


def test_html_in_names_is_shown_as_text(forged: Forged, site: Path) -> None:
    def forge(m: dict[str, Any], a: dict[str, Any]) -> None:
        m["entries"][0]["label"] = HTML
        m["citation"] = {"text": HTML, "bibtex": HTML}
        m["provenance"]["command"] = HTML
        m["environments"][0]["processor"] = HTML

    accept(forged(forge), site)
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert(1)" not in text
        assert "</script><b>" not in text
    seen = text_of(site / "index.html")
    assert seen.count(HTML) == 3
    assert index(site)["bundles"][1]["labels"][0] == HTML


def text_of(page: Path) -> str:
    class Text(HTMLParser):
        found = ""

        def handle_data(self, data: str) -> None:
            self.found += data

    parser = Text()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def test_the_index_is_as_its_schema_says(accepted: Path) -> None:
    TypeAdapter(Index).validate_json((accepted / "index.json").read_bytes(), strict=True)
    schema = json.loads((accepted / "index.schema.json").read_text())
    assert schema == Index.model_json_schema()
    found = index(accepted)
    assert (
        set(found["claimed"]) == set(CLAIMED) <= set(benchbase.load_results.__globals__["COLUMNS"])
    )
    paths = [b["file"] for b in found["bundles"]]
    for suite in found["suites"]:
        paths += [
            v for k, v in suite.items() if k.split("_")[0] in ("page", "leaderboard", "results")
        ]
    assert len(paths) == 7
    assert [path for path in paths if not (accepted / path).is_file()] == []


def test_the_data_are_those_of_all_bundles(ran: Path, accepted: Path) -> None:
    place = accepted / "suites" / "small"
    rows = pd.read_parquet(place / "results.parquet")
    assert len(rows) == len(pd.read_csv(place / "results.csv.gz")) == 4 * 8 * 4
    whole = benchbase.load_results(ran).rows()
    key = ["label", "n_pools", "rectified", "trial", "signal"]
    pd.testing.assert_series_equal(
        rows.set_index(key)["squared_cosine"].sort_index(),
        whole.set_index(key)["squared_cosine"].sort_index(),
    )


def test_the_leaderboard_says_what_is_known_of_each_row(accepted: Path) -> None:
    table = pd.read_csv(accepted / "suites" / "small" / "leaderboard.csv")
    levels = table.set_index("label")["level"].to_dict()
    verified = dict.fromkeys(("knn", "mean", "phasecut"), "reproducible")
    assert levels == {"altmin": "claimed"} | verified
    assert len(table) == 4 * 2  # with half rectification, and without
    bundles = {b["sha256"]: b["labels"] for b in index(accepted)["bundles"]}
    assert all(row["label"] in bundles[row["bundle"]] for _, row in table.iterrows())
    page = (accepted / "suites" / "small" / "index.html").read_text(encoding="utf-8")
    assert page.count('"level":"reproducible"') == len(verified)
    assert page.count('"level":"claimed"') == 1
    (bundle,) = [b for b in index(accepted)["bundles"] if b["origin"] == "submitted"]
    assert f'["Bundle {bundle["sha256"][:12]}","../../{bundle["file"]}"]' in page
    assert "Seconds and frame applications are as claimed" in page


def test_rows_of_a_solver_that_nobody_could_ask_are_not_verified(
    forged: Callable[..., Path], site: Path
) -> None:
    def of_a_stranger(m: dict[str, Any], a: object) -> None:
        m["entries"][2]["solver"] = {"name": "strange"}

    assert accept(forged(of_a_stranger), site).not_verified == ("phasecut",)
    table = pd.read_csv(site / "suites" / "small" / "leaderboard.csv")
    levels = table.loc[table["label"] == "phasecut", "level"]
    assert sorted(levels) == [
        "not verified",
        "reproducible",
    ]
    page = (site / "suites" / "small" / "index.html").read_text(encoding="utf-8")
    assert page.count('"level":"reproducible","level_unsupported":"not verified"') == 1
    assert [each["not_verified"] for each in index(site)["bundles"]] == [[], ["phasecut"]]
    assert "not verified where it does not apply" in (site / "index.html").read_text()


def test_no_page_asks_for_an_outside_address(accepted: Path) -> None:
    loaded = r"""(?:src|href|action|poster)\s*=\s*["']?(?:https?:|//)|url\(\s*["']?(?:https?:|//)"""
    for page in accepted.rglob("*.html"):
        assert re.findall(loaded, page.read_text(encoding="utf-8")) == []


def test_what_lies_in_the_folder_besides_stays(honest: Path, site: Path) -> None:
    (site / "CNAME").write_text("example.org")
    (site / ".git").mkdir()
    (site / ".git" / "HEAD").write_text("ref")
    (site / "link").symlink_to("CNAME")
    accept(honest, site)
    assert (site / "CNAME").read_text() == "example.org"
    assert (site / ".git" / "HEAD").read_text() == "ref"
    assert (site / "link").is_symlink()


def test_a_site_that_cannot_be_made_leaves_the_old_one(
    honest: Path, site: Path, digest_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_of(site)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(pages, "write_index", full)
    with pytest.raises(benchbase.BenchbaseError, match="No space left on device"):
        accept(honest, site)
    assert digest_of(site) == before
    monkeypatch.undo()

    class Torn(Exception):
        pass

    def torn(self: Path, target: Path) -> Path:
        if target == site.absolute():
            raise OSError(5, "Input/output error", str(target))
        return original(self, target)

    original = Path.rename
    monkeypatch.setattr(Path, "rename", torn)
    with pytest.raises(benchbase.BenchbaseError):
        accept(honest, site)
    monkeypatch.undo()
    accept(honest, site)  # what could not be put back then is put back now
    assert len(index(site)["bundles"]) == 2


def test_a_site_moved_away_by_a_process_that_was_killed_comes_back(
    honest: Path, site: Path
) -> None:
    site.rename(site.with_name(".site.old"))
    accept(honest, site)
    assert len(index(site)["bundles"]) == 2
    assert not site.with_name(".site.old").exists()


def test_two_at_a_time_lose_nothing(ran: Path, site: Path, tmp_path: Path) -> None:
    results = benchbase.load_results(ran)
    for label in ("knn", "mean"):
        submit(results, tmp_path / f"{label}.zip", [label])
    threads = [
        threading.Thread(target=accept, args=(tmp_path / f"{label}.zip", site))
        for label in ("knn", "mean")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {b["labels"][0] for b in index(site)["bundles"]} == {"altmin", "knn", "mean"}


def test_published_again_what_was_accepted_stays(ran: Path, whole: Path) -> None:
    publish(ran / "one", whole)
    assert [b["labels"] for b in index(whole)["bundles"]] == [
        ["altmin"],
        ["knn", "mean", "phasecut"],
    ]
    with pytest.raises(
        benchbase.BenchbaseError,
        match="do not fit the site:\nthe site already has a solver labelled 'knn'",
    ):
        publish(ran, whole)


def test_a_site_is_made_anew_from_its_bundles(whole: Path, digest_of: Any) -> None:
    before = digest_of(whole)
    shutil.rmtree(whole / "suites")
    (whole / "index.html").write_text("broken")
    publish(whole, whole.with_name("copy"))
    assert digest_of(whole.with_name("copy")) == before
    publish(whole, whole)
    assert digest_of(whole) == before


def test_a_bundle_of_the_site_that_was_changed_is_told(honest: Path, site: Path) -> None:
    (zip_,) = (site / "bundles").glob("*.zip")
    shutil.copy(honest, zip_)
    with pytest.raises(benchbase.BenchbaseError, match="is not the bundle that the site accepted"):
        Site.read(site)
    receipt = zip_.with_suffix(".json")
    receipt.write_text("no receipt")
    with pytest.raises(benchbase.BenchbaseError, match=r"the receipt of .* cannot be read"):
        Site.read(site)
    receipt.unlink()
    with pytest.raises(benchbase.BenchbaseError, match=r"has no receipt: .*\.json does not exist"):
        Site.read(site)


def test_levels_are_in_order() -> None:
    receipt = {
        "bundle": "0" * 64,
        "origin": "submitted",
        "software": "x",
        "accepted": "2020-01-01T00:00Z",
        "submitter": "",
        "scored": False,
        "not_asked": ["mine"],
        "seeds": [],
        "other_seeds": [],
        "other_code": [],
    }
    claimed = Receipt.model_validate(receipt)
    scored = claimed.model_copy(update={"scored": True})
    other = claimed.having_run(4, ["benchbase_knn"])
    same = other.having_run(3, [])
    assert tuple(each.level for each in (claimed, scored, other, same)) == LEVELS[1:]
    assert scored.level_of("mine", applies=False) == LEVELS[0]
    assert scored.level_of("mine", applies=True) == scored.level
    assert other.level_of("mine", applies=False) == other.level  # it was run, and so asked
    assert (same.seeds, same.other_seeds, same.other_code) == ([3], [4], ["benchbase_knn"])


def test_publish_can_refuse_what_does_not_reproduce(
    ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(ran / "one", tmp_path / "copy")
    with sqlite3.connect(copy / "results.sqlite") as store:
        (blob,) = store.execute("SELECT scores FROM chunk").fetchone()
        scores = np.frombuffer(blob).copy()
        scores[0] = 1 - scores[0]
        store.execute("UPDATE chunk SET scores = ? WHERE rowid = 1", (scores.tobytes(),))
    store.close()
    with pytest.raises(benchbase.BenchbaseError, match="results of 'small' do not reproduce"):
        publish(copy, tmp_path / "site", verify=True)
    assert not (tmp_path / "site").exists()
