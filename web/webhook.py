"""Where Telegram pushes the bot's updates: 200 only when they are written."""

from __future__ import annotations

import hmac
from typing import Any

from fastapi import APIRouter, Response
from starlette.types import Scope

from web.doors import WebDoors, WebRules

PATH = "/telegram/webhook"
HEADER = b"x-telegram-bot-api-secret-token"


def build_webhook_routes(doors: WebDoors) -> APIRouter:
    routes = APIRouter()

    @routes.post(PATH)
    async def take_update(update: dict[str, Any]) -> Response:
        await doors.webhook.take_update(update)
        return Response()

    return routes


def is_telegram(scope: Scope, rules: WebRules) -> bool:
    """Whether a request brings updates and shows the secret that Telegram was given."""
    if rules.webhook_secret is None or scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
        return False
    shown = [value for name, value in scope["headers"] if name == HEADER]
    return len(shown) == 1 and hmac.compare_digest(shown[0], rules.webhook_secret.encode())
