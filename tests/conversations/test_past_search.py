"""What is older than the ledger is asked of the front that remembers it, for one chat only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from core.errors import Unreachable
from core.message import Chat, ChatKind, Message
from integrations.memory import OWN
from tests.conversations.stage import DM, FRONT, OLGA, Stage


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
    for _ in range(2):
        stage.front.say("1", OLGA, "")  # before there was a ledger
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


async def test_b7_an_old_message_that_is_edited_hides_no_past(stage: Stage) -> None:
    past = stage.history.pasts[FRONT] = Past(stage)
    old = stage.front.say("1", OLGA, "plums")
    for number in range(5):
        stage.front.say("1", OLGA, f"plums {number}")
    asked = await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    edited = stage.front.change(old, "plums!")
    await stage.reception.receive(replace(edited, sent_at=stage.clock.now() - timedelta(days=30)))
    await stage.history.search(DM, "plums", 10)
    assert past.asked[-1][2] == asked.id


async def test_b7_what_is_kept_of_the_past_is_found_once(stage: Stage) -> None:
    class Moon(Past):
        async def search_past(self, chat: Chat, query: str, before: int, limit: int) -> list[Message]:
            old = [await self.said(chat, number) for number in (2, 1)]
            return [one for one in old if one and query in one.text and one.id < before]

    stage.history.pasts[FRONT] = Moon(stage)
    for _ in range(2):
        stage.front.say("1", OLGA, "")
    await stage.say(DM, OLGA, "Is it?", reply_to=2)
    await stage.quiet()
    assert [said.text for said in await stage.history.search(DM, "moon", 10)] == ["The moon is full."]
