"""Leases: taken once, kept by their owner alone."""

from __future__ import annotations

from promises import lease_store
from promises.lease_store import Claim
from promises.promise import Promise
from tests.promises.stage import OWNER, Stage

ONE, OTHER = Claim("boot/ns/1/1.00", 1_030), Claim("boot/ns/2/1.00", 2_000)


async def take(stage: Stage, number: int, by: Claim) -> Promise | None:
    return await stage.database.write(
        "test", lambda connection: lease_store.claim(connection, number, by, stage.clock.now())
    )


async def test_p3_a_promise_is_claimed_by_one_and_its_epoch_rises(stage: Stage) -> None:
    number = await stage.make()
    first, second = await take(stage, number, ONE), await take(stage, number, OTHER)
    assert first is not None
    assert (first.epoch, first.attempts, second) == (1, 1, None)


async def test_p3_only_the_owner_renews_and_hears_of_a_cancel(stage: Stage) -> None:
    number = await stage.make()
    await take(stage, number, ONE)
    await stage.service.cancel(number, OWNER)
    now = stage.clock.now()
    for by, found in ((ONE, {(number, 1)}), (OTHER, set[tuple[int, int]]())):
        kept = await stage.database.write(
            "test", lambda connection, by=by: lease_store.renew(connection, [number], by, now)
        )
        heard = await stage.database.read(lambda connection, by=by: lease_store.unwanted(connection, by.owner))
        assert (kept, heard) == (found, found)


async def test_p3_a_report_of_an_old_epoch_is_not_shown(stage: Stage) -> None:
    number = await stage.make()
    promise = await take(stage, number, ONE)
    assert promise is not None
    await stage.run_sql("UPDATE promises SET epoch = 2")
    shown = await stage.database.write(
        "test", lambda connection: lease_store.report(connection, promise, "half", stage.clock.now())
    )
    assert (shown, await stage.told("progress")) == (False, [])
