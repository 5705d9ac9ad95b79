"""Workspaces, who may write to us, and the configuration that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from core.errors import Unknown
from core.message import ChatKind, Message, Person

PRIVATE = "private-"
GENERAL = "1"  # the topic of a forum that is no topic to its messages: its chat has the group's own key


class Role(StrEnum):
    OWNER = "owner"
    MEMBER = "member"
    GUEST = "guest"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project with one working directory.

    `chats` are group keys as Telegram marks them, or bare numbers where the file spells none. `front` is `account`,
    `bot` or None (whichever is set up). `network`: False none, True any, or the hosts allowed. `consent`: tools that
    ask first. `roles` maps lower-case usernames and numeric ids to roles. `budget` is US dollars a day.
    """

    name: str
    directory: Path
    chats: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    description: str = ""
    url: str = ""
    kind: str = ""
    notion_database: str | None = None
    is_dev_group: bool = False
    front: str | None = None
    network: bool | tuple[str, ...] = False
    consent: frozenset[str] = frozenset()
    roles: Mapping[str, Role] = field(default_factory=dict[str, Role])
    model: str | None = None
    persona: str | None = None
    budget: float | None = None
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of the whitelist: a person known by `username` (lower case, without @) or by `id`."""

    username: str | None = None
    id: int | None = None
    directory: Path | None = None
    role: Role | None = None
    description: str = ""

    def is_for(self, person: Person) -> bool:
        if self.id is not None:
            return self.id == person.id
        return self.username in fold_usernames(person)


@dataclass(frozen=True, slots=True)
class Whitelist:
    """Who may write a DM, in the order of the file, usernames before ids."""

    entries: tuple[Listed, ...] = ()
    default_directory: Path | None = None
    description: str = ""

    def entries_of(self, person: Person) -> tuple[Listed, ...]:
        """Every entry that means this person; those by id first, since usernames change hands."""
        found = [entry for entry in self.entries if entry.is_for(person)]
        return tuple(sorted(found, key=lambda entry: entry.id is None))

    def owners(self) -> tuple[Listed, ...]:
        """The owners where a workspace names none: entries that say so, else the first entry."""
        return tuple(entry for entry in self.entries if entry.role is Role.OWNER) or self.entries[:1]

    def is_owner(self, person: Person) -> bool:
        """Whether a person is an owner of the installation, whatever the `roles` of a workspace make of them."""
        return any(entry.is_for(person) for entry in self.owners())


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """The configuration, checked. `groups` maps group keys and bare numbers to workspace names, `topics` CHAT/TOPIC.

    `places` says where the file has an entry. `narrowed` are the entries that the file has and TELEGRAM_ALLOWED_GROUPS
    leaves out. `moved` maps supergroups to the groups they were: the file may still name those. `silent` are the kinds
    of fronts (`account`, `bot`) that reach nobody now. The default admits nobody.
    """

    private_root: Path
    workspaces: tuple[Workspace, ...] = ()
    whitelist: Whitelist = Whitelist()
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    topics: Mapping[str, str] = field(default_factory=dict[str, str])
    narrowed: frozenset[str] = frozenset()
    bots_allowed: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    moved: Mapping[str, str] = field(default_factory=dict[str, str])
    silent: frozenset[str] = frozenset()

    @property
    def has_owner(self) -> bool:
        """Whether anybody is an owner who writes from outside."""
        by_roles = any(Role.OWNER in workspace.roles.values() for workspace in self.workspaces)
        return by_roles or bool(self.whitelist.entries)

    def named(self, name: str) -> Workspace:
        """The workspace of exactly this name, private ones included. Raises Unknown."""
        found = next((workspace for workspace in self.workspaces if workspace.name == name), None)
        if found is None and re.fullmatch(PRIVATE + r"(?:\d+|local)", name):
            return self.private(name.removeprefix(PRIVATE))
        return found or self.resolve(name)

    def resolve(self, name: str) -> Workspace:
        """The workspace whose name or alias is `name`, or starts with it, in any case.

        Raises Unknown listing the choices when none or several do.
        """
        wanted = name.strip().casefold()
        spelled = [w for w in self.workspaces if wanted in names_of(w)]
        found = spelled or [w for w in self.workspaces if wanted and any(n.startswith(wanted) for n in names_of(w))]
        if len(found) == 1:
            return found[0]
        if found:
            raise Unknown(f"{name!r} could be {list_names(found)}.")
        raise Unknown(f"There is no workspace {name!r}; known are {list_names(self.workspaces)}.")

    def entry_of(self, key: str) -> str | None:
        """The configuration's spelling of a group: CHAT/TOPIC, its key, or the bare number that stands for it."""
        return next((form for form in self.forms_of(key) if form in self.topics or form in self.groups), None)

    def is_narrowed(self, key: str) -> bool:
        """Tell whether the file has this group and TELEGRAM_ALLOWED_GROUPS leaves it out."""
        return not self.narrowed.isdisjoint(self.forms_of(key))

    def forms_of(self, key: str) -> tuple[str, ...]:
        """Every way the file may name a group; one that became a supergroup last by what it was."""
        former = self.former_of(key)
        return (*forms_of(key), *(forms_of(former) if former else ()))

    def former_of(self, key: str) -> str | None:
        """The group that a supergroup was, as far as it is known to have been one."""
        return self.moved.get(canonical_key(key.partition("/")[0]))

    def twins_of(self, key: str) -> frozenset[str]:
        """The other group that the bare number standing for this one in the configuration could mean as well."""
        entry = self.entry_of(key)
        if entry is None or not entry.isdecimal():
            return frozenset()
        meant = key if entry in forms_of(key) else self.former_of(key) or key
        return frozenset({f"-{entry}", f"-100{entry}"}) - {canonical_key(meant.partition("/")[0])}

    def workspace_of(self, message: Message) -> Workspace | None:
        """The workspace that the message's chat reaches (W3); None when the chat or the sender is not configured."""
        match message.kind:
            case ChatKind.GROUP:
                return self.workspace_of_group(message.chat.key)
            case ChatKind.DM:
                return self.workspace_of_person(message.sender)
            case _:
                return self.default_workspace()

    def workspace_of_group(self, key: str) -> Workspace | None:
        entry = self.entry_of(key)
        if entry is None:
            return None
        return self.named(self.topics[entry] if entry in self.topics else self.groups[entry])

    def workspace_of_person(self, person: Person) -> Workspace | None:
        """The workspace of a listed person's DM; None for strangers."""
        entries = self.whitelist.entries_of(person)
        if not entries:
            return None
        directory = next((e.directory for e in entries if e.directory), self.whitelist.default_directory)
        return self.at_directory(directory) or self.private(str(person.id))

    def default_workspace(self) -> Workspace:
        """Where the local page and the command line work unless told otherwise."""
        return self.at_directory(self.whitelist.default_directory) or self.private("local")

    def at_directory(self, directory: Path | None) -> Workspace | None:
        return next((workspace for workspace in self.workspaces if workspace.directory == directory), None)

    def private(self, owner: str) -> Workspace:
        """The workspace of one person's own DM, by numeric id, or `local`."""
        return Workspace(
            PRIVATE + owner, self.private_root / owner, is_private=True, description="A private workspace."
        )


def names_of(workspace: Workspace) -> tuple[str, ...]:
    """Name and aliases, folded for comparison."""
    return tuple(name.casefold() for name in (workspace.name, *workspace.aliases))


def list_names(workspaces: tuple[Workspace, ...] | list[Workspace]) -> str:
    return ", ".join(sorted(workspace.name for workspace in workspaces)) or "none"


def fold_username(username: str | None) -> str | None:
    """A username for comparison: lower case, without @; None for none."""
    return (username or "").strip().removeprefix("@").lower() or None


def fold_usernames(person: Person) -> tuple[str, ...]:
    """All usernames of a person, for comparison, the main one first."""
    return tuple(name for name in map(fold_username, person.usernames) if name)


def is_basic_group(key: str) -> bool:
    """Tell whether a key is of a group that may become a supergroup."""
    return bool(re.fullmatch(r"-\d+", key)) and -int(key) <= 10**12


def canonical_key(key: str) -> str:
    """A group's key as Telegram marks it: -100 and the number for supergroups, however many digits that has."""
    number = -int(key) if re.fullmatch(r"-\d+", key) else 0
    return f"-100{number - 10**12}" if number > 10**12 else key


def forms_of(key: str) -> tuple[str, ...]:
    """Every way the configuration may name a group, the most exact first."""
    chat, _, topic = key.partition("/")
    chat = canonical_key(chat)
    return (f"{chat}/{topic or GENERAL}", chat, *bare_numbers(chat))


def bare_numbers(key: str) -> tuple[str, ...]:
    """The bare numbers that may stand for a group's key: 123 for `-100123`, which could be basic group 100123 too."""
    if not key.startswith("-"):
        return ()
    return (key[4:], key[1:]) if key.startswith("-100") and key[4:] else (key[1:],)
