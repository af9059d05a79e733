"""JSON and arrays from elsewhere: what is not plain is refused in a sentence."""

from __future__ import annotations

import io
import json
import math
import pickle
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbase.errors import FormatError
from benchbase.storage.plain import (
    MOST_NAMES,
    MOST_VALUES,
    PLAIN,
    array_bytes,
    parse_array,
    parse_json,
)


def test_text_is_read_in_time_proportional_to_it() -> None:
    """A string without end, of quotes that each could begin another."""
    begin = time.process_time()
    with pytest.raises(FormatError, match="is not JSON: Unterminated string"):
        parse_json("it", b'{"' + b'\\"' * 2_000_000)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("value", [b"[]", b"{}", b"0", b'""'])
def test_values_are_counted_before_any_is_made(value: bytes) -> None:
    data = b"[" + value + (b"," + value) * MOST_VALUES + b"]"
    begin = time.process_time()
    with pytest.raises(FormatError, match=r"holds up to .* values, but at most 3000000 are"):
        parse_json("it", data)
    assert time.process_time() - begin < 2


def test_an_object_has_not_too_many_names() -> None:
    names = {str(i): 0 for i in range(MOST_NAMES + 1)}
    with pytest.raises(FormatError, match="an object of more than 20000 names"):
        parse_json("it", json.dumps(names).encode())


def npy(array: Any, *, pickled: bool = False, version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=pickled)
    return file.getvalue()


class Evil:
    """Shows whether it was unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("something was unpickled",)


HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }\n"
ZEROS = np.zeros((2, 3), np.float32)


def headed(text: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (npy(np.array([Evil()] * 6, object).reshape(2, 3), pickled=True), "holds pickled objects"),
        (pickle.dumps(Evil()), "is not an NPY file"),
        (b"", "is not an NPY file"),
        (npy(ZEROS.astype("<f8")), "holds numbers of type <f8, not <f4"),
        (npy(ZEROS.astype(">f4")), "holds numbers of type >f4, not <f4"),
        (npy(ZEROS.astype("<i4")), "holds numbers of type <i4, not <f4"),
        (npy(ZEROS.astype("<c8")), "holds numbers of type <c8, not <f4"),
        (npy(np.zeros((2, 3), [("a", "<f4")])), "a header that plain arrays do not have"),
        (npy(ZEROS.T), r"has the shape \(3, 2\), not \(2, 3\)"),
        (npy(ZEROS.ravel()), r"has the shape \(6,\), not \(2, 3\)"),
        (npy(np.asfortranarray(ZEROS)), "is in Fortran's order"),
        (npy(ZEROS, version=(2, 0)), "an NPY file of version 2.0, not 1.0"),
        (npy(ZEROS)[:-1], "holds 23 bytes, not those of its shape"),
        (npy(ZEROS) + b"x", "holds 25 bytes, not those of its shape"),
        (headed(HEADER % b"10000000000000,"), "has the shape"),
        (headed(HEADER % b"-1,"), "a header that plain arrays do not have"),
        (headed(b"__import__('os').abort()"), "a header that plain arrays do not have"),
        (headed(b"(" * 900), "a header that plain arrays do not have"),
        (headed(b" " * 5000), "a header that plain arrays do not have"),
    ],
)
def test_arrays_of_other_kinds_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        parse_array("x", data, "<f4", (2, 3))


def test_arrays_come_back_as_they_were() -> None:
    again = parse_array("x", npy(ZEROS + 1), "<f4", (2, 3))
    assert again.dtype == np.float32
    assert (again == 1).all()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(JSON)
def test_json_that_is_some_is_read(value: Any) -> None:
    assert parse_json("it", json.dumps(value).encode()) == value


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused_unless_asked_for(text: str) -> None:
    with pytest.raises(FormatError, match="which is not a finite number"):
        parse_json("it", text.encode())
    (value,) = np.atleast_1d(parse_json("it", text.encode(), finite=False))
    assert not math.isfinite(value)


def test_half_of_a_surrogate_pair_is_not_a_character() -> None:
    """It could not be stored. A whole pair is how JSON may spell other characters."""
    assert parse_json("it", rb'"\ud83d\ude00"') == "\U0001f600"
    for text in (rb'"\ud83d"', rb'{"\uDE00": 1}', rb'["\ude00\ud83d"]'):
        with pytest.raises(FormatError, match="half a surrogate pair"):
            parse_json("it", text)


@pytest.mark.parametrize(
    "text", [b"[" * 10**5, b'{"a":' * 10**5, b"9" * 5000, b"[1,", b"\xff", b""]
)
def test_text_that_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError, match=r"^it is n(ot|ested)"):
        parse_json("it", text)


@pytest.mark.parametrize("dtype", PLAIN)
def test_arrays_of_any_plain_type_and_shape_are_read(dtype: str) -> None:
    for shape in ((), (0,), (3,), (2, 0, 4), (2, 3, 4)):
        array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
        again = parse_array("x", npy(array))
        assert again.dtype == np.dtype(dtype)
        assert again.tolist() == array.tolist()
    for odd in (np.zeros(2, "<c16"), np.zeros(2, "|b1"), np.zeros(2, "<U3"), np.zeros(2, ">f8")):
        with pytest.raises(FormatError, match=r"holds numbers of type .*, not a plain one"):
            parse_array("x", array_bytes(odd))


@pytest.mark.parametrize("sizes", [b"0, 999999999999999", b"999999999999999, 0", b"0," * 70])
def test_an_empty_array_may_not_claim_what_cannot_be(sizes: bytes) -> None:
    with pytest.raises(FormatError, match="shape"):
        parse_array("x", headed(HEADER % sizes))
