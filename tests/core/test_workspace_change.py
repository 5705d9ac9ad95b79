from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import ConfigurationError
from core.workspace_change import Document, admit_group, admit_person, change_file
from core.workspace_file import load_workspaces
from core.workspace_watch import WorkspaceFile
from core.workspaces import Role

OLD = {"_note": "mine", "workspaces": {"Dev": {"telegram_chat_ids": ["-1005"], "aliases": ["team"]}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "workspaces.json"
    path.parent.mkdir()
    path.write_text(json.dumps(OLD))
    return path


def check(path: Path) -> object:
    return load_workspaces(path, None, path.parent)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a2_a_person_is_listed_by_id_and_the_version_before_is_kept(path: Path) -> None:
    change_file(path, admit_person(5, "Olga (@olga)", Role.OWNER), check)
    assert read(path) == {
        **OLD,
        "dm_whitelist": {"allowed_user_ids": {"5": {"description": "Olga (@olga)", "role": "owner"}}},
    }
    assert read(path.with_name("workspaces.json.before")) == OLD
    change_file(path, admit_person(5, "Olga", Role.MEMBER), check)
    assert read(path)["dm_whitelist"]["allowed_user_ids"]["5"]["role"] == "owner"
    assert sorted(one.name for one in path.parent.iterdir()) == ["workspaces.json", "workspaces.json.before"]


@pytest.mark.parametrize("title", ["dev", "TEAM", "private-5", " ", "x" * 99, 'a "name"\n'])
def test_a3_a_group_gets_a_workspace_of_its_own_once(path: Path, title: str) -> None:
    for _ in range(2):
        change_file(path, admit_group("-1007", title), check)
    config = load_workspaces(path, None, path.parent)
    assert config.groups["-1007"] != "Dev"
    assert len(config.workspaces) == 2


def test_w1_what_is_not_valid_changes_nothing(path: Path) -> None:
    def spoil(document: Document) -> None:
        document["workspaces"] = 5

    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="workspaces"):
        change_file(path, spoil, check)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["workspaces.json"]


@pytest.mark.parametrize("content", ["{", "[]", '{"dm_whitelist": 5}', '{"dm_whitelist": {"allowed_user_ids": []}}'])
def test_bad_input_a_file_that_is_wrong_stays_as_it_is(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(ConfigurationError):
        change_file(path, admit_person(5, "Olga", Role.OWNER), check)
    assert path.read_text() == content


def test_w1_a_change_that_somebody_makes_meanwhile_is_not_lost(path: Path) -> None:
    def meanwhile(_: Path) -> None:
        path.write_text("{}")

    with pytest.raises(ConfigurationError, match="changed by somebody else"):
        change_file(path, admit_person(5, "Olga", Role.OWNER), meanwhile)
    assert path.read_text() == "{}"


def test_a1_a_file_that_is_not_there_is_made_and_taken_up(tmp_path: Path) -> None:
    file = WorkspaceFile(tmp_path / "config" / "w.json", None, tmp_path)
    assert not file.config.has_owner
    file.change(admit_person(5, "Olga", Role.OWNER), lambda _: None)
    assert file.config.has_owner
    assert file.alert == ()
