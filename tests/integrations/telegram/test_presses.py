"""The bot's buttons against the played Bot API: shown, pressed, answered once."""

from __future__ import annotations

from typing import Any

import telegram

from core.clock import FakeClock
from core.message import Button, Part
from integrations.telegram.bot_line import ServerClock
from integrations.telegram.bot_updates import Updates
from integrations.telegram.presses import number_of, to_press
from tests.integrations.telegram.bot_stage import BotHome
from tests.integrations.telegram.desk import Desk
from tests.integrations.telegram.test_bot_updates import Answers
from tests.world.telegram import SentMessage

BUTTONS = (Button("Yes", "/approve 7"), Button("No", "/refuse 7"))


async def asked(home: BotHome, bot: Any) -> SentMessage:
    """A question of the bot's, with buttons under it."""
    home.world.say(home.anna, home.person, "hello")
    await bot.send(Part(home.chat(home.anna), "May I?", buttons=BUTTONS))
    return home.world.messages(sender=home.person)[-1]


async def test_p11_buttons_are_shown_pressed_and_answered_once(bot_home: BotHome) -> None:
    bot_home.desk.told = "Pressed already."
    async with bot_home.bot() as bot:
        question = await asked(bot_home, bot)
        assert bot_home.api.buttons(question) == {"Yes": "/approve 7", "No": "/refuse 7"}
        query = bot_home.api.press(bot_home.anna, question, "Yes")
        press = await bot_home.desk.hear("/approve 7")
        answered = bot_home.api.hub(bot_home.person).answered
        await bot_home.world.until(lambda: query in answered)
    assert answered == {query: "Pressed already."}
    assert (press.pressed, press.reply_to, press.sender.id) == (
        query,
        question.id_for(bot_home.person),
        bot_home.anna.id,
    )
    assert (press.id, press.kind, press.chat) == (number_of(query), "dm", bot_home.chat(bot_home.anna))


async def test_p11_buttons_go_with_an_edit_and_stay_with_one_that_shows_them(bot_home: BotHome) -> None:
    async with bot_home.bot() as bot:
        question = await asked(bot_home, bot)
        chat, number = bot_home.chat(bot_home.anna), question.id_for(bot_home.person)
        await bot.edit(chat, number, "May I please?", (), BUTTONS)
        assert list(bot_home.api.buttons(question)) == ["Yes", "No"]
        await bot.edit(chat, number, "May I please?", ())
        assert bot_home.api.buttons(question) == {}


async def test_p11_a_press_that_waited_counts_although_its_answer_is_too_late(bot_home: BotHome) -> None:
    async with bot_home.bot() as bot:
        question = await asked(bot_home, bot)
    query = bot_home.api.press(bot_home.anna, question, "No")
    bot_home.api.hub(bot_home.person).answered[query] = "expired"  # from now on Telegram knows it no more
    bot_home.world.say(bot_home.anna, bot_home.person, "and more")
    async with bot_home.bot():
        press = await bot_home.desk.hear("/refuse 7")
        await bot_home.desk.hear("and more")
        assert press.pressed == query
        calls = bot_home.world.ledger.calls
        await bot_home.world.until(lambda: calls("answerCallbackQuery"))
        assert "query is too old" in calls("answerCallbackQuery")[-1].outcome


async def test_p11_a_press_whose_answer_is_lost_holds_nothing_up(bot_home: BotHome) -> None:
    async with bot_home.bot() as bot:
        question = await asked(bot_home, bot)
        bot_home.world.faults.cut_before(method="answerCallbackQuery")
        bot_home.api.press(bot_home.anna, question, "Yes")
        await bot_home.desk.hear("/approve 7")
        said = bot_home.world.say(bot_home.anna, bot_home.person, "next")
        assert (await bot_home.desk.hear("next")).id == said.id_for(bot_home.person)


async def test_bad_input_presses_of_any_shape_are_survived() -> None:
    desk, answers = Desk(), Answers()
    anna = {"id": 5, "is_bot": False, "first_name": "Anna"}
    chat = {"id": 5, "type": "private", "first_name": "Anna"}
    gone = {"message_id": 3, "date": 0, "chat": chat}
    base: dict[str, Any] = {"id": "1", "from": anna, "chat_instance": "x", "message": gone, "data": "/approve 7"}
    shapes: tuple[dict[str, Any], ...] = (
        base,
        base | {"id": "2", "message": None},
        base | {"id": "3", "data": None},
        base | {"id": "4", "data": "\0" + "x" * 999},
        {"id": "5"},
        {},
        base | {"id": "6", "message": {"message_id": "no"}},
    )
    told = [{"update_id": number, "callback_query": shape} for number, shape in enumerate(shapes)]
    await Updates(100, ServerClock(FakeClock()), desk, answers).take(told)
    assert desk.texts[0] == "/approve 7"
    assert desk.messages[0].reply_to == 3
    assert all(len(text) <= 256 and "\0" not in text for text in desk.texts)
    assert set(answers) == {"1", "4"}


def test_b1_a_press_has_a_number_of_its_own_below_every_message() -> None:
    numbers = {number_of(str(number)) for number in range(1_000)}
    assert len(numbers) == 1_000
    assert max(numbers) < 0
    assert min(numbers) > -(2**63)


def test_p11_a_press_in_a_topic_belongs_to_its_chat() -> None:
    user = telegram.User(5, "Anna", is_bot=False)
    forum = telegram.Chat(-1005, "supergroup", title="Forum", is_forum=True)
    now = FakeClock().now()
    under = telegram.Message(9, now, forum, message_thread_id=7, is_topic_message=True)
    press = to_press(telegram.CallbackQuery("1", user, "x", message=under, data="/stop 1"), 100, now)
    assert press is not None
    assert (press.chat.key, press.kind, press.title) == ("-1005/7", "group", "Forum")
