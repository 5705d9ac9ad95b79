"""A fake of `POST /v1/audio/transcriptions` on loopback, scripted per test.

async with SpeechWorld() as speech:
    speech.said[sound] = "Hello"            # what is heard in these bytes; else "Heard N bytes."
    speech.fail(Response(429, …))           # the next request
    ...                                     # OPENAI_BASE_URL=speech.url, any key
"""

from __future__ import annotations

import asyncio
import email.parser
import email.policy
import json
from dataclasses import dataclass, field

from tests.world.http_server import HttpWorld, Request, Response

PATH = "/v1/audio/transcriptions"


@dataclass(frozen=True, slots=True)
class Heard:
    """A request for a transcript."""

    key: str
    model: str
    name: str
    sound: bytes = field(repr=False)


class SpeechWorld(HttpWorld):
    def __init__(self) -> None:
        super().__init__(self._transcribe)
        self.said: dict[bytes, str] = {}
        self.heard: list[Heard] = []
        self.release: asyncio.Event | None = None  # set to an event: nothing is said before it is set
        self._failures: list[Response] = []

    @property
    def url(self) -> str:
        return f"{super().url}/v1"

    def fail(self, *responses: Response) -> None:
        """Answer the next requests so."""
        self._failures += responses

    async def _transcribe(self, request: Request) -> Response:
        if (request.method, request.path) != ("POST", PATH):
            return refusal(404, f"{request.method} {request.path}")
        self.heard.append(read_form(request))
        if self.release is not None:
            await self.release.wait()
        if self._failures:
            return self._failures.pop(0)
        sound = self.heard[-1].sound
        text = self.said.get(sound, f"Heard {len(sound)} bytes.")
        return Response(200, json.dumps({"text": text}).encode(), "application/json")


def refusal(status: int, message: str, code: str | None = None, **headers: str) -> Response:
    """An error as the service words it."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": code}}).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, body, "application/json", named)


def read_form(request: Request) -> Heard:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
    sound, model = parts["file"].get_payload(decode=True), parts["model"].get_payload(decode=True)
    assert isinstance(sound, bytes)
    assert isinstance(model, bytes)
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    return Heard(key, model.decode(), parts["file"].get_filename() or "", sound)
