"""Who is heard, who is answered, and who may do what. Pure: everything it needs is handed in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from core.message import PAGE, Chat, ChatKind, Message, Person
from core.workspaces import Listed, Role, Workspace, WorkspaceConfig, fold_username, fold_usernames

__all__ = [
    "Accounts",
    "Action",
    "Admission",
    "Reason",
    "Refusal",
    "Role",
    "administers",
    "administers_all",
    "admit",
    "all_entries",
    "entries_for",
    "may",
    "role_of",
]


class Reason(StrEnum):
    """Why a message is or is not answered, as people read it (A8). The values are stored: they do not change."""

    DIRECT = "direct message"
    MENTION = "mention"
    REPLY = "reply to us"
    DEV_GROUP = "dev group"
    LOCAL = "local page"
    NO_MENTION = "no mention"
    OWN = "own message"
    BOT = "another bot"
    SERVICE = "service message"
    OTHER_BOT = "command for another bot"
    NOT_LISTED = "sender not on the whitelist"
    NO_WORKSPACE = "group without a workspace"
    NARROWED = "group not in TELEGRAM_ALLOWED_GROUPS"
    OTHER_FRONT = "served by the other front"
    REPLIED = "known from a reply to it alone"  # nobody has judged it
    TWIN = "two groups have this number: spell the id out in the configuration"


class Action(StrEnum):
    """What a requester may want (A9). OWN and OTHERS say whose work it is."""

    CONVERSE = "converse"
    SEARCH = "search"
    STOP_OWN = "stop_own"
    CANCEL_OWN = "cancel_own"
    CODE = "code"
    SPEND = "spend"
    STOP_OTHERS = "stop_others"
    CANCEL_OTHERS = "cancel_others"
    APPROVE = "approve"
    ADMINISTER = "administer"


ADDRESSED = re.compile(r"/\w+@(\w+bot)\b", re.IGNORECASE | re.ASCII)  # whose command it is; bots' names end so
GUEST_MAY = frozenset({Action.CONVERSE, Action.SEARCH, Action.STOP_OWN, Action.CANCEL_OWN})
RIGHTS = {
    Role.OWNER: frozenset(Action),
    Role.MEMBER: GUEST_MAY | {Action.CODE, Action.SPEND},
    Role.GUEST: GUEST_MAY,
}


FRONTS = ("account", "bot")


@dataclass(frozen=True, slots=True)
class Accounts:
    """This installation's own accounts. `fronts` says which are set up: `account`, `bot`."""

    ids: frozenset[int] = frozenset()
    usernames: frozenset[str] = frozenset()
    fronts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, userbot: Person | None, bot: Person | None) -> Accounts:
        people = [person for person in (userbot, bot) if person]
        names = (name for person in people for name in fold_usernames(person))
        fronts = {name for name, person in (("account", userbot), ("bot", bot)) if person}
        return cls(frozenset(p.id for p in people), frozenset(names), frozenset(fronts))

    def front_of(self, workspace: Workspace) -> str | None:
        """The one front that serves a workspace's groups; None where no front is set up."""
        return workspace.front or next((name for name in FRONTS if name in self.fronts), None)


@dataclass(frozen=True, slots=True)
class Admission:
    """The message is stored; `answer` says whether it gets a turn, `prompt` what the agent reads."""

    workspace: Workspace
    role: Role
    answer: bool
    reason: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The message is not stored. A `quiet` one is no attempt of anybody's and needs no audit row."""

    reason: str
    quiet: bool = False


def may(role: Role, action: Action) -> bool:
    """Tell whether people in this role may do that."""
    return action in RIGHTS[role]


def administers_all(person: Person, chat: Chat, config: WorkspaceConfig) -> bool:
    """Tell whether somebody who writes in that chat may act on the whole installation: as its owner, or from within."""
    return chat.front == PAGE.front or config.whitelist.is_owner(person)


def administers(person: Person, chat: Chat, workspace: Workspace | None, config: WorkspaceConfig) -> bool:
    """The same for what belongs to one workspace, which its own owners may as well."""
    is_theirs = workspace is not None and may(role_of(person, workspace, config), Action.ADMINISTER)
    return is_theirs or administers_all(person, chat, config)


def admit(
    message: Message,
    config: WorkspaceConfig,
    accounts: Accounts,
    replied_to_us: bool = False,
    workspace: str | None = None,
) -> Admission | Refusal:
    """Decide whether a message, or its edit, is heard and whether it is answered.

    `replied_to_us`: it replies to a message of one of our accounts. `workspace`: the name that the local page or the
    command line asks for; raises Unknown when nothing has that name. Where `config.twins_of(message.chat.key)` holds
    a group known already, the caller refuses with Reason.TWIN.
    """
    match message.kind:
        case ChatKind.LOCAL:
            place = config.named(workspace) if workspace else config.default_workspace()
            return Admission(place, Role.OWNER, True, Reason.LOCAL, message.text)
        case ChatKind.SELF:
            return Refusal(Reason.OWN, quiet=True)
        case ChatKind.DM:
            return admit_dm(message, config, accounts)
        case _:
            return admit_group(message, config, accounts, replied_to_us)


def admit_dm(message: Message, config: WorkspaceConfig, accounts: Accounts) -> Admission | Refusal:
    person = message.sender
    if is_own(message, accounts):
        # Our own words in a chat: the chat's key is the other person.
        person = Person(int(message.chat.key))
    workspace = config.workspace_of_person(person)
    if workspace is None:
        is_ours = is_own(message, accounts)
        return Refusal(Reason.OWN if is_ours else Reason.NOT_LISTED, quiet=is_ours)
    silence = why_never(message, config, accounts)
    role = role_of(message.sender, workspace, config)
    return Admission(workspace, role, silence is None, silence or Reason.DIRECT, message.text)


def admit_group(
    message: Message, config: WorkspaceConfig, accounts: Accounts, replied_to_us: bool
) -> Admission | Refusal:
    key = message.chat.key
    workspace = config.workspace_of_group(key)
    if workspace is None:
        return Refusal(Reason.NARROWED if config.is_narrowed(key) else Reason.NO_WORKSPACE)
    if accounts.front_of(workspace) not in {None, message.chat.front.partition(":")[0]}:
        return Refusal(Reason.OTHER_FRONT, quiet=True)
    role = role_of(message.sender, workspace, config)
    never = why_never(message, config, accounts)
    if never is not None:
        return Admission(workspace, role, False, never, message.text)
    replied_to_us |= message.is_reply_to_us
    replied_to_us |= message.replied is not None and message.replied.sender.id in accounts.ids
    reason = why_answered(message, accounts, workspace.is_dev_group, replied_to_us)
    prompt = cut_mentions(message, accounts)
    return Admission(workspace, role, reason is not None, reason or Reason.NO_MENTION, prompt)


def is_own(message: Message, accounts: Accounts) -> bool:
    return message.outgoing or message.sender.id in accounts.ids


def why_never(message: Message, config: WorkspaceConfig, accounts: Accounts) -> Reason | None:
    """Why a message is never answered, whoever hears it (A6); None when it may be."""
    if is_own(message, accounts):
        return Reason.OWN
    if message.service is not None:
        return Reason.SERVICE
    addressed = ADDRESSED.match(message.text) if message.forwarded_from is None else None
    if message.kind is ChatKind.GROUP and addressed and addressed[1].lower() not in accounts.usernames:
        return Reason.OTHER_BOT
    sender = message.sender
    listed = {str(sender.id), *fold_usernames(sender)} & config.bots_allowed
    return Reason.BOT if sender.is_bot and not listed else None


def why_answered(message: Message, accounts: Accounts, is_dev_group: bool, replied_to_us: bool) -> Reason | None:
    if find_mentions(message, accounts) or message.mentions & (accounts.usernames | ids_of(accounts)):
        return Reason.MENTION
    if replied_to_us:
        return Reason.REPLY
    return Reason.DEV_GROUP if is_dev_group else None


def ids_of(accounts: Accounts) -> frozenset[str]:
    return frozenset(str(number) for number in accounts.ids)


def find_mentions(message: Message, accounts: Accounts) -> list[tuple[int, int]]:
    """Where `message.text` mentions one of our accounts: (start, end), in order.

    A command's suffix (`/ping@name`) is one too, what stands in code or a link is none. A span without @ mentions a
    person without a username; it is ours when no other such person is mentioned.
    """
    names = "|".join(re.escape(name) for name in sorted(accounts.usernames))
    pattern = rf"(?<![\w@/])@(?:{names})(?!\w)|(?<!\S)/\w+(?P<suffix>@(?:{names}))(?!\w)" if names else r"(?!)"
    matches = re.finditer(pattern, message.text, re.IGNORECASE | re.ASCII)
    named = {match.span("suffix") if match.lastgroup else match.span() for match in matches}
    unread = [(start, start + length) for start, length in message.unread_spans]
    found = {(start, end) for start, end in named if not any(begin < end and start < stop for begin, stop in unread)}
    nameless = {mention for mention in message.mentions if mention.isdecimal()}
    if nameless and nameless <= ids_of(accounts):
        spans = ((start, start + length) for start, length in message.mention_spans)
        found |= {(start, end) for start, end in spans if not message.text.startswith("@", start)}
    return sorted(found)


def cut_mentions(message: Message, accounts: Accounts) -> str:
    """The text without the mentions of our accounts, and without the space or comma that each would leave behind."""
    text = message.text
    spans = find_mentions(message, accounts)
    for start, end in reversed(spans):
        before, after = text[:start], text[end:]
        if after.startswith(" ") and (not before or before[-1].isspace()):
            after = after[1:]
        text = before + after
    return text.strip().lstrip(",:;").lstrip() if spans else text


def role_of(person: Person, workspace: Workspace, config: WorkspaceConfig) -> Role:
    """What a person is in a workspace (A9).

    Its `roles` decide first, an id before a username. A workspace that has `roles` gets no other owners; there and
    elsewhere listed people are members unless their entry says guest, and people who are not listed are guests.
    """
    named = (str(person.id), *fold_usernames(person))
    mapped = next((workspace.roles[name] for name in named if name in workspace.roles), None)
    if mapped is not None:
        return mapped
    if not workspace.roles and config.whitelist.is_owner(person):
        return Role.OWNER
    entries = config.whitelist.entries_of(person)
    if not entries or entries[0].role is Role.GUEST:
        return Role.GUEST
    return Role.MEMBER


def as_listed(person: Person, config: WorkspaceConfig) -> Person:
    """The person with the username first that the configuration knows, where they have several: the ledger keeps one.

    An owner's comes before others in the `roles` of a workspace, and those before others of the whitelist.
    """
    if len(person.usernames) < 2:
        return person
    owners = {listed.username for listed in config.whitelist.owners()}
    roles = [(name, role) for workspace in config.workspaces for name, role in workspace.roles.items()]
    others = {listed.username for listed in config.whitelist.entries}
    ranks = (owners, {name for name, role in roles if role is Role.OWNER}, {name for name, _ in roles}, others)

    def rank(username: str) -> int:
        return next((place for place, names in enumerate(ranks) if fold_username(username) in names), len(ranks))

    first, *more = sorted(person.usernames, key=rank)
    return replace(person, username=first, more_usernames=tuple(more))


def _entry(listed: Listed) -> str:
    return f"id:{listed.id}" if listed.id is not None else f"user:{listed.username}"


def entries_for(kind: ChatKind, key: str, person: Person, config: WorkspaceConfig) -> list[str]:
    """The lines of the configuration that admit a chat."""
    if kind is ChatKind.DM:
        return [_entry(listed) for listed in config.whitelist.entries_of(person)]
    entry = config.entry_of(key)
    return [] if entry is None else [f"chat:{entry}"]


def all_entries(config: WorkspaceConfig) -> list[str]:
    """Every line that admits anybody."""
    return [f"chat:{key}" for key in (*config.groups, *config.topics)] + [
        _entry(listed) for listed in config.whitelist.entries
    ]
