from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.workspace_file import load_workspaces
from core.workspaces import Role, WorkspaceConfig

DATA = Path(__file__).parents[1] / "data" / "workspace_config.json"
SHIPPED = Path(__file__).parents[2] / "config" / "workspace_config.json"


def load(folder: Path, document: object, allowed: tuple[str, ...] | None = None) -> WorkspaceConfig:
    path = folder / "workspace_config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return load_workspaces(path, allowed, folder / "workspaces")


def problems_of(folder: Path, document: object, allowed: tuple[str, ...] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, document, allowed)
    return caught.value.problems


def groups(**workspaces: Sequence[object]) -> dict[str, object]:
    return {"workspaces": {name: {"telegram_chat_ids": ids} for name, ids in workspaces.items()}}


def test_the_shipped_example_is_valid_and_admits_nobody(tmp_path: Path) -> None:
    config = load_workspaces(SHIPPED, None, tmp_path)
    assert (config.groups, config.whitelist.entries, config.warnings) == ({}, (), ())


def test_w2_the_tests_configuration_finds_psy_and_flex(tmp_path: Path) -> None:
    config = load_workspaces(DATA, None, tmp_path)
    assert config.resolve("psy").name == "PsyOPTIMAL"
    assert config.resolve("flex").notion_database == "1ed22df303424aa4bd4c0dec1ff90abc"
    assert config.warnings == ()
    assert [entry.username or entry.id for entry in config.whitelist.entries] == ["anna_b", "bela", 700000001]


def test_a1_no_file_admits_nobody(tmp_path: Path) -> None:
    config = load_workspaces(tmp_path / "none.json", None, tmp_path)
    assert (config.workspaces, config.groups, config.whitelist.entries) == ((), {}, ())
    assert "does not exist" in config.warnings[0]


@pytest.mark.parametrize("text", ["{", '{"workspaces": {}', "[" * 100_000])
def test_w1_what_is_no_json_says_where(tmp_path: Path, text: str) -> None:
    (problem,) = problems_of(tmp_path, text)
    assert problem.startswith("workspace_config.json is n")


def test_w1_what_is_no_text_or_no_file_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "workspace_config.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_workspaces(path, None, tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_workspaces(tmp_path, None, tmp_path)


def test_w1_every_problem_is_listed_with_its_path(tmp_path: Path) -> None:
    assert problems_of(
        tmp_path,
        {
            "workspaces": {
                "One": {
                    "working_directory": "relative/path",
                    "telegram_chat_ids": ["-5", "abc", True, 1.5],
                    "telegram_chat_id": "x",
                    "aliases": "one",
                    "is_dev_group": "yes",
                    "front": "pigeon",
                    "network": "all",
                    "roles": {"anna": "king"},
                    "budget": -1,
                    "description": 5,
                },
                "Two": ["no object"],
            },
            "telegram_groups": {"abc": "One", "-6": "Nobody"},
            "telegram_topics": {"5": "One", "-5/3": "Nobody", "5/3": "One"},
            "dm_whitelist": {"allowed_users": {"anna": "x", "b c": {}}, "allowed_user_ids": {"@x": {}, "-5": {}}},
            "bots_allowed": [None],
        },
    ) == [
        "workspaces.One.working_directory: should be an absolute path",
        "workspaces.One.telegram_chat_ids[1]: should be group ids",
        "workspaces.One.telegram_chat_ids[2]: should be group ids",
        "workspaces.One.telegram_chat_ids[3]: should be group ids",
        "workspaces.One.telegram_chat_id: should be a group id",
        "workspaces.One.aliases: should be a list of text, is text",
        "workspaces.One.description: should be text, is a number",
        "workspaces.One.is_dev_group: should be true or false, is text",
        "workspaces.One.front: should be account or bot",
        "workspaces.One.network: should be true, false or a list of host names",
        "workspaces.One.roles.anna: should be owner, member, guest",
        "workspaces.One.budget: should be a number, zero or more",
        "workspaces.Two: should be an object, is a list",
        "telegram_groups.abc: the key should be a group id",
        "telegram_groups.-6: there is no workspace 'Nobody'; known are One, Two",
        "dm_whitelist.allowed_users.anna: should be an object, is text",
        "dm_whitelist.allowed_users.b c.username: should be a Telegram username",
        "dm_whitelist.allowed_user_ids.@x: should be a numeric user id",
        "dm_whitelist.allowed_user_ids.-5: should be a numeric user id",
        "telegram_topics.5: the key should be CHAT_ID/TOPIC_ID, the chat's id spelled with its minus",
        "telegram_topics.-5/3: there is no workspace 'Nobody'; known are One, Two",
        "telegram_topics.5/3: the key should be CHAT_ID/TOPIC_ID, the chat's id spelled with its minus",
        "bots_allowed[0]: should be usernames or ids",
    ]


@pytest.mark.parametrize("document", [[], "x", 5, True, None])
def test_w1_the_file_should_be_an_object(tmp_path: Path, document: object) -> None:
    (problem,) = problems_of(tmp_path, json.dumps(document))
    assert problem.startswith("workspace_config.json should be an object, is ")


def test_w1_a_key_written_twice_is_a_problem(tmp_path: Path) -> None:
    text = '{"workspaces": {"A": {}, "B": {}}, "telegram_groups": {"-5": "A", "-5": "B"}}'
    assert problems_of(tmp_path, text) == ["-5: the key stands twice in one object"]


def test_w1_a_chat_in_two_workspaces_is_a_problem(tmp_path: Path) -> None:
    document = groups(A=["-5"], B=[-5]) | {"telegram_groups": {"-6": "A", "6": "b"}}
    assert problems_of(tmp_path, document) == [
        "workspaces.B.telegram_chat_ids: chat -5 belongs to A already (workspaces.A.telegram_chat_ids)",
        "telegram_groups.6: 6 may be the same chat as -6 of A: spell both out",
    ]
    assert load(tmp_path, groups(A=["-5", "-5"]) | {"telegram_groups": {"-5": "A"}}).groups == {"-5": "A"}


def test_w1_an_alias_in_two_workspaces_is_a_problem(tmp_path: Path) -> None:
    document = {"workspaces": {"A": {"aliases": ["x"]}, "B": {"aliases": ["X", "a"]}, "private-7": {}, " ": {}}}
    assert problems_of(tmp_path, document) == [
        "workspaces.B.aliases: 'x' also names A",
        "workspaces.B.aliases: 'a' also names A",
        "workspaces.private-7: a name may not be empty or start with private-",
        "workspaces. : a name may not be empty or start with private-",
    ]


def test_w1_a_person_listed_twice_is_a_problem(tmp_path: Path) -> None:
    users = {"anna": {}, "boss": {"username": "@Anna"}}
    assert problems_of(tmp_path, {"dm_whitelist": {"allowed_users": users}}) == [
        "dm_whitelist.allowed_users: anna stands twice"
    ]


def test_w1_unknown_keys_warn_with_the_nearest_known_name(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        {
            "_comment": "old file",
            "zebra": 1,
            "workspaces": {"A": {"telegram_chat_idz": []}},
            "dm_whitelist": {"allowed_users": {"anna": {"working_dir": None, "working_directry": "/x"}}},
        },
    )
    assert config.warnings == (
        "zebra: unknown key",
        "workspaces.A.telegram_chat_idz: unknown key; is telegram_chat_id meant?",
        "dm_whitelist.allowed_users.anna.working_directry: unknown key; is working_directory meant?",
    )


def test_w1_a_missing_directory_of_a_served_workspace_is_a_problem(tmp_path: Path) -> None:
    missing = str(tmp_path / "gone")
    document: dict[str, object] = {
        "workspaces": {
            "Group": {"working_directory": missing + "/1", "telegram_chat_ids": ["-1"]},
            "Dm": {"working_directory": missing + "/2"},
            "Nobody": {"working_directory": missing + "/3"},
        },
        "dm_whitelist": {"default_working_directory": missing + "/2", "allowed_users": {"anna": {}}},
    }
    group, dm = problems_of(tmp_path, document)
    assert group.startswith("workspaces.Group.working_directory: ")
    assert dm.startswith("workspaces.Dm.working_directory: ")
    document["dm_whitelist"] = {}
    warnings = load(tmp_path, document, ()).warnings
    assert len(warnings) == 3


def test_w3_directories_of_the_whitelist_that_no_or_two_workspaces_have_warn(tmp_path: Path) -> None:
    document = {
        "workspaces": {"A": {"working_directory": str(tmp_path)}, "B": {"working_directory": f"{tmp_path}/x/../"}},
        "dm_whitelist": {
            "allowed_users": {"anna": {"working_directory": f"{tmp_path}/"}},
            "allowed_user_ids": {"5": {"working_directory": "/srv/nowhere"}},
        },
    }
    one, two = sorted(load(tmp_path, document).warnings)
    assert one.endswith("belongs to A, B: its people get A")
    assert two.endswith("/srv/nowhere: its people get private workspaces")


def test_workspaces_without_a_directory_get_one_of_their_own(tmp_path: Path) -> None:
    config = load(tmp_path, {"workspaces": {"7": {}, "../A B": {}, "Home": {"working_directory": "~"}}})
    directories = [workspace.directory for workspace in config.workspaces]
    assert directories[:2] == [tmp_path / "workspaces/named-7", tmp_path / "workspaces/named-..%2Fa%20b"]
    assert directories[2] == Path.home()
    assert config.private("7").directory not in directories


def test_every_key_of_a_workspace_is_read(tmp_path: Path) -> None:
    entry = {
        "database_id": "d",
        "url": "u",
        "workspace_type": "software",
        "telegram_chat_id": -7,
        "telegram_chat_ids": [" 8 "],
        "front": "bot",
        "network": ["pypi.example"],
        "consent": ["run_command"],
        "roles": {"@Anna": "owner", "55": "guest"},
        "model": "openai:gpt-5",
        "persona": "terse",
        "budget": 2.5,
    }
    document = {"workspaces": {"A": entry, "B": {"network": True}}, "telegram_groups": {"9": "A"}}
    workspace, other = load(tmp_path, document | {"bots_allowed": ["@Helper_Bot", 12]}).workspaces
    assert workspace.chats == ("8", "-7", "9")
    assert (workspace.notion_database, workspace.url, workspace.kind) == ("d", "u", "software")
    assert (workspace.front, workspace.network, workspace.consent) == ("bot", ("pypi.example",), {"run_command"})
    assert workspace.roles == {"anna": Role.OWNER, "55": Role.GUEST}
    assert (workspace.model, workspace.persona, workspace.budget) == ("openai:gpt-5", "terse", 2.5)
    assert (other.network, other.notion_database) == (True, None)
    assert load(tmp_path, document | {"bots_allowed": ["@Helper_Bot", 12]}).bots_allowed == {"helper_bot", "12"}


NARROWABLE = groups(**{"Psy Dev": ["-1", "-1002"], "Flex": ["3", "-4", "-1004"]}) | {
    "telegram_topics": {"-1005/9": "Flex", "-1/8": "Psy Dev"}
}
ALL = {"-1", "-1002", "3", "-4", "-1004"}


@pytest.mark.parametrize(
    ("allowed", "kept"),
    [
        (None, ALL | {"-1005/9", "-1/8"}),
        ((), set[str]()),
        (("psy dev",), {"-1", "-1002", "-1/8"}),
        (("flex", "-1002"), {"3", "-4", "-1004", "-1005/9", "-1002"}),
        (("-1",), {"-1", "-1/8"}),
        (("1",), {"-1", "-1/8"}),
        (("-1000000000002",), {"-1002"}),
        (("-3",), {"-3"}),
        (("3",), {"3"}),
        (("4",), {"-4"}),
        (("-1005",), {"-1005/9"}),
    ],
)
def test_a3_allowed_groups_only_narrow(tmp_path: Path, allowed: tuple[str, ...] | None, kept: set[str]) -> None:
    config = load(tmp_path, NARROWABLE, allowed)
    assert {*config.groups, *config.topics} == kept
    assert config.narrowed == (ALL | {"-1005/9", "-1/8"}) - kept


def test_a3_an_unknown_name_stops_the_start_and_lists_the_known(tmp_path: Path) -> None:
    assert problems_of(tmp_path, NARROWABLE, ("Mars",)) == [
        "TELEGRAM_ALLOWED_GROUPS: There is no workspace 'Mars'; known are Flex, Psy Dev."
    ]


def test_a3_ids_that_mean_two_groups_or_none_warn(tmp_path: Path) -> None:
    two, none = load(tmp_path, NARROWABLE, ("4", "99")).warnings
    assert two == "TELEGRAM_ALLOWED_GROUPS: 4 is taken as -4; -1004 is refused: spell out the ids"
    assert none == "TELEGRAM_ALLOWED_GROUPS: no workspace has the group 99"
