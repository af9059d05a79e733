"""Paths as people write them."""

from pathlib import Path

import pytest

from benchbase.system.paths import real_path, user_path


def test_a_tilde_stands_for_a_home_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/a") == tmp_path / "a"
    assert user_path("b/~") == Path("b/~")
    assert user_path("~no-such-user/a") == Path("~no-such-user/a")


def test_a_link_to_itself_has_a_path(tmp_path: Path) -> None:
    loop, link = tmp_path / "loop", tmp_path / "link"
    loop.symlink_to(loop)
    link.symlink_to(tmp_path)
    assert real_path(loop) == tmp_path.resolve() / "loop"
    assert real_path(link / "a") == tmp_path.resolve() / "a"
