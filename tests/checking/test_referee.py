"""Problems rebuilt from plain data: the same as those that were run, scored the same."""

from pathlib import Path

import numpy as np
import pytest

import benchbase
from benchbase import Referee, SpecError, SuiteError, problem_facts, read_records
from benchbase.checking.referee import LEAST_TRIALS

SUITE = """\
title = "Refereed"
seed = 3
points = 4
trials = 2
report = []
frame = { name = "gaussian" }
[grid]
frame.n_pools = [8, 20]
dataset = [{ name = "digits", components = 8 }, { name = "gaussian", n = 6 }]
pooling = [{ name = "lp", p = 2 }, { name = "lp", p = 2, rectified = true }]
[[solver]]
name = "altmin"
n_iter = 5
[[solver]]
name = "knn"
points = 2
[[solver]]
name = "phasecut"
"""


@pytest.fixture
def run(tmp_path: Path, fresh_registry: object) -> benchbase.SuiteRunRecord:
    (tmp_path / "suite.toml").write_text(SUITE)
    return read_records(benchbase.run(tmp_path / "suite.toml", jobs=0))[0]


def test_what_was_run_scores_the_same(run: benchbase.SuiteRunRecord) -> None:
    suite = run.described()
    referee = Referee(suite)
    problems = suite["experiments"][0]["problems"]
    compared = 0
    for cell in run.cells:
        place = (0, problems.index(problem_facts(cell.facts)), cell.facts["trial"])
        points = cell.facts["points"]
        if cell.signals is not None:
            np.testing.assert_allclose(referee.truth(*place)[:points], cell.signals)
        for chunk in cell.chunks:
            if chunk["status"] == "done":
                again = referee.score(*place, cell.estimates)[:, chunk["start"] : chunk["stop"]]
                np.testing.assert_allclose(again, chunk["scores"][:3], atol=1e-12)
                assert referee.checksum(*place, points) == pytest.approx(chunk["checksum"])
                compared += 1
    assert compared > 20
    assert [referee.facts(0, i) for i in range(len(problems))] == problems


def test_an_estimate_that_is_not_finite_has_no_score(run: benchbase.SuiteRunRecord) -> None:
    referee = Referee(run.described())
    x = referee.truth(0, 0, 0)
    x = np.where(np.arange(4)[:, None] == 1, np.nan, x)
    scores = referee.score(0, 0, 0, x)
    assert np.isnan(scores[:, 1]).all()
    np.testing.assert_allclose(scores[0, [0, 2, 3]], 1.0)


def test_a_solver_is_asked_whether_it_applies(run: benchbase.SuiteRunRecord) -> None:
    referee = Referee(run.described())
    refused = [i for i in range(8) if referee.unsupported(0, i, {"name": "phasecut"}) is not None]
    stored = {
        run.described()["experiments"][0]["problems"].index(problem_facts(cell.facts))
        for cell in run.cells
        if cell.label == "phasecut" and cell.chunks[0]["status"] == "unsupported"
    }
    assert set(refused) == stored
    assert 0 < len(refused) < 8
    with pytest.raises(SpecError, match="no solver named 'nobody'"):
        referee.unsupported(0, 0, {"name": "nobody"})


def test_it_runs_solvers_on_another_seed(run: benchbase.SuiteRunRecord) -> None:
    referee = Referee(run.described())
    entries = [(0, i, {"name": name}, 4, 2) for i in (0, 7) for name in ("knn", "phasecut")]
    found = referee.run_again(entries, 11, jobs=2)
    refused = [each[0] is None for each in found]
    assert refused == [referee.unsupported(*entry[:3]) is not None for entry in entries]
    assert len(found[0]) == LEAST_TRIALS
    trials = [trial for each in found for trial in each if trial is not None]
    assert all(
        trial.shape == (4,) and (trial >= 0).all() and (trial <= 1).all() for trial in trials
    )
    same = referee.run_again(entries[:1], 3, jobs=1)[0][0]
    stored = next(
        c
        for c in run.cells
        if c.label == "knn"
        and problem_facts(c.facts) == run.described()["experiments"][0]["problems"][0]
    )
    assert same is not None
    np.testing.assert_array_equal(same[:2], stored.chunks[0]["scores"][0])


def test_an_installed_suite_is_described_as_its_runs_are(tmp_path: Path) -> None:
    referee = Referee.of_installed("quick")
    results = benchbase.run("quick", results=tmp_path, solvers="mean")
    assert read_records(results)[0].described() == referee.suite
    spec, points = Referee.entries_of_installed("quick")["", "kNN"]
    assert (spec["name"], spec["q"], points) == ("knn", 10, 25)
    assert Referee.entries_of_installed("nothing") == {}
    with pytest.raises(SuiteError, match="no suite named 'nothing' is installed"):
        Referee.of_installed("nothing")
