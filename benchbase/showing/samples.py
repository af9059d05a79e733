"""Whether solvers were tried on samples of the same size, and so which of them may lead.

A solver that ran on the first few signals only, or whose run was interrupted, may have met the easy
ones. It is shown with a mark and never called the best. Neither is one without any estimate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

REDUCED = "†"
"""The mark after the name of a solver whose sample is smaller than another's."""

_SIZES = ("signals", "trials")


def reduced(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series[bool]:
    """Return which rows come from fewer signals or trials than another row of their group.

    Parameters
    ----------
    table : pandas.DataFrame
        Statistics with the column ``signals``, and ``trials`` if it is known.
    columns : sequence of str
        The columns that tell groups apart; without any, all rows are one group.
    """
    fewer = table["signals"] < 0
    for size in _known(table):
        fewer |= table[size] < _most(table, columns, size)
    return (fewer & (table["signals"] > 0)).astype(bool)


def may_lead(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows may be the best: those of a full sample, with at least one estimate.

    Parameters
    ----------
    table : pandas.DataFrame
        Statistics with the columns ``signals``, ``failed`` and ``reduced``.
    """
    return (~table["reduced"] & (table["signals"] > table["failed"])).astype(bool)


def sample_texts(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return how small each row's sample is: "5 of 20 signals", or "" if it is not `reduced`.

    Parameters
    ----------
    table : pandas.DataFrame
        As for `reduced`, with the column ``reduced`` that it gave for the same columns.
    columns : sequence of str
        The columns that tell groups apart.
    """
    found = [""] * len(table)
    if not table["reduced"].any():
        return found
    for size in reversed(_known(table)):  # signals are told if there are fewer of both
        most = _most(table, columns, size)
        pairs = zip(table["signals"], table[size], most, strict=True)
        for place, (signals, own, others) in enumerate(pairs):
            if signals > 0 and own < others:
                found[place] = f"{own} of {others} {size}"
    return found


def sample_notes(
    names: Sequence[str], texts: Sequence[str], places: Sequence[str]
) -> Iterator[str]:
    """Yield sentences on the small samples of solvers, one for each size, without their full stops.

    Parameters
    ----------
    names : sequence of str
        The name of each row's solver.
    texts : sequence of str
        From `sample_texts`.
    places : sequence of str
        Where each row is, such as "20" for K = 20; all "" if that goes without saying.
    """
    said: dict[str, dict[str, list[str]]] = {}
    for name, text, place in zip(names, texts, places, strict=True):
        if text:
            said.setdefault(text, {}).setdefault(name, []).append(place)
    for text, solvers in said.items():
        pools = {name: ", ".join(filter(None, places)) for name, places in solvers.items()}
        each = "; ".join(f"{name} at K={k}" if k else name for name, k in pools.items())
        yield f"{REDUCED}, only {text}: {each}"


def mark_meaning(names: Iterable[str]) -> str | None:
    """Return what the mark of small samples means, as a legend's title; None if no name has it."""
    return f"{REDUCED}: fewer signals" if any(REDUCED in name for name in names) else None


def _known(table: pd.DataFrame) -> list[str]:
    return [size for size in _SIZES if size in table]


def _most(table: pd.DataFrame, columns: Sequence[str], size: str) -> Any:
    if not columns:
        return table[size].where(table[size] < 0, table[size].max())
    return table.groupby([*columns], dropna=False, sort=False)[size].transform("max")
