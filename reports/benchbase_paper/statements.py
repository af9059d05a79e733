"""The sentences of the paper's section 3 about results, and the statistic of each.

Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014. Numbers of the
paper are mean squared cosines of linear ℓ2 pooling, and are compared with the same here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from typing import TYPE_CHECKING

from benchbase.showing import EXACT, lp_name
from benchbase_paper.settings import (
    BOTH,
    CUT,
    LIFT,
    NEAREST,
    RANDOM,
    Setting,
    on_sphere,
    plain_label,
)
from benchbase_paper.verdicts import Claim, Part, difference, mean, scored

if TYPE_CHECKING:
    import pandas as pd

ALIKE = 0.05
"""Means over K that differ by less than this are alike; so are a value and the paper's."""

NO_BENEFIT = 0.01
"""A gain below this in a mean over K is no benefit."""

INFINITE = float("inf")

_FIGURE = "benchbase run figure1"
_SUPPLEMENT = "benchbase run supplement"
_VARIANTS = (False, True)
_CONSTRAINTS = {
    "": (RANDOM, RANDOM, "learned ones with the unit-norm constraint, as in the figure"),
    "both with the constraint": (RANDOM, f"{RANDOM}, sphere", "unit norm in both"),
    "both without it": (f"{RANDOM}, no sphere", RANDOM, "unit norm in neither"),
}
"""The labels that are compared with learned and with random frames, and words for them."""


def claims(settings: list[Setting]) -> list[Claim]:
    """Return all claims, in the order of the paper.

    Parameters
    ----------
    settings : list of Setting
        From `find_settings`.
    """
    makers: list[Callable[[list[Setting]], Claim]] = [
        _sphere_on_random_frames,
        _exact_on_mnist,
        partial(_value, letter="b", label=LIFT, k=130, paper=0.48, run=_SUPPLEMENT),
        partial(_value, letter="d", label=BOTH, k=330, paper=0.97, run="benchbase run figure1d"),
        partial(_value, letter="d", label=LIFT, k=330, paper=0.39, run=_SUPPLEMENT),
        _lift_on_gaussian,
        _cut_before_lift,
        _rectified_is_easier,
        _norms_are_alike,
        _good_start,
        *(
            partial(_adapted_is_easier, rectified=rectified, constraint=constraint)
            for rectified in _VARIANTS
            for constraint in _CONSTRAINTS
        ),
        _linear_beats_rectified,
    ]
    return [make(settings) for make in makers]


def _sphere_on_random_frames(settings: list[Setting]) -> Claim:
    def parts() -> Iterator[Part | None]:
        for setting in settings:
            if setting.learned:
                continue
            sphere = on_sphere(setting.rows)
            starts = setting.rows["label"].map(plain_label)
            for start, rectified, p in product((RANDOM, BOTH), _VARIANTS, setting.norms):
                rows = setting.rows
                same = (starts == start) & (rows["p"] == p) & (rows["rectified"] == rectified)
                name = f"{_name(setting, p, rectified)}, {start}"
                with_it, without = scored(rows[same & sphere]), scored(rows[same & ~sphere])
                yield difference(name, with_it, without)

    return Claim(
        section="3.1.1",
        sentence="On random frames the unit-norm constraint gives no benefit",
        paper="",
        statistic="with − without the sphere, mean over K",
        holds=(-INFINITE, NO_BENEFIT),
        parts=_found(parts()),
        run=_SUPPLEMENT,
    )


def _exact_on_mnist(settings: list[Setting]) -> Claim:
    parts, notes = [], []
    for setting in _mnist(settings):
        rows = scored(setting.select(BOTH, k=130))
        parts.append(mean(_name(setting, 2.0), rows))
        exact = mean("", rows, "exact")
        if exact:
            share = f"{exact.estimate:.3f}".removeprefix("0")
            notes.append(f"a share of {share} of the signals is above {_short(EXACT)}")
    return Claim(
        section="3.2",
        sentence="MNIST, random frames: altmin from nearest neighbours is exact by 130 pools",
        paper="exact",
        statistic=f"mean at K=130; exact: above {_short(EXACT)}",
        holds=(EXACT, INFINITE),
        parts=_found(parts),
        run="benchbase run figure1b",
        signed=False,
        notes=tuple(notes),
    )


def _value(
    settings: list[Setting], *, letter: str, label: str, k: int, paper: float, run: str
) -> Claim:
    """Compare the mean of a solver at a number of pools with the paper's value."""
    data = "MNIST" if letter == "b" else "Patches"
    these = _mnist(settings) if letter == "b" else _patches(settings)
    found = [(s, *_usable(s, label, k)) for s in these]
    solver = "altmin from nearest neighbours" if label == BOTH else label
    return Claim(
        section="3.2",
        sentence=f"{data}, random frames: {solver} reaches {_short(paper)} at {k} pools",
        paper=_short(paper),
        statistic=f"mean at K={k}; agrees: within {_short(ALIKE)}",
        holds=(paper - ALIKE, paper + ALIKE),
        parts=_found(mean(_name(setting, 2.0), rows) for setting, rows, _ in found),
        run=run,
        signed=False,
        notes=_unique(note for *_, note in found),
    )


def _lift_on_gaussian(settings: list[Setting]) -> Claim:
    parts, notes = [], []
    for setting in (s for s in settings if s.letter == "a"):
        rows, note = _usable(setting, LIFT)
        parts.append(difference(_name(setting, 2.0), rows, scored(setting.select(RANDOM))))
        notes.append(note)
    return Claim(
        section="3.2",
        sentence="On Gaussian data PhaseLift outperforms altmin",
        paper="",
        statistic="PhaseLift − altmin from a random start, mean over K",
        holds=(0, INFINITE),
        parts=_found(parts),
        run=_SUPPLEMENT,
        notes=_unique(notes),
    )


def _cut_before_lift(settings: list[Setting]) -> Claim:
    parts, notes = [], []
    for setting in _random(settings):
        (cut, of_cut), (lift, of_lift) = _usable(setting, CUT), _usable(setting, LIFT)
        parts.append(difference(_name(setting, 2.0), cut, lift))
        notes += [of_cut, of_lift]
    found = _found(parts)
    return Claim(
        section="3.2",
        sentence="PhaseCut does better than PhaseLift on all data sets",
        paper="",
        statistic="PhaseCut − PhaseLift, mean over K",
        holds=(0, INFINITE),
        parts=found,
        run=_SUPPLEMENT,
        notes=_unique(notes),
        missing=_missing("abd", found),
    )


def _rectified_is_easier(settings: list[Setting]) -> Claim:
    parts = _found(
        difference(
            _name(setting, p),
            scored(setting.select(RANDOM, p, rectified=True)),
            scored(setting.select(RANDOM, p)),
        )
        for setting in _random(settings)
        for p in setting.norms
    )
    return Claim(
        section="3.3",
        sentence="From random starts, with random frames, half rectification makes recovery easier "
        "on every data set",
        paper="",
        statistic="rectified − linear, altmin, mean over K",
        holds=(0, INFINITE),
        parts=parts,
        run=_FIGURE,
        missing=_missing("abd", parts),
    )


def _norms_are_alike(settings: list[Setting]) -> Claim:
    def parts() -> Iterator[Part | None]:
        for setting in settings:
            for label, rectified in product((RANDOM, BOTH), _VARIANTS):
                for p, q in combinations(setting.norms, 2):
                    first, second = (
                        scored(setting.select(label, each, rectified)) for each in (p, q)
                    )
                    variant = "rectified" if rectified else "linear"
                    pair = f"{lp_name(p)} − {lp_name(q)}"
                    name = f"({setting.letter}) {setting.name}, {pair}, {variant}, {label}"
                    yield difference(name, first, second)

    found = _found(parts())
    return Claim(
        section="3.3",
        sentence="ℓ1, ℓ2 and ℓ∞ are about equally hard to invert",
        paper="",
        statistic=f"difference of two norms, mean over K; alike: within {_short(ALIKE)}",
        holds=(-ALIKE, ALIKE),
        parts=found,
        run=_FIGURE,
        missing=_missing("abcde", found),
    )


def _good_start(settings: list[Setting]) -> Claim:
    parts, notes = [], []
    for setting in _random(settings):
        for relaxation in (LIFT, CUT):
            rows, note = _usable(setting, relaxation)
            name = f"{_name(setting, 2.0)}, {relaxation}"
            parts.append(difference(name, scored(setting.select(BOTH)), rows))
            notes.append(note)
    found = _found(parts)
    return Claim(
        section="3.3",
        sentence="With a good start, altmin beats the convex relaxations",
        paper="",
        statistic="altmin from nearest neighbours − PhaseLift, − PhaseCut, mean over K",
        holds=(0, INFINITE),
        parts=found,
        run=_SUPPLEMENT,
        notes=_unique(notes),
        missing=_missing("bd", found),
    )


def _adapted_is_easier(settings: list[Setting], *, rectified: bool, constraint: str) -> Claim:
    of_learned, of_random, words = _CONSTRAINTS[constraint]

    def parts() -> Iterator[Part | None]:
        for learned, random in product((s for s in settings if s.learned), _random(settings)):
            if learned.signals == random.signals:
                for p in learned.norms:
                    first = scored(learned.select(of_learned, p, rectified))
                    second = scored(random.select(of_random, p, rectified))
                    yield difference(_name(learned, p, rectified), first, second)

    found = _found(parts())
    variant = _variant(rectified) + (f", {constraint}" if constraint else "")
    return Claim(
        section="3.3",
        sentence=f"Adapted frames are easier than random ones ({variant})",
        paper="",
        statistic=f"learned − random frames, altmin from a random start, {words}, mean over K",
        holds=(0, INFINITE),
        parts=found,
        run="benchbase run paper",
        missing=_missing("ce", found),
    )


def _linear_beats_rectified(settings: list[Setting]) -> Claim:
    found = []
    for setting, p in ((s, p) for s in settings for p in s.norms):
        linear, rectified = (scored(setting.select(BOTH, p, variant)) for variant in _VARIANTS)
        part = difference(_name(setting, p), linear, rectified)
        if part:
            found.append((part, linear, rectified, scored(setting.select(NEAREST, p, True))))
    claim = Claim(
        section="3.3",
        sentence="From nearest neighbours, linear pooling can be easier than rectified",
        paper="",
        statistic="linear − rectified, altmin from nearest neighbours, mean over K",
        holds=(0, INFINITE),
        parts=tuple(part for part, *_ in found),
        run=_FIGURE,
        of="some",
    )
    notes = tuple(_where_ahead(*rows) for part, *rows in found if part == claim.shown)
    return replace(claim, notes=notes)


def _where_ahead(linear: pd.DataFrame, rectified: pd.DataFrame, raw: pd.DataFrame) -> str:
    """Say at which K linear is ahead, and at which rectified altmin is worse than its start."""
    curves = (rows.groupby("n_pools")["score"].mean() for rows in (linear, rectified, raw))
    first, second, start = curves
    sentences = [
        f"linear is ahead by more than {_short(NO_BENEFIT)} at K={_listed(first - second)}",
        f"rectified altmin is worse than its start at K={_listed(start - second)}",
    ]
    return "there, " + " and ".join(sentences[: 2 if len(raw) else 1])


def _listed(gains: pd.Series[float]) -> str:
    return ", ".join(str(k) for k, gain in gains.items() if gain > NO_BENEFIT) or "none"


def _usable(setting: Setting, label: str, k: int | None = None) -> tuple[pd.DataFrame, str]:
    """Return scored linear ℓ2 rows (of a relaxation those that converged) and how many did."""
    rows = setting.select(label, k=k)
    if label not in (LIFT, CUT):
        return scored(rows), ""
    ran = rows[~rows["status"].isin(["pending", "unsupported"])]
    kept = ran[(ran["status"] == "done") & ran["converged"].astype("boolean").fillna(False)]
    if ran.empty:
        return scored(kept), ""
    of = f"{label} converged on {len(kept)} of {len(ran)} signals"
    rest = "; the rest is left out" if len(kept) < len(ran) else ""
    return scored(kept), f"({setting.letter}) {setting.name}: {of}{rest}"


def _mnist(settings: list[Setting]) -> list[Setting]:
    """Return the settings that are exactly the paper's, so that numbers of pools compare."""
    return [s for s in _random(settings) if s.dataset == "mnist" and s.n == 100]


def _patches(settings: list[Setting]) -> list[Setting]:
    """Return the settings of 16×16 patches of many photographs with random frames."""
    found = (s for s in _random(settings) if s.dataset == "patches" and s.n == 256)
    return [s for s in found if s.parameters.get("dataset.source") != "photographs"]


def _random(settings: list[Setting]) -> list[Setting]:
    return [s for s in settings if not s.learned]


def _name(setting: Setting, p: float, rectified: bool = False) -> str:
    return f"({setting.letter}) {setting.name}, {'rectified ' if rectified else ''}{lp_name(p)}"


def _variant(rectified: bool) -> str:
    return "rectified" if rectified else "linear"


def _missing(letters: str, parts: tuple[Part, ...]) -> tuple[str, ...]:
    """Return the rows of the figure that a claim is about but that have no part, if others have."""
    there = {part.name[1] for part in parts}
    return tuple(f"({letter})" for letter in letters if parts and letter not in there)


def _found(parts: Iterable[Part | None]) -> tuple[Part, ...]:
    return tuple(part for part in parts if part is not None)


def _unique(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for note in notes if note))


def _short(value: float) -> str:
    return f"{value:g}".removeprefix("0")
