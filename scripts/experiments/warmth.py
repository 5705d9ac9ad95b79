"""What the warm parent knows before it forks: a life that imports nothing is short, and so is its death."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from scripts.experiments.plants import patch

PROJECT = Path(__file__).resolve().parents[2]
MODULES = (
    "agents.valor_agent",
    "alembic.command",
    "anthropic.resources.beta",
    "anthropic.resources.messages",
    "anyio._backends._asyncio",
    "anyio.abc",
    "cli.doctor",
    "conversations.agent_answers",
    "encodings.idna",
    "encodings.utf_8_sig",
    "fastapi.telemetry._runtime",
    "genai_prices.data",
    "genai_prices.decompose",
    "genai_prices.validation",
    "httpx2",
    "integrations.telegram.bot",
    "main",
    "promises.agent_work",
    "pydantic.v1",
    "pydantic_ai.models.anthropic",
    "pydantic_ai.providers.anthropic",
    "runtime.models",
    "runtime.runner",
    "runtime.workplace",
    "scripts.huey_consumer",
    "stringprep",
    "telethon",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "web.app",
    "web.opened",
    "web.server",
)


def preload() -> None:
    """Import whatever a server and a worker import in their lives, and build once what libraries keep for good."""
    for name in MODULES:
        import_module(name)
    _build_adapters()
    _share_certificates()
    _rehearse()


def _build_adapters() -> None:
    from conversations.typeset import typeset
    from runtime.contents import keep_response, keep_said

    typeset("account", "*warm*")
    keep_said(["warm"])
    keep_response(import_module("pydantic_ai.messages").ModelResponse(parts=[]))
    events: Any = import_module("anthropic.types.beta").BetaRawMessageStreamEvent
    validate: Any = import_module("anthropic._models").validate_type
    validate(type_=events, value={"type": "message_stop"})


def _share_certificates() -> None:
    """The system's certificates are read once, not by every life; nothing here is spoken to over TLS."""
    httpcore: Any = import_module("httpcore2")
    read = cache(httpcore.default_ssl_context)

    def share(**_asked: Any) -> Any:
        return read(_trust_env=False)

    share()
    patch(httpcore, "default_ssl_context", share)
    transports: Any = import_module("httpx._transports.default")
    trusting = transports.create_ssl_context()

    def trust(*_asked: Any, **_more: Any) -> Any:
        return trusting

    patch(transports, "create_ssl_context", trust)


def _rehearse() -> None:
    """Put the web's parts together once: what is compiled and looked up on the way is known. Nothing is opened."""
    from core.settings import load_settings
    from main import build_app

    build_app(load_settings(PROJECT))
