"""Pictures of recovered signals beside the originals: the best, the median and the worst."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import benchbase
from benchbase import Array
from benchbase.showing import component_of, latest, problem_columns, with_scores

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 900_000
"""The most characters that all pictures of a page may take, so that it stays under 2 MB."""

ProblemKey = tuple[Any, ...]
"""The values of `problem_columns` that identify a problem, with None for missing ones."""


@dataclass
class Album:
    """Pictures as data addresses, each once, and the places where they belong.

    Attributes
    ----------
    pictures : list of str
        PNG files as ``data:`` addresses.
    pages : dict
        For each problem ``n_pools``, ``signals`` (how many there were to choose from) and
        ``solvers``, a dict from labels to three choices. A choice has its ``name``, its ``score``,
        and the numbers in `pictures` of the ``original`` and of the ``estimate`` (None if there is
        none).
    notes : list of str
        Sentences on what could not be drawn, and why.
    """

    pictures: list[str] = field(default_factory=list)
    pages: dict[ProblemKey, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def add(self, picture: Array) -> int:
        """Add a picture, (H, W) with black 0 and white 1, and return its number."""
        address = png(picture)
        if address not in self._numbers:
            self._numbers[address] = len(self.pictures)
            self.pictures.append(address)
        return self._numbers[address]

    @property
    def size(self) -> int:
        """The characters of all pictures."""
        return sum(map(len, self.pictures))


def identity(row: pd.Series[Any], columns: Sequence[str]) -> ProblemKey:
    """Return the key of a row's problem, by which rows of two tables can be matched."""
    import pandas as pd

    values = (row.get(name) for name in columns)
    return tuple(None if pd.isna(value) else value for value in values)


def png(picture: Array) -> str:
    """Write a picture, (H, W) with black 0 and white 1, as a PNG file in a ``data:`` address."""
    from PIL import Image

    grey = np.round(np.clip(np.nan_to_num(picture), 0.0, 1.0) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def album(
    results: benchbase.ResultsView,
    ranked: Mapping[ProblemKey, Sequence[str]],
    largest: int = LARGEST,
) -> Album:
    """Draw signals of every problem whose data set has pictures.

    For each solver, they are the signals with the highest, the median (the lower of two) and the
    lowest squared cosine over all trials. They are drawn at the number of pools at which the
    solvers' means have the largest standard deviation, or at the least such K of several.

    Parameters
    ----------
    results : benchbase.Results
        Those of one suite.
    ranked : mapping
        The labels of each problem, best first. If not all fit, the lowest ranks are left out.
    largest : int, optional
        The most characters that all pictures may take.
    """
    frame = results.rows()
    columns = problem_columns(frame)
    made, queues = Album(), []
    with benchbase.without_downloads():
        for _, rows in frame.groupby(columns, dropna=False, sort=False):
            name = identity(rows.iloc[0], columns)
            labels = ranked.get(name, ())
            queue = _problem(results, rows, name, labels, made) if labels else None
            if queue is not None:
                queues.append(queue)
        dropped = 0
        while queues:  # one solver per problem in turn, so that no problem takes all the room
            for queue in [*queues]:
                if made.size > largest:
                    dropped += sum(1 for _ in queue.labels)
                    queues.remove(queue)
                elif not queue.draw():
                    queues.remove(queue)
    if dropped:
        made.notes.append(f"Pictures of {dropped} lower ranks are left out, to keep the page small")
    return made


def _problem(
    results: benchbase.ResultsView,
    rows: pd.DataFrame,
    name: ProblemKey,
    labels: Sequence[str],
    made: Album,
) -> _Queue | None:
    """Return what draws a problem's pictures, or None if its signals are not pictures."""
    first = rows.iloc[0]
    try:
        dataset = component_of(first, "dataset")
        drawn = dataset.picture(np.zeros((1, int(first["n"])), dtype=np.float32))
        even = component_of(first, "pooling").even
    except benchbase.BenchbaseError as error:
        absent = isinstance(error, benchbase.DataError)  # the page may be public: no folders
        reason = "its data are not on this machine" if absent else error
        note = f"No pictures of {first['dataset']}: {reason}"
        made.notes += [note] if note not in made.notes else []
        return None
    scored = with_scores(latest(rows, ["label", "n_pools"])).dropna(subset=["score"])
    if drawn is None or scored.empty:
        return None
    k = telling(scored)
    scored = scored[scored["n_pools"] == k] if k is not None else scored
    page: dict[str, Any] = {"n_pools": k, "signals": 0, "solvers": {}}
    parts = {str(label): part for label, part in scored.groupby("label", sort=False)}
    page["signals"] = max(map(len, parts.values()))
    made.pages[name] = page
    wanted = iter([label for label in labels if label in parts])
    return _Queue(results, dataset, even, parts, wanted, page, made)


@dataclass
class _Queue:
    """The pictures of one problem that are still to be drawn, best rank first."""

    results: benchbase.ResultsView
    dataset: benchbase.Dataset
    even: bool
    parts: Mapping[str, pd.DataFrame]
    labels: Iterator[str]
    page: dict[str, Any]
    made: Album

    def draw(self) -> bool:
        """Draw the next solver's pictures; return False if there is none."""
        label = next(self.labels, None)
        if label is not None:
            self.page["solvers"][label] = [
                self._choice(name, row) for name, row in choices(self.parts[label])
            ]
        return label is not None

    def _choice(self, name: str, row: pd.Series[Any]) -> dict[str, Any]:
        number = int(row["signal"])
        x = self.results.signals(row["cell"])[number]
        found = self.results.estimates(row["cell"])[number]
        if self.even and float(found @ x) < 0:
            found = -found  # measurements do not hold the sign, so the nearer one is shown
        pictures = np.asarray(self.dataset.picture(np.stack([x, found])))
        return {
            "name": name,
            "score": float(row["score"]),
            "original": self.made.add(pictures[0]),
            "estimate": self.made.add(pictures[1]) if np.isfinite(found).all() else None,
        }


def choices(rows: pd.DataFrame) -> list[tuple[str, pd.Series[Any]]]:
    """Return a solver's best, median and worst row by score; fewer if there are few signals.

    Parameters
    ----------
    rows : pandas.DataFrame
        Rows with ``score``, and with ``trial`` and ``signal``, which decide between equal scores.
    """
    order = rows.sort_values(["score", "trial", "signal"], ascending=[False, True, True])
    places = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1}
    names = ["best", "median", "worst"] if len(order) > 2 else ["best", "worst"][: len(order)]
    return [(name, order.iloc[places[name]]) for name in names]


def telling(scored: pd.DataFrame) -> int | None:
    """Return the number of pools at which solvers differ most, or None if frames have none.

    Parameters
    ----------
    scored : pandas.DataFrame
        The rows of one problem with ``n_pools``, ``label`` and ``score``.
    """
    means = scored.dropna(subset=["n_pools"]).groupby(["n_pools", "label"])["score"].mean()
    if means.empty:
        return None
    spread = means.groupby("n_pools").std(ddof=0).round(9)
    return int(spread.index[int(spread.to_numpy().argmax())])
