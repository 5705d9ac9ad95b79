from __future__ import annotations

from pathlib import Path

import pytest

from core.bot_name import recall, remember


def test_a_name_is_kept_for_its_bot_and_changes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "bot_name.json"
    assert recall(file) == {}
    remember(file, 7, "valor_bot")
    assert recall(file) == {7: "valor_bot"}
    remember(file, 8, "other_bot")
    assert recall(file) == {8: "other_bot"}
    assert [path.name for path in tmp_path.iterdir()] == ["bot_name.json"]


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "bot_name.json"
    remember(file, 7, "valor_bot")
    before = file.stat().st_ino
    remember(file, 7, "valor_bot")
    assert file.stat().st_ino == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"number": "x", "username": "a"}', "\0", "null"])
def test_a_damaged_file_tells_nothing(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bot_name.json"
    file.write_text(content)
    assert recall(file) == {}


def test_a_name_that_cannot_be_written_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    remember(tmp_path / "missing" / "bot_name.json", 7, "valor_bot")
    assert "the bot's name could not be written down" in caplog.text
