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
from scripts.experiments.checker import Checker
from scripts.experiments.mind import LINES, Mind
from scripts.experiments.outside import Outside
from scripts.experiments.pace import Pace
from scripts.experiments.people import Asked, People
from scripts.experiments.scene import Excuses, Scene
from scripts.experiments.spoken import key_of
from scripts.experiments.stage import Tables, cast_in, directories
from tests.acceptance.installation import Installation
from tests.world.anthropic import AnthropicWorld
from tests.world.bot_api import BotApi
from tests.world.speech import SpeechWorld
from tests.world.telegram import Chat, Media, Person, SentMessage, TelegramWorld
from tests.world.telegram.society import Draft
from tests.world.web import WebWorld

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Quiet:
    """The scene, with what it takes to spoil it."""

    scene: Scene
    engine: Engine

    def look(self, **excused: set[int]) -> list[str]:
        return Checker(self.scene, Excuses(**excused)).violations()

    def change(self, sql: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(sql), values)

    def add(self, table: Any, **row: Any) -> int:
        with self.engine.begin() as connection:
            key: Any = connection.execute(insert(table), row).inserted_primary_key
        return int(key[0])

    # -- what people and Valor say

    def ask(self, kind: str, nonce: str, place: Chat | Person | None = None) -> Asked:
        people, cast = self.scene.people, self.scene.cast
        person = place.members[0] if isinstance(place, Chat) else cast.writers[3]
        asked = people.say(person, place or cast.valor, f"{kind}:{nonce}", kind)
        asked.nonce = nonce
        return asked

    def say(self, said: str, to: SentMessage, media: Media | None = None) -> SentMessage:
        """The account or the bot replies, whatever its tables hold; in a group that has moved, there, to nothing."""
        front, there = self.scene.cast.front_in(to.chat), to.chat.moved_to
        draft = Draft(there or to.chat, front, said, reply_to=None if there else to.post, media=media)
        return SentMessage.of(self.scene.world.society.send(draft))

    def answer(self, asked: Asked, status: str = "done") -> int:
        """A turn that answered; its number."""
        front, chat, number = key_of(asked.message, self.scene.cast)
        place = {"front": front, "chat_id": chat}
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
        self.deliver(said, kind="answer", reply_to=number, turn_id=turn)
        return turn

    def join(self, asked: Asked, turn: int, number: int = 0) -> None:
        """The row of a message (or of a press, by its number), which that turn answers."""
        front, chat, own = key_of(asked.message, self.scene.cast)
        self.add(
            messages,
            front=front,
            chat_id=chat,
            message_id=number or own,
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

    def deliver(self, said: SentMessage, **row: Any) -> None:
        """The row of what was said."""
        front, chat, number = key_of(said, self.scene.cast)
        told: dict[str, Any] = {
            "text": said.text,
            "entities": [],
            "status": "sent",
            "message_id": number,
            "random_id": said.number,
        }
        self.add(deliveries, front=front, chat_id=chat, created_at=NOW, **told | row)

    def keep(self, asked: Asked, task: str = "append") -> int:
        """A promise that was kept and told; its number."""
        front, chat, number = key_of(asked.message, self.scene.cast)
        promise = self.add(
            promises,
            front=front,
            chat_id=chat,
            message_id=number,
            task_description=f"{task}:{asked.nonce}",
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
        self.deliver(said, kind="result", promise_id=promise, reply_to=number)
        if task == "append":
            self._append(asked)
        return promise

    def _append(self, asked: Asked) -> None:
        with self.lines.open("a") as lines:
            lines.write(f"{asked.nonce}\n")

    def press(self, under: SentMessage, words: str, data: str) -> str:
        """Somebody presses a button that stands there now; the number of the press."""
        self.scene.api.markups[under.number] = {"inline_keyboard": [[{"text": words, "callback_data": data}]]}
        self.scene.people.press(self.scene.cast.writers[3], under, words)
        return self.scene.people.pressed[-1].query

    @property
    def lines(self) -> Path:
        return directories(self.scene.home, self.scene.cast)["writer_3"] / LINES


@contextmanager
def quiet(folder: Path) -> Generator[Quiet]:
    installation = Installation(folder / "home", {})
    world, model = TelegramWorld(folder), AnthropicWorld()
    api = BotApi(world)
    cast = cast_in(world)
    tables = Tables(installation, str(cast.valor.id))
    for place in directories(installation.home, cast).values():
        place.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{installation.home / 'system.db'}")
    metadata.create_all(engine)
    people = People(world, Outside(api, WebWorld(), SpeechWorld()), cast, random.Random(1), Pace())
    mind = Mind(model, random.Random(1), tables.is_on_disk)
    try:
        yield Quiet(Scene(world, api, cast, installation.home, tables, people, mind), engine)
    finally:
        tables.close()
        engine.dispose()
