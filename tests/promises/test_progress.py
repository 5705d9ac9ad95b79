"""The live line of a promise."""

from __future__ import annotations

import asyncio

import pytest

from core.clock import FakeClock
from core.errors import DatabaseError
from promises.progress import PAUSE_SECONDS, ProgressLine
from runtime.store import Step, StepStatus

DEADLINE = 10


class Chat:
    """Where lines are told; the next `error` is raised instead."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.error: Exception | None = None

    async def tell(self, line: str) -> None:
        self.told.put_nowait(line)
        if self.error is not None:
            raise self.error

    async def next(self) -> str:
        async with asyncio.timeout(DEADLINE):
            return await self.told.get()


async def test_p4_one_edit_a_second_and_the_latest_wins() -> None:
    chat, clock = Chat(), FakeClock()
    line = ProgressLine(chat.tell, clock)
    await line.report("one")
    assert await chat.next() == "one"
    await line.report("two")
    await line.report("three")
    await line.finished("read_file")
    clock.advance(PAUSE_SECONDS / 2)
    assert chat.told.empty()
    clock.advance(PAUSE_SECONDS / 2)
    assert await chat.next() == "three · 1 step, last: read_file"
    await line.close()


async def test_p4_a_line_that_does_not_change_is_told_once() -> None:
    chat, clock = Chat(), FakeClock()
    line = ProgressLine(chat.tell, clock)
    await line.report("same")
    assert await chat.next() == "same"
    await line.report("same")
    clock.advance(PAUSE_SECONDS)
    await line.finished("run_command")
    assert await chat.next() == "same · 1 step, last: run_command"
    await line.close()


async def test_p4_a_database_out_of_order_is_tried_again_with_the_next_change() -> None:
    chat, clock = Chat(), FakeClock()
    chat.error = DatabaseError("The disk is full.")
    line = ProgressLine(chat.tell, clock)
    await line.report("one")
    assert await chat.next() == "one"
    await line.report("two")
    clock.advance(PAUSE_SECONDS)
    assert await chat.next() == "two"
    await line.close()


async def test_p4_a_fault_in_telling_is_logged_and_costs_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    chat = Chat()
    chat.error = ZeroDivisionError()
    line = ProgressLine(chat.tell, FakeClock())
    await line.report("one")
    await chat.next()
    await line.close()
    assert "progress could not be told" in capsys.readouterr().out


async def test_p4_a_line_that_was_never_begun_can_be_closed() -> None:
    chat = Chat()
    await ProgressLine(chat.tell, FakeClock()).close()
    assert chat.told.empty()


async def test_p4_a_later_attempt_counts_on_and_tells_nothing_of_it_anew() -> None:
    chat, clock = Chat(), FakeClock()
    line = ProgressLine(chat.tell, clock)
    before = [("report_progress", {"line": "half\nway"}), ("run_command", {"command": "ls"})]
    line.resume(Step(str(n), "tool", name, StepStatus.DONE, args) for n, (name, args) in enumerate(before))
    assert line.line == "half way · 2 steps, last: run_command"
    assert chat.told.empty()
    await line.finished("write_file")
    assert await chat.next() == "half way · 3 steps, last: write_file"
    await line.close()
