"""The groups of an account beside what the configuration says of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.message import ChatKind
from core.protocols import Dialog
from core.workspaces import WorkspaceConfig, is_basic_group


@dataclass(frozen=True, slots=True)
class Group:
    """A group, or a topic of one, that the account takes part in; `workspace` None: nobody there is heard."""

    key: str
    title: str
    workspace: str | None


@dataclass(frozen=True, slots=True)
class GroupList:
    """`absent` are the entries of the configuration that mean no group of the account."""

    groups: tuple[Group, ...]
    absent: tuple[str, ...]


def list_groups(dialogs: Iterable[Dialog], config: WorkspaceConfig) -> GroupList:
    """Groups by title; those that became supergroups are listed as what they are now."""
    there = [one for one in dialogs if one.kind is ChatKind.GROUP and one.moved_to is None]
    found = {entry for one in there if (entry := config.entry_of(one.chat.key)) is not None}
    groups = [Group(one.chat.key, one.title, _workspace(one.chat.key, config)) for one in there]
    absent = sorted({*config.groups, *config.topics} - found)
    return GroupList(tuple(sorted(groups, key=lambda group: (group.title.casefold(), group.key))), tuple(absent))


def describe_groups(listed: GroupList) -> str:
    """As a terminal shows it, ids ready to paste."""
    lines = [_line(group) for group in listed.groups] or ["The account takes part in no group."]
    unheard = [f'"{group.key}"' for group in listed.groups if group.workspace is None and "/" not in group.key]
    if unheard:
        lines += ["", "Not configured yet. To paste into a workspace of config/workspace_config.json:"]
        lines += [f'  "telegram_chat_ids": [{", ".join(unheard)}]']
    if listed.absent:
        lines += ["", f"Configured, but the account is in no such group: {', '.join(listed.absent)}."]
    return "\n".join(lines)


def _workspace(key: str, config: WorkspaceConfig) -> str | None:
    workspace = config.workspace_of_group(key)
    return workspace.name if workspace else None


def _line(group: Group) -> str:
    kind = "group" if is_basic_group(group.key) else "topic" if "/" in group.key else "supergroup"
    return f'{group.workspace or "not configured":20}  {kind:10}  "{group.key}"  {group.title}'
