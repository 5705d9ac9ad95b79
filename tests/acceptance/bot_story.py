"""The story with a bot in it: alone, or in the same groups as the account."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from conversations.typeset import REPEAT
from tests.acceptance.story import UNFINISHED, WRONG, Story
from tests.world.anthropic import AnthropicWorld
from tests.world.bot_api import BotApi
from tests.world.telegram import Person, SentMessage, TelegramWorld

OWN = ("Served", "Quiet")
TOLD = "SELECT chat_id, message_id, text FROM deliveries WHERE front = ? AND status <> 'dropped'"


class BotStory(Story):
    """`valor` is who answers unless told otherwise: the bot where it is alone, else the account.

    The bot is in both groups, and in two of its own by configuration: `served`, which answers all, and `quiet`.
    """

    def __init__(self, world: TelegramWorld, model: AnthropicWorld, api: BotApi, folder: Path, *, alone: bool) -> None:
        self.api = api
        self.bot = world.bot("Valor's bot", "valor_bot")
        self.served, self.quiet = (world.group(name, [world.person("Founder"), self.bot]) for name in OWN)
        nobody = {"TELEGRAM_API_ID": "", "TELEGRAM_API_HASH": ""} if alone else {}
        super().__init__(world, model, folder, **api.environment(self.bot), **nobody)
        for person in (self.olivia, self.sam, self.valor):
            world.join(self.served, person)
            world.join(self.quiet, person)
        for group in (self.dev, self.other):
            world.join(group, self.bot)
        self.account = self.valor
        self.valor = self.bot if alone else self.account

    def configuration(self) -> dict[str, Any]:
        wanted = super().configuration()
        for name, group in zip(OWN, (self.served, self.quiet), strict=True):
            folder = self.home / "work" / name.lower()
            folder.mkdir(parents=True, exist_ok=True)
            ids = [str(group.peer_id(self.bot))]
            place = {"working_directory": str(folder), "telegram_chat_ids": ids, "front": "bot"}
            wanted["workspaces"][name] = place | {"is_dev_group": group is self.served}
        return wanted

    def change(self, workspace: str, **values: object) -> None:
        """Change the configuration of a workspace while the product runs."""
        path = self.home / "config" / "workspace_config.json"
        wanted = json.loads(path.read_text())
        wanted["workspaces"][workspace] |= values
        path.write_text(json.dumps(wanted))

    def by(self, person: Person, asked: SentMessage) -> list[str]:
        """What one of our accounts answered."""
        return [answer.text for answer in self.answers(asked) if answer.sender is person]

    def rows(self, front: Person, asked: SentMessage) -> int:
        """How many rows a front has of a message."""
        kind = "bot" if front.is_bot else "account"
        where = "SELECT COUNT(*) FROM messages WHERE front = ? AND chat_id = ? AND message_id = ?"
        return self.product.value(where, f"{kind}:{front.id}", str(asked.chat.peer_id(front)), asked.id_for(front))

    async def audit(self, *, ambiguous: int = 0) -> list[str]:
        """As in the story, for both fronts; so many sends may have been repeated, and say so."""
        with contextlib.suppress(TimeoutError):
            await self.until(lambda: not self.product.value(UNFINISHED))
        rows = ((what, row) for what, sql in WRONG.items() for row in self.product.query(sql))
        wrong = [f"{what}: {dict(row)}" for what, row in rows]
        repeated = [text for person in (self.bot, self.account) for text in self._twice(person)]
        wrong += [f"repeated: {text!r}" for text in repeated[ambiguous:]]
        return wrong + [line for person in (self.bot, self.account) for line in self._disagreements_of(person)]

    def _twice(self, person: Person) -> list[str]:
        return [one.text for one in self.world.messages(sender=person) if one.text.startswith(REPEAT)]

    def _disagreements_of(self, person: Person) -> list[str]:
        """Where tables and world disagree; what a repeat was the repeat of is known to the world alone.

        Somebody may have deleted what was told; what was deleted and never told the world itself had put there.
        """
        kind = "bot" if person.is_bot else "account"
        rows = self.product.query(TOLD, f"{kind}:{person.id}")
        told = {(row["chat_id"].partition("/")[0], row["message_id"]): row["text"] for row in rows}
        saved = self.world.dm(person, person)
        said = {
            (str(one.chat.peer_id(person)), one.id_for(person)): one.text
            for one in self.world.messages(sender=person)
            if one.chat is not saved
            and not (one.deleted and (str(one.chat.peer_id(person)), one.id_for(person)) not in told)
        }
        again = {text.removeprefix(REPEAT) for text in self._twice(person)}
        return [
            f"{key}: the tables have {told.get(key)!r}, the world has {said.get(key)!r}"
            for key in sorted(told.keys() | said.keys(), key=str)
            if told.get(key) != said.get(key) and said.get(key) not in again
        ]


@contextlib.asynccontextmanager
async def bot_story(folder: Path, *, alone: bool) -> AsyncGenerator[BotStory]:
    """A story whose world, model and Bot API stand; its product is not started yet."""
    async with TelegramWorld(folder) as world, AnthropicWorld() as model, BotApi(world) as api:
        story = BotStory(world, model, api, folder, alone=alone)
        try:
            yield story
        finally:
            await story.product.end_all()
            assert api.unknown == []
