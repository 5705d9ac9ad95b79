"""The servers beside Telegram's own: the Bot API, pages whose addresses people send, and who hears what they say."""

from __future__ import annotations

from dataclasses import dataclass

from tests.world.bot_api import BotApi
from tests.world.speech import SpeechWorld
from tests.world.telegram import Person
from tests.world.web import WebWorld, html

SOUND = b"OggS" + bytes(60)


@dataclass(frozen=True, slots=True)
class Outside:
    api: BotApi
    web: WebWorld
    speech: SpeechWorld

    def environment(self, bot: Person) -> dict[str, str]:
        """The product's settings that lead there."""
        return self.api.environment(bot) | {
            "LINK_PRIVATE_HOSTS": self.web.address,
            "OPENAI_BASE_URL": self.speech.url,
            "OPENAI_API_KEY": "dummy",
        }

    def put_page(self, name: str, title: str) -> str:
        """The address of a new page."""
        self.web.pages[f"/{name}"] = html(title, "What it says.")
        return f"{self.web.url}/{name}"

    def speak(self, words: str) -> bytes:
        """A sound in which these words are heard."""
        sound = SOUND + words.encode()
        self.speech.said[sound] = words
        return sound
