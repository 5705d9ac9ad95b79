"""Promises that wait until somebody with the right allows what they are about to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from conversations import question_store
from core.errors import ConsentNeeded, NotAllowed, RequestError, Unknown
from core.message import Chat
from core.protocols import Call, Parked
from core.schema import consents, deliveries, llm_calls
from promises import consent_store, store, wording
from promises.agent_work import TASK, _prompt
from promises.keeper import Outcome
from promises.promise import Promise
from tests.promises.stage import GUEST, MEMBER, OWNER, STRANGER, Stage, call, open_stage

DAY = 86_400
NEEDED = ConsentNeeded("send_mail", {"to": "all", "text": "Hi ```there"}, "2:call_7", "digest")
BOSS = replace(OWNER, person_id=8, name="Bo")


async def parked(stage: Stage) -> int:
    """A promise that waits for approval."""
    number = await stage.make("write to all", MEMBER)
    await stage.keep(number, NEEDED)
    stage.bell.rung.clear()
    return number


async def asked(stage: Stage) -> list[Any]:
    query = select(consents).order_by(consents.c.id)
    return await stage.database.read(lambda connection: list(connection.execute(query)))


async def test_p11_work_that_needs_consent_waits_and_asks_in_its_chat(stage: Stage) -> None:
    number = await parked(stage)
    row = await stage.row(number)
    assert (row.status, row.waiting_for, row.attempts, row.owner) == ("waiting", "approval", 0, None)
    assert (row.not_before - stage.clock.now()).total_seconds() == DAY
    [question] = await asked(stage)
    assert (question.tool, question.arguments, question.digest) == ("send_mail", dict(NEEDED.arguments), "digest")
    assert (question.promise_id, question.run_id, question.decision) == (number, row.run_id, None)
    told = (await stage.told())[-1]
    assert (told.kind, told.status, told.reply_to) == ("question 1", "ready", 6)
    assert told.text == (
        "Promise #1 (write to all) wants to use `send_mail` with\n\n"
        '```json\n{\n "to": "all",\n "text": "Hi \'\'\'there"\n}\n```\n\n'
        "Max asked for this work. What it has cost so far is not known.\n\n"
        "`/approve 1` allows exactly this, `/refuse 1` does not; silence until 2026-01-02 00:00 (UTC) refuses it."
    )


async def test_p11_a_grant_survives_a_restart_and_lets_the_work_go_on(stage: Stage) -> None:
    number = await parked(stage)
    run = (await stage.row(number)).run_id
    async with open_stage(stage.folder) as again:
        view = await again.service.grant(number, BOSS)
        assert (view.status, again.bell.rung) == ("pending", [number])
        [question] = await asked(again)
        assert (question.decision, question.decided_by) == ("granted", "Bo")
        row = await again.keep(number, Outcome("sent"))
        assert (row.status, row.run_id, row.attempts) == ("completed", run, 1)
        with pytest.raises(RequestError, match="waits for nobody's approval: it is completed"):
            await again.service.grant(number, BOSS)


async def test_p11_a_second_question_is_asked_anew(stage: Stage) -> None:
    number = await parked(stage)
    await stage.service.grant(number, BOSS)
    await stage.keep(number, ConsentNeeded("send_mail", {"to": "one"}, "3:call_8", "other"))
    first, second = await asked(stage)
    assert (first.decision, second.decision) == ("granted", None)
    await stage.service.refuse(number, BOSS)
    assert [row.decision for row in await asked(stage)] == ["granted", "refused"]
    assert [told.kind for told in await stage.told()] == ["ack", "question 1", "question 2", "result"]


async def test_p11_the_same_call_is_asked_for_again_under_a_new_number(stage: Stage) -> None:
    number = await parked(stage)
    await stage.service.grant(number, BOSS)
    await stage.keep(number, NEEDED)
    assert [row.decision for row in await asked(stage)] == ["granted", None]
    assert (await stage.row(number)).status == "waiting"


async def test_p11_a_refusal_ends_the_work(stage: Stage) -> None:
    number = await parked(stage)
    follower = await stage.make("next", after=(number,))
    view = await stage.service.refuse(number, BOSS)
    assert (view.status, view.error_message) == ("failed", "Bo refused `send_mail`.")
    assert (await stage.row(follower)).status == "failed"
    assert (await stage.told("result"))[0].text.endswith("Bo refused `send_mail`.")


async def test_p11_silence_is_a_refusal(stage: Stage) -> None:
    number = await parked(stage)
    stage.time.advance(DAY - 1)
    await stage.reconciler.reconcile()
    assert (await stage.row(number)).status == "waiting"
    stage.time.advance(1)
    with pytest.raises(RequestError, match="The time to allow what promise #1 wants is over"):
        await stage.service.grant(number, BOSS)
    await stage.reconciler.reconcile()
    row = await stage.row(number)
    assert (row.status, row.error_message) == ("failed", "Nobody allowed `send_mail` in time.")
    assert [question.decision for question in await asked(stage)] == ["expired"]
    assert len(await stage.told("result")) == 1


async def test_p11_only_those_with_the_right_decide(stage: Stage) -> None:
    number = await parked(stage)
    for asker in (MEMBER, GUEST):
        for decide in (stage.service.grant, stage.service.refuse):
            with pytest.raises(NotAllowed, match=f"A {asker.role} may not decide that in psy"):
                await decide(number, asker)
    with pytest.raises(Unknown, match="no promise #1 in flex"):
        await stage.service.grant(number, STRANGER)
    assert (await stage.row(number)).status == "waiting"


async def test_p11_what_waits_for_approval_can_be_cancelled(stage: Stage) -> None:
    number = await parked(stage)
    await stage.service.cancel(number, MEMBER)
    with pytest.raises(RequestError, match="it is cancelled"):
        await stage.service.grant(number, BOSS)


async def test_p11_what_was_cancelled_asks_nothing_any_more(stage: Stage) -> None:
    number = await stage.make("write it", replace(OWNER, chat=Chat("bot:7", "-10")))
    await stage.keep(number, replace_tool(NEEDED, "write_file", {"path": "a", "text": "b"}))
    await stage.run_sql("UPDATE deliveries SET status = 'sent', message_id = 100 + id")
    run = (await stage.row(number)).run_id
    await stage.service.cancel(number, OWNER)
    assert [row.decision for row in await asked(stage)] == ["void"]
    told = {row.kind: (row.status, row.buttons) for row in await stage.told()}
    assert told["ack"] == told["question 1"] == ("ready", None)
    assert await stage.database.read(lambda connection: question_store.open_on(connection, "bot:7")) == []
    assert await stage.database.read(lambda connection: question_store.wanted_by(connection, run)) is None


async def asks_twice(stage: Stage) -> int:
    """A promise that was cancelled while it asked, and after a retry asks something else."""
    number = await parked(stage)
    await stage.service.cancel(number, MEMBER)
    await stage.service.retry(number, MEMBER, None)
    await stage.keep(number, ConsentNeeded("run_command", {"command": "rm -rf ."}, "1:b", "other"))
    return number


@pytest.mark.parametrize("left", ["'void'", "NULL"])
async def test_p11_a_word_to_the_question_of_before_a_retry_allows_nothing(stage: Stage, left: str) -> None:
    number = await asks_twice(stage)
    await stage.run_sql(f"UPDATE consents SET decision = {left} WHERE id = 1")
    for decide in (stage.service.grant, stage.service.refuse):
        with pytest.raises(RequestError, match="asks something else by now"):
            await decide(number, BOSS, 1)
    assert (await stage.service.grant(number, BOSS)).status == "pending"
    assert [row.decision for row in await asked(stage)] == ["void", "granted"]


async def test_p11_a_refusal_names_what_was_asked_last_alone(stage: Stage) -> None:
    number = await asks_twice(stage)
    view = await stage.service.refuse(number, BOSS)
    assert (view.status, view.error_message) == ("failed", "Bo refused `run_command`.")
    assert [row.decision for row in await asked(stage)] == ["void", "refused"]


async def test_p11_work_cancelled_before_it_asks_does_not_ask(stage: Stage) -> None:
    number = await stage.make()
    keeping = await stage.begin(number, stage.keeper())
    await stage.service.cancel(number, OWNER)
    stage.work.ends.put_nowait(NEEDED)
    await keeping
    assert (await stage.row(number)).status == "cancelled"
    assert await asked(stage) == []


async def test_p11_what_waits_for_nothing_can_be_neither_granted_nor_refused(stage: Stage) -> None:
    number = await stage.make()
    for decide in (stage.service.grant, stage.service.refuse):
        with pytest.raises(RequestError, match="waits for nobody's approval: it is pending"):
            await decide(number, OWNER)
    now = stage.clock.now()
    assert await stage.database.write("x", lambda c: consent_store.refuse(c, number, "Bo", now)) is None


async def test_p11_a_turn_is_parked_once_and_goes_on_as_it_began(stage: Stage) -> None:
    one = Parked("turn_run", "mail them", "the whole context", NEEDED, ("in/1",))
    key = call("consent 2:call_7")
    first = await stage.service.park(one, MEMBER, key)
    again = await stage.service.park(one, MEMBER, key)
    assert (first.status, first.waiting_for, again.id) == ("waiting", "approval", first.id)
    [told] = await stage.told()
    assert (told.kind, told.status) == ("ack", "ready")
    assert told.text.startswith("Promise #1 (mail them) wants to use `send_mail`")
    await stage.service.grant(first.id, BOSS)
    keeping = await stage.begin(first.id, stage.keeper())
    stage.work.ends.put_nowait(Outcome("sent"))
    await keeping
    row = await stage.row(first.id)
    known = {"prompt": "the whole context", "pictures": ["in/1"]}
    assert (row.run_id, row.status, row.metadata) == ("turn_run", "completed", known)


async def test_p11_arguments_that_are_too_long_are_said_to_be_cut(promise: Promise) -> None:
    long = ConsentNeeded("write", {"text": "x" * 9_000}, "k", "d")
    said = wording.ask_consent(promise, long, promise.created_at, None)
    assert "These are the first 6,000 of 9,015 characters." in said
    assert len(said) < 7_000


async def test_p11_the_question_says_who_asked_and_what_it_has_cost(stage: Stage) -> None:
    number = await stage.make("write to all", replace(MEMBER, chat=Chat("account:100", "-10")))
    run, now = (await stage.row(number)).run_id, stage.clock.now()
    call = {"started_at": now, "run": run, "kind": "promise", "model": "m", "cost": 0.1234, "outcome": "ok"}
    call |= {"system_chars": 1, "prompt_chars": 1, "calls_last_60s": 0}
    await stage.database.write("spend", lambda connection: connection.execute(llm_calls.insert(), call))
    await stage.keep(number, NEEDED)
    question = (await stage.told("question 1"))[0].text
    assert "Max asked for this work. It has cost $0.1234 so far." in question
    assert "/approve 1 or 👍 on this message allows exactly this, /refuse 1 or 👎 does not" in question


async def test_p11_a_bot_shows_buttons_until_it_is_decided(stage: Stage) -> None:
    number = await stage.make("write to all", replace(MEMBER, chat=Chat("bot:7", "-10")))
    await stage.keep(number, NEEDED)
    assert [row.buttons for row in await stage.told()] == [
        [["Cancel", "/cancel 1"]],
        [["✅ Approve", "/approve 1?1"], ["🚫 Refuse", "/refuse 1?1"]],
    ]
    shown = deliveries.update().values(status="sent", message_id=deliveries.c.id)
    await stage.database.write("shown", lambda connection: connection.execute(shown))
    await stage.service.refuse(number, BOSS)
    told = {row.kind: (row.status, row.buttons) for row in await stage.told()}
    assert told["ack"] == told["question 1"] == ("ready", None)
    assert told["result"] == ("ready", [["Retry", "/retry 1"]])


async def test_p11_the_question_of_a_change_says_how_to_see_it(stage: Stage) -> None:
    number = await stage.make("write it", replace(MEMBER, chat=Chat("bot:7", "-10")))
    await stage.keep(number, replace_tool(NEEDED, "write_file", {"path": "a", "text": "b"}))
    question = (await stage.told("question 1"))[0]
    assert question.text.endswith("refuses it. /diff 1 shows what would change.")
    assert question.buttons[-1] == ["Show diff", "/diff 1"]


def replace_tool(needed: ConsentNeeded, tool: str, arguments: dict[str, Any]) -> ConsentNeeded:
    return ConsentNeeded(tool, arguments, needed.key, needed.digest)


async def test_p11_fronts_without_buttons_keep_none(stage: Stage) -> None:
    await parked(stage)
    assert [row.buttons for row in await stage.told()] == [None, None]


async def test_p11_the_prompt_of_a_parked_turn_is_kept(promise: Promise) -> None:
    assert _prompt(replace(promise, metadata={"prompt": "as it began"})) == "as it began"
    assert _prompt(promise) == TASK.format(id=1, kind="analysis", task="write to all")


@pytest.fixture
async def promise(stage: Stage) -> Promise:
    number = await stage.make("write to all")
    found = await stage.database.read(lambda connection: store.find(connection, number))
    assert found is not None
    return found


async def test_p11_a_word_to_an_earlier_question_does_not_answer_a_later_one(stage: Stage) -> None:
    number = await parked(stage)
    await stage.service.grant(number, BOSS, 1)
    await stage.keep(number, ConsentNeeded("send_mail", {"to": "one"}, "3:call_8", "other"))
    for asker, decide in ((BOSS, stage.service.refuse), (OWNER, stage.service.grant), (OWNER, stage.service.refuse)):
        with pytest.raises(RequestError, match="Promise #1 asks something else by now: answer its newest question"):
            await decide(number, asker, 1)
    with pytest.raises(RequestError, match="asks something else"):
        await stage.service.grant(number, BOSS, 99)
    assert [row.decision for row in await asked(stage)] == ["granted", None]
    assert (await stage.service.grant(number, BOSS, 2)).status == "pending"


@pytest.mark.parametrize("question", [None, 1])
async def test_p11_the_same_wish_asked_again_after_a_crash_is_fulfilled_once(
    stage: Stage, question: int | None
) -> None:
    number = await parked(stage)
    word = Call("run_first", "command")
    for _ in range(2):
        assert (await stage.service.grant(number, BOSS, question, word)).status == "pending"
    await stage.keep(number, ConsentNeeded("send_mail", {"to": "one"}, "3:call_8", "other"))
    assert (await stage.service.grant(number, BOSS, question, word)).status == "waiting"
    assert [row.decision for row in await asked(stage)] == ["granted", None]
    other = Call("run_second", "command")
    for _ in range(2):
        assert (await stage.service.refuse(number, BOSS, question and 2, other)).status == "failed"
    assert (await stage.service.grant(number, BOSS, question, word)).status == "failed"
    assert [row.decision for row in await asked(stage)] == ["granted", "refused"]
    assert len(await stage.told("result")) == 1
