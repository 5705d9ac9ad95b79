"""What a caller is told when something goes wrong: one sentence, and an id where the log holds more (B12)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core import errors

log = logging.getLogger(__name__)

# The first that fits counts.
STATUSES: tuple[tuple[type[errors.ValorError], int], ...] = (
    (errors.NotAllowed, 403),
    (errors.Unknown, 404),
    (errors.Busy, 409),
    (errors.RequestError, 400),
    (errors.ModelRefused, 502),
    (errors.Cancelled, 409),
    (errors.ValorError, 503),
)
SENTENCES = {404: "There is nothing at this address.", 405: "This address does not take that method."}


@dataclass(frozen=True, slots=True)
class Told:
    """An error as it leaves the house."""

    status: int
    sentence: str
    id: str | None = None

    @property
    def body(self) -> dict[str, str]:
        return {"error": self.sentence} if self.id is None else {"error": self.sentence, "id": self.id}


def tell(error: BaseException) -> Told:
    """The sentence for `error`; what nobody foresaw is logged under the id that the caller gets."""
    if isinstance(error, errors.ValorError):
        return Told(next(status for kind, status in STATUSES if isinstance(error, kind)), str(error))
    error_id = secrets.token_hex(4)
    log.error("unexpected error in the web", exc_info=error, extra={"error_id": error_id})
    return Told(500, "Something unexpected went wrong; the log knows more under this id.", error_id)


def add_error_answers(app: FastAPI) -> None:
    app.add_exception_handler(errors.ValorError, _answer)
    app.add_exception_handler(Exception, _answer)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


async def _answer(_request: Request, error: Exception) -> JSONResponse:
    told = tell(error)
    return JSONResponse(told.body, told.status)


async def _answer_invalid(_request: Request, error: Exception) -> JSONResponse:
    found: Sequence[Mapping[str, Any]] = error.errors() if isinstance(error, RequestValidationError) else ()
    return JSONResponse({"error": "; ".join(map(_describe, found)) + "."}, 422)


def _describe(detail: Mapping[str, Any]) -> str:
    place = ".".join(str(step) for step in detail["loc"] if step != "body") or "body"
    return f"{place}: {str(detail['msg']).removeprefix('Value error, ')}"


async def _answer_http(_request: Request, error: Exception) -> JSONResponse:
    status, detail = (error.status_code, str(error.detail)) if isinstance(error, HTTPException) else (500, "")
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": SENTENCES.get(status, detail)}, status, headers)
