"""What happens to the product beside dying at some moment: each is an arrangement that has lost or doubled something
in other systems. A plant's own ordeals come first."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

from core.database import LOCKED_SECONDS
from scripts.experiments.power import lose_power
from scripts.experiments.scheduling import keep_schedules
from scripts.experiments.stage import ASKED_ONLY, YARDS
from scripts.experiments.stand import Stand
from tests.world.bot_api import BotApi
from tests.world.telegram import TelegramWorld
from web.database_watch import LOOK_SECONDS

SEND, DIALOGS, BOT_SEND = "messages.sendMessage", "messages.getDialogs", "sendMessage"
GIVING_UP = ("server give-up:before-commit", "server give-up:after-commit")
FOLLOWING = (
    *(f"server {name}:{side}-commit" for name in ("follow", "receive", "unsent") for side in ("before", "after")),
    *(f"server telegram.GetChats:{side}" for side in ("before", "after")),
)
UNLOCKING = tuple(f"server {name}:{side}-commit" for name in ("touch", "alert") for side in ("before", "after"))
RESUMING = tuple(
    f"worker tool.{name}:{side}" for name in ("search_files", "write_file") for side in ("before", "after")
)
DECISIONS = 10  # how often the owner is given the chance to decide
LOCKED = LOCKED_SECONDS + LOOK_SECONDS + 1.0  # until the product has noticed it for sure
UNFINISHED_WORK = """
    SELECT 'turn', id FROM turns WHERE status IN ('open', 'running')
    UNION ALL SELECT 'promise', id FROM promises WHERE status NOT IN ('completed', 'failed', 'cancelled')"""
NEWER_WORK = "SELECT 'turn', id FROM turns WHERE id > ? UNION ALL SELECT 'promise', id FROM promises WHERE id > ?"
ASKS_CONSENT = "SELECT 1 FROM promises WHERE status = 'waiting' AND waiting_for = 'consent' AND task_description LIKE ?"
PARKED = "SELECT 1 FROM promises WHERE status = 'waiting' AND waiting_for = 'schedule'"
LONGEST_WAIT = """
    SELECT COALESCE(MAX(waiting), 0)
    FROM (SELECT COUNT(*) AS waiting FROM deliveries WHERE status = 'ready' GROUP BY chat_id)"""
NEWEST = "SELECT (SELECT MAX(id) FROM turns), (SELECT MAX(id) FROM promises)"


async def restart(stand: Stand) -> None:
    """The server dies when everything is answered, and reads the histories again."""
    await stand.is_answered([stand.ask("ask", at) for at in range(3)])
    await stand.restart("server")
    await stand.is_answered([stand.ask("ask", at) for at in range(3)])


@contextmanager
def first_answer(stand: Stand, take: Callable[[Callable[[], None]], None]) -> Generator[asyncio.Event]:
    """Within the block `take` is handed the first answer that Valor sends, as a call that has Telegram accept it."""
    server: Any = stand.world.server
    serve, caught = server.serve, asyncio.Event()

    def serve_or_take(link: Any, number: int, request: Any, *, updates: bool) -> None:
        is_answer = type(request).__name__ == "SendMessageRequest" and request.reply_to is not None
        if caught.is_set() or not is_answer or link.person is not stand.valor:
            serve(link, number, request, updates=updates)
            return
        caught.set()
        take(lambda: serve(link, number, request, updates=updates))

    server.serve = serve_or_take
    try:
        yield caught
    finally:
        server.serve = serve


@contextmanager
def held_sends(stand: Stand) -> Generator[list[Callable[[], None]]]:
    """Within the block Telegram takes no message of Valor's, afterwards all of them in their order; those held."""
    server: Any = stand.world.server
    serve, held = server.serve, list[Callable[[], None]]()

    def serve_or_hold(link: Any, number: int, request: Any, *, updates: bool) -> None:
        if type(request).__name__ == "SendMessageRequest" and link.person is stand.valor:
            held.append(lambda: serve(link, number, request, updates=updates))
        else:
            serve(link, number, request, updates=updates)

    server.serve = serve_or_hold
    try:
        yield held
    finally:
        server.serve = serve
        for accept in held:
            accept()


async def late_send(stand: Stand) -> None:
    """The server dies while a message is under way, which Telegram takes when the next server has sent it again."""
    held: list[Callable[[], None]] = []

    def hold(accept: Callable[[], None]) -> None:
        stand.play.now["server"].kill()
        held.append(accept)

    with first_answer(stand, hold) as caught:
        nonce = stand.ask("ask")
        await stand.comes(caught.is_set)
        await stand.restart("server")
        await stand.is_answered([nonce], 2.0)
    for accept in held:
        accept()


async def slept_worker(stand: Stand) -> None:
    """A worker sleeps through its lease in a model call, another goes on, and the first wakes up in the middle."""
    mind, first = stand.play.scene.mind, stand.play.now["worker"]
    promises = "SELECT 1 FROM promises WHERE epoch = ? AND task_description LIKE ?"
    nonce = stand.ask("keep")
    await stand.has(promises, 1, f"%{nonce}%")
    usual = mind.least, mind.most
    mind.least = mind.most = 1.0
    await stand.is_asked(f"append:{nonce}", 1)
    first.stop()
    second = await stand.play.lives.begin("worker")
    await stand.is_asked(f"append:{nonce}", 2)
    first.go_on()
    mind.least, mind.most = usual
    await stand.is_answered([nonce])
    await asyncio.sleep(0.3)
    await stand.play.end("worker")
    stand.play.now["worker"] = second


async def gap(stand: Stand) -> None:
    """A message is missed; a later one comes live before the history is read. First Telegram was away, then we."""
    await stand.is_answered([stand.ask("ask")])
    await stand.world.go_down()
    await _be_overtaken(stand, stand.world.come_back, lists=1)
    await stand.play.end("server")
    await _be_overtaken(stand, lambda: stand.play.begin("server"), lists=2)  # one more, when it connects


async def _be_overtaken(stand: Stand, come_back: Callable[[], Awaitable[object]], lists: int) -> None:
    """While nobody hears it somebody writes, and again when the chats have been asked for so often."""
    writer, world, valor = stand.chance.choice(stand.play.scene.cast.writers[2:]), stand.world, stand.valor
    people, asked = stand.play.scene.people, len(world.ledger.calls(DIALOGS, valor))
    missed = people.ask(writer, valor, "ask").nonce
    world.faults.difference_too_long(valor)
    world.faults.slow(0.4, valor, DIALOGS, times=lists)
    await come_back()
    await stand.comes(lambda: len(world.ledger.calls(DIALOGS, valor)) >= asked + lists)
    later = people.ask(writer, valor, "ask").nonce
    await stand.is_answered([missed, later])
    world.faults.clear()


async def late_edit(stand: Stand) -> None:
    """A message that asks for nothing is edited while the server is away; the next one dies when it has connected."""
    people, group = stand.play.scene.people, stand.play.scene.cast.groups[ASKED_ONLY]
    asked = people.say(group.members[0], group, "…", "ask")
    number = asked.message.id_for(stand.valor)
    await stand.has("SELECT 1 FROM messages WHERE chat_id LIKE '-100%' AND message_id = ? AND NOT answer", number)
    await stand.restart("server")
    await stand.has("SELECT 1 FROM chats WHERE chat_id LIKE '-100%' AND mark >= ?", number)
    await stand.play.end("server")
    asked.nonce = f"{stand.chance.getrandbits(32):08x}"
    people.open[asked.nonce] = time.monotonic()
    stand.world.edit(asked.message, f"@valor_ai ask:{asked.nonce}")
    life = await stand.play.begin("server", "telegram.GetDialogs:before")
    await stand.see_end(life)
    await stand.restart("server")
    await stand.is_answered([asked.nonce])


async def forgotten_keys(stand: Stand) -> None:
    """The server dies before it hears that a message was taken, and Telegram has forgotten the key of that."""

    def accept_and_kill(accept: Callable[[], None]) -> None:
        accept()
        stand.play.now["server"].kill()

    stand.world.forget_random_ids(0)
    with first_answer(stand, accept_and_kill) as caught:
        nonce = stand.ask("ask")
        await stand.comes(caught.is_set)
    await stand.restart("server")
    await stand.has("SELECT 1 FROM deliveries WHERE status = 'sent' AND text LIKE ?", f"%{nonce}%")
    stand.world.forget_random_ids(None)


async def crowded_directory(stand: Stand) -> None:
    """Two people who share a directory have it written to at once, by turns and promises."""
    await stand.is_answered([stand.ask(kind, at) for kind in ("keep", "work", "keep") for at in (0, 1)])


async def backlog(stand: Stand) -> None:
    """Several answers wait for one chat."""
    writer = stand.play.scene.cast.writers[3]
    with held_sends(stand):
        for _ in range(4):
            stand.play.scene.people.say(writer, stand.valor, "ping", "command")
        await stand.comes(lambda: stand.play.scene.tables.value(LONGEST_WAIT) >= 4)


async def nap(stand: Stand) -> None:
    """The worker dies over a command that would run for minutes."""
    nonce = stand.ask("doze")
    place = stand.play.scene.home / "work"
    await stand.comes(lambda: any(place.rglob(f"nap.{nonce}")))
    await stand.restart("worker")
    await stand.is_answered([nonce])


async def telegram_away(stand: Stand) -> None:
    """Telegram's servers die and come back, that of bots apart from the other."""
    async with asyncio.TaskGroup() as group:
        for server in stand.world, stand.api:
            group.create_task(_be_away(server, 0.2 + stand.chance.random()))
    if stand.chance.random() < 0.7:  # else it waits for its own next attempt, which may be half a minute away
        await stand.restart("server")


async def _be_away(server: TelegramWorld | BotApi, seconds: float) -> None:
    await server.go_down()
    await asyncio.sleep(seconds)
    await server.come_back()


@contextmanager
def open_within(stand: Stand) -> Generator[list[tuple[str, int]]]:
    """The turns and promises that are open at any time within the block; known when it is over."""
    query, found = stand.play.scene.tables.query, list[tuple[str, int]]()
    found += ((kind, number) for kind, number in query(UNFINISHED_WORK))
    newest = query(NEWEST)[0]
    yield found
    found += ((kind, number) for kind, number in query(NEWER_WORK, newest[0] or 0, newest[1] or 0))


async def model_away(stand: Stand) -> None:
    """The model's server dies and comes back; what is open meanwhile may fail, and tell so."""
    with open_within(stand) as found:
        await stand.stop_model()
        await asyncio.sleep(stand.chance.random() * 0.6)
        await stand.start_model()
    stand.play.excused.turns.update(number for kind, number in found if kind == "turn")
    stand.play.excused.promises.update(number for kind, number in found if kind == "promise")


async def lost_answers(stand: Stand) -> None:
    """Telegram takes what is sent and never says so; what the bot says once more for that, perhaps again."""
    life = await stand.restart_at(stand.rare_point(*GIVING_UP))
    stand.world.faults.lose_answer(stand.valor, SEND, times=1)
    stand.world.faults.lose_answer(stand.bot, BOT_SEND, times=stand.chance.choice((1, 4)))
    stand.world.faults.double_updates(stand.valor, 3)
    await stand.is_answered([stand.ask("ask", of=front) for front in (stand.valor, stand.bot) for _ in range(2)])
    await stand.comes(lambda: life.is_over or not stand.play.is_something_open())


async def wrong_clock(stand: Stand) -> None:
    """The clock jumps an hour back, or a day forward, and is set right again, perhaps while somebody has to wait.

    A day later it is too late for a consent that was asked for before.
    """
    with open_within(stand) as found:
        stand.play.lives.skew(stand.chance.choice((-3600.0, 86_400.0)))
        asked = [stand.ask(kind, at) for kind, at in (("keep", 0), ("keep", 1), ("ask", 2), ("think", 3))]
        if stand.chance.random() < 0.5:
            await stand.comes(lambda: stand.play.scene.tables.query(PARKED), 2.0)
        else:
            await stand.is_answered(asked, 2.0)
            await asyncio.sleep(stand.chance.random())
        stand.play.lives.skew(0)
    stand.play.excused.unallowed.update(number for kind, number in found if kind == "promise")


async def moved_group(stand: Stand) -> None:
    """A group becomes a supergroup while answers are owed there, or on their way; two servers may die over it."""
    people, cast, chance = stand.play.scene.people, stand.play.scene.cast, stand.chance
    left = [name for name in YARDS if not cast.groups[name].moved_to]
    group = cast.groups[chance.choice(left or YARDS)]
    asked = [
        people.ask(cast.owner, group.moved_to or group, kind) for kind in ("ask", "keep", "work", "permit", "peek")
    ]
    await stand.is_answered([one.nonce for one in asked], chance.random())
    life = await stand.restart_at(stand.rare_point(*FOLLOWING))
    with held_sends(stand) as held:
        if cast.front_in(group) is stand.valor and chance.random() < 0.7:
            people.ask(cast.owner, group.moved_to or group, "ask")
            await stand.comes(lambda: life.is_over or held)
        there = group.moved_to or stand.world.upgrade(group)
    await stand.see_end(life, chance.random() * 2)
    if not life.is_over:
        life = await stand.restart_at(stand.rare_point(*FOLLOWING))
        await stand.see_end(life, 2.0)
    asked = [people.ask(cast.owner, there, kind) for kind in ("ask", "keep")]
    await stand.play.ensure()
    await stand.is_answered([one.nonce for one in asked])


@contextmanager
def locked(stand: Stand) -> Generator[None]:
    """Within the block nobody but us can write to the database."""
    connection = sqlite3.connect(stand.play.scene.home / "system.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


async def locked_database(stand: Stand) -> None:
    """Another program holds the database for a while; the server may die over noticing the end of it, or telling so."""
    life = await stand.restart_at(stand.rare_point(*UNLOCKING))
    await stand.is_answered([stand.ask("ask"), stand.ask("keep")])
    with locked(stand):
        asked = [stand.ask(kind, at) for kind, at in (("keep", 0), ("ask", 2), ("work", 3))]
        await asyncio.sleep(stand.play.pace(LOCKED))
    await stand.see_end(life)
    await stand.play.ensure()
    await stand.is_answered(asked)


async def parked_turn(stand: Stand) -> None:
    """A turn waits for consent with more to do, and the worker that goes on with it may die over that."""
    people, owner = stand.play.scene.people, stand.play.scene.cast.owner
    await stand.play.end("worker")
    asked = [people.ask(owner, stand.valor, kind).nonce for kind in ("permit", "peek")]
    await stand.has(ASKS_CONSENT, f"%{asked[0]}%")
    life = await stand.restart_at(stand.rare_point(*RESUMING))
    for _ in range(DECISIONS):
        people.decide()
        await stand.see_end(life, 0.2)
    await stand.play.ensure()
    await stand.is_answered(asked)


ORDEALS: dict[str, Callable[[Stand], Awaitable[None]]] = {
    "restart": restart,
    "late send": late_send,
    "slept worker": slept_worker,
    "gap": gap,
    "late edit": late_edit,
    "forgotten keys": forgotten_keys,
    "crowded directory": crowded_directory,
    "backlog": backlog,
    "nap": nap,
    "telegram away": telegram_away,
    "model away": model_away,
    "lost answers": lost_answers,
    "wrong clock": wrong_clock,
    "power loss": lose_power,
    "moved group": moved_group,
    "locked database": locked_database,
    "parked turn": parked_turn,
    "schedules": keep_schedules,
}
# The points that hardly anything else comes to, as `part point`.
OCCASIONS = {
    "lost answers": GIVING_UP,
    "moved group": FOLLOWING,
    "locked database": UNLOCKING,
    "parked turn": RESUMING,
}


async def undergo(stand: Stand, name: str) -> float:
    """Undergo an ordeal; how many seconds it took."""
    began = time.monotonic()
    await stand.play.ensure()
    stand.play.tally.ordeals[name] += 1
    await ORDEALS[name](stand)
    return time.monotonic() - began
