# pyright: basic
"""A Telegram client that answers each message with its own text, and nothing else: what the road alone costs.

Run with: SESSION HOST PORT DC KEY_FILE. Prints a line when it hears.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from telethon import TelegramClient, events
from telethon.sessions import SQLiteSession
from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram.client import API_HASH, API_ID, trust


async def serve(session: SQLiteSession) -> None:
    client: Any = TelegramClient(session, API_ID, API_HASH)

    async def reply(event: Any) -> None:
        peer = await event.get_input_sender()
        await client(fn.messages.SendMessageRequest(peer, event.raw_text, reply_to=tl.InputReplyToMessage(event.id)))

    client.add_event_handler(reply, events.NewMessage(incoming=True))
    await client.connect()
    await client.get_dialogs()
    print("ready", flush=True)
    await client.disconnected


def main() -> None:
    path, host, port, dc, key = sys.argv[1:]
    trust(Path(key).read_text())
    session = SQLiteSession(path)
    session.set_dc(int(dc), host, int(port))
    asyncio.run(serve(session))


if __name__ == "__main__":
    main()
