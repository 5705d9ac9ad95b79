"""Promises made, listed and cancelled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert

from core.errors import NotAllowed, RequestError, Unknown
from core.message import Chat
from core.protocols import Asker, PromiseOrder
from core.schema import turns
from promises import store
from promises.keeper import Outcome
from tests.promises.stage import GUEST, MEMBER, OWNER, STRANGER, Stage, call, keep_with


async def test_p2_the_row_and_its_acknowledgement_are_written_together(stage: Stage) -> None:
    number = await stage.make("count the files", MEMBER, task_type="code", priority=3)
    row = await stage.row(number)
    assert (row.status, row.task_type, row.priority, row.attempts, row.epoch) == ("pending", "code", 3, 0, 0)
    assert (row.chat_id, row.message_id, row.front, row.workspace) == ("page", 6, "local", "psy")
    assert (row.requester_id, row.requester_name, row.role) == (2, "Max", "member")
    assert row.run_id.startswith("run_")
    [ack] = await stage.told()
    assert (ack.kind, ack.status, ack.text, ack.reply_to) == ("ack", "ready", "Promise #1: count the files.", 6)
    assert stage.bell.rung == [number]


async def test_p2_a_made_promise_rings_the_servers_doorbell(stage: Stage) -> None:
    number = await stage.make()
    assert (await stage.until(lambda _: True, number)).status == "pending"


async def test_p1_an_acknowledgement_made_in_a_turn_is_held(stage: Stage) -> None:
    await _open_turn(stage)
    await stage.make("first", call=call("a", turn_id=1))
    await stage.make("second", call=call("b", turn_id=1))
    assert [(row.kind, row.status, row.turn_id) for row in await stage.told()] == [("ack", "held", 1)] * 2


async def test_p1_the_result_never_comes_before_the_acknowledgement(stage: Stage) -> None:
    await _open_turn(stage)
    number = await stage.make(call=call(turn_id=1))
    await stage.keep(number, Outcome("12 files"))
    assert [(row.kind, row.status) for row in await stage.told()] == [("ack", "held"), ("result", "ready")]


async def test_p3_the_same_tool_call_makes_one_promise(stage: Stage) -> None:
    first, again = await stage.make(call=call()), await stage.make(call=call())
    other = await stage.make(call=call("call_2"))
    assert (again, other) == (first, first + 1)
    assert len(await stage.told()) == 2


async def test_p3_a_promise_made_by_a_settled_call_is_not_rung_for_again(stage: Stage) -> None:
    number = await stage.make(call=call())
    await stage.keep(number, Outcome("done"))
    await stage.make(call=call())
    assert stage.bell.rung == [number]


@pytest.mark.parametrize(
    ("order", "asker", "kind", "sentence"),
    [
        (PromiseOrder(" \0 "), OWNER, RequestError, "the description is empty"),
        (PromiseOrder("x" * 16_001), OWNER, RequestError, "16,001 characters"),
        (PromiseOrder("x", "dance"), OWNER, Unknown, "'dance': choose one of code, search, analysis"),
        (PromiseOrder("x", "code"), GUEST, NotAllowed, "A guest may not have code run"),
        (PromiseOrder("x", after=(9,)), OWNER, Unknown, "no promise #9 in psy"),
    ],
)
async def test_p1_a_bad_order_is_refused(
    stage: Stage, order: PromiseOrder, asker: Asker, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        await stage.service.make(order, asker, None)
    assert await stage.told() == []


async def test_p7_nothing_can_follow_itself_another_workspaces_or_a_failed_promise(stage: Stage) -> None:
    first = await stage.make()
    for asker, after in [(OWNER, first + 1), (STRANGER, first), (OWNER, 2**70), (OWNER, -1)]:
        with pytest.raises(Unknown, match=f"no promise #{after} in {asker.workspace}"):
            await stage.make("next", asker, after=(after,))
    await stage.service.cancel(first, OWNER)
    with pytest.raises(RequestError, match="#1 is cancelled: nothing can follow it"):
        await stage.make("next", after=(first,))


async def test_p7_promises_cannot_follow_each_other_in_a_circle(stage: Stage) -> None:
    """What is followed is named when a promise is made, and is there by then: the second cannot be the first's lead."""
    with pytest.raises(Unknown, match="no promise #2 in psy to follow"):
        await stage.make("first", after=(2,))
    first = await stage.make("first")
    second = await stage.make("second", after=(first,))
    third = await stage.make("third", after=(second, first))
    for number in (first, second, third):
        assert (await stage.keep(number, Outcome("done"))).status == "completed"


async def test_p5_a_number_that_no_promise_can_have_is_unknown(stage: Stage) -> None:
    for number in (0, -1, 2**70):
        with pytest.raises(Unknown, match=f"no promise #{number} in psy"):
            await stage.service.cancel(number, OWNER)


async def test_p7_a_follower_waits_and_says_so(stage: Stage) -> None:
    first, second = await stage.make("a"), await stage.make("b")
    third = await stage.make("c", after=(first, second, first))
    assert ((row := await stage.row(third)).status, row.waiting_for) == ("waiting", "dependency")
    assert (await stage.told())[-1].text == "Promise #3: c. It starts after #1 and #2."
    assert stage.bell.rung == [first, second]


async def test_p7_a_follower_of_completed_promises_starts_at_once(stage: Stage) -> None:
    first = await stage.make()
    await stage.keep(first, Outcome("done"))
    assert (await stage.row(await stage.make("b", after=(first,)))).status == "pending"


async def test_open_promises_are_listed_before_settled_ones(stage: Stage) -> None:
    for name in "abc":
        await stage.make(name)
    await stage.make("elsewhere", STRANGER)
    await stage.keep(3, Outcome("done"))
    listed = await stage.service.list_for(OWNER)
    assert [(view.task_description, view.status) for view in listed] == [
        ("b", "pending"),
        ("a", "pending"),
        ("c", "completed"),
    ]
    assert [view.id for view in await stage.service.list_for(OWNER, limit=1)] == [2]


async def test_what_changed_is_found_oldest_first(stage: Stage) -> None:
    first, second = await stage.make("a"), await stage.make("b")
    began = stage.clock.now()
    stage.time.advance(1)
    await stage.keep(second, Outcome("done"))
    found, latest = await stage.database.read(lambda connection: store.changed_since(connection, began))
    assert ([promise.id for promise in found], latest) == ([second], stage.clock.now())
    found, same = await stage.database.read(lambda connection: store.changed_since(connection, latest))
    assert (found, same) == ([], latest)
    everything = await stage.database.read(lambda connection: store.newest(connection, None, 9))
    assert [promise.id for promise in everything] == [first, second]


async def test_p5_what_is_not_begun_is_cancelled_at_once_with_its_notice(stage: Stage) -> None:
    number = await stage.make()
    view = await stage.service.cancel(number, OWNER)
    row = await stage.row(number)
    assert view.status == row.status == "cancelled"
    assert (row.cancel_requested_by, row.error_message) == ("Olga", "Cancelled by Olga.")
    assert row.cancel_requested_at == row.completed_at == stage.clock.now()
    [notice] = await stage.told("notice")
    assert (notice.text, notice.reply_to) == ("Promise #1 is cancelled: count the files", 5)
    await keep_with(stage.keeper(), number)
    assert (await stage.row(number)).attempts == 0


async def test_p5_a_settled_promise_cannot_be_cancelled(stage: Stage) -> None:
    number = await stage.make()
    await stage.keep(number, Outcome("done"))
    with pytest.raises(RequestError, match="Promise #1 is completed already"):
        await stage.service.cancel(number, OWNER)


async def test_a9_own_promises_may_be_cancelled_and_others_only_by_an_owner(stage: Stage) -> None:
    number = await stage.make("look", GUEST, task_type="search")
    with pytest.raises(NotAllowed, match="belongs to Gus"):
        await stage.service.cancel(number, MEMBER)
    assert (await stage.service.cancel(number, GUEST)).status == "cancelled"
    other = await stage.make("look", MEMBER)
    assert (await stage.service.cancel(other, OWNER)).status == "cancelled"


async def test_w3_promises_of_another_workspace_do_not_exist(stage: Stage) -> None:
    number = await stage.make()
    with pytest.raises(Unknown, match="no promise #1 in flex"):
        await stage.service.cancel(number, STRANGER)


async def test_an_acknowledgement_is_one_line_for_any_front(stage: Stage) -> None:
    asker = replace(OWNER, chat=Chat("account:1", "5"))
    await stage.make("tidy\nthe __init__ files " + "x" * 500, asker)
    [ack] = await stage.told()
    assert "\n" not in ack.text
    assert len(ack.text) < 200


async def _open_turn(stage: Stage) -> None:
    row = insert(turns).values(
        front="local",
        chat_id="page",
        workspace="psy",
        status="running",
        requester_id=1,
        role="owner",
        reply_to=5,
        run_id="run_t",
        created_at=stage.clock.now(),
    )
    await stage.database.write("test", lambda connection: connection.execute(row))
