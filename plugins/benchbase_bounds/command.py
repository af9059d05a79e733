"""`benchbase bounds`: the Lipschitz constants of frames, before any solver runs."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import benchbase
from benchbase import Frame, Pooling
from benchbase_bounds.bracket import Bracket


@click.command("bounds")
@click.argument("file", required=False, metavar="[FILE.npy]")
@click.option("--pooling", "spec", metavar="SPEC", help="""As in '{"name": "lp", "p": 2}'.""")
@click.option("--suite", metavar="NAME", help="The frames of a suite's first trial, not a file.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--effort",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Factor of the numbers of starts, nodes and regions of the searches.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line a frame; nothing else.")
def bounds_command(
    file: str | None,
    spec: str | None,
    suite: str | None,
    seed: int,
    effort: float,
    as_json: bool,
) -> None:
    """Bracket the Lipschitz constants A and B of a frame under a pooling.

    FILE.npy holds the vectors, of shape (K, L, N).
    """
    from benchbase_bounds.dispatch import bounds

    for title, frame, pooling in _problems(file, spec, suite):
        bracket = bounds(frame, pooling, seed=seed, effort=effort)
        if as_json:
            shape = {"n_pools": frame.n_pools, "pool_size": frame.pool_size, "n": frame.n}
            known = {"frame": title, **shape, "pooling": pooling.spec()} | as_data(bracket)
            click.echo(json.dumps(_finite(known)))
        else:
            click.echo(_table(f"{title} · {_told(pooling)}", bracket))


def as_data(bracket: Bracket) -> dict[str, Any]:
    """Return a bracket as JSON-ready data."""
    pair = None if bracket.pair is None else [x.tolist() for x in bracket.pair]
    return vars(bracket) | {"pair": pair}


def _problems(
    file: str | None, spec: str | None, suite: str | None
) -> Iterator[tuple[str, Frame, Pooling]]:
    if (file is None) == (suite is None):
        raise benchbase.BenchbaseError("give either FILE.npy or --suite NAME")
    if suite is not None:
        if spec is not None:
            raise benchbase.BenchbaseError("--pooling is for FILE.npy; a suite has its own")
        yield from _of_suite(suite)
        return
    if spec is None or file is None:
        raise benchbase.BenchbaseError("""give --pooling, as in '{"name": "lp", "p": 2}'""")
    yield file, _read(file), benchbase.build("pooling", _parsed(spec))


def _of_suite(name: str) -> Iterator[tuple[str, Frame, Pooling]]:
    for experiment, problem in benchbase.suite_problems(name):
        frame = problem.frame
        sizes = f"N = {frame.n}, K = {frame.n_pools}, L = {frame.pool_size}"
        yield f"{experiment}: {sizes}" if experiment else sizes, frame, problem.pooling


def _read(file: str) -> Frame:
    import numpy as np

    try:
        with Path(file).open("rb") as stream:
            vectors = np.lib.format.read_array(stream, allow_pickle=False)
    except OSError as error:
        raise benchbase.DataError(f"{file}: {error.strerror or error}") from error
    except ValueError as error:
        raise benchbase.DataError(f"{file}: no array of numbers in NumPy's format") from error
    if vectors.dtype.kind not in "iuf":
        raise benchbase.DataError(f"{file}: holds {vectors.dtype}, but bounds are for real vectors")
    try:
        return benchbase.DenseFrame(vectors)
    except benchbase.ParameterError as error:
        raise benchbase.DataError(f"{file}: {error}") from error


def _parsed(text: str) -> dict[str, Any]:
    """Read a spec in JSON or, as suites spell it, in TOML."""
    try:
        spec = json.loads(text)
    except ValueError:
        try:
            spec = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError as error:
            problem = f"neither JSON nor TOML: {error}"
            raise benchbase.BenchbaseError(f"--pooling {text}: {problem}") from error
    if not isinstance(spec, dict):
        problem = """must be a table, as in '{"name": "lp", "p": 2}'"""
        raise benchbase.BenchbaseError(f"--pooling {text}: {problem}")
    return spec


def _table(title: str, bracket: Bracket) -> str:
    if bracket.lower > 0:
        tight = bracket.exact and bracket.largest_exact
        condition = f"{'' if tight else 'at most '}{bracket.largest / bracket.lower:.6g}"
    else:
        condition = "infinite" if bracket.exact else "not bounded"
    lines = [
        title,
        f"  A       {bracket.lower:.9g} to {bracket.upper:.9g}"
        + (" (exact)" if bracket.exact else ""),
        f"  B       {'' if bracket.largest_exact else 'at most '}{bracket.largest:.9g}",
        f"  B/A     {condition}",
        f"  method  {bracket.method}; {bracket.seconds:.2f} s",
    ]
    return "\n".join(lines + ([f"  reason  {bracket.reason}"] if bracket.reason else []))


def _told(pooling: Pooling) -> str:
    """Spell a pooling's parameters, a long list of thresholds cut short."""
    text = ", ".join(f"{key} = {value}" for key, value in pooling.spec().items())
    return text if len(text) < 80 else f"{text[:77]}..."


def _finite(value: Any) -> Any:
    """Put null for what JSON cannot hold, "inf" for infinite parameters."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value > 0 else None
    return value
