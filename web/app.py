"""The server's face: the page, the API and `/health`, behind the gates of web/security.py."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from web.chat import build_chat_routes
from web.doors import WebDoors
from web.errors import add_error_answers
from web.health import build_health_routes
from web.letters import build_letter_routes
from web.promises import build_promise_routes
from web.runs import build_run_routes
from web.security import build_gates
from web.telegram import build_telegram_routes
from web.webhook import build_webhook_routes

STATIC = Path(__file__).with_name("static")
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(doors: WebDoors, lifespan: Lifespan | None = None) -> FastAPI:
    """The application over `doors`, which may still be on their way up: `/health` needs none of them."""
    app = FastAPI(
        title="Valor",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        middleware=build_gates(doors),
    )
    add_error_answers(app)
    for build in (
        build_health_routes,
        build_chat_routes,
        build_promise_routes,
        build_letter_routes,
        build_run_routes,
        build_telegram_routes,
        build_webhook_routes,
    ):
        app.include_router(build(doors))
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/", include_in_schema=False)
    async def show_page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    return app
