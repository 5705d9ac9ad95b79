"""One look at the bot from a command line."""

from __future__ import annotations

import asyncio

from core.clock import SystemClock
from integrations.telegram.bot_access import BotAccess
from integrations.telegram.bot_line import BotLine

SECONDS = 5.0


def find_bot(access: BotAccess) -> str:
    """The bot's username, as the Bot API has it. Raises SessionError and FrontError's children."""
    return asyncio.run(_find(access))


async def _find(access: BotAccess) -> str:
    assert access.number
    line = BotLine(access, SECONDS, SystemClock())
    await line.open()
    try:
        return (await line.call(line.api.get_me())).username or ""
    finally:
        await line.close()
