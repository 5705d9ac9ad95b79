"""How often an answer that grows may change before people's eyes: by chat, and slower on a front that was refused."""

from __future__ import annotations

from dataclasses import dataclass

from core.clock import Clock
from core.message import Chat

IDLE_CHATS = 1_000


@dataclass(frozen=True, slots=True)
class Paces:
    """Seconds: how long a model may write unseen, between two changes in a DM and in a group, the most between two
    changes after refusals, and how long without one until the pace doubles again."""

    first: float = 1.0
    person: float = 1.0
    group: float = 3.0
    slowest: float = 60.0
    calm: float = 60.0


@dataclass(slots=True)
class _Refusals:
    count: int
    at: float
    until: float


class Pace:
    """`seconds_until` is the time that every change keeps from the one before it; `gap` what partial ones leave."""

    def __init__(self, clock: Clock, paces: Paces) -> None:
        self._clock = clock
        self._paces = paces
        self._changed: dict[tuple[str, str], float] = {}
        self._refusals: dict[str, _Refusals] = {}

    @property
    def first(self) -> float:
        return self._paces.first

    def gap(self, chat: Chat) -> float:
        """Twice as long for every refusal that the chat's front remembers."""
        return min(self._paces.slowest, self._usual(chat) * 2 ** self._level(chat.front))

    def seconds_until(self, chat: Chat) -> float:
        """How long until what stands in a chat may change again."""
        changed = self._changed.get(_place(chat))
        return 0.0 if changed is None else changed + self._usual(chat) - self._clock.boot()

    def mark(self, chat: Chat) -> None:
        """Something changes there now."""
        if len(self._changed) > IDLE_CHATS:
            recent = self._clock.boot() - max(self._paces.person, self._paces.group)
            self._changed = {place: at for place, at in self._changed.items() if at > recent}
        self._changed[_place(chat)] = self._clock.boot()

    def refused(self, chat: Chat, seconds: float) -> None:
        """The service wants to wait that long; all who are told so meanwhile are told of the same refusal."""
        now, known = self._clock.boot(), self._refusals.get(chat.front)
        if known is None or now >= known.until:
            self._refusals[chat.front] = _Refusals(self._level(chat.front) + 1, now, now + seconds)

    def _usual(self, chat: Chat) -> float:
        return self._paces.group if chat.key.startswith("-") else self._paces.person

    def _level(self, front: str) -> int:
        known = self._refusals.get(front)
        if known is None:
            return 0
        return max(0, known.count - int((self._clock.boot() - known.at) / self._paces.calm))


def _place(chat: Chat) -> tuple[str, str]:
    """The topics of a forum share its pace."""
    return chat.front, chat.key.partition("/")[0]
