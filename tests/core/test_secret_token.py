"""S9: the token's file."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.secret_token import ensure_token, read_token


def test_s9_the_token_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".token"
    first, second = ensure_token(path), ensure_token(path)
    assert first == second == read_token(path)
    assert len(first) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [".token"]


def test_s9_of_many_that_start_at_once_one_token_wins(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(ensure_token, [tmp_path / ".token"] * 32))
    assert len(tokens) == 1


@pytest.mark.parametrize(("text", "mode", "sentence"), [("x", 0o644, "read by others"), (" \n", 0o600, "is empty")])
def test_s9_a_token_that_is_no_secret_is_refused(tmp_path: Path, text: str, mode: int, sentence: str) -> None:
    path = tmp_path / ".token"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=sentence):
        ensure_token(path)


def test_s9_a_link_or_nothing_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".token").symlink_to(tmp_path / "elsewhere")
    for name in (".token", "none"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_token(tmp_path / name)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ensure_token(tmp_path / ".token")
    assert not (tmp_path / "elsewhere").exists()
