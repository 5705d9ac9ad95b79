"""How often an answer that grows may change before people's eyes: by chat, and slower on a front that was refused."""

from __future__ import annotations

from dataclasses import dataclass

from core.clock import Clock
from core.message import Chat

IDLE_MARKS = 1_000


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
    """`seconds_until` is the time that every change keeps from the one before it; `gap` what partial ones leave.

    A message that is new is no change: it begins the pace of its own changes, and puts off no other's.
    """

    def __init__(self, clock: Clock, paces: Paces) -> None:
        self._clock = clock
        self._paces = paces
        self._marks: dict[tuple[str, str, int], float] = {}
        self._refusals: dict[str, _Refusals] = {}

    @property
    def first(self) -> float:
        return self._paces.first

    def gap(self, chat: Chat) -> float:
        """Twice as long for every refusal that the chat's front remembers."""
        return min(self._paces.slowest, self._usual(chat) * 2 ** self._level(chat.front))

    def seconds_until(self, chat: Chat, row: int) -> float:
        """How long until the message of that row, which stands in a chat already, may change again."""
        marks = [self._marks[of] for of in (_place(chat), _place(chat, row)) if of in self._marks]
        return max(marks) + self._usual(chat) - self._clock.boot() if marks else 0.0

    def begin(self, chat: Chat, row: int) -> None:
        """A row's message appears there now."""
        self._mark(_place(chat, row))

    def change(self, chat: Chat) -> None:
        """Something that stands there changes now."""
        self._mark(_place(chat))

    def _mark(self, place: tuple[str, str, int]) -> None:
        if len(self._marks) > IDLE_MARKS:
            recent = self._clock.boot() - max(self._paces.person, self._paces.group)
            self._marks = {known: at for known, at in self._marks.items() if at > recent}
        self._marks[place] = self._clock.boot()

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


def _place(chat: Chat, row: int = 0) -> tuple[str, str, int]:
    """The topics of a forum share its pace; 0 is all rows."""
    return chat.front, chat.key.partition("/")[0], row
