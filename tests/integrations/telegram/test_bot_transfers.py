"""Files to and from the played Bot API, over the wire."""

from __future__ import annotations

import pytest

from core.attachment import File
from core.errors import Undeliverable, Unreachable
from core.message import Entity, Message, Part
from integrations.telegram.bot import Bot
from tests.integrations.telegram.bot_stage import BotHome
from tests.world.content import PNG, make_jpeg, make_pdf, make_png
from tests.world.telegram import Media, SentMessage

LIMIT = 30_000_000


async def heard(home: BotHome, said: SentMessage) -> Message:
    number = said.id_for(home.person)
    await home.desk.until(lambda: number in [message.id for message in home.desk.messages])
    return next(message for message in home.desk.messages if message.id == number)


async def fetched(home: BotHome, bot: Bot, media: Media, limit: int = LIMIT) -> bytes:
    message = await heard(home, home.world.say(home.anna, home.person, "", media=media))
    reference = message.attachments[0].reference
    assert reference is not None
    return await bot.fetch(message.chat, message.id, reference, limit)


async def test_b11_what_is_sent_to_us_can_be_fetched(bot_home: BotHome) -> None:
    world, pdf = bot_home.world, make_pdf("The first page") + bytes(100_000)
    async with bot_home.bot() as bot:
        assert await fetched(bot_home, bot, world.media("document", "a.pdf", pdf, "application/pdf")) == pdf
        assert await fetched(bot_home, bot, world.media("photo", content=PNG)) == PNG
        video = world.media("video", "clip.mp4", b"long", "video/mp4", seconds=5, thumb=make_jpeg(320, 200))
        assert await fetched(bot_home, bot, video) == make_jpeg(320, 200)


async def test_b11_what_is_too_large_or_gone_is_said(bot_home: BotHome) -> None:
    world = bot_home.world
    async with bot_home.bot() as bot:
        with pytest.raises(Undeliverable, match="larger than 5 bytes"):
            await fetched(bot_home, bot, world.media("document", "a", b"sixsix"), 5)
        with pytest.raises(Undeliverable, match="20 MB that Telegram lets bots fetch"):
            await fetched(bot_home, bot, world.media("document", "a", bytes(21 * 1024 * 1024)))
        with pytest.raises(Undeliverable, match="not there any more"):
            await bot.fetch(bot_home.chat(bot_home.anna), 1, "file-999", LIMIT)


async def test_b11_pictures_go_as_photos_and_the_rest_as_files(bot_home: BotHome) -> None:
    home, chat = bot_home, bot_home.chat(bot_home.anna)
    asked = home.world.say(home.anna, home.person, "draw")
    async with home.bot() as bot:
        bold = (Entity("bold", 0, 4),)
        picture = File("dot.png", "image/png", PNG)
        number = await bot.send(Part(chat, "here", bold, asked.id_for(home.person), file=picture))
        await bot.send(Part(chat, "", file=File("wide.png", "image/png", make_png(2_000, 10))))
        await bot.send(Part(chat, "", file=File("ä b.txt", "text/plain", b"\r\n--x\r\n")))
    photo, wide, text = home.world.messages(sender=home.person)
    assert (photo.text, photo.id_for(home.person), photo.entities[0].kind) == ("here", number, "bold")
    assert home.world.answers_to(asked) == [photo]
    sent = [(one.media.kind, one.media.name, one.media.content) for one in (photo, wide, text) if one.media]
    assert sent[0] == ("photo", "dot.png", PNG)
    assert [kind for kind, _, _ in sent] == ["photo", "document", "document"]
    assert sent[2][1:] == ("ä b.txt", b"\r\n--x\r\n")


async def test_b11_what_telegram_shows_as_no_photo_goes_as_a_file(bot_home: BotHome) -> None:
    home = bot_home
    home.world.say(home.anna, home.person, "draw")
    async with home.bot() as bot:
        home.world.faults.error("PHOTO_INVALID_DIMENSIONS", person=home.person, method="sendPhoto")
        await bot.send(Part(home.chat(home.anna), "", file=File("dot.png", "image/png", PNG)))
        home.world.faults.lose_answer(home.person, "sendPhoto")
        with pytest.raises(Unreachable):  # it may have arrived: nothing is sent in its place
            await bot.send(Part(home.chat(home.anna), "", file=File("dot.png", "image/png", PNG)))
    assert [one.media.kind for one in home.world.messages(sender=home.person) if one.media] == ["document", "photo"]
