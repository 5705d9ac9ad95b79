"""One budget of calls for an account or bot and for each chat: answers go first, and nothing is hammered."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum

from core.clock import Clock
from core.errors import FloodWait, SlowMode
from core.message import Chat

ANSWERS = ("SendMessageRequest", "SendMediaRequest", "EditMessageRequest")
RECOVERY = 60.0  # seconds without a refusal after which a rate that was cut doubles
SLOWEST = 1.0
AT_ONCE = 1.0  # seconds within which refusals are one: of calls that were under way together
IDLE_CHATS = 1_000


class Purpose(Enum):
    """What a call is for; the value is the share of the budget that it leaves to what is more urgent."""

    ANSWER = 0.0
    CHANGE = 0.25
    DECORATION = 0.5


# Seconds that a call waits for its turn. Decoration is given up then; a change might wait for ever behind answers of
# other chats, and its own chat behind it: it takes turns with them.
PATIENCE = {Purpose.ANSWER: float("inf"), Purpose.CHANGE: 5.0, Purpose.DECORATION: 10.0}


@dataclass(frozen=True, slots=True)
class Rates:
    """Calls a second in the long run, and at once. What Telegram allows is not known: a refusal cuts it by half."""

    account: float = 60.0
    account_burst: float = 120.0
    chat: float = 5.0
    chat_burst: float = 30.0

    @classmethod
    def of(cls, account: float) -> Rates:
        """Those of an account that may make so many calls a second."""
        return cls(account, 2 * account, account / 12, account / 2)


@dataclass(slots=True)
class Bucket:
    """Fills at `rate` up to `size`; a call takes one."""

    rate: float
    size: float
    at: float
    level: float = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.size

    def seconds_until(self, now: float, share: float) -> float:
        """How long until one can be taken and this share of the whole is left."""
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (1 + share * (self.size - 1) - self.level) / self.rate)


class Budget:
    """`enter` before a call that a chat sees; `check` and `refused` around every call, by what its kind is called."""

    def __init__(self, clock: Clock, rates: Rates | None = None) -> None:
        self._clock = clock
        self._rates = rates or Rates()
        self._account = Bucket(self._rates.account, self._rates.account_burst, clock.boot())
        self._chats: dict[Chat, Bucket] = {}
        self._until: dict[Hashable, float] = {}
        self._cut_at = float("-inf")
        self._late_changes = 0
        self._is_changes_turn = False

    async def enter(self, purpose: Purpose, chat: Chat) -> None:
        """Wait for this call's turn. Raises FloodWait where Telegram has asked for patience, or decoration is late.

        A change that has let answers go first for a while takes turns with them.
        """
        left = await self._wait(purpose, chat, PATIENCE[purpose])
        if left > 0 and purpose is Purpose.DECORATION:
            raise FloodWait(left)
        if left > 0:
            await self._take_turns(chat)
        for bucket in (self._account, self._bucket(chat)):
            bucket.level -= 1
        self._is_changes_turn = purpose is Purpose.ANSWER

    async def _wait(self, purpose: Purpose, chat: Chat, patience: float) -> float:
        """Until the call may be made; how long it would have to wait beyond its patience, 0 when it may."""
        until = self._clock.boot() + patience
        while True:
            self._check_patience(purpose, chat)
            seconds, left = self._seconds_until(purpose, chat), until - self._clock.boot()
            if seconds <= 0 or left <= 0 or (purpose is Purpose.DECORATION and seconds > left):
                return max(0.0, seconds)
            await self._clock.sleep(min(seconds, left))

    async def _take_turns(self, chat: Chat) -> None:
        self._late_changes += 1
        try:
            while (seconds := self._seconds_until(None, chat)) > 0:
                await self._clock.sleep(seconds)
        finally:
            self._late_changes -= 1

    def check(self, *kinds: Hashable) -> None:
        """Raise FloodWait, without asking Telegram, while a call of these kinds is to wait."""
        left = max(self._seconds_left(kind) for kind in kinds)
        if left > 0:
            raise FloodWait(left)

    def waiting(self) -> list[Hashable]:
        """The kinds that are to wait now."""
        return [kind for kind in list(self._until) if self._seconds_left(kind) > 0]

    def refused(self, kind: Hashable, seconds: float) -> None:
        """Telegram wants to wait before the next call of this kind."""
        now = self._clock.boot()
        self._until[kind] = now + seconds
        self._account.seconds_until(now, 0.0)
        if now - self._cut_at >= AT_ONCE:
            self._account.rate = max(SLOWEST, self._account.rate / 2)
            self._cut_at = now

    def slow_mode(self, chat: Chat, seconds: float) -> None:
        """A chat takes one message at a time, the next after so many seconds."""
        self._until[chat] = self._clock.boot() + seconds

    def _check_patience(self, purpose: Purpose, chat: Chat) -> None:
        if purpose is Purpose.ANSWER and (left := self._seconds_left(chat)) > 0:
            raise SlowMode(left)
        if purpose is Purpose.DECORATION:
            self.check(*ANSWERS)

    def _seconds_left(self, key: Hashable) -> float:
        left = self._until.get(key, 0.0) - self._clock.boot()
        if left <= 0:
            self._until.pop(key, None)
        return left

    def _seconds_until(self, purpose: Purpose | None, chat: Chat) -> float:
        """None: a change that takes turns with answers."""
        now = self._clock.boot()
        if self._account.rate < self._rates.account and now - self._cut_at >= RECOVERY:
            self._account.rate, self._cut_at = min(self._rates.account, self._account.rate * 2), now
        share = 0.0 if purpose is None else purpose.value
        gives_way = purpose is Purpose.ANSWER and self._is_changes_turn and self._late_changes > 0
        kept = 1 / max(1.0, self._account.size - 1) if gives_way else share
        return max(self._account.seconds_until(now, kept), self._bucket(chat).seconds_until(now, share))

    def _bucket(self, chat: Chat) -> Bucket:
        if len(self._chats) > IDLE_CHATS:
            now = self._clock.boot()
            self._chats = {key: one for key, one in self._chats.items() if one.seconds_until(now, 1.0) > 0}
        if chat not in self._chats:
            self._chats[chat] = Bucket(self._rates.chat, self._rates.chat_burst, self._clock.boot())
        return self._chats[chat]
