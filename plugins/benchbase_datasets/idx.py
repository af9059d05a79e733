"""IDX files of images, the format of MNIST."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from benchbase import Array, DataError

MAGIC = 0x00000803
"""Unsigned bytes in three dimensions."""

_HEADER = struct.Struct(">4I")
_GZIP = b"\x1f\x8b"


def contents(file: Path) -> bytes:
    """Return what a file holds, decompressed if it is gzip, whatever its name.

    Raises
    ------
    DataError
        If it cannot be read or decompressed.
    """
    try:
        raw = file.read_bytes()
        return gzip.decompress(raw) if raw.startswith(_GZIP) else raw
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{file} cannot be read: {reason}") from error


def read_images(file: Path, height: int, width: int) -> Array:
    """Read the images of an IDX file, gzip or not.

    Parameters
    ----------
    file : pathlib.Path
        The file.
    height, width : int
        What size the images must have, in pixels.

    Returns
    -------
    ndarray, shape (T, height * width), uint8
        One image a row, read-only.

    Raises
    ------
    DataError
        If the file cannot be read, or is no IDX file of at least one image of that size; the
        message names the file and the problem.
    """
    data = contents(file)
    if len(data) < _HEADER.size:
        raise DataError(f"{file} is no IDX file: it holds {len(data)} bytes")
    magic, count, rows, columns = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise DataError(f"{file} is no IDX file of images: begins {magic:08x}, not {MAGIC:08x}")
    if (rows, columns) != (height, width):
        raise DataError(f"{file}: images of {rows}×{columns} pixels, not {height}×{width}")
    if count == 0:
        raise DataError(f"{file} holds no images")
    found, announced = len(data) - _HEADER.size, count * rows * columns
    if found != announced:
        raise DataError(f"{file} holds {found} bytes of images where it announces {announced}")
    return np.frombuffer(data, np.uint8, offset=_HEADER.size).reshape(count, -1)
