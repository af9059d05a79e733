"""What holds for each row of a store that benchbase has written, as conditions in SQL."""

from __future__ import annotations

from collections.abc import Mapping


def _kinds(column: str, kinds: Mapping[str, str]) -> str:
    """Return the condition that the entries of a column of JSON have these types.

    Several types are separated by blanks; "missing" allows that there is no such entry.
    """
    places = {name: f"coalesce(json_type({column}, '$.{name}'), 'missing')" for name in kinds}
    each = (f"{place} IN {(*kinds[name].split(), '')}" for name, place in places.items())
    return " AND ".join(each)


def _json(column: str, kinds: Mapping[str, str], more: str = "") -> str:
    return f"CASE WHEN json_valid({column}) THEN {_kinds(column, kinds)} {more} END"


def _types(types: str, *columns: str) -> str:
    """Return the condition that columns have one of several types, separated by blanks."""
    return " AND ".join(f"typeof({column}) IN {(*types.split(), '')}" for column in columns)


def _time(column: str) -> str:
    """Return the condition that a column holds a time in ISO format."""
    return f"typeof({column}) = 'text' AND {column} LIKE '____-__-__T%' AND julianday({column}) > 0"


_FACTS = (
    dict.fromkeys(("n", "seed", "trial", "points"), "integer")
    | dict.fromkeys(("n_pools", "pool_size"), "integer null missing")
    | dict.fromkeys(("dataset", "frame", "pooling", "solver"), "object")
    | dict.fromkeys(("noise", "hint"), "object missing")
    | {f"{kind}.name": "text" for kind in ("dataset", "frame", "pooling", "solver")}
    | dict.fromkeys(("noise.name", "hint.name"), "text missing")
    | {"p": "integer real text null", "trace": "true false missing"}
    | dict.fromkeys(("rectified", "even"), "true false missing")
)


def _each(column: str, name: str, condition: str, table: str = "item") -> str:
    """Return the condition on all that is in a list or an object of a column of JSON.

    The condition has `table`.value for each. A condition inside another has a `table` of its own.
    """
    path = f"$.{name}" if name else "$"
    items = f"json_each({column}, '{path}') AS {table}"
    return f"NOT EXISTS (SELECT 1 FROM {items} WHERE ({condition}) IS NOT TRUE)"  # noqa: S608 # names from below


_LARGEST = 2**40
_SIZES = f"""AND facts ->> 'n' BETWEEN 1 AND {_LARGEST}
    AND facts ->> 'points' BETWEEN 1 AND {_LARGEST}
    AND facts ->> 'n' * (facts ->> 'points') <= {_LARGEST}
    AND facts ->> 'seed' >= 0 AND facts ->> 'trial' BETWEEN 0 AND {_LARGEST}
    AND (json_type(facts, '$.p') <> 'text' OR facts ->> 'p' IN ('inf', '-inf'))"""
_NAMED = _kinds("part.value", {"name": "text"})
_LABELLED = _kinds("entry.value", {"name": "text", "label": "text"})
_EXPERIMENT = " AND ".join(
    (
        "experiment.type = 'object'",
        _kinds("experiment.value", {"name": "text", "problems": "array", "solvers": "array"}),
        _kinds("experiment.value", dict.fromkeys(("seed", "trials", "points"), "integer")),
        _kinds("experiment.value", {"trace": "true false"}),
        _each(
            "experiment.value",
            "problems",
            f"problem.type = 'array' AND {_each('problem.value', '', _NAMED, 'part')}",
            "problem",
        ),
        _each("experiment.value", "solvers", f"entry.type = 'object' AND {_LABELLED}", "entry"),
    )
)
_ENVIRONMENT = (
    dict.fromkeys(("code", "packages", "versions"), "object missing")
    | {"core": "text missing", "blas": "array missing", "loaded": "object null missing"}
    | dict.fromkeys(("processor", "python", "system"), "text null missing")
)
_TEXTS = " AND ".join(
    _each("row.facts", name, "item.type = 'text'")
    for name in ("code", "packages", "versions", "blas")
)
_STATUSES = ("done", "failed", "timeout", "crashed", "unsupported")
_NUMBERS = ("prepare_seconds", "init_seconds", "solve_seconds", "frame_applications", "checksum")

_OF_CELL = "(SELECT {} FROM cell WHERE cell.key = row.key)"

SOUND = {
    "run": (
        _types("text", "suite", "title", "command"),
        _time("started"),
        f"(finished IS NULL OR {_time('finished')})",
        _json(
            "resolved",
            {"experiments": "array"},
            f"AND {_each('row.resolved', 'experiments', _EXPERIMENT, 'experiment')}",
        ),
    ),
    "run_cell": (
        _types("text", "experiment", "label", "key"),
        _types("integer", "position"),
        "run IN (SELECT id FROM run)",
        _OF_CELL.format("1"),
    ),
    "cell": (_types("text", "key", "signals"), _json("facts", _FACTS, _SIZES)),
    "environment": (_json("facts", _ENVIRONMENT, f"AND {_TEXTS} AND json_type(facts) = 'object'"),),
    "chunk": (
        f"status IN {_STATUSES}",
        _types("text", "message"),
        _time("finished"),
        _types("integer", "start", "stop", "attempt"),
        "start >= 0 AND start < stop",
        _OF_CELL.format("row.stop <= facts ->> 'points'"),
        "(scores IS NULL OR typeof(scores) = 'blob' AND length(scores) = 40 * (stop - start))",
        "(scores IS NOT NULL OR status <> 'done')",
        "environment IN (SELECT id FROM environment)",
        "coalesce(isolated, 0) IN (0, 1) AND coalesce(sealed, 0) IN (0, 1)",
        _types("real integer null", "time_limit", "condition", *_NUMBERS),
    ),
    "recovered": (
        _types("blob", "x"),
        _types("blob null", "trace"),
        _types("integer", "start"),
        "start >= 0 AND length(x) > 0",
        _OF_CELL.format("length(row.x) % (4 * (facts ->> 'n')) = 0"),
        _OF_CELL.format("row.start + length(row.x) / (4 * (facts ->> 'n')) <= facts ->> 'points'"),
    ),
    "signals": (
        _types("text", "key"),
        _types("integer", "n"),
        f"n BETWEEN 1 AND {_LARGEST}",
        _types("blob", "x"),
        "length(x) > 0 AND length(x) % (4 * n) = 0",
    ),
}
"""What holds for each row of each table that benchbase has written: the reading code relies on it.

Scores are 5 numbers of 8 bytes per signal; estimates and signals are n numbers of 4 bytes.
"""
