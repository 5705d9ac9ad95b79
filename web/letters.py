"""Dead letters over HTTP: to list, to send again, to drop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query

from web.doors import WebDoors

if TYPE_CHECKING:
    from conversations.dead_letter_store import DeadLetter

LetterId = Annotated[int, Path(ge=1, lt=2**63)]


def build_letter_routes(doors: WebDoors) -> APIRouter:
    routes = APIRouter(prefix="/api/deadletters")

    @routes.get("")
    async def list_letters(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[dict[str, Any]]:
        return [describe_letter(letter) for letter in await doors.letters.list(limit)]

    @routes.post("/{letter_id}/retry")
    async def retry_letter(letter_id: LetterId) -> dict[str, Any]:
        return describe_letter(await doors.letters.retry(letter_id))

    @routes.post("/{letter_id}/drop")
    async def drop_letter(letter_id: LetterId) -> dict[str, Any]:
        return describe_letter(await doors.letters.drop(letter_id))

    return routes


def describe_letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "front": letter.chat.front,
        "chat": letter.chat.key,
        "kind": letter.kind,
        "status": letter.status,
        "turn_id": letter.turn_id,
        "promise_id": letter.promise_id,
        "created_at": letter.created_at.isoformat(),
        "error": letter.error,
        "text": letter.text,
    }
