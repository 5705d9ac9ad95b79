"""Saved links, found again by words, each workspace's apart."""

from __future__ import annotations

from conversations import link_store
from conversations.links import Links
from core.message import Chat
from tests.conversations.stage import DM, OLGA, TEAM, Stage

URL, OTHER = "https://example.org/post", "https://b.example/100%25"


async def save(stage: Stage, chat: Chat, url: str, title: str = "", summary: str = "") -> None:
    """As a turn does; twice, as one that is begun again does."""
    await stage.say(chat, OLGA, f"@valor_ai {url}")
    await stage.quiet()
    turn = stage.agent.asked[-1][0]
    now = stage.clock.now()
    for _ in range(2):
        await stage.database.write("save", lambda c: link_store.save(c, turn, turn.asked[0], url, now))
    await stage.database.write("describe", lambda c: link_store.describe(c, turn, turn.asked[0], title, summary))


async def test_b10_links_are_found_in_their_workspace_by_all_words(stage: Stage) -> None:
    links = Links(stage.database)
    await save(stage, DM, URL)
    await save(stage, TEAM, URL)
    await save(stage, TEAM, OTHER, "On *posts*", "It tells of posts.")
    await save(stage, TEAM, URL, "A post", "About tides.")
    assert [(link.url, link.title) for link in await links.search("Team", "")] == [
        (URL, "A post"),
        (OTHER, "On *posts*"),
    ]
    assert [link.url for link in await links.search("Team", "POSTS b.example")] == [OTHER]
    assert [link.url for link in await links.search("Team", "tides")] == [URL]
    assert await links.search("Team", "100%2_") == []
    assert [link.url for link in await links.search("Team", "", 1)] == [URL]
    assert await links.search("Dev", "") == []
    (found,) = await links.search("Team", "example.org/post")
    assert (found.title, found.summary, found.saved_by) == ("A post", "About tides.", "Olga")
    assert found.saved_at == stage.clock.now()
