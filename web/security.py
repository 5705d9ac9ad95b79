"""Loopback is no password: who may speak to the server, as one list of small checks before anything else (S9)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.clock import Clock
from core.secret_token import ensure_token
from integrations.telegram.bot_access import webhook_secret
from web.doors import WebDoors, WebRules
from web.webhook import is_telegram

OPEN = "/health"
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
WEB_SCHEMES = {"ws": "http", "wss": "https"}
if TYPE_CHECKING:
    from core.settings import Settings

YEAR = 31_536_000
CLIENTS_KEPT = 1_024

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer instead of the one asked for. `retry_after` is in seconds."""

    status: int
    sentence: str
    retry_after: int | None = None


def web_rules(settings: Settings) -> WebRules:
    """The rules that the settings describe; makes the token when there is none. Raises ConfigurationError."""
    named = {settings.host, *(urlsplit(origin).hostname for origin in settings.cors_origins)}
    return WebRules(
        token=ensure_token(settings.token_path),
        port=settings.http_port,
        hosts=frozenset(name.lower() for name in named if name),
        origins=frozenset(settings.cors_origins),
        max_body=settings.max_request_size,
        requests_per_minute=settings.api_rate_limit,
        webhook_secret=webhook_secret(settings),
    )


Look = Callable[[HTTPConnection], Refusal | None]


def build_gates(doors: WebDoors) -> list[Middleware]:
    """The way in, outermost first."""
    rules = doors.rules
    limiter = RateLimiter(doors.clock, rules.requests_per_minute)
    looks = (HostLook(rules), OriginLook(rules), TokenLook(rules), limiter, BodyLook(rules))
    gates = [Middleware(SafeHeaders), Middleware(SignIn, rules=rules), Middleware(Gate, looks=looks, doors=doors)]
    if rules.origins:
        allowed = ["authorization", "content-type", "idempotency-key"]
        origins = sorted(rules.origins)
        gates.append(
            Middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=allowed)
        )
    return [*gates, Middleware(BodyLimit, rules=rules)]


def is_open(scope: Scope) -> bool:
    """`/health` alone is open, for reading."""
    return scope["type"] == "http" and scope["path"] == OPEN and scope["method"] in {"GET", "HEAD"}


def is_preflight(connection: HTTPConnection) -> bool:
    asked = "access-control-request-method" in connection.headers
    return asked and connection.scope.get("method") == "OPTIONS" and "origin" in connection.headers


class Gate:
    """Lets a request in when no look refuses it; the first refusal is the answer."""

    def __init__(self, app: ASGIApp, looks: Sequence[Look], doors: WebDoors) -> None:
        self._app = app
        self._looks = looks
        self._audit = doors.audit
        self._rules = doors.rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_expected = scope["type"] == "lifespan" or is_open(scope) or is_telegram(scope, self._rules)
        refusal = None if is_expected else self._look(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.sentence})
        else:
            await _answer(refusal)(scope, receive, send)

    def _look(self, connection: HTTPConnection) -> Refusal | None:
        refusal = next((refusal for look in self._looks if (refusal := look(connection))), None)
        if refusal is not None and refusal.status in {401, 403}:
            self._audit.refuse(client_of(connection), refusal.sentence)
        return refusal


def client_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"


def _answer(refusal: Refusal) -> Response:
    headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
    if refusal.retry_after is not None:
        headers["retry-after"] = str(refusal.retry_after)
    return JSONResponse({"error": refusal.sentence}, refusal.status, headers)


@dataclass(frozen=True, slots=True)
class HostLook:
    """Refuses names that are not ours: a page of another name that was rebound to this address."""

    rules: WebRules

    def __call__(self, connection: HTTPConnection) -> Refusal | None:
        named = connection.headers.getlist("host")
        host = _host_of(named[0]) if len(named) == 1 else None
        here = connection.scope.get("server") or ("",)
        if host is not None and (host in LOCAL or host in self.rules.hosts or host == here[0]):
            return None
        return Refusal(403, "This server does not go by that host name.")


def _host_of(header: str) -> str | None:
    try:
        parts = urlsplit(f"//{header}")
    except ValueError:
        return None
    return None if parts.path or parts.query or parts.username else parts.hostname


@dataclass(frozen=True, slots=True)
class OriginLook:
    """Refuses what a page of another origin asks for, with any method."""

    rules: WebRules

    def __call__(self, connection: HTTPConnection) -> Refusal | None:
        origin = connection.headers.get("origin")
        if origin is None:
            is_foreign = connection.headers.get("sec-fetch-site", "none") in {"cross-site", "same-site"}
        else:
            is_foreign = origin not in self.rules.origins and origin != self._own(connection)
        return Refusal(403, "Pages of another origin may not use this server.") if is_foreign else None

    def _own(self, connection: HTTPConnection) -> str:
        scheme = connection.scope["scheme"]
        return f"{WEB_SCHEMES.get(scheme, scheme)}://{connection.headers['host']}"


@dataclass(frozen=True, slots=True)
class TokenLook:
    """Refuses who does not carry the token."""

    rules: WebRules

    def __call__(self, connection: HTTPConnection) -> Refusal | None:
        if is_preflight(connection):
            return None
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        shown = bearer.strip() if scheme.lower() == "bearer" else connection.cookies.get(cookie_name(self.rules), "")
        if is_token(shown, self.rules):
            return None
        return Refusal(
            401, "A token is needed: open the link that scripts/start.sh prints, or send it as a Bearer token."
        )


def is_token(shown: str, rules: WebRules) -> bool:
    return hmac.compare_digest(shown.encode(), rules.token.encode())


def cookie_name(rules: WebRules) -> str:
    """Cookies are shared by all ports of a host, so the port is in the name."""
    return f"valor_{rules.port}"


class RateLimiter:
    """A bucket per client that holds a minute's requests and fills evenly."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._size = float(per_minute)
        self._buckets: dict[str, tuple[float, float]] = {}

    def __call__(self, connection: HTTPConnection) -> Refusal | None:
        now, client = self._clock.boot(), client_of(connection)
        left, at = self._buckets.pop(client, (self._size, now))
        left = min(self._size, left + (now - at) * self._size / 60)
        is_allowed = left >= 1
        self._buckets[client] = (left - 1 if is_allowed else left, now)
        while len(self._buckets) > CLIENTS_KEPT:
            del self._buckets[next(iter(self._buckets))]  # the one longest silent
        wait = int((1 - left) * 60 / self._size) + 1
        return None if is_allowed else Refusal(429, f"Too many requests: wait {wait} s.", wait)


@dataclass(frozen=True, slots=True)
class BodyLook:
    """Refuses bodies that are not JSON, or that say that they are too long."""

    rules: WebRules

    def __call__(self, connection: HTTPConnection) -> Refusal | None:
        headers = connection.headers
        length = int(headers.get("content-length", "0"))
        is_json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
        if (length or "transfer-encoding" in headers) and not is_json:
            return Refusal(415, "Bodies must be JSON (Content-Type: application/json).")
        return Refusal(413, too_long(self.rules)) if length > self.rules.max_body else None


def too_long(rules: WebRules) -> str:
    return f"The body is too long: {rules.max_body} bytes are allowed."


class BodyLimit:
    """Stops reading a body that did not say how long it is and is too long."""

    def __init__(self, app: ASGIApp, rules: WebRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def receive_up_to_limit() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._rules.max_body:
                raise HTTPException(413, too_long(self._rules))
            return message

        await self._app(scope, receive_up_to_limit, send)


class SignIn:
    """Turns the link that start.sh prints, `/?token=…`, into a cookie and a clean address."""

    def __init__(self, app: ASGIApp, rules: WebRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shown = _token_in(scope)
        if shown is None:
            await self._app(scope, receive, send)
            return
        scope["query_string"] = b""  # the server's own access log would write it down
        if is_token(shown, self._rules) and HostLook(self._rules)(HTTPConnection(scope)) is None:
            await self._welcome(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _welcome(self, scope: Scope) -> Response:
        response = Response(status_code=303, headers={"location": "/"})
        name, is_secure = cookie_name(self._rules), scope["scheme"] == "https"
        response.set_cookie(name, self._rules.token, max_age=YEAR, secure=is_secure, httponly=True, samesite="strict")
        return response


def _token_in(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
        return None
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]


class SafeHeaders:
    """Puts the headers that bind a browser on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_safely if scope["type"] == "http" else send)
