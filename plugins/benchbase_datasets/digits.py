"""The handwritten digits of 8×8 pixels that come with scikit-learn."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np

from benchbase import Array
from benchbase_datasets.images import ImageDataset

TRAINING = 1287
"""The number of training images: the first ones in the order of scikit-learn's file."""


class Digits(ImageDataset):
    """Handwritten digits of 8×8 pixels in 17 grey levels, from scikit-learn, without download.

    scikit-learn ships the 1,797 test images of the UCI data set. They are in the order of the
    forms that people filled in, with about 130 digits on each form. For 45 % of the images, the
    most similar other image is within 70 places; by chance this would hold for 8 %. Therefore the
    first 1,287 images are for training and the last 510 for testing. A form begins at the cut, so
    that no form is on both sides. A random split would put each person's handwriting on both
    sides.

    Parameters
    ----------
    components : int or None
        The number N of principal components of the training images, from 1 to 64; None for the
        64 pixels themselves, with values from 0 to 1.
    centred : bool
        Whether the mean training image is subtracted first.
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
        """Return the grey levels of all training images (1287, 64) and test images (510, 64)."""
        grey = _grey_levels()
        return grey[:TRAINING], grey[TRAINING:]

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the images in the installed scikit-learn."""
        return _digest()


@cache
def _grey_levels() -> Array:
    """Return all images, read-only, uint8 of shape (1797, 64)."""
    # The file is read directly: importing sklearn.datasets takes over a second, ten times as long.
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
