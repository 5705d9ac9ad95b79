"""Where the story plays: the world, the model and the installation together, the people in it, and the final audit."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.acceptance.installation import Installation
from tests.acceptance.script_model import ScriptedModel
from tests.waiting import LOOK_SECONDS
from tests.world.anthropic import AnthropicWorld
from tests.world.telegram import Chat, Person, SentMessage, TelegramWorld

Found = TypeVar("Found")
FRIENDS = 24
PATIENCE = 60.0  # with other work on the machine; what is to be quick is measured by scripts/bench
TOLD = "SELECT chat_id, message_id, text FROM deliveries WHERE front <> 'local' AND status <> 'dropped'"
UNFINISHED = """
    SELECT (SELECT COUNT(*) FROM deliveries WHERE status IN ('held', 'open', 'ready'))
         + (SELECT COUNT(*) FROM turns WHERE status IN ('open', 'running'))
         + (SELECT COUNT(*) FROM promises WHERE status IN ('pending', 'in_progress'))
"""
WRONG = {
    "owed for ever": "SELECT * FROM deliveries WHERE status NOT IN ('sent', 'dropped')",
    "an answer to come without a turn": "SELECT * FROM messages WHERE answer AND turn_id IS NULL",
    "a turn without end": "SELECT * FROM turns WHERE status NOT IN ('done', 'failed', 'stopped')",
    "a turn without an answer": """
        SELECT * FROM turns t WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.turn_id = t.id)""",
    "answered twice": """
        SELECT turn_id, part FROM deliveries WHERE kind = 'answer' GROUP BY turn_id, part HAVING COUNT(*) > 1""",
    "a promise without end": "SELECT * FROM promises WHERE status NOT IN ('completed', 'failed', 'cancelled')",
    "a promise not told once": """
        SELECT p.id, COUNT(d.id) AS told FROM promises p
        LEFT JOIN deliveries d ON d.promise_id = p.id AND d.kind IN ('result', 'notice') AND d.part = 0
        GROUP BY p.id HAVING told <> 1""",
}


class Story:
    """Olivia owns the installation, friends are listed, Sam is a stranger; `dev` answers all, `other` only when asked.

    Every friend has a DM and a private workspace, so that no test meets another's.
    """

    def __init__(self, world: TelegramWorld, model: AnthropicWorld, folder: Path, **settings: str) -> None:
        self.world = world
        self.model = model
        self.script = ScriptedModel()
        model.script(self.script.reply)
        self.valor = world.person("Valor", "valor_ai")
        self.olivia = world.person("Olivia", "owner_olivia")
        self.sam = world.person("Sam", "stranger_sam")
        self._friends = [world.person(f"Friend {number}", f"friend_{number:02}") for number in range(FRIENDS)]
        self.dev = world.group("Dev", [self.olivia, self.valor])
        self.other = world.group("Other", [self.olivia, self.sam, self.valor])
        self.home = folder / "home"
        reached = {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "dummy", **world.environment}
        self.product = Installation(self.home, reached | settings)
        self._furnish()

    def _furnish(self) -> None:
        for name in ("dev", "other", "olivia"):
            (self.home / "work" / name).mkdir(parents=True)
        configuration = self.home / "config" / "workspace_config.json"
        configuration.write_text(json.dumps(self.configuration(), indent=2))
        self.world.mint_session(self.valor, self.home / "data" / "telegram.session").chmod(0o600)

    def configuration(self) -> dict[str, Any]:
        def workspace(name: str, chats: list[Chat], *, dev: bool = False) -> dict[str, object]:
            ids = [str(chat.peer_id(self.valor)) for chat in chats]
            return {"working_directory": str(self.work(name)), "telegram_chat_ids": ids, "is_dev_group": dev}

        owner = {"username": "@Owner_Olivia", "working_directory": str(self.work("olivia")), "role": "owner"}
        friends = {friend.username: {"description": "A friend"} for friend in self._friends}
        return {
            "workspaces": {
                "Dev": workspace("dev", [self.dev], dev=True),
                "Other": workspace("other", [self.other]),
                "Olivia": workspace("olivia", []),
            },
            "dm_whitelist": {"allowed_users": {"olivia": owner, **friends}},
        }

    def friend(self) -> Person:
        """A listed person whom nobody has met yet."""
        return self._friends.pop()

    def work(self, name: str) -> Path:
        """The directory of a workspace that the configuration names."""
        return self.home / "work" / name

    def private_work(self, person: Person) -> Path:
        return self.home / "workspaces" / str(person.id)

    # -- waiting and looking

    async def until(self, condition: Callable[[], Found | None], seconds: float = PATIENCE) -> Found:
        """The condition's first truthy value: asked at every change of the world, and now and then for the tables."""
        waited = 0.0
        while waited < seconds:
            waited += LOOK_SECONDS
            with contextlib.suppress(TimeoutError):
                found = await self.world.until(condition, LOOK_SECONDS)
                assert found is not None
                return found
        raise TimeoutError

    async def answer_to(self, asked: SentMessage, seconds: float = PATIENCE) -> SentMessage:
        return await self.world.answer_to(asked, seconds)

    async def settled(self, asked: SentMessage, seconds: float = PATIENCE) -> list[SentMessage]:
        """What was answered, once the product is done with the message and has shown how it went."""
        await self.until(lambda: self.reactions(asked)[-1:] in (["👍"], ["💔"], ["👌"]), seconds)
        await self.until(lambda: not self.owed(), seconds)
        return self.answers(asked)

    def answers(self, asked: SentMessage) -> list[SentMessage]:
        return self.world.answers_to(asked)

    def reactions(self, message: SentMessage) -> list[str]:
        return self.world.ledger.reactions_to(message.number)

    def owed(self) -> int:
        return self.product.value("SELECT COUNT(*) FROM deliveries WHERE status IN ('held', 'open', 'ready')")

    def row_of(self, message: SentMessage) -> sqlite3.Row | None:
        """The ledger's row of a message."""
        where = "SELECT * FROM messages WHERE front <> 'local' AND chat_id = ? AND message_id = ?"
        rows = self.product.query(where, str(message.chat.peer_id(self.valor)), message.id_for(self.valor))
        return rows[0] if rows else None

    def shown_in(self, chat: Chat) -> list[str]:
        """Everything that Valor let be seen in a chat."""
        return [deed.kind for deed in self.world.ledger.deeds if deed.person is self.valor and deed.chat is chat]

    def snapshot(self) -> dict[str, bytes]:
        """Every file of every workspace, and the configuration."""
        folders = (self.home / name for name in ("config", "work", "workspaces"))
        files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(self.home)): file.read_bytes() for file in files}

    async def audit(self) -> list[str]:
        """What is wrong: not every message answered once, not every promise told once, or tables and world disagree."""
        with contextlib.suppress(TimeoutError):
            await self.until(lambda: not self.product.value(UNFINISHED))
        rows = ((what, row) for what, sql in WRONG.items() for row in self.product.query(sql))
        return [f"{what}: {dict(row)}" for what, row in rows] + self._disagreements()

    def _disagreements(self) -> list[str]:
        rows = self.product.query(TOLD)
        told = {(row["chat_id"].partition("/")[0], row["message_id"]): row["text"] for row in rows}  # topics share one
        said = {
            (str(message.chat.peer_id(self.valor)), message.id_for(self.valor)): message.text
            for message in self.world.messages(sender=self.valor)
            if message.chat is not self.world.dm(self.valor, self.valor)  # where self-pings come and go
        }
        return [
            f"{key}: the tables have {told.get(key)!r}, the world has {said.get(key)!r}"
            for key in sorted(told.keys() | said.keys(), key=str)
            if told.get(key) != said.get(key)
        ]


@contextlib.asynccontextmanager
async def told_in(folder: Path, **settings: str) -> AsyncGenerator[Story]:
    """A story whose world and model stand; its product is not started yet."""
    async with TelegramWorld(folder) as world, AnthropicWorld() as model:
        story = Story(world, model, folder, **settings)
        try:
            yield story
        finally:
            await story.product.end_all()


@contextlib.asynccontextmanager
async def told_where_commands_ask(folder: Path) -> AsyncGenerator[Story]:
    """In Other, where Olivia is the owner and Sam a guest, commands ask first; the product runs, and is looked at."""
    async with told_in(folder) as story:
        configuration = story.configuration()
        configuration["workspaces"]["Other"]["consent"] = ["run_command"]
        (story.home / "config" / "workspace_config.json").write_text(json.dumps(configuration))
        async with story.product.running():
            yield story
            assert await story.audit() == []
