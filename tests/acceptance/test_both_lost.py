"""What becomes known, and how, when one of two fronts is lost: the other tells the owner, and what was said waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.installation import PROJECT
from tests.acceptance.test_valor import valor
from tests.terminal import at_terminal
from tests.world.telegram import Person, SentMessage

SIGN_IN = "scripts/telegram_login.sh"


@pytest.fixture
async def story(tmp_path: Path) -> AsyncGenerator[BotStory]:
    """The owner has written to both; the account was the last."""
    async with bot_story(tmp_path, alone=False) as story, story.product.running():
        for front in (story.bot, story.account):
            await story.settled(story.world.say(story.olivia, front, "hello"))
        async with story.product.explaining():
            yield story
        assert await story.audit() == []


async def told(story: BotStory, teller: Person, words: str) -> SentMessage:
    """What the owner is told by one of ours in their direct chat."""
    chat = story.world.dm(story.olivia, teller)
    return await story.until(
        lambda: next((one for one in story.world.messages(chat, teller) if words in one.text), None)
    )


async def sign_in(story: BotStory) -> None:
    """As the owner does, at a terminal."""
    ended = await story.product.run(SIGN_IN, typed=f"{story.account.phone}\n{story.account.code}\n")
    assert ended.code == 0, ended.said
    assert "Signed in as" in ended.said


async def test_b9_a_revoked_account_is_told_by_the_bot_and_goes_on_once_it_is_signed_in(story: BotStory) -> None:
    """Nothing is restarted, and what was said to the account meanwhile is answered once."""
    story.world.revoke(story.account)
    story.world.drop_connections(story.account)
    assert SIGN_IN in (await told(story, story.bot, "Telegram")).text
    asked = story.world.say(story.olivia, story.account, "Are you there?")
    by_bot = story.world.say(story.olivia, story.bot, "And you?")
    await story.settled(by_bot)
    assert story.answers(asked) == []
    await sign_in(story)
    await story.settled(asked)
    assert story.by(story.account, asked) == ["Echo: Are you there?"]


async def test_b9_an_account_with_a_password_goes_on_once_all_three_are_typed_at_a_terminal(story: BotStory) -> None:
    """A mistyped password is asked for again; it is neither shown nor left in any file of the installation."""
    story.account.password = "Schlüssel 🗝 42"
    story.world.revoke(story.account)
    story.world.drop_connections(story.account)
    await told(story, story.bot, "Telegram")
    asked = story.world.say(story.olivia, story.account, "Are you there?")
    async with at_terminal(SIGN_IN, environment=story.product.environment, folder=PROJECT) as terminal:
        await terminal.answer("country code: ", f"{story.account.phone}\n")
        await terminal.answer("has sent: ", f"{story.account.code}\n")
        await terminal.answer("password: ", f"{story.account.password}?\n")
        await terminal.answer("password: ", f"{story.account.password}\n")
        assert await terminal.end() == 0, terminal.shown
    assert "This is not the account's password.\n" in terminal.shown
    assert terminal.shown.endswith("Signed in as Valor (@valor_ai).\n")
    await story.settled(asked)
    assert story.by(story.account, asked) == ["Echo: Are you there?"]
    secret = story.account.password.encode()
    assert secret not in terminal.shown.encode()
    assert not [path for path in story.home.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("AUTH_KEY_DUPLICATED", 406, "two places at once"), ("USER_DEACTIVATED_BAN", 401, "Telegram's support")],
)
async def test_b9_an_account_that_telegram_has_shut_out_is_told_by_the_bot(
    story: BotStory, name: str, code: int, words: str
) -> None:
    story.world.faults.error(name, code, person=story.account, times=None)
    story.world.drop_connections(story.account)
    await told(story, story.bot, words)
    asked = story.world.say(story.olivia, story.bot, "Do you go on?")
    await story.settled(asked)
    assert story.by(story.bot, asked) == ["Echo: Do you go on?"]


async def test_b9_a_bot_whose_token_was_ended_is_told_by_the_account(story: BotStory) -> None:
    story.api.revoke(story.bot)
    story.world.ledger.wake()
    assert "TELEGRAM_BOT_TOKEN" in (await told(story, story.account, "revoked")).text
    asked = story.world.say(story.olivia, story.account, "Do you go on?")
    await story.settled(asked)
    assert story.by(story.account, asked) == ["Echo: Do you go on?"]


def refuse_once(story: BotStory, name: str, code: int) -> None:
    story.world.faults.error(name, code, method="messages.sendMessage", person=story.account)


async def test_b4_the_owner_is_told_of_a_group_in_which_nothing_may_be_written(story: BotStory) -> None:
    """What was owed there is kept, and sent again when the right is back and the owner says so."""
    refuse_once(story, "CHAT_WRITE_FORBIDDEN", 403)
    refused = story.world.say(story.olivia, story.dev, "What do you say?")
    await told(story, story.account, "may not write")
    number = str(await story.until(lambda: story.product.value("SELECT id FROM deliveries WHERE status = 'dead'")))
    assert story.by(story.account, refused) == []
    assert (await valor(story.product, "deadletters", "retry", number)).code == 0
    await story.settled(refused)
    assert story.by(story.account, refused) == ["Echo: What do you say?"]


async def test_b4_the_owner_is_told_of_a_group_in_slow_mode_which_gets_everything(story: BotStory) -> None:
    refuse_once(story, "SLOWMODE_WAIT_2", 420)
    asked = story.world.say(story.olivia, story.dev, "What do you say?")
    await told(story, story.account, "slow mode")
    await story.settled(asked)
    assert story.by(story.account, asked) == ["Echo: What do you say?"]


async def test_b8_the_owner_is_told_of_a_group_that_the_account_was_put_out_of(story: BotStory) -> None:
    story.world.leave(story.dev, story.account)
    await told(story, story.account, "Dev")
    asked = story.world.say(story.olivia, story.account, "Do you go on?")
    await story.settled(asked)
    assert story.by(story.account, asked) == ["Echo: Do you go on?"]


async def test_b12_while_the_account_is_lost_the_bot_tells_all_that_the_owner_must_know(story: BotStory) -> None:
    """Also of what has nothing to do with the account, though the owner's latest chat is with it."""
    story.world.revoke(story.account)
    story.world.drop_connections(story.account)
    await told(story, story.bot, "Telegram")
    story.world.faults.error("CHAT_WRITE_FORBIDDEN", 403, method="sendMessage", person=story.bot)
    refused = story.world.say(story.olivia, story.served, "What do you say?")
    assert "I cannot write in chat" in (await told(story, story.bot, "must add it again")).text
    number = str(await story.until(lambda: story.product.value("SELECT id FROM deliveries WHERE status = 'dead'")))
    assert (await valor(story.product, "deadletters", "retry", number)).code == 0
    await story.settled(refused)
    assert story.by(story.bot, refused) == ["Echo: What do you say?"]


async def test_b12_the_owner_is_told_of_a_group_that_the_bot_was_put_out_of(story: BotStory) -> None:
    await story.settled(story.world.say(story.olivia, story.served, "Hello"))
    story.world.leave(story.served, story.bot)
    assert "bot is no longer in the group" in (await told(story, story.account, "Served")).text
    asked = story.world.say(story.olivia, story.bot, "Do you go on?")
    await story.settled(asked)
    assert story.by(story.bot, asked) == ["Echo: Do you go on?"]
