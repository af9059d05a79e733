"""Plain data from elsewhere: JSON and NPY arrays, read without trusting any of their bytes.

Bundles of strangers and messages of worker processes pass through the same functions. Nothing is
unpickled or evaluated, and no claimed size is trusted.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections import Counter
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from benchbase.errors import FormatError

MOST_VALUES = 3_000_000
"""The most values of a JSON text: two bytes of it become an object of a hundred bytes."""

MOST_NAMES = 20_000
"""The most names of a JSON object."""

PLAIN = ("<f4", "<f8", "<i8", "|u1")
"""The types of numbers that an array may have if its reader expects no certain one."""

_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?[A-Za-z]\d*)', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?)\), \} *\n"
)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # how JSON spells one half of a surrogate pair


def parse_json(name: str, data: bytes, *, finite: bool = True) -> Any:
    """Read JSON strictly: UTF-8, no name twice, not too deep or too large.

    Parameters
    ----------
    name : str
        What the data are called in messages, for example ``"the manifest"``.
    data : bytes
        The text.
    finite : bool, optional
        Refuse NaN and infinite numbers.

    Raises
    ------
    FormatError
        If it is anything else; the message says what is wrong.
    """

    def not_finite(word: str) -> NoReturn:
        raise FormatError(f"{name} holds {word[:40]}, which is not a finite number")

    def number(word: str) -> float:
        value = float(word)
        return value if math.isfinite(value) else not_finite(word)

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) > MOST_NAMES:
            raise FormatError(f"{name} has an object of more than {MOST_NAMES} names")
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(word for word, count in Counter(w for w, _ in pairs).items() if count > 1)
            raise FormatError(f"{name} says {twice[:80]!r} twice")
        return found

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{name} is not UTF-8") from None
    values = sum(map(text.count, ",[{"))  # at most so many, counted before any is made
    if values > MOST_VALUES:
        raise FormatError(
            f"{name} holds up to {values} values, but at most {MOST_VALUES} are allowed"
        )
    strict: dict[str, Any] = {"parse_constant": not_finite, "parse_float": number}
    try:
        value = json.loads(text, object_pairs_hook=table, **strict if finite else {})
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise FormatError(f"{name} is nested too deeply") from None
    except UnicodeEncodeError:
        raise FormatError(f"{name} holds half a surrogate pair, which is not a character") from None
    except ValueError as error:
        raise FormatError(f"{name} is not JSON: {error}") from None
    return value


def array_bytes(array: npt.NDArray[Any]) -> bytes:
    """Return an array as an NPY file of version 1.0."""
    array = np.ascontiguousarray(array)
    return _head(array.dtype, array.shape) + array.tobytes()


@lru_cache(maxsize=1000)
def _head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the head of an NPY file; kept, because many arrays have the same."""
    file = io.BytesIO()
    head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, head)
    return file.getvalue()


@lru_cache(maxsize=1000)
def _parsed_head(head: bytes) -> tuple[str, bool, tuple[int, ...]] | None:
    """Return type, order and shape from the header of an NPY file, or None if it is not plain."""
    found = _HEADER.fullmatch(head)  # parsed here, because NumPy evaluates it
    if found is None:
        return None
    kind, order, listed = (part.decode() for part in found.groups())
    return kind, order == "True", tuple(int(size) for size in listed.split(",") if size.strip())


def parse_array(
    name: str,
    data: bytes | memoryview,
    dtype: str | None = None,
    shape: tuple[int, ...] | None = None,
) -> npt.NDArray[Any]:
    """Read an NPY file; nothing is unpickled, no claimed size trusted.

    Parameters
    ----------
    name : str
        What the array is called in messages.
    data : bytes or memoryview
        The file; the array keeps it.
    dtype : str, optional
        The type of its numbers, for example ``"<f4"``; by default any in `PLAIN`.
    shape : tuple of int, optional
        Its shape; by default any.

    Returns
    -------
    ndarray
        The array, read-only.

    Raises
    ------
    FormatError
        If it is anything else; the message says what is wrong.
    """
    if data[:6] != _MAGIC or len(data) < 10:
        raise FormatError(f"{name} is not an NPY file")
    if data[6:8] != b"\x01\x00":
        raise FormatError(f"{name} is an NPY file of version {data[6]}.{data[7]}, not 1.0")
    begin = 10 + int.from_bytes(data[8:10], "little")
    head = _parsed_head(bytes(data[10:begin]))
    if head is None:
        raise FormatError(f"{name} has a header that plain arrays do not have")
    kind, fortran, sizes = head
    if "O" in kind:
        raise FormatError(f"{name} holds pickled objects, which are never read")
    if kind not in ([dtype] if dtype else PLAIN):
        raise FormatError(f"{name} holds numbers of type {kind}, not {dtype or 'a plain one'}")
    if shape is not None and sizes != shape:
        raise FormatError(f"{name} has the shape {sizes}, not {shape}")
    if fortran and len(sizes) > 1:
        raise FormatError(f"{name} is in Fortran's order")
    rest = data[begin:]
    # An empty array might still claim more rows than NumPy can count.
    if len(rest) != math.prod(sizes) * np.dtype(kind).itemsize or max(sizes, default=0) > 2**40:
        raise FormatError(f"{name} holds {len(rest)} bytes, not those of its shape")
    try:
        return np.frombuffer(rest, kind).reshape(sizes)
    except ValueError as error:
        raise FormatError(f"{name} has the shape {sizes}, which NumPy refuses") from error
