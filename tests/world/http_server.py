"""A small HTTP server on loopback for the fakes: each request is handed to one function."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `declared` is a content-length that is not true."""

    status: int = 200
    body: bytes = b""
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()
    declared: int | None = None

    @property
    def wire(self) -> bytes:
        size = len(self.body) if self.declared is None else self.declared
        named = [("content-type", self.kind), ("content-length", str(size)), ("connection", "close"), *self.headers]
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in named)]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


Answer = Callable[[Request], Awaitable[Response]]
Connections = set[asyncio.Task[None]]
ServeOne = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class HttpWorld:
    """`async with HttpWorld(answer) as server`, then `server.url`; `server.requests` are those that came."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._port = 0
        self._server: asyncio.Server | None = None
        self._connections: Connections = set()
        self.requests: list[Request] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await hang_up(self._connections)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_each(reader, writer, self._connections, self._serve_one)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read(reader)
        self.requests.append(request)
        writer.write((await self._answer(request)).wire)
        await writer.drain()
        return False


async def serve_each(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connections: Connections, serve_one: ServeOne
) -> None:
    """Serve one request after the other, until `serve_one` is done with the connection; it is among `connections`."""
    task = asyncio.current_task()
    assert task is not None
    connections.add(task)
    try:
        while await serve_one(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        writer.transport.abort()
    finally:
        connections.discard(task)
        writer.close()


async def hang_up(connections: Connections) -> None:
    """End every connection that is open."""
    for connection in connections:
        connection.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    method, path, _ = line.split(" ", 2)
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
