from __future__ import annotations

import pytest

from benchbase.showing import as_latex, as_markdown, identifier


def test_markdown_is_escaped_for_tables() -> None:
    assert as_markdown("a|b\nc_d*") == r"a\|b c\_d\*"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 5% #1 $x$ {y}", r"a\_b \& 5\% \#1 \$x\$ \{y\}"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("[b]*", "{[}b]{*}"),
        ("ℓ1, ℓ∞, rectified ℓ2", r"$\ell_{1}$, $\ell_{\infty}$, rectified $\ell_{2}$"),
        (".98 ± .01…", r".98 $\pm$ .01\dots{}"),
        ("two\nlines", "two lines"),
    ],
)
def test_latex_is_escaped(text: str, expected: str) -> None:
    assert as_latex(text) == expected


def test_identifiers_are_plain() -> None:
    assert identifier("my suite_2%") == "my-suite-2-"
