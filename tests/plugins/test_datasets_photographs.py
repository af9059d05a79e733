from __future__ import annotations

import errno
import hashlib
import io
import os
import struct
import tarfile
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import benchbase
from benchbase_datasets import photographs as photographs_module
from benchbase_datasets import voc
from benchbase_datasets.patches import Patches
from benchbase_datasets.photographs import Folder, Photograph

DATA = os.environ.get("BENCHBASE_DATA")

Array = benchbase.Array


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BENCHBASE_OFFLINE", "1")
    monkeypatch.delenv("BENCHBASE_DATA", raising=False)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def encoded(grey: Array, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, kind)
    return stream.getvalue()


def noise(height: int = 40, width: int = 50, seed: int = 0) -> Array:
    return rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def some(source: str, **parameters: Any) -> Patches:
    defaults = {"size": 8, "sampled": 100, "n_train": 20, "n_test": 10}
    return Patches(source=source, **{**defaults, **parameters})


# Grey levels.


def test_grey_is_the_luma_of_the_colours(tmp_path: Path) -> None:
    colours = rng().integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    photograph = Photograph("colours", tmp_path / "colours.png")
    assert photograph.shape() == (9, 11)
    luma = colours @ [0.299, 0.587, 0.114]
    assert np.abs(photograph.grey() - luma).max() < 1
    assert photograph.grey().dtype == np.uint8


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "YCbCr"])
def test_images_of_other_kinds_are_read(tmp_path: Path, mode: str) -> None:
    Image.fromarray(noise()).convert("RGB").convert(mode).save(tmp_path / "image.tiff")
    assert Photograph("image", tmp_path / "image.tiff").grey().std() > 50


JPEG, PNG = encoded(noise(), "jpeg"), encoded(noise(), "png")
DAMAGED = {
    "empty": ("jpg", b""),
    "text": ("jpg", b"not an image at all"),
    "web page": ("png", b"<!DOCTYPE html><html></html>"),
    "head alone": ("jpg", JPEG[:20]),
    "JPEG cut": ("JPG", JPEG[: len(JPEG) // 2]),
    "JPEG without its end": ("jpeg", JPEG[:-2]),
    "PNG cut": ("png", PNG[: len(PNG) // 2]),
    "PNG damaged": ("png", PNG[:300] + bytes(200) + PNG[500:]),
    "GIF cut": ("gif", encoded(noise(), "gif")[:900]),
    "BMP cut": ("bmp", encoded(noise(), "bmp")[:-100]),
    "TIFF cut": ("tif", encoded(noise(), "tiff")[:-1000]),
}


@pytest.mark.parametrize(("suffix", "data"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_images_are_named(tmp_path: Path, suffix: str, data: bytes) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encoded(noise(seed=number), "png"))
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(data)
    with pytest.raises(benchbase.DataError, match=r"cannot be read: .*; replace the file") as info:
        some(str(tmp_path)).train(rng())
    assert str(info.value).startswith(f"{file} ")
    assert "BytesIO" not in str(info.value)
    assert "\n" not in str(info.value)
    file.unlink()
    assert some(str(tmp_path)).train(rng()).shape == (20, 64)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_deep_images_are_named(tmp_path: Path, kind: type[Any]) -> None:
    Image.fromarray(noise().astype(kind)).save(tmp_path / "deep.tif")
    with pytest.raises(benchbase.DataError, match=r"deep\.tif has more than 8 bits per pixel"):
        some(str(tmp_path), split="random").train(rng())


# Folders.


def test_a_folder_s_images_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/z.png", "b/a.JPEG", "c.jpg", "a.txt", "b.png", "B.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    folder = Folder(tmp_path)
    names = [photograph.name for photograph in folder.photographs()]
    assert names == ["B.webp", "b.png", "b/a.JPEG", "b/z.png", "c.jpg"]
    assert folder.others() == 1


def test_a_fingerprint_is_of_contents_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / "b.png").write_bytes(b"2")
    first = Folder(tmp_path).fingerprint()
    (tmp_path / "notes.txt").write_bytes(b"3")
    assert Folder(tmp_path).fingerprint() == first
    (tmp_path / "a.png").write_bytes(b"22")
    (tmp_path / "b.png").write_bytes(b"11")
    swapped = Folder(tmp_path).fingerprint()
    (tmp_path / "a.png").rename(tmp_path / "c.png")
    assert len({first, swapped, Folder(tmp_path).fingerprint()}) == 3


def test_a_fingerprint_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"1")
    first = Folder(tmp_path).fingerprint()
    monkeypatch.setattr(Path, "read_bytes", None)
    assert Folder(tmp_path).fingerprint() == first


def test_folders_without_images_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    for folder, problem in ((tmp_path, "has no images"), (tmp_path / "x", "is not a folder")):
        with pytest.raises(benchbase.DataError, match=f"{folder} {problem}"):
            Patches(source=str(folder)).fingerprint()


def test_the_home_folder_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.png").write_bytes(PNG)
    assert Patches(source="~/mine").fingerprint() == Folder(tmp_path / "mine").fingerprint()


def test_a_named_source_is_looked_for_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHBASE_DATA", str(tmp_path))
    (tmp_path / "bsds500" / "train").mkdir(parents=True)
    (tmp_path / "bsds500" / "train" / "1.jpg").write_bytes(JPEG)
    expected = Folder(tmp_path / "bsds500").fingerprint()
    assert Patches(source="bsds500").fingerprint() == expected


def test_scikit_learn_without_photographs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(benchbase.DataError, match=r"china\.jpg cannot be read"):
        Folder(photographs_module.bundled().place, photographs_module.BUNDLED).fingerprint()


# BSDS500.


@pytest.mark.skipif(
    DATA is None or not (Path(DATA) / "bsds500").is_dir(),
    reason="BENCHBASE_DATA names no folder with a folder 'bsds500'",
)
def test_bsds500(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHBASE_DATA", str(DATA))
    dataset = Patches(source="bsds500", sampled=20_000, n_train=3_600, n_test=400)
    train, test = dataset.train(rng()), dataset.test(400, rng())
    assert (train.shape, test.shape) == ((3_600, 256), (400, 256))
    assert dataset.skipped()["small"] == 0
    # Natural images: neighbouring pixels are alike.
    pixels = np.asarray(train).reshape(-1, 16, 16)
    near, energy = np.mean(pixels[..., 1:] * pixels[..., :-1]), np.mean(pixels**2)
    assert 0.75 < near / energy < 1


def test_without_bsds500_it_is_said_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(benchbase.DataError, match=r"'bsds500' .* BENCHBASE_DATA"):
        Patches(source="bsds500").fingerprint()


# PASCAL VOC 2012.


def small_archive(file: Path) -> dict[str, Array]:
    """Write an archive laid out like the published one; return the grey levels by name."""
    images = {f"2008_00{number}.jpg": noise(30 + number, 40, number) for number in range(6)}
    members = {f"JPEGImages/{name}": encoded(grey, "jpeg") for name, grey in images.items()}
    members |= {
        "SegmentationClass/2008_000.png": PNG,
        "Annotations/2008_000.xml": b"<annotation/>",
    }
    with tarfile.open(file, "w") as archive:
        folder = tarfile.TarInfo("VOCdevkit/VOC2012/JPEGImages")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in reversed(members.items()):
            member = tarfile.TarInfo(f"VOCdevkit/VOC2012/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return {
        name: np.asarray(Image.open(io.BytesIO(members[f"JPEGImages/{name}"]))) for name in images
    }


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, Array]]:
    """Put a small archive into the data folder, as if it were the published one."""
    monkeypatch.setenv("BENCHBASE_DATA", str(tmp_path))
    (tmp_path / "voc2012").mkdir()
    file = tmp_path / "voc2012" / voc.ARCHIVE
    images = small_archive(file)
    monkeypatch.setattr(voc, "DIGEST", hashlib.sha256(file.read_bytes()).hexdigest())
    return file, images


def test_the_archive_s_photographs_are_read_where_they_are(
    archive: tuple[Path, dict[str, Array]], tmp_path: Path
) -> None:
    file, images = archive
    found = voc.voc2012().photographs()
    assert [photograph.name for photograph in found] == sorted(images)
    for photograph in found:
        np.testing.assert_array_equal(photograph.grey(), images[photograph.name])
    dataset = some("voc2012", n_train=70, n_test=30)
    assert dataset.train(rng()).shape == (70, 64)
    assert dataset.skipped()["others"] == 0
    # The same photographs as files give the same patches.
    (tmp_path / "files").mkdir()
    with tarfile.open(file) as opened:
        for name in images:
            member = opened.extractfile(f"VOCdevkit/VOC2012/JPEGImages/{name}")
            assert member is not None
            (tmp_path / "files" / name).write_bytes(member.read())
    same = some(str(tmp_path / "files"), n_train=70, n_test=30)
    np.testing.assert_array_equal(same.train(rng()), dataset.train(rng()))


def test_the_archive_is_verified_once(
    archive: tuple[Path, dict[str, Array]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Patches(source="voc2012").fingerprint() == voc.DIGEST
    monkeypatch.setattr("hashlib.file_digest", None)
    assert Patches(source="voc2012").fingerprint() == voc.DIGEST


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_archive_is_named(archive: tuple[Path, dict[str, Array]], damage: str) -> None:
    file, _ = archive
    Patches(source="voc2012").fingerprint()
    data = file.read_bytes()
    file.write_bytes(data[:-700] if damage == "cut" else data[:3000] + b"?" + data[3001:])
    os.utime(file, ns=(1, 1))
    for _ in range(2):
        with pytest.raises(benchbase.DataError, match="cut short or damaged") as info:
            Patches(source="voc2012").fingerprint()
        assert str(info.value).startswith(str(file))


def test_a_damaged_photograph_in_the_archive_is_named(tmp_path: Path) -> None:
    file = tmp_path / "images.tar"
    file.write_bytes(bytes(512) + JPEG[:500] + bytes(2000))
    with pytest.raises(benchbase.DataError, match=r"images\.tar: 2008\.jpg cannot be read"):
        Photograph("2008.jpg", file, 512, 500).grey()


def test_a_folder_without_the_archive_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHBASE_DATA", str(tmp_path))
    (tmp_path / "voc2012").mkdir()
    with pytest.raises(benchbase.DataError, match=f"voc2012 does not contain {voc.ARCHIVE}"):
        Patches(source="voc2012").fingerprint()


def test_offline_it_is_said_where_to_put_the_archive(tmp_path: Path) -> None:
    with pytest.raises(benchbase.DataError) as info:
        Patches(source="voc2012").fingerprint()
    for part in (voc.ARCHIVE, str(tmp_path / "cache" / "voc2012"), "OFFLINE", "BENCHBASE_DATA"):
        assert part in str(info.value)


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the name is the base's
        """Stay quiet."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder that is the second mirror; the first has nothing."""
    folder = tmp_path / "site"
    (folder / "full").mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(voc, "MIRRORS", (f"{address}/empty/", f"{address}/full/"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("BENCHBASE_OFFLINE")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder / "full"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_archive_is_downloaded_once(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = small_archive(site / voc.ARCHIVE)
    digest = hashlib.sha256((site / voc.ARCHIVE).read_bytes()).hexdigest()
    monkeypatch.setattr(voc, "DIGEST", digest)
    assert len(voc.voc2012().photographs()) == len(images)
    monkeypatch.setattr(voc, "MIRRORS", ())
    assert Patches(source="voc2012").fingerprint() == digest


def test_another_archive_is_refused(site: Path, tmp_path: Path) -> None:
    small_archive(site / voc.ARCHIVE)
    with pytest.raises(benchbase.DataError, match="/full/: not the published file"):
        Patches(source="voc2012").fingerprint()
    assert not any(file.is_file() for file in (tmp_path / "cache").rglob("*tar*"))


def test_a_full_disk_is_told_as_such(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pooch.retrieve", full)
    with pytest.raises(benchbase.DiskError, match="voc2012: No space left on device; make room"):
        Patches(source="voc2012").fingerprint()


# Progress.


def png_of_16_bits(file: Path, colour: int, channels: int) -> None:
    """Write a PNG file of 8×8 pixels by its specification, as Pillow cannot write this depth."""
    rows = b"".join(b"\0" + bytes(2 * 8 * channels) for _ in range(8))

    def part(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    head = struct.pack(">IIBBBBB", 8, 8, 16, colour, 0, 0, 0)
    content = part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_per_channel_are_refused_and_not_cut(
    tmp_path: Path, colour: int, channels: int
) -> None:
    png_of_16_bits(tmp_path / "deep.png", colour, channels)
    with pytest.raises(benchbase.DataError, match="more than 8 bits per pixel"):
        Photograph("deep", tmp_path / "deep.png").grey()


def test_16_bits_of_a_ppm_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.ppm").write_bytes(b"P6 2 2 65535\n" + bytes(24))
    with pytest.raises(benchbase.DataError, match="more than 8 bits per pixel"):
        Photograph("deep", tmp_path / "deep.ppm").grey()


def test_transparent_pixels_are_refused_and_an_opaque_channel_is_not(tmp_path: Path) -> None:

    pixels = np.full((4, 4, 4), 255, dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "opaque.png")
    assert Photograph("opaque", tmp_path / "opaque.png").grey().tolist() == [[255] * 4] * 4
    pixels[1, 2, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    with pytest.raises(benchbase.DataError, match=r"clear\.png has transparent pixels"):
        Photograph("clear", tmp_path / "clear.png").grey()


def test_a_file_that_claims_too_many_pixels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    Image.new("L", (8, 8)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(benchbase.DataError, match=r"large\.png cannot be read: Image size"):
        Photograph("large", tmp_path / "large.png").shape()


def test_linked_folders_count_once_and_unreadable_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    for name in ("all", "elsewhere"):
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / name / "a.png")
    for link, target in (("more", "elsewhere"), ("again", "elsewhere"), ("round", "all")):
        (tmp_path / "all" / link).symlink_to(tmp_path / target)
    names = [each.name for each in Folder(tmp_path / "all").photographs()]
    assert names == ["a.png", "again/a.png"]

    def fail(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", fail)
    with pytest.raises(benchbase.DataError, match="all cannot be read: Permission denied"):
        Folder(tmp_path / "all").photographs()
