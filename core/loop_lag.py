"""How late the event loop comes to what is due: whatever blocks it lets everybody wait."""

from __future__ import annotations

from collections import deque

from core.checks import LOOP, Board, Finding, Status
from core.clock import Clock

EVERY = 0.1
WINDOW = 600  # looks: a minute
POST_EVERY = 50
LATE = 0.5  # seconds: people notice that


class LoopLag:
    """Looks ten times a second, and tells the board what 99 of 100 looks of the last minute stayed below."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._late: deque[float] = deque(maxlen=WINDOW)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            for _ in range(POST_EVERY):
                due = self._clock.boot() + EVERY
                await self._clock.sleep(EVERY)
                self._late.append(max(self._clock.boot() - due, 0.0))
            self._board.post(LOOP, self.finding())

    def finding(self) -> Finding:
        lag = quantile_99(self._late)
        status = Status.DEGRADED if lag > LATE else Status.HEALTHY
        late = f"{lag * 1000:.0f} ms"
        return Finding(status, f"The event loop was late by at most {late} (99 of 100 looks, last minute).")


def quantile_99(values: deque[float]) -> float:
    """0 when there are none."""
    ordered = sorted(values)
    return ordered[int(len(ordered) * 0.99)] if ordered else 0.0
