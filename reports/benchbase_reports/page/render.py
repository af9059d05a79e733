"""The page as one HTML file that needs no other file."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchbase

if TYPE_CHECKING:
    import jinja2

    from benchbase_reports.page.data import PageData

_FOLDER = Path(__file__).parent / "templates"
STYLES = ("base.css", "table.css", "charts.css")
SCRIPTS = (
    "tools.js", "table.js", "rows.js", "axes.js", "curves.js", "costs.js", "gallery.js",
    "details.js", "page.js",
)  # fmt: skip # in the order in which they run
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def render(data: PageData) -> str:
    """Write a page as HTML.

    Styles, scripts, data and pictures are all in the text. A content security policy forbids every
    request, and every style and script other than the page's own, which it knows by their digests.
    Text of the data is escaped, so that markup in names is shown as text. The same data give the
    same page.

    Parameters
    ----------
    data : PageData
        From `page_data`.
    """
    style, script = _style(), _script()
    plain = {each.name: getattr(data, each.name) for each in fields(data)}
    problems = plain.pop("problems")
    heads = [{name: each[name] for name in ("title", "setting", "tab")} for each in problems]
    return _template().render(
        data=data,
        version=benchbase.__version__,
        style=style,
        style_digest=digest(style),
        script=script,
        script_digest=digest(script),
        head=as_json(plain | {"problems": heads}),
        problems=[
            as_json(each) for each in problems
        ],  # each on its own, as it is read when its tab is opened
    )


def as_json(value: Any) -> str:
    """Write data as JSON that may stand in a ``<script>``: without ``<``, ``>``, ``&`` or NaN."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character, escaped in _UNSAFE.items():
        text = text.replace(character, escaped)  # in JSON they are in strings only
    return text


def digest(text: str) -> str:
    """Return the digest of a text, as a content security policy writes it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _read(names: tuple[str, ...]) -> str:
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)


@cache
def _style() -> str:
    return _read(STYLES)


@cache
def _script() -> str:
    return f'(() => {{\n"use strict";\n{_read(SCRIPTS)}}})();\n'


@cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.j2")
