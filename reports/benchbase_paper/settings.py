"""The results that belong to the paper's figure 1, by data set and frame, from any suite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbase.showing import setting_columns, split, with_scores

if TYPE_CHECKING:
    import pandas as pd

NORMS = (1.0, 2.0, float("inf"))
"""The exponents p of the paper's poolings, from left to right in its figure."""

RANDOM, NEAREST, BOTH, MEAN = "altmin", "kNN", "altmin + kNN", "mean"
"""The labels of altmin from a random start, the regression, both together, the mean signal."""

LIFT, CUT = "PhaseLift", "PhaseCut"

_FAMILIES = {"gaussian": "gaussian", "mnist": "digits", "digits": "digits", "patches": "patches"}
_LETTERS = {
    ("gaussian", "gaussian"): "a",
    ("digits", "gaussian"): "b",
    ("digits", "ksvd"): "c",
    ("patches", "gaussian"): "d",
    ("patches", "ksvd"): "e",
}
_NAMES = {"gaussian": "Gaussian vectors", "mnist": "MNIST"}
_SPHERE = re.compile(r", (no )?sphere$")


@dataclass(frozen=True)
class Setting:
    """A data set and a recipe of frames of the paper's figure.

    Attributes
    ----------
    letter : str
        The row of the figure, "a" to "e".
    name : str
        The name of the data set.
    rows : pandas.DataFrame
        Rows of `benchbase.Results.rows` with the columns of `benchbase.showing.with_scores`,
        those of the paper's poolings. There is one row per signal, solver, pooling and number of
        pools, even if several experiments hold it.
    """

    letter: str
    name: str
    rows: pd.DataFrame

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        return str(self.rows["dataset"].iloc[0])

    @property
    def n(self) -> int:
        """The dimension of the signals."""
        return int(self.rows["n"].iloc[0])

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the data set and the frame, by column."""
        first = self.rows.iloc[0]
        kinds = ("dataset.", "frame.")
        return {name: first[name] for name in map(str, self.rows) if name.startswith(kinds)}

    @property
    def signals(self) -> tuple[Any, ...]:
        """What identifies the signals, whatever norm they are scaled to."""
        own = {k: v for k, v in self.parameters.items() if k.startswith("dataset.")}
        own.pop("dataset.normalise", None)
        return self.dataset, self.n, tuple(sorted((k, str(v)) for k, v in own.items()))

    @property
    def learned(self) -> bool:
        """Whether the frames are learned."""
        return self.letter in "ce"

    @property
    def norms(self) -> list[float]:
        """The exponents p of the setting's poolings."""
        return [p for p in NORMS if (self.rows["p"] == p).any()]

    @property
    def title(self) -> str:
        """The title of the row: letter, data set and frames."""
        return f"({self.letter}) {self.name}, {'learned' if self.learned else 'random'} frames"

    def select(
        self, label: str, p: float = 2.0, rectified: bool = False, k: int | None = None
    ) -> pd.DataFrame:
        """Return the rows of a solver and a pooling; if `k` is given, only those with K = `k`."""
        rows = self.rows
        chosen = (rows["label"] == label) & (rows["p"] == p) & (rows["rectified"] == rectified)
        return rows[chosen if k is None else chosen & (rows["n_pools"] == k)]


def find_settings(frame: pd.DataFrame) -> list[Setting]:
    """Return the settings of the paper's figure in its order; larger signals come first.

    Data sets and frames are recognised by their names: Gaussian vectors; MNIST, or the 8×8 digits
    in its place; patches of photographs from any source; Gaussian frames and those of K-SVD. Only
    the poolings ℓ1, ℓ2 and ℓ∞, rectified or not, are kept, without a threshold.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`.
    """
    families = frame["dataset"].map(lambda name: _FAMILIES.get(name, ""))
    letters = [_LETTERS.get(pair, "") for pair in zip(families, frame["frame"], strict=True)]
    plain = (frame["pooling"] == "lp") & frame["p"].isin(NORMS)
    if "pooling.threshold" in frame:
        plain &= frame["pooling.threshold"].fillna(0) == 0
    lettered = frame.assign(letter=letters)
    found = lettered[plain & (lettered["letter"] != "") & frame["n_pools"].notna()]
    # Suites that are joined hold some experiments twice, as parts of other experiments.
    columns = [name for name in setting_columns(frame) if name not in ("suite", "experiment")]
    signal = ["label", "p", "rectified", "n_pools", "seed", "trial", "signal"]
    newest = found.sort_values("run", ascending=False, kind="stable")
    found = newest.drop_duplicates([*columns, *signal]).sort_index()
    # What is left of an experiment is the same problem as what another has of the same cells.
    points = found.groupby("label")["points"].transform("max")
    found = with_scores(found.assign(experiment="", points=points))
    parts = split(found, columns) if len(found) else []
    parts.sort(key=lambda part: (part["letter"].iloc[0], -part["n"].iloc[0], -len(part)))
    return [
        Setting(part["letter"].iloc[0], name, part)
        for part, name in zip(parts, _names(parts), strict=True)
    ]


def _names(parts: list[pd.DataFrame]) -> Iterator[str]:
    """Yield the names of data sets, with the parameters that tell equal ones apart."""
    for part in parts:
        first = part.iloc[0]
        name = _NAMES.get(first["dataset"], str(first["dataset"]))
        if first["dataset"] == "patches" and "dataset.source" in part:
            name += f" of {first['dataset.source']}"
        alike = ("letter", "dataset", "n")
        others = [o.iloc[0] for o in parts if all(o.iloc[0][c] == first[c] for c in alike)]
        apart = [
            f", {column.partition('.')[2]} = {first[column]}"
            for column in map(str, part.columns)
            if column.startswith(("dataset.", "frame.")) and column != "frame.n_pools"
            if len({str(other[column]) for other in others}) > 1
        ]
        yield f"{name}, n = {first['n']}{''.join(apart)}"


def on_sphere(rows: pd.DataFrame) -> pd.Series[Any]:
    """Return for each row whether its solver searches among the vectors of unit norm."""
    spheres = [
        c for c in map(str, rows.columns) if c.startswith("solver.") and c.endswith(".sphere")
    ]
    return (rows[spheres] == True).any(axis=1)  # noqa: E712 # a missing value is not true


def plain_label(label: str) -> str:
    """Return a label without its part about the sphere: "altmin" for "altmin, no sphere"."""
    return _SPHERE.sub("", label)
