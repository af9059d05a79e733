"""A site: its bundles, and what is known about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchbase import BenchbaseError
from benchbase.showing import alike, file_name, visible
from benchbase_publish.bundle import Head
from benchbase_publish.packing import read_bundle
from benchbase_publish.schema import BundleError, Date, Digest, Seed, Text

BUNDLES, INDEX = "bundles", "index.json"

Level = Literal["not verified", "claimed", "reproducible", "sealed (other code)", "sealed"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""What may be known about a row, from the least to the most."""

_MAY_BE_THERE = ("CNAME", "README*", "LICENSE*", ".*")
"""What a folder may hold before a site is made in it: what a host of sites or git puts there."""


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
    submitter : str
        Who sent it, as the acceptor knows them; "" if the acceptor did not say.
    scored : bool
        Whether every stored signal was scored again.
    not_asked : list of str
        The labels of solvers that say that they do not apply to some problems, though nobody could
        ask them.
    seeds : list of int
        Seeds of sealed runs in which the acceptor ran its solvers again, with the code that the
        bundle names, and they agreed. Each was drawn at random for that run.
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
    submitter: Text
    scored: bool
    not_asked: Annotated[list[Text], Field(max_length=1000)]
    seeds: Annotated[list[Seed], Field(max_length=1000)]
    other_seeds: Annotated[list[Seed], Field(max_length=1000)]
    other_code: Annotated[list[Text], Field(max_length=1000)]
    software: Text

    @property
    def level(self) -> Level:
        """The highest of `LEVELS` that holds for all rows of solvers that apply."""
        run = 2 if self.seeds else int(bool(self.other_seeds))
        return LEVELS[2 + run if self.scored else 1]

    def level_of(self, label: str, *, applies: bool) -> Level:
        """Return what is known about a solver's rows of a problem, to which it applies or not."""
        asked = applies or not self.scored or label not in self.not_asked
        return self.level if asked else LEVELS[0]

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
        changes["not_asked"] = []  # the solvers were run, and asked by that
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
        """Read a site. A folder that does not exist is a site without bundles.

        So is a folder that holds nothing, or only what a host of sites or git puts there: CNAME,
        a readme, a licence, and names that begin with a dot.

        Raises
        ------
        BenchbaseError
            If the folder holds something else, or a bundle that is not the accepted one.
        """
        if not folder.exists():
            return cls(folder)
        if not folder.is_dir():
            raise BenchbaseError(f"{folder} is not a folder")
        if not (folder / INDEX).is_file() or not (folder / BUNDLES).is_dir():
            names = sorted(path.name for path in folder.iterdir())
            others = [name for name in names if not any(map(partial(fnmatch, name), _MAY_BE_THERE))]
            if not others:
                return cls(folder)
            raise BenchbaseError(
                f"{folder} holds something other than a site ({visible(others[0])}); "
                "choose another folder"
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

    def earlier(self, bundle: Head, submitter: str) -> list[Held]:
        """Return the submitter's own bundles whose labels a bundle has, and which it replaces.

        Raises
        ------
        BundleError
            If one of them is newer, or has solvers that the bundle lacks.
        """
        if not submitter:
            return []
        found = []
        for held in self.of(bundle.manifest.suite.name):
            own = held.receipt.submitter == submitter and held.bundle.digest != bundle.digest
            if not own or not {*held.bundle.labels} & {*bundle.labels}:
                continue
            if lost := sorted({*held.bundle.labels} - {*bundle.labels}):
                raise BundleError(
                    f"it would replace the bundle {held.bundle.digest[:12]} of {submitter!r}, and "
                    f"so remove the rows of {', '.join(map(repr, lost))}; pack these too"
                )
            if _started(held.bundle) > _started(bundle):
                raise BundleError(
                    f"the site has a newer one of {submitter!r}: {held.bundle.digest[:12]}, "
                    f"computed on {held.bundle.manifest.provenance.started}"
                )
            found.append(held)
        return found

    def without(self, gone: Sequence[Held]) -> Site:
        """Return the site without some of its bundles."""
        left = {each.bundle.digest for each in gone}
        return replace(self, held=tuple(h for h in self.held if h.bundle.digest not in left))

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


def _started(bundle: Head) -> datetime:
    return datetime.fromisoformat(bundle.manifest.provenance.started)


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
