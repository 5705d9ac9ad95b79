"""A played Telegram: an MTProto server on loopback for unpatched clients. See README.md beside this file."""

from tests.world.telegram.ledger import Deed, SentMessage
from tests.world.telegram.model import Chat, Entity, Media, Origin, Person, RefusalError, Topic
from tests.world.telegram.players import Heard, Player
from tests.world.telegram.world import TelegramWorld

__all__ = [
    "Chat",
    "Deed",
    "Entity",
    "Heard",
    "Media",
    "Origin",
    "Person",
    "Player",
    "RefusalError",
    "SentMessage",
    "TelegramWorld",
    "Topic",
]
