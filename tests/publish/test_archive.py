"""Archives that are no bundles, or more than that: each is refused with its own reason."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchbase_publish import archive as archives
from benchbase_publish.archive import Archive
from benchbase_publish.packing import read_bundle
from benchbase_publish.schema import BundleError

Refused = Callable[[Path, str], None]
EST = "estimates/000000.npy"
UNIX = 3


@pytest.fixture
def with_member(honest: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a copy of an honest bundle with one member more, or another in its place."""

    def make(
        name: str, data: bytes = b"x", *, mode: int = 0o100644, packing: int = 0, keep: bool = True
    ) -> Path:
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(honest) as old, zipfile.ZipFile(path, "w") as new:
            for info in old.infolist():
                if info.filename != name or keep:
                    new.writestr(info, old.read(info))
            info = zipfile.ZipInfo(name)
            info.external_attr, info.create_system, info.compress_type = mode << 16, UNIX, packing
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a name that is there twice
                new.writestr(info, data)
        return path

    return make


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.npy", r"the member \.\./evil\.npy leads out of the archive"),
        ("estimates/../../evil.npy", "leads out of the archive"),
        ("estimates\\..\\evil.npy", "leads out of the archive"),
        ("/etc/passwd", "the member /etc/passwd has an absolute path"),
        ("\\\\host\\share", "has an absolute path"),
        ("C:\\evil.npy", "has an absolute path"),
        ("evil.pkl", r"may not hold the file evil\.pkl; it may hold only manifest\.json"),
        ("estimates/0.npy", "may not hold the file"),
        ("estimates/000000.npy.pkl", "may not hold the file"),
        ("MANIFEST.json", "may not hold the file"),
        ("setup.py", "may not hold the file"),
        ("estimates/00000０.npy", r"may not hold the file estimates/00000\\uff10\.npy;"),
        ("estimates/", "is not a file"),
        (EST, rf"the member {EST} is there twice"),
        ("estimates/000009.npy", "which the manifest does not name"),
    ],
)
def test_a_member_that_no_bundle_has_is_refused(
    name: str, reason: str, with_member: Callable[..., Path], refused: Refused
) -> None:
    refused(with_member(name), reason)


def test_links_and_devices_are_refused(with_member: Callable[..., Path], refused: Refused) -> None:
    name = "estimates/000009.npy"
    refused(with_member(name, b"/etc/passwd", mode=0o120777), f"{name} is a symbolic link")
    refused(with_member(name, mode=0o020666), f"{name} is not a file")
    refused(with_member(name, mode=0o010666), f"{name} is not a file")


def test_other_packing_is_refused(with_member: Callable[..., Path], refused: Refused) -> None:
    reason = "is packed in another way than bundles are"
    for packing in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refused(with_member("estimates/000009.npy", b"x", packing=packing), reason)
    refused(with_member("manifest.json", b"{}", packing=zipfile.ZIP_LZMA, keep=False), reason)


def raw_zip(name: str, data: bytes, size: int, *, checksum: int = 0, flags: int = 0) -> bytes:
    """Return a zip file with one deflated member that declares any size, in zip64 if it must."""
    wide = size >= 2**32
    extra = struct.pack("<HHQQ", 1, 16, size, len(data)) if wide else b""
    sizes = (2**32 - 1, 2**32 - 1) if wide else (len(data), size)
    common = struct.pack(
        "<HHHHHLLLHH", 45, flags, 8, 0, 33, checksum, *sizes, len(name), len(extra)
    )  # fmt: skip # a header's fields
    local = b"PK\x03\x04" + common + name.encode() + extra + data
    central = b"PK\x01\x02" + struct.pack("<H", 45) + common
    central += struct.pack("<HHHLL", 0, 0, 0, 0o100644 << 16, 0) + name.encode() + extra
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def bomb(size: int) -> bytes:
    """Return zeros, deflated: blocks of a MiB that do not look back can be repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (size >> 20) + packer.flush()


def test_a_bomb_of_10_gb_is_refused_without_unpacking_it(tmp_path: Path, refused: Refused) -> None:
    data = bomb(10 << 30)
    assert zlib.decompressobj(-15).decompress(data, 3 << 20) == bytes(3 << 20)  # it is one
    path = tmp_path / "bomb.zip"
    peaks = []
    for size, reason in {
        10 << 30: r"manifest\.json declares 10737418240 bytes, more than is read",
        300: "manifest.json cannot be read: Bad CRC-32",
        60 << 20: "cannot be read|another size",
    }.items():
        path.write_bytes(raw_zip("manifest.json", data, size))
        tracemalloc.start()
        try:
            refused(path, reason)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert max(peaks) < 700 << 20


def test_a_member_that_is_packed_too_well_is_refused(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(raw_zip("manifest.json", bomb(50 << 20), 50 << 20))
    refused(path, "manifest.json is packed more than 200 times: a zip bomb")


def test_a_name_that_goes_on_behind_its_end_is_refused(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "hidden.zip"
    path.write_bytes(raw_zip("manifest.json\0.pkl", b"x" * 20, 20))
    refused(path, r"may not hold the file manifest\.json\\x00\.pkl;")


def test_encrypted_members_are_refused(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "secret.zip"
    path.write_bytes(raw_zip("manifest.json", b"x" * 20, 20, flags=1))
    refused(path, "is encrypted, streamed, or carries more than data")


def test_what_is_no_zip_file_is_refused(tmp_path: Path, honest: Path, refused: Refused) -> None:
    path = tmp_path / "file"
    with tarfile.open(tmp_path / "tar", "w") as tar:
        tar.add(honest, "manifest.json")
    whole = honest.read_bytes()
    for data, reason in [
        (b"", "the bundle is not a zip file"),
        (b"#!/bin/sh\n" + whole, "the bundle is not a zip file"),
        (pickle.dumps({"a": 1}), "the bundle is not a zip file"),
        ((tmp_path / "tar").read_bytes(), "the bundle is not a zip file"),
        (whole[:-1], "cut off, or something follows"),
        (whole[: len(whole) // 2], "cut off, or something follows"),
        (whole + b"x", "cut off, or something follows"),
        (whole[:30] + whole[31:], "table of contents is not where it should be"),
        (struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0), "not a zip file"),
    ]:
        path.write_bytes(data)
        refused(path, reason)
    path.unlink()
    refused(path, "there is no bundle")
    path.mkdir()
    refused(path, "there is no bundle")


def test_members_are_counted_before_they_are_listed(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(archives.MOST_MEMBERS + 1):
            archive.writestr(f"estimates/{i:06}.npy", b"")
    refused(path, f"it has {archives.MOST_MEMBERS + 1} members, more than")
    monkeypatch.setattr(archives, "LARGEST", 1 << 20)
    refused(path, "it is larger than 1 MiB")


def test_comments_and_missing_manifests_are_refused(
    tmp_path: Path, honest: Path, refused: Refused
) -> None:
    path = Path(shutil.copy(honest, tmp_path / "bundle.zip"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    refused(path, "cut off, or something follows it")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(EST, b"x")
    refused(path, "there is no manifest.json in the archive")


def test_a_changed_array_has_another_digest(
    with_member: Callable[..., Path], honest: Path, refused: Refused
) -> None:
    with zipfile.ZipFile(honest) as archive:
        data = bytearray(archive.read(EST))
    data[-2] ^= 1
    refused(with_member(EST, bytes(data), keep=False), "another SHA-256 than the manifest says")


@pytest.fixture
def with_manifest(with_member: Callable[..., Path], honest: Path) -> Callable[..., Path]:
    """Return a copy of an honest bundle whose manifest's text is changed."""

    def make(change: Callable[[str], str | bytes]) -> Path:
        with zipfile.ZipFile(honest) as archive:
            text = change(archive.read("manifest.json").decode())
        data = text if isinstance(text, bytes) else text.encode()
        return with_member("manifest.json", data, packing=zipfile.ZIP_DEFLATED, keep=False)

    return make


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"seed": 7', '"seed": NaN', "holds NaN, which is not a finite number"),
        ('"seed": 7', '"seed": Infinity', "holds Infinity, which is not a finite number"),
        ('"seed": 7', '"seed": -Infinity', "holds -Infinity, which is not a finite number"),
        ('"seed": 7', '"seed": 1e999', "holds 1e999, which is not a finite number"),
        ('"seed": 7', '"seed": 7, "seed": 8', "says 'seed' twice"),
        ('"seed": 7', f'"seed": {"[" * 100_000}', "the manifest is nested too deeply"),
        ('"seed": 7', f'"seed": {"9" * 5000}', "is not JSON: Exceeds the limit"),
        ('"seed": 7', '"seed": 7}', "is not JSON"),
        ('"seed": 7', '"seed": __import__("os")', "is not JSON"),
        ('"version": 1', '"version": 1.0', "format version is 1.0"),
    ],
)
def test_json_that_is_none_is_refused(
    old: str, new: str, reason: str, with_manifest: Callable[..., Path], refused: Refused
) -> None:
    refused(with_manifest(lambda text: text.replace(old, new, 1)), reason)


def test_manifests_of_other_kinds_are_refused(
    with_manifest: Callable[..., Path], refused: Refused
) -> None:
    refused(with_manifest(lambda text: b"\xff" + text.encode()), "the manifest is not UTF-8")
    refused(with_manifest(lambda text: text.encode("utf-16")), "the manifest is not UTF-8")
    refused(with_manifest(lambda text: "[]"), "the manifest is not that of a bundle")
    refused(with_manifest(lambda text: ""), "the manifest is not JSON")
    refused(with_manifest(pickle.dumps), "the manifest is not UTF-8|is not JSON")


def without_digest(text: str) -> str:
    manifest = json.loads(text)
    del manifest["digests"][EST]
    return json.dumps(manifest)


def test_a_digest_must_be_there_for_each_array(
    with_manifest: Callable[..., Path], refused: Refused
) -> None:
    refused(with_manifest(without_digest), "the manifest's digests are not those of the archive's")


class Evil:
    """Shows whether it was unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("something was unpickled",)


def test_an_object_array_in_a_bundle_is_refused(
    honest: Path, tmp_path: Path, refused: Refused
) -> None:
    manifest = Archive(honest).manifest()
    file = io.BytesIO()
    np.save(file, np.array([Evil()], object))
    data = file.getvalue()
    path = tmp_path / "pickled.zip"
    with zipfile.ZipFile(honest) as old, zipfile.ZipFile(path, "w") as new:
        manifest["digests"][EST] = hashlib.sha256(data).hexdigest()
        for info in old.infolist():
            content = {"manifest.json": json.dumps(manifest).encode(), EST: data}
            new.writestr(info, content.get(info.filename, old.read(info)))
    refused(path, f"{EST} holds pickled objects, which are never read")


# Whatever bytes come, they are refused in a sentence, or are the bundle that they were.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2**31), bit=st.integers(0, 7), cut=st.booleans())
def test_a_bundle_with_a_flipped_bit_is_refused_or_the_same(
    honest: Path, tmp_path: Path, place: int, bit: int, cut: bool
) -> None:
    data = bytearray(honest.read_bytes())
    place %= len(data)
    data[place] ^= 1 << bit
    path = tmp_path / "flipped.zip"
    path.write_bytes(data[:place] if cut else data)
    try:
        found = read_bundle(path)
    except BundleError:
        return
    assert found.manifest == read_bundle(honest).manifest
