"""The bot front's calls against the played Bot API: what is asked arrives once, what is refused says why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from core.errors import Closed, FloodWait, Moved, SessionError, Undeliverable, Unreachable, Unsent
from core.message import Chat, Entity, Move, Part
from integrations.telegram.bot import Bot
from integrations.telegram.bot_life import BotPace
from tests.integrations.telegram.bot_stage import QUICK, BotHome
from tests.world.telegram import SentMessage

BRISK = BotPace(call=1.5, fetch=5.0, retries=QUICK.retries, refused=0.05)


@dataclass
class Front:
    home: BotHome
    bot: Bot
    asked: SentMessage

    @property
    def dm(self) -> Chat:
        return self.home.chat(self.home.anna)

    @property
    def number(self) -> int:
        """The asking message's."""
        return self.asked.id_for(self.home.person)

    def told(self) -> list[str]:
        return [message.text for message in self.home.world.messages(sender=self.home.person)]


@pytest.fixture
async def front(bot_home: BotHome) -> AsyncIterator[Front]:
    asked = bot_home.world.say(bot_home.anna, bot_home.person, "ask")
    async with bot_home.bot(BRISK) as bot:
        yield Front(bot_home, bot, asked)


async def test_b4_an_answer_replies_with_its_entities(front: Front) -> None:
    entities = (Entity("bold", 3, 4), Entity("pre", 8, 4, language="python"), Entity("text_link", 13, 4, "http://a.b/"))
    number = await front.bot.send(Part(front.dm, "😀 hold code link", entities, reply_to=front.number))
    (sent,) = front.home.world.answers_to(front.asked)
    assert (sent.text, sent.id_for(front.home.person)) == ("😀 hold code link", number)
    assert [(one.kind, one.offset, one.length, one.url, one.language) for one in sent.entities] == [
        ("bold", 3, 4, "", ""),
        ("pre", 8, 4, "", "python"),
        ("text_link", 13, 4, "http://a.b/", ""),
    ]


@pytest.mark.parametrize("supergroup", [True, False])
async def test_a_group_is_answered(front: Front, supergroup: bool) -> None:
    home = front.home
    group = home.world.group("Dev", [home.anna, home.person], supergroup=supergroup)
    asked = home.world.say(home.anna, group, "ask")
    chat, number = home.chat(group), asked.id_for(home.person)
    sent = await front.bot.send(Part(chat, "answer", reply_to=number))
    await front.bot.edit(chat, sent, "better answer", [])
    await front.bot.edit(chat, sent, "better answer", [])  # that it reads so already is success
    await front.bot.react(chat, number, "👍")
    await front.bot.react(chat, number, "👍")
    await front.bot.mark_read(chat, number)
    await front.bot.show_typing(chat)
    (answer,) = home.world.answers_to(asked)
    assert answer.text == "better answer"
    assert home.world.ledger.reactions_to(asked.number)[:1] == ["👍"]
    assert home.world.ledger.did("typing", home.person, group)
    await front.bot.react(chat, number, None)
    assert home.world.ledger.message(asked.number).emojis == []
    await front.bot.delete(chat, [sent])
    assert home.world.answers_to(asked) == []


async def test_b4_a_message_that_is_gone_is_answered_without_a_reply(front: Front) -> None:
    front.home.world.delete(front.asked)
    await front.bot.send(Part(front.dm, "late", reply_to=front.number))
    assert front.told() == ["late"]


async def test_b4_a_topic_that_lost_the_message_is_answered_all_the_same(front: Front) -> None:
    front.home.world.faults.error("message to be replied not found", person=front.home.person, method="sendMessage")
    await front.bot.send(Part(front.dm, "late", reply_to=front.number))
    assert front.told() == ["late"]


async def test_b8_a_group_that_became_a_supergroup_is_told_on_both_sides_and_when_writing(front: Front) -> None:
    home = front.home
    group = home.world.group("Dev", [home.anna, home.person], supergroup=False)
    home.world.say(home.anna, group, "before")
    await home.desk.hear("before")
    there = home.world.upgrade(group)
    move = Move(home.chat(group), home.chat(there))
    await home.desk.until(lambda: [message.move for message in home.desk.messages if message.move] == [move, move])
    for call in (front.bot.send(Part(move.old, "x")), front.bot.edit(move.old, 1, "x", [])):
        with pytest.raises(Moved) as caught:
            await call
        assert caught.value.move == move
    await front.bot.send(Part(move.new, "here"))
    assert front.told() == ["here"]


async def test_a_topic_is_a_chat_of_its_own(front: Front) -> None:
    home = front.home
    group = home.world.group("Dev", [home.anna, home.person])
    topic = home.world.topic(group, home.anna, "Ideas")
    home.world.say(home.anna, topic, "first")
    asked = home.world.say(home.anna, topic, "second", reply_to=home.world.say(home.anna, topic, "x"))
    chat = Chat(front.bot.name, f"{home.chat(group).key}/{topic.id}")
    heard = await home.desk.hear("second")
    assert (heard.chat, heard.reply_to) == (chat, asked.id_for(home.person) - 1)
    assert (await home.desk.hear("first")).reply_to is None
    await front.bot.send(Part(chat, "answer", reply_to=heard.id))
    await front.bot.send(Part(chat, "notice"))
    await front.bot.show_typing(chat)
    assert [message.topic for message in home.world.messages(sender=home.person)] == [topic.id, topic.id]
    assert home.world.ledger.did("typing", home.person)[-1].detail == f"typing in {topic.id}"
    topic.closed = True
    with pytest.raises(Undeliverable, match="topic is closed"):
        await front.bot.send(Part(chat, "late"))


async def test_b8_a_bot_has_neither_dialogs_nor_history(front: Front) -> None:
    assert await front.bot.dialogs() == []
    assert await front.bot.sent_after(front.dm, 0) == []
    assert [page async for page in front.bot.history(front.dm, 0, datetime.min.replace(tzinfo=UTC))] == []
    assert not front.bot.keeps_keys
    assert front.bot.own_chat == (front.bot.name, str(front.home.person.id))


async def test_b9_the_bot_is_proved_by_get_me_and_its_fetches(front: Front) -> None:
    assert await front.bot.prove()
    before = len(front.home.world.messages())
    await front.home.api.go_down()
    with pytest.raises(Unreachable):
        await front.bot.prove()
    await front.home.api.come_back()
    assert len(front.home.world.messages()) == before


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Forbidden: bot was blocked by the user", "The person has blocked the bot"),
        ("CHAT_WRITE_FORBIDDEN", "The bot was removed from this chat"),
        ("not enough rights to send text messages to the chat", "The bot may not write in this chat"),
        ("not enough rights to send photos to the chat", "The bot may not do this"),
        ("SOMETHING_NEW", "Telegram refused it: Something_new."),
    ],
)
async def test_what_is_refused_says_why(front: Front, name: str, sentence: str) -> None:
    front.home.world.faults.error(name, person=front.home.person, method="sendMessage")
    with pytest.raises(Undeliverable, match=sentence):
        await front.bot.send(Part(front.dm, "no"))


async def test_a_group_that_the_bot_was_thrown_out_of_is_closed(front: Front) -> None:
    group = front.home.world.group("Dev", [front.home.anna, front.home.person])
    front.home.world.leave(group, front.home.person)
    with pytest.raises(Closed, match="an admin there must add it again"):
        await front.bot.send(Part(front.home.chat(group), "no"))
    assert front.told() == []


async def test_unknown_places_and_messages_are_named(front: Front) -> None:
    with pytest.raises(Undeliverable, match="no chat of Telegram"):
        await front.bot.send(Part(Chat(front.bot.name, "page"), "no"))
    with pytest.raises(Undeliverable, match="does not know this chat"):
        await front.bot.send(Part(Chat(front.bot.name, "-100123"), "no"))
    with pytest.raises(Undeliverable, match="does not exist any more"):
        await front.bot.edit(front.dm, 9_999, "no", [])
    with pytest.raises(Undeliverable, match="does not exist any more"):
        await front.bot.react(front.dm, 9_999, "👍")
    with pytest.raises(Undeliverable, match="the person must write"):
        await front.bot.send(Part(front.home.chat(front.home.world.person("Eve")), "no"))


async def test_b2_a_flood_wait_says_how_long_and_nobody_asks_there_again_meanwhile(front: Front) -> None:
    home, bot = front.home, front.bot
    group = home.chat(home.world.group("Dev", [home.anna, home.person]))
    home.world.faults.flood_wait(7, home.person, "sendMessage")
    with pytest.raises(FloodWait) as caught:
        await bot.send(Part(front.dm, "no"))
    assert caught.value.seconds == 7
    for call in (
        bot.send(Part(front.dm, "no")),
        bot.edit(front.dm, front.number, "no", []),
        bot.react(front.dm, front.number, "👍"),
        bot.show_typing(front.dm),
    ):
        with pytest.raises(FloodWait, match=r"wait \d s"):
            await call
    calls = [len(home.world.ledger.calls(method, home.person)) for method in ("sendMessage", "editMessageText")]
    assert (calls, home.world.ledger.did("typing", home.person)) == ([1, 0], [])
    await bot.show_typing(group)
    await bot.send(Part(group, "elsewhere"))
    assert front.told() == ["elsewhere"]


async def test_b2_a_reaction_that_is_to_wait_holds_back_no_answer(front: Front) -> None:
    front.home.world.faults.flood_wait(600, front.home.person, "setMessageReaction")
    with pytest.raises(FloodWait):
        await front.bot.react(front.dm, front.number, "👀")
    with pytest.raises(FloodWait):
        await front.bot.show_typing(front.dm)
    await front.bot.send(Part(front.dm, "answer"))
    assert front.told() == ["answer"]


async def test_p3_only_what_never_left_is_known_to_have_done_nothing(front: Front) -> None:
    faults, bot = front.home.world.faults, front.home.person
    for plan in (faults.lose_answer, faults.cut_before):
        plan(bot, "sendMessage")
        with pytest.raises(Unreachable) as caught:
            await front.bot.send(Part(front.dm, "perhaps"))
        assert type(caught.value) is Unreachable
    faults.error("Bad Gateway", 502, person=bot, method="sendMessage")
    with pytest.raises(Unreachable) as caught:
        await front.bot.send(Part(front.dm, "perhaps"))
    assert type(caught.value) is Unreachable
    faults.slow(10, bot, "sendMessage")
    with pytest.raises(Unreachable, match="TimeoutError"):
        await front.bot.send(Part(front.dm, "perhaps"))
    await front.home.api.go_down()
    with pytest.raises(Unsent):
        await front.bot.send(Part(front.dm, "no"))
    await front.home.api.come_back()
    assert front.told() == ["perhaps", "perhaps"]


async def test_a_token_that_was_revoked_is_the_owners_to_mend(front: Front) -> None:
    front.home.api.revoke(front.home.person)
    with pytest.raises(SessionError, match="TELEGRAM_BOT_TOKEN"):
        await front.bot.send(Part(front.dm, "no"))
