"""The index of a site, for programs (``index.json``) and for people (``index.html``)."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchbase.showing import file_name
from benchbase_publish.schema import Digest
from benchbase_publish.site import BUNDLES, Held, Level, Site

CLAIMED = ("prepare_seconds", "init_seconds", "solve_seconds", "frame_applications")
"""Columns that scoring cannot check, at any level."""


MEANINGS: dict[Level, str] = {
    "not verified": (
        "the solver says that it does not apply here, and could not be asked, because it does not "
        "come with benchbase"
    ),
    "claimed": "the site's owner put the rows here, and nobody has scored them again",
    "reproducible": (
        "frames and test signals were made again from the seed, and every stored estimate scores "
        "as the row says; whether it was recovered from measurements or copied from the truth, "
        "scoring cannot tell"
    ),
    "sealed (other code)": (
        "the solver was run likewise and agrees, but with code other than the bundle names, such "
        "as another version of the solver or of benchbase"
    ),
    "sealed": (
        "the solver was also run on signals of a seed that was drawn after its author had sent the "
        "results, in a process that held neither the seed nor the signals, and its success agrees "
        "as far as chance allows"
    ),
}
"""The meaning of each of `LEVELS`, as a sentence without its full stop."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BundleEntry(_Model):
    """A bundle of the site, with what is known about its rows."""

    file: str = Field(description="path within the site")
    sha256: Digest
    suite: str = Field(description="name of its suite")
    labels: list[str] = Field(description="the labels of its solvers")
    origin: Literal["published", "submitted"] = Field(
        description="by the site's owner, or through `benchbase accept`"
    )
    accepted: str = Field(description="when it came into the site, ISO 8601")
    level: Level = Field(description="what is known about its rows")
    not_verified: list[str] = Field(
        description="solvers that say that they do not apply to some problems, and nobody could ask"
    )
    seeds: list[int] = Field(description="seeds on which its solvers were run again, and agreed")
    other_seeds: list[int] = Field(description="the same, with code other than the bundle names")
    other_code: list[str] = Field(description="modules whose code was different on other_seeds")
    checked_by: str = Field(description="the software that checked it")
    software: str = Field(description="the software that it was made with, by its own account")
    command: str = Field(description="the command that it was made with, by its own account")
    code: dict[str, list[str]] = Field(
        description="digests of the modules that its rows were made with, by its own account"
    )
    citation: str = Field(description="how to cite it")
    bibtex: str = Field(description="the same as BibTeX")


class SuiteEntry(_Model):
    """A suite of the site, with the paths of its files within the site."""

    name: str
    title: str
    page: str = Field(description="the leaderboard, HTML")
    leaderboard_csv: str = Field(description="one row per problem and solver, ranked")
    leaderboard_parquet: str
    results_csv: str = Field(description="one row per signal, with all parameters; gzip")
    results_parquet: str
    bundles: list[Digest] = Field(description="the SHA-256 of the bundles that it is made from")


class Index(_Model):
    """The index of a site."""

    format: Literal["benchbase site"]
    version: Literal[1]
    suites: list[SuiteEntry]
    bundles: list[BundleEntry]
    claimed: list[str] = Field(description="columns of results that scoring cannot check")


def make_index(site: Site) -> Index:
    """Return the index of a site."""
    held = [each for suite in site.suites for each in site.of(suite)]
    return Index(
        format="benchbase site",
        version=1,
        suites=[_suite_entry(site.of(suite)) for suite in site.suites],
        bundles=[_bundle_entry(each) for each in held],
        claimed=[*CLAIMED],
    )


def _suite_entry(held: list[Held]) -> SuiteEntry:
    suite = held[0].bundle.manifest.suite
    place = f"suites/{file_name(suite.name)}"
    return SuiteEntry(
        name=suite.name,
        title=suite.title,
        page=f"{place}/index.html",
        leaderboard_csv=f"{place}/leaderboard.csv",
        leaderboard_parquet=f"{place}/leaderboard.parquet",
        results_csv=f"{place}/results.csv.gz",
        results_parquet=f"{place}/results.parquet",
        bundles=[each.bundle.digest for each in held],
    )


def _bundle_entry(held: Held) -> BundleEntry:
    manifest, receipt = held.bundle.manifest, held.receipt
    return BundleEntry(
        file=f"{BUNDLES}/{held.stem}.zip",
        sha256=held.bundle.digest,
        suite=held.suite,
        labels=held.bundle.labels,
        origin=receipt.origin,
        accepted=receipt.accepted,
        level=receipt.level,
        not_verified=receipt.not_asked,
        seeds=receipt.seeds,
        other_seeds=receipt.other_seeds,
        other_code=receipt.other_code,
        checked_by=receipt.software,
        software=manifest.provenance.software,
        command=manifest.provenance.command,
        code=_code(manifest.environments),
        citation=manifest.citation.text,
        bibtex=manifest.citation.bibtex,
    )


def _code(environments: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the digests of code that environments name, by module."""
    found: dict[str, set[str]] = {}
    for each in environments:
        code = each.get("code")
        for name, digest in code.items() if isinstance(code, dict) else ():
            found.setdefault(name, set()).add(str(digest))
    return {name: sorted(digests) for name, digests in sorted(found.items())}


def write_index(site: Site, folder: Path) -> None:
    """Write ``index.json``, its schema, and ``index.html`` into a folder."""
    from jinja2 import Environment, StrictUndefined

    index = make_index(site)
    schema = json.dumps(Index.model_json_schema(), indent=1, sort_keys=True)
    source = files(__package__).joinpath("index.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.from_string(source).render(index=index, meanings=MEANINGS)
    texts = {
        "index.json": index.model_dump_json(indent=1) + "\n",
        "index.schema.json": schema + "\n",
        "index.html": page + "\n",
        ".nojekyll": "",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
