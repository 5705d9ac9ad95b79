from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.pairing_code import LENGTH, LIFE, is_known, is_right, make_code, spend

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a1_a_code_is_good_for_an_hour_until_it_is_spent(tmp_path: Path) -> None:
    path = tmp_path / "pairing.json"
    code = make_code(path, NOW)
    assert len(code) >= 20
    assert is_right(path, code, NOW)
    assert not is_right(path, code[:-1], NOW)
    assert not is_right(path, code, NOW + LIFE)
    for _ in range(2):
        assert is_known(path, code)
        assert not is_known(path, code[:-1])
        spend(path, code)
        assert not is_right(path, code, NOW)


def test_a1_a_new_code_takes_the_place_of_the_former_and_none_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "pairing.json"
    first, second = make_code(path, NOW), make_code(path, NOW)
    assert not is_right(path, first, NOW)
    assert is_right(path, second, NOW)
    assert second not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kept", ["", "{}", "[]", '{"digest": "x", "expires_at": "never"}', '{"digest": null}', "null"])
def test_bad_input_what_is_no_code_file_admits_nobody(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "pairing.json"
    path.write_text(kept)
    assert not is_right(path, "x", NOW)
    assert not is_right(path, "\udc80", NOW)
    assert not is_known(path, "x" * LENGTH)
