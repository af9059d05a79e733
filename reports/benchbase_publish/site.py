"""A site: its bundles, and what is known about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchbase import BenchbaseError
from benchbase.showing import alike, file_name
from benchbase_publish.bundle import Head
from benchbase_publish.packing import read_bundle
from benchbase_publish.schema import BundleError, Date, Digest, Seed, Text

BUNDLES, INDEX = "bundles", "index.json"

Level = Literal["claimed", "scores verified", "solver verified (other code)", "solver verified"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""What may be known about a row, from the least to the most."""


class Receipt(BaseModel):
    """What is known about a bundle in a site.

    Attributes
    ----------
    bundle : str
        The SHA-256 of its file.
    origin : {"published", "submitted"}
        "published" if the site's owner put it there with ``publish``, "submitted" if it passed
        ``accept``.
    accepted : str
        The date and time, ISO 8601.
    scored : bool
        Whether every stored signal was scored again.
    seeds : list of int
        Seeds on which the acceptor ran its solvers again with the code that the bundle names, and
        they agreed.
    other_seeds : list of int
        The same with code other than the bundle names.
    other_code : list of str
        The modules whose code was different on `other_seeds`.
    software : str
        The software that checked it.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    bundle: Digest
    origin: Literal["published", "submitted"]
    accepted: Date
    scored: bool
    seeds: Annotated[list[Seed], Field(max_length=1000)]
    other_seeds: Annotated[list[Seed], Field(max_length=1000)]
    other_code: Annotated[list[Text], Field(max_length=1000)]
    software: Text

    @property
    def level(self) -> Level:
        """The highest of `LEVELS` that holds for the bundle's rows."""
        run = 2 if self.seeds else int(bool(self.other_seeds))
        return LEVELS[1 + run if self.scored else 0]

    def having_run(self, seed: int, other_code: Sequence[str]) -> Receipt:
        """Return the receipt after all rows were scored, and the solvers run again on a seed.

        Parameters
        ----------
        seed : int
            The seed, on which they agreed.
        other_code : sequence of str
            The modules whose code was different from what the bundle names.
        """
        which = "other_seeds" if other_code else "seeds"
        changes: dict[str, Any] = {"scored": True, which: sorted({*getattr(self, which), seed})}
        changes["other_code"] = sorted({*self.other_code, *other_code})
        return self.model_copy(update=changes)


@dataclass(frozen=True)
class Held:
    """A bundle of a site: its head, its receipt, and the file from which it is copied."""

    bundle: Head
    receipt: Receipt
    file: Path

    @property
    def suite(self) -> str:
        """The name of its suite."""
        return self.bundle.manifest.suite.name

    @property
    def stem(self) -> str:
        """The name of its files in the site, without their suffix."""
        return f"{file_name(self.suite)}-{self.bundle.digest}"


@dataclass(frozen=True)
class Site:
    """A site, or the place where one is to be.

    Attributes
    ----------
    folder : pathlib.Path
        The folder of the site.
    held : tuple of Held
        Its bundles.
    """

    folder: Path
    held: tuple[Held, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Site:
        """Read a site; an empty or missing folder is a site without bundles.

        Raises
        ------
        BenchbaseError
            If the folder holds something else, or a bundle that is not the accepted one.
        """
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return cls(folder)
        if not (folder / INDEX).is_file() or not (folder / BUNDLES).is_dir():
            raise BenchbaseError(
                f"{folder} holds something other than a site; choose another folder"
            )
        return cls(folder, tuple(map(_read_held, sorted((folder / BUNDLES).glob("*.zip")))))

    def of(self, suite: str) -> list[Held]:
        """Return the bundles of a suite: published ones first, then by date."""
        same = [held for held in self.held if held.suite == suite]
        return sorted(same, key=lambda h: (h.receipt.origin, h.receipt.accepted, h.bundle.digest))

    @property
    def suites(self) -> list[str]:
        """The names of the suites that the site has bundles of."""
        return sorted({held.suite for held in self.held})

    def suite(self, name: str) -> dict[str, Any] | None:
        """Return the suite of a name as the site has it, or None if it has none."""
        held = self.of(name)
        return held[0].bundle.suite if held else None

    def find(self, digest: str) -> Held | None:
        """Return the bundle whose file has a SHA-256, or None if there is none."""
        return next((held for held in self.held if held.bundle.digest == digest), None)

    def clashes(self, bundle: Head) -> list[str]:
        """Say which labels of a bundle other bundles of its suite have taken."""
        others = [
            h for h in self.of(bundle.manifest.suite.name) if h.bundle.digest != bundle.digest
        ]
        taken = [label for held in others for label in held.bundle.labels]
        return [
            f"the site already has a solver labelled {other!r} on this suite; run yours under "
            "another label and submit it again"
            for label in bundle.labels
            if (other := alike(label, taken)) is not None
        ]

    def having(self, held: Held) -> Site:
        """Return the site with one more bundle, or with a new receipt for one that it has."""
        others = (each for each in self.held if each.bundle.digest != held.bundle.digest)
        return replace(self, held=(*others, held))


def _read_held(file: Path) -> Held:
    try:
        text = file.with_suffix(".json").read_bytes()
        receipt = Receipt.model_validate_json(text)
        bundle = read_bundle(file)
    except FileNotFoundError as error:
        raise BenchbaseError(f"{file} has no receipt: {error.filename} does not exist") from error
    except (OSError, ValidationError) as error:
        raise BenchbaseError(f"the receipt of {file} cannot be read: {error}") from error
    except BundleError as error:
        raise BenchbaseError(f"{file} of the site cannot be read: {error}") from error
    held = Held(bundle.head, receipt, file)
    if bundle.digest != receipt.bundle or file.stem != held.stem:
        problem = "is not the bundle that the site accepted; it or its receipt has changed since"
        raise BenchbaseError(f"{file} {problem}")
    return held
