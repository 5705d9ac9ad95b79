"""`python -m tests.world`: the whole outside by hand. Prints what the product needs to meet it, then lets you speak."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

from tests.world.telegram import Chat, Deed, Person, RefusalError, SentMessage, TelegramWorld

HELP = """\
# A line is said by the owner in the DM. `dev: text` and `other: text` are said in the groups, `stranger: text` by a
# stranger's DM; `#12 text` answers message 12. `quit` or Ctrl-C ends the world; an ended input does not.
"""


def show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class Stage:
    """The cast: an owner, a stranger, the product's account, a developers' group and another one."""

    def __init__(self, world: TelegramWorld, folder: Path) -> None:
        self.world = world
        self.home = folder / "home"
        self.owner = world.person("Olivia", "owner_olivia")
        self.stranger = world.person("Sam", "stranger_sam")
        self.valor = world.person("Valor", "valor_ai")
        self.dev = world.group("Dev", [self.owner, self.valor])
        self.other = world.group("Other", [self.owner, self.stranger, self.valor])

    def furnish(self) -> dict[str, str]:
        """Write the product's home (configuration, minted session, working directories); its settings."""
        for name in ("config", "data", "work/dev", "work/other", "work/owner"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        (self.home / "config/workspace_config.json").write_text(json.dumps(self._configuration(), indent=2))
        session = self.world.mint_session(self.valor, self.home / "data/telegram.session")
        session.chmod(0o600)
        return {"VALOR_HOME": str(self.home), **self.world.environment}

    def _configuration(self) -> dict[str, object]:
        def workspace(name: str, chat: Chat, *, dev: bool) -> dict[str, object]:
            directory = str(self.home / "work" / name)
            ids = [str(chat.peer_id(self.valor))]
            return {"working_directory": directory, "telegram_chat_ids": ids, "is_dev_group": dev}

        owner = {
            "username": self.owner.username,
            "working_directory": str(self.home / "work/owner"),
            "role": "owner",
        }
        return {
            "workspaces": {
                "Dev": workspace("dev", self.dev, dev=True),
                "Other": workspace("other", self.other, dev=False),
            },
            "dm_whitelist": {"allowed_users": {"olivia": owner}},
        }

    def speak(self, line: str) -> SentMessage:
        """Say a line of the prompt. Raises RefusalError."""
        where: dict[str, tuple[Person, Chat]] = {
            "dev": (self.owner, self.dev),
            "other": (self.owner, self.other),
            "stranger": (self.stranger, self.world.dm(self.stranger, self.valor)),
        }
        head, colon, rest = line.partition(":")
        person, chat = where.get(head.strip(), (self.owner, self.world.dm(self.owner, self.valor)))
        text = rest if colon and head.strip() in where else line
        answered, text = self._answered(text.strip())
        return self.world.say(person, answered.chat if answered else chat, text, reply_to=answered)

    def _answered(self, text: str) -> tuple[SentMessage | None, str]:
        number, _, rest = text.removeprefix("#").partition(" ")
        if text.startswith("#") and number.isdigit() and int(number) in self.world.ledger.posts:
            return self.world.ledger.message(int(number)), rest
        return None, text

    def tell(self, deed: Deed) -> str:
        """What a deed looks like on the terminal."""
        message = self.world.ledger.message(deed.number) if deed.number else None
        answered = f" → #{message.reply_to}" if message and message.reply_to and deed.kind == "message" else ""
        where = deed.chat.title or "DM"
        return f"[{deed.person.first_name} in {where}: {deed.kind} #{deed.number or ''}{answered}] {deed.detail}\n"


def read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line.strip())


async def follow(stage: Stage) -> None:
    """Print every deed as it happens."""
    ledger, told = stage.world.ledger, len(stage.world.ledger.deeds)
    while True:
        await ledger.until(lambda seen=told: len(ledger.deeds) > seen, timeout=10**9)
        for deed in ledger.deeds[told:]:
            show(stage.tell(deed))
        told = len(ledger.deeds)


async def converse(stage: Stage) -> None:
    """Say what is typed until `quit`."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    threading.Thread(target=read_lines, args=(asyncio.get_running_loop(), lines), daemon=True).start()
    while (line := await lines.get()) != "quit":
        try:
            if line:
                stage.speak(line)
        except RefusalError as refusal:
            show(f"refused: {refusal.name}\n")


@contextlib.asynccontextmanager
async def model_settings(*, wanted: bool) -> AsyncGenerator[dict[str, str]]:
    """The fake Messages API, when it is there and wanted."""
    if not wanted or importlib.util.find_spec("tests.world.anthropic") is None:
        yield {}
        return
    from tests.world.anthropic import AnthropicWorld

    async with AnthropicWorld() as model:
        yield {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "dummy"}


async def play(folder: Path, *, model: bool) -> None:
    async with TelegramWorld(folder) as world, model_settings(wanted=model) as settings:
        stage = Stage(world, folder)
        for name, value in (stage.furnish() | settings).items():
            show(f"export {name}={shlex.quote(value)}\n")
        session = stage.home / "data/telegram.session"
        show(
            f"# signed-in session: {session} (or sign in: phone +{stage.valor.phone}, code {stage.valor.code})\n{HELP}"
        )
        talking, following = asyncio.create_task(converse(stage)), asyncio.create_task(follow(stage))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, talking.cancel)
        await asyncio.wait([talking, following], return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        await asyncio.gather(talking, following, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where keys, session and configuration go (default: temporary)")
    parser.add_argument("--no-model", action="store_true", help="without the fake Messages API")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="valor-world-") as temporary:
        folder = wanted.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(play(folder.resolve(), model=not wanted.no_model))


if __name__ == "__main__":
    main()
