"""The account front's calls against the played Telegram: what is asked arrives once, what is refused says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.clock import FakeClock
from core.errors import AlreadySent, FloodWait, SessionError, Undeliverable, Unreachable
from core.message import Chat, ChatKind, Entity, Message, Part
from integrations.telegram.lifeline import Pace
from integrations.telegram.session import SessionLock
from integrations.telegram.userbot import Userbot
from tests.integrations.telegram.desk import QUICK, Desk, Ear, Home
from tests.world.telegram import Person, TelegramWorld

BEGINNING = datetime.min.replace(tzinfo=UTC)
BRISK = Pace(call=0.3, watch=60.0, retries=QUICK.retries)


@dataclass
class Front:
    home: Home
    desk: Desk
    bot: Userbot

    @property
    def dm(self) -> Chat:
        return self.home.chat(self.home.anna)

    @property
    def world(self) -> TelegramWorld:
        return self.home.world

    async def heard(self, text: str = "ask") -> Message:
        """Anna says something that Valor has received."""
        self.world.say(self.home.anna, self.home.valor, text)
        return await self.desk.hear(text)

    async def recover(self) -> None:
        """Wait until a lost connection stands again."""
        seen = len(self.desk.catch_ups)
        await self.desk.until(lambda: len(self.desk.catch_ups) > seen)


@pytest.fixture
async def front(home: Home) -> AsyncIterator[Front]:
    desk = Desk()
    async with home.userbot(desk, BRISK) as bot:
        yield Front(home, desk, bot)


async def test_b4_an_answer_replies_with_its_entities(front: Front) -> None:
    asked = await front.heard()
    bold = Entity("bold", 3, 4)
    number = await front.bot.send(Part(front.dm, "😀 hold", (bold,), reply_to=asked.id, random_id=5))
    (sent,) = front.world.messages(sender=front.home.valor)
    assert (sent.text, sent.random_id, sent.id_for(front.home.valor)) == ("😀 hold", 5, number)
    assert [(entity.kind, entity.offset, entity.length) for entity in sent.entities] == [("bold", 3, 4)]
    assert sent.post.reply_to is not None
    assert sent.post.reply_to.text == "ask"


@pytest.mark.parametrize("supergroup", [True, False])
async def test_a_group_is_answered(home: Home, supergroup: bool) -> None:
    group = home.world.group("Dev", [home.anna, home.valor], supergroup=supergroup)
    asked = home.world.say(home.anna, group, "ask")
    async with home.userbot(Desk()) as bot:
        chat = home.chat(group)
        number = await bot.send(Part(chat, "answer", reply_to=asked.id_for(home.valor), random_id=5))
        await bot.edit(chat, number, "better answer", [])
        await bot.react(chat, asked.id_for(home.valor), "👍")
        await bot.mark_read(chat, asked.id_for(home.valor))
        await bot.show_typing(chat)
        (answer,) = home.world.answers_to(asked)
        assert answer.text == "better answer"
        assert home.world.ledger.reactions_to(asked.number) == ["👍"]
        assert home.world.ledger.did("read", home.valor)
        assert home.world.ledger.did("typing", home.valor)
        await bot.delete(chat, [number])
        assert home.world.answers_to(asked) == []


async def test_a_repeated_random_id_is_already_sent_and_said_at_once(front: Front) -> None:
    part = Part(front.dm, "once", random_id=9)
    await front.heard()
    await front.bot.send(part)
    async with asyncio.timeout(1):
        with pytest.raises(AlreadySent):
            await front.bot.send(part)
    assert [message.text for message in front.world.messages(sender=front.home.valor)] == ["once"]


async def test_p3_a_lost_answer_is_unreachable_and_the_look_finds_the_message(front: Front) -> None:
    asked = await front.heard()
    front.world.faults.lose_answer(front.home.valor, "messages.sendMessage")
    with pytest.raises(Unreachable):
        await front.bot.send(Part(front.dm, "lost", reply_to=asked.id, random_id=9))
    await front.recover()
    (sent,) = await front.bot.sent_after(front.dm, asked.id)
    assert (sent.text, sent.reply_to) == ("lost", asked.id)
    with pytest.raises(AlreadySent):
        await front.bot.send(Part(front.dm, "lost", reply_to=asked.id, random_id=9))


async def test_a_silent_server_is_unreachable_within_the_time_of_a_call(front: Front) -> None:
    await front.heard()
    front.world.faults.lose_answer(front.home.valor, "messages.sendMessage", cut=False)
    with pytest.raises(Unreachable):
        await front.bot.send(Part(front.dm, "lost", random_id=9))


async def test_what_timed_out_is_never_sent_later(front: Front) -> None:
    await front.heard()
    front.world.faults.cut_before(front.home.valor, "messages.sendMessage")
    with pytest.raises(Unreachable):
        await front.bot.send(Part(front.dm, "ghost", random_id=9))
    await front.recover()
    await front.bot.send(Part(front.dm, "real", random_id=10))
    assert [message.text for message in front.world.messages(sender=front.home.valor)] == ["real"]


async def test_without_a_connection_calls_are_unreachable(front: Front) -> None:
    await front.heard()
    async with Ear("Connecting again"):
        await front.world.go_down()
    with pytest.raises(Unreachable, match="Connecting again"):
        await front.bot.show_typing(front.dm)
    assert front.bot.health().status == "degraded"


async def test_a_flood_wait_carries_its_seconds(front: Front) -> None:
    await front.heard()
    front.world.faults.flood_wait(7, front.home.valor, "messages.sendMessage")
    with pytest.raises(FloodWait) as caught:
        await front.bot.send(Part(front.dm, "hello", random_id=9))
    assert caught.value.seconds == 7
    front.bot._budget._until.clear()  # seven seconds later
    await front.bot.send(Part(front.dm, "hello", random_id=9))


async def test_an_answer_to_a_message_that_is_gone_goes_without_reply_once(front: Front) -> None:
    await front.heard()
    await front.bot.send(Part(front.dm, "answer", reply_to=999, random_id=9))
    (sent,) = front.world.messages(sender=front.home.valor)
    assert (sent.text, sent.reply_to, sent.random_id) == ("answer", None, 9)


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("CHAT_WRITE_FORBIDDEN", 403, "may not write"),
        ("USER_IS_BLOCKED", 400, "blocked"),
        ("PEER_ID_INVALID", 400, "does not know"),
        ("SOMETHING_NEW", 400, "SOMETHING_NEW"),
    ],
)
async def test_a_refusal_is_undeliverable_with_a_sentence(front: Front, name: str, code: int, sentence: str) -> None:
    asked = await front.heard()
    front.world.faults.error(name, code, person=front.home.valor, method="messages.sendMessage")
    with pytest.raises(Undeliverable, match=sentence):
        await front.bot.send(Part(front.dm, "answer", reply_to=asked.id, random_id=9))


async def test_too_long_and_foreign_chats_are_undeliverable(front: Front) -> None:
    await front.heard()
    with pytest.raises(Undeliverable, match="longer"):
        await front.bot.send(Part(front.dm, "x" * 4097, random_id=9))
    with pytest.raises(Undeliverable, match="never met"):
        await front.bot.send(Part(Chat(front.bot.name, "424242"), "x", random_id=9))
    with pytest.raises(Undeliverable, match="no chat of Telegram"):
        await front.bot.send(Part(Chat(front.bot.name, "kitchen"), "x", random_id=9))


async def test_an_edit_that_changes_nothing_is_success(front: Front) -> None:
    await front.heard()
    number = await front.bot.send(Part(front.dm, "same", random_id=9))
    await front.bot.edit(front.dm, number, "same", [])
    with pytest.raises(Undeliverable, match="does not exist"):
        await front.bot.edit(front.dm, number + 100, "same", [])


async def test_b2_reactions_are_set_taken_away_and_refused(front: Front) -> None:
    asked = await front.heard()
    await front.bot.react(front.dm, asked.id, "👀")
    await front.bot.react(front.dm, asked.id, None)
    (post,) = front.world.messages(sender=front.home.anna)
    assert front.world.ledger.reactions_to(post.number) == ["👀", ""]
    with pytest.raises(Undeliverable, match="reaction"):
        await front.bot.react(front.dm, asked.id, "🦖")


async def test_reading_and_deleting_in_a_dm(front: Front) -> None:
    asked = await front.heard()
    await front.bot.mark_read(front.dm, asked.id)
    number = await front.bot.send(Part(front.dm, "oops", random_id=9))
    await front.bot.delete(front.dm, [number])
    assert front.world.ledger.did("read", front.home.valor)
    assert front.world.messages(sender=front.home.valor)[0].deleted


async def test_b8_all_dialogs_are_listed(home: Home) -> None:
    people = [home.world.person(f"P{number}") for number in range(230)]
    for person in people:
        home.world.say(person, home.valor, "hi")
    group = home.world.group("Dev", [home.anna, home.valor])
    left = home.world.group("Old", [home.anna, home.valor])
    home.world.leave(left, home.valor)
    home.world.say(home.valor, home.valor, "a note")
    async with home.userbot(Desk()) as bot:
        dialogs = await bot.dialogs()
        kinds = {dialog.chat: dialog.kind for dialog in dialogs}
        assert len(dialogs) == len(kinds) == 232
        assert all(kinds[home.chat(person)] is ChatKind.DM for person in people)
        assert kinds[home.chat(group)] is ChatKind.GROUP
        assert kinds[bot.own_chat] is ChatKind.SELF
        assert next(dialog for dialog in dialogs if dialog.chat == home.chat(group)).title == "Dev"


async def test_b8_history_is_read_to_its_end_oldest_first(home: Home) -> None:
    old = datetime.now(UTC) - timedelta(days=3)
    for number in range(330):
        home.world.say(home.anna, home.valor, f"old {number}", at=old)
    said = [home.world.say(home.anna, home.valor, f"n {number}") for number in range(250)]
    async with home.userbot(Desk()) as bot:
        chat = home.chat(home.anna)
        everything = [message async for page in bot.history(chat, 0, BEGINNING) for message in page]
        asked = len(home.world.ledger.calls("messages.getHistory"))
        recent = [m async for page in bot.history(chat, 0, datetime.now(UTC) - timedelta(days=1)) for m in page]
        assert len(home.world.ledger.calls("messages.getHistory")) - asked == 5
        after = said[200].id_for(home.valor)
        rest = [message.text async for page in bot.history(chat, after, BEGINNING) for message in page]
    assert [message.text for message in everything[:2]] == ["old 0", "old 1"]
    assert len(everything) == 580
    assert [message.text for message in recent] == [f"n {number}" for number in range(250)]
    assert rest == [f"n {number}" for number in range(201, 250)]


async def test_the_look_reads_all_pages_and_own_messages_only(home: Home) -> None:
    group = home.world.group("Dev", [home.anna, home.valor])
    asked = home.world.say(home.anna, group, "ask")
    for number in range(220):
        home.world.say(home.anna if number % 2 else home.valor, group, f"n{number}")
    async with home.userbot(Desk()) as bot:
        sent = await bot.sent_after(home.chat(group), asked.id_for(home.valor))
    assert [one.text for one in sent] == [f"n{number}" for number in range(0, 220, 2)]


async def test_a_chat_met_since_the_start_is_found_among_the_dialogs(home: Home) -> None:
    clock, desk = FakeClock(), Desk()
    bot = Userbot(home.access, BRISK, clock)
    await bot.start(desk)
    try:
        home.world.faults.drop_updates(home.valor, 10)
        bela: Person = home.world.person("Bela")
        with pytest.raises(Undeliverable):
            await bot.send(Part(home.chat(bela), "hi", random_id=1))
        home.world.say(bela, home.valor, "unheard")
        with pytest.raises(Undeliverable):  # the dialogs were looked through for her a moment ago
            await bot.send(Part(home.chat(bela), "hi", random_id=1))
        clock.advance(61)
        await bot.send(Part(home.chat(bela), "hi", random_id=1))
        carl: Person = home.world.person("Carl")
        home.world.say(carl, home.valor, "unheard too")
        await bot.send(Part(home.chat(carl), "hi", random_id=2))
    finally:
        await bot.stop()


async def test_s3_a_session_in_use_names_its_holder(home: Home) -> None:
    async with home.userbot(Desk()):
        second = Userbot(home.access, QUICK)
        with pytest.raises(SessionError, match=r"in use by valor server \(pid \d+"):
            await second.start(Desk())


async def test_s1_an_account_that_is_not_signed_in_names_the_command(tmp_path: Path) -> None:
    async with TelegramWorld(tmp_path) as world:
        bot = Userbot(Home(world, tmp_path).access, QUICK)
        with pytest.raises(SessionError, match=r"scripts/telegram_login\.sh"):
            await bot.start(Desk())
        with pytest.raises(Unreachable):
            assert bot.name
        SessionLock(bot._access.session_path, "next").acquire()


@pytest.mark.parametrize("how", ["revoked", "forgotten", "duplicated"])
async def test_a_lost_session_is_unhealthy_and_not_tried_again(home: Home, how: str) -> None:
    if how == "revoked":
        home.world.revoke(home.valor)
    elif how == "forgotten":
        home.world.forget_keys(home.valor)
    else:
        home.world.faults.error("AUTH_KEY_DUPLICATED", 406, times=None)
    bot = Userbot(home.access, QUICK)
    with pytest.raises(SessionError, match=r"scripts/telegram_login\.sh"):
        await bot.start(Desk())
    asked = len(home.world.ledger.calls())
    with pytest.raises(TimeoutError):
        await home.world.until(lambda: len(home.world.ledger.calls()) > asked, 0.2)


async def test_a_session_revoked_while_running_turns_unhealthy(front: Front) -> None:
    await front.heard()
    front.world.revoke(front.home.valor)
    with pytest.raises(Unreachable):
        await front.bot.show_typing(front.dm)
    keeper = front.bot._life._keeper
    assert keeper is not None
    async with asyncio.timeout(3):
        await keeper
    assert front.bot.health().status == "unhealthy"
    assert "scripts/telegram_login.sh" in front.bot.health().sentence


async def test_a_call_on_a_connection_that_is_given_up_is_unreachable(home: Home) -> None:
    home.world.say(home.anna, home.valor, "ask")
    async with home.userbot(Desk(), Pace(call=5.0, watch=0.1, retries=QUICK.retries)) as bot:
        home.world.faults.lose_answer(home.valor, "messages.setTyping", cut=False)
        home.world.faults.lose_answer(home.valor, "updates.getState", cut=False)
        with pytest.raises(Unreachable):
            await bot.show_typing(home.chat(home.anna))


async def test_cancelling_a_call_cancels_it(front: Front) -> None:
    await front.heard()
    front.world.faults.lose_answer(front.home.valor, "messages.setTyping", cut=False)
    call = asyncio.create_task(front.bot.show_typing(front.dm))
    await front.world.until(lambda: bool(front.world.ledger.calls("messages.setTyping")))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
