"""Reading of IDX files, the format in which the images of MNIST are published."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from benchbase import Array, DataError

MAGIC = 0x00000803
"""The first four bytes of an IDX file that holds unsigned bytes in three dimensions."""

_HEADER = struct.Struct(">4I")
_GZIP = b"\x1f\x8b"


def contents(file: Path) -> bytes:
    """Return the content of a file, decompressed if it is gzip, whatever the file is called.

    Raises
    ------
    DataError
        If the file cannot be read or decompressed.
    """
    try:
        raw = file.read_bytes()
        return gzip.decompress(raw) if raw.startswith(_GZIP) else raw
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{file} cannot be read: {reason}; replace the file") from error


def read_images(file: Path, height: int, width: int) -> Array:
    """Return the images of an IDX file, which may be compressed with gzip.

    Parameters
    ----------
    file : pathlib.Path
        The file.
    height, width : int
        The size that the images must have, in pixels.

    Returns
    -------
    ndarray, shape (T, height * width), uint8
        One row per image, read-only.

    Raises
    ------
    DataError
        If the file cannot be read, or is not an IDX file with at least one image of that size.
        The message names the file and the problem.
    """
    data = contents(file)
    if len(data) < _HEADER.size:
        raise DataError(f"{file} is not an IDX file: it holds only {len(data)} bytes")
    magic, count, rows, columns = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise DataError(
            f"{file} is not an IDX file of images: it begins with {magic:08x}, not with {MAGIC:08x}"
        )
    if (rows, columns) != (height, width):
        raise DataError(f"{file} holds images of {rows}×{columns} pixels, not of {height}×{width}")
    if count == 0:
        raise DataError(f"{file} holds no images")
    held, announced = len(data) - _HEADER.size, count * rows * columns
    if held != announced:
        raise DataError(
            f"{file} holds {held} bytes of images, but its header announces {announced}; "
            "replace the file"
        )
    return np.frombuffer(data, np.uint8, offset=_HEADER.size).reshape(count, -1)
