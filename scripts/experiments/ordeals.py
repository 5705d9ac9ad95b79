"""What happens to the product beside dying at some moment: each is an arrangement that has lost or doubled something
in other systems. A plant's own ordeals come first."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.experiments.lives import Life
from scripts.experiments.play import Play
from tests.acceptance.installation import until
from tests.world.telegram import Person, TelegramWorld

SEND, DIALOGS = "messages.sendMessage", "messages.getDialogs"
PATIENCE = 5.0
SOUND = {
    "a settled promise that nobody was told of": """
        SELECT id FROM promises p WHERE status IN ('completed', 'failed', 'cancelled') AND NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.promise_id = p.id AND d.kind IN ('result', 'notice'))""",
    "an ended turn without an answer": """
        SELECT id FROM turns t WHERE status NOT IN ('open', 'running') AND NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.turn_id = t.id)""",
    "a message to be answered by nobody": "SELECT id FROM messages WHERE answer AND turn_id IS NULL",
    "a damaged file": "SELECT 1 FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
}


@dataclass(frozen=True, slots=True)
class Stand:
    """The play, and the two servers outside."""

    play: Play
    world: TelegramWorld
    stop_model: Callable[[], Awaitable[None]]
    start_model: Callable[[], Awaitable[None]]

    @property
    def valor(self) -> Person:
        return self.play.scene.cast.valor

    def ask(self, kind: str, at: int = -1) -> str:
        """Have a writer (any, or that one) ask in a DM; the nonce."""
        writers = self.play.scene.cast.writers
        writer = writers[at] if at >= 0 else self.play.chance.choice(writers[2:])
        return self.play.scene.people.ask(writer, self.valor, kind).nonce

    async def has(self, sql: str, *parameters: object, seconds: float = PATIENCE) -> bool:
        """Whether the tables come to hold such a row within the time."""
        with contextlib.suppress(TimeoutError):
            await until(lambda: bool(self.play.scene.tables.query(sql, *parameters)), seconds, pause=0.01)
            return True
        return False

    async def restart(self, part: str, die_at: str = "") -> Life:
        await self.play.end(part)
        return await self.play.begin(part, die_at)

    async def is_asked(self, words: str, times: int) -> bool:
        """Whether the model comes to be asked for it so often."""
        with contextlib.suppress(TimeoutError):
            return await until(lambda: self.play.scene.mind.asked(words) >= times, PATIENCE, pause=0.005)
        return False

    async def is_answered(self, nonces: list[str], seconds: float = PATIENCE) -> bool:
        people = self.play.scene.people

        def all_answered() -> bool:
            people.look()
            return not any(nonce in people.open for nonce in nonces)

        with contextlib.suppress(TimeoutError):
            return await until(all_answered, seconds, pause=0.01)
        return False


async def restart(stand: Stand) -> None:
    """The server dies when everything is answered, and reads the histories again."""
    await stand.is_answered([stand.ask("ask", at) for at in range(3)])
    await stand.restart("server")
    await stand.is_answered([stand.ask("ask", at) for at in range(3)])


async def late_send(stand: Stand) -> None:
    """The server dies while a message is under way, which Telegram takes when the next server has sent it again."""
    serve: Any = stand.world.server.serve
    caught = asyncio.Event()
    held: list[Callable[[], None]] = []

    def serve_late(link: Any, number: int, request: Any, *, updates: bool) -> None:
        is_answer = type(request).__name__ == "SendMessageRequest" and request.reply_to is not None
        if caught.is_set() or not is_answer or link.person is not stand.valor:
            serve(link, number, request, updates=updates)
            return
        caught.set()
        stand.play.now["server"].kill()
        held.append(lambda: serve(link, number, request, updates=False))

    stand.world.server.serve = serve_late
    try:
        nonce = stand.ask("ask")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await caught.wait()
        await stand.restart("server")
        await stand.is_answered([nonce], 2.0)
    finally:
        stand.world.server.serve = serve
        for hand_in in held:
            hand_in()


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
    """A message is missed while the server is away; a later one comes live before the history is read."""
    writer, world, valor = stand.play.chance.choice(stand.play.scene.cast.writers[2:]), stand.world, stand.valor
    people = stand.play.scene.people
    await stand.play.end("server")
    missed = people.ask(writer, valor, "ask").nonce
    world.faults.difference_too_long(valor)
    world.faults.slow(0.4, valor, DIALOGS, times=2)
    lists = len(world.ledger.calls(DIALOGS, valor)) + 2  # one when it connects, one to catch up
    await stand.play.begin("server")
    with contextlib.suppress(TimeoutError):
        await until(lambda: len(world.ledger.calls(DIALOGS, valor)) >= lists, PATIENCE, pause=0.005)
    later = people.ask(writer, valor, "ask").nonce
    await stand.is_answered([missed, later])
    world.faults.clear()


async def late_edit(stand: Stand) -> None:
    """A message that asks for nothing is edited while the server is away; the next server dies when it has connected."""
    people, cast = stand.play.scene.people, stand.play.scene.cast
    asked = people.say(cast.groups["Inner"].members[0], cast.groups["Inner"], "…", "ask")
    number = asked.message.id_for(stand.valor)
    await stand.has("SELECT 1 FROM messages WHERE chat_id LIKE '-100%' AND message_id = ? AND NOT answer", number)
    await stand.restart("server")
    await stand.has("SELECT 1 FROM chats WHERE chat_id LIKE '-100%' AND mark >= ?", number)
    await stand.play.end("server")
    asked.nonce = f"{stand.play.chance.getrandbits(32):08x}"
    people.open[asked.nonce] = time.monotonic()
    stand.world.edit(asked.message, f"@valor_ai ask:{asked.nonce}")
    life = await stand.play.begin("server", "telegram.GetDialogs:before")
    await life.wait(PATIENCE)
    await stand.restart("server")
    await stand.is_answered([asked.nonce])


async def forgotten_keys(stand: Stand) -> None:
    """Telegram has forgotten the key of a message that was sent but not noted."""
    stand.world.forget_random_ids(0)
    life = await stand.restart("server", "telegram.SendMessage:after#2")
    asked = [stand.ask("ask", at) for at in range(4)]
    await life.wait(PATIENCE)
    await stand.restart("server")
    await stand.is_answered(asked)
    stand.world.forget_random_ids(None)


async def crowded_directory(stand: Stand) -> None:
    """Two people who share a directory have it written to at once, by turns and promises."""
    await stand.is_answered([stand.ask(kind, at) for kind in ("keep", "work", "keep") for at in (0, 1)])


async def backlog(stand: Stand) -> None:
    """Several answers wait for one chat."""
    stand.world.faults.slow(0.3, stand.valor, SEND, times=1)
    writer = stand.play.scene.cast.writers[3]
    for _ in range(4):
        stand.play.scene.people.say(writer, stand.valor, "ping", "command")
    await asyncio.sleep(0.6)


async def nap(stand: Stand) -> None:
    """The worker dies over a command that would run for minutes."""
    nonce = stand.ask("doze")
    place = stand.play.scene.home / "work"
    with contextlib.suppress(TimeoutError):
        await until(lambda: any(place.rglob(f"nap.{nonce}")), PATIENCE)
    await stand.restart("worker")
    await stand.is_answered([nonce])


async def telegram_away(stand: Stand) -> None:
    await stand.world.go_down()
    await asyncio.sleep(0.2 + stand.play.chance.random())
    await stand.world.come_back()
    if stand.play.chance.random() < 0.7:  # else it waits for its own next attempt, which may be half a minute away
        await stand.restart("server")


async def model_away(stand: Stand) -> None:
    stand.play.had_outage = True
    await stand.stop_model()
    await asyncio.sleep(stand.play.chance.random() * 0.6)
    await stand.start_model()


async def lost_answers(stand: Stand) -> None:
    """Telegram takes what is sent and never says so."""
    stand.world.faults.lose_answer(stand.valor, SEND, times=1)
    stand.world.faults.double_updates(stand.valor, 3)
    await stand.is_answered([stand.ask("ask") for _ in range(2)])


async def wrong_clock(stand: Stand) -> None:
    """The clock jumps an hour back, or a day forward, and is set right again."""
    seconds = stand.play.chance.choice((-3600.0, 86_400.0))
    stand.play.lives.skew(seconds)
    await stand.is_answered([stand.ask(kind) for kind in ("ask", "keep", "think")], 2.0)
    await asyncio.sleep(stand.play.chance.random())
    stand.play.lives.skew(0)


async def power_loss(stand: Stand) -> None:
    """The files as they are when the server has died at a commit, a torn write at their end, opened elsewhere."""
    play = stand.play
    commits = [name.partition(" ")[2] for name in sorted(play.tally.points) if name.startswith("server ")]
    life = await stand.restart("server", play.chance.choice([name for name in commits if "-commit" in name]))
    for _ in range(3):
        stand.ask(play.chance.choice(("ask", "work", "keep")))
    await life.wait(1.5)
    living = [one for one in play.now.values() if not one.is_over]
    for one in living:
        one.stop()
    copy = copy_files(play.scene.home, play.scene.home.parent / "elsewhere", play.chance)
    for one in living:
        one.go_on()
    play.tally.violations += [f"after a power loss: {line}" for line in look_at(copy)]


def copy_files(home: Path, folder: Path, chance: random.Random) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("system.db", "system.db-wal"):
        if (home / name).exists():
            shutil.copy(home / name, folder / name)
    with (folder / "system.db-wal").open("ab") as log:
        log.write(chance.randbytes(chance.randrange(6_000)))
    return folder / "system.db"


def look_at(database: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return [what for what, sql in SOUND.items() if connection.execute(sql).fetchall()]


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
    "power loss": power_loss,
}


async def undergo(stand: Stand, name: str) -> float:
    """Undergo an ordeal; how many seconds it took."""
    began = time.monotonic()
    await stand.play.ensure()
    stand.play.tally.ordeals[name] += 1
    await ORDEALS[name](stand)
    return time.monotonic() - began
