"""Numbers and examples on the pages are those of the program."""

from __future__ import annotations

import json
import re
import shlex
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import click
import numpy as np
import pytest

import benchbase
from benchbase import errors, showing
from benchbase.api import resolve
from benchbase.checking import referee, verify
from benchbase.cli import main
from benchbase.cli.run import run_command
from benchbase.discovery.registry import KINDS, Registry, registry
from benchbase.planning import draft, experiment
from benchbase.planning.experiment import Change, Extra
from benchbase.planning.suite import load_suite
from benchbase.planning.toml import from_toml
from benchbase_bounds.brackets import phase_retrieval
from benchbase_bounds.geometry import kinks
from benchbase_bounds.lower_ends import subdivision
from benchbase_bounds.reports import bounds, collisions
from benchbase_publish import archive, judge, rerun, rules
from benchbase_reports.leaderboard import ranking
from benchbase_reports.page import pictures
from benchbase_sdp.phasecut import PhaseCut
from benchbase_sdp.phaselift import PhaseLift

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WORDS = {1_000_000: "a million", 10_000_000: "ten million", 3: "three"}
MEGABYTE, GIBIBYTE = 1 << 20, 1 << 30
FULL = int((ranking._COMPARISONS / ranking._REPLICATES) ** 0.5)
GOALS = [f"{100 * share:.0f}" for share in subdivision._GOALS]

SENTENCES = {
    "suites.rst": [
        (
            f"An experiment may have {WORDS[experiment.MOST_CELLS]} cells and "
            f"{WORDS[experiment.MOST_SIGNALS]} signals, and a suite {WORDS[experiment.MOST_CELLS]} "
            "chunks"
        ),
        f"tables and lists are at most {errors.DEEPEST} deep in each other",
    ],
    "running.rst": [
        f"Messages have at most {errors.LONGEST_MESSAGE:,} characters",
        f"compares test signals and measurements (to {verify.TOLERANCE:.0e}".replace("e-0", "e-"),
        f"squared cosine above {showing.RECOVERED}".replace("0.", "."),
        f"(residual of at most {showing.FITS:.0e})".replace("e-0", "e-"),
    ],
    "leaderboards.rst": [
        f"({ranking._REPLICATES} resamples; with more than {FULL} solvers fewer",
        f"would take more than {pictures.LARGEST / 1e6:g} MB".replace("0.", "."),
    ],
    "submissions.rst": [
        (
            f"A bundle may have {archive.LARGEST // GIBIBYTE} GiB, {archive.MOST_MEMBERS:,} "
            f"arrays, a manifest of {archive.LARGEST_MANIFEST // MEGABYTE} MiB unpacked"
        ),
        f"where it is submitted, {rules.MOST_SOLVERS} solvers.",
        f"scores must agree to {judge.TOLERANCE:.0e} (relative".replace("e-0", "e-"),
        f"at the level of {100 * rerun.FAMILY_ERROR:g} % for all comparisons",
        f"on at least {WORDS[referee.LEAST_TRIALS]} trials",
    ],
    "bounds.rst": [
        f"branch and bound over subsets, up to N = {phase_retrieval._LARGEST} (2.1)",
        f"the pair bound over linear cones, up to N = {kinks.LARGEST} (2.6)",
        f"subdivision of cones, up to N = {subdivision.LARGEST} (2.4)",
        f"largest of {', '.join(GOALS[:-1])} and {GOALS[-1]} % of the upper end",
        f"After {bounds.Bounds().limit / 60:g} minutes (``limit``)",
        f"frames with K ≤ 4N and N ≤ {collisions.LARGEST}",
    ],
    "relaxations.rst": [
        f"PhaseLift to a relative error of {PhaseLift.tolerance:.0e}".replace("e-0", "e-"),
        f"PhaseCut to a duality gap of {PhaseCut.tolerance:.0e} ‖b‖²".replace("e-0", "e-"),
    ],
}


def words(page: str) -> str:
    """Return the text of a page with one blank between words."""
    return " ".join((DOCS / page).read_text("utf-8").split())


@pytest.mark.parametrize("page", SENTENCES)
def test_limits_and_tolerances_are_those_of_the_code(page: str) -> None:
    text = words(page)
    assert [sentence for sentence in SENTENCES[page] if sentence not in text] == []


def test_exit_codes_are_those_of_the_errors() -> None:
    _, _, rest = words("running.rst").partition("Exit codes: ")
    told = {int(code) for code in re.findall(r"(?<![\w-])(\d+) ", rest.partition(".")[0])}
    raised = {
        cls.exit_code
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, benchbase.BenchbaseError)
    }
    assert told == raised | {0, 70, 130}  # 70 and 130 come from `benchbase.cli.guarded`


def test_defaults_of_options_are_those_of_the_pages() -> None:
    context = click.Context(main)
    sample = {each.name: each for each in main.get_command(context, "verify").params}["sample"]  # type: ignore[union-attr] # it is there
    assert f"``--sample N|all``, {sample.default} by default" in words("running.rst")
    seed, trials, points = (draft._DEFAULTS[each] for each in ("seed", "trials", "points"))
    assert f"``seed`` ({seed}), ``trials`` ({trials}), ``points`` ({points})" in words("suites.rst")


def sizes(name: str) -> tuple[int, int, int]:
    """Return how many solvers, cells and signals a suite has."""
    labels, n_cells, signals = set(), 0, 0
    for part in load_suite(name, registry()).experiments:
        for entry in part.entries:
            here = len(part.problems) * part.trials
            labels.add(entry.label)
            n_cells += here
            signals += here * min(entry.points or part.points, part.points)
    return len(labels), n_cells, signals


def test_the_largest_bundle_has_the_size_that_is_told() -> None:
    solvers, n_cells, signals = sizes("frontier-40")
    told = f"All {solvers} solvers of ``frontier-40`` at full size have {n_cells:,} cells"
    text = words("submissions.rst")
    assert f"{told} and {signals:,} signals" in text
    megabytes = signals * (4 * 40 + 8 * 5) / 1e6  # n = 40, five scores
    (written,) = re.findall(r"their arrays take (\d+) MB", text)
    assert megabytes == pytest.approx(int(written), rel=0.01)


def test_the_published_runs_took_as_long_as_the_page_says() -> None:
    provenance = json.loads((DOCS / "figures" / "provenance.json").read_text("utf-8"))
    took = {}
    for run in provenance["runs"]:
        start, end = (datetime.fromisoformat(run[key]) for key in ("started", "finished"))
        took[run["suite"]] = (end - start).total_seconds()
    told = re.findall(r"``([a-z0-9]+)`` (\d+) (s|min)\b", words("figures.rst"))
    assert {suite for suite, _, _ in told} == took.keys()
    for suite, number, unit in told:
        assert took[suite] == pytest.approx(int(number) * {"s": 1, "min": 60}[unit], rel=0.15)


def test_the_pools_that_solvers_need_are_those_of_the_leaderboard() -> None:
    """K95 with its interval, in the table of the page on solvers."""
    board: dict[tuple[str, str], str] = {}
    pooling = ""
    for line in (DOCS / "boards" / "frontier-40.md").read_text("utf-8").splitlines():
        if line.startswith("## "):
            pooling = line[3:]
        elif line.startswith("| ") and not line.startswith("| Solver"):
            name, _, k95 = (part.strip().replace("\\", "") for part in line.split("|")[1:4])
            board[name, pooling] = k95
    poolings = [f"{kind}ℓ{p}" for kind in ("", "rectified ") for p in "12∞"]
    text = (DOCS / "solvers.rst").read_text("utf-8")
    table = text.partition("How many pools each solver needs")[2].partition(".. image::")[0]
    rows = [re.findall(r"- (.*)", row) for row in table.split("\n   * ")[2:]]
    assert len(rows) == sizes("frontier-40")[0]
    for name, *told in rows:
        for pooling, entry in zip(poolings, told, strict=True):
            k95 = entry.partition(";")[0]
            assert (board[name, pooling] or "n/a") == k95, (name, pooling)


def test_what_the_readme_names_is_there(fresh_registry: Registry) -> None:
    text = (ROOT / "README.md").read_text("utf-8").partition("## What is there")[2]
    table = text.partition("| | |")[2].partition("\n\n")[0]
    known = {name for kind in KINDS for name in fresh_registry.classes[kind]}
    known |= fresh_registry.suites.keys()
    for row in table.splitlines()[2:]:
        head, told = row.split("|")[1:3]
        if head.strip() in {"solvers", "poolings", "frames", "data sets", "suites"}:
            names = set(re.findall(r"`([a-z0-9_]+)`", told))
            assert names
            assert names <= known, head


PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.rst"))]
TEXT = "\n".join(page.read_text("utf-8") for page in PAGES)
RUNS = sorted(
    {call.strip() for call in re.findall(r"benchbase (run [a-z][^\n`#&|]* --[^\n`#&|]*)", TEXT)}
)


@pytest.mark.usefixtures("plugin_files")
@pytest.mark.parametrize("call", RUNS)
def test_every_run_on_a_page_can_be_planned(call: str) -> None:
    """Its suite, its solvers and the values that it sets are there."""
    given: dict[str, Any] = run_command.make_context("run", shlex.split(call)[1:]).params
    suite = resolve(
        given["suite"],
        points=given["points"],
        trials=given["trials"],
        labels=given["labels"],
        extras=[Extra(from_toml(spec, "--with"), "--with") for spec in given["specs"]],
        plugins=given["plugins"],
        changes=[Change.parse(text) for text in given["sets"]],
    )
    assert suite.experiments


@pytest.fixture
def plugin_files(tmp_path: Path, fresh_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the plugin files that pages show into the current folder."""
    monkeypatch.chdir(tmp_path)
    shown = re.findall(r"(?m)^( *)# (\w+\.py)\n((?:\1.*\n|\n)+?)(?=```|\S|$(?!.*\n\1))", TEXT)
    for indent, name, code in shown:
        (tmp_path / name).write_text(dedent(code) if indent else code)


def test_the_suite_of_the_page_on_suites_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(
        r"code-block:: toml\n\n((?:   .*\n|\n)+)", (DOCS / "suites.rst").read_text("utf-8")
    )
    (tmp_path / "page.toml").write_text(dedent(text))
    suite = load_suite(tmp_path / "page.toml", registry())
    assert sizes(str(tmp_path / "page.toml"))[0] == 2
    assert len(suite.experiments[0].problems) == 8


def test_a_single_problem_of_the_page_on_running_is_solved() -> None:
    text = (DOCS / "running.rst").read_text("utf-8")
    (code,) = re.findall(r"   # single problems\n((?:   .*\n|\n)+)", text)
    names: dict[str, Any] = {"benchbase": benchbase}
    exec(dedent(code), names)
    assert names["estimate"].shape == (20,)
    assert benchbase.squared_cosine(names["estimate"], names["x"]) > showing.RECOVERED


def test_the_solvers_for_complex_frames_are_those_that_are_named() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((30, 1, 6)) + 1j * rng.standard_normal((30, 1, 6))
    problem = benchbase.Problem(
        benchbase.DenseFrame(vectors),
        benchbase.build("pooling", {"name": "lp", "p": 2}),
        training=rng.standard_normal((400, 6)).astype(np.float32),
        hint=True,
    )
    apply = set()
    for name in registry().classes["solver"]:
        try:
            solver = benchbase.build("solver", {"name": name})
        except benchbase.SpecError:  # it wraps another solver, and asks that one
            continue
        if solver.unsupported(problem) is None:
            apply.add(name)
    text = words("plugins.rst").partition("Of the bundled solvers, only ")[2]
    assert set(re.findall("``([a-z]+)``", text.partition(" apply to ")[0])) == apply
