"""The played Bot API, as python-telegram-bot meets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters
from telegram.error import BadRequest, Conflict, EndPointNotFound, Forbidden, InvalidToken, NetworkError, TelegramError
from telegram.request import HTTPXRequest

from tests.world.bot_api import BotApi
from tests.world.telegram import Chat, Entity, Person, TelegramWorld

DIRECT: Any = {"trust_env": False}


@dataclass
class Stage:
    world: TelegramWorld
    api: BotApi
    bot: Person
    anna: Person
    group: Chat

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Bot]:
        url = self.api.url
        one, other = (HTTPXRequest(httpx_kwargs=DIRECT) for _ in range(2))
        client = Bot(self.api.token(self.bot), f"{url}/bot", f"{url}/file/bot", one, other)
        async with client:
            yield client


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    async with TelegramWorld(tmp_path) as world, BotApi(world) as api:
        bot, anna = world.bot("Valor", "valor_bot"), world.person("Anna", "anna")
        group = world.group("Dev", [anna, bot, world.person("Userbot", "valor_ai")])
        api.token(bot)
        yield Stage(world, api, bot, anna, group)


async def test_a_bot_is_told_what_is_said_to_it_and_answers(stage: Stage) -> None:
    asked = stage.world.say(stage.anna, stage.bot, "/start CODE")
    async with stage.client() as client:
        (update,) = await client.get_updates(allowed_updates=["message"])
        message = update.message
        assert message
        assert (message.text, message.message_id) == ("/start CODE", asked.id_for(stage.bot))
        assert [entity.type for entity in message.entities] == ["bot_command"]
        assert message.date == asked.at
        await client.set_message_reaction(message.chat.id, message.message_id, "👀")
        await client.send_chat_action(message.chat.id, "typing")
        sent = await client.send_message(
            message.chat.id, "Hello 😀", reply_parameters=ReplyParameters(message.message_id)
        )
        await client.edit_message_text("Hello again", message.chat.id, sent.message_id)
        with pytest.raises(BadRequest, match="not modified"):
            await client.edit_message_text("Hello again", message.chat.id, sent.message_id)
    (answer,) = stage.world.answers_to(asked)
    assert (answer.first_text, answer.text, answer.id_for(stage.bot)) == ("Hello 😀", "Hello again", sent.message_id)
    assert stage.world.ledger.reactions_to(asked.number) == ["👀"]
    assert stage.world.ledger.did("typing", stage.bot)


async def test_updates_wait_until_they_are_confirmed_and_a_day_at_most(stage: Stage) -> None:
    old = stage.world.society.clock() - timedelta(hours=25)
    stage.world.say(stage.anna, stage.bot, "yesterday", at=old)
    lines = [stage.world.say(stage.anna, stage.bot, text) for text in ("one", "two")]
    stage.world.edit(lines[1], "three")
    async with stage.client() as client:
        await client.get_updates(allowed_updates=["message", "edited_message"], limit=2)
        updates = await client.get_updates(limit=2)
        assert [update.message and update.message.text for update in updates] == ["one", "two"]
        (edit,) = await client.get_updates(updates[-1].update_id + 1)
        assert edit.edited_message
        assert edit.edited_message.text == "three"
        waiting = asyncio.create_task(client.get_updates(edit.update_id + 1, timeout=10))
        await stage.world.until(lambda: stage.api.hub(stage.bot).confirmed == edit.update_id)
        stage.world.say(stage.anna, stage.bot, "four")
        (update,) = await waiting
        assert update.message
        assert update.message.text == "four"


async def test_people_the_account_and_the_bot_meet_in_a_group(stage: Stage) -> None:
    userbot = stage.group.members[-1]
    other = stage.world.bot("Other", "other_bot")
    stage.world.join(stage.group, other)
    stage.world.say(other, stage.group, "bots do not hear bots")
    said = stage.world.say(stage.anna, stage.group, "@valor_bot look")
    stage.world.say(userbot, stage.group, "so do accounts", reply_to=said)
    async with stage.client() as client:
        updates = await client.get_updates(allowed_updates=["message", "my_chat_member"])
        texts = [update.message.text for update in updates if update.message]
        assert texts == ["@valor_bot look", "so do accounts"]
        group = await client.get_chat(stage.group.peer_id(stage.bot))
        assert (group.type, group.title) == ("supergroup", "Dev")
        reply = updates[-1].message
        assert reply
        assert reply.reply_to_message
        assert reply.reply_to_message.message_id == said.id_for(stage.bot)
        assert reply.reply_to_message.from_user
        assert reply.reply_to_message.from_user.id == stage.anna.id


async def test_who_brought_a_bot_into_a_group_is_told(stage: Stage) -> None:
    basic = stage.world.group("New", [stage.anna], supergroup=False)
    stage.world.join(basic, stage.bot)
    async with stage.client() as client:
        (update,) = await client.get_updates(allowed_updates=["my_chat_member"])
        assert update.my_chat_member
        assert update.my_chat_member.chat.id == basic.peer_id(stage.bot)
        assert update.my_chat_member.new_chat_member.status == "member"


async def test_buttons_are_pressed_and_answered(stage: Stage) -> None:
    stage.world.say(stage.anna, stage.bot, "hi")
    async with stage.client() as client:
        markup = InlineKeyboardMarkup([[InlineKeyboardButton("Stop", callback_data="stop:1")]])
        sent = await client.send_message(stage.anna.id, "Working", reply_markup=markup)
        (shown,) = stage.world.messages(sender=stage.bot)
        assert stage.api.buttons(shown) == {"Stop": "stop:1"}
        query = stage.api.press(stage.anna, shown, "Stop")
        updates = await client.get_updates(allowed_updates=["callback_query", "message"])
        pressed = updates[-1].callback_query
        assert pressed
        assert (pressed.id, pressed.data, pressed.from_user.id) == (query, "stop:1", stage.anna.id)
        await client.answer_callback_query(query, "Stopping")
        await client.edit_message_text("Done", stage.anna.id, sent.message_id)
    assert stage.api.hub(stage.bot).answered == {query: "Stopping"}
    assert stage.api.buttons(shown) == {}


async def test_a_second_poller_ousts_the_first(stage: Stage) -> None:
    async with stage.client() as one, stage.client() as two:
        first = asyncio.create_task(one.get_updates(timeout=10))
        await stage.world.until(lambda: stage.api.hub(stage.bot)._poll is not None)
        second = asyncio.create_task(two.get_updates(timeout=10))
        with pytest.raises(Conflict, match="only one bot instance"):
            await first
        stage.world.say(stage.anna, stage.bot, "hi")
        assert len(await second) == 1


async def test_a_webhook_is_pushed_to_until_it_takes_the_update(stage: Stage) -> None:
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        taken.append(head)
        status = b"500 No" if len(taken) == 1 else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with stage.client() as client, await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await client.set_webhook(f"http://127.0.0.1:{port}/hook", secret_token="s3cret")  # the test's own
        stage.world.say(stage.anna, stage.bot, "hi")
        await stage.world.until(lambda: stage.api.hub(stage.bot).confirmed)
        assert all(b"x-telegram-bot-api-secret-token: s3cret" in head.lower() for head in taken)
        info = await client.get_webhook_info()
        assert (info.pending_update_count, info.last_error_message) == (
            0,
            "Wrong response from the webhook: 500 No",
        )
        with pytest.raises(Conflict, match="webhook is active"):
            await client.get_updates()
        await client.delete_webhook()
        assert await client.get_updates() == ()


async def test_what_is_refused_says_why(stage: Stage) -> None:
    async with stage.client() as client:
        with pytest.raises(Forbidden, match="can't initiate"):
            await client.send_message(stage.anna.id, "unasked")
        with pytest.raises(BadRequest, match="Chat not found"):
            await client.send_message(-12345, "nowhere")
        group = stage.group.peer_id(stage.bot)
        with pytest.raises(BadRequest, match="to be replied not found"):
            await client.send_message(group, "late", reply_parameters=ReplyParameters(999))
        late = ReplyParameters(999, allow_sending_without_reply=True)
        await client.send_message(group, "late", reply_parameters=late)
        with pytest.raises(BadRequest, match="too long"):
            await client.send_message(group, "x" * 4097)
        stage.world.leave(stage.group, stage.bot)
        with pytest.raises(Forbidden, match="kicked"):
            await client.send_message(group, "gone")
        stage.api.revoke(stage.bot)
        with pytest.raises(InvalidToken):
            await client.get_me()


async def test_it_misbehaves_on_command(stage: Stage) -> None:
    stage.world.say(stage.anna, stage.bot, "hi")
    faults = stage.world.faults
    async with stage.client() as client:
        faults.lose_answer(stage.bot, "sendMessage")
        with pytest.raises(NetworkError):
            await client.send_message(stage.anna.id, "arrived")
        faults.cut_before(stage.bot, "sendMessage")
        with pytest.raises(NetworkError):
            await client.send_message(stage.anna.id, "lost")
        faults.error("Bad Gateway", 502, person=stage.bot, method="sendMessage")
        with pytest.raises(NetworkError, match="Bad Gateway"):
            await client.send_message(stage.anna.id, "lost")
        faults.flood_wait(3, stage.bot, "sendMessage")
        with pytest.raises((TelegramError, DeprecationWarning)):
            await client.send_message(stage.anna.id, "lost")
        with pytest.raises(EndPointNotFound):
            await client.do_api_request("sendNothing")
    assert stage.api.unknown == ["sendNothing"]
    assert [message.text for message in stage.world.messages(sender=stage.bot)] == ["arrived"]


async def test_entities_go_both_ways(stage: Stage) -> None:
    nameless = stage.world.person("Nameless")
    said = "see Nameless and code"
    entities = [Entity("text_mention", 4, 8, user_id=nameless.id), Entity("code", 17, 4)]
    stage.world.say(stage.anna, stage.bot, said, entities=entities)
    async with stage.client() as client:
        (update,) = await client.get_updates(allowed_updates=["message"])
        assert update.message
        mention, code = update.message.entities
        assert mention.user
        assert mention.user.id == nameless.id
        await client.send_message(stage.anna.id, said, entities=[mention, code])
    (echo,) = stage.world.messages(sender=stage.bot)
    assert list(echo.entities) == entities


async def test_with_privacy_a_group_is_heard_when_it_speaks_to_the_bot(stage: Stage) -> None:
    """By a command, a mention or a reply to its own message; what Telegram itself tells is heard by all bots."""
    stage.api.hub(stage.bot).privacy = True
    anna, group, userbot = stage.anna, stage.group, stage.group.members[-1]
    others = stage.world.say(userbot, group, "among us")
    own = stage.world.say(stage.bot, group, "I am the bot")
    stage.world.say(anna, group, "and so are we", reply_to=others)
    for text in ("/ping", "/ping@valor_bot", "/ping@other_bot", "@valor_bot hi", "@other_bot hi", "and/or"):
        stage.world.say(anna, group, text)
    stage.world.say(anna, group, "is that so?", reply_to=own)
    stage.world.say(anna, stage.bot, "in private")
    stage.world.join(group, stage.world.person("Ben"))
    async with stage.client() as client:
        updates = await client.get_updates(allowed_updates=["message"])
        heard = [update.message for update in updates if update.message]
    said = ["/ping", "/ping@valor_bot", "@valor_bot hi", "is that so?", "in private"]
    assert [message.text for message in heard if message.text] == said
    assert [person.first_name for message in heard for person in message.new_chat_members] == ["Ben"]


async def test_a_reply_to_what_was_deleted_shows_nothing_of_it(stage: Stage) -> None:
    said = stage.world.say(stage.anna, stage.group, "never mind")
    stage.world.delete(said)
    stage.world.say(stage.anna, stage.group, "what was that?", reply_to=said)
    async with stage.client() as client:
        updates = await client.get_updates(allowed_updates=["message"])
    heard = [update.message for update in updates if update.message and update.message.text == "what was that?"]
    assert [message.reply_to_message for message in heard] == [None]
