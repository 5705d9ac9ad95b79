"""Files to and from a played Telegram, over the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.attachment import File
from core.errors import FloodWait, Undeliverable, Unreachable
from core.message import Message, Part
from integrations.telegram.transfers import BIG, is_photo
from integrations.telegram.userbot import Userbot
from tests.integrations.telegram.desk import Desk, Home
from tests.world.content import PNG, make_jpeg, make_ogg, make_pdf, make_png
from tests.world.telegram import Media, SentMessage
from tests.world.telegram.rpc_account import ELSEWHERE

LIMIT = 20_000_000


async def heard(desk: Desk, said: SentMessage, home: Home) -> Message:
    number = said.id_for(home.valor)
    await desk.until(lambda: number in [message.id for message in desk.messages])
    return next(message for message in desk.messages if message.id == number)


async def fetched(bot: Userbot, message: Message, limit: int = LIMIT) -> bytes:
    reference = message.attachments[0].reference
    assert reference is not None
    return await bot.fetch(message.chat, message.id, reference, limit)


async def test_b11_what_is_sent_to_us_can_be_fetched(home: Home) -> None:
    desk, world = Desk(), home.world
    group = world.group("Dev", [home.anna, home.valor])
    pdf = make_pdf("The first page") + bytes(1_500_000)  # three parts
    async with home.userbot(desk) as bot:
        in_dm = world.say(
            home.anna, home.valor, "read it", media=world.media("document", "a.pdf", pdf, "application/pdf")
        )
        in_group = world.say(home.anna, group, "", media=world.media("photo", content=PNG))
        video = world.media("video", "clip.mp4", b"long", "video/mp4", seconds=5, thumb=make_jpeg(320, 200))
        thumb = world.say(home.anna, group, "", media=video)
        first = await heard(desk, in_dm, home)
        assert (first.text, first.attachments[0].label) == ("read it", "document a.pdf, 1.5 MB")
        assert await fetched(bot, first) == pdf
        assert await fetched(bot, await heard(desk, in_group, home)) == PNG
        assert await fetched(bot, await heard(desk, thumb, home)) == make_jpeg(320, 200)


async def test_b11_an_album_comes_as_messages_of_one_number(home: Home) -> None:
    desk, world = Desk(), home.world
    parts: list[Media] = [world.media("photo", content=PNG) for _ in range(3)]
    async with home.userbot(desk):
        said = world.say_album(home.anna, home.valor, "all three", *parts)
        messages = [await heard(desk, one, home) for one in said]
    assert [message.text for message in messages] == ["", "all three", ""]
    assert len({message.album for message in messages}) == 1
    assert messages[0].album


async def test_b11_a_file_in_another_data_centre_or_with_an_old_reference_is_fetched_all_the_same(home: Home) -> None:
    desk, world = Desk(), home.world
    far = world.media("voice", content=make_ogg(), mime="audio/ogg", seconds=3, dc_id=ELSEWHERE)
    async with home.userbot(desk) as bot:
        message = await heard(desk, world.say(home.anna, home.valor, "", media=far), home)
        world.expire_references()
        for _ in range(2):
            assert await fetched(bot, message) == make_ogg()
        assert len(world.ledger.calls("auth.importAuthorization")) >= 1
        assert world.connected(home.valor)


async def test_b11_what_is_gone_or_too_large_is_said(home: Home) -> None:
    desk, world = Desk(), home.world
    async with home.userbot(desk) as bot:
        said = world.say(home.anna, home.valor, "", media=world.media("document", "a.bin", bytes(3_000)))
        message = await heard(desk, said, home)
        with pytest.raises(Undeliverable, match="larger than 2 KB"):
            await fetched(bot, message, 2_000)
        world.faults.flood_wait(3, method="upload.getFile")
        with pytest.raises(FloodWait):
            await fetched(bot, message)
        world.delete(said)
        with pytest.raises(Undeliverable, match="not there any more"):
            await fetched(bot, message)


async def test_b11_a_connection_that_ends_in_a_file_is_told(home: Home) -> None:
    desk, world = Desk(), home.world
    async with home.userbot(desk) as bot:
        said = world.say(home.anna, home.valor, "", media=world.media("document", "a.bin", bytes(3_000)))
        message = await heard(desk, said, home)
        world.faults.cut_before(method="upload.getFile")
        with pytest.raises(Unreachable):
            await fetched(bot, message)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (File("chart.png", "image/png", make_png(64, 48)), "photo"),
        (File("table.csv", "text/csv", b"a,b\n1,2\n"), "document"),
        (File("long.png", "image/png", make_png(2, 60)), "document"),
        (File("large.bin", "application/octet-stream", bytes(BIG + 1)), "document"),
        (File("empty.txt", "text/plain", b""), "document"),
    ],
)
async def test_b11_a_file_is_sent_with_its_caption_once(home: Home, file: File, kind: str) -> None:
    desk, world = Desk(), home.world
    async with home.userbot(desk) as bot:
        asked = world.say(home.anna, home.valor, "make it")
        reply_to = asked.id_for(home.valor)
        part = Part(home.chat(home.anna), "Here it is.", reply_to=reply_to, random_id=77, file=file)
        number = await bot.send(part)
        (sent,) = world.answers_to(asked)
        assert sent.media is not None
        assert (sent.id_for(home.valor), sent.text, sent.media.kind) == (number, "Here it is.", kind)
        assert sent.media.content == file.content
        (looked,) = await bot.sent_after(part.chat, reply_to)
        assert (looked.id, looked.file) == (number, "photo" if kind == "photo" else file.name)


async def test_b11_a_picture_that_is_refused_as_a_photo_goes_as_a_file(home: Home) -> None:
    desk, world = Desk(), home.world
    async with home.userbot(desk) as bot:
        await heard(desk, world.say(home.anna, home.valor, "draw"), home)
        world.faults.error("PHOTO_INVALID_DIMENSIONS", method="messages.sendMedia")
        part = Part(home.chat(home.anna), "", random_id=78, file=File("a.png", "image/png", PNG))
        await bot.send(part)
        (sent,) = world.messages(sender=home.valor)
        assert sent.media is not None
        assert (sent.media.kind, sent.media.name) == ("document", "a.png")
        world.faults.error("CHAT_SEND_MEDIA_FORBIDDEN", method="messages.sendMedia")
        with pytest.raises(Undeliverable, match="may not send files"):
            await bot.send(replace(part, random_id=79))


def test_b11_what_telegram_would_not_show_is_no_photo() -> None:
    assert is_photo(File("a.jpg", "image/jpeg", make_jpeg(4_000, 3_000)))
    assert not is_photo(File("a.jpg", "image/jpeg", make_jpeg(9_000, 3_000)))
    assert not is_photo(File("a.jpg", "image/jpeg", b"no picture"))
