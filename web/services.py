"""The server's parts, put together: nothing here begins to work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from conversations.agent_answers import Seen
from conversations.alerts import Alerts, Silence
from conversations.catchup import CatchUp, CatchUpDoors
from conversations.command_answers import CommandAnswers
from conversations.decisions import Decisions
from conversations.diffs import Diffs, Preview
from conversations.growth import Growth
from conversations.history import History
from conversations.inbox import Inbox, Limits
from conversations.links import Summarise
from conversations.media import Media
from conversations.media_cleaning import MediaCleaning
from conversations.moves import Moves
from conversations.outbox import Outbox, OutboxDoors
from conversations.pairing import Pairing
from conversations.reception import Reception
from conversations.reports import Reports
from conversations.self_ping import SelfPing
from conversations.signs import Signs
from conversations.status import StatusLine
from conversations.turns import Answer, DoneSoFar, TurnDoors, Turns
from core.access import FRONTS, Accounts
from core.bot_name import recall
from core.checks import Board, Finding
from core.clock import Clock
from core.database import Database
from core.events import Events
from core.owner import Owner
from core.protocols import ChatFiles, Front, HistorySearch, LinkSearch
from core.settings import Settings
from core.workspace_change import Accept, Edit
from core.workspace_watch import WorkspaceFile
from core.workspaces import WorkspaceConfig, fold_username
from integrations.local import LocalFront
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.session import TelegramAccess
from promises.reconciler import Reconciler
from promises.retention import Retention
from promises.rings import Rings
from promises.service import Promises
from promises.worker import Places
from web.media_side import build_media_side


@dataclass(frozen=True, slots=True)
class Ground:
    """What every part stands on."""

    settings: Settings
    clock: Clock
    board: Board
    database: Database
    configuration: WorkspaceFile
    places: Places
    rings: Rings
    version: str


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents' side, whose stack takes seconds to load: `load` does that and finds how its parts are."""

    load: Callable[[], Awaitable[Mapping[str, Finding]]]
    answer: Answer
    summarise: Summarise
    done_so_far: DoneSoFar
    preview: Preview


class OwnAccounts:
    """This installation's own accounts, as far as they are known by now."""

    def __init__(self, settings: Settings) -> None:
        self._remembered = recall(settings.bot_name_path)
        fronts = {"account": TelegramAccess.of(settings), "bot": BotAccess.of(settings)}
        self._known: dict[int, frozenset[str]] = {}
        self.current = Accounts(fronts=frozenset(name for name, access in fronts.items() if access is not None))

    def know(self, number: int, usernames: Iterable[str | None] = ()) -> None:
        """One of them is `number`, and goes by these names; by the one that is remembered while none is known."""
        names = [*filter(None, usernames)] or [self._remembered.get(number)]
        self._known[number] = frozenset(name for name in map(fold_username, names) if name)
        all_names = frozenset[str]().union(*self._known.values())
        self.current = Accounts(frozenset(self._known), all_names, self.current.fronts)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that runs in the server, not yet begun."""

    ground: Ground
    events: Events
    agents: Agents
    accounts: OwnAccounts
    fronts: dict[str, Front]
    history: History
    moves: Moves
    inbox: Inbox
    outbox: Outbox
    signs: Signs
    turns: Turns
    reception: Reception
    alerts: Alerts
    self_ping: SelfPing
    promises: Promises
    reconciler: Reconciler
    retention: Retention
    cleaning: MediaCleaning
    local: LocalFront = field(default_factory=LocalFront)


@dataclass(frozen=True, slots=True)
class Told:
    """What is asked each time, for both may change while the server runs."""

    config: Callable[[], WorkspaceConfig]
    accounts: Callable[[], Accounts]


@dataclass(frozen=True, slots=True)
class Offered:
    """What agents may use of the server's parts."""

    promises: Promises
    history: HistorySearch
    seen: Seen
    media: Media
    files: ChatFiles
    links: LinkSearch


BuildAgents = Callable[[Offered], Agents]


def build_services(ground: Ground, build_agents: BuildAgents) -> Services:
    """The parts on their ground; `build_agents` is handed what agents may use of them."""
    database, clock, settings = ground.database, ground.clock, ground.settings
    events, fronts, accounts = Events(), dict[str, Front](), OwnAccounts(settings)
    history = History(database, settings.max_conversation_history, settings.context_tokens)
    promises, signs, side = Promises(database, ground.rings, clock), Signs(clock), build_media_side(ground, fronts)
    moves, silence = _build_moves(ground, accounts)
    told = Told(lambda: moves.config, lambda: accounts.current)
    outbox = Outbox(OutboxDoors(database, clock, events, signs, moves, side.enclosures))
    growth, files = Growth(database, clock, outbox), side.files(outbox.wake)
    agents = build_agents(Offered(promises, history, Seen(events, growth), side.media, files, side.links))
    inbox, diffs = _build_inbox(ground, told), Diffs(database, agents.preview)
    reports, decisions = _build_reports(ground, promises, told), Decisions(inbox, fronts, events, clock)
    pairing, alerts = _build_pairing(ground, inbox, told, outbox), Alerts(database, clock, outbox, told.config, silence)
    doors = TurnDoors(
        database=database,
        clock=clock,
        events=events,
        owner=Owner.this_process(),
        outbox=outbox,
        signs=signs,
        history=history,
        media=side.media,
        answer_agent=side.answers(agents),
        answer_command=CommandAnswers(database, clock, promises, side.links, reports, pairing, diffs),
        done_so_far=agents.done_so_far,
        moves=moves,
    )
    turns, catchup = Turns(doors), CatchUp(CatchUpDoors(database, clock, inbox, moves, told.accounts))
    reception = Reception(inbox, turns, signs, catchup, fronts, alerts.tell_owner, moves, pairing, decisions)
    return Services(
        ground=ground,
        events=events,
        agents=agents,
        accounts=accounts,
        fronts=fronts,
        history=history,
        moves=moves,
        inbox=inbox,
        outbox=outbox,
        signs=signs,
        turns=turns,
        reception=reception,
        alerts=alerts,
        self_ping=SelfPing(database, clock, events, inbox, reception),
        promises=promises,
        reconciler=Reconciler(database, ground.rings, clock, settings.promise_lease_seconds),
        retention=Retention(database, clock, settings.retention_days),
        cleaning=side.cleaning,
    )


def _build_moves(ground: Ground, accounts: OwnAccounts) -> tuple[Moves, Silence]:
    """A front that is not set up reaches nobody."""
    silence = Silence(lambda: ground.configuration.config, {*FRONTS} - accounts.current.fronts)
    return Moves(ground.database, ground.clock, lambda: silence.config), silence


def _build_reports(ground: Ground, promises: Promises, told: Told) -> Reports:
    clock = ground.clock
    ping = StatusLine(ground.database, clock, ground.version, clock.boot(), ground.settings.home)
    return Reports(ground.database, clock, promises, ping, told.config, told.accounts)


def _build_pairing(ground: Ground, inbox: Inbox, told: Told, outbox: Outbox) -> Pairing:
    async def change(edit: Edit, accept: Accept) -> None:
        await asyncio.to_thread(ground.configuration.change, edit, accept)
        await inbox.note_configuration()

    code = ground.settings.pairing_path
    return Pairing(ground.database, ground.clock, told.config, told.accounts, change, outbox.wake, code)


def _build_inbox(ground: Ground, told: Told) -> Inbox:
    settings = ground.settings
    limits = Limits(settings.catchup_hours, settings.answers_per_minute, settings.turn_join_seconds)
    return Inbox(ground.database, ground.clock, told.config, told.accounts, limits)
