from __future__ import annotations

from pathlib import Path

from core.group_list import describe_groups, list_groups
from core.message import Chat, ChatKind
from core.protocols import Dialog
from core.workspaces import Workspace, WorkspaceConfig

FRONT = "account:1"
CONFIG = WorkspaceConfig(
    Path("/srv"),
    workspaces=(Workspace("Dev", Path("/srv/dev")), Workspace("Bugs", Path("/srv/bugs"))),
    groups={"-1005": "Dev", "9": "Dev"},
    topics={"-1006/3": "Bugs"},
)


def dialog(key: str, title: str, kind: ChatKind = ChatKind.GROUP, moved_to: str | None = None) -> Dialog:
    there = Chat(FRONT, moved_to) if moved_to else None
    return Dialog(Chat(FRONT, key), kind, title, moved_to=there)


def test_groups_are_listed_with_their_workspaces_and_ids_ready_to_paste() -> None:
    dialogs = [
        dialog("7", "Anna", ChatKind.DM),
        dialog("-1005", "dev"),
        dialog("-1006", "Forum"),
        dialog("-1006/3", "Forum / Bugs"),
        dialog("-12", "Cooks"),
        dialog("-13", "Moved", moved_to="-10013"),
    ]
    listed = list_groups(dialogs, CONFIG)
    assert [(group.key, group.workspace) for group in listed.groups] == [
        ("-12", None),
        ("-1005", "Dev"),
        ("-1006", None),
        ("-1006/3", "Bugs"),
    ]
    assert listed.absent == ("9",)
    told = describe_groups(listed)
    assert '  "telegram_chat_ids": ["-12", "-1006"]' in told.splitlines()
    assert 'Dev                   group       "-1005"  dev' in told
    assert told.endswith("Configured, but the account is in no such group: 9.")


def test_without_groups_it_says_so() -> None:
    assert describe_groups(list_groups([], WorkspaceConfig(Path("/srv")))) == "The account takes part in no group."
