"""Eyes and ears that are played."""

from __future__ import annotations

from conversations.turn import Turn
from runtime.reader import Reading


class PlayedSenses:
    """Hears and reads what `said` has of the content; with `failures`, raises them first."""

    def __init__(self) -> None:
        self.said: dict[bytes, str] = {}
        self.failures: list[Exception] = []
        self.asked: list[bytes] = []

    async def listen(self, sound: bytes, turn: Turn) -> str:
        self.asked.append(sound)
        if self.failures:
            raise self.failures.pop(0)
        return self.said.get(sound, "")

    async def read(self, content: bytes, marker: str) -> Reading:
        self.asked.append(content)
        known = self.said.get(content)
        return Reading(known, "text, 1 line") if known is not None else Reading(problem="It is unreadable.")
