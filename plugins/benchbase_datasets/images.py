"""The shared part of image data sets: pixels or principal components, kept in the cache."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import ClassVar

import numpy as np

import benchbase
from benchbase import Array, ParameterError
from benchbase_datasets.normalised import NormalisedDataset, to_unit_norm
from benchbase_datasets.pca import coefficients, principal_components


class ImageDataset(NormalisedDataset):
    """Images with fixed training and test parts, as pixels or as principal components.

    Parameters
    ----------
    components : int or None
        The number N of principal components of the training images, from 1 to the number of
        pixels; None for the pixels themselves.
    centred : bool
        Whether the mean training image is subtracted first. The mean of the training signals is
        then zero.
    normalise : bool
        Whether every signal is then scaled to unit norm. A zero image stays zero, and so does
        an image that equals the mean image if that is subtracted.

    Attributes
    ----------
    height, width : int
        The size of an image in pixels. Class attributes.
    white : float
        The grey level that becomes 1; black is 0. Class attribute.
    """

    components: int | None = None
    centred: bool = False
    normalise: bool = False

    height: ClassVar[int]
    width: ClassVar[int]
    white: ClassVar[float]

    def __post_init__(self) -> None:
        """Check the number of components."""
        pixels = self.height * self.width
        if self.components is not None and not 1 <= self.components <= pixels:
            problem = f"must be between 1 and the {pixels} pixels, not {self.components}"
            raise ParameterError("components", problem)

    @property
    def n(self) -> int:
        """The dimension N of the signals."""
        return self.height * self.width if self.components is None else self.components

    @abstractmethod
    def images(self) -> tuple[Array, Array]:
        """Return the grey levels of all training images (T, P) and all test images (T', P)."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the images.

        Raises
        ------
        DataError
            If the files are missing or damaged.
        """

    def train(self, rng: np.random.Generator) -> Array:
        """Return the training signals (T, N), float32, read-only; `rng` is not used."""
        del rng
        return _signals(self)["train"]

    def test(self, size: int, rng: np.random.Generator) -> Array:
        """Draw test signals without replacement, float32 of shape (size, N).

        Raises
        ------
        ParameterError
            If there are fewer than `size` test images.
        """
        available = _signals(self)["test"]
        if size > len(available):
            problem = f"must be at most {len(available)}, the number of test images of {self.name}"
            raise ParameterError("points", f"{problem}, not {size}")
        return np.array(available[rng.permutation(len(available))[:size]])

    def picture(self, x: Array) -> Array:
        """Turn signals (..., N) into grey pictures (..., H, W): black is 0, white is 1.

        Signals of unit norm are multiplied by the root mean square of the training images' norms,
        because the norm of each single image is lost.
        """
        arrays = _signals(self)
        pixels = x @ arrays["basis"].T if "basis" in arrays else x
        return np.asarray(pixels * arrays["scale"] + arrays["mean"]).reshape(
            *x.shape[:-1], self.height, self.width
        )


def _signals(dataset: ImageDataset) -> Mapping[str, Array]:
    """Return a data set's arrays: `train`, `test`, `mean`, `scale` and, unless pixels, `basis`."""
    return _cached_signals(dataset, dataset.fingerprint())


@cache
def _cached_signals(dataset: ImageDataset, fingerprint: str) -> Mapping[str, Array]:
    key = f"{dataset.name} {fingerprint} {dataset.spec()} {benchbase.code_digest(type(dataset))}"
    return benchbase.cached(key, lambda: _build(dataset))


def _build(dataset: ImageDataset) -> dict[str, Array]:
    train, test = dataset.images()
    mean = np.zeros(train.shape[1])
    if dataset.centred:
        mean = train.mean(axis=0, dtype=np.float64) / dataset.white
    basis = None
    if dataset.components is not None:
        basis = principal_components(train, dataset.components, centred=dataset.centred)
    arrays = {
        "train": coefficients(train, dataset.white, mean, basis),
        "test": coefficients(test, dataset.white, mean, basis),
        "mean": mean,
        "scale": np.ones(()),
    }
    if dataset.normalise:
        arrays["scale"] = np.asarray(to_unit_norm(arrays["train"]))
        to_unit_norm(arrays["test"])
    return arrays if basis is None else arrays | {"basis": basis}
