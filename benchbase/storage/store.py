"""The store of results: runs, cells, outcomes of chunks, estimates, test signals, environments.

Only this module and `benchbase.storage.database` contain SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchbase.component import Array
from benchbase.errors import StoreError, in_one_line
from benchbase.planning.cells import Cell, facts_of
from benchbase.storage.attempts import MEASURED, TRUST, Attempt, Ending
from benchbase.storage.database import Database
from benchbase.tasks import Outcome
from benchbase.wording import visible

SCORES = ("squared_cosine", "relative_error", "residual", "n_iter", "converged")
"""The rows of a chunk's packed scores: float64, (5, S)."""

_RUN = ("suite", "title", "resolved", "command", "started", "finished")
_CHUNK = Attempt._fields[: Attempt._fields.index("environment")]


class Store(Database):
    """The results in one folder.

    Parameters and errors are those of `benchbase.storage.database.Database`. Methods whose names
    start with ``add_`` write one part of a result and belong inside a `transaction`.
    """

    # Writing --------------------------------------------------------------------------------------

    def begin_run(
        self, suite: str, title: str, resolved: dict[str, Any], command: str, cells: Sequence[Cell]
    ) -> int:
        """Write a run and its cells, and return the number of the run."""
        run = {"suite": suite, "title": title, "resolved": json.dumps(resolved)}
        run |= {"command": command, "started": _now()}
        with self.transaction():
            known = self._known_cells([cell.key for cell in cells])
            new = [*{cell.key: cell for cell in cells if cell.key not in known}.values()]
            for cell, facts in zip(new, facts_of(new), strict=True):
                self.add_cell(cell.key, pack_facts(facts), cell.signals_key)
            return self.add_run(run, ((cell.experiment, cell.label, cell.key) for cell in cells))

    def end_run(self, run: int) -> None:
        """Note that all cells of a run have an outcome."""
        with self.transaction():
            self._query("UPDATE run SET finished = ? WHERE id = ?", _now(), run)

    def drop_run(self, run: int) -> None:
        """Remove a run, such as a refused one. Its cells stay, as other runs may use them."""
        with self.transaction():
            self._query("DELETE FROM run_cell WHERE run = ?", run)
            self._query("DELETE FROM run WHERE id = ?", run)

    def save(self, outcome: Outcome) -> None:
        """Write one outcome as the latest attempt at its chunk, in one transaction."""
        scores = [outcome.get(name) for name in SCORES]
        x: Array | None = outcome.get("x")
        attempt = Attempt(
            start=outcome["start"],
            stop=outcome["stop"],
            status=outcome["status"],
            message=in_one_line(outcome.get("message", "")),
            time_limit=outcome.get("time_limit"),
            scores=None if scores[0] is None else pack_scores(np.array(scores)),
            **{name: outcome.get(name) for name in (*MEASURED, *TRUST)},  # type: ignore[arg-type] # numbers
            finished=_now(),
            environment=json.dumps(outcome["environment"], sort_keys=True),
            x=None if x is None else pack_signals(x),
            trace=outcome.get("trace"),
        )
        with self.transaction():
            self.add_attempt(outcome["key"], attempt)
            if "signals" in outcome:
                self.add_signals(outcome["signals_key"], outcome["signals"])

    def add_run(self, run: Mapping[str, Any], cells: Iterable[tuple[str, str, str]]) -> int:
        """Add a run and its list of (experiment, label, key), and return the number of the run.

        The columns are those of `runs`; `finished` may be missing.
        """
        self._query(
            f"INSERT INTO run ({', '.join(_RUN)}) VALUES ({_marks(_RUN)})",  # noqa: S608 # the names above
            *map(run.get, _RUN),
        )
        ((number,),) = self._query("SELECT last_insert_rowid()")
        rows = ((number, position, *cell) for position, cell in enumerate(cells))
        self._query_each("INSERT INTO run_cell VALUES (?, ?, ?, ?, ?)", rows)
        return int(number)

    def _known_cells(self, keys: Sequence[str]) -> set[str]:
        """Return those keys whose cells are stored; their facts need not be made again."""
        select = "SELECT key FROM cell WHERE key IN (SELECT value FROM json_each(?))"
        return {key for (key,) in self._query(select, json.dumps(keys))}

    def add_cell(self, key: str, facts: str, signals_key: str) -> bool:
        """Add a cell with its packed facts, and return whether it is new."""
        before = self._connection.total_changes
        self._query("INSERT OR IGNORE INTO cell VALUES (?, ?, ?)", key, facts, signals_key)
        return self._connection.total_changes > before

    def add_signals(self, signals_key: str, signals: Array) -> None:
        """Add test signals, (S, N), unless signals are stored under their key already."""
        values = (signals_key, signals.shape[1], pack_signals(signals))
        self._query("INSERT OR IGNORE INTO signals VALUES (?, ?, ?)", *values)

    def add_environment(self, environment: str) -> None:
        """Add an environment, unless it is stored already."""
        self._query("INSERT OR IGNORE INTO environment (facts) VALUES (?)", environment)

    def add_attempt(self, key: str, attempt: Attempt) -> None:
        """Add the latest attempt at a chunk of a cell. Its estimates replace the earlier ones."""
        place = (key, attempt.start)
        self.add_environment(attempt.environment)
        self._query(
            f"""INSERT INTO chunk (key, attempt, environment, {", ".join(_CHUNK)}) VALUES
                (?, (SELECT count(*) + 1 FROM chunk WHERE key = ? AND start = ?),
                (SELECT id FROM environment WHERE facts = ?), {_marks(_CHUNK)})""",  # noqa: S608 # the names above
            key,
            *place,
            attempt.environment,
            *attempt[: len(_CHUNK)],
        )
        self._query("DELETE FROM recovered WHERE key = ? AND start = ?", *place)
        if attempt.x is not None:
            values = (*place, attempt.x, attempt.trace)
            self._query("INSERT INTO recovered VALUES (?, ?, ?, ?)", *values)

    # Runs and cells -------------------------------------------------------------------------------

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, oldest first: id, suite, title, resolved, command, started, finished."""
        names = ("id", *_RUN)
        rows = self._query(f"SELECT {', '.join(names)} FROM run ORDER BY id")  # noqa: S608 # the names above
        runs = [dict(zip(names, row, strict=True)) for row in rows]
        # Others' stores may hold anything, also what a terminal would obey.
        return [run | {key: visible(run[key]) for key in ("suite", "title")} for run in runs]

    def labels(self, run: int) -> list[tuple[str, str, str]]:
        """Return (experiment, label, key) of the cells of a run, in their order."""
        select = "SELECT experiment, label, key FROM run_cell WHERE run = ? ORDER BY position"
        return [(experiment, label, key) for experiment, label, key in self._query(select, run)]

    def cells(self, run: int) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """Yield (experiment, label, key, facts) of the cells of a run, in their order."""
        rows = self._query(
            "SELECT experiment, label, key, facts FROM run_cell JOIN cell USING (key) "
            "WHERE run = ? ORDER BY position",
            run,
        )
        for experiment, label, key, facts in rows:
            yield visible(experiment), visible(label), key, json.loads(facts)

    def packed_cells(self) -> dict[str, tuple[str, str]]:
        """Return the packed facts and the key of the test signals of every cell, by key."""
        rows = self._query("SELECT key, facts, signals FROM cell")
        return {key: (facts, signals) for key, facts, signals in rows}

    def facts(self, key: str) -> dict[str, Any]:
        """Return the facts of a cell (`Cell.facts`).

        Raises
        ------
        StoreError
            If there is no such cell.
        """
        rows = self._query("SELECT facts FROM cell WHERE key = ?", key)
        if not rows:
            raise StoreError(f"there is no cell {key} in {self.folder}")
        return json.loads(rows[0][0])  # type: ignore[no-any-return] # facts are a dict

    # Outcomes -------------------------------------------------------------------------------------

    def outcomes(self, keys: Sequence[str]) -> dict[tuple[str, int], Ending]:
        """Return how the latest attempts ended, by (key, start).

        An attempt with an estimate that is not finite has the status "failed".
        """
        rows = self._query(
            "SELECT key, start, status, message, time_limit, sealed, scores FROM latest "
            "WHERE key IN (SELECT value FROM json_each(?))",
            json.dumps(list(keys)),
        )
        outcomes = {}
        for key, start, status, message, limit, sealed, scores in rows:
            lost = scores is not None and bool(np.isnan(unpack_scores(scores)[0]).any())
            status = "failed" if lost else status
            outcomes[key, start] = Ending(status, message, limit, sealed=bool(sealed))
        return outcomes

    def chunks(self, run: int) -> dict[str, list[dict[str, Any]]]:
        """Return the latest outcomes of a run by cell, in order.

        The scores are an array, (5, S), or None if there are none. The `environment` is a number,
        which `environments` explains.
        """
        names = ("start", "stop", "status", "message", "scores", *MEASURED, *TRUST, "environment")
        chunks: dict[str, list[dict[str, Any]]] = {}
        rows = self._query(
            f"SELECT key, {', '.join(names)} FROM latest "  # noqa: S608 # the names above
            "WHERE key IN (SELECT key FROM run_cell WHERE run = ?) ORDER BY key, start",
            run,
        )
        for key, *values in rows:
            chunk = dict(zip(names, values, strict=True))
            chunk["message"] = in_one_line(chunk["message"])  # a stranger's store holds anything
            chunk |= {name: _known_bool(chunk[name]) for name in TRUST}
            if chunk["scores"] is not None:
                chunk["scores"] = unpack_scores(chunk["scores"])
            chunks.setdefault(key, []).append(chunk)
        return chunks

    def attempts(self, key: str) -> dict[int, list[Attempt]]:
        """Return all attempts at the chunks of a cell by first signal, the latest at the end."""
        rows = self._query("SELECT start, x, trace FROM recovered WHERE key = ?", key)
        kept = {start: {"x": x, "trace": trace} for start, x, trace in rows}
        rows = self._query(
            f"""SELECT {", ".join(_CHUNK)}, facts
                FROM chunk LEFT JOIN environment ON environment.id = environment
                WHERE key = ? ORDER BY start, attempt""",  # noqa: S608 # the names above
            key,
        )
        histories: dict[int, list[Attempt]] = {}
        for row in rows:
            histories.setdefault(row[0], []).append(Attempt(*row))
        for start, attempts in histories.items():
            attempts[-1] = attempts[-1]._replace(**kept.get(start, {}))
        return histories

    def durations(self) -> Iterator[tuple[dict[str, Any], float, float]]:
        """Yield the times of the latest attempts that were done or ran into their time limit.

        Yields
        ------
        facts : dict
            The facts of the attempt's cell.
        prepare, signal : float
            Seconds to prepare the solver, and seconds per signal. For an attempt that ran into its
            time limit, these are 0 and the limit.
        """
        rows = self._query(
            "SELECT facts, status, time_limit, prepare_seconds, init_seconds + solve_seconds "
            "FROM latest JOIN cell USING (key) WHERE status IN ('done', 'timeout')"
        )
        for facts, status, limit, *seconds in rows:
            prepare, signal = (0.0, limit) if status == "timeout" else seconds
            yield json.loads(facts), prepare, signal

    # Environments ---------------------------------------------------------------------------------

    def environments(self) -> dict[int, dict[str, Any]]:
        """Return the environments by their numbers, which `chunks` uses."""
        rows = self._query("SELECT id, facts FROM environment")
        return {number: json.loads(facts) for number, facts in rows}

    def packed_environments(self) -> list[str]:
        """Return the environments as they are stored."""
        return [facts for (facts,) in self._query("SELECT facts FROM environment")]

    def environments_of(self, runs: Sequence[int]) -> list[tuple[str, dict[str, Any]]]:
        """Return (key, environment) of each environment in which a cell of some runs was computed.

        Only the latest attempts count. The order is that of the keys.
        """
        known = self.environments()
        rows = self._query(
            "SELECT DISTINCT key, environment FROM latest WHERE key IN "
            "(SELECT key FROM run_cell WHERE run IN (SELECT value FROM json_each(?))) "
            "ORDER BY key, environment",
            json.dumps(list(runs)),
        )
        return [(key, known[number]) for key, number in rows]

    def loaded(self, keys: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield cells' keys with the files that were used although no key covers them.

        Only the latest attempts count. Most cells have no such modules.
        """
        rows = self._query(
            "SELECT DISTINCT key, json_extract(facts, '$.loaded') "
            "FROM latest JOIN environment ON environment.id = latest.environment "
            "WHERE json_type(facts, '$.loaded') = 'object' "
            "AND key IN (SELECT value FROM json_each(?))",
            json.dumps(list(keys)),
        )
        for key, loaded in rows:
            yield key, json.loads(loaded)

    # Signals and estimates ------------------------------------------------------------------------

    def signals_keys(self) -> dict[str, str]:
        """Return the key of the test signals of each cell."""
        return dict(self._query("SELECT key, signals FROM cell"))

    def known_signals(self) -> set[str]:
        """Return the keys of the test signals that are stored."""
        return {key for (key,) in self._query("SELECT key FROM signals")}

    def signals_of(self, signals_key: str) -> Array | None:
        """Return the test signals under a key, (S, N) float32, or None if they are not stored."""
        rows = self._query("SELECT n, x FROM signals WHERE key = ?", signals_key)
        return np.frombuffer(rows[0][1], "<f4").reshape(-1, rows[0][0]) if rows else None

    def signals(self, key: str) -> Array:
        """Return the test signals of a cell, (S, N) float32.

        Raises
        ------
        StoreError
            If they are not stored.
        """
        rows = self._query("SELECT signals FROM cell WHERE key = ?", key)
        signals = self.signals_of(rows[0][0]) if rows else None
        if signals is None:
            raise StoreError(f"no test signals are stored for the cell {key}")
        return signals

    def recovered(self, key: str) -> Array:
        """Return the estimates of a cell, (S, N) float32; NaN for a signal without an estimate."""
        facts = self.facts(key)
        estimates = np.full((facts["points"], facts["n"]), np.nan, np.float32)
        rows = self._query("SELECT start, x FROM recovered WHERE key = ?", key)
        for start, blob in rows:
            part = np.frombuffer(blob, "<f4").reshape(-1, facts["n"])
            estimates[start : start + len(part)] = part
        return estimates

    def traces(self, key: str) -> list[bytes]:
        """Return the packed traces of those chunks of a cell that have one, in order."""
        rows = self._query(
            "SELECT trace FROM recovered WHERE key = ? AND trace IS NOT NULL ORDER BY start", key
        )
        return [trace for (trace,) in rows]


def pack_facts(facts: Mapping[str, Any]) -> str:
    """Return the facts of a cell as they are stored."""
    return json.dumps(facts, allow_nan=False)


def pack_signals(signals: Array) -> bytes:
    """Return signals or estimates, (S, N), as they are stored: float32."""
    return signals.astype("<f4").tobytes()


def pack_scores(scores: Array) -> bytes:
    """Return scores, (5, S), as they are stored: float64."""
    return scores.astype("<f8").tobytes()


def unpack_scores(scores: bytes) -> Array:
    """Return stored scores as an array, (5, S)."""
    return np.frombuffer(scores, "<f8").reshape(len(SCORES), -1)


def _known_bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
