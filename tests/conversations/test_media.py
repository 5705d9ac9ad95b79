"""What messages carry, read for their turn: pictures shown, speech written down, documents told, limits named."""

from __future__ import annotations

import pytest

from conversations.media import PICTURE_BYTES
from conversations.media_words import PICTURES
from core.attachment import Attachment, Kind, Picture
from core.errors import FloodWait, ModelRefused, RequestError, SessionError, Undeliverable, Unreachable
from integrations.memory import Carried
from tests.conversations.stage import DM, MAX, OLGA, TEAM, Stage
from tests.world.content import GIF, JPEG, PNG, make_ogg, make_png


def carrying(stage: Stage, kind: Kind, content: bytes | None, name: str = "", size: int | None = None) -> Carried:
    """One attachment; `content` None is gone from the chat."""
    number = len(stage.front.contents) + 1
    reference = f"{kind}/{number}/"
    if content is not None:
        stage.front.contents[reference] = content
    told = len(content or b"") if size is None else size
    return Carried((Attachment(kind, "x/y", told, name, reference=reference),))


def prompt_of(stage: Stage) -> str:
    return stage.agent.asked[-1][1]


async def pictures_of(stage: Stage) -> tuple[Picture, ...]:
    return await stage.media.pictures(stage.agent.asked[-1][0])


async def test_b11_a_photo_is_shown_with_its_caption(stage: Stage) -> None:
    await stage.say(DM, OLGA, "what is this?", carried=carrying(stage, Kind.PHOTO, PNG))
    await stage.quiet()
    assert prompt_of(stage) == f"what is this?\n[photo, {len(PNG)} bytes, shown as a picture]"
    assert await pictures_of(stage) == (Picture("image/png", PNG, "in/1"),)


async def test_b11_every_photo_of_an_album_is_shown_in_order(stage: Stage) -> None:
    parts = [carrying(stage, Kind.PHOTO, content) for content in (PNG, GIF, JPEG)]
    albums = [Carried(part.attachments, album=5) for part in parts]
    await stage.say(TEAM, MAX, "", carried=albums[0])
    await stage.say(TEAM, MAX, "@valor_ai which?", carried=albums[1])
    await stage.say(TEAM, MAX, "", carried=albums[2])
    await stage.quiet()
    assert [picture.content for picture in await pictures_of(stage)] == [PNG, GIF, JPEG]
    assert prompt_of(stage).count("shown as a picture") == 3
    assert "which?" in prompt_of(stage)


async def test_b11_a_voice_message_is_read_as_it_was_spoken(stage: Stage) -> None:
    stage.senses.said[make_ogg()] = "What time is it?"
    await stage.say(DM, OLGA, "", carried=carrying(stage, Kind.VOICE, make_ogg()))
    await stage.quiet()
    assert prompt_of(stage) == "[voice message, 2 KB, transcribed] What time is it?"
    (row,) = await stage.rows("attachments")
    assert (row.state, row.text) == ("read", "What time is it?")


async def test_b11_a_document_is_read_and_its_rest_can_be_asked_for(stage: Stage) -> None:
    long = "word " * 10_000
    stage.senses.said = {b"short": "Terms ``` and more", b"long": long}
    await stage.say(DM, OLGA, "sum it up", carried=carrying(stage, Kind.DOCUMENT, b"short", "a.txt"))
    await stage.quiet()
    assert prompt_of(stage).endswith(
        "sum it up\n[document a.txt, 5 bytes: text, 1 line, attachment 1]\n````\nTerms ``` and more\n````"
    )
    await stage.say(DM, OLGA, "and this", carried=carrying(stage, Kind.DOCUMENT, b"long", "b.txt"))
    await stage.quiet()
    assert prompt_of(stage).endswith("[24,000 of 50,000 characters; read_attachment(2, 24000) reads on]")


async def test_b11_a_picture_sent_as_a_file_is_shown_too(stage: Stage) -> None:
    await stage.say(DM, OLGA, "", carried=carrying(stage, Kind.DOCUMENT, GIF, "a.gif"))
    await stage.quiet()
    assert await pictures_of(stage) == (Picture("image/gif", GIF, "in/1"),)
    assert stage.senses.asked == []


async def test_b11_of_a_video_the_thumbnail_is_shown_and_that_is_said(stage: Stage) -> None:
    await stage.say(DM, OLGA, "look", carried=carrying(stage, Kind.VIDEO, JPEG, "clip.mp4", 90_000_000))
    await stage.quiet()
    assert "only its caption and its thumbnail can be seen here" in prompt_of(stage)
    assert len(await pictures_of(stage)) == 1
    await stage.say(DM, OLGA, "", carried=Carried((Attachment(Kind.VIDEO, size=9),)))
    await stage.quiet()
    assert prompt_of(stage).endswith(
        "[video, 9 bytes: only its caption and its thumbnail can be seen here, not the video itself]"
    )


async def test_b11_what_has_no_file_is_told_in_words(stage: Stage) -> None:
    await stage.say(DM, OLGA, "", carried=Carried((Attachment(Kind.POLL, note="When? (now / later)"),)))
    await stage.quiet()
    assert prompt_of(stage) == "[poll: When? (now / later)]"


@pytest.mark.parametrize(
    ("kind", "content", "size", "problem"),
    [
        (Kind.DOCUMENT, None, 2_000_000_000, "It has 2.0 GB; at most 20 MB of a document are read."),
        (Kind.VOICE, None, 30_000_000, "It has 30 MB; at most 25 MB of a voice message are read."),
        (Kind.PHOTO, b"no picture", 10, "It is no JPEG, PNG, GIF or WebP picture"),
        (Kind.DOCUMENT, PNG + bytes(PICTURE_BYTES), 10, "It has 3.8 MB; at most 3.8 MB are looked at."),
        (Kind.PHOTO, make_png(8_001, 2), 10, "It is 8001 by 2 dots"),
        (Kind.DOCUMENT, b"odd", 3, "It is unreadable."),
        (Kind.PHOTO, None, 10, "The message is not there any more."),
    ],
)
async def test_b11_what_cannot_be_read_is_named_with_its_reason(
    stage: Stage, kind: Kind, content: bytes | None, size: int, problem: str
) -> None:
    await stage.say(DM, OLGA, "see", carried=carrying(stage, kind, content, size=size))
    await stage.quiet()
    assert f": not read. {problem}" in prompt_of(stage)
    assert await pictures_of(stage) == ()
    (row,) = await stage.rows("attachments")
    assert row.state == "unread"


async def test_b11_a_sound_that_is_none_is_said_for_good(stage: Stage) -> None:
    stage.senses.failures.append(RequestError("It is no sound."))
    voice = await stage.say(DM, OLGA, "", carried=carrying(stage, Kind.VOICE, b"MZ"))
    await stage.quiet()
    assert prompt_of(stage) == "[voice message, 2 bytes: not read. It is no sound.]"
    await stage.say(DM, OLGA, "really?", reply_to=voice.id)
    await stage.quiet()
    assert len(stage.senses.asked) == 1


async def test_b11_what_failed_for_a_moment_is_read_when_it_is_asked_about_again(stage: Stage) -> None:
    stage.senses.said[make_ogg()] = "Buy milk."
    stage.senses.failures.append(ModelRefused("OPENAI_API_KEY is not set."))
    voice = await stage.say(TEAM, MAX, "@valor_ai", carried=carrying(stage, Kind.VOICE, make_ogg()))
    await stage.quiet()
    assert prompt_of(stage).endswith("[voice message, 2 KB: not read. OPENAI_API_KEY is not set.]")
    await stage.say(TEAM, MAX, "@valor_ai now?", reply_to=voice.id)
    await stage.quiet()
    assert "With what they reply to came:\n[voice message, 2 KB, transcribed] Buy milk.\n\nNow:\nnow?" in prompt_of(
        stage
    )


async def test_b11_a_reply_shows_the_album_it_replies_to(stage: Stage) -> None:
    parts = [carrying(stage, Kind.PHOTO, content) for content in (PNG, GIF)]
    first = await stage.say(TEAM, MAX, "", carried=Carried(parts[0].attachments, album=5))
    await stage.say(TEAM, MAX, "holiday", carried=Carried(parts[1].attachments, album=5))
    await stage.say(TEAM, OLGA, "@valor_ai where is that?", reply_to=first.id)
    await stage.quiet()
    assert [picture.content for picture in await pictures_of(stage)] == [PNG, GIF]


@pytest.mark.parametrize("error", [FloodWait(2), Unreachable("The connection ended.")])
async def test_b11_fetching_is_tried_again_where_that_may_help(stage: Stage, error: Exception) -> None:
    stage.front.refuse("fetch", error)
    await stage.say(DM, OLGA, "", carried=carrying(stage, Kind.PHOTO, PNG))
    await stage.clock.until_asleep(lambda naps: len(naps) == 2)  # typing waits too
    stage.clock.advance(2)
    await stage.quiet()
    assert len(await pictures_of(stage)) == 1


@pytest.mark.parametrize("error", [FloodWait(600), SessionError("Signed out."), Undeliverable("Gone.")])
async def test_b11_what_will_not_help_is_not_tried_again(stage: Stage, error: Exception) -> None:
    stage.front.refuse("fetch", error)
    await stage.say(DM, OLGA, "", carried=carrying(stage, Kind.PHOTO, PNG))
    await stage.quiet()
    assert f"not read. {error}" in prompt_of(stage)
    assert [call for call, _ in stage.front.calls].count("fetch") == 1


async def test_b11_a_run_that_is_begun_again_sees_the_same_and_a_lost_file_is_fetched_anew(stage: Stage) -> None:
    await stage.say(DM, OLGA, "look", carried=carrying(stage, Kind.PHOTO, PNG))
    await stage.quiet()
    turn, prompt = stage.agent.asked[-1]
    assert (await stage.media.words(turn)).asked[turn.asked[0].message_id] in prompt
    assert [call for call, _ in stage.front.calls].count("fetch") == 1
    (stage.folder / "media" / "in" / "1").unlink()
    await stage.media.words(turn)
    assert await stage.media.pictures(turn) == (Picture("image/png", PNG, "in/1"),)


async def test_b11_more_pictures_than_a_model_looks_at_are_named(stage: Stage) -> None:
    for _ in range(PICTURES + 1):
        await stage.say(DM, OLGA, "", carried=carrying(stage, Kind.PHOTO, PNG))
    await stage.quiet()
    assert len(await pictures_of(stage)) == PICTURES
    assert prompt_of(stage).count("not read. At most 20 pictures") == 1
