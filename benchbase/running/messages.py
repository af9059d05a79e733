"""Messages of worker processes: a JSON header of limited length, and arrays as NPY files.

A message has a kind and fields. It is a head (magic bytes, the length of the JSON header, the
length of all arrays), the header, and the arrays. Whoever receives it trusts none of its bytes,
because a solver may write anything into the pipe of its worker.
"""

from __future__ import annotations

import json
import os
import pickle
import selectors
import struct
import threading
import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchbase.errors import FormatError
from benchbase.storage.plain import array_bytes, parse_array, parse_json

LARGEST_HEADER = 16 << 20
"""The most bytes of a message's header."""

PATIENCE = 30
"""Seconds without a byte after which a message that has begun is taken for a broken one."""

_HEAD = struct.Struct("<4sIQ")
_MAGIC = b"\x93BM1"
_AT_ONCE = 1 << 20  # bytes
_LARGEST_INT = (1 << 31) - 1


class Message(NamedTuple):
    """A message: its kind, and its fields, which are JSON values or arrays."""

    kind: str
    fields: dict[str, Any]


def pack(kind: str, fields: Mapping[str, Any]) -> bytes:
    """Return a message as bytes.

    Parameters
    ----------
    kind : str
        What the receiver tells messages apart by.
    fields : mapping of str to object
        JSON values, NumPy's numbers, and arrays of a type in `benchbase.storage.plain.PLAIN`. Bytes
        arrive as arrays of the type uint8, and tuples as lists.

    Raises
    ------
    TypeError
        If there is anything else in it.
    """
    arrays, values = {}, {}
    for name, value in fields.items():
        if isinstance(value, bytes):
            arrays[name] = array_bytes(np.frombuffer(value, np.uint8))
        elif isinstance(value, np.ndarray):
            arrays[name] = array_bytes(value)
        else:
            values[name] = value
    sizes = {name: len(data) for name, data in arrays.items()}
    content = {"kind": kind, "values": values, "arrays": sizes}
    header = json.dumps(content, default=_number).encode()
    return b"".join(
        [_HEAD.pack(_MAGIC, len(header), sum(sizes.values())), header, *arrays.values()]
    )


def _number(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be part of a message")


def _unpack(header: bytes, arrays: memoryview) -> Message:
    content = parse_json("its header", header, finite=False)
    match content:
        case {"kind": str(kind), "values": dict(fields), "arrays": dict(sizes)}:
            pass
        case _:
            raise FormatError("its header has other fields than a message")
    if any(type(size) is not int or size < 0 for size in sizes.values()):
        raise FormatError("its header has a size that is not one")
    if sum(sizes.values()) != len(arrays) or set(sizes) & set(fields):
        raise FormatError("its header does not fit its arrays")
    begin = 0
    for name, size in sizes.items():
        fields[name] = parse_array(ascii(name[:80]), arrays[begin : begin + size])
        begin += size
    return Message(kind, fields)


class Sender:
    """The end of a pipe that messages are written to.

    Parameters
    ----------
    descriptor : int
        The file descriptor of that end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._owner = descriptor, os.getpid()
        self._lock = threading.Lock()  # a solver's threads may send remarks

    def send(self, kind: str, fields: Mapping[str, Any] | None = None) -> None:
        """Write a message, and wait until all of it is written.

        A child process that a solver forked sends nothing.

        Raises
        ------
        OSError
            If the pipe is closed.
        TypeError
            If the fields are no plain data.
        """
        if os.getpid() != self._owner:
            return
        left = memoryview(pack(kind, fields or {}))
        with self._lock:
            while left:
                left = left[os.write(self._descriptor, left) :]


def pickled(message: object) -> bytes:
    """Return a message to a worker as `multiprocessing.connection.Connection` reads it.

    A worker trusts the process that started it. Nothing that it sends is read this way.
    """
    data = pickle.dumps(message)
    fits = len(data) <= _LARGEST_INT
    return (struct.pack("!i", len(data)) if fits else struct.pack("!iQ", -1, len(data))) + data


def write_within(descriptor: int, data: bytes, patience: float) -> None:
    """Write all data to a pipe that does not block.

    Parameters
    ----------
    descriptor : int
        The file descriptor of the pipe's end.
    data : bytes
        What to write.
    patience : float
        The seconds after which a reader that takes nothing is given up.

    Raises
    ------
    TimeoutError
        If the reader is given up.
    OSError
        If the pipe is closed.
    """
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            with selectors.DefaultSelector() as selector:
                selector.register(descriptor, selectors.EVENT_WRITE)
                if not selector.select(patience):
                    raise TimeoutError from None


class Receiver:
    """The end of a pipe that messages are read from. It never waits for one.

    Parameters
    ----------
    descriptor : int
        The file descriptor of that end.

    Attributes
    ----------
    most : int
        The most bytes that the arrays of a message may have.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._data = bytearray()
        self._last = 0.0
        self._at_end = False
        self.most = 0

    def fileno(self) -> int:
        """Return the file descriptor, so that one can wait for messages."""
        return self._descriptor

    def receive(self) -> Message | None:
        """Return the next message, or None if there is no whole message yet.

        Raises
        ------
        EOFError
            If the pipe was closed, and all messages before that have been received.
        FormatError
            If the bytes are no message, or their rest does not come; the end is then of no more
            use.
        """
        message = self._next()
        if message is None and self._read():
            message = self._next()
        if message is None and self._at_end:
            raise EOFError
        if message is None and self._data and time.monotonic() > self._last + PATIENCE:
            raise FormatError("the rest of a message did not come")
        return message

    def _read(self) -> bool:
        """Read what there is, but not all at once from a sender that never stops."""
        try:
            data = os.read(self._descriptor, _AT_ONCE)
        except BlockingIOError:
            return False
        self._at_end = not data
        self._data += data
        self._last = time.monotonic()
        return True

    def _next(self) -> Message | None:
        if self._data and not _MAGIC.startswith(self._data[: len(_MAGIC)]):
            raise FormatError("its bytes are no message")
        if len(self._data) < _HEAD.size:
            return None
        _, header, arrays = _HEAD.unpack_from(self._data)
        if header > LARGEST_HEADER or arrays > self.most:
            raise FormatError("it claims to be larger than a message may be")
        middle = _HEAD.size + header
        end = middle + arrays
        if len(self._data) < end:
            return None
        whole = bytes(memoryview(self._data)[:end])
        del self._data[:end]
        return _unpack(whole[_HEAD.size : middle], memoryview(whole)[middle:])

    def close(self) -> None:
        """Close this end."""
        os.close(self._descriptor)


class ArrayField(NamedTuple):
    """What an array in a message must be."""

    dtype: str
    shape: tuple[int, ...] | None = None  # any, if it is None


Field = tuple[type, ...] | ArrayField
"""The types that a field's value may have (exactly these), or what an array must be."""


def check_fields(
    fields: Mapping[str, Any], known: Mapping[str, Field], needed: Collection[str]
) -> None:
    """Make sure that a message has the fields that it may have and must have.

    Parameters
    ----------
    fields : mapping
        The fields of a message.
    known : mapping of str to Field
        What each field must be.
    needed : collection of str
        The fields that may not be missing.

    Raises
    ------
    FormatError
        If a field is missing, unknown, or of another kind.
    """
    for name in needed:
        if name not in fields:
            raise FormatError(f"it lacks the field '{name}'")
    for name, value in fields.items():
        field = known.get(name)
        if field is None:
            raise FormatError(f"it has an unknown field {name[:80]!a}")
        if not isinstance(field, ArrayField):
            fits = type(value) in field
        else:
            fits = isinstance(value, np.ndarray) and value.dtype == np.dtype(field.dtype)
            fits = fits and field.shape in (None, value.shape)
        if not fits:
            raise FormatError(f"its field '{name}' is not what it should be")
