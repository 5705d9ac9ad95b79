"""What people are told about the installation, their workspace and what it has used: without a model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from conversations import turn_store, usage_store
from conversations.turn import Turn
from conversations.usage_store import Used
from core.access import Accounts, Action, Role, may
from core.clock import Clock
from core.database import Database
from core.moments import tell_moment
from core.protocols import PromiseMaker, PromiseView
from core.workspaces import Workspace, WorkspaceConfig

LISTED = 20
SHORT = 80  # characters of a task, or of what is said of it, in a list
MONTH = timedelta(days=30)
OPEN = frozenset({"pending", "in_progress", "waiting"})
GREETING = """Hello {name}. I am Valor: write to me here as you would to a colleague.
I answer questions, read photos, voice and documents, keep links, and take on long jobs as promises that I report on.
This chat works in {workspace}. /help lists the commands, /status says how I am and what I am at."""

Ping = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Reports:
    """`ping` is how the installation is; `config` and `accounts` are asked each time, for both may change."""

    database: Database
    clock: Clock
    promises: PromiseMaker
    ping: Ping
    config: Callable[[], WorkspaceConfig]
    accounts: Callable[[], Accounts]

    def greet(self, turn: Turn) -> str:
        return GREETING.format(name=turn.requester_name or "there", workspace=turn.workspace)

    async def status(self, turn: Turn) -> str:
        """How the installation is, what runs in this chat, and which promises of the workspace are open."""
        running = await self.database.read(lambda connection: turn_store.running(connection, turn.chat))
        here = "Nothing is running in this chat." if running is None else f"I am at {running.requester_name}'s work."
        listed = await self.promises.list_for(turn.asker, LISTED)
        lines = list_promises([view for view in listed if view.status in OPEN], self.clock.now())
        promised = f"Open promises:\n{lines}" if lines else "No promise is open in this workspace."
        return "\n\n".join((await self.ping(), here, promised))

    async def usage(self, turn: Turn) -> str:
        """What the workspace has used: an owner sees everybody's, other people their own."""
        now = self.clock.now()
        spans = (("Today", now.replace(hour=0, minute=0, second=0, microsecond=0)), ("Last 30 days", now - MONTH))
        told = await self.database.read(
            lambda connection: [f"{name}: {_tell_span(connection, turn, since)}" for name, since in spans]
        )
        whose = "" if may(turn.role, Action.ADMINISTER) else ", by you alone"
        budget = self._workspace_of(turn).budget
        limit = "" if budget is None else f" (budget: ${budget:.2f} a day)"
        return "\n\n".join((f"Used in {turn.workspace}{whose}{limit}:", *told))

    def workspace(self, turn: Turn) -> str:
        """What this chat reaches. The directory by its name alone; who is what is not told to guests."""
        workspace = self._workspace_of(turn)
        lines = [
            f"This chat works in {workspace.name}." + (f" {workspace.description}" if workspace.description else "")
        ]
        lines += [f"- directory: `{workspace.directory.name}`", f"- you are: {turn.role}"]
        if turn.role is not Role.GUEST and workspace.roles:
            lines.append(f"- roles: {', '.join(f'{who} {role}' for who, role in workspace.roles.items())}")
        lines.append(f"- groups are served by: {self.accounts().front_of(workspace) or 'nobody, no front is set up'}")
        lines.append(f"- network: {_tell_network(workspace.network)}")
        asks = ", ".join(f"`{tool}`" for tool in sorted(workspace.consent))
        return "\n".join([*lines, f"- tools that ask first: {asks or 'none'}"])

    def _workspace_of(self, turn: Turn) -> Workspace:
        return self.config().named(turn.workspace)


def _tell_span(connection: Connection, turn: Turn, since: datetime) -> str:
    used = usage_store.used_since(connection, turn.workspace, turn.chat, since)
    if not may(turn.role, Action.ADMINISTER):
        used = [one for one in used if one.person_id == turn.requester_id]
    if not used:
        return "nothing."
    names = usage_store.names_of(connection, [one.person_id for one in used])
    total = Used(
        0,
        sum(u.calls for u in used),
        sum(u.tokens for u in used),
        sum(u.cost for u in used),
        sum(u.unpriced for u in used),
    )
    if not may(turn.role, Action.ADMINISTER):
        return _tell_used(total)
    people = [f"- {names.get(one.person_id) or f'person {one.person_id}'}: {_tell_used(one)}" for one in used]
    return "\n".join([_tell_used(total), *people])


def _tell_used(used: Used) -> str:
    unknown = f" ({used.unpriced} without a known price)" if used.unpriced else ""
    calls = "1 call" if used.calls == 1 else f"{used.calls:,} calls"
    return f"{calls}, {used.tokens:,} tokens, ${used.cost:.4f}{unknown}"


def _tell_network(network: bool | tuple[str, ...]) -> str:
    if isinstance(network, tuple):
        return ", ".join(network) or "none"
    return "any" if network else "none"


def list_promises(promises: list[PromiseView], now: datetime) -> str:
    """A line each; '' for none."""
    return "\n".join(_line(promise, now) for promise in promises)


def _line(promise: PromiseView, now: datetime) -> str:
    more = _short(_state(promise, now))
    return f"#{promise.id} {promise.status}{f' ({more})' if more else ''}: {_short(promise.task_description)}"


def _state(promise: PromiseView, now: datetime) -> str:
    """What is to be known beside the status."""
    match promise.status, promise.waiting_for:
        case "in_progress", _:
            return promise.progress or ""
        case "waiting", "schedule" if promise.due_at and promise.due_at > now:
            return f"until {tell_moment(promise.due_at, promise.zone)}"
        case "waiting", "dependency":
            return "for what it follows"
        case "waiting", "approval":
            return f"to be allowed: /approve {promise.id}"
        case _:
            return promise.error_message or ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"
