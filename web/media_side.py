"""The server's parts that deal with what messages carry and with links, put together: nothing here begins to work."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from conversations.enclosures import Enclosures
from conversations.files import Files, Wake
from conversations.links import LinkAnswers, LinkDoors, Links
from conversations.listening import Listening
from conversations.media import Media, MediaDoors
from conversations.media_cleaning import MediaCleaning
from conversations.media_folder import MediaFolder
from core.protocols import Front
from integrations.pages import Pages
from integrations.speech import Speech
from runtime.accounts import Accounts
from runtime.reader import Reader
from runtime.sandbox import Sandbox, find_sandbox

PROGRAM = "integrations.documents"

if TYPE_CHECKING:
    from web.services import Agents, Ground


@dataclass(frozen=True, slots=True)
class MediaSide:
    ground: Ground
    folder: MediaFolder
    enclosures: Enclosures
    reader: Reader
    media: Media
    links: Links
    cleaning: MediaCleaning

    def files(self, wake: Wake) -> Files:
        """What agents send and take; `wake` is told of chats that are owed something."""
        return Files(self.ground.database, self.ground.clock, self.folder, self.enclosures, wake)

    def answers(self, agents: Agents) -> LinkAnswers:
        """Links are saved, everything else is for the agents."""
        settings = self.ground.settings
        pages = Pages(frozenset(settings.link_private_hosts), settings.edge)
        doors = LinkDoors(self.ground.database, self.ground.clock, pages.fetch, self.reader.read, agents.summarise)
        return LinkAnswers(doors, agents.answer)


def build_media_side(ground: Ground, fronts: Mapping[str, Front]) -> MediaSide:
    settings, database, clock = ground.settings, ground.database, ground.clock
    place = settings.data_dir / "media"
    find = cache(find_sandbox) if settings.fence else _no_sandbox
    reader = Reader(find, _program(), place / "reader", edge=settings.edge)
    listening = Listening(Speech.of(settings), Accounts(database, clock), clock)
    folder = MediaFolder(place)
    return MediaSide(
        ground=ground,
        folder=folder,
        enclosures=Enclosures(database, folder),
        reader=reader,
        media=Media(MediaDoors(database, clock, fronts, folder, listening, reader.read)),
        links=Links(database),
        cleaning=MediaCleaning(database, clock, folder),
    )


def _no_sandbox() -> Sandbox | None:
    return None


def _program() -> Path:
    """Where the reading program lies: it runs in the fence alone, and is not imported here."""
    found = importlib.util.find_spec(PROGRAM)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin)
