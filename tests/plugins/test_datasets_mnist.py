from __future__ import annotations

import gzip
import hashlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import benchbase
from benchbase_datasets import downloads
from benchbase_datasets import mnist as mnist_module
from benchbase_datasets.idx import read_images
from benchbase_datasets.mnist import Mnist

DATA = os.environ.get("BENCHBASE_DATA")
TRAIN, TEST = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"

Array = benchbase.Array


@pytest.fixture(scope="module")
def cache_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, cache_place: Path) -> None:
    monkeypatch.setenv("BENCHBASE_CACHE", str(cache_place))
    monkeypatch.setenv("BENCHBASE_OFFLINE", "1")
    monkeypatch.delenv("BENCHBASE_DATA", raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder in which MNIST is looked for."""
    monkeypatch.setenv("BENCHBASE_DATA", str(tmp_path))
    place = tmp_path / "mnist"
    place.mkdir()
    return place


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def small_images(count: int, seed: int = 0) -> Array:
    return rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def idx(images: Array) -> bytes:
    return struct.pack(">4I", 0x803, *images.shape) + images.tobytes()


def write_small(folder: Path, seed: int = 0) -> tuple[Array, Array]:
    train, test = small_images(30, seed), small_images(12, seed + 1)
    (folder / TRAIN).write_bytes(idx(train))
    (folder / f"{TEST}.gz").write_bytes(gzip.compress(idx(test)))
    return train.reshape(30, -1), test.reshape(12, -1)


# IDX files.


@given(
    images=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)),
    compress=st.booleans(),
)
@settings(max_examples=50)
def test_idx_round_trip(
    images: Array, compress: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "images"
    file.write_bytes(gzip.compress(idx(images)) if compress else idx(images))
    count, height, width = images.shape
    read = read_images(file, height, width)
    np.testing.assert_array_equal(read, images.reshape(count, -1))
    assert not read.flags.writeable


GOOD = idx(small_images(3))
DAMAGED = {
    "empty": (b"", "not an IDX file: it holds only 0 bytes"),
    "header cut": (GOOD[:10], "not an IDX file: it holds only 10 bytes"),
    "labels": (b"\x00\x00\x08\x01" + GOOD[4:], "begins with 00000801, not with 00000803"),
    "web page": (b"<!DOCTYPE html><html></html>", "not an IDX file of images"),
    "cut": (GOOD[:-1], "holds 2351 bytes of images, but its header announces 2352"),
    "too long": (GOOD + b"\x00", "holds 2353 bytes of images, but its header announces 2352"),
    "other size": (idx(np.zeros((2, 8, 8), np.uint8)), "images of 8×8 pixels, not of 28×28"),
    "none": (idx(np.zeros((0, 28, 28), np.uint8)), "holds no images"),
    "gzip cut": (gzip.compress(GOOD)[:-20], "cannot be read"),
    "gzip garbled": (gzip.compress(GOOD)[:30] + b"garbage" * 99, "cannot be read"),
    "gzip checksum": (gzip.compress(GOOD)[:-8] + bytes(8), "cannot be read: CRC check failed"),
    "gzip header and noise": (gzip.compress(GOOD)[:10] + b"\xff" * 50, "invalid block type"),
    "gzip header alone": (b"\x1f\x8b", "cannot be read"),
}


@pytest.mark.parametrize(("data", "problem"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_named_with_their_problem(
    data: bytes, problem: str, folder: Path
) -> None:
    write_small(folder)
    (folder / TRAIN).write_bytes(data)
    with pytest.raises(benchbase.DataError, match=problem) as info:
        Mnist(components=2).train(rng())
    assert str(folder / TRAIN) in str(info.value)


# Where MNIST is found.


def test_mnist_is_read_gzip_or_not(folder: Path) -> None:
    train, test = write_small(folder)
    dataset = Mnist(components=None)
    np.testing.assert_allclose(dataset.train(rng()), train / 255, rtol=1e-6)
    drawn = dataset.test(12, rng(5))
    np.testing.assert_allclose(drawn, (test / 255)[rng(5).permutation(12)], rtol=1e-6)
    assert dataset.picture(drawn).shape == (12, 28, 28)
    with pytest.raises(benchbase.ParameterError, match="points must be at most 12"):
        dataset.test(13, rng())


def test_mnist_fingerprint_is_that_of_the_images(folder: Path) -> None:
    train, _ = write_small(folder)
    plain = Mnist().fingerprint()
    before = np.array(Mnist(components=5).train(rng()))
    (folder / TRAIN).unlink()
    (folder / f"{TRAIN}.gz").write_bytes(gzip.compress(idx(train.reshape(-1, 28, 28))))
    assert Mnist().fingerprint() == plain
    np.testing.assert_array_equal(Mnist(components=5).train(rng()), before)
    write_small(folder, seed=7)
    (folder / f"{TRAIN}.gz").unlink()
    assert Mnist().fingerprint() != plain
    assert not np.array_equal(Mnist(components=5).train(rng()), before)


def test_mnist_is_decompressed_once_a_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_small(folder, seed=20)
    dataset = Mnist(components=5)
    first = dataset.train(rng())
    monkeypatch.setattr(mnist_module, "contents", None)
    monkeypatch.setattr(mnist_module, "read_images", None)
    assert dataset.train(rng()) is first
    assert dataset.test(3, rng()).shape == (3, 5)


def test_missing_mnist_says_which_files_to_put_where(cache_place: Path) -> None:
    with pytest.raises(benchbase.DataError) as info:
        Mnist().fingerprint()
    message = str(info.value)
    assert f"{TRAIN}.gz and {TEST}.gz" in message
    assert str(cache_place / "mnist") in message
    assert "BENCHBASE_OFFLINE" in message
    assert "BENCHBASE_DATA" in message
    assert "\n" not in message


def test_incomplete_folder_says_what_it_lacks(folder: Path) -> None:
    write_small(folder)
    (folder / TRAIN).unlink()
    with pytest.raises(benchbase.DataError) as info:
        Mnist().fingerprint()
    assert f"{folder} does not contain {TRAIN}.gz" in str(info.value)
    assert TEST not in str(info.value)


def test_data_folder_without_mnist_leads_on_to_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHBASE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    train, _ = write_small(tmp_path / "mnist", seed=30)
    np.testing.assert_allclose(Mnist(components=None).train(rng()), train / 255, rtol=1e-6)


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the name is the base's
        """Stay quiet."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Array]]:
    """Serve small archives; the first mirror knows nothing, the second has all."""
    for name in ("empty", "full"):
        (tmp_path / "site" / name).mkdir(parents=True)
    full = tmp_path / "site" / "full"
    train = small_images(30, seed=40)
    archives = {TRAIN: gzip.compress(idx(train)), TEST: gzip.compress(idx(small_images(9)))}
    for name, data in archives.items():
        (full / f"{name}.gz").write_bytes(data)
    digests = {f"{name}.gz": hashlib.sha256(data).hexdigest() for name, data in archives.items()}
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "site"))
    )
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(mnist_module, "ARCHIVES", digests)
    monkeypatch.setattr(mnist_module, "MIRRORS", (f"{address}/empty/", f"{address}/full/"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCHBASE_OFFLINE")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield full, train
    server.shutdown()
    thread.join()
    server.server_close()


def test_mnist_is_downloaded_once(
    served: tuple[Path, Array], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _, train = served
    found = Mnist(components=None).train(rng())
    np.testing.assert_allclose(found, train.reshape(30, -1) / 255, rtol=1e-6)
    assert capfd.readouterr().out == ""
    monkeypatch.setattr(mnist_module, "MIRRORS", ())
    assert Mnist(components=None).test(9, rng()).shape == (9, 784)


def test_download_of_another_file_is_refused(served: tuple[Path, Array], tmp_path: Path) -> None:
    full, _ = served
    (full / f"{TRAIN}.gz").write_bytes(b"<html>Log in to the network</html>")
    with pytest.raises(benchbase.DataError, match="/full/: not the published file") as info:
        Mnist().fingerprint()
    assert "/empty/: HTTPError" in str(info.value)
    assert not any(file.is_file() for file in (tmp_path / "cache").rglob("*ubyte*"))


def test_mirrors_that_do_not_answer_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch  # noqa: F401 # so that importing it takes no part in the time

    monkeypatch.delenv("BENCHBASE_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(downloads, "TIMEOUT", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(mnist_module, "MIRRORS", (mirror,))
        begin = time.perf_counter()
        with pytest.raises(benchbase.DataError, match=f"{mirror}: ReadTimeout"):
            Mnist().fingerprint()
        assert time.perf_counter() - begin < 2.5


@pytest.mark.skipif(
    DATA is None or not (Path(DATA) / "mnist").is_dir(),
    reason="BENCHBASE_DATA names no folder with a folder 'mnist'",
)
def test_published_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHBASE_DATA", str(DATA))
    dataset = Mnist()
    train, test = dataset.train(rng()), dataset.test(10_000, rng()).astype(np.float64)
    assert train.shape == (60_000, 100)
    # The first component of nonnegative images has no negative entry.
    assert dataset.picture(np.eye(100)[0]).min() > -1e-12
    mean = np.mean(train, axis=0, dtype=np.float64)
    cosines = (test @ mean) ** 2 / np.sum(test**2, axis=1) / np.sum(mean**2)
    assert cosines.mean() == pytest.approx(0.437, abs=0.002)
    # 0.1307 and 0.3081 are the well-known mean and deviation of the training pixels.
    energy = np.sum(np.square(train, dtype=np.float64)) / (60_000 * 784)
    assert 0.93 < energy / (0.1307**2 + 0.3081**2) < 1
