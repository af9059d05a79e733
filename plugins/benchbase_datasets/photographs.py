"""Photographs: the folders where they are found, and their grey levels."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import warnings
from collections.abc import Iterator, Sequence
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
"""The suffixes of image files; files with other suffixes are left out."""

BUNDLED = ("china.jpg", "flower.jpg")
"""The photographs that come with scikit-learn, 427×640 pixels each."""


@dataclass(frozen=True)
class Photograph:
    """One photograph: a file, or a part of a file such as an archive.

    Parameters
    ----------
    name : str
        The name by which photographs are sorted. It does not depend on where their folder is.
    path : pathlib.Path
        The file.
    start, length : int
        The part of the file, in bytes. A length of -1 means everything from `start` on.
    """

    name: str
    path: Path
    start: int = 0
    length: int = -1

    def shape(self) -> tuple[int, int]:
        """Return height and width in pixels, which are read from the head of the file."""
        width, height = self._open().size
        return height, width

    def grey(self) -> Array:
        """Return the grey levels (H, W), uint8: 0.299 red + 0.587 green + 0.114 blue.

        Raises
        ------
        DataError
            If the photograph cannot be decoded completely, has more than 8 bits per channel, has
            transparent pixels, or is too large to be decoded safely.
        """
        image = self._open()
        if image.mode.startswith(("I", "F")) or _is_deep(image):
            raise self._error(
                f"has more than 8 bits per pixel (mode {image.mode}); convert it to 8 bits"
            )
        try:
            if image.has_transparency_data:
                least = image.convert("RGBA").getchannel("A").getextrema()[0]
                if least < 255:  # type: ignore[operator] # one channel has one pair of numbers
                    raise self._error("has transparent pixels, which have no grey level; fill them")
            return np.asarray(image.convert("L"))
        except DataError:
            raise
        except Exception as error:  # decoders raise errors of many types
            raise self._unreadable(error) from error

    def _open(self) -> Image:
        from PIL import Image

        try:
            with self.path.open("rb") as file, warnings.catch_warnings():
                file.seek(self.start)
                # A file of a few bytes may claim more pixels than fit into memory.
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                return Image.open(io.BytesIO(file.read(self.length)))
        except Exception as error:  # as above
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        reason = str(getattr(error, "strerror", None) or error).partition(" <_io")[0]
        return self._error(f"cannot be read: {reason}; replace the file or remove it")

    def _error(self, problem: str) -> DataError:
        place = self.path if not self.start else f"{self.path}: {self.name}"
        return DataError(f"{place} {problem}")


class Source(Protocol):
    """A collection of photographs, such as a folder."""

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the photographs; raise `DataError` if there are none."""

    def photographs(self) -> list[Photograph]:
        """Return the photographs, sorted by name."""

    def others(self) -> int:
        """Return the number of files in the collection that are not images."""


@dataclass(frozen=True)
class Folder:
    """The images of a folder and of all folders in it.

    Parameters
    ----------
    place : pathlib.Path
        The folder.
    only : sequence of str
        The names of the images to take. If empty, all images are taken.
    """

    place: Path
    only: Sequence[str] = ()

    def photographs(self) -> list[Photograph]:
        """Return the images, sorted by their path in the folder."""
        files = filter(_is_image, self._files())
        images = (Photograph(file.relative_to(self.place).as_posix(), file) for file in files)
        return sorted(images, key=lambda photograph: photograph.name)

    def others(self) -> int:
        """Return the number of files that are not images, judged by their suffix."""
        return sum(not _is_image(file) for file in self._files())

    def fingerprint(self) -> str:
        """Return the SHA-256 digest of the images, taken in the order of their names.

        Raises
        ------
        DataError
            If there is no such folder or no image in it, or if an image cannot be read.
        """
        photographs = self.photographs()
        if not photographs:
            problem = "has no images" if self.place.is_dir() else "is not a folder"
            raise DataError(f"patches: {self.place} {problem}; name a folder of photographs")
        digest = hashlib.sha256()
        for photograph in photographs:
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
        return [file for folder in self._folders() for file in folder.iterdir() if file.is_file()]

    def _folders(self) -> Iterator[Path]:
        """Yield the folder and all folders in it, also linked ones, each once.

        Raises
        ------
        DataError
            If one of them cannot be read.
        """

        def refuse(error: OSError) -> None:
            raise DataError(
                f"{error.filename} cannot be read: {error.strerror}; give access to it, or move it"
            ) from error

        seen = set()
        if not self.place.is_dir():
            return
        for folder, inside, _ in os.walk(self.place, onerror=refuse, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:  # a link leads back, or two links to one folder
                inside.clear()
                continue
            seen.add(real)
            inside.sort()
            yield Path(folder)


def _is_deep(image: Image) -> bool:
    """Return whether a file has more than 8 bits per channel, which Pillow would cut to 8."""
    bits = getattr(image, "tag_v2", {}).get(258, (8,))  # the depths of a TIFF file
    if max(bits) > 8:
        return True
    tiles = getattr(image, "tile", [])
    parts = [part for tile in tiles for part in np.atleast_1d(np.array(tile[3], object))]
    # PNG files have raw modes such as "RGB;16B", and PPM files a largest value.
    return any(
        ";16" in part if isinstance(part, str) else image.format == "PPM" and int(part or 0) > 255
        for part in parts
    )


def _is_image(file: Path) -> bool:
    """Return whether a file is an image, by its name; hidden files, as macOS adds them, are not."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


@cache
def _digest(file: Path, size: int, modified: int) -> str:
    """Return the digest of a file; the file is read again only if its size or time changed."""
    del size, modified
    return hashlib.sha256(file.read_bytes()).hexdigest()


def bundled() -> Folder:
    """Return the folder of the two photographs that come with scikit-learn."""
    # The folder is looked up directly, because importing sklearn.datasets takes over a second.
    spec = importlib.util.find_spec("sklearn")
    package = Path(spec.origin).parent if spec is not None and spec.origin else Path("sklearn")
    return Folder(package / "datasets" / "images", BUNDLED)


def bsds500() -> Folder:
    """Return the folder of the photographs of the Berkeley segmentation data set, BSDS500.

    Raises
    ------
    DataError
        If there is no folder ``bsds500`` inside the folder that ``BENCHBASE_DATA`` names.
    """
    folder = data_folder("bsds500")
    if folder is None:
        raise DataError(
            "patches: the photographs of BSDS500 are missing; put them (BSDS500/data/images of the "
            "archive) into a folder 'bsds500' and set BENCHBASE_DATA to the folder that holds it"
        )
    return Folder(folder)
