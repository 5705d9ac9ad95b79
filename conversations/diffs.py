"""What runs have changed in files, and what a call that waits for consent would change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection

from conversations import question_store
from core.access import Action, may
from core.database import Database
from core.errors import NotAllowed, Unknown
from core.workspaces import Role
from runtime import store, trace_store
from runtime.workspace_files import PREVIEWED

NOTHING = "No tool that writes files has changed one here."
COMMANDS = "Commands were run as well: what they change is not shown."
WANTED = "Not done yet, it waits to be allowed:"
UNCHANGED = "What waits to be allowed would change nothing: the file reads so already."
MEMBERS_ONLY = "Only a member or an owner may see what changes in files."


class Preview(Protocol):
    """What a call of a tool would change in a workspace, as a diff. Raises RequestError where nobody can know."""

    async def __call__(self, workspace: str, tool: str, arguments: Mapping[str, Any]) -> str: ...


@dataclass(frozen=True, slots=True)
class Diffs:
    """Tells what changed to those who may use the files themselves."""

    database: Database
    preview: Preview

    async def tell(self, workspace: str, role: Role, name: str) -> str:
        """Of the run that a name means (trace_store.find_run), which is one of this workspace."""
        if not may(role, Action.CODE):
            raise NotAllowed(MEMBERS_ONLY)
        found = await self.database.read(lambda connection: _look(connection, workspace, name))
        told = [_block(diff) for diff in found.diffs] or [NOTHING]
        told += [COMMANDS] if found.has_commands else []
        if found.wanted is not None and found.wanted[0] in PREVIEWED:
            diff = await self.preview(workspace, *found.wanted)
            told = [*(told if found.diffs else []), *([WANTED, _block(diff)] if diff else [UNCHANGED])]
        return "\n\n".join(told)


@dataclass(frozen=True, slots=True)
class _Found:
    diffs: list[str]
    has_commands: bool
    wanted: tuple[str, Mapping[str, Any]] | None


def _look(connection: Connection, workspace: str, name: str) -> _Found:
    run = trace_store.find_run(connection, name)
    if run.workspace != workspace:
        raise Unknown(f"There is no run {name!r} in {workspace}: {trace_store.NAMES}.")
    seen = store.seen_in(connection, run.id)
    has_commands = any(item.get("kind") == "command" for item in seen)
    return _Found(store.changed_in(connection, run.id), has_commands, question_store.wanted_by(connection, run.id))


def _block(diff: str) -> str:
    return f"```diff\n{diff.replace('`' * 3, chr(39) * 3)}\n```"
