"""Photographs: where they are, and their grey levels."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from benchbase import Array, DataError
from benchbase_datasets.downloads import data_folder

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Of files that are images; other files are passed over."""

BUNDLED = ("china.jpg", "flower.jpg")
"""The photographs that scikit-learn brings, 427×640 pixels each."""


@dataclass(frozen=True)
class Photograph:
    """One photograph: a file, or a part of one.

    Parameters
    ----------
    name : str
        By which photographs are put into order; the same wherever their folder is.
    path : pathlib.Path
        The file.
    start, length : int
        The part of the file; a length of -1 is all that follows.
    """

    name: str
    path: Path
    start: int = 0
    length: int = -1

    def shape(self) -> tuple[int, int]:
        """Return height and width in pixels, from the head of the file."""
        width, height = self._open().size
        return height, width

    def grey(self) -> Array:
        """Return the grey levels (H, W), uint8: 0.299 red + 0.587 green + 0.114 blue.

        Raises
        ------
        DataError
            If the photograph cannot be decoded whole, or has more than 8 bits a channel.
        """
        image = self._open()
        if image.mode.startswith(("I", "F")):
            raise self._wrong(f"has more than 8 bits a pixel (mode {image.mode}); convert it")
        try:
            return np.asarray(image.convert("L"))
        except Exception as error:  # decoders of a dozen formats raise what they like
            raise self._unreadable(error) from error

    def _open(self) -> Image:
        from PIL import Image

        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                return Image.open(io.BytesIO(file.read(self.length)))
        except Exception as error:  # as above
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        reason = str(getattr(error, "strerror", None) or error).partition(" <_io")[0]
        return self._wrong(f"cannot be read: {reason}; replace the file or take it away")

    def _wrong(self, problem: str) -> DataError:
        place = self.path if not self.start else f"{self.path}: {self.name}"
        return DataError(f"{place} {problem}")


class Source(Protocol):
    """Where photographs come from."""

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the photographs; raise `DataError` if there are none."""

    def photographs(self) -> list[Photograph]:
        """Return the photographs by name."""

    def others(self) -> int:
        """Return the number of files among them that are no images."""


@dataclass(frozen=True)
class Folder:
    """The images of a folder and of all folders in it.

    Parameters
    ----------
    place : pathlib.Path
        The folder.
    only : sequence of str
        The names of those that count; all images if empty.
    """

    place: Path
    only: Sequence[str] = ()

    def photographs(self) -> list[Photograph]:
        """Return the images by their path in the folder."""
        files = filter(_is_image, self._files())
        found = (Photograph(file.relative_to(self.place).as_posix(), file) for file in files)
        return sorted(found, key=lambda photograph: photograph.name)

    def others(self) -> int:
        """Return the number of files that are no images, by the end of their name."""
        return sum(not _is_image(file) for file in self._files())

    def fingerprint(self) -> str:
        """Return the digest of the images, in the order of their names.

        Raises
        ------
        DataError
            If there is no such folder, no image in it, or one cannot be read.
        """
        found = self.photographs()
        if not found:
            problem = "has no images" if self.place.is_dir() else "is no folder"
            raise DataError(f"patches: {self.place} {problem}; name a folder of photographs")
        digest = hashlib.sha256()
        for photograph in found:
            try:
                stat = photograph.path.stat()
                content = _digest(photograph.path, stat.st_size, stat.st_mtime_ns)
            except OSError as error:
                raise DataError(f"{photograph.path} cannot be read: {error.strerror}") from error
            digest.update(content.encode())
        return digest.hexdigest()

    def _files(self) -> list[Path]:
        if self.only:
            return [self.place / name for name in self.only]
        return [file for file in self.place.rglob("*") if file.is_file()]


def _is_image(file: Path) -> bool:
    """Whether a file is an image by its name; those that macOS leaves beside one are hidden."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


@cache
def _digest(file: Path, size: int, modified: int) -> str:
    """Return the digest of a file, read again only once its size or time has changed."""
    del size, modified
    return hashlib.sha256(file.read_bytes()).hexdigest()


def bundled() -> Folder:
    """Return scikit-learn's two photographs."""
    # Importing sklearn.datasets takes over a second.
    spec = importlib.util.find_spec("sklearn")
    package = Path(spec.origin).parent if spec is not None and spec.origin else Path("sklearn")
    return Folder(package / "datasets" / "images", BUNDLED)


def bsds500() -> Folder:
    """Return the photographs of the Berkeley segmentation data set.

    Raises
    ------
    DataError
        If ``BENCHBASE_DATA`` names no folder that has them.
    """
    folder = data_folder("bsds500")
    if folder is None:
        raise DataError(
            "patches: the photographs of BSDS500 are not here; put them (BSDS500/data/images of "
            "the archive) into a folder 'bsds500' and name the folder around it in BENCHBASE_DATA"
        )
    return Folder(folder)
