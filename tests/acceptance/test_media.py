"""Media both ways, links and long answers: real processes, real protocols, no patched code."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from tests.acceptance.script_model import Use, command, do, promise, write
from tests.acceptance.story import Story, told_in
from tests.world.anthropic import Asked, Say
from tests.world.anthropic_wire import blocks_of
from tests.world.content import GIF, JPEG, PNG, make_docx, make_ogg, make_pdf
from tests.world.speech import SpeechWorld
from tests.world.telegram import Media, Person, SentMessage, TelegramWorld
from tests.world.telegram.rpc_account import ELSEWHERE
from tests.world.web import WebWorld, html

DRAW = (
    f"python3 -c \"import base64; open('dot.png', 'wb').write(base64.b64decode('{base64.b64encode(PNG).decode()}'))\""
)
LONG = "\n\n".join(f"Paragraph {number}: " + "what there is to say. " * 50 for number in range(60))


@dataclass
class Stage:
    """The story with ears and a web around it."""

    story: Story
    speech: SpeechWorld
    web: WebWorld

    async def ask(self, text: str = "", *, media: Media | None = None, who: Person | None = None) -> SentMessage:
        """A friend of its own says it, or somebody who did before, and it is answered."""
        asked = self.story.world.say(who or self.story.friend(), self.story.valor, text, media=media)
        await self.settled(asked)
        return asked

    async def settled(self, asked: SentMessage) -> list[SentMessage]:
        async with self.story.product.explaining():
            return await self.story.settled(asked, 30)

    def media(self, kind: str, name: str = "", content: bytes = b"", mime: str = "") -> Media:
        return self.story.world.media(kind, name, content, mime)

    def asked_with(self, words: str) -> Asked:
        """The model request whose prompt holds these words."""
        return next(seen.asked for seen in self.story.model.calls if words in seen.asked.prompt)

    def answer(self, asked: SentMessage) -> str:
        return "\n".join(answer.text for answer in self.story.answers(asked))


def pictures_of(asked: Asked) -> list[bytes]:
    blocks = (block for message in asked.messages for block in blocks_of(message, "image"))
    return [base64.b64decode(block["source"]["data"]) for block in blocks]


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with SpeechWorld() as speech, WebWorld() as web:
        settings = {"OPENAI_BASE_URL": speech.url, "OPENAI_API_KEY": "dummy", "LINK_PRIVATE_HOSTS": web.address}
        folder = tmp_path_factory.mktemp("media")
        async with told_in(folder, **settings) as story, story.product.running():
            yield Stage(story, speech, web)
            assert await story.audit() == []


async def test_b11_a_photo_is_seen_by_the_model_with_its_caption(stage: Stage) -> None:
    asked = await stage.ask("What is in the picture?", media=stage.media("photo", content=PNG))
    assert stage.answer(asked).startswith("Echo: What is in the picture?\n[photo, ")
    assert pictures_of(stage.asked_with("What is in the picture?")) == [PNG]


async def test_b11_an_album_in_a_group_is_seen_whole_where_its_caption_mentions_us(stage: Stage) -> None:
    story = stage.story
    parts = [stage.media("photo", content=content) for content in (PNG, JPEG, GIF)]
    first, asked, last = story.world.say_album(story.olivia, story.other, "@valor_ai which one?", *parts)
    async with story.product.explaining():
        await story.until(lambda: story.answers(last) or story.answers(asked), 30)
    seen = [seen.asked for seen in story.model.calls if "which one?" in seen.asked.prompt][-1]
    assert pictures_of(seen) == [PNG, JPEG, GIF]
    assert story.answers(first) == []


async def test_b11_a_reply_shows_what_it_replies_to(stage: Stage) -> None:
    story = stage.story
    photo = story.world.say(story.sam, story.other, "from the trip", media=stage.media("photo", content=JPEG))
    asked = story.world.say(story.olivia, story.other, "@valor_ai where was that taken?", reply_to=photo)
    await stage.settled(asked)
    assert pictures_of(stage.asked_with("where was that taken?")) == [JPEG]


async def test_b11_a_voice_message_is_transcribed_and_kept(stage: Stage) -> None:
    sound = make_ogg(3_000)
    stage.speech.said[sound] = "How late is it in Lisbon?"
    asked = await stage.ask(media=stage.media("voice", content=sound, mime="audio/ogg"))
    assert "transcribed] How late is it in Lisbon?" in stage.answer(asked)
    kept = "SELECT text FROM attachments WHERE kind = 'voice message' AND text LIKE 'How late%'"
    assert stage.story.product.value(kept) == "How late is it in Lisbon?"


async def test_b11_an_audio_that_is_no_audio_is_said_so(stage: Stage) -> None:
    asked = await stage.ask("listen", media=stage.media("audio", "song", b"MZ program", "audio/mpeg"))
    assert "not read. It is no sound that can be read" in stage.answer(asked)
    assert b"MZ program" not in [heard.sound for heard in stage.speech.heard]


@pytest.mark.parametrize(
    ("name", "content", "mime", "text"),
    [
        ("plan.pdf", make_pdf("The plan of the garden"), "application/pdf", "The plan of the garden"),
        ("letter.docx", make_docx("Dear garden"), "application/x", "Dear garden"),
        ("main.py", b"print('garden')\n", "text/x-python", "print('garden')"),
        ("fake.pdf", b"\0\1\2 no document", "application/pdf", "It is no text, PDF, office document or archive."),
        ("torn.docx", b"PK\x03\x04 torn", "application/x", "It is damaged"),
    ],
)
async def test_b11_documents_are_read_in_their_fence(
    stage: Stage, name: str, content: bytes, mime: str, text: str
) -> None:
    asked = await stage.ask(f"read {name}", media=stage.media("document", name, content, mime))
    assert text in stage.answer(asked)
    assert len(stage.story.answers(asked)) == 1


async def test_b11_a_file_of_two_gigabytes_is_named_and_not_fetched(stage: Stage) -> None:
    world = stage.story.world
    before = len(world.ledger.calls("upload.getFile"))
    asked = await stage.ask("and this?", media=world.media("document", "disk.iso", size=2_000_000_000))
    assert "It has 2.0 GB; at most 20 MB of a document are read." in stage.answer(asked)
    assert len(world.ledger.calls("upload.getFile")) == before


async def test_b11_files_lie_in_other_data_centres_and_videos_are_named(stage: Stage) -> None:
    far = stage.story.world.media("photo", content=GIF, dc_id=ELSEWHERE)
    await stage.ask("from afar", media=far)
    assert pictures_of(stage.asked_with("from afar")) == [GIF]
    clip = stage.story.world.media("video", "clip.mp4", b"film", "video/mp4", seconds=9, thumb=JPEG)
    asked = await stage.ask("watch", media=clip)
    assert "only its caption and its thumbnail can be seen here" in stage.answer(asked)
    assert pictures_of(stage.asked_with("watch")) == [JPEG]


def read_as_words(world: TelegramWorld) -> list[tuple[Media, str]]:
    """What is no file for the model, and how the model reads it."""
    return [
        (world.media("poll", "Tea?", choices=("yes", "no")), "[poll: Tea? (yes / no)]"),
        (world.media("contact", "Ann"), "[contact: Ann, +49 30 1]"),
        (world.media("location"), "[location: 52.52000, 13.40500]"),
        (world.media("sticker", "🌻", b"webp", "image/webp"), "[sticker: 🌻]"),
    ]


async def test_b11_polls_contacts_places_and_stickers_are_read_as_words(stage: Stage) -> None:
    friend = stage.story.friend()
    for media, words in read_as_words(stage.story.world):
        asked = await stage.ask(media=media, who=friend)
        assert stage.answer(asked) == f"Echo: {words}"


async def test_b11_what_the_agent_makes_is_sent_as_file_and_as_picture(stage: Stage) -> None:
    sends = (Use("send_file", {"path": "a.csv", "caption": "The *table*."}), Use("send_file", {"path": "dot.png"}))
    asked = await stage.ask(do(write("a.csv", "a,b\n1,2\n"), command(DRAW), *sends, say="Both are there."))
    table, picture, said = stage.story.answers(asked)
    assert (said.text, table.text, picture.text) == ("Both are there.", "The table.", "")
    assert table.media is not None
    assert picture.media is not None
    assert (table.media.kind, table.media.name, table.media.content) == ("document", "a.csv", b"a,b\n1,2\n")
    assert (picture.media.kind, picture.media.content) == ("photo", PNG)
    assert list((stage.story.home / "data" / "media" / "out").iterdir()) == []


async def test_b11_an_attachment_goes_into_the_workspace_and_back(stage: Stage) -> None:
    story = stage.story
    friend = story.friend()
    first = story.world.say(
        friend, story.valor, "here", media=stage.media("document", "in.txt", b"kept\n", "text/plain")
    )
    await stage.settled(first)
    number = story.product.value("SELECT MAX(id) FROM attachments WHERE name = 'in.txt'")
    uses = (Use("save_attachment", {"number": number, "path": "kept.txt"}), Use("send_file", {"path": "kept.txt"}))
    asked = story.world.say(friend, story.valor, do(*uses, say="Kept."))
    await stage.settled(asked)
    assert (story.private_work(friend) / "kept.txt").read_bytes() == b"kept\n"
    assert [answer.media.content for answer in story.answers(asked) if answer.media] == [b"kept\n"]


async def test_b11_a_promise_sends_its_files_too(stage: Stage) -> None:
    story = stage.story
    words = do(write("report.md", "# Report\n"), Use("send_file", {"path": "report.md"}), say="It is done.")
    asked = story.world.say(story.friend(), story.valor, promise(words))
    async with story.product.explaining():
        await story.until(lambda: any("is done" in answer.text for answer in story.answers(asked)), 30)
        await story.until(lambda: not story.owed(), 10)
    files = [answer.media.name for answer in story.answers(asked) if answer.media]
    assert files == ["report.md"]
    assert "sent: report.md" in stage.answer(asked)


async def test_b4_an_answer_of_more_than_five_parts_is_its_beginning_and_a_file(stage: Stage) -> None:
    stage.story.model.answer(Say(LONG), when=lambda asked: "tell me everything" in asked.question)
    asked = await stage.ask("tell me everything")
    beginning, file = stage.story.answers(asked)
    assert beginning.text.startswith("Paragraph 0: what there is to say.")
    assert f"[This is the beginning of {len(LONG):,} characters: the full text is in the file.]" in beginning.text
    assert file.media is not None
    assert (file.media.name, file.media.content.decode()) == ("answer.md", LONG)


async def test_b10_a_link_is_saved_read_and_found_again(stage: Stage) -> None:
    story, url = stage.story, f"{stage.web.url}/tides"
    stage.web.pages["/tides"] = html("On tides", "The moon pulls at the sea, twice a day.")
    story.model.answer(Say("Why the sea\nrises twice."), when=lambda asked: url in asked.prompt and not asked.tools)
    friend = story.friend()
    asked = story.world.say(friend, story.valor, url)
    assert [answer.text for answer in await stage.settled(asked)] == ["Saved: On tides. Why the sea rises twice."]
    found = story.world.say(friend, story.valor, "/link sea twice")
    assert [answer.text for answer in await stage.settled(found)] == [
        f"{url} ({friend.first_name}, {story.product.value('SELECT date(saved_at) FROM links')})\n"
        "On tides. Why the sea rises twice."
    ]
    searched = story.world.say(friend, story.valor, do(Use("search_links", {"words": "tides"}), say="Found."))
    await stage.settled(searched)
    results = [seen.asked.results for seen in story.model.calls if "search_links" in seen.asked.question]
    assert url in results[-1][0].text
    elsewhere = await stage.ask("/link tides")
    assert stage.answer(elsewhere) == "No saved link holds all of these words."


async def test_b10_of_two_links_in_one_breath_each_is_summarised_for_itself(stage: Stage) -> None:
    story, friend = stage.story, stage.story.friend()
    for page in ("moon", "sea"):
        stage.web.pages[f"/{page}"] = html(f"On the {page}", f"All about the {page}.")
        url = f"{stage.web.url}/{page}"
        story.model.answer(
            Say(f"About the {page}"), when=lambda asked, url=url: url in asked.prompt and not asked.tools
        )
    story.world.say(friend, story.valor, f"{stage.web.url}/moon")
    last = story.world.say(friend, story.valor, f"{stage.web.url}/sea")
    assert [answer.text for answer in await stage.settled(last)] == [
        "Saved: On the moon. About the moon\n\nSaved: On the sea. About the sea"
    ]


async def test_b10_a_page_on_a_private_network_is_not_reached(stage: Stage) -> None:
    asked = await stage.ask(f"http://127.0.0.1:{stage.story.product.port}/health")
    assert stage.answer(asked) == f"Saved, but not read: Port {stage.story.product.port} is not reached from here."


async def test_b11_a_server_that_dies_while_it_listens_listens_again_and_answers_once(stage: Stage) -> None:
    story, sound = stage.story, make_ogg(5_000)
    stage.speech.said[sound] = "Do you hear me?"
    stage.speech.release = asyncio.Event()
    asked = story.world.say(story.friend(), story.valor, "", media=stage.media("voice", content=sound))
    async with story.product.explaining():
        await story.until(lambda: any(heard.sound == sound for heard in stage.speech.heard), 30)
        former = await story.product.kill("server")
        stage.speech.release.set()
        stage.speech.release = None
        await story.product.restarted("server", former)
    assert ["Do you hear me?" in answer.text for answer in await stage.settled(asked)] == [True]


@pytest.mark.parametrize("method", ["upload.saveFilePart", "messages.sendMedia"])
async def test_b11_a_file_whose_sender_dies_arrives_once(stage: Stage, method: str) -> None:
    story = stage.story
    story.world.faults.lose_answer(story.valor, method, cut=False)
    asked = story.world.say(story.friend(), story.valor, do(write("a.txt", "x"), Use("send_file", {"path": "a.txt"})))
    async with story.product.explaining():
        await story.until(lambda: any(call.outcome == "lost" for call in story.world.ledger.calls(method)), 30)
        former = await story.product.kill("server")
        await story.product.restarted("server", former)
    answers = await stage.settled(asked)
    assert [answer.media.content for answer in answers if answer.media] == [b"x"]
    assert [answer.text for answer in answers if not answer.media] == ["Done."]
