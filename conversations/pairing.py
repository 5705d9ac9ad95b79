"""How the bot comes to know its owner, and whom the owner lets in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from conversations import delivery_store, knock_store
from conversations.alert_store import open_chats
from conversations.buttons import admit_buttons
from conversations.delivery import Draft
from conversations.knock_store import Knock
from conversations.links import SPECIAL
from conversations.turn import Turn
from core import pairing_code
from core.access import Accounts, Reason, administers_all
from core.clock import Clock
from core.database import Database
from core.errors import ConfigurationError, NotAllowed, RequestError, Unknown
from core.message import PAGE, ChatKind, Message, Person
from core.workspace_change import Accept, Edit, admit_group, admit_person
from core.workspaces import Role, WorkspaceConfig

UNKNOWN = frozenset({Reason.NOT_LISTED, Reason.NO_WORKSPACE})
WRONG_CODES = 10  # of one person within WINDOW; then none of theirs is looked at
WINDOW = timedelta(minutes=10)
MOST_KEPT = 1_000  # wrong codes
ASKED_A_DAY = 10  # strangers that the owner is asked about
DAY = timedelta(days=1)
ADMIT, DENY = "admitted", "denied"
WELCOME = {False: "You may write to me now. /help says what I can do.", True: "I answer here now when I am mentioned."}
LEFT_OUT = (
    "TELEGRAM_ALLOWED_GROUPS leaves that group out, so I would not answer there. Whoever runs Valor has to add {key} "
    "to it in .env and start Valor again; then send `/admit {number}`."
)
ELSEWHERE = (
    "That group belongs to the workspace {workspace} already, and the account answers there, not I. Whoever runs Valor "
    'has to write "front": "bot" into that workspace in config/workspace_config.json; then send `/admit {number}`.'
)
SHUT_OUT = "To shut them out again, take their entry out of config/workspace_config.json."
LONGEST_NAME = 64
BOT = "bot"
log = structlog.get_logger("telegram.pairing")

Change = Callable[[Edit, Accept], Awaitable[None]]


@dataclass(slots=True)
class Pairing:
    """`change` writes the configuration, if what comes of it is accepted, and takes it up; `code` is where the start's
    code is kept."""

    database: Database
    clock: Clock
    config: Callable[[], WorkspaceConfig]
    accounts: Callable[[], Accounts]
    change: Change
    wake: Callable[[], None]
    code: Path
    _wrong: deque[tuple[datetime, int]] = field(default_factory=lambda: deque(maxlen=MOST_KEPT), init=False)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def spelled(self, message: Message) -> Message:
        """The message; where it is nothing but the start's code, the `/start CODE` that the start's link says.

        So it is greeted, and is a question to no agent: also when it comes again after a crash.
        """
        said = message.text.strip().removeprefix("/start").strip()
        is_code = message.kind is ChatKind.DM and _is_for_bot(message) and pairing_code.is_known(self.code, said)
        return replace(message, text=f"/start {said}", forwarded_from=None) if is_code else message

    async def meet(self, message: Message, reason: str) -> bool:
        """Look at a message that was refused for `reason`; True when its sender is admitted by now.

        Without an owner the code makes one; with one, the owner is asked, once, about whoever wrote to the bot.
        """
        if reason not in UNKNOWN or not _is_for_bot(message):
            return False
        if not self.config().has_owner and not await self._pair(message):
            return False
        if self.config().whitelist.is_owner(message.sender):
            return True
        await self._ask(message)
        return False

    async def _pair(self, message: Message) -> bool:
        """Whether the message shows the code, and somebody is the owner by now: who showed it first."""
        code = message.text.removeprefix("/start").strip()
        if message.kind is not ChatKind.DM or not self._is_code(code, message.sender):
            return False
        async with self._changing:
            return self.config().has_owner or await self._make_owner(message.sender, code)

    async def _make_owner(self, person: Person, code: str) -> bool:
        try:
            await self.change(admit_person(person.id, _called(person), Role.OWNER), lambda _: None)
        except ConfigurationError as error:  # the code stays good
            log.warning("The owner could not be written down.", problems=error.problems)
            return False
        pairing_code.spend(self.code, code)
        log.warning("The bot knows its owner.", person=person.id)
        return True

    def _is_code(self, said: str, person: Person) -> bool:
        now = self.clock.now()
        while self._wrong and self._wrong[0][0] < now - WINDOW:
            self._wrong.popleft()
        tries = sum(who == person.id for _, who in self._wrong)
        if not said or tries >= WRONG_CODES:
            return False
        if pairing_code.is_right(self.code, said, now):
            return True
        self._wrong.append((now, person.id))
        if tries + 1 == WRONG_CODES:
            log.warning("Ten wrong codes of one person: none of theirs is looked at for ten minutes.", person=person.id)
        return False

    async def _ask(self, message: Message) -> None:
        now = self.clock.now()
        knock = _knock_of(message)
        config = self.config()
        if await self.database.write("knock", lambda connection: _ask_owner(connection, knock, config, now)):
            self.wake()

    async def decide(self, number: int | None, turn: Turn, *, admitted: bool) -> str:
        """What the owner is told. The same word again, after a crash or from another button, changes nothing more."""
        if not administers_all(turn.person, turn.chat, self.config()):
            raise NotAllowed("Only an owner of the installation may decide who is let in: ask one.")
        async with self._changing:
            knock = await self.database.read(lambda connection: knock_store.find(connection, number or 0))
            if knock is None:
                raise Unknown("Nobody with that number has asked to be let in.")
            return await (self._let_in(knock, turn) if admitted else self._keep_out(knock, turn))

    async def _let_in(self, knock: Knock, turn: Turn) -> str:
        """Also whom the owner has denied before."""
        await self._admit(knock)
        await self._note(knock, ADMIT, turn)
        return f"{_name_of(knock)} is admitted."

    async def _keep_out(self, knock: Knock, turn: Turn) -> str:
        name = _name_of(knock)
        if knock.decision == ADMIT:
            raise RequestError(f"{name} is admitted already, by {knock.decided_by}. {SHUT_OUT}")
        await self._note(knock, DENY, turn)
        return f"{name} is denied. `/admit {knock.id}` lets them in after all."

    async def _note(self, knock: Knock, decision: str, turn: Turn) -> None:
        by, now = turn.requester_name, self.clock.now()
        await self.database.write("decide", lambda connection: _decide(connection, knock, decision, by, now))
        self.wake()

    async def _admit(self, knock: Knock) -> None:
        def accept(config: WorkspaceConfig) -> None:
            why = _why_unheard(knock, config, self.accounts()) if knock.is_group else None
            if why is not None:
                raise RequestError(why)

        key, name = knock.chat.key, knock.name
        edit = admit_group(key, name) if knock.is_group else admit_person(knock.person_id, name, Role.MEMBER)
        try:
            await self.change(edit, accept)
        except ConfigurationError as error:
            raise RequestError(f"The configuration could not be changed: {'; '.join(error.problems)}.") from error


def _is_for_bot(message: Message) -> bool:
    """Whether a person said something to the bot."""
    is_said = not (message.pressed or message.outgoing or message.service)
    return is_said and message.chat.front.startswith("bot:") and not message.sender.is_bot


def _name_of(knock: Knock) -> str:
    return SPECIAL.sub(r"\\\1", knock.name)


def _knock_of(message: Message) -> Knock:
    """A group's topics knock as the group."""
    is_group = message.kind is ChatKind.GROUP
    chat = message.chat._replace(key=message.chat.key.partition("/")[0])
    name = " ".join(message.title.split())[:LONGEST_NAME] if is_group else _called(message.sender)
    return Knock(0, chat, is_group, message.sender.id, name or chat.key)


def _ask_owner(connection: Connection, knock: Knock, config: WorkspaceConfig, now: datetime) -> bool:
    """Owe the owner the question, with buttons where they write to the bot; False where too many were asked about, or
    it was asked."""
    if knock_store.count_since(connection, now - DAY) >= ASKED_A_DAY:
        return False
    found = open_chats(connection, config)
    owner = next((chat for chat in found if chat.front == knock.chat.front), next(iter(found), PAGE))
    number = knock_store.add(connection, knock, now)
    if number is None:
        return False
    name = _name_of(knock)
    who = f"The group {name} (`{knock.chat.key}`)" if knock.is_group else f"{name} (`{knock.person_id}`)"
    text = f"{who} wrote to me and is not admitted. Shall I answer? `/admit {number}` or `/deny {number}`."
    delivery_store.owe(connection, Draft(owner, "notice", text, buttons=admit_buttons(number)), now)
    return True


def _why_unheard(knock: Knock, config: WorkspaceConfig, accounts: Accounts) -> str | None:
    """Why the bot would not answer in a group though it is let in, and who has to do what; None where it would."""
    workspace = config.workspace_of_group(knock.chat.key)
    if workspace is None:
        return LEFT_OUT.format(key=knock.chat.key, number=knock.id)
    return None if accounts.front_of(workspace) == BOT else ELSEWHERE.format(workspace=workspace.name, number=knock.id)


def _decide(connection: Connection, knock: Knock, decision: str, by: str, now: datetime) -> None:
    if knock_store.decide(connection, knock.id, decision, by, now) and decision == ADMIT:
        delivery_store.owe(connection, Draft(knock.chat, "notice", WELCOME[knock.is_group]), now)


def _called(person: Person) -> str:
    name = " ".join(person.name.split())[:LONGEST_NAME]
    return f"{name} (@{person.username})" if person.username else name or str(person.id)
