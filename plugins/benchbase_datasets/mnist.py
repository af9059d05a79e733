"""MNIST, the standard set of images of handwritten digits."""

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
    """MNIST: handwritten digits of 28×28 pixels, 60,000 for training and 10,000 for testing.

    The files ``train-images-idx3-ubyte`` and ``t10k-images-idx3-ubyte``, with or without ``.gz``,
    are read from the folder ``mnist`` inside the folder that ``BENCHBASE_DATA`` names. If there is
    no such folder, they are read from the folder ``mnist`` inside the cache folder. The first
    time, they are downloaded into it, unless ``BENCHBASE_OFFLINE`` is set.

    Parameters
    ----------
    components : int or None
        The number N of principal components of the training images, from 1 to 784; None for the
        784 pixels themselves, with values from 0 to 1.
    centred : bool
        Whether the mean training image is subtracted first.
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
        """Return the grey levels of all training images and all test images, (T, 784) each."""
        train, test = (read_images(file, self.height, self.width) for file in _files())
        return train, test

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the decompressed content of the files.

        Raises
        ------
        DataError
            If the files are missing and cannot be downloaded, or cannot be decompressed.
        """
        stats = [(file, file.stat()) for file in _files()]
        digests = [_digest(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats]
        return hashlib.sha256("".join(digests).encode()).hexdigest()


@cache
def _digest(file: Path, size: int, modified: int) -> str:
    """Return the digest of a file; the file is read again only if its size or time changed."""
    del size, modified
    return hashlib.sha256(contents(file)).hexdigest()


def _files() -> list[Path]:
    """Return the files of the training and the test images, downloaded if necessary."""
    folder = data_folder("mnist")
    if folder is not None:
        files = [_find(folder, archive) for archive in ARCHIVES]
        missing = [archive for archive, file in zip(ARCHIVES, files, strict=True) if file is None]
        if missing:
            names = " and ".join(missing)
            raise DataError(
                f"mnist: {folder} does not contain {names} (or the same without .gz); "
                "put what is missing there"
            )
        return [file for file in files if file is not None]
    folder = benchbase.cache_folder() / "mnist"
    advice = (
        f"put {' and '.join(ARCHIVES)} (or the same without .gz) into {folder}, or into a folder "
        "'mnist' and set BENCHBASE_DATA to the folder that holds it"
    )
    return [
        _find(folder, archive) or download("mnist", archive, digest, MIRRORS, advice)
        for archive, digest in ARCHIVES.items()
    ]


def _find(folder: Path, archive: str) -> Path | None:
    """Return the file in the folder, compressed or not, or None if it is not there."""
    places = (folder / archive, folder / archive.removesuffix(".gz"))
    return next((place for place in places if place.is_file()), None)
