"""What is older than the ledger is asked of the front that remembers it, for one chat only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from core.access import Reason
from core.errors import FloodWait, Undeliverable, Unreachable
from core.message import Chat, ChatKind, Message
from integrations.memory import OWN
from tests.conversations.stage import DM, FRONT, MAX, OLGA, Stage


@dataclass
class Past:
    """Remembers two old messages of every chat."""

    stage: Stage
    error: Exception | None = None
    asked: list[tuple[str, str, int, int]] = field(default_factory=list[tuple[str, str, int, int]])

    async def search_past(self, chat: Chat, query: str, before: int, limit: int) -> list[Message]:
        self.asked.append((chat.key, query, before, limit))
        if self.error:
            raise self.error
        now = self.stage.clock.now()
        old = [Message(chat, 2, ChatKind.DM, OWN, now, "ours of plums", outgoing=True)]
        return [*old, Message(chat, 1, ChatKind.DM, OLGA, now, "plums of old")][:limit]

    async def said(self, chat: Chat, message_id: int) -> Message | None:
        """Each of its messages replies to the one before."""
        self.asked.append((chat.key, "", message_id, 1))
        if self.error:
            raise self.error
        text = {1: "The moon is full.", 2: "It is not."}.get(message_id)
        if text is None:
            return None
        now = self.stage.clock.now()
        return Message(chat, message_id, ChatKind.DM, OLGA, now, text, reply_to=message_id - 1 or None)


async def test_b7_search_goes_on_where_the_ledger_ends(stage: Stage) -> None:
    past = stage.history.pasts[FRONT] = Past(stage)
    await stage.say(Chat(FRONT, "-20"), OLGA, "elsewhere: plums")
    asked = await stage.say(DM, OLGA, "plums")
    await stage.quiet()
    found = await stage.history.search(DM, "plums", 10)
    assert {(said.sender, said.text) for said in found[:2]} == {("Olga", "plums"), ("Valor", "re: plums")}
    assert [(said.sender, said.text) for said in found[2:]] == [("Valor", "ours of plums"), ("Olga", "plums of old")]
    assert past.asked == [("1", "plums", asked.id, 8)]
    assert len(await stage.history.search(DM, "plums", 2)) == 2
    assert await stage.history.search(DM, " ", 3) != []
    assert len(past.asked) == 1


async def test_b7_a_chat_without_rows_is_searched_whole(stage: Stage) -> None:
    past = stage.history.pasts[FRONT] = Past(stage)
    assert len(await stage.history.search(DM, "plums")) == 2
    assert past.asked == [("1", "plums", 0, 20)]


async def test_b7_a_service_that_does_not_answer_leaves_what_the_ledger_has(stage: Stage) -> None:
    stage.history.pasts[FRONT] = Past(stage, Unreachable("gone"))
    await stage.say(DM, OLGA, "plums")
    await stage.quiet()
    assert len(await stage.history.search(DM, "plums")) == 2


async def test_b7_the_past_of_a_group_that_moved_is_searched_on_both_sides(stage: Stage) -> None:
    past = stage.history.pasts[FRONT] = Past(stage)
    for message in stage.front.move("-20", "-1005", OLGA):
        await stage.reception.receive(message)
    await stage.history.search(Chat(FRONT, "-1005"), "plums")
    assert [key for key, *_ in past.asked] == ["-1005", "-20"]


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
    assert (await stage.row_of(first)).reason == Reason.DEV_GROUP
    assert stage.front.texts("-20") == ["re: Yes, what?", "re: What is the time?"]
    await stage.reception.receive(first)
    await stage.quiet()
    assert len(stage.agent.asked) == 2


async def test_b7_the_quoted_part_stands_above_what_is_said_of_it_and_commands_are_commands(stage: Stage) -> None:
    told = await stage.say(DM, OLGA, "Tell me all")
    await stage.quiet()
    await stage.reception.receive(replace(stage.front.say("1", OLGA, "Why this?", told.id), quote="all\nof it"))
    await stage.reception.receive(replace(stage.front.say("1", OLGA, "/ping", told.id), quote="all"))
    await stage.quiet()
    assert "> all\n> of it\nWhy this?" in stage.agent.asked[-1][1]
    assert [row.kind for row in await stage.rows("turns")] == ["agent", "agent", "command"]
