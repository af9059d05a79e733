"""Messages through pipes: what is sent arrives, and what is no message is refused in time."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbase.errors import FormatError
from benchbase.running import messages
from benchbase.running.messages import ArrayField, Message, Receiver, Sender, check_fields, pack
from benchbase.storage.plain import array_bytes

SENT = {
    "key": "a\u2113b\U0001f600",
    "values": [1, None, {"x": 0.1}],
    "x": np.arange(6.0).reshape(2, 3),
}
Array = np.ndarray[Any, Any]


@pytest.fixture
def pipe() -> Iterator[tuple[Receiver, int]]:
    """A receiver, and the other end of its pipe."""
    taken, given = os.pipe()
    receiver = Receiver(taken)
    receiver.most = 1 << 16
    yield receiver, given
    receiver.close()
    with contextlib.suppress(OSError):  # the test has closed it
        os.close(given)


def same(message: Message | None, kind: str, fields: dict[str, Any]) -> bool:
    assert message is not None
    assert message.kind == kind
    assert message.fields.keys() == fields.keys()
    return all(np.array_equal(message.fields[name], fields[name]) for name in fields)


def test_messages_arrive_one_after_the_other(pipe: tuple[Receiver, int]) -> None:
    receiver, given = pipe
    sender = Sender(given)
    assert receiver.receive() is None
    for kind in ("a", "b"):
        sender.send(kind, SENT)
    sender.send("c")
    assert same(receiver.receive(), "a", SENT)
    assert same(receiver.receive(), "b", SENT)
    assert receiver.receive() == ("c", {})
    assert receiver.receive() is None
    sender.send("d")
    os.close(given)
    assert receiver.receive() == ("d", {})
    with pytest.raises(EOFError):
        receiver.receive()


def test_a_message_arrives_whole_in_whatever_pieces(pipe: tuple[Receiver, int]) -> None:
    receiver, given = pipe
    data = pack("a", SENT)
    for i in range(len(data)):
        assert receiver.receive() is None
        os.write(given, data[i : i + 1])
    assert same(receiver.receive(), "a", SENT)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), PLAIN | st.binary(), max_size=4), st.text())
def test_plain_data_come_back(fields: dict[str, Any], kind: str) -> None:
    taken, given_end = os.pipe()
    with contextlib.closing(Receiver(taken)) as receiver, os.fdopen(given_end, "wb"):
        receiver.most = 1 << 16
        Sender(given_end).send(kind, fields)
        message = receiver.receive()
    assert message is not None
    again = {
        name: value.tobytes() if isinstance(value, np.ndarray) else value
        for name, value in message.fields.items()
    }
    assert (message.kind, again) == (kind, fields)


def test_what_is_no_plain_data_is_not_sent() -> None:
    assert pack("a", {"x": np.int64(3), "y": np.float32(0.5)}) == pack("a", {"x": 3, "y": 0.5})
    for value in (object(), {1, 2}, [np.zeros(2)]):
        with pytest.raises(TypeError):
            pack("a", {"x": value})


def framed(header: bytes, arrays: bytes = b"") -> bytes:
    return struct.pack("<4sIQ", b"\x93BM1", len(header), len(arrays)) + header + arrays


def head(**changes: Any) -> bytes:
    return json.dumps({"kind": "a", "values": {}, "arrays": {}} | changes).encode()


NPY = array_bytes(np.zeros(2))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\n", "its bytes are no message"),
        (b"\x93BM2", "its bytes are no message"),
        (struct.pack("!i", 20) + b"c__nowhere__\nzz\n.", "its bytes are no message"),
        (struct.pack("!iQ", -1, 1 << 45), "its bytes are no message"),
        (struct.pack("<4sIQ", b"\x93BM1", 1 << 31, 0), "larger than a message may be"),
        (struct.pack("<4sIQ", b"\x93BM1", 10, 1 << 45), "larger than a message may be"),
        (framed(b"c__builtin__\nexit\n."), "its header is not JSON"),
        (framed(b"\xff"), "its header is not UTF-8"),
        (framed(b"[]"), "other fields"),
        (framed(head(kind=1)), "other fields"),
        (framed(head(values=[])), "other fields"),
        (framed(head(arrays={"x": -1})), "a size that is not one"),
        (framed(head(arrays={"x": True}), b"x"), "a size that is not one"),
        (framed(head(arrays={"x": 5}), b"1234"), "does not fit"),
        (framed(head(), b"1234"), "does not fit"),
        (framed(head(values={"x": 1}, arrays={"x": len(NPY)}), NPY), "does not fit"),
        (framed(head(arrays={"x": 4}), b"1234"), "'x' is not an NPY file"),
        (framed(head(arrays={"\x1b": len(NPY) - 1}), NPY[:-1]), r"'\\x1b' holds 15 bytes"),
    ],
)
def test_what_is_no_message_is_refused(
    data: bytes, reason: str, pipe: tuple[Receiver, int]
) -> None:
    receiver, given = pipe
    os.write(given, data)
    with pytest.raises(FormatError, match=reason):
        receiver.receive()


def test_a_message_that_breaks_off_is_not_waited_for_for_ever(
    pipe: tuple[Receiver, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, given = pipe
    os.write(given, pack("a", SENT)[:-1])
    assert receiver.receive() is None
    monkeypatch.setattr(messages, "PATIENCE", -1)
    with pytest.raises(FormatError, match="the rest of a message did not come"):
        receiver.receive()


def test_a_sender_that_never_stops_is_read_by_and_by(pipe: tuple[Receiver, int]) -> None:
    """A fixed amount per call, so that its reader finds time for others."""
    receiver, given = pipe
    flood = pack("a", {}) * 40
    for _ in range(3):
        os.write(given, flood)
        for _ in range(40):
            assert receiver.receive() == ("a", {})
    assert receiver.receive() is None


def test_a_forked_child_sends_nothing(
    pipe: tuple[Receiver, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, given = pipe
    sender = Sender(given)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    sender.send("a")
    assert receiver.receive() is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"n": 1, "x": np.zeros(2)}, None),
        ({"n": 1.5, "x": np.zeros(2), "y": np.zeros((1, 2), np.uint8)}, None),
        ({"x": np.zeros(2)}, "lacks the field 'n'"),
        ({"n": True, "x": np.zeros(2)}, "'n' is not"),
        ({"n": 1, "x": np.zeros(3)}, "'x' is not"),
        ({"n": 1, "x": np.zeros(2, np.float32)}, "'x' is not"),
        ({"n": 1, "x": [0.0, 0.0]}, "'x' is not"),
        ({"n": 1, "x": np.zeros(2), "\x1b": 0}, r"unknown field '\\x1b'"),
    ],
)
def test_fields_are_those_that_are_known(fields: dict[str, Any], reason: str | None) -> None:
    known: dict[str, messages.Field] = {
        "n": (int, float),
        "x": ArrayField("<f8", (2,)),
        "y": ArrayField("|u1"),
    }
    if reason is None:
        check_fields(fields, known, ["n", "x"])
    else:
        with pytest.raises(FormatError, match=reason):
            check_fields(fields, known, ["n", "x"])
