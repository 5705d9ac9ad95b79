"""The configuration file as the product changes it: checked before it counts, whole or not at all, the version before
kept beside it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from core.checked_json import Findings, read_json
from core.errors import ConfigurationError
from core.workspaces import PRIVATE, Role, WorkspaceConfig

Document = dict[str, Any]
Edit = Callable[[Document], None]
Accept = Callable[[WorkspaceConfig], None]
BEFORE = ".before"


def admit_person(number: int, name: str, role: Role) -> Edit:
    """Let a person write direct messages. Somebody who is listed by this id already stays what they are."""

    def edit(document: Document) -> None:
        people = _object(_object(document, "dm_whitelist"), "allowed_user_ids")
        people.setdefault(str(number), {"description": name, "role": role.value})

    return edit


def admit_group(key: str, title: str) -> Edit:
    """Let a group in, with a workspace of its own, which the bot serves: it is the bot that was spoken to."""

    def edit(document: Document) -> None:
        workspaces = _object(document, "workspaces")
        named = next((name for name, one in workspaces.items() if key in one.get("telegram_chat_ids", ())), None)
        if named is None and key not in _object(document, "telegram_groups"):
            own = {"telegram_chat_ids": [key], "description": title, "front": "bot"}
            workspaces[_free(title, key, workspaces)] = own

    return edit


def change_file(path: Path, edit: Edit, check: Callable[[Path], object]) -> None:
    """Change the document in `path`. `check` reads the draft; what it raises leaves the file as it was.

    Raises ConfigurationError, also where somebody else has changed the file meanwhile.
    """
    path = path.resolve()
    known = path.read_bytes() if path.exists() else None
    document = _read(path) if known is not None else {}
    edit(document)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write(draft, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        check(draft)
        if known is not None:
            shutil.copy2(path, path.with_name(path.name + BEFORE))
        if (path.read_bytes() if path.exists() else None) != known:
            raise ConfigurationError([f"{path.name} was changed by somebody else meanwhile: try again"])
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> Document:
    findings = Findings()
    document = read_json(path, findings)
    if findings.problems or not isinstance(document, dict):
        raise ConfigurationError(findings.problems or [f"{path.name} should be an object"])
    return cast("Document", document)


def _write(draft: Path, text: str) -> None:
    draft.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _object(document: Document, key: str) -> Document:
    """The object at `key`, made where there is none. Raises ConfigurationError for something else there."""
    found = document.get(key)
    if found is None:
        found = document[key] = {}
    if not isinstance(found, dict):
        raise ConfigurationError([f"{key}: should be an object"])
    return cast("Document", found)


def _free(title: str, key: str, workspaces: Document) -> str:
    """A name that no workspace has."""
    taken = {name.casefold() for name in workspaces}
    taken |= {str(alias).casefold() for one in workspaces.values() for alias in one.get("aliases", ())}
    name = " ".join(title.split())[:64]
    return name if name and name.casefold() not in taken and not name.casefold().startswith(PRIVATE) else f"Group {key}"
