"""Links: a message that is one address is saved, read, summarised and acknowledged in one line."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Connection

from conversations import attachment_store, link_store
from conversations.link import read_link
from conversations.turn import Turn
from conversations.turns import Answer, Gate
from core.clock import Clock
from core.database import Database
from core.errors import ModelError, RequestError
from core.protocols import Link
from integrations.pages import Page
from runtime.process import marker_of
from runtime.reader import Reading

SPECIAL = re.compile(r"([\\`*_\[\]<>|~])")
READ = 12_000  # characters of a page that its summary is made from
SHOWN = 300
log = structlog.get_logger("agents.links")

Fetch = Callable[[str], Awaitable[Page]]
ReadPage = Callable[[bytes, str, str], Awaitable[Reading]]
Summarise = Callable[[Turn, int, str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Links:
    """Implements core.protocols.LinkSearch."""

    database: Database

    async def search(self, workspace: str, query: str, limit: int = 20) -> list[Link]:
        words = query.split()
        return await self.database.read(lambda connection: link_store.search(connection, workspace, words, limit))


@dataclass(frozen=True, slots=True)
class LinkDoors:
    """What saving links needs of its neighbours. `summarise` is told a page's place in its turn, and gives '' where no
    model can."""

    database: Database
    clock: Clock
    fetch: Fetch
    read: ReadPage
    summarise: Summarise


@dataclass(frozen=True, slots=True)
class LinkAnswers:
    """Implements conversations.turns.Answer: links are answered here, everything else by `other`."""

    doors: LinkDoors
    other: Answer

    async def __call__(self, turn: Turn, prompt: str, gate: Gate) -> str:
        urls = await self._urls(turn)
        if not urls:
            return await self.other(turn, prompt, gate)
        lines = [await self._save(turn, place, url) for place, url in enumerate(urls)]
        return "\n\n".join(lines)

    async def _urls(self, turn: Turn) -> list[str]:
        """One address for each message, where the messages are nothing else; else none."""
        urls = [url for asked in turn.asked if (url := read_link(asked.prompt)) is not None]
        if not urls or len(urls) < len(turn.asked):
            return []
        carried = await self.doors.database.read(lambda connection: attachment_store.of_turn(connection, turn))
        return [] if carried else urls

    async def _save(self, turn: Turn, place: int, url: str) -> str:
        """Keep the address first, then see what is behind it."""
        asked, now = turn.asked[place], self.doors.clock.now()
        await self._write("link", lambda connection: link_store.save(connection, turn, asked, url, now))
        try:
            page = await self.doors.fetch(url)
            reading = await self.doors.read(page.content, marker_of(turn.run_id, turn.epoch), "page")
        except RequestError as refusal:
            return f"Saved, but not read: {refusal}"
        if reading.problem is not None:
            return f"Saved, but not read: {reading.problem}"
        title, (summary, doubt) = one_line(reading.title), await self._summary(turn, place, url, reading)
        await self._write("link", lambda connection: link_store.describe(connection, turn, asked, title, summary))
        return acknowledge(title or urlsplit(url).netloc, summary, doubt)

    async def _summary(self, turn: Turn, place: int, url: str, reading: Reading) -> tuple[str, str]:
        """What the page says in short, and why that is not the model's own summary, if it is not."""
        beginning = one_line(reading.text)
        try:
            said = await self.doors.summarise(turn, place, f"{url}\n{reading.title}\n\n{reading.text[:READ]}")
        except ModelError as error:
            log.info("A page was not summarised.", turn=turn.id, error=str(error))
            return beginning, str(error)
        return one_line(said) or beginning, ""

    async def _write(self, name: str, work: Callable[[Connection], None]) -> None:
        await self.doors.database.write(name, work)


def acknowledge(title: str, summary: str, doubt: str) -> str:
    """One line of Markdown."""
    told = f"Saved: {escape(title)}" + (f". {escape(summary)}" if summary else "")
    return f"{told} (not summarised: {escape(doubt)})" if doubt else told


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1].rstrip()}…"


def escape(text: str) -> str:
    """A page's own words, none of which is markup."""
    return SPECIAL.sub(r"\\\1", text)


def tell_link(link: Link) -> str:
    """A line of a list of links."""
    told = ". ".join(part for part in (link.title, link.summary) if part)
    return f"{link.url} ({link.saved_by}, {link.saved_at:%Y-%m-%d})" + (f"\n{escape(told)}" if told else "")
