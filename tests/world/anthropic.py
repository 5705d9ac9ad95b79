"""A fake of the Anthropic Messages API on loopback: plain and streamed, scripted per test, instant.

    async with AnthropicWorld() as model:
        model.answer(Say("Hello"))                                  # the next request, once
        model.script(lambda asked: Say("4") if "2+2" in asked.prompt else None)   # every request that it wants
        ...                                                         # ANTHROPIC_BASE_URL=model.url, any key
        await model.until(lambda: len(model.calls) == 2)

What no script wants is answered with an echo of the asking message, nonce and all. A script is a function of the
request alone, so it can play whole conversations without remembering any.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Callable, Sequence
from typing import Self

from tests.world.anthropic_wire import (
    Asked,
    Break,
    Call,
    Content,
    Fail,
    Hang,
    Reply,
    Say,
    Seen,
    ToolResult,
    close_stream,
    error_body,
    find_problem,
    open_stream,
    write_chunk,
    write_event,
    write_failure,
    write_head,
    write_message,
    write_more,
    write_stream,
)
from tests.world.http_server import hang_up, serve_each

__all__ = ["AnthropicWorld", "Asked", "Break", "Call", "Fail", "Hang", "Reply", "Say", "Script", "Seen", "ToolResult"]
KEY_HEADERS = ("authorization", "x-api-key")

Script = Callable[[Asked], Reply | None]


class AnthropicWorld:
    """The fake service: `async with AnthropicWorld() as model`, then `model.url`. With `key`, any other is refused."""

    def __init__(self, key: str | None = None, port: int = 0) -> None:
        self.calls: list[Seen] = []
        self.key = key
        self._port = port
        self._once: list[tuple[Callable[[Asked], bool], Reply]] = []
        self._scripts: list[Script] = []
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await hang_up(self._connections)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def script(self, script: Script) -> None:
        """Ask `script` before the older ones; None from it means that the request is not its."""
        self._scripts.insert(0, script)

    def answer(self, *replies: Reply, when: Callable[[Asked], bool] | None = None) -> None:
        """Answer the next requests (those that `when` is true of) with these, once each, before any script."""
        self._once += [(when or _any, reply) for reply in replies]

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until `condition` holds; it is looked at whenever a request begins or ends. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _reply_to(self, asked: Asked) -> Reply:
        for number, (wants, reply) in enumerate(self._once):
            if wants(asked):
                del self._once[number]
                return reply
        replies = (script(asked) for script in self._scripts)
        return next((reply for reply in replies if reply is not None), Say(f"Echo: {asked.question}"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_each(reader, writer, self._connections, self._serve_one)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is done with."""
        line, headers, body = await _read_request(reader)
        method, path, _ = line.split(" ", 2)
        number = f"req_{next(self._numbers):06d}"
        refusal = self._refusal(method, path, headers, body)
        if isinstance(refusal, Fail):
            writer.write(write_failure(refusal, number))
            return True
        kept = {name: value for name, value in headers.items() if name not in KEY_HEADERS}
        seen = Seen(refusal, path, kept, time.monotonic(), len(body), number)
        self.calls.append(seen)
        self._changed.set()
        seen.reply = self._reply_to(refusal)
        try:
            return await _Writing(seen, reader, writer).answer()
        except ConnectionError:
            seen.dropped = True
            raise
        finally:
            seen.ended = time.monotonic()
            self._changed.set()

    def _refusal(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Asked | Fail:
        """The request when the real service would take it, else its refusal."""
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if method != "POST" or path.partition("?")[0] != "/v1/messages":
            return Fail(404, message=f"{method} {path}")
        if not given or (self.key is not None and given != self.key):
            return Fail(401, message="invalid x-api-key")
        try:
            asked = Asked(json.loads(body))
            problem = find_problem(asked)
        except (ValueError, KeyError, TypeError) as error:
            return Fail(400, message=f"not a request: {error!r}")
        return Fail(400, message=problem) if problem else asked


class _Writing:
    """The answer to one request, on its way."""

    def __init__(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._seen = seen
        self._reader = reader
        self._writer = writer

    async def answer(self) -> bool:
        match self._seen.reply:
            case Fail() as fail:
                self._fail(fail)
            case Break() as broken:
                return await self._break(broken)
            case Hang() as hang:
                return await self._hang(hang)
            case Say() | Call() as one:
                self._write([one])
            case several:
                self._write(several or [])
        await self._writer.drain()
        return True

    def _fail(self, fail: Fail) -> None:
        if fail.said is None:
            self._writer.write(write_failure(fail, self._seen.id))
            return
        self._writer.write(write_head(200, self._seen.id, "text/event-stream"))
        broken_off = open_stream(self._seen, fail.said) + write_event("error", error_body(fail))
        self._writer.write(write_chunk(broken_off) + b"0\r\n\r\n")

    def _write(self, contents: Sequence[Content]) -> None:
        if self._seen.asked.streamed:
            stream = b"".join(write_stream(self._seen, contents))
            self._writer.write(write_head(200, self._seen.id, "text/event-stream") + write_chunk(stream) + b"0\r\n\r\n")
        else:
            body = json.dumps(write_message(self._seen, contents)).encode()
            self._writer.write(write_head(200, self._seen.id, "application/json", len(body)) + body)

    async def _break(self, broken: Break) -> bool:
        if self._seen.asked.streamed and broken.after_chars:
            opening = open_stream(self._seen, broken.text[: broken.after_chars])
            self._writer.write(write_head(200, self._seen.id, "text/event-stream") + write_chunk(opening))
            self._writer.write(b"0\r\n\r\n" if broken.clean else b"")
            await self._writer.drain()
        self._writer.close()
        return False

    async def _hang(self, hang: Hang) -> bool:
        is_begun = self._seen.asked.streamed and bool(hang.said)
        if is_begun:
            self._writer.write(
                write_head(200, self._seen.id, "text/event-stream") + write_chunk(open_stream(self._seen, hang.said))
            )
        if not await self._is_released(hang.release):
            self._seen.dropped = True
            return False
        said, rest = hang.said, hang.then or Say("released")
        while isinstance(rest, Hang):
            if is_begun:
                self._writer.write(write_chunk(write_more(rest.said)))
            if not await self._is_released(rest.release):
                self._seen.dropped = True
                return False
            said, rest = said + rest.said, rest.then or Say("released")
        if is_begun:
            self._writer.write(write_chunk(b"".join(close_stream(self._seen, said, rest))) + b"0\r\n\r\n")
        else:
            self._write([Say(said), rest] if said else [rest])
        await self._writer.drain()
        return True

    async def _is_released(self, release: asyncio.Event | None) -> bool:
        """Wait for the release or for the client to hang up."""
        gone = asyncio.ensure_future(self._reader.read(1))
        released = asyncio.ensure_future((release or asyncio.Event()).wait())
        try:
            await asyncio.wait({gone, released}, return_when=asyncio.FIRST_COMPLETED)
            return released.done() and not gone.done()
        finally:
            for waiting in (gone, released):
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await waiting


def _any(_asked: Asked) -> bool:
    return True


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    return line, headers, await reader.readexactly(int(headers.get("content-length", 0)))
