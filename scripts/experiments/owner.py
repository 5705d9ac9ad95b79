"""The owner, who is asked for consent and gives it or not: each question once, by whatever way its chat offers."""

from __future__ import annotations

import random
import re

from scripts.experiments.mind import permitted
from scripts.experiments.spoken import where
from scripts.experiments.stage import Cast
from tests.world.telegram import SentMessage, TelegramWorld

QUESTION = re.compile(r"Promise #(\d+) .* wants to use", re.DOTALL)
ASKED = re.compile(re.escape(permitted("")) + r"([0-9a-f]{8})")
ALLOWED = 0.75
TWICE = 0.15
UNCLEAR = "Say which promise: /"  # a reply to a message that the product does not know it has sent yet
DECIDING = {"approve": "✅ Approve", "refuse": "🚫 Refuse"}
THUMBS = {"approve": "👍", "refuse": "👎"}
Decision = tuple[SentMessage, str, str]  # under which message, how, and with which words


class Owner:
    """`allowed` and `refused` are the nonces of what the owner has ever allowed and refused.

    `ways` tells how each promise was decided, by its number.
    """

    def __init__(self, world: TelegramWorld, cast: Cast, chance: random.Random) -> None:
        self._world = world
        self._cast = cast
        self._chance = chance
        self._heard = 0
        self.allowed: set[str] = set()
        self.refused: set[str] = set()
        self.ways: dict[int, str] = {}

    def decide(self) -> list[Decision]:
        """What the owner does about the questions that have come since the last look."""
        deeds = self._world.ledger.deeds[self._heard :]
        self._heard += len(deeds)
        asked = [deed.number for deed in deeds if deed.kind == "message" and deed.person in self._cast.fronts]
        said = [self._world.ledger.message(number) for number in asked if number]
        again = [decision for one in said if one.text.startswith(UNCLEAR) for decision in self._by_number(one)]
        return again + [decision for one in said if QUESTION.search(one.text) for decision in self._about(one)]

    def _by_number(self, unclear: SentMessage) -> list[Decision]:
        """Say the same again, with the number of the promise."""
        replied = unclear.reply_to and self._world.ledger.message(unclear.reply_to)
        question = replied and replied.reply_to and self._world.ledger.message(replied.reply_to)
        found = question and QUESTION.search(question.text)
        return [(question, "number", f"/{replied.text} {found[1]}")] if replied and question and found else []

    def _about(self, question: SentMessage) -> list[Decision]:
        word = "approve" if self._chance.random() < ALLOWED else "refuse"
        (self.allowed if word == "approve" else self.refused).update(ASKED.findall(question.text))
        found = QUESTION.search(question.text)
        number = int(found[1]) if found else 0
        ways = {"number": f"/{word} {number}"}
        if where(question) is not question.chat.moved_to:
            ways |= {"reply": word}
            ways |= {"press": DECIDING[word]} if question.sender.is_bot else {"react": THUMBS[word]}
        chosen = self._chance.choice(list(ways))
        self.ways[number] = f"{self.ways.get(number, '')} {chosen}: {word}".lstrip()
        return [(question, chosen, ways[chosen])] * (2 if self._chance.random() < TWICE else 1)
