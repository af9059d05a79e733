"""The manifest of a bundle, field by field, with what each may hold."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    JsonValue,
    ValidationError,
)

import benchbase
from benchbase.showing import LONGEST_TITLE, check_lines, check_name, check_text, visible

FORMAT = "benchbase bundle"
VERSION = 1
STATUSES = ("done", "failed", "timeout", "crashed", "unsupported")
LONGEST_MESSAGE = 2000
LARGEST_REAL = 1e30
"""Costs and norms are at most this, so that their sums are finite."""

_DEEPEST, _MOST = 12, 5000
_ENVIRONMENT = {
    "versions": dict, "code": dict, "blas": list, "python": str, "system": str, "processor": str,
}  # fmt: skip # the facts that are shown; all are made of texts
_MOST_ERRORS = 1000
"""The most mistakes of which the first is reported: all of them are listed to find it."""


class BundleError(benchbase.BenchbaseError):
    """A bundle is refused; the message says why, with one line per reason."""


def _plain(value: Any) -> Any:
    """Refuse data that are too deep or too large, or hold what JSON or people cannot read."""
    left = [(value, 1)]
    count = 0
    while left:
        item, depth = left.pop()
        count += 1
        if depth > _DEEPEST or count > _MOST:
            raise ValueError(f"is nested deeper than {_DEEPEST}, or holds more than {_MOST} values")
        if isinstance(item, dict):
            left += [(each, depth + 1) for pair in item.items() for each in pair]
        elif isinstance(item, list):
            left += [(each, depth + 1) for each in item]
        elif isinstance(item, str):
            if len(item) > LONGEST_MESSAGE:
                raise ValueError(f"holds a text of more than {LONGEST_MESSAGE} characters")
            check_text(item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError("holds a number that is not finite")
        elif isinstance(item, int) and abs(item) >= 2**63:
            raise ValueError("holds an integer of 2⁶³ or more")
    return value


def _named(spec: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(spec.get("name"), str):
        raise ValueError("needs a name")
    return spec


def _solver(spec: dict[str, Any]) -> dict[str, Any]:
    """Refuse parameters that no solver can have; they would be taken for keys of its entry."""
    if taken := sorted(benchbase.Solver.reserved.difference({"name"}).intersection(spec)):
        raise ValueError(f"has the parameter {taken[0]!r}, which no solver can have")
    return spec


def _environment(facts: dict[str, Any]) -> dict[str, Any]:
    """Refuse an environment whose facts are not of the types that are recorded."""
    for name, kind in _ENVIRONMENT.items():
        found = facts.get(name, kind())
        parts = found.values() if isinstance(found, dict) else found
        if not isinstance(found, kind) or not all(isinstance(part, str) for part in parts):
            raise ValueError(f"has a {name!r} of a wrong type")
    return facts


def _date(text: str) -> str:
    check_text(text)  # any character may stand between date and time
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("must be a date and time (ISO 8601)") from error
    if moment.tzinfo is None:
        raise ValueError("must name its time zone")
    return text


Name = Annotated[str, AfterValidator(check_name)]
Title = Annotated[str, Field(max_length=LONGEST_TITLE), AfterValidator(check_text)]
Text = Annotated[str, Field(max_length=LONGEST_MESSAGE), AfterValidator(check_text)]
Long = Annotated[str, Field(max_length=20_000), AfterValidator(check_lines)]
Data = Annotated[dict[str, JsonValue], AfterValidator(_plain)]
Spec = Annotated[Data, AfterValidator(_named)]
Environment = Annotated[Data, AfterValidator(_environment)]
Date = Annotated[str, Field(max_length=40), AfterValidator(_date)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Real = Annotated[float, Field(ge=0, le=LARGEST_REAL, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ProblemFacts(_Strict):
    """A problem of an experiment's grid: its components, and the facts that follow from them."""

    dataset: Spec
    frame: Spec
    pooling: Spec
    noise: Spec | None = None
    hint: Spec | None = None
    n: Annotated[int, Field(ge=1, lt=2**24)]
    n_pools: Count | None
    pool_size: Count | None
    p: Real | Literal["inf"] | None
    rectified: bool
    even: bool


class Experiment(_Strict):
    """An experiment: what is drawn from which seed, and its problems."""

    name: Title
    seed: Seed
    trials: Annotated[int, Field(ge=1, le=100_000)]
    points: Annotated[int, Field(ge=1, le=10_000_000)]
    trace: bool
    problems: Annotated[list[ProblemFacts], FailFast(), Field(min_length=1, max_length=100_000)]


class SuiteFacts(_Strict):
    """The suite without its solvers."""

    name: Name
    title: Title
    experiments: Annotated[list[Experiment], FailFast(), Field(min_length=1, max_length=1000)]


class Entry(_Strict):
    """A solver in an experiment: its label, its spec, and its number of signals per trial."""

    experiment: Count
    label: Name
    points: Annotated[int, Field(ge=1, le=10_000_000)]
    solver: Annotated[Spec, AfterValidator(_solver)]


class Chunk(_Strict):
    """The outcome of some of a cell's signals: from `start` up to, but without, `stop`."""

    start: Count
    stop: Count
    status: Literal["done", "failed", "timeout", "crashed", "unsupported"]
    message: Text
    prepare_seconds: Real | None
    init_seconds: Real | None
    solve_seconds: Real | None
    frame_applications: Real | None
    checksum: Real | None
    condition: Real | None
    environment: Count


class Cell(_Strict):
    """A solver on one problem in one trial; `signals` is the number of its file of signals."""

    entry: Count
    problem: Count
    trial: Count
    signals: Count | None
    chunks: Annotated[list[Chunk], FailFast(), Field(max_length=10_000_000)]


class Provenance(_Strict):
    """The origin of the results: the software, the command and the dates."""

    software: Text
    command: Long
    started: Date
    finished: Date | None


class Citation(_Strict):
    """How to cite the solvers."""

    text: Long
    bibtex: Long


class Manifest(_Strict):
    """The contents of a bundle except for its arrays."""

    format: Literal["benchbase bundle"]
    version: Literal[1]
    suite: SuiteFacts
    entries: Annotated[list[Entry], FailFast(), Field(min_length=1, max_length=100_000)]
    cells: Annotated[list[Cell], FailFast(), Field(min_length=1, max_length=2_000_000)]
    signals: Annotated[list[tuple[Count, Count]], FailFast(), Field(max_length=1_000_000)]
    environments: Annotated[list[Environment], FailFast(), Field(max_length=10_000)]
    provenance: Provenance
    citation: Citation
    digests: dict[str, Digest]


def read_manifest(data: Any) -> Manifest:
    """Return the manifest that plain data hold, or refuse them.

    Raises
    ------
    BundleError
        If it is not a manifest; the message names the first mistake and its place.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BundleError("the manifest is not that of a bundle")
    number = data.get("version")
    if type(number) is not int or number != VERSION:
        found = f"its format version is {repr(number)[:40]}"
        raise BundleError(f"{found}, and this benchbase reads {VERSION}")
    if isinstance(data.get("signals"), list):  # strict models do not take a list for a tuple
        data = data | {"signals": [tuple(s) if isinstance(s, list) else s for s in data["signals"]]}
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        if error.error_count() > _MOST_ERRORS:
            raise BundleError(f"the manifest is wrong in {error.error_count()} places") from None
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(visible(str(part)[:80]) for part in first["loc"])
        raise BundleError(f"the manifest is wrong at {place}: {first['msg']}") from None
    except RecursionError:
        raise BundleError("the manifest is nested too deeply") from None


def software() -> str:
    """Return the name and version of what writes and checks bundles here."""
    return f"benchbase {benchbase.__version__}"
