"""What people reply to and the ledger has no row of: told with the reply, or asked of who remembers it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversations import recall
from conversations.delivery import Draft
from core.access import Reason
from core.errors import FloodWait, Undeliverable, Unreachable
from core.message import ChatKind, Message
from tests.conversations.stage import DEV, DM, FRONT, GUS, MAX, OLGA, OWN, Stage
from tests.conversations.test_past_search import Past


async def test_b7_what_has_a_row_already_or_has_no_words_is_not_kept_again(stage: Stage) -> None:
    now = stage.clock.now()
    await stage.owe(Draft(DM, "notice", "ours"))
    await stage.quiet()
    heard = await stage.say(DM, OLGA, "theirs")
    await stage.quiet()
    told = stage.front.told(DM.key)[0].id
    pinned = Message(DM, 90, ChatKind.DM, OLGA, now, "[pinned]", service="pin_message")
    for one in (None, heard, Message(DM, told, ChatKind.DM, OWN, now, "ours", outgoing=True), pinned):
        await stage.database.write("keep", lambda c, one=one: recall.keep(c, one, "Team", "live", now))
    assert [row.text for row in await stage.rows("messages")] == ["theirs"]


async def test_b7_what_is_replied_to_is_asked_of_who_remembers_it_and_kept(stage: Stage) -> None:
    """With what that replied to; the second time the ledger knows them."""
    past = stage.history.pasts[FRONT] = Past(stage)
    stage.front.say("1", OLGA, "")  # takes number 1, which the ledger has never heard of
    stage.front.say("1", OLGA, "")
    for question in ("Is it?", "Is it really?"):
        await stage.say(DM, OLGA, question, reply_to=2)
        await stage.quiet()
        chain = stage.agent.asked[-1][1].partition("They reply to:\n")[2]
        assert chain.splitlines()[:2] == ["> Olga: The moon is full.", "> Olga: It is not."]
    assert past.asked == [("1", "", 2, 1), ("1", "", 1, 1)]
    kept = [row for row in await stage.rows("messages") if row.reason == Reason.REPLIED]
    assert [(row.message_id, row.answer, row.workspace) for row in kept] == [
        (2, False, "private-1"),
        (1, False, "private-1"),
    ]


@pytest.mark.parametrize("error", [None, Unreachable("gone"), FloodWait(9), Undeliverable("gone")])
async def test_b7_a_question_whose_target_nobody_remembers_is_answered_all_the_same(
    stage: Stage, error: Exception | None
) -> None:
    stage.history.pasts[FRONT] = Past(stage, error)
    await stage.say(DM, OLGA, "Is it?", reply_to=77)
    await stage.quiet()
    assert stage.front.texts("1") == ["re: Is it?"]


async def test_b1_what_was_known_from_a_reply_alone_is_answered_when_it_arrives_for_itself(stage: Stage) -> None:
    """A bot is told what is replied to with the reply; what is known of it decides nothing."""
    first = stage.front.say("-20", MAX, "What is the time?")
    reply = replace(stage.front.say("-20", OLGA, "Yes, what?", first.id), replied=first)
    await stage.reception.receive(reply)
    await stage.quiet()
    assert (await stage.row_of(first)).reason == Reason.REPLIED
    assert "> Max: What is the time?" in stage.agent.asked[-1][1]
    await stage.reception.receive(first)
    await stage.quiet()
    row = await stage.row_of(first)
    assert (row.reason, row.role) == (Reason.DEV_GROUP, "member")
    assert stage.front.texts("-20") == ["re: Yes, what?", "re: What is the time?"]
    await stage.reception.receive(first)
    await stage.quiet()
    assert len(stage.agent.asked) == 2


async def test_b7_what_was_known_from_a_reply_alone_brings_what_it_replies_to_itself(stage: Stage) -> None:
    """Telegram tells a bot of a reply's target, and not of that one's."""
    await stage.say(DEV, GUS, "The moon is full.")
    oldest = stage.front.say("-20", GUS, "It is not.", 1)
    first = replace(stage.front.say("-20", MAX, "Is it?", oldest.id), replied=oldest)
    reply = stage.front.say("-20", OLGA, "Yes, is it?", first.id)
    await stage.reception.receive(replace(reply, replied=replace(first, reply_to=None, replied=None)))
    await stage.quiet()
    await stage.reception.receive(first)
    await stage.quiet()
    assert "They reply to:\n> Gus: The moon is full.\n> Gus: It is not." in stage.agent.asked[-1][1]


async def test_b7_why_says_of_what_was_never_told_for_itself_that_it_was_not(stage: Stage) -> None:
    first = stage.front.say("-20", MAX, "What is the time?")
    await stage.reception.receive(replace(stage.front.say("-20", OLGA, "/why", first.id), replied=first))
    await stage.quiet()
    assert stage.front.texts("-20") == ["Message 1 by Max was not answered: known from a reply to it alone."]


async def test_b7_a_newer_copy_of_what_is_replied_to_is_what_is_read(stage: Stage) -> None:
    """A bot in privacy mode is told of no edit."""
    first = stage.front.say("-20", MAX, "Lunch is at noon.")
    await stage.reception.receive(replace(stage.front.say("-20", OLGA, "When?", first.id), replied=first))
    await stage.quiet()
    stage.clock.advance(60)
    changed = stage.front.change(first, "Lunch is at two.")
    for replied in (changed, first):
        said = replace(stage.front.say("-20", OLGA, "And now?", first.id), replied=replied)
        await stage.reception.receive(said)
        await stage.quiet()
        assert "> Max: Lunch is at two." in stage.agent.asked[-1][1]
