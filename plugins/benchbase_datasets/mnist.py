"""MNIST: where its files are, and what they hold."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import benchbase
from benchbase import Array, DataError
from benchbase_datasets.downloads import data_folder, download
from benchbase_datasets.idx import contents, read_images
from benchbase_datasets.images import ImageDataset

ARCHIVES = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
}
"""The SHA-256 digests of the training and the test images as published."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


class Mnist(ImageDataset):
    """Handwritten digits of 28×28 pixels: 60,000 to train and 10,000 to test, as published.

    The files ``train-images-idx3-ubyte`` and ``t10k-images-idx3-ubyte``, with or without ``.gz``,
    are read from the folder ``mnist`` of the folder that ``BENCHBASE_DATA`` names. Where there is
    no such folder they are taken from ``mnist`` in the cache folder and downloaded into it the
    first time, unless ``BENCHBASE_OFFLINE`` is set.

    Parameters
    ----------
    components : int or None
        The number N of principal components of the training images, from 1 to 784; None for the
        784 pixels, from 0 to 1.
    centred : bool
        Whether the mean training image is taken away first.
    normalise : bool
        Whether every signal is scaled to unit norm.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998, pages 2278-2324. Bruna, Szlam, LeCun, "Signal recovery
    from pooling representations", ICML 2014, section 3.2, projects onto 100 components.
    """

    name = "mnist"
    n_test = 10_000
    height = 28
    width = 28
    white = 255.0

    components: int | None = 100
    centred: bool = False
    normalise: bool = False

    def images(self) -> tuple[Array, Array]:
        """Return the grey levels of all training and all test images, (T, 784) each."""
        train, test = (read_images(file, self.height, self.width) for file in _files())
        return train, test

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of what the files hold, however they are compressed.

        Raises
        ------
        DataError
            If they are missing and cannot be downloaded, or cannot be decompressed.
        """
        stats = [(file, file.stat()) for file in _files()]
        digests = [_digest(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats]
        return hashlib.sha256("".join(digests).encode()).hexdigest()


@cache
def _digest(file: Path, size: int, modified: int) -> str:
    """Return the digest of a file, read again only once its size or time has changed."""
    del size, modified
    return hashlib.sha256(contents(file)).hexdigest()


def _files() -> list[Path]:
    """Return the paths of the training and the test images, downloaded if need be."""
    folder = data_folder("mnist")
    if folder is not None:
        files = [_find(folder, archive) for archive in ARCHIVES]
        missing = [archive for archive, file in zip(ARCHIVES, files, strict=True) if file is None]
        if missing:
            names = " and ".join(missing)
            raise DataError(f"mnist: {folder} lacks {names} (or the same without .gz)")
        return [file for file in files if file is not None]
    folder = benchbase.cache_folder() / "mnist"
    advice = (
        f"put {' and '.join(ARCHIVES)} (or the same without .gz) into {folder}, or into a folder "
        "'mnist' and name the folder around it in BENCHBASE_DATA"
    )
    return [
        _find(folder, archive) or download("mnist", archive, digest, MIRRORS, advice)
        for archive, digest in ARCHIVES.items()
    ]


def _find(folder: Path, archive: str) -> Path | None:
    places = (folder / archive, folder / archive.removesuffix(".gz"))
    return next((place for place in places if place.is_file()), None)
