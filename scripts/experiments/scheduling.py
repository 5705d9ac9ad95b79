"""The clock comes to the moments that promises were ordered for, and whoever is to keep them dies over it."""

from __future__ import annotations

from scripts.experiments.mind import HOUR
from scripts.experiments.stand import Stand

MINUTE = 60.0
TIMES = 2  # how often the repeated one is kept
ENDINGS = 5  # how often the end of a series is asked for at most
SIDES = ("before", "after")
BEGINNING = tuple(f"worker promise-reconcile:{side}-commit" for side in SIDES)
SETTLING = "worker promise-settle:after-commit"  # when the next time is to be there
CANCELLING = tuple(f"server promise-cancel:{side}-commit" for side in SIDES)
WAITING = "SELECT id FROM promises WHERE waiting_for = 'schedule' AND task_description LIKE ?"
KEPT = "SELECT 1 FROM promises WHERE status = 'completed' AND task_description LIKE ? LIMIT 1 OFFSET ?"
OPEN = "SELECT id FROM promises WHERE every IS NOT NULL AND status NOT IN ('completed', 'failed', 'cancelled')"


async def keep_schedules(stand: Stand) -> None:
    """Something is promised for a moment, and something for every hour, which is done twice and then ended."""
    later, often = stand.ask("later", 0), stand.ask("often", 0)
    await stand.is_answered([later, often])
    for nonce in (later, often):
        await stand.has(WAITING, f"%{nonce}%")
    await _come_to(stand, 1, often, stand.rare_point(*BEGINNING))
    await stand.comes(lambda: _is_kept(stand, later, 1))
    await _come_to(stand, TIMES, often, SETTLING)  # nothing else is due by then
    await _end(stand)
    await stand.comes(lambda: not stand.play.is_something_open())  # else it waits for a moment that is gone then
    stand.play.lives.skew(0)


async def _come_to(stand: Stand, times: int, nonce: str, point: str) -> None:
    """The clock comes to the hour after so many; a worker dies at that point."""
    life = await stand.restart_at(point)
    stand.play.lives.skew(times * HOUR.total_seconds() + MINUTE)
    await stand.comes(lambda: life.is_over or _is_kept(stand, nonce, times))
    await stand.play.ensure()
    await stand.comes(lambda: _is_kept(stand, nonce, times))


def _is_kept(stand: Stand, nonce: str, times: int) -> bool:
    return bool(stand.play.scene.tables.query(KEPT, f"%{nonce}%", times - 1))


async def _end(stand: Stand) -> None:
    """Cancel the next time of whatever comes again; the server may die over it."""
    life = await stand.restart_at(stand.rare_point(*CANCELLING))
    tables, people, cast = stand.play.scene.tables, stand.play.scene.people, stand.play.scene.cast
    for _ in range(ENDINGS):
        for row in tables.query(OPEN):
            people.say(cast.writers[0], cast.valor, f"/cancel {row['id']}", "command")
        await stand.comes(lambda: life.is_over or not tables.query(OPEN))
        await stand.play.ensure()
        if await stand.comes(lambda: not tables.query(OPEN)):
            return
