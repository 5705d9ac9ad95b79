"""The running server as a command line sees it: HTTP by the standard library alone, past any proxy."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.environment import Place
from core.errors import RequestError, ValorError
from core.secret_token import read_token

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
SECONDS = 40.0  # a server that is starting says so after 30
LOOK_SECONDS = 2.0
UNKNOWN_TOKEN = 401
FAILURES = (OSError, http.client.HTTPException, ValueError)


class NotRunning(ValorError):
    """Nobody listens there."""


class NoAnswer(ValorError):
    """Somebody listens, and does not answer as Valor does."""


class UnknownToken(ValorError):
    """Somebody answers, and does not know our token."""


class Answer(NamedTuple):
    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Address:
    """Where this machine reaches the server."""

    host: str
    port: int
    is_safe: bool = False

    @classmethod
    def of(cls, place: Place) -> Address:
        host = ANY_ADDRESS.get(place.host, place.host)
        return cls(host, place.http_port, place.ssl_certfile is not None)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_safe else 'http'}://{host}:{self.port}"

    def connect(self, seconds: float) -> http.client.HTTPConnection:
        if not self.is_safe:
            return http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the own server, whose certificate may be its own
        return http.client.HTTPSConnection(self.host, self.port, timeout=seconds, context=context)


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the server at `address`.

    Raises NotRunning, NoAnswer, UnknownToken, and RequestError with the server's own sentence.
    """

    address: Address
    token: str

    @classmethod
    def of(cls, place: Place) -> Client:
        """The client of this installation's server. Raises ConfigurationError without a usable token."""
        return cls(Address.of(place), read_token(place.token_path))

    def ask(self, method: str, path: str) -> Any:
        """The answer's body."""
        status, body = self._answer(method, path)
        if status == UNKNOWN_TOKEN:
            raise UnknownToken(body["error"])
        if status >= 400:
            raise RequestError(body["error"])
        return body

    def is_let_in(self) -> bool:
        """Whether the server knows this token. Raises NotRunning and NoAnswer."""
        return self._answer("GET", "/api/promises?limit=1").status != UNKNOWN_TOKEN

    def health(self) -> dict[str, Any] | None:
        """What `/health` says, None when nothing that speaks so answers."""
        try:
            answer = self._ask("GET", "/health", LOOK_SECONDS)
        except FAILURES:
            return None
        return answer.body if _is_health(answer.body) else None

    def _answer(self, method: str, path: str) -> Answer:
        try:
            return self._checked(self._ask(method, path, SECONDS))
        except ConnectionRefusedError as error:
            raise NotRunning(f"No Valor answers at {self.address}: start it with scripts/start.sh.") from error
        except FAILURES as error:
            who = f"What listens at {self.address} does not answer as Valor does"
            raise NoAnswer(f"{who}: look at {self.address}/health, or set another API_PORT in .env.") from error

    @staticmethod
    def _checked(answer: Answer) -> Answer:
        """Raises ValueError for an error that is not told as Valor tells one."""
        if answer.status >= 400 and not _is_error(answer.body):
            raise ValueError(answer.status)
        return answer

    def _ask(self, method: str, path: str, seconds: float) -> Answer:
        connection = self.address.connect(seconds)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            return Answer(answer.status, json.load(answer))
        finally:
            connection.close()


def _is_health(body: object) -> bool:
    return isinstance(body, dict) and {"pid", "components"} <= body.keys()


def _is_error(body: object) -> bool:
    return isinstance(body, dict) and {"error"} <= body.keys()
