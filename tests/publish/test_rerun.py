"""Solvers run again on another seed: honest ones agree, and copies of the truth do not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import benchbase
from benchbase.checking.referee import LEAST_TRIALS
from benchbase_publish.accepting import accept
from benchbase_publish.rerun import (
    compare,
    compare_all,
    design_effect,
    tolerance,
)
from tests.running.test_sandbox import works as sandbox_works

M = dict[str, Any]
Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the same seeds be drawn each time, so that chance refuses no honest solver here."""
    drawn = [20260401, 20260402]
    rest = iter(drawn)
    monkeypatch.setattr("benchbase_publish.accepting.secrets.randbits", lambda bits: next(rest))
    return drawn


def levels(site: Path) -> list[tuple[list[str], str, list[int]]]:
    found = json.loads((site / "index.json").read_text())["bundles"]
    return [(each["labels"], each["level"], each["seeds"]) for each in found]


def test_honest_solvers_are_verified_at_once_or_later(
    honest: Path, site: Path, seeds: list[int]
) -> None:
    accept(honest, site)
    labels = ["knn", "mean", "phasecut"]
    assert levels(site)[1] == (labels, "reproducible", [])
    for number in (1, 2):
        boxed = number == 2 and sandbox_works()
        done = accept(honest, site, rerun=True, jobs=2, sandbox=boxed)
        assert done.level == "sealed"
        assert levels(site)[1] == (labels, "sealed", seeds[:number])  # each drawn anew


def test_a_sandbox_is_for_what_runs_again(
    honest: Path, site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(benchbase.BenchbaseError, match="give --rerun as well"):
        accept(honest, site, sandbox=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(benchbase.BenchbaseError, match="there is no command bwrap"):
        accept(honest, site, rerun=True, sandbox=True)


def all_true(m: M, a: M) -> None:
    """Let the second solver hold the truth: nothing in the bundle says that it was not found."""
    estimates, scores = a["estimates/000001.npy"].reshape(-1, 8), a["scores/000001.npy"]
    for i, cell in enumerate(cell for cell in m["cells"] if cell["entry"] == 1):
        rows = slice(4 * i, 4 * i + 4)
        estimates[rows] = a[f"signals/{cell['signals']:06}.npy"]
        scores[0, rows], scores[1:3, rows] = 1.0, 0.0


def test_the_truth_itself_passes_scoring_and_not_running(
    forged: Callable[..., Path], site: Path, digest_of: Any
) -> None:
    bundle = forged(all_true)
    accept(bundle, site)
    assert levels(site)[1][1] == "reproducible"
    before = digest_of(site)
    told = r"mean, all problems: run again, the share of recovered signals is 0\.0+ and not 1\.0+"
    with pytest.raises(benchbase.BenchbaseError, match=told):
        accept(bundle, site, rerun=True, jobs=2)
    assert digest_of(site) == before


def test_the_solver_must_be_there(forged: Callable[..., Path], site: Path, digest_of: Any) -> None:
    before = digest_of(site)

    def of_a_stranger(m: M, a: M) -> None:
        m["entries"][0]["solver"] = {"name": "strange"}

    with pytest.raises(
        benchbase.BenchbaseError, match=r"install the solver that the bundle names, or give .*'str"
    ):
        accept(forged(of_a_stranger), site, rerun=True, jobs=2)
    assert digest_of(site) == before
    assert accept(forged(of_a_stranger), site).level == "reproducible"


def of_older_code(m: M, a: M) -> None:
    for each in m["environments"]:
        each["code"]["benchbase_knn.knn"] = "0" * 64


def test_other_code_than_the_bundles_is_told_wherever_the_level_is(
    cli: Cli, forged: Callable[..., Path], site: Path
) -> None:
    path = forged(of_older_code)
    done = cli("accept", path, site, "--rerun", "--jobs", "2")
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("knn, mean, phasecut on small: sealed (other code)\n")
    told = (
        "warning: the code that ran here differs from the code that the bundle names, in: "
        "benchbase_knn.knn\n"
    )
    assert told in done.stderr
    found = json.loads((site / "index.json").read_text())["bundles"][1]
    assert (found["level"], found["seeds"]) == ("sealed (other code)", [])
    ((seed,), code) = (found["other_seeds"], found["other_code"])
    assert code == ["benchbase_knn.knn"]
    assert f"with other code of benchbase_knn.knn: seed {seed}" in (site / "index.html").read_text()
    rows = (site / "suites" / "small" / "leaderboard.csv").read_text()
    assert rows.count('"sealed (other code)"') == 6
    done = cli("accept", path, site, "--rerun", "--jobs", "2", "--json")
    assert json.loads(done.stdout)["other_code"] == ["benchbase_knn.knn"]
    assert levels(site)[1][1] == "sealed (other code)"


PLUGIN = """\
import numpy as np
import benchbase

@benchbase.solver
def guess(frame, pooling, b, rng):
    return rng.standard_normal(frame.n)
"""


def test_a_solver_of_a_plugin_file_is_run_where_the_file_is_given(
    cli: Cli, ran: Path, published: Path, tmp_path: Path
) -> None:
    shutil.copytree(published, tmp_path / "site")
    (tmp_path / "guess.py").write_text(PLUGIN)
    options = ["--results", "r", "--solver", "guess"]
    assert (
        cli("run", ran / "small.toml", "--plugin", "guess.py", *options, "--jobs", "1").exit_code
        == 0
    )
    assert cli("submit", *options, "-o", "b.zip").exit_code == 0
    done = cli("accept", "b.zip", "site", "--rerun", "--plugin", "guess.py")
    assert done.stdout == "b.zip: accepted into site; guess on small: sealed\n"


def test_a_solver_that_gives_no_estimate_is_never_sealed(
    cli: Cli, forged: Callable[..., Path], site: Path, tmp_path: Path
) -> None:
    """Zeros may be near enough to few poor estimates, but they are no estimates."""

    def of_a_stranger(m: M, a: M) -> None:
        m["entries"][1]["solver"] = {"name": "guess"}

    (tmp_path / "guess.py").write_text(PLUGIN.replace("return ", "assert not "))
    done = cli("accept", forged(of_a_stranger), site, "--rerun", "--plugin", tmp_path / "guess.py")
    assert done.exit_code == 2
    assert "the share of signals with an estimate is 0.0000 and not 1.0000" in done.stderr
    assert "run again, a solver failed: " in done.stderr


def trials(rng: np.random.Generator, n: int, mean: float, spread: float) -> list[Any]:
    """Draw trials of 25 signals that are recovered or not, whose frames differ by `spread`."""
    shares = np.clip(mean + spread * rng.standard_normal(n), 0, 1)
    return [(rng.random(25) < share).astype(float) for share in shares]


def family(rng: np.random.Generator, n: int, spread: float) -> list[list[Any]]:
    """Draw a recovery curve: nothing, in between with frames that differ, all."""
    means = (0.0, 0.02, 0.2, 0.5, 0.8, 0.98, 1.0, 1.0)
    return [trials(rng, n, mean, spread * 4 * mean * (1 - mean)) for mean in means]


def share_refused(n: int, spread: float, repeats: int) -> float:
    """Return the share of honest solvers, of n trials each, that are refused."""
    rng = np.random.default_rng(n)
    refused = 0
    for _ in range(repeats):
        claimed, again = family(rng, n, spread), family(rng, max(n, LEAST_TRIALS), spread)
        effect = design_effect(again)
        pairs = [*zip(claimed, again, strict=True)]
        many = len(pairs) + 1
        refused += any(compare(*pair, effect, many) for pair in pairs) or bool(
            compare_all(pairs, effect, many)
        )
    return refused / repeats


@pytest.mark.parametrize(("n", "spread"), [(1, 0.0), (2, 0.1), (4, 0.0), (4, 0.2), (10, 0.1)])
def test_an_honest_solver_is_rarely_refused(n: int, spread: float) -> None:
    """The nominal rate is 1 %; it is larger because few trials say little about frames."""
    assert share_refused(n, spread, 300) <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("n", [1, 2, 4, 10])
def test_the_table_of_the_page_on_submissions(n: int, spread: float) -> None:
    """The standard error of a share of 3 % is .4 %."""
    page = (Path(__file__).parents[2] / "docs" / "submissions.rst").read_text("utf-8")
    (row,) = re.findall(rf"(?m)^{n}  +([\d.]+) %  +([\d.]+) %  +([\d.]+) %$", page)
    told = float(row[[0.0, 0.1, 0.2].index(spread)]) / 100
    assert share_refused(n, spread, 1500) == pytest.approx(told, abs=0.015)


@pytest.mark.parametrize("n", [2, 4])
def test_an_honest_solver_is_rarely_refused_on_many_problems_that_share_signals(n: int) -> None:
    """Easy and hard signals are so at all numbers of pools, as for the mean of the training set."""
    rng = np.random.default_rng(n)
    refused = 0
    for _ in range(100):
        pairs = [*zip(shared(rng, n, 30), shared(rng, n, 30), strict=True)]
        effect = design_effect([again for _, again in pairs])
        refused += any(compare(*pair, effect, 31) for pair in pairs) or bool(
            compare_all(pairs, effect, 31)
        )
    assert refused <= 100 * 0.04


def shared(rng: np.random.Generator, n: int, problems: int) -> list[list[Any]]:
    """Draw n trials of 50 signals for each problem, scored the same but for some noise."""
    own = rng.beta(0.7, 0.7, (n, 50))
    return [[*np.clip(own + 0.1 * rng.standard_normal(own.shape), 0, 1)] for _ in range(problems)]


def test_a_solver_that_claims_more_is_found() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 4):
        for _ in range(100):
            again = family(rng, n, 0.1)
            pairs = [([np.ones(25) for _ in range(n)], trials) for trials in again]
            effect = design_effect(again)
            assert compare(*pairs[0], effect, 9) is not None
            assert compare_all(pairs, effect, 9) is not None


def test_what_is_the_same_agrees_and_constant_scores_leave_no_room() -> None:
    ones = [np.ones(5), np.ones(5)]
    assert compare(ones, ones) is None
    assert compare(ones, [np.ones(5) - 1e-7] * 2) is None
    assert "may differ by 0.0000" in str(compare(ones, [np.ones(5) - 1e-3] * 2))
    assert compare([None, None], [None]) is None
    for other in ([None], [None, None], [np.ones(5), None]):  # hard trials cannot be left out
        for pair in ((other, ones), (ones, other)):
            assert "it is unsupported in some trials" in str(compare(*pair))
    assert compare_all([(ones, [np.ones(5), None]), (ones, ones)]) is None


def test_the_tolerance_is_that_of_welchs_test() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(1)
    one, other = rng.random(40), 0.3 + rng.random(25)
    welch = ttest_ind(one, other, equal_var=False)
    low, high = welch.confidence_interval(0.99)
    assert tolerance(one, other) == pytest.approx((high - low) / 2)
    low, high = welch.confidence_interval(1 - 0.01 / 50)
    assert tolerance(one, other, 1.0, 50) == pytest.approx((high - low) / 2)
    assert tolerance(one, other, 4.0) > 2 * tolerance(one, other)  # fewer degrees of freedom


def test_the_design_effect_is_that_of_the_correlation_within_trials() -> None:
    """For n signals a trial with the correlation r it is 1 + (n − 1) r."""
    rng = np.random.default_rng(2)
    n, r = 25, 0.2
    problems = [
        [
            np.sqrt(r) * rng.standard_normal() + np.sqrt(1 - r) * rng.standard_normal(n)
            for _ in range(20)
        ]
        for _ in range(200)
    ]
    assert design_effect(problems) == pytest.approx(1 + (n - 1) * r, rel=0.08)
    assert design_effect([[rng.random(9)], [None, None]]) == 1.0
