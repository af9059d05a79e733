"""Results of runs as one tidy pandas data frame with one row per signal, and its exports."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from benchbase.component import Array
from benchbase.discovery.registry import registry
from benchbase.errors import BenchbaseError, StoreError, system_error
from benchbase.numerics import traces
from benchbase.planning.experiment import PROBLEM
from benchbase.running.rebuild import Rebuilder
from benchbase.showing.table import comparative_table
from benchbase.storage.attempts import TRUST
from benchbase.storage.database import no_results
from benchbase.storage.store import SCORES, Store

if TYPE_CHECKING:
    import pandas as pd

    from benchbase.problem import Problem

COLUMNS = {
    "run": "number of the run in its store",
    "suite": "name of the suite",
    "experiment": "experiment within the suite; empty if the suite has only one",
    "cell": "key of the cell, a digest of everything that its numbers depend on",
    "dataset": "name of the data set",
    "n": "dimension of the signals",
    "frame": "name of the frame's recipe",
    "n_pools": "number of pools K",
    "pool_size": "number of vectors per pool L",
    "condition": "condition number of the frame on the span of its vectors",
    "pooling": "name of the pooling operator",
    "p": "exponent of the lp norm",
    "rectified": "whether coefficients are half rectified",
    "noise": "name of the noise on the measurements; empty if there is none",
    "hint": "name of the hint that comes with each signal; empty if there is none",
    "solver": "name of the solver",
    "label": "the solver's label in the suite",
    "seed": "seed of the experiment",
    "trial": "number of the trial; each trial has its own frame and test signals",
    "points": "number of test signals of the cell",
    "signal": "number of the signal within the trial",
    "status": "done, failed, timeout, crashed, unsupported, or pending",
    "message": "why the solver failed or is unsupported, or a remark of the solver",
    "squared_cosine": "squared cosine of the angle between estimate and signal",
    "relative_error": "‖x̂ − x‖ / ‖x‖; with the better sign if the measurements lose the sign",
    "residual": "‖P(F x̂) − b‖ / ‖b‖",
    "n_iter": "number of iterations",
    "converged": "whether the solver's own criterion was met",
    "prepare_seconds": "seconds to prepare the solver, for all signals of the chunk together",
    "init_seconds": "seconds per signal in phases named init (mean over the chunk)",
    "solve_seconds": "seconds per signal in all other phases (mean over the chunk)",
    "frame_applications": "frame applications per signal (mean over the chunk)",
    "isolated": "whether the solver ran in a process without code of other strangers",
    "sealed": "whether that process held neither the signals nor the seed",
}
"""The first columns of `Results.rows` and what they hold; flattened parameters follow them."""

FORMATS = ("csv", "parquet", "json")
_COSTS = ("prepare_seconds", "init_seconds", "solve_seconds", "frame_applications", "condition")
_FACTS = ("n", "n_pools", "pool_size", "rectified", "seed", "trial", "points")
_NOT_FINITE = "the estimate is not finite"


@dataclasses.dataclass(frozen=True)
class Results:
    """The results of one or more runs.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of results.
    runs : tuple of int
        The numbers of the runs.
    """

    folder: Path
    runs: tuple[int, ...]

    def rows(self) -> pd.DataFrame:
        """Return a data frame with one row per signal of each cell, whatever its status.

        Its first columns are those of `COLUMNS`. The components' parameters follow as
        ``dataset.components``, ``pooling.threshold``, ``solver.init.q`` and so on; such a column is
        empty if the row's component has no parameter of that name. If two runs of a suite hold the
        same cell under the same label, the cell appears once, for the later run.
        """
        import pandas as pd

        # From version 3, pandas copies data only when one of the two frames is written to.
        return self._rows.copy(deep=int(pd.__version__.partition(".")[0]) < 3)

    @cached_property
    def _rows(self) -> pd.DataFrame:
        import pandas as pd

        seen: set[tuple[str, ...]] = set()
        blocks: list[tuple[int, int, dict[str, Any], dict[str, Array]]] = []
        with Store(self.folder) as store, store.as_written():
            suites = {run["id"]: run["suite"] for run in store.runs()}
            for run in sorted(self.runs, reverse=True):
                chunks = store.chunks(run)
                for position, (experiment, label, key, facts) in enumerate(store.cells(run)):
                    identity = (suites[run], experiment, label, key)
                    if identity in seen:
                        continue
                    seen.add(identity)
                    head = {"run": run, "suite": suites[run], "experiment": experiment}
                    head |= {"cell": key, "label": label} | columns_of(facts)
                    for same, rows in _rows(facts["points"], chunks.get(key, [])):
                        blocks.append((run, position, head | same, rows))
            blocks.sort(key=lambda block: block[:2])
            # One row per block is made and repeated; a data frame per block takes 7 times as long.
            frame = pd.DataFrame([same for _, _, same, _ in blocks], dtype=object)
            for name in set(frame) - set(COLUMNS):
                frame[name] = _typed(frame[name])
            sizes = [len(rows["signal"]) for *_, rows in blocks]
            # Types come before repeating, so that text is converted once per block, not per row.
            frame = _tidy(frame)
            frame = frame.take(np.repeat(np.arange(len(blocks)), sizes)).reset_index(drop=True)
            for name in blocks[0][3] if blocks else ():
                own = np.concatenate([rows[name] for *_, rows in blocks])
                kind = frame[name].dtype
                frame[name] = _text(own) if own.dtype == object else pd.Series(own).astype(kind)
            return frame

    def estimates(self, cell: str) -> Array:
        """Return a cell's estimates of its signals, (S, N) float32; NaN if there is no estimate."""
        with Store(self.folder) as store:
            return store.recovered(cell)

    def signals(self, cell: str) -> Array:
        """Return the true signals of a cell, (S, N) float32."""
        with Store(self.folder) as store:
            return store.signals(cell)

    def problem(self, cell: str) -> Problem:
        """Rebuild the problem of a cell as its solver met it, with the present code.

        This may take as long as it took in the run: data are read and learned frames are learned,
        unless they are in the cache. ``benchbase verify`` says whether rebuilt problems are those
        that were run.

        Raises
        ------
        BenchbaseError
            If there is no such cell, one of its components is not installed, or its data are
            missing.
        """
        with Store(self.folder) as store:
            facts = store.facts(cell)
        rebuilder = Rebuilder(registry())
        try:
            made = rebuilder.cell(facts)
        except BenchbaseError as error:
            message = f"the problem of the cell {cell} cannot be rebuilt: {error}"
            raise BenchbaseError(message) from error
        return rebuilder.instance(made).problem

    def traces(self) -> pd.DataFrame:
        """Return the snapshots that solvers recorded in experiments with ``trace = true``.

        There is one row for each signal and snapshot. The column ``cell`` gives the key by which
        `rows` tells the row's problem and solver. The other columns are those of
        `benchbase.numerics.traces.COLUMNS`.
        """
        import pandas as pd

        cells = self._rows["cell"].drop_duplicates()
        with Store(self.folder) as store, store.as_written():
            parts = [
                pd.DataFrame({"cell": cell} | traces.unpack(packed))
                for cell in cells
                for packed in store.traces(cell)
            ]
            columns = ["cell", *traces.COLUMNS]
            whole = {"signal": "int64", "step": "int64", "n_iter": "int64"}
            table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
            return table.astype(whole)

    def environments(self) -> list[tuple[str, dict[str, Any]]]:
        """Return pairs of a cell and an environment that some of its outcomes were made in.

        Environments are those of `benchbase.discovery.provenance.circumstances`: versions, digests
        of code, and processor.
        """
        with Store(self.folder) as store:
            return store.environments_of(self.runs)

    @property
    def suites(self) -> list[dict[str, Any]]:
        """The facts of each run: id, suite, title, resolved, command, started, finished."""
        with Store(self.folder) as store:
            return [run for run in store.runs() if run["id"] in self.runs]

    def export(self, form: str, target: TextIO | Path) -> None:
        """Write the data frame of `rows` to a file or stream.

        Parameters
        ----------
        form : {"csv", "parquet", "json"}
            The format. JSON is a list of records, in which NaN is null and infinity is "inf".
        target : text stream or pathlib.Path
            Where to write it; parquet needs a path.

        Raises
        ------
        BenchbaseError
            If there is no such format, parquet gets no path, or the file cannot be written.
        """
        if form not in FORMATS:
            raise BenchbaseError(
                f"there is no format {form!r}; the formats are: {', '.join(FORMATS)}"
            )
        if form == "parquet" and not isinstance(target, Path):
            raise BenchbaseError("parquet is not a text format; name a file with -o FILE")
        try:
            self._export(form, target)
        except OSError as error:
            if not isinstance(target, Path):
                raise  # the reader of the stream closed it, as `| head` does
            raise system_error(target, error) from error

    def _export(self, form: str, target: Any) -> None:
        frame = self._rows
        if form == "csv":
            frame.to_csv(target, index=False)
        elif form == "parquet":
            frame.to_parquet(target, index=False)
        else:
            infinite = {float("inf"): "inf", float("-inf"): "-inf"}
            plain = frame.astype(object).replace(infinite)
            records = plain.where(plain.notna(), None).to_dict("records")
            # One record per line: with an indent, json would not use its fast encoder.
            lines = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
            text = f"[\n{lines}\n]\n"
            target.write_text(text) if isinstance(target, Path) else target.write(text)

    def table(self) -> pd.DataFrame:
        """Return the comparative table: solvers against numbers of pools, as text.

        The report ``table`` prints and writes the same texts.

        Returns
        -------
        pandas.DataFrame
            One row per problem and solver, which are the levels "Problem" and "Solver" of the
            index. Columns are "K=20" and so on, ascending. A cell is the mean squared cosine ± its
            standard error, such as ".982 ± .004"; "n/a" if the solver does not apply, and "" if it
            did not run there. It ends with "…" while signals are pending.
        """
        return comparative_table(self._rows)

    def by_suite(self) -> list[Results]:
        """Return the results of each suite separately, in order of the suites' first runs."""
        runs: dict[str, list[int]] = {}
        for each in self.suites:
            runs.setdefault(each["suite"], []).append(each["id"])
        return [dataclasses.replace(self, runs=tuple(numbers)) for numbers in runs.values()]

    def _repr_html_(self) -> str:
        """Return the comparative table as HTML, for notebooks."""
        title = escape(", ".join(f"{run['title']} (run {run['id']})" for run in self.suites))
        return f"<p>{title}: mean squared cosine ± standard error</p>{self.table().to_html()}"


def load_results(path: str | Path, run: int | str | None = None) -> Results:
    """Open the results of earlier runs.

    Parameters
    ----------
    path : str or pathlib.Path
        A folder of results.
    run : int, "all" or "last", optional
        The number of one run, all runs, or the latest run; by default the latest run of each suite.

    Returns
    -------
    Results

    Raises
    ------
    StoreError
        If there are no results, they cannot be read, or there is no such run.
    """
    with Store(path) as store:
        store.check_rows()
        known = store.runs()
    if not known:
        raise StoreError(no_results(Path(path)))
    numbers = [entry["id"] for entry in known]
    if run is None:
        chosen = list({entry["suite"]: entry["id"] for entry in known}.values())
    elif run in ("all", "last"):
        chosen = numbers if run == "all" else numbers[-1:]
    elif str(run) in map(str, numbers):  # a number may be longer than Python reads
        chosen = [int(run)]
    else:
        listed = ", ".join(f"{entry['id']} ({entry['suite']})" for entry in known)
        raise StoreError(f"no run {run!r} in {path}; there are: {listed}")
    return Results(Path(path), tuple(sorted(chosen)))


def columns_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that are the same for all rows of a cell."""
    kinds = [kind for kind in (*PROBLEM, "solver") if kind in facts]
    columns = dict.fromkeys(PROBLEM, "") | {kind: facts[kind]["name"] for kind in kinds}
    columns |= {key: facts[key] for key in _FACTS}
    columns["p"] = None if facts["p"] is None else float(facts["p"])
    for kind in kinds:
        parameters = {key: value for key, value in facts[kind].items() if key != "name"}
        columns |= dict(_flattened(kind, parameters))
    return columns


def _flattened(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flattened(f"{path}.{key}", item)
    elif isinstance(value, list):
        yield path, str(value)
    elif value in ("inf", "-inf"):
        yield path, float(value)
    else:
        yield path, value


_Block = tuple[dict[str, Any], dict[str, Array]]


def _rows(points: int, chunks: list[dict[str, Any]]) -> Iterator[_Block]:
    """Yield blocks of rows for all signals of a cell: one per chunk, and pending ones for the gaps.

    A block is a pair: the values that all its rows share, and the columns that differ by row.
    """
    pending = {"status": "pending", "message": ""}
    covered = 0
    for chunk in chunks:
        if covered < chunk["start"]:
            yield _block(covered, chunk["start"], pending)
        yield _block(chunk["start"], chunk["stop"], chunk)
        covered = chunk["stop"]
    if covered < points:
        yield _block(covered, points, pending)


def _block(start: int, stop: int, chunk: dict[str, Any]) -> _Block:
    scores = chunk.get("scores")
    if scores is None:
        scores = np.full((len(SCORES), stop - start), np.nan)
    status, message = (np.full(stop - start, chunk[name], object) for name in ("status", "message"))
    lost = np.isnan(scores[0])
    if chunk["status"] == "done" and lost.any():
        status[lost] = "failed"
        message[lost] = f"{_NOT_FINITE}: {chunk['message']}" if chunk["message"] else _NOT_FINITE
    rows = {"signal": np.arange(start, stop), "status": status, "message": message}
    same = {name: chunk.get(name) for name in (*_COSTS, *TRUST)}
    return same, rows | dict(zip(SCORES, scores, strict=True))


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Order the columns and give them types that do not depend on which rows there are."""
    others = sorted(set(frame.columns) - set(COLUMNS))
    frame = frame.reindex(columns=[*COLUMNS, *others])
    whole = ("run", *(name for name in _FACTS if name != "rectified"), "signal", "n_iter")
    truth = dict.fromkeys(("rectified", "converged", *TRUST), "boolean")
    reals = (*SCORES[:3], "p", *_COSTS)
    types = dict.fromkeys(whole, "Int64") | truth | dict.fromkeys(reals, "float64")
    return frame.astype(types).infer_objects()


def _text(values: Array) -> Any:
    """Return a column of text, with few different values, in the type that pandas has for text."""
    import pandas as pd

    numbers, different = pd.factorize(values)
    return pd.Series(different).infer_objects().array.take(numbers)


def _typed(parameter: pd.Series[Any]) -> pd.Series[Any]:
    """Give a parameter's column the type of its values; rows without the parameter are missing."""
    kinds = {type(value) for value in parameter.dropna()}
    if kinds == {int} or kinds == {bool}:
        return parameter.astype("Int64" if kinds == {int} else "boolean")
    if kinds and kinds <= {int, float}:
        return parameter.astype("float64")
    # Values of several types, such as a number and a list of numbers, are shown as text.
    return parameter.map(str, na_action="ignore") if len(kinds) > 1 else parameter
