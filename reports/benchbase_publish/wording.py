"""Texts of strangers: what may stand in a bundle, and how it is shown.

Messages, pages and tables show texts of bundles. Invisible characters could hide a part of a text,
reverse it, or send commands to the terminal that shows it.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Unicode's categories of controls, marks of direction, halves of characters, private use."""

_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""Characters without ink in other categories: fillers, joiners, selectors, a Braille blank."""

_LOOKALIKES = {"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LISU"}
"""Alphabets with letters that look like Latin ones."""

_WORD = re.compile(r"[^\W\d_]+")
_MARKS = 2
"""The most accents of a letter."""


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
    if invisible(text, but) is None:
        return text
    return "".join(c if invisible(c, but) is None else ascii(c)[1:-1] for c in text)


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


def check_label(text: str) -> str:
    """Return a label if people can tell it from others; otherwise raise ValueError.

    It must have no invisible character, no letter with many accents, no space around it, and no
    word that mixes Latin letters with those of alphabets that look like them.
    """
    check_text(text)
    if blank := _BLANK.search(text):
        raise ValueError(f"holds the invisible character U+{ord(blank[0]):04X}")
    if text != text.strip():
        raise ValueError("begins or ends with a space")
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


def folded(label: str) -> str:
    """Return a label without case, width and spaces, so that labels that look alike are equal."""
    text = unicodedata.normalize("NFKC", label).casefold()
    return "".join(unicodedata.normalize("NFKC", text).split())
