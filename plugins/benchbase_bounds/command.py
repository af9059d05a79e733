"""The command ``benchbase bounds``: bracket the Lipschitz constants of frames, without solvers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import benchbase
from benchbase import Array, Frame, Pooling
from benchbase.cli import options
from benchbase_bounds.bracket import Bracket

_EXAMPLE = """as in '{"name": "lp", "p": 2}'"""
_SHAPE = "vectors must have the shape (K, L, N), of K pools of L vectors in R^N"


@click.command(
    "bounds",
    epilog="""\b
    Examples:
      benchbase bounds frame.npy --pooling '{"name": "lp", "p": 2}'
      benchbase bounds frame.npy --pooling '{"name": "lp", "p": "inf", "rectified": true}'
      benchbase bounds frame.npy --pooling '{"name": "maxout"}' --json
      benchbase bounds --suite quick
    A rectified lp may have a threshold: "threshold": 0.5, or a list of K·L numbers.
    """,
)
@click.argument("file", required=False, metavar="[FILE.npy]", type=options.PATH)
@click.option(
    "--pooling",
    "spec",
    metavar="SPEC",
    help="Pooling, in JSON or TOML: lp (with p = 1, 2 or inf, rectified, threshold) or maxout. It "
    "is required with FILE.npy, and not allowed with --suite, whose poolings are used.",
)
@click.option(
    "--suite",
    metavar="NAME",
    help="Name or TOML file of a suite. The frames of its first trial are used instead of "
    "FILE.npy.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**63 - 1),
    default=0,
    show_default=True,
    help="Seed of the searches.",
)
@click.option(
    "--effort",
    type=options.Number(min=0, min_open=True, max=1e6),
    default=1.0,
    show_default=True,
    help="Factor for the numbers of starts, nodes and regions of the searches, and so their time.",
)
@options.as_json("one line per frame")
def bounds_command(
    file: str | None,
    spec: str | None,
    suite: str | None,
    seed: int,
    effort: float,
    as_json: bool,
) -> None:
    """Bracket the Lipschitz constants A and B of a frame.

    A and B say how stably the pooling represents signals: for all signals x and x′,
    A·d(x, x′) ≤ ‖R(x) − R(x′)‖ ≤ B·d(x, x′). R(x) is the representation of x. The distance d(x, x′)
    is ‖x − x′‖. If the pooling loses the sign, it is min(‖x − x′‖, ‖x + x′‖) instead.

    FILE.npy, written by numpy.save, holds real vectors of shape (K, L, N): K pools of L vectors in
    R^N.
    """
    from threadpoolctl import threadpool_limits

    from benchbase_bounds.dispatch import bounds
    from benchbase_bounds.reports.constants import attained_largest

    for title, frame, pooling in _problems(file, spec, suite):
        # The matrices are small, so a second BLAS thread would cost more time than it saves.
        with benchbase.progress(f"bounds: {title}", 1), threadpool_limits(1, "blas"):
            try:
                bracket = bounds(frame, pooling, seed=seed, effort=effort)
                least = attained_largest(frame, pooling, bracket)
            except MemoryError as error:
                problem = f"{title}: the frame is too large for this machine's memory"
                raise benchbase.BenchbaseError(problem) from error
        if as_json:
            click.echo(json.dumps(as_data(title, frame, pooling, bracket, least), allow_nan=False))
        else:
            click.echo(_table(title, frame, pooling, bracket, least))


def as_data(
    title: str, frame: Frame, pooling: Pooling, bracket: Bracket, least: float
) -> dict[str, Any]:
    """Return the bounds of a frame as JSON-ready data.

    Parameters
    ----------
    title : str
        The name of the frame.
    frame, pooling : Frame, Pooling
        The frame and the pooling that were bounded.
    bracket : Bracket
        From `benchbase_bounds.dispatch.bounds`.
    least : float
        From `benchbase_bounds.reports.constants.attained_largest`.

    Returns
    -------
    dict
        For A, its bounds ``lower`` and ``upper``, and ``exact``. For B, its upper bound ``B`` (its
        value if ``B_exact``) and its lower bound ``B_lower``, which is attained. Then ``pair``, two
        signals whose ratio is ``upper``; ``method``, ``seconds``, ``reason``; and the frame's name,
        sizes and pooling.
    """
    pair = None if bracket.pair is None else [x.tolist() for x in bracket.pair]
    return {
        "frame": title,
        "n_pools": frame.n_pools,
        "pool_size": frame.pool_size,
        "n": frame.n,
        "pooling": _finite(pooling.spec()),
        "lower": bracket.lower,
        "upper": bracket.upper,
        "exact": bracket.exact,
        "B": bracket.largest,
        "B_lower": least,
        "B_exact": bracket.largest_exact,
        "pair": pair,
        "method": bracket.method,
        "seconds": bracket.seconds,
        "reason": bracket.reason,
    }


def _problems(
    file: str | None, spec: str | None, suite: str | None
) -> Iterator[tuple[str, Frame, Pooling]]:
    if (file is None) == (suite is None):
        raise benchbase.BenchbaseError("give either FILE.npy or --suite NAME, and not both")
    if suite is not None:
        if spec is not None:
            raise benchbase.BenchbaseError(
                "--pooling is for FILE.npy only; leave it out, since a suite names its own poolings"
            )
        for experiment, problem in benchbase.suite_problems(suite):
            yield experiment or suite, problem.frame, problem.pooling
        return
    if spec is None or file is None:
        raise benchbase.BenchbaseError(f"give --pooling, {_EXAMPLE}")
    frame = _read(file)
    try:
        pooling: Pooling = benchbase.build("pooling", _parsed(spec))
        pooling.check(frame.n_pools, frame.pool_size)
    except benchbase.BenchbaseError as error:
        raise benchbase.BenchbaseError(f"--pooling {spec}: {error}") from error
    yield file, frame, pooling


def _read(file: str) -> Frame:
    import numpy as np

    try:
        with Path(file).open("rb") as stream:
            vectors: Array = np.lib.format.read_array(stream, allow_pickle=False)
    except OSError as error:
        raise benchbase.DataError(f"{file}: {error.strerror or error}") from error
    except MemoryError as error:
        problem = "the array is too large for this machine's memory"
        raise benchbase.DataError(f"{file}: {problem}") from error
    except ValueError as error:
        problem = "not an array of numbers in NumPy's format; write it with numpy.save"
        raise benchbase.DataError(f"{file}: {problem}") from error
    if vectors.dtype.kind not in "iuf":
        raise benchbase.DataError(f"{file}: bounds need real vectors, and it holds {vectors.dtype}")
    if vectors.ndim != 3:
        hint = "; for pools of one, save vectors[:, None, :]" if vectors.ndim == 2 else ""
        raise benchbase.DataError(f"{file}: {_SHAPE}, not {vectors.shape}{hint}")
    if not vectors.size:
        raise benchbase.DataError(f"{file}: {_SHAPE}; there are none in the shape {vectors.shape}")
    try:
        return benchbase.DenseFrame(vectors)
    except benchbase.ParameterError as error:
        raise benchbase.DataError(f"{file}: {error}") from error


def _parsed(text: str) -> dict[str, Any]:
    """Read a spec in JSON or, as in suites, in TOML."""
    try:
        spec = json.loads(text)
    except ValueError:
        try:
            spec = benchbase.from_toml(text, "--pooling")
        except benchbase.SuiteError as error:
            problem = f"neither JSON nor TOML; write it {_EXAMPLE}"
            raise benchbase.BenchbaseError(problem) from error
    if not isinstance(spec, dict):
        raise benchbase.BenchbaseError(f"must be a table, {_EXAMPLE}")
    return spec


def _table(title: str, frame: Frame, pooling: Pooling, bracket: Bracket, least: float) -> str:
    known = bracket.exact and bracket.lower == 0
    most = math.inf if bracket.lower == 0 else bracket.largest / bracket.lower
    condition = math.inf if known else _ratio(least, bracket.upper)
    sizes = f"K = {frame.n_pools}, L = {frame.pool_size}, N = {frame.n}"
    a = _interval(bracket.lower, bracket.upper, exact=bracket.exact)
    lines = [
        f"{title} · {sizes} · {_parameters(pooling)}",
        f"  A       {'0 (to rounding)' if known else a}",
        f"  B       {_interval(least, bracket.largest, exact=bracket.largest_exact)}",
        f"  B/A     {_interval(condition, most, exact=bracket.exact and bracket.largest_exact)}",
        f"  method  {bracket.method}; {bracket.seconds:.2f} s",
    ]
    return "\n".join(lines + ([f"  reason  {bracket.reason}"] if bracket.reason else []))


def _ratio(a: float, b: float) -> float:
    return math.inf if b == 0 else a / b


def _interval(low: float, high: float, *, exact: bool) -> str:
    if math.isinf(low):
        return "infinite"
    if math.isinf(high):
        return f"at least {low:.6g}, perhaps infinite"
    return f"{high:.9g} (exact)" if exact else f"{low:.9g} to {high:.9g}"


def _parameters(pooling: Pooling) -> str:
    """Return a pooling's parameters as text. A long list of thresholds is cut short."""
    text = ", ".join(f"{key} = {_finite(value)}" for key, value in pooling.spec().items())
    return text if len(text) < 80 else f"{text[:77]}..."


def _finite(value: Any) -> Any:
    """Replace infinity, which JSON cannot hold, by "inf", as specs write it."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return "inf" if value == math.inf else value
