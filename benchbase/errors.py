"""The exceptions that benchbase raises on purpose.

::

    BenchbaseError              one sentence for a person, and an exit code
    ├── ParameterError          a component refuses the value of one of its parameters
    ├── SpecError               a `{name, parameters}` table does not make a component
    ├── SuiteError              a suite is wrong: all its problems, each with file and line
    ├── PluginError             plugins that clash, or a plugin file that cannot be loaded
    ├── DataError               a data set's files are missing or not what they should be
    ├── StoreError              results that cannot be read or written
    └── DiskError               a disk is full or fails
"""

from __future__ import annotations

import errno
import math
import operator
from collections.abc import Callable, Iterable
from difflib import get_close_matches


class BenchbaseError(Exception):
    """The root of all errors that a person can mend; its text is one clear message.

    Attributes
    ----------
    exit_code : int
        With what the command line exits: 2 for a mistake, 1 for what failed on the way.
    """

    exit_code = 2


class ParameterError(BenchbaseError, ValueError):
    """A component refuses the value of one of its parameters.

    Parameters
    ----------
    parameter : str
        The name of the parameter.
    problem : str
        What is wrong with its value, for example ``"must be at least 1, not 0"``.
    """

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter} {problem}")
        self.parameter = parameter
        self.problem = problem


def check_range(
    parameter: str,
    value: float,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> None:
    """Raise a `ParameterError` if a parameter is out of its range, or not a number.

    Parameters
    ----------
    parameter : str
        The name of the parameter.
    value : float
        Its value.
    least, above : float, optional
        The lower end of the range; with `above` the end itself is not allowed.
    most, below : float, optional
        The upper end; with `below` the end itself is not allowed. ``below=math.inf`` says that the
        value must be finite.

    Raises
    ------
    ParameterError
        For example with the text "tol must be finite and at least 0, not -1.0".
    """
    ends: list[tuple[str, float | None, Callable[[float, float], bool]]] = [
        ("at least", least, operator.ge),
        ("above", above, operator.gt),
        ("at most", most, operator.le),
        ("below", below, operator.lt),
    ]
    given = [(word, end, holds) for word, end, holds in ends if end is not None]
    if all(holds(value, end) for _, end, holds in given):
        return
    if least is not None and most is not None:
        words = [f"between {least:g}", f"{most:g}"]
    else:
        words = ["finite"] if below == math.inf else []
        words += [f"{word} {end:g}" for word, end, _ in given if end != math.inf]
    raise ParameterError(parameter, f"must be {' and '.join(words)}, not {value}")


class SpecError(BenchbaseError):
    """A `{name, parameters}` table does not make a component.

    Parameters
    ----------
    path : tuple of (str or int)
        Where in the table the problem is, for example ``("init", "q")``.
    problem : str
        What is wrong there.
    kind : str
        The kind of component that was to be built.
    """

    def __init__(self, path: tuple[str | int, ...], problem: str, kind: str = "") -> None:
        shown = path[:-1] if path[-1:] == ("name",) else path  # that of the component is told
        super().__init__(": ".join(part for part in (kind, dotted(shown), problem) if part))
        self.path = path
        self.problem = problem
        self.kind = kind


class SuiteError(BenchbaseError):
    """A suite is wrong.

    Parameters
    ----------
    problems : iterable of str
        One line a problem, each with its place; at least one.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


class PluginError(BenchbaseError):
    """Plugins that clash, or a plugin file that cannot be loaded."""


class DataError(BenchbaseError):
    """A data set's files are missing, or not what they should be."""


class StoreError(BenchbaseError):
    """Results that cannot be read or written."""


class DiskError(BenchbaseError):
    """A disk is full, or a quota, or it fails."""

    exit_code = 1


def system_error(
    place: object, error: Exception, kind: type[BenchbaseError] = BenchbaseError
) -> BenchbaseError:
    """Return what to tell of an error of the file system or of SQLite.

    Parameters
    ----------
    place : object
        What could not be read or written.
    error : Exception
        What was raised.
    kind : type, optional
        What to return, unless it is a `DiskError`.
    """
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    full |= getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR"))
    text = f"{place}: {getattr(error, 'strerror', None) or error}"
    return DiskError(f"{text}; make room, then try the same again") if full else kind(text)


def dotted(path: Iterable[str | int]) -> str:
    """Spell a path the way a suite does: ``frame.n_pools``, ``solver[0].init``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggestion(word: str, known: Iterable[str]) -> str:
    """Say which known word may have been meant, or which there are.

    Parameters
    ----------
    word : str
        The word that is not known.
    known : iterable of str
        The words that are.

    Returns
    -------
    str
        ``"; did you mean 'altmin'?"``, or ``"; there are: a, b"`` where nothing is close.
    """
    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; there are: {', '.join(names)}" if names else "; there is none"


def in_one_line(value: object) -> str:
    """Return what a stranger's object says of itself, in one line that can be stored."""
    try:
        line = " ".join(str(value).split())
    except Exception:  # a stranger's code: anything may come
        return ""
    return line.encode(errors="replace").decode()


def described(error: BaseException) -> str:
    """Say in one line what went wrong; with the error's type, unless the error is one of ours."""
    text = in_one_line(error)
    return text if isinstance(error, BenchbaseError) else f"{type(error).__name__}: {text}"
