"""Patches of photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

import benchbase
from benchbase import Array, DataError, ParameterError
from benchbase_datasets import photographs
from benchbase_datasets.images import code_digest
from benchbase_datasets.normalised import NormalisedDataset, to_unit_norm
from benchbase_datasets.photographs import Folder, Source
from benchbase_datasets.sampling import Sampling, sample
from benchbase_datasets.voc import voc2012

SOURCES: Mapping[str, Callable[[], Source]] = {
    "photographs": photographs.bundled,
    "bsds500": photographs.bsds500,
    "voc2012": voc2012,
}
"""The sources that have a name."""

LARGEST = 256
"""Side of the largest patches, in pixels: their variances are exact in float64."""


class Patches(NormalisedDataset):
    """Square grey patches of photographs, of high variance, each less its mean.

    Patches are drawn uniformly, without replacement, from all positions in all photographs; of
    those drawn, the ones with the highest variance are kept, as many as there are to be training
    and test patches together. The paper draws 5 million, and keeps 900,000 to train and 100,000 to
    test: ``sampled = 5_000_000, n_train = 900_000, n_test = 100_000``. The defaults keep the same
    fifth of far fewer, which is what two photographs can give.

    Preparing them is not part of any trial: its random numbers are always the same, and the patches
    stay in the cache. Files that are no images, photographs smaller than a patch, and patches
    of one grey level are passed over and counted (`skipped`).

    Parameters
    ----------
    source : str
        "photographs", the two that scikit-learn brings with it (no download): a temple to train
        on and a flower to test; "bsds500", the images in the folder ``bsds500`` of the folder
        that ``BENCHBASE_DATA`` names; "voc2012", the photographs of PASCAL VOC 2012, read from
        the archive ``VOCtrainval_11-May-2012.tar`` in its folder ``voc2012`` or, where that does
        not exist, in the cache folder's, where it is downloaded to (2 GB) unless
        ``BENCHBASE_OFFLINE`` is set; or the path of a folder, whose images are taken, and those
        of the folders in it.
    size : int
        Side of a patch in pixels, from 2 to 256; the dimension N is its square.
    sampled : int
        Patches to draw.
    n_train, n_test : int
        Patches to keep, to train on and to test: exactly so many.
    split : {"image", "random"}
        "image": each photograph is for training or testing as a whole, so that no test patch
        overlaps a training patch. The share of test photographs is that of test patches, at
        least one; drawing and keeping is done in the two parts separately, in the same
        proportion. "random": as in the paper, all patches are drawn and kept together and then
        dealt at random; many a test patch is then a training patch a few pixels further.
    normalise : bool
        Whether every patch is then scaled to unit norm.

    References
    ----------
    Bruna, Szlam, LeCun, "Signal recovery from pooling representations", ICML 2014, section 3.2
    and figures 1d and 1e. Arbeláez, Maire, Fowlkes, Malik, "Contour detection and hierarchical
    image segmentation", IEEE TPAMI 33(5), 2011 (BSDS500). Everingham, Van Gool, Williams, Winn,
    Zisserman, "The PASCAL visual object classes challenge 2012 results" (VOC 2012).
    """

    name = "patches"

    source: str = "photographs"
    size: int = 16
    sampled: int = 100_000
    n_train: int = 18_000
    n_test: int = 2_000  # type: ignore[misc] # a class attribute of data sets without a choice
    split: Literal["image", "random"] = "image"
    normalise: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        benchbase.check_range("size", self.size, least=2, most=LARGEST)
        benchbase.check_range("n_train", self.n_train, least=1)
        benchbase.check_range("n_test", self.n_test, least=1)
        kept = self.n_train + self.n_test
        if self.sampled < kept:
            problem = f"must be at least n_train + n_test = {kept}, not {self.sampled}"
            raise ParameterError("sampled", problem)

    @property
    def n(self) -> int:
        """The dimension N of the signals."""
        return self.size**2

    def train(self, rng: np.random.Generator) -> Array:
        """Return the training patches (T, N), float32, read-only, memory-mapped.

        Grey levels less their mean, white less black being 1; nothing here depends on `rng`.

        Raises
        ------
        DataError
            If the photographs are missing, or one cannot be decoded whole.
        ParameterError
            If they have fewer patches than asked for.
        """
        del rng
        return _prepared(self)["train"]

    def test(self, size: int, rng: np.random.Generator) -> Array:
        """Draw test patches without replacement, (size, N), float32.

        Raises
        ------
        DataError, ParameterError
            As `train` does; and where there are fewer than `size`.
        """
        if size > self.n_test:
            problem = f"must be at most {self.n_test}, the test patches"
            raise ParameterError("points", f"{problem}, not {size}")
        return np.array(_prepared(self)["test"][rng.permutation(self.n_test)[:size]])

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the photographs.

        Raises
        ------
        DataError
            If they are missing or damaged.
        """
        return self._source().fingerprint()

    def picture(self, x: Array) -> Array:
        """Turn signals (..., N) into pictures (..., size, size): 0 becomes 0.5, mid grey.

        Black is 0 and white is 1; patches may go beyond, as their mean is lost. Signals of unit
        norm get the root mean square of the training patches' norms.
        """
        scale = _prepared(self)["scale"] if self.normalise else 1.0
        return np.asarray(x * scale + 0.5).reshape(*x.shape[:-1], self.size, self.size)

    def skipped(self) -> dict[str, int]:
        """Return how many files and patches were passed over when the patches were prepared.

        Returns
        -------
        dict of str to int
            ``small``: photographs smaller than a patch; ``others``: files that are no images;
            ``flat``: drawn patches of one grey level.
        """
        small, others, flat = (int(count) for count in _prepared(self)["skipped"])
        return {"small": small, "others": others, "flat": flat}

    def _source(self) -> Source:
        if self.source in SOURCES:
            return SOURCES[self.source]()
        return Folder(Path(self.source).expanduser())


def _prepared(dataset: Patches) -> Mapping[str, Array]:
    """Return the patches for training and testing, the scale and what was passed over."""
    return _cached_patches(dataset, dataset.fingerprint())


@cache
def _cached_patches(dataset: Patches, fingerprint: str) -> Mapping[str, Array]:
    # Where the photographs are does not matter, only what they are.
    parameters = dataset.spec() | {"source": fingerprint}

    def build() -> dict[str, Array]:
        arrays = _prepare(dataset)
        if dataset.fingerprint() != fingerprint:
            raise DataError(f"patches: photographs of {dataset.source} changed as they were read")
        return arrays

    return benchbase.cached(f"patches {parameters} {code_digest()}", build)


def _prepare(dataset: Patches) -> dict[str, Array]:
    source = dataset._source()
    found, others = source.photographs(), source.others()
    large = [photograph for photograph in found if min(photograph.shape()) >= dataset.size]
    small = len(found) - len(large)
    side = f"{dataset.size}×{dataset.size}"
    if not large:
        raise DataError(f"patches: none of {len(found)} photographs has {side} pixels or more")
    sampling = Sampling(
        size=dataset.size,
        sampled=dataset.sampled,
        n_train=dataset.n_train,
        n_test=dataset.n_test,
        by_image=dataset.split == "image",
    )
    with benchbase.progress("patches", 2 * len(large)) as bar:
        train, test, flat = sample(large, sampling, bar.update)
    if small or others or flat:
        benchbase.note(
            f"patches: {len(large)} photographs; passed over: {small} smaller than {side} pixels, "
            f"{others} files that are no images, {flat} patches of one grey level"
        )
    arrays = {"train": train, "test": test, "skipped": np.array([small, others, flat])}
    if dataset.normalise:
        arrays["scale"] = np.asarray(to_unit_norm(train))
        to_unit_norm(test)
    return arrays
