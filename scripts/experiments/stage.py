"""Where an experiment plays: people, chats and directories, and the installation that serves them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.installation import Installation
from tests.world.telegram import Chat, Person, TelegramWorld

WRITERS = 8
Key = tuple[str, str, int]  # front, chat and number of a message
SETTINGS = {
    "ANSWERS_PER_MINUTE": "1000000",
    "API_RATE_LIMIT": "1000000",
    "PROMISE_LEASE_SECONDS": "2",
    "TURN_JOIN_SECONDS": "0.3",
    "AGENT_TIMEOUT_SECONDS": "600",
    "LOG_FILE_BYTES": "3000000",
    "LOG_FILE_COUNT": "2",
}
BOTS = "Bot"  # how the names of the groups begin in which the bot answers
GROUPS = {"Dev": "dev", "Inner": "dev/inner", f"{BOTS} Dev": "bot", "Yard": "yard", f"{BOTS} Yard": "bot_yard"}
YARDS = ("Yard", f"{BOTS} Yard")  # groups of the old kind, which may become supergroups
ASKED_ONLY = "Inner"  # the group that is answered only when it asks
TOPICS = ("Bugs", "News")  # of the group that answers everything
HALL = "hall"  # two people share this directory
CONSENT = "write_file"  # the tool that waits for the owner's consent
UNFINISHED = """
    SELECT (SELECT COUNT(*) FROM deliveries
            WHERE (status IN ('held', 'open', 'ready') OR (status = 'ambiguous' AND sends < 2))
            AND front <> 'local' AND chat_id <> ?),
           (SELECT COUNT(*) FROM turns WHERE status IN ('open', 'running') AND front <> 'local' AND chat_id <> ?),
           (SELECT COUNT(*) FROM promises WHERE status IN ('pending', 'in_progress', 'waiting'))
"""
IN_TURNS = "SELECT front, chat_id, message_id FROM messages WHERE turn_id IS NOT NULL"
STATE = """
    SELECT (SELECT COUNT(*) FROM messages), (SELECT COUNT(*) FROM steps WHERE status <> 'intent'),
           (SELECT COUNT(*) FROM deliveries), (SELECT TOTAL(version) FROM deliveries)
"""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: the account and the bot that answer, the people, of whom the first is the owner, and the groups
    by the names of their workspaces."""

    valor: Person
    bot: Person
    writers: tuple[Person, ...]
    groups: dict[str, Chat]

    @property
    def fronts(self) -> tuple[Person, Person]:
        return self.valor, self.bot

    @property
    def owner(self) -> Person:
        return self.writers[0]

    def front_in(self, chat: Chat) -> Person:
        """Which of the two answers there."""
        is_bots = chat.title.startswith(BOTS) if chat.title else self.bot in chat.members
        return self.bot if is_bots else self.valor


def front_name(person: Person) -> str:
    """How the tables call one of the two."""
    return f"{'bot' if person.is_bot else 'account'}:{person.id}"


def cast_in(world: TelegramWorld, size: int = WRITERS) -> Cast:
    """At least five writers, who share the groups among them: the owner is in all but one, both fronts in all but the
    yards."""
    valor, bot = world.person("Valor", "valor_ai"), world.bot("Valor's bot", "valor_bot")
    writers = tuple(world.person(f"Writer {number}", f"writer_{number}") for number in range(size))
    groups: dict[str, Chat] = {}
    for at, name in enumerate(GROUPS):
        people = writers[2:5] if name == ASKED_ONLY else dict.fromkeys((writers[0], *writers[at : at + 3]))
        ours = [bot if name.startswith(BOTS) else valor] if name in YARDS else [valor, bot]
        groups[name] = world.group(name, [*people, *ours], supergroup=name not in YARDS)
    for title in TOPICS:
        world.topic(groups["Dev"], writers[0], title)
    return Cast(valor, bot, writers, groups)


def furnish(installation: Installation, world: TelegramWorld, cast: Cast, outside: dict[str, str]) -> None:
    """Write everything that the installation needs to serve this cast. `outside`: where the model and the bot are."""
    home = installation.home
    installation.configure(**SETTINGS, **world.environment, ANTHROPIC_API_KEY="dummy", **outside)
    for directory in directories(home, cast).values():
        directory.mkdir(parents=True, exist_ok=True)
    (home / "config" / "workspace_config.json").write_text(json.dumps(configuration(home, cast)))
    world.mint_session(cast.valor, home / "data" / "telegram.session").chmod(0o600)


def directories(home: Path, cast: Cast) -> dict[str, Path]:
    """The working directory of each group's workspace and of each writer."""
    own = {f"writer_{at}": home / "work" / (HALL if at < 2 else f"writer_{at}") for at in range(len(cast.writers))}
    return own | {name: home / "work" / directory for name, directory in GROUPS.items()}


def configuration(home: Path, cast: Cast) -> dict[str, Any]:
    places = directories(home, cast)
    groups = {
        name: {
            "working_directory": str(places[name]),
            "telegram_chat_ids": [str(chat.peer_id(cast.valor))],
            "is_dev_group": name != ASKED_ONLY,
            "consent": [CONSENT],
            "front": "bot" if cast.front_in(chat) is cast.bot else "account",
        }
        for name, chat in cast.groups.items()
    }
    people = {
        str(one.username): {
            "username": str(one.username),
            "working_directory": str(places[str(one.username)]),
            "role": "owner" if one is cast.writers[0] else "member",
        }
        for one in cast.writers
    }
    own = {
        place.name.title(): {"working_directory": str(place), "consent": [CONSENT]}
        for name, place in places.items()
        if name not in GROUPS
    }
    return {"workspaces": groups | own, "dm_whitelist": {"allowed_users": people}}


class Tables:
    """The installation's tables, read as any user may, over one connection. `own` is the account's chat with itself."""

    def __init__(self, installation: Installation, own: str) -> None:
        self.own = own
        self._path = installation.home / "system.db"
        self._connection: sqlite3.Connection | None = None

    def query(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """No rows before the tables are there."""
        if self._connection is None:
            if not self._path.exists():
                return []
            self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise

    def value(self, sql: str, *parameters: object) -> Any:
        rows = self.query(sql, *parameters)
        return rows[0][0] if rows else None

    def unfinished(self) -> tuple[int, int, int]:
        """How many deliveries, turns and promises are open."""
        rows = self.query(UNFINISHED, self.own, self.own)
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else (0, 0, 0)

    def state(self) -> tuple[object, ...]:
        """What changes whenever anything comes nearer to its end."""
        rows = self.query(STATE)
        return (*self.unfinished(), *(rows[0] if rows else ()))

    def keys_of_messages(self) -> set[Key]:
        """Every message that has its turn."""
        return {(row[0], row[1], row[2]) for row in self.query(IN_TURNS)}

    def runs(self) -> list[str]:
        """Every run that ever was: what its tools carry in their environment."""
        return [row[0] for row in self.query("SELECT id FROM runs")]

    def is_on_disk(self, responses: list[str]) -> bool:
        """Whether one of these answers of the model is a finished step of a run that has not been begun anew since,
        nor come again."""
        marks = ", ".join("?" * len(responses))
        found = f"""
            SELECT 1 FROM steps WHERE kind = 'model' AND status = 'done'
            AND json_extract(response, '$.provider_response_id') IN ({marks})
            AND run_id NOT IN (SELECT former.value FROM promises, json_each(metadata, '$.former_runs') former)
            AND run_id NOT IN (SELECT run_id FROM promises WHERE every IS NOT NULL AND status = 'completed')"""
        return bool(self.query(found, *responses))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
