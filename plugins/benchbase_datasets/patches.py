"""Square patches of photographs as signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

import numpy as np

import benchbase
from benchbase import Array, DataError, ParameterError
from benchbase_datasets import photographs
from benchbase_datasets.normalised import NormalisedDataset, to_unit_norm
from benchbase_datasets.photographs import Folder, Source
from benchbase_datasets.sampling import Sampling, sample
from benchbase_datasets.voc import voc2012

SOURCES: Mapping[str, Callable[[], Source]] = {
    "photographs": photographs.bundled,
    "bsds500": photographs.bsds500,
    "voc2012": voc2012,
}
"""The sources of photographs that have a name; any other source is the path of a folder."""

LARGEST = 256
"""The side of the largest patches in pixels, for which variances are still exact in float64."""


class Patches(NormalisedDataset):
    """Square grey patches of high variance from photographs, each with its mean subtracted.

    Patches are drawn uniformly, without replacement, from all positions in all photographs. Of the
    drawn patches, the ``n_train + n_test`` with the highest variance are kept. The paper draws 5
    million patches and keeps 900,000 for training and 100,000 for testing: ``sampled = 5_000_000,
    n_train = 900_000, n_test = 100_000``. The defaults keep the same fifth of far fewer patches,
    which is what two photographs can give.

    Preparing the patches is not part of any trial: its random numbers are always the same, and the
    patches stay in the cache. Files that are not images, photographs smaller than a patch, and
    patches of one grey level are left out and counted (`skipped`).

    Parameters
    ----------
    source : str
        Where the photographs come from. "photographs" takes the two that come with scikit-learn
        (no download): a temple for training and a flower for testing. "bsds500" takes the images
        in the folder ``bsds500`` inside the folder that ``BENCHBASE_DATA`` names. "voc2012" takes
        the photographs of PASCAL VOC 2012 from the archive ``VOCtrainval_11-May-2012.tar``. The
        archive is read from the folder ``voc2012`` inside ``BENCHBASE_DATA``. If that folder does
        not exist, it is read from ``voc2012`` inside the cache folder and downloaded into it
        (2 GB), unless ``BENCHBASE_OFFLINE`` is set. Any other value is the path of a folder, whose
        images are taken, together with those of the folders in it, also of linked ones. A folder
        that cannot be read is refused, and so are photographs with more than 8 bits per channel,
        with transparent pixels, or with more than 89 million pixels.
    size : int
        The side of a patch in pixels, from 2 to 256. The dimension N is its square.
    sampled : int
        The number of patches to draw.
    n_train, n_test : int
        The exact numbers of patches to keep for training and for testing.
    split : {"image", "random"}
        With "image", each photograph as a whole is for training or for testing, so that no test
        patch overlaps a training patch. The share of test photographs is that of test patches,
        but at least one photograph. Patches are drawn and kept in the two parts separately, in
        the same proportion. With "random", as in the paper, all patches are drawn and kept
        together and then split at random. Many a test patch is then a training patch that is
        shifted by a few pixels.
    normalise : bool
        Whether every patch is scaled to unit norm in the end.

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
    n_test: int = 2_000  # type: ignore[misc] # a class attribute in other data sets
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
        """Return the training patches, float32 of shape (T, N), read-only and memory-mapped.

        The values are grey levels minus the mean of the patch, in units in which white minus black
        is 1. `rng` is not used.

        Raises
        ------
        DataError
            If the photographs are missing, or one of them cannot be decoded completely.
        ParameterError
            If the photographs have fewer patches than asked for.
        """
        del rng
        return _prepared(self)["train"]

    def test(self, size: int, rng: np.random.Generator) -> Array:
        """Draw test patches without replacement, float32 of shape (size, N).

        Raises
        ------
        DataError, ParameterError
            As `train` does, and if there are fewer than `size` test patches.
        """
        if size > self.n_test:
            problem = f"must be at most {self.n_test}, the number of test patches"
            raise ParameterError("points", f"{problem}, not {size}")
        return np.array(_prepared(self)["test"][rng.permutation(self.n_test)[:size]])

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the photographs.

        Raises
        ------
        DataError
            If the photographs are missing or damaged.
        """
        return self._source().fingerprint()

    def picture(self, x: Array) -> Array:
        """Turn signals (..., N) into pictures (..., size, size): 0 becomes 0.5, mid grey.

        Black is 0 and white is 1. Values may lie outside of this range, because the mean of each
        patch is lost. Signals of unit norm are multiplied by the root mean square of the training
        patches' norms.
        """
        scale = _prepared(self)["scale"] if self.normalise else 1.0
        return np.asarray(x * scale + 0.5).reshape(*x.shape[:-1], self.size, self.size)

    def skipped(self) -> dict[str, int]:
        """Return how many files and patches were left out when the patches were prepared.

        Returns
        -------
        dict of str to int
            ``small`` counts the photographs smaller than a patch, ``others`` the files that are not
            images, and ``flat`` the drawn patches of one grey level.
        """
        small, others, flat = (int(count) for count in _prepared(self)["skipped"])
        return {"small": small, "others": others, "flat": flat}

    def _source(self) -> Source:
        if self.source in SOURCES:
            return SOURCES[self.source]()
        return Folder(benchbase.user_path(self.source))


def _prepared(dataset: Patches) -> Mapping[str, Array]:
    """Return the arrays `train`, `test`, `skipped` and, for patches of unit norm, `scale`."""
    return _cached_patches(dataset, dataset.fingerprint())


@cache
def _cached_patches(dataset: Patches, fingerprint: str) -> Mapping[str, Array]:
    # The key names the photographs by their content, because their place does not matter.
    parameters = dataset.spec() | {"source": fingerprint}

    def build() -> dict[str, Array]:
        arrays = _prepare(dataset)
        if dataset.fingerprint() != fingerprint:
            raise DataError(
                f"patches: the photographs of {dataset.source} changed while they were read; "
                "try again"
            )
        return arrays

    code = benchbase.code_digest(type(dataset))
    return benchbase.cached(f"patches {parameters} {code}", build)


def _prepare(dataset: Patches) -> dict[str, Array]:
    source = dataset._source()
    available, others = source.photographs(), source.others()
    large = [photograph for photograph in available if min(photograph.shape()) >= dataset.size]
    small = len(available) - len(large)
    side = f"{dataset.size}×{dataset.size}"
    if not large:
        raise DataError(
            f"patches: none of the {len(available)} photographs has {side} pixels or more; "
            "choose a smaller size or larger photographs"
        )
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
            f"patches: {len(large)} photographs are used; {small} smaller than {side} pixels, "
            f"{others} files that are not images, and {flat} patches of one grey level are left out"
        )
    arrays = {"train": train, "test": test, "skipped": np.array([small, others, flat])}
    if dataset.normalise:
        arrays["scale"] = np.asarray(to_unit_norm(train))
        to_unit_norm(test)
    return arrays
