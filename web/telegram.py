"""The Telegram account over HTTP: which groups it is in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from web.doors import WebDoors


def build_telegram_routes(doors: WebDoors) -> APIRouter:
    routes = APIRouter(prefix="/api/telegram")

    @routes.get("/groups")
    async def list_groups() -> dict[str, Any]:
        return asdict(await doors.groups.groups())

    return routes
