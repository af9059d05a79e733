"""Bundles as zip files: the same bytes every time, and read without trusting any of them.

The names, kinds, sizes and number of an archive's members are checked before any is read. Bytes are
counted as they are read. Nothing is extracted to disk, executed or unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import benchbase
from benchbase import Array, system_error
from benchbase_publish.schema import BundleError

MANIFEST = "manifest.json"
LARGEST = 1 << 30
"""The most bytes of a bundle; its arrays are not compressed."""

LARGEST_MANIFEST = 64 << 20
"""The most bytes of an unpacked manifest: 100,000 outcomes take half of them."""

MOST_MEMBERS = 20_000
"""The most members of an archive."""

RATIO = 200
"""How many times smaller a packed manifest may be than the unpacked one."""

_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_NAME = re.compile(r"manifest\.json|(?:estimates|scores|signals)/[0-9]{6}\.npy")
_DATE = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever a bundle is written


def write_archive(path: Path, manifest: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Write a zip file: the arrays uncompressed, and the manifest with their digests compressed.

    Parameters
    ----------
    path : pathlib.Path
        The file; one that is there is replaced.
    manifest : dict
        The manifest without ``digests``.
    arrays : dict of str to ndarray
        The arrays by the names of their members.
    """
    members = {name: benchbase.array_bytes(array) for name, array in arrays.items()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    text = json.dumps(manifest | {"digests": digests}, allow_nan=False, sort_keys=True)
    with zipfile.ZipFile(path, "w", allowZip64=False) as archive:
        _add(archive, MANIFEST, text.encode(), zipfile.ZIP_DEFLATED)
        for name, data in members.items():
            _add(archive, name, data, zipfile.ZIP_STORED)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, packing: int) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type, info.external_attr, info.create_system = packing, 0o644 << 16, 3
    archive.writestr(info, data)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Let data that are not plain refuse the bundle."""
    try:
        yield
    except benchbase.FormatError as error:
        raise BundleError(str(error)) from None


class Archive:
    """A bundle's zip file, whose members have been checked and not been read yet.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    BundleError
        If it is not what `write_archive` writes. All methods may raise it as well.
    """

    def __init__(self, path: Path) -> None:
        self.data = _read_whole(path)
        end = _check_end(self.data)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(self.data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise BundleError(f"the archive cannot be read: {error}") from None
        infos = self._archive.infolist()
        counts = Counter(info.orig_filename for info in infos)
        for info in infos:
            _check_member(info)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise BundleError(f"the member {twice[0]} is there twice")
        if MANIFEST not in counts:
            raise BundleError(f"there is no {MANIFEST} in the archive")
        _check_layout(self.data, infos, end)
        self._sizes = {info.filename: info.file_size for info in infos}

    @property
    def digest(self) -> str:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def names(self) -> set[str]:
        """The names of all members except for the manifest."""
        return set(self._sizes) - {MANIFEST}

    def manifest(self) -> Any:
        """Return the manifest as plain data, not checked yet."""
        with _refusing():
            return benchbase.parse_json("the manifest", self._read(MANIFEST))

    def array(self, name: str, dtype: str, shape: tuple[int, ...], digest: str) -> Array:
        """Return an array; it must have this type, shape and digest."""
        data = self._read(name)
        if hashlib.sha256(data).hexdigest() != digest:
            raise BundleError(f"{name} has another SHA-256 than the manifest says")
        with _refusing():
            return benchbase.parse_array(name, data, dtype, shape)

    def _read(self, name: str) -> bytes:
        size = self._sizes[name]
        try:
            with self._archive.open(name) as file:
                data = file.read(size + 1)  # a member may hold more than it says
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise BundleError(f"{name} cannot be read: {error}") from None
        if len(data) != size:
            raise BundleError(f"{name} has another size than it declares")
        return data


def _read_whole(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BundleError(f"there is no bundle {path}; `benchbase submit -o FILE` writes one")
        with path.open("rb") as file:  # no more memory is taken than the file has bytes
            data = file.read(min(path.stat().st_size, LARGEST) + 1)
    except OSError as error:
        raise system_error(path, error, BundleError) from error
    if len(data) > LARGEST:
        raise BundleError(f"it is larger than {LARGEST >> 20} MiB")
    return data


def _check_end(data: bytes) -> int:
    """Check the end of a zip file, and return where its table of contents begins."""
    if data[:4] != b"PK\x03\x04":
        raise BundleError("the bundle is not a zip file")
    if len(data) < _END.size or data[-_END.size :][:4] != b"PK\x05\x06":
        raise BundleError("the archive is cut off, or something follows it")
    _, disk, first, here, entries, size, offset, comment = _END.unpack(data[-_END.size :])
    if (disk, first, comment) != (0, 0, 0) or here != entries:
        raise BundleError("the archive has a comment or several parts")
    if entries > MOST_MEMBERS:
        raise BundleError(f"it has {entries} members, more than {MOST_MEMBERS}")
    if offset + size + _END.size != len(data):
        raise BundleError("the archive's table of contents is not where it should be")
    return int(offset)


def _check_member(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename  # as written, with what follows a NUL
    shown = ascii(name[:80])[1:-1]
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        raise BundleError(f"the member {shown} has an absolute path")
    if ".." in re.split(r"[/\\]", name):
        raise BundleError(f"the member {shown} leads out of the archive")
    if stat.S_ISLNK(kind):
        raise BundleError(f"the member {shown} is a symbolic link")
    if info.is_dir() or kind not in (0, stat.S_IFREG):
        raise BundleError(f"the member {shown} is not a file")
    if not _NAME.fullmatch(name):
        raise BundleError(
            f"a bundle may not hold the file {shown}; it may hold only {MANIFEST} and arrays"
        )
    packed = name == MANIFEST
    if info.compress_type not in ((0, 8) if packed else (0,)):
        raise BundleError(f"the member {shown} is packed in another way than bundles are")
    if packed and info.file_size > LARGEST_MANIFEST:
        raise BundleError(f"{MANIFEST} declares {info.file_size} bytes, more than is read")
    if info.file_size > RATIO * max(info.compress_size, 1):
        raise BundleError(f"{shown} is packed more than {RATIO} times: a zip bomb")
    if info.flag_bits & ~0x800 or info.extra or info.comment:
        raise BundleError(f"the member {shown} is encrypted, streamed, or carries more than data")
    if not packed and info.file_size != info.compress_size:
        raise BundleError(f"the member {shown} has two sizes")


def _check_layout(data: bytes, infos: list[zipfile.ZipInfo], end: int) -> None:
    """Refuse members that overlap or leave gaps, and members whose head differs from the table.

    Some programs that unpack read the heads and others the table: they would see two bundles.
    """
    place = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        name = info.orig_filename.encode()
        wanted = (info.flag_bits, info.compress_type, info.CRC, info.compress_size, info.file_size)
        begin = place + _LOCAL.size
        if info.header_offset != place or begin > end:
            raise BundleError(f"the member {info.filename} overlaps another, or follows a gap")
        magic, _, flags, packing, _, _, *sizes, length, extra = _LOCAL.unpack_from(data, place)
        said = (flags, packing, *sizes)
        same = (magic, length, extra, said) == (b"PK\x03\x04", len(name), 0, wanted)
        if not same or data[begin : begin + length] != name:
            raise BundleError(f"the member {info.filename} is described in two ways")
        place = begin + length + info.compress_size
    if place != end:
        raise BundleError("the archive holds more than its members, or less")
