from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.errors import ConfigurationError, RequestError
from core.workspace_change import admit_person
from core.workspace_watch import WorkspaceFile
from core.workspaces import Role, WorkspaceConfig


def write(path: Path, *names: str, text: str | None = None) -> None:
    path.write_text(
        text if text is not None else json.dumps({"workspaces": {name: {"description": "x"} for name in names}})
    )


def watch(tmp_path: Path) -> tuple[Path, WorkspaceFile]:
    path = tmp_path / "workspace_config.json"
    write(path, "A")
    return path, WorkspaceFile(path, None, tmp_path)


def test_w1_a_valid_change_is_taken_up_once(tmp_path: Path) -> None:
    path, file = watch(tmp_path)
    assert file.check() is None
    write(path, "A", "B")
    config = file.check()
    assert config is not None
    assert config is file.config
    assert [workspace.name for workspace in config.workspaces] == ["A", "B"]
    assert file.check() is None


def test_w1_a_touched_file_is_no_change(tmp_path: Path) -> None:
    path, file = watch(tmp_path)
    os.utime(path, (1, 1))
    assert file.check() is None
    assert file.alert == ()


@pytest.mark.parametrize("text", ["{", '{"workspaces": 5}', None])
def test_w1_an_invalid_change_is_ignored_with_an_alert_until_mended(tmp_path: Path, text: str | None) -> None:
    path, file = watch(tmp_path)
    before = file.config
    if text is None:
        path.unlink()
    else:
        write(path, text=text)
    assert file.check() is None
    assert file.config is before
    assert len(file.alert) == 1
    assert file.check() is None
    write(path, "A", "C")
    assert file.check() is not None
    assert file.alert == ()


def test_w1_a_change_of_our_own_that_is_not_accepted_changes_nothing(tmp_path: Path) -> None:
    path, file = watch(tmp_path)
    before, text = file.config, path.read_text()

    def refuse(config: WorkspaceConfig) -> None:
        raise RequestError(f"{len(config.whitelist.entries)} listed")

    with pytest.raises(RequestError, match="1 listed"):
        file.change(admit_person(5, "Olga", Role.MEMBER), refuse)
    assert (file.config, path.read_text(), file.check()) == (before, text, None)


def test_w1_a_file_invalid_from_the_start_stops_it(tmp_path: Path) -> None:
    write(tmp_path / "x.json", text="{")
    with pytest.raises(ConfigurationError):
        WorkspaceFile(tmp_path / "x.json", None, tmp_path)
