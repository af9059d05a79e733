"""Names, labels and texts: what they may hold, when two look alike, and how they are shown.

The same rule holds when a suite is read and when its results are published, so that what runs can
also be published. Invisible characters could hide a part of a text, reverse it, or send commands to
the terminal that shows it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

LONGEST_NAME = 120
"""The most characters of a name or label."""

LONGEST_TITLE = 300
"""The most characters of the title of a suite or an experiment."""

_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Unicode's categories of controls, marks of direction, halves of characters, private use."""

_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""Characters without ink in other categories: fillers, joiners, selectors, a Braille blank."""

_LOOKALIKES = {"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LISU"}
"""Alphabets with letters that look like Latin ones."""

_WORD = re.compile(r"[^\W\d_]+")
_MARKS = 2
"""The most accents of a letter."""

_SMALL_CAPITAL = re.compile(r"LATIN LETTER SMALL CAPITAL ([A-Z])")
_ASCII = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "m": "rn", '"': "''", "`": "'"})
"""The ASCII characters that look alike, by Unicode's table and with i for its capital."""

_QUOTED_PATH = re.compile(r"""(?<!\w)(['"])(?:~|[A-Za-z]:)?[/\\][^'"\n]*[/\\](?=[^'"/\\\n]+\1)""")
_PATH = re.compile(
    r"""(?<![\w.:/\\~-])(?:file:|~|[A-Za-z]:)?(?:[/\\]+[^\s/\\'":;,()<>|]+)*[/\\]+(?=[^\s/\\])"""
)
"""The folders of absolute paths, between quotation marks and elsewhere."""

_FILE_NAME = re.compile(r"(?!.*\.$)[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def invisible(text: str, but: str = "") -> str | None:
    """Return the first invisible character that is not in `but`, or None if there is none."""
    hidden = (c for c in text if c not in but and unicodedata.category(c) in _INVISIBLE)
    return next(hidden, None)


def visible(text: str, but: str = "") -> str:
    r"""Return a text with escapes (``\x1b``, ``\u202e``) for its invisible characters.

    Parameters
    ----------
    text : str
        A text from a bundle, a file's name or a stranger's code.
    but : str, optional
        Characters to leave as they are.
    """
    if text.isprintable() or invisible(text, but) is None:
        return text
    return "".join(c if invisible(c, but) is None else ascii(c)[1:-1] for c in text)


def without_folders(text: str) -> str:
    """Return a text in which absolute paths are cut to their last names, as for a public page.

    A name with spaces is recognised only between quotation marks.
    """
    return _PATH.sub("", _QUOTED_PATH.sub(r"\1", text))


def check_text(text: str) -> str:
    """Return a text if it is one line without invisible characters; otherwise raise ValueError."""
    return _check(text, "")


def check_lines(text: str) -> str:
    """Return a text if it is lines without invisible characters; otherwise raise ValueError."""
    return _check(text, "\n\t")


def _check(text: str, but: str) -> str:
    found = invisible(text, but)
    if found is not None:
        raise ValueError(f"holds the invisible character U+{ord(found):04X}")
    return text


def check_name(text: object) -> str:
    """Return the name of a suite or the label of a solver if people can tell it from others.

    It is one line of at most `LONGEST_NAME` characters with a letter or a digit. It has no
    invisible character, no letter with many accents, no space around it, and no word that mixes
    Latin letters with those of alphabets that look like them.

    Raises
    ------
    ValueError
        If it is anything else. The message has the form "begins or ends with a space".
    """
    if not isinstance(text, str):
        raise ValueError(f"must be a string, not {text!r}")  # as all other reasons
    check_text(text)
    if blank := _BLANK.search(text):
        raise ValueError(f"holds the invisible character U+{ord(blank[0]):04X}")
    if text != text.strip():
        raise ValueError("begins or ends with a space")
    if not any(map(str.isalnum, text)):
        raise ValueError("has no letter and no digit")
    if len(text) > LONGEST_NAME:
        raise ValueError(f"has {len(text)} characters; at most {LONGEST_NAME} are allowed")
    marks = 0
    for character in unicodedata.normalize("NFC", text):
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > _MARKS:
            raise ValueError(f"has more than {_MARKS} accents on a letter")
    for word in _WORD.findall(unicodedata.normalize("NFKC", text)):
        scripts = {unicodedata.name(letter, "?").split()[0] for letter in word}
        if "LATIN" in scripts and (others := sorted(scripts & _LOOKALIKES)):
            raise ValueError(f"mixes Latin and {others[0].capitalize()} letters in a word")
    return text


def alike(name: str, others: Iterable[str]) -> str | None:
    """Return the first of other names that is the same or looks like a name, or None."""
    return next((other for other in others if _keys(name) & _keys(other)), None)


def look_alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two different names that people could take for one, or None."""
    seen: dict[str, str] = {}
    for name in names:
        for key in _keys(name):
            other = seen.setdefault(key, name)
            if other != name:
                return other, name
    return None


@lru_cache(maxsize=10_000)
def _keys(name: str) -> frozenset[str]:
    """Return keys of a name, of which two that look alike, or differ by case, have one in common.

    Letters in another case look like others: a Greek Eta like H, and a small one like n.
    """
    return frozenset({folded(name), folded(name.casefold())})


def folded(name: str) -> str:
    """Return a key that names have in common if they look alike as they are written.

    The key leaves out case, width, spaces and accents, and has one character for all that look
    alike: those of Unicode's table of confusables (UTS 39), small capitals, and all dashes.
    """
    text = unicodedata.normalize("NFKC", name)
    for _ in range(2):  # the shapes of capitals, then those of small letters
        text = "".join(map(_shape, unicodedata.normalize("NFKD", text))).casefold()
    return text.translate(_ASCII)


@cache
def _shape(character: str) -> str:
    """Return the characters, ASCII if possible, that stand for all that look like a character."""
    if character.isascii():
        return "" if character.isspace() else character
    category = unicodedata.category(character)
    if category in ("Mn", "Me") or character.isspace():
        return ""
    if category == "Pd":
        return "-"
    if capital := _SMALL_CAPITAL.fullmatch(unicodedata.name(character, "")):
        return capital[1]
    from confusable_homoglyphs.confusables import confusables_data as table

    near = [entry["c"] for entry in table.get(character, ())]
    alike = {character, *near, *(entry["c"] for each in near for entry in table.get(each, ()))}
    first = min(alike, key=lambda text: (not text.isascii(), -len(text), text))
    kept = (c for c in unicodedata.normalize("NFKD", first) if invisible(c) is None)
    return "".join(c for c in kept if unicodedata.category(c) not in ("Mn", "Me"))


def file_name(name: str) -> str:
    """Return a name as one safe part of a path or an address; two names give two parts.

    ASCII letters, digits, dots, dashes and underscores stay as they are. Any other name becomes one
    of these, followed by a tilde and a digest of the name: "my suite" gives "my-suite~2981851cb8".

    Parameters
    ----------
    name : str
        The name of a suite, also one that a stranger chose.
    """
    if _FILE_NAME.fullmatch(name):
        return name
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9]+", "-", letters)[:60].strip("-") or "suite"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{plain}~{digest}"
