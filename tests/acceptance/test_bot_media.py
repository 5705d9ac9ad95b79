"""Media with the bot, both ways, and files made to do harm: real processes over the played Bot API.

The account is there too, for what either front must do alike.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import pytest

from runtime.reader import DAMAGED, TOO_MUCH
from tests.acceptance.bot_story import BotStory, bot_story
from tests.acceptance.script_model import Use, command, do, write
from tests.acceptance.story import UNFINISHED
from tests.acceptance.test_bot_kills import barrier
from tests.acceptance.test_media import DRAW, pictures_of, read_as_words
from tests.runtime.test_reader import LAUGHS
from tests.world.anthropic import Asked, Hang
from tests.world.content import GIF, JPEG, PNG, make_docx, make_ogg, make_pdf, make_png, make_zip
from tests.world.speech import SpeechWorld
from tests.world.telegram import Chat, Media, Person, SentMessage

LARGEST_PHOTO = 10 * 1024 * 1024
HIDDEN = "what nobody was to read"


@dataclass
class Stage:
    """The story with both fronts and ears."""

    story: BotStory
    speech: SpeechWorld

    def media(self, kind: str, name: str = "", content: bytes = b"", mime: str = "") -> Media:
        return self.story.world.media(kind, name, content, mime)

    def document(self, name: str, content: bytes) -> Media:
        return self.media("document", name, content, "application/octet-stream")

    def say(self, text: str = "", media: Media | None = None, *, who: Person | None = None) -> SentMessage:
        """A friend of its own says it to the bot, or somebody who did before."""
        return self.story.world.say(who or self.story.friend(), self.story.bot, text, media=media)

    async def settled(self, asked: SentMessage) -> list[SentMessage]:
        async with self.story.product.explaining():
            return await self.story.settled(asked)

    async def answer(self, asked: SentMessage) -> str:
        (answer,) = await self.settled(asked)
        return answer.text

    def asked_with(self, words: str) -> Asked:
        """The latest model request whose question holds these words."""
        return next(seen.asked for seen in reversed(self.story.model.calls) if words in seen.asked.question)

    def fetched(self) -> int:
        return sum(request.method == "getFile" for request in self.story.world.ledger.requests)


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    folder = tmp_path_factory.mktemp("media")
    async with SpeechWorld() as speech, bot_story(folder, alone=False) as story:
        story.product.configure(OPENAI_BASE_URL=speech.url, OPENAI_API_KEY="dummy")
        async with story.product.running():
            yield Stage(story, speech)
            assert await story.audit() == []


# -- what people send


async def test_b11_a_photo_is_seen_by_the_model_with_its_caption(stage: Stage) -> None:
    told = await stage.answer(stage.say("What is in the picture?", stage.media("photo", content=PNG)))
    assert told.startswith("Echo: What is in the picture?\n[photo, ")
    assert pictures_of(stage.asked_with("What is in the picture?")) == [PNG]


async def test_b11_an_album_in_a_direct_chat_is_one_question(stage: Stage) -> None:
    """Though the model may have begun with the first picture when the others come."""
    story, first = stage.story, make_png(2, 3)
    story.model.answer(Hang(), when=lambda asked: pictures_of(asked) == [first])
    assert await answers_to_album(stage, story.bot, "{}", first, JPEG, GIF) == ["All of them."]


async def test_b11_an_album_in_a_group_is_seen_whole_where_its_caption_mentions_the_bot(stage: Stage) -> None:
    assert await answers_to_album(stage, stage.story.quiet, "@valor_bot {}", GIF, PNG, JPEG) == ["All of them."]


async def answers_to_album(stage: Stage, where: Chat | Person, caption: str, *pictures: bytes) -> list[str]:
    """All that is answered to an album, of which the model says something only when it sees the whole."""
    story = stage.story
    parts = [stage.media("photo", content=content) for content in pictures]
    gate = f"album {parts[0].id}"
    words = caption.format(do(say="All of them.", gate=gate))
    album = story.world.say_album(story.olivia, where, words, *parts)

    def answers() -> list[str]:
        return [one.text for part in album for one in story.answers(part)]

    async with story.product.explaining():
        await story.until(lambda: list(pictures) in [pictures_of(seen.asked) for seen in story.model.calls])
        story.script.open(gate)
        await story.until(answers)
        await story.until(lambda: not story.product.value(UNFINISHED))
        await barrier(story)
    return answers()


async def test_a4_a_caption_that_mentions_the_bot_counts_and_another_does_not(stage: Stage) -> None:
    story, quiet = stage.story, stage.story.quiet
    unheard = story.world.say(story.sam, quiet, "My garden", media=stage.media("photo", content=JPEG))
    asked = story.world.say(story.sam, quiet, "@valor_bot what grows here?", media=stage.media("photo", content=PNG))
    assert (await stage.answer(asked)).startswith("Echo: what grows here?\n[photo, ")
    assert pictures_of(stage.asked_with("what grows here?")) == [PNG]
    assert (story.answers(unheard), story.reactions(unheard)) == ([], [])


async def test_a4_an_edit_of_a_caption_that_mentions_the_bot_asks_for_the_picture(stage: Stage) -> None:
    story = stage.story
    asked = story.world.say(story.sam, story.quiet, "Which bird?", media=stage.media("photo", content=GIF))
    async with story.product.explaining():
        await story.until(lambda: story.rows(story.bot, asked))
        story.world.edit(asked, "@valor_bot which bird?")
    assert (await stage.answer(asked)).startswith("Echo: which bird?\n[photo, ")
    assert pictures_of(stage.asked_with("which bird?")) == [GIF]


async def test_b11_a_voice_message_is_transcribed_and_kept(stage: Stage) -> None:
    sound = make_ogg(3_000)
    stage.speech.said[sound] = "How late is it in Porto?"
    told = await stage.answer(stage.say(media=stage.media("voice", content=sound, mime="audio/ogg")))
    assert "transcribed] How late is it in Porto?" in told
    kept = "SELECT text FROM attachments WHERE kind = 'voice message' AND text LIKE 'How late%'"
    assert stage.story.product.value(kept) == "How late is it in Porto?"


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("plan.pdf", make_pdf("The plan of the garden"), "PDF, 1 page, attachment"),
        ("letter.docx", make_docx("Dear garden"), "Dear garden"),
        ("main.py", b"print('garden')\n", "print('garden')"),
    ],
)
async def test_b11_documents_are_read_in_their_fence(stage: Stage, name: str, content: bytes, text: str) -> None:
    assert text in await stage.answer(stage.say(f"read {name}", stage.document(name, content)))


async def test_b11_a_file_that_is_too_much_is_named_with_the_limit_that_it_hits(stage: Stage) -> None:
    """Ours before anything is asked for; Telegram's, which lets bots fetch less than we listen to, when it says so."""
    before, disk = stage.fetched(), stage.story.world.media("document", "disk.iso", size=2_000_000_000)
    told = await stage.answer(stage.say("and this?", disk))
    assert "It has 2.0 GB; at most 20 MB of a document are read." in told
    assert stage.fetched() == before
    concert = stage.media("audio", "concert.ogg", make_ogg(21_000_000), "audio/ogg")
    told = await stage.answer(stage.say("and that?", concert))
    assert "not read. The file is larger than the 20 MB that Telegram lets bots fetch." in told


async def test_b11_polls_contacts_places_and_stickers_are_read_as_words(stage: Stage) -> None:
    friend = stage.story.friend()
    for media, words in read_as_words(stage.story.world):
        assert await stage.answer(stage.say(media=media, who=friend)) == f"Echo: {words}"


# -- what the agent sends


async def test_b11_what_the_agent_makes_is_sent_as_file_and_as_picture(stage: Stage) -> None:
    sends = (Use("send_file", {"path": "a.csv", "caption": "The *table*."}), Use("send_file", {"path": "dot.png"}))
    asked = stage.say(do(write("a.csv", "a,b\n1,2\n"), command(DRAW), *sends, say="Both are there."))
    table, picture, said = await stage.settled(asked)
    assert [one.text for one in (table, picture, said)] == ["The table.", "", "Both are there."]
    assert carried(table) == ("document", "a.csv", b"a,b\n1,2\n")
    assert carried(picture) == ("photo", "dot.png", PNG)
    assert list((stage.story.home / "data" / "media" / "out").iterdir()) == []


@pytest.mark.parametrize("front", ["bot", "account"])
async def test_b11_a_picture_over_ten_megabytes_is_sent_as_a_document(stage: Stage, front: str) -> None:
    """And one that just fits as a photo."""
    story = stage.story
    sizes = {"fits.png": LARGEST_PHOTO, "over.png": LARGEST_PHOTO + 1}
    grow = "; ".join(f"cp dot.png {name}; truncate -s {size} {name}" for name, size in sizes.items())
    uses = (command(f"{DRAW}; {grow}"), *(Use("send_file", {"path": name, "caption": name}) for name in sizes))
    to = story.bot if front == "bot" else story.account
    asked = story.world.say(story.friend(), to, do(*uses, say="Sent."))
    fits, over, said = await stage.settled(asked)
    assert [one.text for one in (fits, over, said)] == ["fits.png", "over.png", "Sent."]
    assert (carried(fits)[0], carried(over)[:2]) == ("photo", ("document", "over.png"))
    for one, size in zip((fits, over), sizes.values(), strict=True):
        assert carried(one)[2] == PNG + bytes(size - len(PNG))


def carried(message: SentMessage) -> tuple[str, str, bytes]:
    assert message.media is not None
    return message.media.kind, message.media.name, message.media.content


# -- files made to do harm


def swollen() -> bytes:
    """65 MB of nothing in 64 KB."""
    return make_zip({"word/document.xml": bytes(65_000_000)})


def crowded() -> bytes:
    """One paragraph of 6,000,000 elements, each of which takes many times its letters in memory."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    crowd = '<a b=""/>' * 6_000_000
    return make_zip({"word/document.xml": f"<w:document {space}><w:p>{crowd}</w:p></w:document>"})


def vast() -> bytes:
    """A picture that says it has ten thousand million dots."""
    return make_png().replace(bytes((0, 0, 0, 1)) * 2, (100_000).to_bytes(4, "big") * 2)


def archive_behind_a_picture() -> bytes:
    """Whose beginning makes it a picture of odd size."""
    return GIF[:6] + make_docx(HIDDEN)


def archive_that_begins_as_a_pdf() -> bytes:
    return make_zip({"%PDF-1.7": "", "word/document.xml": f"<x>{HIDDEN}</x>"})


@pytest.mark.parametrize(
    ("make", "name", "told"),
    [
        (swollen, "swollen.docx", "It unpacks to more than 64,000,000 bytes: that is not read."),
        (crowded, "crowded.docx", TOO_MUCH),
        (lambda: LAUGHS, "laughs.docx", DAMAGED),
        (vast, "vast.png", "It is 100000 by 100000 dots; at most 8,000 either way are looked at."),
        (archive_behind_a_picture, "holiday.docx", "It is 19280 by 1027 dots; at most 8,000 either way are looked at."),
        (archive_that_begins_as_a_pdf, "form.docx", DAMAGED),
    ],
    ids=["unpacks", "memory", "entities", "dots", "picture and archive", "PDF and archive"],
)
async def test_bad_input_a_file_made_to_do_harm_is_said_to_be_unreadable_and_harms_nobody(
    stage: Stage, make: Callable[[], bytes], name: str, told: str
) -> None:
    story, friend, content = stage.story, stage.story.friend(), make()
    former = story.product.pid("server")
    places: list[Chat | Person] = [story.bot, story.account]
    sent = [story.world.say(friend, place, f"read {name}", media=stage.document(name, content)) for place in places]
    for asked in sent:
        answer = await stage.answer(asked)
        assert f"[document {name}, " in answer
        assert f": not read. {told}]" in answer
    for place in places:
        assert await stage.answer(story.world.say(friend, place, "And now?")) == "Echo: And now?"
    assert story.product.pid("server") == former
    assert not any(HIDDEN in str(seen.asked.body) for seen in story.model.calls)
    assert not any("documents.py" in line for line in story.product.processes().values())
