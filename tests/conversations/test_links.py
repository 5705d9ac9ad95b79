"""A message that is one address: saved, read, summarised, acknowledged in one line, found again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversations.links import LinkAnswers, LinkDoors, one_line
from conversations.turn import Turn
from conversations.turns import Gate
from core.attachment import Attachment, Kind
from core.errors import ModelRefused, RequestError
from integrations.memory import Carried
from integrations.pages import Page
from runtime.reader import Reading
from tests.conversations.stage import DM, OLGA, TEAM, Stage

URL = "https://example.org/post?id=1"
READING = Reading("The long text of the post.", "web page", title="A  *fine*\npost")


class Web:
    """Pages, and who summarises them."""

    def __init__(self) -> None:
        self.reading = READING
        self.summary: str | Exception = "It tells of posts."
        self.refusal: RequestError | None = None
        self.asked: list[str] = []
        self.places: list[int] = []

    async def fetch(self, url: str) -> Page:
        if self.refusal is not None:
            raise self.refusal
        return Page(url, url.encode())

    async def read(self, content: bytes, marker: str, option: str) -> Reading:
        assert option == "page"
        return self.reading

    async def summarise(self, turn: Turn, place: int, page: str) -> str:
        self.asked.append(page)
        self.places.append(place)
        if isinstance(self.summary, Exception):
            raise self.summary
        return self.summary


@pytest.fixture
def web(stage: Stage) -> Web:
    """The stage's agent stands behind the one who saves links."""
    web, echo = Web(), stage.agent.script

    async def agent(turn: Turn, prompt: str, gate: Gate) -> str:
        return await echo(turn, gate)

    doors = LinkDoors(stage.database, stage.clock, web.fetch, web.read, web.summarise)
    answers = LinkAnswers(doors, agent)
    stage.agent.script = lambda turn, gate: answers(turn, turn.prompt, gate)
    return web


async def test_b10_a_link_is_saved_read_summarised_and_acknowledged_in_one_line(stage: Stage, web: Web) -> None:
    message = await stage.say(DM, OLGA, f" {URL} ")
    await stage.quiet()
    assert stage.front.texts("1") == ["Saved: A *fine* post. It tells of posts."]
    assert web.asked == [f"{URL}\nA  *fine*\npost\n\nThe long text of the post."]
    (row,) = await stage.rows("links")
    assert (row.url, row.title, row.summary) == (URL, "A *fine* post", "It tells of posts.")
    assert (row.chat_id, row.message_id, row.sender_name) == ("1", message.id, "Olga")
    assert row.saved_at == stage.clock.now()


async def test_b10_in_a_group_too_and_two_at_once(stage: Stage, web: Web) -> None:
    with stage.agent.holding() as release:
        await stage.say(TEAM, OLGA, f"@valor_ai {URL}")
        await stage.say(TEAM, OLGA, "@valor_ai http://other.example")
        release.set()
        await stage.quiet()
    assert stage.front.texts("-10") == [
        "Saved: A *fine* post. It tells of posts.\n\nSaved: A *fine* post. It tells of posts."
    ]
    assert [(row.url, row.workspace) for row in await stage.rows("links")] == [
        (URL, "Team"),
        ("http://other.example", "Team"),
    ]
    assert web.places == [0, 1]


@pytest.mark.parametrize("text", [f"see {URL}", f"{URL} {URL}", "example.org", "ftp://example.org/x", "https://"])
async def test_b10_what_is_more_or_less_than_one_address_is_for_the_agent(stage: Stage, web: Web, text: str) -> None:
    await stage.say(DM, OLGA, text)
    await stage.quiet()
    assert (stage.front.texts("1"), await stage.rows("links")) == ([f"re: {text}"], [])


async def test_b10_the_caption_of_a_photo_is_no_link(stage: Stage, web: Web) -> None:
    await stage.say(DM, OLGA, URL, carried=Carried((Attachment(Kind.PHOTO),)))
    await stage.quiet()
    assert await stage.rows("links") == []


@pytest.mark.parametrize(
    ("change", "told", "kept"),
    [
        ({"refusal": RequestError("It answers with HTTP 404.")}, "Saved, but not read: It answers with HTTP 404.", ""),
        ({"reading": Reading(problem="It is damaged.")}, "Saved, but not read: It is damaged.", ""),
        ({"summary": ""}, "Saved: A *fine* post. The long text of the post.", "The long text of the post."),
        (
            {"summary": ModelRefused("No money is left.")},
            "Saved: A *fine* post. The long text of the post. (not summarised: No money is left.)",
            "The long text of the post.",
        ),
        ({"reading": replace(READING, title="")}, "Saved: example.org. It tells of posts.", "It tells of posts."),
        ({"reading": Reading("", "web page"), "summary": ""}, "Saved: example.org", ""),
    ],
)
async def test_b10_a_link_is_kept_whatever_becomes_of_its_page(
    stage: Stage, web: Web, change: dict[str, object], told: str, kept: str
) -> None:
    for name, value in change.items():
        setattr(web, name, value)
    await stage.say(DM, OLGA, URL)
    await stage.quiet()
    assert stage.front.texts("1") == [told]
    assert [(row.url, row.summary) for row in await stage.rows("links")] == [(URL, kept)]


async def test_b10_the_command_lists_what_was_saved_here(stage: Stage, web: Web) -> None:
    await stage.say(TEAM, OLGA, "@valor_ai /link")
    await stage.quiet()
    await stage.say(TEAM, OLGA, f"@valor_ai {URL}")
    await stage.quiet()
    for question in ("/link posts", "/link nothing like it"):
        await stage.say(TEAM, OLGA, f"@valor_ai {question}")
        await stage.quiet()
    first, _, found, nothing = stage.front.texts("-10")
    assert first == "No link is saved here yet."
    assert found == f"{URL} (Olga, 2026-01-01)\nA *fine* post. It tells of posts."
    assert nothing == "No saved link holds all of these words."


def test_b10_a_line_is_one_line() -> None:
    assert one_line("a\n b\t c") == "a b c"
    assert len(one_line("word " * 1_000)) == 300


async def test_b10_a_link_that_is_passed_on_is_a_link(stage: Stage, web: Web) -> None:
    await stage.reception.receive(replace(stage.front.say("1", OLGA, URL), forwarded_from="Max"))
    await stage.quiet()
    assert [row.url for row in await stage.rows("links")] == [URL]


async def test_b10_a_link_that_quotes_what_it_replies_to_is_a_link(stage: Stage, web: Web) -> None:
    told = await stage.say(DM, OLGA, "Where was that?")
    await stage.quiet()
    await stage.reception.receive(replace(stage.front.say("1", OLGA, URL, told.id), quote="that?"))
    await stage.quiet()
    assert [row.url for row in await stage.rows("links")] == [URL]
