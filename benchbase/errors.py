"""The exceptions that benchbase raises on purpose.

::

    BenchbaseError              the root: it has a message for the user, and an exit code
    ├── ParameterError          a component refuses the value of one of its parameters
    ├── SpecError               a `{name, parameters}` table does not describe a component
    ├── SuiteError              a suite has mistakes; each is listed with its file and line
    ├── PluginError             plugins clash, cannot be loaded, or give what they must not
    ├── DataError               a data set's files are missing or not what they should be
    │   └── NotDownloadedError  they would have to be downloaded, which is not wanted now
    ├── StoreError              results cannot be read or written
    ├── FormatError             bytes from elsewhere are not the plain data that they should be
    ├── DiskError               a disk is full or fails
    ├── OutOfMemoryError        there is not enough memory to make a problem
    └── ReportError             reports failed; each is told in a line of its own
"""

from __future__ import annotations

import errno
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from benchbase.wording import visible


class BenchbaseError(Exception):
    """The root of all errors that the user can mend; its text is one clear message.

    Attributes
    ----------
    exit_code : int
        The exit code of the command line: 2 for a user's mistake, 1 for a failure during work.
    """

    exit_code = 2

    def __str__(self) -> str:
        """Return the message, with escapes for characters that a terminal might obey."""
        return visible(super().__str__(), "\n\t")


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


DEEPEST = 50
"""How many tables and lists in each other the values of a suite may have."""

Place = tuple[str | int, ...]


def unstorable(value: object, path: Place = ()) -> tuple[Place, str] | None:
    """Find a value that cannot be stored among values from a suite, a command or a script.

    Parameters
    ----------
    value : object
        A number, a text, or lists, tuples and dicts of these.
    path : tuple of (str or int), optional
        Where it stands.

    Returns
    -------
    tuple or None
        Where the first such value is, and what is wrong with it, such as "must be an integer from
        -2⁶³ to 2⁶³ - 1": databases and tables hold no others.
    """
    if isinstance(value, int):
        fits = -(2**63) <= value < 2**63
        return None if fits else (path, "must be an integer from -2⁶³ to 2⁶³ - 1")
    if isinstance(value, str):
        return None if "\0" not in value and _is_unicode(value) else (path, "must be valid text")
    if len(path) > DEEPEST:
        problem = f"is nested too deeply; at most {DEEPEST} tables and lists may be in each other"
        return path[:1], problem
    inside: Iterable[tuple[Any, object]] = ()
    if isinstance(value, Mapping):
        bad = next((key for key in value if unstorable(key)), None)
        if bad is not None:
            return path, f"must not have the key {bad!a}"
        inside = value.items()
    elif isinstance(value, list | tuple):
        inside = enumerate(value)
    found = (unstorable(item, (*path, key)) for key, item in inside)
    return next((each for each in found if each is not None), None)


def _is_unicode(text: str) -> bool:
    """Whether a text can be encoded; Python puts half characters where bytes are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_real(parameter: str, values: Any) -> None:
    """Raise a `ParameterError` if an array holds complex numbers.

    Without this, a conversion to real numbers would drop the imaginary parts.

    Parameters
    ----------
    parameter : str
        What the array is, for example ``"b"``.
    values : array_like
        The array.
    """
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind == "c":
        raise ParameterError(
            parameter,
            "must hold real numbers, not complex ones; store a complex signal of dimension N/2 as "
            "N real numbers, first its real parts and then its imaginary parts",
        )


class SpecError(BenchbaseError):
    """A `{name, parameters}` table does not describe a component.

    Parameters
    ----------
    path : tuple of (str or int)
        Where in the table the problem is, for example ``("init", "q")``.
    problem : str
        What is wrong there.
    kind : str
        The kind of component that the table was to describe.
    others : sequence of SpecError
        What else is wrong with the table.
    """

    def __init__(
        self,
        path: tuple[str | int, ...],
        problem: str,
        kind: str = "",
        others: Sequence[SpecError] = (),
    ) -> None:
        # `problem` already names the component, so the place need not end in "name".
        place = path[:-1] if path[-1:] == ("name",) else path
        super().__init__(": ".join(part for part in (kind, dotted(place), problem) if part))
        self.path = path
        self.problem = problem
        self.kind = kind
        self.others = tuple(others)

    @classmethod
    def of_all(cls, errors: Sequence[SpecError]) -> SpecError:
        """Return one error for several, of which the first gives the message."""
        every = [each for error in errors for each in error.all()]
        first = every[0]
        return cls(first.path, first.problem, first.kind, every[1:])

    def all(self) -> tuple[SpecError, ...]:
        """Return the error itself and all others that were found with it."""
        return (self, *self.others)


class SuiteError(BenchbaseError):
    """A suite has mistakes.

    Parameters
    ----------
    problems : iterable of str
        One line for each mistake, with its place; there is at least one.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


class PluginError(BenchbaseError):
    """Plugins clash, a plugin file cannot be loaded, or a component gives what it must not."""


class DataError(BenchbaseError):
    """A data set's files are missing, or they are not what they should be."""


class NotDownloadedError(DataError):
    """A data set's files have not been downloaded yet, and nothing may be downloaded now."""


class StoreError(BenchbaseError):
    """Results cannot be read or written."""


class FormatError(BenchbaseError):
    """Bytes from a stranger or a worker process are not the plain data that they should be."""


class DiskError(BenchbaseError):
    """A disk or a quota is full, or a disk fails."""

    exit_code = 1


class ReportError(BenchbaseError):
    """Reports failed.

    Parameters
    ----------
    errors : sequence of BenchbaseError
        What each of them says; there is at least one.
    """

    def __init__(self, errors: Sequence[BenchbaseError]) -> None:
        super().__init__("\n".join(dict.fromkeys(map(str, errors))))
        self.exit_code = max(error.exit_code for error in errors)


class OutOfMemoryError(BenchbaseError):
    """There is not enough memory to draw signals or to build a problem."""

    exit_code = 1


def system_error(
    place: object, error: Exception, kind: type[BenchbaseError] = BenchbaseError
) -> BenchbaseError:
    """Return the benchbase error that tells the user of a file system's or SQLite's error.

    Parameters
    ----------
    place : object
        What could not be read or written, such as a path.
    error : Exception
        The error of the file system or of SQLite.
    kind : type, optional
        The class of the returned error, unless a full or failing disk makes it a `DiskError`.
    """
    number = getattr(error, "errno", None)
    name = getattr(error, "sqlite_errorname", "")
    text = f"{place}: {getattr(error, 'strerror', None) or error}"
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or name == "SQLITE_FULL":
        return DiskError(f"{text}; make room, then try again")
    if number == errno.EIO or name.startswith("SQLITE_IOERR"):
        # SQLite calls a quota that is used up an I/O error too.
        return DiskError(f"{text}; check the disk and its quota, then try again")
    return kind(text)


@contextmanager
def disk_errors(place: object) -> Iterator[None]:
    """Turn a file system's errors into benchbase errors, as `system_error` does.

    Parameters
    ----------
    place : object
        What is named if an error does not name its file.
    """
    try:
        yield
    except OSError as error:
        raise system_error(error.filename or place, error) from error


def dotted(path: Iterable[str | int]) -> str:
    """Spell a path the way a suite does: ``frame.n_pools``, ``solver[0].init``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the end of a message that suggests a known word for an unknown one.

    Parameters
    ----------
    word : str
        The unknown word.
    known : iterable of str
        The known words.

    Returns
    -------
    str
        ``"; did you mean 'altmin'?"``, or ``"; there are: 'a', 'b'"`` if no known word is close;
        ``"; there is none"`` if there are no known words.
    """
    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; there are: {', '.join(map(repr, names))}" if names else "; there is none"


LONGEST_MESSAGE = 2000
"""The most characters of a message that is stored or shown in one line."""


def in_one_line(value: object) -> str:
    """Return the text of any object in one line that can be stored and shown; "" if it has none.

    Invisible characters are escaped, and of a long text the end is left out. So no solver can send
    commands to a terminal, or fill a disk with what it says.
    """
    try:
        line = " ".join(str(value).split())
    except Exception:  # a plugin's own `__str__` may raise anything
        return ""
    shown = visible(line[: LONGEST_MESSAGE + 1])
    return shown if len(shown) <= LONGEST_MESSAGE else f"{shown[: LONGEST_MESSAGE - 1]}…"


def described(error: BaseException) -> str:
    """Return one line about an error; it begins with the type if benchbase did not raise it."""
    text = in_one_line(error)
    return text if isinstance(error, BenchbaseError) else f"{type(error).__name__}: {text}"
