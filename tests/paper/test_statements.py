from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchbase_paper.settings import find_settings
from benchbase_paper.statements import claims
from benchbase_paper.verdicts import Claim

Make = Callable[..., pd.DataFrame]
INF = float("inf")
MNIST: dict[str, Any] = {"dataset": "mnist", "n": 100, "frame": "gaussian"}
GAUSSIAN: dict[str, Any] = {"dataset": "gaussian", "n": 20, "frame": "gaussian"}
PATCHES: dict[str, Any] = {
    "dataset": "patches",
    "n": 256,
    "frame": "gaussian",
    "dataset__source": "bsds500",
}
SPREAD = np.array([-0.01, 0.0, 0.01, 0.0])
"""What is added to the scores of four trials: a standard error of about .004."""


def trials(
    cell: Make, level: float, label: str, k: int = 130, size: int = 3, **others: Any
) -> pd.DataFrame:
    """Return four trials of `size` signals whose means scatter around a level."""
    scores = np.clip(np.repeat(level + SPREAD, size), 0, 1)
    told = {"trial": np.repeat(range(4), size), "signal": [*range(size)] * 4, "points": size}
    return cell(scores, label, k, **(MNIST | told | others))


def about(found: list[Claim], words: str) -> Claim:
    (claim,) = (claim for claim in found if words in claim.sentence)
    return claim


def made(frame: pd.DataFrame) -> list[Claim]:
    return claims(find_settings(frame))


def test_settings_are_told_by_data_set_and_frame(cell: Make, join: Make) -> None:
    kinds = [
        PATCHES | {"frame": "ksvd"},
        {"dataset": "digits", "n": 24, "frame": "gaussian"},
        GAUSSIAN,
        GAUSSIAN | {"n": 40},
        {"dataset": "music", "n": 8, "frame": "gaussian"},
        GAUSSIAN | {"n": 41, "frame": "ksvd"},
        GAUSSIAN | {"n": 42, "pooling__threshold": 0.5},
        GAUSSIAN | {"n": 43, "pooling": "maxout"},
        GAUSSIAN | {"n": 44, "p": 3.0},
    ]
    found = find_settings(join(*(cell([0.5], **kind) for kind in kinds)))
    assert [setting.title for setting in found] == [
        "(a) Gaussian vectors, n = 40, random frames",
        "(a) Gaussian vectors, n = 20, random frames",
        "(b) digits, n = 24, random frames",
        "(e) patches of bsds500, n = 256, learned frames",
    ]


def test_an_experiment_held_twice_counts_once_and_parameters_tell_apart(
    cell: Make, join: Make
) -> None:
    first = trials(cell, 0.5, "altmin", experiment="figure1b", dataset__centred=False)
    again = first.assign(experiment="supplement")
    centred = trials(cell, 0.6, "altmin", dataset__centred=True)
    found = find_settings(join(first, again, centred))
    names = ["MNIST, n = 100, centred = False", "MNIST, n = 100, centred = True"]
    assert [setting.name for setting in found] == names
    assert [len(setting.rows) for setting in found] == [12, 12]


def test_without_results_nothing_is_measured_and_all_say_what_to_run(join: Make) -> None:
    found = claims([])
    assert {each.verdict for each in found} == {"not measured"}
    assert all(each.run.startswith("benchbase run ") for each in found)
    assert len({each.sentence for each in found}) == len(found) == 17


@pytest.mark.parametrize(
    ("gain", "expected"), [(0.2, "yes"), (-0.2, "no"), (0.001, "undecided"), (None, "not measured")]
)
def test_rectification(cell: Make, join: Make, gain: float | None, expected: str) -> None:
    cells = [trials(cell, 0.5, "altmin", p=p) for p in (1.0, 2.0)]
    if gain is not None:
        noise = np.repeat(SPREAD[::-1] * 3, 3)
        for p in (1.0, 2.0):
            rows = trials(cell, 0.5 + gain, "altmin", p=p, rectified=True)
            cells.append(rows.assign(squared_cosine=rows["squared_cosine"] + noise))
    found = about(made(join(*cells)), "half rectification")
    assert found.verdict == expected
    assert found.missing == (() if gain is None else ("(a)", "(d)"))


@pytest.mark.parametrize(("level", "expected"), [(0.5, "yes"), (0.9, "no"), (0.525, "undecided")])
def test_values_of_the_paper(cell: Make, join: Make, level: float, expected: str) -> None:
    found = about(made(join(trials(cell, level, "PhaseLift"))), "PhaseLift reaches .48")
    assert (found.paper, found.verdict) == (".48", expected)


def test_exact_by_130(cell: Make, join: Make) -> None:
    rows = trials(cell, 1.0, "altmin + kNN")
    for level, expected in ((0.999, "yes"), (0.985, "no"), (0.9901, "undecided")):
        frame = join(rows.assign(squared_cosine=level + np.repeat(SPREAD, 3) / 100))
        assert about(made(frame), "exact by 130").verdict == expected
    digits = join(rows.assign(dataset="digits"))
    assert about(made(digits), "exact by 130").verdict == "not measured"


def test_relaxations_count_only_where_they_converged(cell: Make, join: Make) -> None:
    lift = trials(cell, 0.48, "PhaseLift")
    stopped = lift["signal"] == 0
    lift = lift.assign(
        converged=(~stopped).astype("boolean"),
        squared_cosine=lift["squared_cosine"].where(~stopped, 0.0),
    )
    found = about(made(join(lift)), "PhaseLift reaches .48")
    assert found.parts[0].estimate == pytest.approx(0.48)
    assert found.parts[0].signals == 8
    assert "PhaseLift converged on 8 of 12 signals" in found.notes[0]
    unknown = lift.assign(converged=pd.array([pd.NA] * len(lift), dtype="boolean"))
    never = about(made(join(unknown)), "PhaseLift reaches .48")
    assert (never.verdict, never.none_converged, never.parts) == ("undecided", True, ())


def test_a_good_start_meets_relaxations_on_their_signals(cell: Make, join: Make) -> None:
    cells = [trials(cell, 0.9, "altmin + kNN", size=5), trials(cell, 0.5, "PhaseLift")]
    found = about(made(join(*cells)), "With a good start")
    assert found.verdict == "yes"
    assert [(p.name, p.signals) for p in found.parts] == [("(b) MNIST, n = 100, ℓ2, PhaseLift", 12)]
    assert found.missing == ("(d)",)
    assert about(made(join(*cells)), "PhaseCut does better").verdict == "not measured"


def test_phaselift_on_gaussian_vectors_and_phasecut(cell: Make, join: Make) -> None:
    cells = [
        trials(cell, level, label, 40, **GAUSSIAN)
        for label, level in (("altmin", 0.5), ("PhaseLift", 0.8), ("PhaseCut", 0.6))
    ]
    found = made(join(*cells))
    assert about(found, "On Gaussian data").verdict == "yes"
    assert about(found, "PhaseCut does better").verdict == "no"


def test_norms_alike_within_a_margin(cell: Make, join: Make) -> None:
    for gap, expected in ((0.01, "yes"), (0.2, "no"), (0.05, "undecided")):
        cells = [
            trials(cell, 0.5, "altmin", p=1.0),
            trials(cell, 0.5 + gap, "altmin", p=INF).assign(
                squared_cosine=0.5 + gap + np.repeat(SPREAD[::-1], 3)
            ),
        ]
        found = about(made(join(*cells)), "equally hard")
        assert found.verdict == expected
        assert [p.name for p in found.parts] == ["(b) MNIST, n = 100, ℓ1 − ℓ∞, linear, altmin"]


def test_adapted_frames_meet_random_ones_of_the_same_data(cell: Make, join: Make) -> None:
    learned = trials(cell, 0.9, "altmin", frame="ksvd", dataset__normalise=True)
    other = trials(cell, 0.2, "altmin", **(PATCHES | {"k": 130}))
    random = trials(cell, 0.3, "altmin", dataset__normalise=False)
    assert not about(made(join(learned, other)), "random ones (linear)").parts
    found = made(join(learned, other, random))
    linear = about(found, "random ones (linear)")
    assert linear.verdict == "yes"
    assert linear.parts[0].estimate == pytest.approx(0.6)
    assert about(found, "random ones (rectified)").verdict == "not measured"


def test_adapted_frames_are_also_compared_like_for_like(cell: Make, join: Make) -> None:
    """In the figure, learned frames alone have the unit-norm constraint."""
    learned = [
        trials(cell, level, label, frame="ksvd", dataset__normalise=True)
        for label, level in (("altmin", 0.9), ("altmin, no sphere", 0.1))
    ]
    random = [
        trials(cell, 0.3, "altmin", dataset__normalise=False),
        trials(cell, 0.5, "altmin, sphere", dataset__normalise=True),
    ]
    found = made(join(*learned, *random))
    gains = {"": 0.6, ", both with the constraint": 0.4, ", both without it": -0.2}
    for variant, gain in gains.items():
        (part,) = about(found, f"random ones (linear{variant})").parts
        assert part.estimate == pytest.approx(gain)
    split = [rows.assign(**{"dataset.split": "random"}) for rows in random]
    images = [rows.assign(**{"dataset.split": "image"}) for rows in learned]
    assert not about(made(join(*images, *split)), "random ones (linear)").parts


def test_patches_of_the_paper_are_16_by_16_and_of_many_photographs(cell: Make, join: Make) -> None:
    def verdict(**changes: Any) -> str:
        facts = PATCHES | {"k": 330, "dataset__source": "bsds500"} | changes
        return about(made(join(trials(cell, 0.97, "altmin + kNN", **facts))), ".97").verdict

    assert verdict() == "yes"
    assert verdict(n=64) == "not measured"
    assert verdict(dataset__source="photographs") == "not measured"


def test_the_sphere_on_random_frames_is_told_by_the_parameter(cell: Make, join: Make) -> None:
    sphere = {"solver__solver__sphere": True}
    plain = {"solver__solver__sphere": False}
    for gain, expected in ((0.0, "yes"), (0.1, "no"), (-0.1, "yes")):
        with_it = trials(cell, 0.5 + gain, "altmin", **sphere)
        without = trials(cell, 0.5, "altmin, no sphere", **plain)
        words = "unit-norm constraint"
        assert about(made(join(with_it, without)), words).verdict == expected
        learned = join(with_it.assign(frame="ksvd"), without.assign(frame="ksvd"))
        assert about(made(learned), words).verdict == "not measured"


def test_linear_can_be_easier_in_one_setting_of_many(cell: Make, join: Make) -> None:
    cells = [
        trials(cell, level, label, k, p=p, rectified=rectified)
        for p, gap in ((1.0, -0.1), (2.0, 0.2))
        for label, rectified, level in (
            ("altmin + kNN", False, 0.7 + gap),
            ("altmin + kNN", True, 0.7),
            ("kNN", True, 0.75),
        )
        for k in (60, 130)
    ]
    found = about(made(join(*cells)), "linear pooling can be easier")
    assert found.verdict == "yes"
    assert found.shown is not None
    assert found.shown.name.endswith("ℓ2")
    (note,) = found.notes
    assert "linear is ahead by more than .01 at K=60, 130" in note
    assert "worse than its start at K=60, 130" in note
