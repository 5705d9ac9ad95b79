from __future__ import annotations

import pytest

from conversations import writable
from conversations.writable import when_writable
from core.errors import DatabaseError


async def test_b1_what_cannot_be_written_now_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writable, "RETRY", 0.0)
    tried: list[int] = []

    async def act() -> None:
        tried.append(len(tried))
        if len(tried) < 3:
            raise DatabaseError("database is locked")

    await when_writable(act)
    assert tried == [0, 1, 2]


async def test_what_else_goes_wrong_is_not_tried_again() -> None:
    async def act() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await when_writable(act)
