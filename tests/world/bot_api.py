"""A Bot API on loopback over a played Telegram, so that people, the account and the bot meet in one group.

    async with TelegramWorld() as world, BotApi(world) as api:
        bot = world.bot("Valor", "valor_bot")
        env = api.environment(bot)                 # TELEGRAM_BOT_API_URL, TELEGRAM_BOT_TOKEN
        world.say(anna, bot, "/start")             # waits for the bot as on the real service, 24 h long
        api.press(anna, message, "stop:7")         # a person presses a button under a message of the bot's

`world.faults` holds here too, under the Bot API's names (`sendMessage`, `getUpdates`): `flood_wait` is a 429, `error`
an answer with that name, `lose_answer` and `cut_before` drop the connection. Bots hear neither bots nor themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
from typing import Self
from urllib.parse import parse_qsl

from tests.world.bot_api_files import Upload, content_of, read_form
from tests.world.bot_api_hub import Hub
from tests.world.bot_api_methods import METHODS, Request
from tests.world.bot_api_render import JSON, read_buttons, refusal
from tests.world.http_server import hang_up, serve_each
from tests.world.telegram import Person, SentMessage, TelegramWorld
from tests.world.telegram.faults import Fault, FaultKind
from tests.world.telegram.model import RefusalError
from tests.world.telegram.server import delay_of, refuse_as_planned

FILES = "/file/bot"
TAIL = "AAF-played-bot-token-of-no-worth-at-all"


class BotApi:
    """The service. Everything stays in memory while it lives; `go_down` and `come_back` keep it."""

    def __init__(self, world: TelegramWorld) -> None:
        self.world = world
        self.hubs: dict[str, Hub] = {}
        self.markups: dict[int, JSON] = {}
        self.unknown: list[str] = []
        self.answers: dict[str, object] = {}  # by method: what is answered whatever was asked
        self._port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(self, *_: object) -> None:
        for hub in self.hubs.values():
            await hub.close()
        await self.go_down()

    async def come_back(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def go_down(self) -> None:
        """Refuse connections and cut those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await hang_up(self._connections)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def environment(self, bot: Person) -> dict[str, str]:
        """The product's settings that lead here."""
        return {"TELEGRAM_BOT_API_URL": self.url, "TELEGRAM_BOT_TOKEN": self.token(bot)}

    def token(self, bot: Person) -> str:
        """The bot's token; from now on what it may hear is kept for it."""
        token = f"{bot.id}:{TAIL}"
        if token not in self.hubs:
            self.hubs[token] = Hub(self.world, bot, self.markups)
        return token

    def hub(self, bot: Person) -> Hub:
        return self.hubs[self.token(bot)]

    def revoke(self, bot: Person) -> None:
        """The owner had @BotFather end the token."""
        del self.hubs[f"{bot.id}:{TAIL}"]

    # -- buttons

    def buttons(self, message: SentMessage) -> dict[str, str]:
        """What can be pressed under a message: its words and what that says to the bot."""
        return {button["text"]: button["callback_data"] for button in read_buttons(self.markups.get(message.number))}

    def press(self, person: Person, message: SentMessage, button: str) -> str:
        """A person presses the button with these words; the query's id. Raises KeyError without such a button."""
        data = self.buttons(message)[button]
        return self.hub(message.sender).press(person, message.post, data)

    # -- the wire

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_each(reader, writer, self._connections, self._serve_one)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is to be dropped."""
        path, fields, files = await _read_request(reader)
        if path.startswith(FILES):
            return await self._write_file(writer, path.removeprefix(FILES))
        token, _, method = path.removeprefix("/bot").partition("/")
        hub = self.hubs.get(token)
        person = hub.bot if hub else None
        faults = self.world.faults.take(person, method)
        if any(fault.kind is FaultKind.CUT for fault in faults):
            return self._note(person, method, "cut")
        status, body = await self._answer(hub and Request(self.world, hub, fields, files), method, faults)
        lost = next((fault for fault in faults if fault.kind is FaultKind.LOSE), None)
        if lost is not None:
            self._note(person, method, "lost")
            if not lost.seconds:
                await asyncio.Event().wait()
            return False
        self._note(person, method, "ok" if status == 200 else body["description"])
        return await self._write(writer, status, json.dumps(body).encode(), delay_of(faults))

    async def _write_file(self, writer: asyncio.StreamWriter, path: str) -> bool:
        """What `getFile` gave the path of, to who shows the token."""
        token, _, name = path.partition("/files/")
        try:
            if token not in self.hubs:
                raise RefusalError("UNAUTHORIZED", 401)
            return await self._write(writer, 200, content_of(self.world.society.files, name))
        except RefusalError:
            return await self._write(writer, 404, b'{"ok": false, "error_code": 404, "description": "Not Found"}')

    async def _answer(self, request: Request | None, method: str, faults: list[Fault]) -> tuple[int, JSON]:
        try:
            if request is None:
                raise RefusalError("UNAUTHORIZED", 401)
            refuse_as_planned(faults)
            if method in self.answers:
                return 200, {"ok": True, "result": self.answers[method]}
            answer = METHODS.get(method)
            if answer is None:
                self.unknown.append(method)
                raise RefusalError("method not found", 404)
            result = answer(request)
            return 200, {"ok": True, "result": await result if asyncio.iscoroutine(result) else result}
        except RefusalError as error:
            return refusal(error)

    def _note(self, person: Person | None, method: str, outcome: str) -> bool:
        self.world.ledger.answered(person, method, outcome)
        return False

    async def _write(self, writer: asyncio.StreamWriter, status: int, data: bytes, delay: float = 0) -> bool:
        if delay:
            pause = asyncio.Event()
            asyncio.get_running_loop().call_later(delay, pause.set)
            await pause.wait()
        date = email.utils.format_datetime(self.world.society.clock(), usegmt=True)
        head = f"HTTP/1.1 {status} Played\r\ncontent-type: application/json\r\ndate: {date}\r\n"
        writer.write(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        return True


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], dict[str, Upload]]:
    """Path, fields, which may stand in the address and in the body, and files."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    path, _, query = line.split(" ")[1].partition("?")
    fields = dict(parse_qsl(query, keep_blank_values=True))
    kind = headers.get("content-type", "")
    if kind.startswith("multipart/"):
        told, files = read_form(kind, body)
        return path, fields | told, files
    with contextlib.suppress(ValueError):
        fields |= dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)) if body else {}
    return path, fields, {}
