"""The manifest of a bundle: what it may say, field by field."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

import benchbase

FORMAT = "benchbase bundle"
VERSION = 1
STATUSES = ("done", "failed", "timeout", "crashed", "unsupported")
LONGEST_MESSAGE = 2000
_DEEPEST, _MOST = 12, 5000
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class BundleError(benchbase.BenchbaseError):
    """A bundle is refused; the text says why, a line a reason."""


def _shown_as_is(text: str) -> str:
    """Refuse what people cannot see: control characters, marks that turn text around."""
    hidden = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")]
    if hidden:
        raise ValueError(f"holds the invisible character U+{ord(hidden[0]):04X}")
    if text != text.strip():
        raise ValueError("begins or ends with a space")
    return text


def _folder_name(name: str) -> str:
    if not _SUITE.fullmatch(name):
        raise ValueError("must be letters, digits, dots, dashes and underscores (at most 80)")
    return name


def _plain(value: Any) -> Any:
    """Refuse plain data that is too deep, too large, or holds what JSON does not have."""
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
            item.encode()  # half a character, as JSON can spell it, is a ValueError
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError("holds a number that is not finite")
        elif isinstance(item, int) and abs(item) >= 2**63:
            raise ValueError("holds an integer of 2⁶³ or more")
    return value


def _named(spec: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(spec.get("name"), str):
        raise ValueError("needs a name")
    return spec


def _date(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("must be a date and time (ISO 8601)") from error
    if moment.tzinfo is None:
        raise ValueError("must name its time zone")
    return text


Label = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_shown_as_is)]
Title = Annotated[str, Field(max_length=300)]
Text = Annotated[str, Field(max_length=LONGEST_MESSAGE)]
Long = Annotated[str, Field(max_length=20_000)]
Data = Annotated[dict[str, JsonValue], AfterValidator(_plain)]
Spec = Annotated[dict[str, JsonValue], AfterValidator(_plain), AfterValidator(_named)]
Date = Annotated[str, Field(max_length=40), AfterValidator(_date)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Real = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Problem(_Strict):
    """A point of an experiment's grid: its components, and the facts that follow from them."""

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
    problems: Annotated[list[Problem], Field(min_length=1, max_length=100_000)]


class SuiteFacts(_Strict):
    """The suite, its solvers aside."""

    name: Annotated[str, AfterValidator(_folder_name)]
    title: Title
    experiments: Annotated[list[Experiment], Field(min_length=1, max_length=1000)]


class Entry(_Strict):
    """A solver in an experiment: its label, spec, and how many signals a trial it was given."""

    experiment: Count
    label: Label
    points: Annotated[int, Field(ge=1, le=10_000_000)]
    solver: Spec


class Chunk(_Strict):
    """The outcome of some of a cell's signals, from `start` to before `stop`."""

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
    chunks: Annotated[list[Chunk], Field(max_length=10_000_000)]


class Provenance(_Strict):
    """Where the results come from: versions, the command, when."""

    software: Text
    command: Long
    started: Date
    finished: Date | None


class Citation(_Strict):
    """How to cite the solvers."""

    text: Long
    bibtex: Long


class Manifest(_Strict):
    """All that a bundle says, but for its arrays."""

    format: Literal["benchbase bundle"]
    version: Literal[1]
    suite: SuiteFacts
    entries: Annotated[list[Entry], Field(min_length=1, max_length=100_000)]
    cells: Annotated[list[Cell], Field(min_length=1, max_length=2_000_000)]
    signals: Annotated[list[tuple[Count, Count]], Field(max_length=1_000_000)]
    environments: Annotated[list[Data], Field(max_length=10_000)]
    provenance: Provenance
    citation: Citation
    digests: dict[str, Digest]


def read_manifest(data: Any) -> Manifest:
    """Check a manifest that has been read from JSON.

    Raises
    ------
    BundleError
        With what is wrong first, and where.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BundleError("the manifest is not that of a bundle")
    if type(data.get("version")) is not int or data["version"] != VERSION:
        told = f"its format version is {data.get('version')!r}, and this benchbase reads {VERSION}"
        raise BundleError(told)
    if isinstance(data.get("signals"), list):  # strict models take no list for a tuple
        data = data | {"signals": [tuple(s) if isinstance(s, list) else s for s in data["signals"]]}
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part)[:80] for part in first["loc"])
        raise BundleError(f"the manifest is wrong at {place}: {first['msg']}") from None
    except RecursionError:
        raise BundleError("the manifest is nested too deeply") from None


def software() -> str:
    """Return what writes and checks bundles here: benchbase and its version."""
    return f"benchbase {version('benchbase')}"
