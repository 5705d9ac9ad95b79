"""What is to come, in its order."""

from __future__ import annotations

from datetime import timedelta

from core.errors import ModelUnavailable
from promises.agenda import Appointment, read_agenda
from tests.promises.stage import STRANGER, Stage


async def agenda(stage: Stage, limit: int = 20) -> list[Appointment]:
    return await stage.database.read(lambda connection: read_agenda(connection, limit))


async def test_p7_what_waits_for_a_moment_is_listed_in_its_order(stage: Stage) -> None:
    now = stage.clock.now()
    await stage.make("at once")
    lead = await stage.make("lead")
    await stage.make("last", at=now + timedelta(days=2))
    await stage.make("follows", after=(lead,), at=now + timedelta(days=1))
    await stage.make("follows without a moment", after=(lead,))
    await stage.make("first", STRANGER, at=now + timedelta(hours=1))
    found = await agenda(stage)
    assert [(one.promise.task_description, one.cause, one.at - now) for one in found] == [
        ("first", "schedule", timedelta(hours=1)),
        ("follows", "dependency", timedelta(days=1)),
        ("last", "schedule", timedelta(days=2)),
    ]
    assert [one.promise.task_description for one in await agenda(stage, 1)] == ["first"]


async def test_p7_a_repeated_one_names_its_next_moments_in_its_zone(stage: Stage) -> None:
    await stage.make("report", every="0 9 * * *", zone="Europe/Berlin")
    [found] = await agenda(stage)
    assert [moment.isoformat() for moment in (found.at, *found.later)] == [
        "2026-01-01T08:00:00+00:00",
        "2026-01-02T08:00:00+00:00",
        "2026-01-03T08:00:00+00:00",
    ]
    assert (found.promise.every, found.promise.zone) == ("0 9 * * *", "Europe/Berlin")


async def test_p6_what_is_tried_again_later_says_so(stage: Stage) -> None:
    number = await stage.make()
    await stage.keep(number, ModelUnavailable("Overloaded.", retry_after=60))
    [found] = await agenda(stage)
    assert (found.cause, found.at - stage.clock.now(), found.later) == ("backoff", timedelta(seconds=60), ())
    assert found.promise.error_message == "Overloaded."
