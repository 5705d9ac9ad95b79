# pyright: basic
"""Telethon's client, made to live for one connection and to hide nothing of it.

All that is used of Telethon beyond its public face is used here and nowhere else; the test world shows that it works.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from telethon import TelegramClient
from telethon._updates import MessageBox
from telethon._updates.messagebox import ENTRY_ACCOUNT
from telethon.crypto.rsa import _server_keys, add_key
from telethon.sessions import SQLiteSession
from telethon.tl import types as tl

ACCOUNT = 0
CHUNK = 512 * 1024  # the largest part of a file that Telegram gives or takes at once
# The date by which Telethon knows that an update carries none.
NO_DATE = datetime.fromtimestamp(0, UTC)


class DifferenceBox(MessageBox):
    """Telethon's reckoning of updates, less one flaw: it drops the edits that a difference brings.

    Their pts lie below the difference's own state and look handled; without a pts an update always counts.
    """

    def __init__(self, log: Any, on_too_long: Callable[[], None]) -> None:
        super().__init__(log)
        self._on_too_long = on_too_long

    def apply_difference(self, diff: Any, chat_hashes: Any) -> Any:
        if isinstance(diff, tl.updates.DifferenceTooLong):
            self._on_too_long()
        _take_pts_off(diff)
        return super().apply_difference(diff, chat_hashes)

    def apply_channel_difference(self, request: Any, diff: Any, chat_hashes: Any) -> Any:
        if isinstance(diff, tl.updates.ChannelDifferenceTooLong):
            self._on_too_long()
        _take_pts_off(diff)
        return super().apply_channel_difference(request, diff, chat_hashes)


def _take_pts_off(diff: Any) -> None:
    for update in getattr(diff, "other_updates", ()):
        if isinstance(update, (tl.UpdateEditMessage, tl.UpdateEditChannelMessage)):
            update.pts = 0


class AccountClient(TelegramClient):
    """Never sleeps, retries or reconnects by itself; begins with the difference since what its session has noted.

    The session notes how far events have come only when all that were heard are dealt with: `delivered` was called for
    each, and `is_settled` says that nothing is under way. So a process that dies hears again what it had not written
    down, edits above all, which no history tells. One that does not hear, for signing in and out, leaves what is noted
    as it is: asked for the difference since then, a session that Telegram has ended would break off at once.
    """

    def __init__(
        self,
        session: SQLiteSession,
        keys: tuple[int, str],
        on_too_long: Callable[[], None],
        is_settled: Callable[[], bool] = lambda: True,
        *,
        hears: bool = True,
    ) -> None:
        super().__init__(
            session,
            *keys,
            use_ipv6=":" in (session.server_address or ""),
            timeout=10,
            request_retries=0,
            connection_retries=0,
            retry_delay=0,
            auto_reconnect=False,
            sequential_updates=True,
            flood_sleep_threshold=0,
            raise_last_call_error=True,
            catch_up=hears,
            receive_updates=hears,
        )
        # Typed loosely: Telethon's own attribute may be None after a log-out, which never happens here.
        self.store: Any = session
        self._message_box = DifferenceBox(self._log["messagebox"], on_too_long)
        self._is_settled = is_settled
        self._hears = hears
        self._undelivered = 0

    async def _preprocess_updates(self, updates: Any, users: Any, chats: Any) -> Any:
        found = await super()._preprocess_updates(updates, users, chats)
        self._undelivered += len(found)
        return found

    def delivered(self) -> None:
        """One more update has been handed over."""
        self._undelivered -= 1

    async def _save_states_and_entities(self) -> None:
        if self._hears and not self._undelivered and self._is_settled():
            await super()._save_states_and_entities()

    async def keep_counts(self) -> None:
        """Note on disk how far events have come, if that can be said now."""
        await self._save_states_and_entities()
        self.store.save()

    @property
    def updates_error(self) -> BaseException | None:
        """What ended the receiving of updates, if something did."""
        return self._updates_error

    async def close(self) -> None:
        """Disconnect and close the session."""
        ending: Any = self.disconnect()
        await ending
        end = self.disconnected
        if end.done() and not end.cancelled():
            # Looked at, so that asyncio does not report an end that nobody waited for.
            end.exception()

    async def ask(self, request: Any) -> Any:
        """Send a request once and wait for its answer.

        `client(request)` would sleep 2 s and ask again after errors that are answers (RANDOM_ID_DUPLICATE).
        """
        answer: Any = self._sender.send(request)
        result = await answer
        self.store.process_entities(result)
        return result

    async def chunks(self, location: Any, dc_id: int) -> AsyncGenerator[bytes]:
        """A file, from the data centre where it lies; to another than ours a connection is made for it."""
        self._forget_data_centres()
        async for chunk in self.iter_download(location, request_size=CHUNK, dc_id=dc_id):
            yield bytes(chunk)

    @classmethod
    def _forget_data_centres(cls) -> None:
        """Where they are is kept for the whole process: it may be from another server, or another day."""
        cls._config = None

    async def remember_self(self, me: Any) -> None:
        """Write into the session who its account is."""
        self._mb_entity_cache.set_self_user(me.id, me.bot, me.access_hash)
        # Telethon's own spelling: an entity 0 whose access hash is our number.
        myself: Any = tl.InputPeerUser(0, me.id)
        self.store.process_entities(tl.contacts.ResolvedPeer(tl.PeerUser(0), [], [myself]))
        await self.keep_counts()

    def learn(self, users: list[Any], chats: list[Any]) -> None:
        """Keep access hashes, without which no difference of a supergroup can be asked for."""
        self._mb_entity_cache.extend(users, chats)

    def count_from(self, channel_id: int, pts: int) -> None:
        """Begin to count a supergroup's events at `pts`, unless they are counted already."""
        self._message_box.try_set_channel_state(channel_id, pts)

    def counts(self) -> dict[int, int]:
        """How many events of the account (ACCOUNT) and of each supergroup (bare id) have been seen."""
        counted = {key: state.pts for key, state in self._message_box.map.items() if isinstance(key, int)}
        account = self._message_box.map.get(ENTRY_ACCOUNT)
        return counted | ({ACCOUNT: account.pts} if account else {})

    def ask_differences(self, keys: list[int]) -> None:
        """Have fetched what is missing of `keys` (as in `counts`); it arrives as updates do."""
        if ACCOUNT in keys:
            self._updates_queue.put_nowait(tl.UpdatesTooLong())
        for channel_id in filter(None, keys):
            self._updates_queue.put_nowait(tl.UpdateShort(tl.UpdateChannelTooLong(channel_id), NO_DATE))


def trust_only(key_file: Path) -> None:
    """Make Telethon, in this whole process, accept this server key and no other. Raises OSError."""
    pem = key_file.read_text()
    _server_keys.clear()
    add_key(pem, old=False)
