"""A quiet scene that is as it should be, made by hand: tests then spoil one thing of it each."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, insert, text

from core.schema import deliveries, messages, metadata, promises, turns
from scripts.experiments.checker import Checker, Scene, key_of
from scripts.experiments.mind import LINES, Mind
from scripts.experiments.pace import Pace
from scripts.experiments.people import Asked, People
from scripts.experiments.stage import Tables, cast_in, directories
from tests.acceptance.installation import Installation
from tests.world.anthropic import AnthropicWorld
from tests.world.telegram import SentMessage, TelegramWorld
from tests.world.telegram.society import Draft

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Quiet:
    """The scene, with what it takes to spoil it."""

    scene: Scene
    engine: Engine

    def look(self, turns: tuple[int, ...] = (), promises: tuple[int, ...] = ()) -> list[str]:
        return Checker(self.scene, turns, promises).violations()

    def change(self, sql: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(sql))

    def add(self, table: Any, **row: Any) -> int:
        with self.engine.begin() as connection:
            key: Any = connection.execute(insert(table), row).inserted_primary_key
        return int(key[0])

    # -- what people and Valor say

    def ask(self, kind: str, nonce: str) -> Asked:
        people, cast = self.scene.people, self.scene.cast
        asked = people.say(cast.writers[3], cast.valor, f"{kind}:{nonce}", kind)
        asked.nonce = nonce
        return asked

    def say(self, said: str, to: SentMessage) -> SentMessage:
        """Valor replies, whatever its tables hold."""
        post = self.scene.world.society.send(Draft(to.chat, self.scene.cast.valor, said, reply_to=to.post))
        return SentMessage.of(post)

    def answer(self, asked: Asked, status: str = "done") -> int:
        """A turn that answered; its number."""
        (chat, number), cast = key_of(asked.message, self.scene.cast), self.scene.cast
        place = {"front": "account", "chat_id": chat}
        turn = self.add(
            turns,
            **place,
            workspace="W",
            status=status,
            requester_id=asked.person.id,
            role="member",
            reply_to=number,
            run_id=f"run_{asked.nonce}",
            created_at=NOW,
        )
        self.join(asked, turn)
        said = self.say(f"Here it is: re:{asked.nonce}", asked.message)
        self.deliver(said, kind="answer", reply_to=number, turn_id=turn, key=said.id_for(cast.valor))
        return turn

    def join(self, asked: Asked, turn: int) -> None:
        """The row of a message, which that turn answers."""
        chat, number = key_of(asked.message, self.scene.cast)
        self.add(
            messages,
            front="account",
            chat_id=chat,
            message_id=number,
            sender_id=asked.person.id,
            sent_at=NOW,
            received_at=NOW,
            text=asked.message.text,
            prompt=asked.message.text,
            answer=True,
            reason="DM",
            via="live",
            turn_id=turn,
        )

    def deliver(self, said: SentMessage, key: int, **row: Any) -> None:
        """The row of what Valor said."""
        place = {"front": "account", "chat_id": key_of(said, self.scene.cast)[0]}
        told: dict[str, Any] = {
            "text": said.text,
            "entities": [],
            "status": "sent",
            "message_id": key,
            "random_id": said.number,
        }
        self.add(deliveries, **place, **told, created_at=NOW, **row)

    def keep(self, asked: Asked) -> int:
        """A promise that was kept and told; its number."""
        chat, number = key_of(asked.message, self.scene.cast)
        promise = self.add(
            promises,
            front="account",
            chat_id=chat,
            message_id=number,
            task_description=f"append:{asked.nonce}",
            task_type="code",
            status="completed",
            created_at=NOW,
            updated_at=NOW,
            workspace="W",
            requester_id=asked.person.id,
            role="member",
            run_id=f"kept_{asked.nonce}",
        )
        said = self.say(f"Here it is: kept:{asked.nonce}", asked.message)
        self.deliver(said, said.id_for(self.scene.cast.valor), kind="result", promise_id=promise, reply_to=number)
        with self.lines.open("a") as lines:
            lines.write(f"{asked.nonce}\n")
        return promise

    @property
    def lines(self) -> Path:
        return directories(self.scene.home, self.scene.cast)["writer_3"] / LINES


@contextmanager
def quiet(folder: Path) -> Generator[Quiet]:
    installation = Installation(folder / "home", {})
    world, model = TelegramWorld(folder), AnthropicWorld()
    cast = cast_in(world)
    tables = Tables(installation, str(cast.valor.id))
    for place in directories(installation.home, cast).values():
        place.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{installation.home / 'system.db'}")
    metadata.create_all(engine)
    people = People(world, cast, random.Random(1), Pace())
    mind = Mind(model, random.Random(1), tables.is_on_disk)
    try:
        yield Quiet(Scene(world, cast, installation.home, tables, people, mind), engine)
    finally:
        tables.close()
        engine.dispose()
