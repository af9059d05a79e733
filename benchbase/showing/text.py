"""Plain text as LaTeX and as Markdown, and in files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # a row that begins with [ or * would pass for an argument of \\
    "*": "{*}",
    "±": r"$\pm$",
    "ℓ": r"$\ell$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "≠": r"$\neq$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "−": "$-$",
    "‖": r"$\|$",
    "…": r"\dots{}",
}
_NORM = re.compile(r"ℓ(\d+(?:\.\d+)?|∞)")
_SPECIAL = re.compile(f"{_NORM.pattern}|{'|'.join(map(re.escape, _LATEX))}")


def as_latex(text: str) -> str:
    """Write text on one line so that LaTeX sets it as it is, with no package for symbols."""
    return _SPECIAL.sub(_latex, " ".join(text.split()))


def _latex(match: re.Match[str]) -> str:
    if match[1]:
        exponent = r"\infty" if match[1] == "∞" else match[1]
        return rf"$\ell_{{{exponent}}}$"
    return _LATEX[match[0]]


def as_markdown(text: str) -> str:
    """Write text on one line so that Markdown shows it as it is, in a table as well."""
    return re.sub(r"([\\`*_<>\[\]|~])", r"\\\1", " ".join(text.split()))


def identifier(text: str) -> str:
    """Return text that may be the name of a LaTeX label."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text)


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write texts into files of a folder, by their names, and return the files."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in texts]
