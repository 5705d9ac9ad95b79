"""How soon work ends that somebody ends: the chat is told and no process of the tool is left, whatever those ignore."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from scripts.benchmarks.keys import quantile
from scripts.benchmarks.stage import Stage
from tests.acceptance.installation import all_pids, read_process, until
from tests.acceptance.script_model import command, do, promise
from tests.world.telegram import SentMessage

PATIENCE = 60.0
PAUSE = 0.002  # between two looks
DAY = 86_400
# Nothing here listens to SIGTERM, and one of two has left its process group.
STUBBORN = "trap '' TERM; setsid sh -c \"trap '' TERM; sleep {0}.1\" & sleep {0}.2; true"


class Endings:
    """Work that would run for days, begun and ended again and again by the same person."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lasting = itertools.count(DAY)

    async def stop(self) -> float:
        """Milliseconds from `stop` to the end of a turn."""
        return await self._end(lambda words: words, lambda: "stop")

    async def cancel(self) -> float:
        """Milliseconds from `/cancel` to the end of a promise."""
        return await self._end(promise, lambda: f"/cancel {self._newest_promise()}")

    async def _end(self, wrap: Callable[[str], str], order: Callable[[], str]) -> float:
        seconds = next(self._lasting)
        self._say(wrap(do(command(STUBBORN.format(seconds)))))
        pids = await until(lambda: _find(seconds), PATIENCE)
        began = time.perf_counter()
        ordered = self._say(order())
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), PATIENCE, pause=PAUSE)
        dead = time.perf_counter()
        told = await self._stage.world.answer_to(ordered, PATIENCE)
        return (max(dead, told.tick) - began) * 1000

    def _say(self, text: str) -> SentMessage:
        return self._stage.world.say(self._stage.crowd[1], self._stage.valor, text)

    def _newest_promise(self) -> int:
        return self._stage.product.installation.value("SELECT max(id) FROM promises")


def _find(seconds: int) -> list[int]:
    """Both sleeps of a command; none until both are there."""
    pids = [pid for pid in all_pids() if read_process(pid)[0].strip().startswith(f"sleep {seconds}.")]
    return pids if len(pids) > 1 else []


async def measure_endings(stage: Stage, samples: int) -> dict[str, float]:
    endings = Endings(stage)
    stops = [await endings.stop() for _ in range(samples)]
    cancels = [await endings.cancel() for _ in range(samples)]
    return {
        "stop_ms_p50": quantile(stops, 0.5),
        "stop_ms_max": max(stops),
        "cancel_ms_p50": quantile(cancels, 0.5),
        "cancel_ms_max": max(cancels),
    }
