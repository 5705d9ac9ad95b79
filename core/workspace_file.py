"""The configuration file: read, and checked whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from core.checked_json import Findings, Node, as_text, read_root
from core.errors import ConfigurationError, Unknown
from core.workspaces import (
    PRIVATE,
    Listed,
    Role,
    Whitelist,
    Workspace,
    WorkspaceConfig,
    bare_numbers,
    canonical_key,
    fold_username,
    forms_of,
    list_names,
    names_of,
)

TOP_KEYS = ("workspaces", "telegram_groups", "telegram_topics", "dm_whitelist", "bots_allowed")
WORKSPACE_KEYS = (
    *("database_id", "notion_db_url", "url", "description", "workspace_type", "working_directory"),
    *("telegram_chat_ids", "telegram_chat_id", "aliases", "is_dev_group"),
    *("front", "network", "consent", "roles", "model", "persona", "budget"),
)
WHITELIST_KEYS = ("description", "default_working_directory", "allowed_users", "allowed_user_ids")
PERSON_KEYS = ("username", "description", "working_directory", "role")
ROLES = tuple(role.value for role in Role)
GROUP_ID = re.compile(r"-?[1-9]\d*")
TOPIC_ID = re.compile(r"-?[1-9]\d*/[1-9]\d*")


@dataclass(frozen=True, slots=True)
class Claim:
    """A group entry that the file gives to a workspace, and where it says so."""

    entry: str
    workspace: str
    path: str

    def meets(self, other: Claim) -> bool:
        """Whether both can mean one chat."""
        return (
            self.entry == other.entry
            or self.entry in bare_numbers(other.entry)
            or other.entry in bare_numbers(self.entry)
        )


def load_workspaces(path: Path, allowed_groups: tuple[str, ...] | None, private_root: Path) -> WorkspaceConfig:
    """Read and check the configuration file.

    `allowed_groups` is TELEGRAM_ALLOWED_GROUPS: None for all configured groups, else workspace names or group ids.
    Raises ConfigurationError holding every problem, each with the path of its key. A file that does not exist admits
    nobody, with a warning.
    """
    findings = Findings()
    if not path.exists():
        sentence = f"{path} does not exist: nobody is admitted, only the local page and the command line work."
        return WorkspaceConfig(private_root, warnings=(sentence,))
    config = build_config(read_root(path, findings), private_root)
    if not findings.problems:
        config = narrow(config, allowed_groups, findings)
        check_directories(config, allowed_groups, findings)
    if findings.problems:
        raise ConfigurationError(findings.problems)
    return replace(config, warnings=tuple(findings.warnings))


def build_config(root: Node, private_root: Path) -> WorkspaceConfig:
    """The configuration as the file has it; what is wrong is noted in the node's findings."""
    root.warn_unknown(TOP_KEYS)
    built = [build_workspace(name, node, private_root) for name, node in root.node("workspaces").nodes()]
    check_names(built, root)
    claims = [*claims_of(built), *read_group_table(root.node("telegram_groups"), built)]
    check_claims(claims, root)
    groups = {claim.entry: claim.workspace for claim in claims}
    return WorkspaceConfig(
        private_root,
        workspaces=tuple(
            replace(w, chats=tuple(entry for entry, name in groups.items() if name == w.name)) for w in built
        ),
        whitelist=build_whitelist(root.node("dm_whitelist")),
        groups=groups,
        places={claim.entry: claim.path for claim in claims},
        topics=read_topic_table(root.node("telegram_topics"), built),
        bots_allowed=frozenset(root.list("bots_allowed", as_person, "usernames or ids")),
    )


def build_workspace(name: str, node: Node, private_root: Path) -> Workspace:
    node.warn_unknown(WORKSPACE_KEYS)
    return Workspace(
        name=name,
        directory=read_directory(node, "working_directory") or private_root / as_folder(name),
        chats=read_chats(node),
        aliases=node.list("aliases", as_text, "text"),
        description=node.text("description"),
        url=node.text("url"),
        kind=node.text("workspace_type"),
        notion_database=node.text("database_id") or find_notion_id(node.text("notion_db_url")),
        is_dev_group=node.flag("is_dev_group"),
        front=node.one_of("front", ("account", "bot")),
        network=read_network(node),
        consent=frozenset(node.list("consent", as_text, "tool names")),
        roles=read_roles(node.node("roles")),
        model=node.text("model") or None,
        persona=node.text("persona") or None,
        budget=node.amount("budget"),
    )


def read_chats(node: Node) -> tuple[str, ...]:
    chats = node.list("telegram_chat_ids", as_group, "group ids")
    if "telegram_chat_id" not in node:
        return chats
    single = as_group(node.raw("telegram_chat_id"))
    if single is None:
        node.problem("telegram_chat_id", "should be a group id")
        return chats
    return (*chats, single)


def read_network(node: Node) -> bool | tuple[str, ...]:
    value = node.raw("network")
    if isinstance(value, list):
        return node.list("network", as_text, "host names")
    if value is None or isinstance(value, bool):
        return bool(value)
    node.problem("network", "should be true, false or a list of host names")
    return False


def read_roles(node: Node) -> Mapping[str, Role]:
    roles: dict[str, Role] = {}
    for person, role in node.texts():
        name = as_person(person)
        if role in ROLES and name:
            roles[name] = Role(role)
        else:
            node.problem(person, f"should be {', '.join(ROLES)}")
    return roles


def read_directory(node: Node, key: str) -> Path | None:
    """An absolute directory, without `..` and closing slashes; `~` is this user's home."""
    text = node.text(key)
    if not text:
        return None
    path = Path(text.replace("~", str(Path.home()), 1)) if text == "~" or text.startswith("~/") else Path(text)
    if not path.is_absolute():
        node.problem(key, "should be an absolute path")
        return None
    return Path(os.path.normpath(path))


def build_whitelist(node: Node) -> Whitelist:
    node.warn_unknown(WHITELIST_KEYS)
    users = [read_user(name, entry) for name, entry in node.node("allowed_users").nodes()]
    ids = [read_user_id(number, entry) for number, entry in node.node("allowed_user_ids").nodes()]
    check_people(users, node)
    return Whitelist(
        entries=tuple(entry for entry in (*users, *ids) if entry),
        default_directory=read_directory(node, "default_working_directory"),
        description=node.text("description"),
    )


def read_user(name: str, node: Node) -> Listed | None:
    username = fold_username(node.text("username") or name)
    if username is None or not re.fullmatch(r"\w+", username):
        node.problem("username", "should be a Telegram username")
        return None
    return replace(read_person(node), username=username)


def read_user_id(number: str, node: Node) -> Listed | None:
    if not re.fullmatch(r"[1-9]\d*", number):
        node.problem("", "should be a numeric user id")
        return None
    return replace(read_person(node), id=int(number))


def read_person(node: Node) -> Listed:
    node.warn_unknown(PERSON_KEYS)
    role = node.one_of("role", ROLES)
    return Listed(
        directory=read_directory(node, "working_directory"),
        role=Role(role) if role else None,
        description=node.text("description"),
    )


def check_people(users: list[Listed | None], node: Node) -> None:
    names = [user.username for user in users if user]
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        node.problem("allowed_users", f"{name} stands twice")


def check_names(workspaces: list[Workspace], root: Node) -> None:
    """Note names and aliases that two workspaces share, and names that are taken."""
    owners: dict[str, Workspace] = {}
    for workspace in workspaces:
        if workspace.name.casefold().startswith(PRIVATE) or not workspace.name.strip():
            root.problem(f"workspaces.{workspace.name}", f"a name may not be empty or start with {PRIVATE}")
        for name in names_of(workspace):
            other = owners.setdefault(name, workspace)
            if other is not workspace:
                root.problem(f"workspaces.{workspace.name}.aliases", f"{name!r} also names {other.name}")


def claims_of(workspaces: list[Workspace]) -> list[Claim]:
    return [
        Claim(entry, workspace.name, f"workspaces.{workspace.name}.telegram_chat_ids")
        for workspace in workspaces
        for entry in workspace.chats
    ]


def read_group_table(node: Node, workspaces: list[Workspace]) -> list[Claim]:
    found: list[Claim] = []
    for key, name in node.texts():
        entry = as_group(key)
        workspace = find_named(name, workspaces)
        if entry is None:
            node.problem(key, "the key should be a group id")
        elif workspace is None:
            node.problem(key, f"there is no workspace {name!r}; known are {list_names(workspaces)}")
        else:
            found.append(Claim(entry, workspace.name, node.at(key)))
    return found


def read_topic_table(node: Node, workspaces: list[Workspace]) -> Mapping[str, str]:
    topics: dict[str, str] = {}
    for key, name in node.texts():
        workspace = find_named(name, workspaces)
        if not TOPIC_ID.fullmatch(key) or not key.startswith("-"):
            node.problem(key, "the key should be CHAT_ID/TOPIC_ID, the chat's id spelled with its minus")
        elif workspace is None:
            node.problem(key, f"there is no workspace {name!r}; known are {list_names(workspaces)}")
        else:
            chat, _, topic = key.partition("/")
            topics[f"{canonical_key(chat)}/{topic}"] = workspace.name
    return topics


def find_named(name: str, workspaces: Iterable[Workspace]) -> Workspace | None:
    return next((workspace for workspace in workspaces if name.casefold() in names_of(workspace)), None)


def check_claims(claims: list[Claim], root: Node) -> None:
    """Note chats that two workspaces claim."""
    for index, claim in enumerate(claims):
        rival = next((c for c in claims[:index] if c.workspace != claim.workspace and claim.meets(c)), None)
        if rival and rival.entry == claim.entry:
            root.problem(claim.path, f"chat {claim.entry} belongs to {rival.workspace} already ({rival.path})")
        elif rival:
            sentence = f"{claim.entry} may be the same chat as {rival.entry} of {rival.workspace}: spell both out"
            root.problem(claim.path, sentence)


def narrow(config: WorkspaceConfig, allowed: tuple[str, ...] | None, findings: Findings) -> WorkspaceConfig:
    """Leave only the groups that TELEGRAM_ALLOWED_GROUPS names; unknown names are problems."""
    if allowed is None:
        return config
    groups: dict[str, str] = {}
    topics: dict[str, str] = {}
    for item in allowed:
        chosen = (
            narrow_to_id(item, config, findings) if GROUP_ID.fullmatch(item) else narrow_to_name(item, config, findings)
        )
        groups |= chosen.groups
        topics |= chosen.topics
    narrowed = frozenset({*config.groups, *config.topics} - {*groups, *topics})
    return replace(config, groups=groups, topics=topics, narrowed=narrowed)


def narrow_to_name(item: str, config: WorkspaceConfig, findings: Findings) -> WorkspaceConfig:
    try:
        name = config.resolve(item).name
    except Unknown as error:
        findings.problems.append(f"TELEGRAM_ALLOWED_GROUPS: {error}")
        return WorkspaceConfig(config.private_root)
    return WorkspaceConfig(
        config.private_root,
        groups={entry: owner for entry, owner in config.groups.items() if owner == name},
        topics={entry: owner for entry, owner in config.topics.items() if owner == name},
    )


def narrow_to_id(item: str, config: WorkspaceConfig, findings: Findings) -> WorkspaceConfig:
    """What one id leaves: spelled, just itself, where the file has the bare number too; bare, the first it means."""
    wanted = canonical_key(item)
    groups: dict[str, str] = {}
    entry = next((form for form in forms_of(wanted) if form in config.groups), None)
    if entry is not None:
        groups[wanted] = config.groups[entry]
    meant = [form for form in config.groups if wanted in bare_numbers(form)]
    if meant and not groups:
        groups[meant[0]] = config.groups[meant[0]]
    topics = {key: name for key, name in config.topics.items() if key.partition("/")[0] in {wanted, *meant[:1]}}
    if len(meant) > 1:
        sentence = f"{item} is taken as {meant[0]}; {meant[1]} is refused: spell out the ids"
        findings.warnings.append(f"TELEGRAM_ALLOWED_GROUPS: {sentence}")
    elif not groups and not topics:
        findings.warnings.append(f"TELEGRAM_ALLOWED_GROUPS: no workspace has the group {item}")
    return WorkspaceConfig(config.private_root, groups=groups, topics=topics)


def check_directories(config: WorkspaceConfig, allowed: tuple[str, ...] | None, findings: Findings) -> None:
    """Note directories that are missing where this server serves the workspace, and warn of them elsewhere."""
    reachable = {*config.groups.values(), *config.topics.values()}
    wanted = {entry.directory or config.whitelist.default_directory for entry in config.whitelist.entries}
    for workspace in config.workspaces:
        is_own = workspace.directory.is_relative_to(config.private_root)
        if is_own or workspace.directory.is_dir():
            continue
        sentence = (
            f"workspaces.{workspace.name}.working_directory: {workspace.directory} is no directory on this machine"
        )
        served = workspace.name in reachable or workspace.directory in wanted
        (findings.problems if served else findings.warnings).append(sentence)
    warn_homeless(config, wanted, findings)


def warn_homeless(config: WorkspaceConfig, wanted: set[Path | None], findings: Findings) -> None:
    """Warn of whitelist directories that no workspace has, and of those that several have."""
    for directory in sorted(path for path in wanted if path):
        sharing = [workspace for workspace in config.workspaces if workspace.directory == directory]
        if not sharing:
            sentence = f"no workspace has the directory {directory}: its people get private workspaces"
            findings.warnings.append(f"dm_whitelist: {sentence}")
        elif len(sharing) > 1:
            sentence = f"{directory} belongs to {list_names(sharing)}: its people get {sharing[0].name}"
            findings.warnings.append(f"dm_whitelist: {sentence}")


def as_group(value: object) -> str | None:
    """A group id from text or number, in its marked form or bare; None for anything else."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return canonical_key(text) if GROUP_ID.fullmatch(text) else None


def as_person(value: object) -> str | None:
    """A person's name in lists: a lower-case username without @, or a numeric id as text."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return fold_username(text)


def as_folder(name: str) -> str:
    """The folder of a workspace without a directory: one per name, and never that of a person's private workspace."""
    return f"named-{quote(name.casefold(), safe='')}"


def find_notion_id(url: str) -> str | None:
    """The database id inside a Notion address: the last 32 hexadecimal digits of its path."""
    found = re.findall(r"[0-9a-f]{32}", url.partition("?")[0].replace("-", "").lower())
    return found[-1] if found else None
