"""The 8×8 digits that scikit-learn brings with it."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np

from benchbase import Array
from benchbase_datasets.images import ImageDataset

TRAINING = 1287


class Digits(ImageDataset):
    """Handwritten digits of 8×8 pixels in 17 grey levels, from scikit-learn: no download.

    scikit-learn ships the 1,797 test images of the UCI data set. They are in the order of the
    forms that people filled in, about 130 digits each: the nearest of the other images is
    within 70 places for 45 % of them (by chance 8 %). So the first 1,287 are for training and the
    last 510 for testing: a form begins at the cut, and none is on both sides. A random split
    would put each person's hand on both.

    Parameters
    ----------
    components : int or None
        The number N of principal components of the training images, from 1 to 64; None for the
        64 pixels, from 0 to 1.
    centred : bool
        Whether the mean training image is taken away first.
    normalise : bool
        Whether every signal is scaled to unit norm.

    References
    ----------
    Alpaydin and Kaynak, "Cascading classifiers", Kybernetika 34(4), 1998, pages 369-374;
    "Optical recognition of handwritten digits", UCI machine learning repository, 1998.
    """

    name = "digits"
    n_test = 510
    height = 8
    width = 8
    white = 16.0

    components: int | None = None
    centred: bool = False
    normalise: bool = False

    def images(self) -> tuple[Array, Array]:
        """Return the grey levels of all training and all test images, (1287, 64), (510, 64)."""
        grey = _grey_levels()
        return grey[:TRAINING], grey[TRAINING:]

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the images that the installed scikit-learn brings."""
        return _digest()


@cache
def _grey_levels() -> Array:
    """Return all images, (1797, 64), uint8, read-only."""
    # Importing sklearn.datasets takes over a second, reading the file a tenth of that.
    spec = importlib.util.find_spec("sklearn")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    file = folder / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():
        grey = np.loadtxt(file, delimiter=",", dtype=np.uint8)[:, :-1]
    else:
        from sklearn.datasets import load_digits

        grey = load_digits().data.astype(np.uint8)
    grey.flags.writeable = False
    return grey


@cache
def _digest() -> str:
    return hashlib.sha256(_grey_levels().tobytes()).hexdigest()
