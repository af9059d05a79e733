from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import benchbase
from benchbase_paper.baselines import baselines, conditions, projections, rotation_notes
from benchbase_paper.claims import Claims, details
from benchbase_paper.settings import find_settings
from benchbase_paper.statements import claims

Make = Callable[..., pd.DataFrame]
Known = Callable[..., Any]
MNIST: dict[str, Any] = {"dataset": "mnist", "n": 100, "frame": "gaussian"}
GAUSSIAN: dict[str, Any] = {"dataset": "gaussian", "n": 20, "frame": "gaussian"}
SPREAD = np.array([-0.01, 0.0, 0.01, 0.0])
"""What is added to the scores of four trials: a standard error of about .004."""


def trials(
    cell: Make, level: float, label: str, k: int = 130, size: int = 3, **others: Any
) -> pd.DataFrame:
    """Return four trials of `size` signals whose means scatter around a level."""
    scores = np.clip(np.repeat(level + SPREAD, size), 0, 1)
    told = {"trial": np.repeat(range(4), size), "signal": [*range(size)] * 4, "points": size}
    return cell(scores, label, k, **(MNIST | told | others))


class WithSignals:
    """Results that also hold test signals, as those of a store do."""

    def __init__(self, known: Any, signals: np.ndarray[Any, Any]) -> None:
        self._known, self._signals = known, signals
        self.suites, self.rows = known.suites, known.rows

    def signals(self, cell: str) -> np.ndarray[Any, Any]:
        assert cell == "key"
        return self._signals


DIGITS: dict[str, Any] = {
    "dataset": "digits",
    "n": 24,
    "frame": "gaussian",
    "dataset__components": 24,
}


@pytest.fixture(scope="module")
def digits(cell: Make, known: Known) -> Any:
    """Return results on the digits whose test signals are real."""
    dataset = benchbase.build("dataset", {"name": "digits", "components": 24})
    test = dataset.test(20, np.random.default_rng(1))
    labels = {"mean": 0.4, "kNN": 0.8, "altmin": 0.1, "altmin + kNN": 0.9}
    cells = [
        trials(cell, level, label, k, 5, rectified=r, **DIGITS)
        for (label, level), k, r in product(labels.items(), (24, 36, 60), (False, True))
    ]
    return WithSignals(known(*cells, title="A_suite"), test)


def test_projections_are_those_of_a_singular_value_decomposition(digits: Any) -> None:
    (setting,) = find_settings(digits.rows())
    found = projections(digits, setting)
    dataset = benchbase.build("dataset", {"name": "digits", "components": 24})
    training = np.asarray(dataset.train(np.random.default_rng(0)), dtype=float)
    basis = np.linalg.svd(training, full_matrices=False)[2][:10]
    test = np.asarray(digits.signals("key"), dtype=float)
    near = test @ basis.T @ basis
    cosines = (test * near).sum(1) / np.linalg.norm(test, axis=1) / np.linalg.norm(near, axis=1)
    assert [*found] == ["rank 10"]  # the others are no subspaces of 24 dimensions
    assert found["rank 10"][:2] == pytest.approx(((cosines**2).mean(), (cosines**2 > 0.99).mean()))


@pytest.mark.parametrize("spec", [{"dataset__nonsense": 3}, {"dataset__components": 23}])
def test_data_that_are_not_here_are_told(
    cell: Make, known: Known, digits: Any, spec: dict[str, Any]
) -> None:
    rows = trials(cell, 0.5, "altmin", **(DIGITS | spec))
    results: Any = WithSignals(known(rows), digits.signals("key"))
    (setting,) = find_settings(results.rows())
    assert projections(results, setting) == {"rank 10": "data not here"}


def test_nothing_is_downloaded(
    cell: Make, known: Known, digits: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for offline in (None, ""):
        monkeypatch.delenv("BENCHBASE_OFFLINE", raising=False)
        if offline is not None:
            monkeypatch.setenv("BENCHBASE_OFFLINE", offline)
        monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path))
        monkeypatch.delenv("BENCHBASE_DATA", raising=False)
        frame = known(trials(cell, 0.5, "altmin", dataset__components=100)).rows()
        (setting,) = find_settings(frame)
        assert {*projections(digits, setting).values()} == {"data not here"}
        assert os.environ.get("BENCHBASE_OFFLINE") == offline


def test_without_training_signals_there_is_no_projection(
    cell: Make, known: Known, digits: Any
) -> None:
    frame = known(trials(cell, 0.5, "altmin", dataset__n=20, **GAUSSIAN)).rows()
    assert projections(digits, find_settings(frame)[0]) == {}


def test_baselines_stand_at_the_number_of_pools_of_the_paper(digits: Any) -> None:
    table = baselines(digits, find_settings(digits.rows()))
    assert [*table["pools"]] == [36, 36]  # 1.3 · 24 = 31
    assert [*table["problem"]] == [
        "(b) digits, n = 24, random frames, ℓ2",
        "(b) digits, n = 24, random frames, rectified ℓ2",
    ]
    labels = ["mean", "kNN", "altmin", "altmin + kNN"]
    assert [*table.columns] == ["problem", "pools", *labels, "rank 10"]
    assert [table[label][0][0] for label in labels] == pytest.approx([0.4, 0.8, 0.1, 0.9])


def test_condition_numbers_are_means_over_frames(cell: Make, join: Make) -> None:
    rows = join(
        trials(cell, 0.5, "altmin", 60, condition=np.repeat([1.0, 2.0, 3.0, 6.0], 3)),
        trials(cell, 0.5, "kNN", 60, condition=np.repeat([1.0, 2.0, 3.0, 6.0], 3)),
        trials(cell, 0.5, "altmin", 9, condition=np.nan),
    )
    table = conditions(find_settings(rows))
    assert table.loc["(b) MNIST, n = 100, random frames"].to_dict() == {60: 3.0}


def test_rotation_invariance_is_noted_and_measured_if_it_can_be(cell: Make, join: Make) -> None:
    mine = trials(cell, 0.5, "altmin")
    (note,) = rotation_notes(find_settings(join(mine)))
    assert note.startswith("(b):")
    assert "measured" not in note
    twin = trials(cell, 0.52, "altmin", **(GAUSSIAN | {"n": 100}))
    (note,) = rotation_notes(find_settings(join(mine, twin)))
    assert "measured: -0.020 from these" in note
    assert rotation_notes(find_settings(join(mine.assign(frame="ksvd")))) == []


@pytest.fixture(scope="module")
def written(digits: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    files = Claims().write(digits, tmp_path_factory.mktemp("claims"))
    return {file.name: file.read_text(encoding="utf-8") for file in files}


def cells_of(line: str) -> Sequence[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_csv_files_hold_all_numbers(written: dict[str, str]) -> None:
    rows = [*csv.DictReader(io.StringIO(written["claims.csv"]))]
    assert len(rows) == 17
    (row,) = (row for row in rows if "half rectification" in row["claim"])
    assert row["agrees"] == "no"  # the two are the same here
    assert float(row["measured"]) == 0
    assert (row["trials"], row["signals"]) == ("4.0", "60.0")
    assert row["pools"] == "24 36 60"
    parts = [*csv.DictReader(io.StringIO(written["claims-settings.csv"]))]
    assert {part["claim"] for part in parts} <= {row["claim"] for row in rows}
    trivial = [*csv.DictReader(io.StringIO(written["claims-baselines.csv"]))]
    assert float(trivial[0]["kNN"]) == pytest.approx(0.8)
    assert 0 < float(trivial[0]["rank 10"]) < 1
    assert float(trivial[0]["kNN, exact"]) == 0


def test_the_markdown_tables_are_whole(written: dict[str, str]) -> None:
    lines = written["claims.md"].splitlines()
    assert lines[0] == r"# A\_suite: the paper's claims"
    tables = re.findall(r"(?:^\|.*\n)+", written["claims.md"], re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({len(cells_of(line)) for line in table.splitlines()}) == 1
    verdicts = [cells_of(line)[-1] for line in tables[0].splitlines()[2:]]
    assert len(verdicts) == 17
    assert {"not measured", "no; (a) (d) not run"} <= {*verdicts}
    text = " ".join(written["claims.md"].split())
    for told in ("`benchbase run supplement`", "1 − .05/m", "rotation invariant", "rank d"):
        assert told in text


def test_latex_escapes_and_balances(written: dict[str, str]) -> None:
    text = written["claims.tex"]
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert r"A\_suite" in text
    assert "ℓ" not in text
    assert "−" not in text


def test_the_terminal_shows_what_was_measured_and_what_to_run(digits: Any) -> None:
    stream = io.StringIO()
    Claims().show(digits, Console(file=stream, width=100))
    text = " ".join(stream.getvalue().split())
    assert "no; (a)" in text
    assert "Not measured: 15 of 17 claims, which need benchbase run supplement" in text
    assert all(len(line) <= 100 for line in stream.getvalue().splitlines())


def test_details_name_setting_pools_and_sample(cell: Make, join: Make) -> None:
    found = claims(find_settings(join(trials(cell, 0.5, "PhaseLift"))))
    text = "\n".join(map(details, found))
    assert "(b) MNIST, n = 100, ℓ2, K=130; 4 trials, 12 signals" in text
    assert "converged on 12 of 12" in text


@pytest.mark.parametrize("others", [{"dataset": "music"}, {"label": "RRR"}, {"status": "pending"}])
def test_nothing_is_written_or_shown_for_other_suites(
    cell: Make, known: Known, tmp_path: Path, others: dict[str, Any]
) -> None:
    rows = [trials(cell, 0.5, "altmin", rectified=r).assign(**others) for r in (False, True)]
    results, stream = known(*rows), io.StringIO()
    assert Claims().write(results, tmp_path) == []
    assert not any(tmp_path.iterdir())
    Claims().show(results, Console(file=stream))
    assert not stream.getvalue()
