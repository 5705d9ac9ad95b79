"""How late the event loop comes to what is due: whatever blocks it lets everybody wait."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque

from core.checks import LOOP, Board, Finding, Status
from core.clock import Clock

EVERY = 0.1
WINDOW = 600  # looks: a minute
POST_EVERY = 50
LATE = 0.5  # seconds: people notice that
# In milliseconds, how late a look that is counted there was at most; the last one holds what is later, too.
BUCKETS = (*range(1, 100), *range(100, 1_000, 10), *range(1_000, 10_000, 1_000), 60_000)


class LoopLag:
    """Looks ten times a second, and tells the board what 99 of 100 looks of the last minute stayed below, and of all
    looks since the start how many were how late.
    """

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._late: deque[float] = deque(maxlen=WINDOW)
        self._counts: Counter[int] = Counter()

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            for _ in range(POST_EVERY):
                due = self._clock.boot() + EVERY
                await self._clock.sleep(EVERY)
                self._note(self._clock.boot() - due)
            self._board.post(LOOP, self.finding())

    def _note(self, late: float) -> None:
        self._late.append(max(late, 0.0))
        self._counts[bucket_of(late)] += 1

    def finding(self) -> Finding:
        lag = quantile_99(self._late)
        status = Status.DEGRADED if lag > LATE else Status.HEALTHY
        late = f"{lag * 1000:.0f} ms"
        sentence = f"The event loop was late by at most {late} (99 of 100 looks, last minute)."
        return Finding(status, sentence, counts=tuple((str(bucket), n) for bucket, n in sorted(self._counts.items())))


def bucket_of(seconds: float) -> int:
    """Which of BUCKETS a look that was so late is counted in."""
    return BUCKETS[min(bisect_left(BUCKETS, seconds * 1000), len(BUCKETS) - 1)]


def quantile_99(values: deque[float]) -> float:
    """0 when there are none."""
    ordered = sorted(values)
    return ordered[int(len(ordered) * 0.99)] if ordered else 0.0
