"""People who write, edit, reply, stop, cancel and press buttons, and who know what they asked."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from scripts.experiments.mind import ANSWERS, PERMITTED, PROMISED
from scripts.experiments.outside import Outside
from scripts.experiments.owner import DECIDING, Owner
from scripts.experiments.pace import Pace
from scripts.experiments.spoken import where
from scripts.experiments.stage import ASKED_ONLY, Cast
from tests.world.content import PNG
from tests.world.telegram import Chat, Media, Origin, Person, RefusalError, SentMessage, TelegramWorld, Topic

KINDS = {
    "ask": 8,
    "visit": 1,
    "speak": 1,
    "keep": 8,
    "chain": 2,
    "think": 3,
    "work": 4,
    "peek": 2,
    "long": 2,
    "show": 1,
    "bring": 1,
    "permit": 1,
    "vow": 1,
}
APPENDING = {"keep": 1, "chain": 2, "later": 1}  # how many promises that append a line
DEEDS = {"ask": 16, "edit": 3, "reply": 3, "cancel": 2, "stop": 1, "ping": 1, "late mention": 2, "press": 2}
FORWARDED, QUOTED = 0.04, 0.3  # which part of what is asked, and of what is replied to ours
CARRIED = {"": 84, "photo": 13, "document": 3}  # a document is read in a process of its own
NOTE = b"A note that asks for nothing."
FORGET_SECONDS = 6.0  # what is open longer holds back no further message
PROMISE = re.compile(r"Promise #(\d+)")
MENTION = "@valor_ai "
Place = Chat | Person | Topic


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that somebody pressed. `query` is the number of the press."""

    query: str
    under: SentMessage
    words: str


@dataclass(slots=True, eq=False)
class Asked:
    """One message of a person. `nonce` '' for a command; `wanted`: it is to be answered."""

    message: SentMessage
    person: Person
    chat: Chat
    kind: str
    nonce: str = ""
    wanted: bool = True

    @property
    def reads(self) -> str:
        """Its text now, after all edits."""
        return self.message.post.text


class People:
    """`asked` is everything that was said, `pressed` every button; `open` what has no answer yet, as far as people see.

    `owner` decides what only the owner may.
    """

    def __init__(self, world: TelegramWorld, outside: Outside, cast: Cast, chance: random.Random, pace: Pace) -> None:
        self._world = world
        self._api = outside.api
        self._outside = outside
        self._cast = cast
        self._chance = chance
        self._pace = pace
        self._heard = 0
        self._stirring: asyncio.Task[None] | None = None
        self.owner = Owner(world, cast, chance)
        self.asked: list[Asked] = []
        self.pressed: list[Pressed] = []
        self.open: dict[str, float] = {}
        self.crowd = 6

    # -- the crowd

    def begin(self) -> None:
        if self._stirring is None:
            self._stirring = asyncio.create_task(self._stir())

    async def rest(self) -> None:
        """Say nothing more."""
        stirring, self._stirring = self._stirring, None
        if stirring is not None:
            stirring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await stirring

    async def _stir(self) -> None:
        while True:
            self.look()
            if len(self.open) < self.crowd:
                self.do_something()
            self.decide()
            await asyncio.sleep(self._chance.random() * 0.04)

    def look(self) -> None:
        """See what has been answered."""
        deeds = self._world.ledger.deeds
        for deed in deeds[self._heard :]:
            if deed.person in self._cast.fronts and deed.kind in {"message", "edit"} and deed.number:
                for _, nonce in ANSWERS.findall(self._world.ledger.message(deed.number).text):
                    self.open.pop(nonce, None)
        self._heard = len(deeds)
        before = time.monotonic() - self._pace(FORGET_SECONDS)
        self.open = {nonce: since for nonce, since in self.open.items() if since > before}

    # -- deeds

    def do_something(self) -> None:
        (deed,) = self._chance.choices(list(DEEDS), weights=list(DEEDS.values()))
        person = self._chance.choice(self._cast.writers)
        with contextlib.suppress(RefusalError):  # as when a message is edited to what it says already
            match deed:
                case "edit":
                    self._edit(person)
                case "reply":
                    self._reply(person)
                case "cancel":
                    self._cancel(person)
                case "stop" | "ping":
                    self.say(person, self._chance.choice(self._cast.fronts), deed, "command")
                case "press":
                    self._press(person)
                case "late mention":
                    self._mention_late()
                case _:
                    self.ask(person, self._place(person))

    def ask(self, person: Person, place: Place, kind: str = "", reply_to: SentMessage | None = None) -> Asked:
        """Ask for something of that kind, else of any; now and then in the words of somebody else, or with a quote."""
        kind = kind or self._kind_for(person, place)
        nonce = f"{self._chance.getrandbits(32):08x}"
        mention = MENTION if place is self._cast.groups[ASKED_ONLY] and reply_to is None else ""
        text, media = self._put(kind, nonce)
        origin = Origin(self._world.society.clock(), name="A friend") if self._happens(FORWARDED) else None
        quote = _beginning_of(reply_to) if reply_to and self._happens(QUOTED) else ""
        said = self._world.say(person, place, f"{mention}{text}", reply_to, media=media, quote=quote, origin=origin)
        asked = self._heard_by_all(said, person, kind)
        asked.nonce = nonce
        self.open[nonce] = time.monotonic()
        return asked

    def _happens(self, part: float) -> bool:
        return self._chance.random() < part

    def _put(self, kind: str, nonce: str) -> tuple[str, Media | None]:
        """How it is asked: by an address, aloud, or in words, now and then as the caption of something."""
        match kind:
            case "visit":
                return self._outside.put_page(f"{kind}:{nonce}", f"re:{nonce}"), None
            case "speak":
                return "", self._world.media("voice", content=self._outside.speak(f"ask:{nonce}"), mime="audio/ogg")
            case _:
                return f"{kind}:{nonce}", self._carry()

    def _kind_for(self, person: Person, place: Place) -> str:
        """What needs the owner's consent is asked for where the owner can be asked."""
        (kind,) = self._chance.choices(list(KINDS), weights=list(KINDS.values()))
        chat = place.chat if isinstance(place, Topic) else place
        members = chat.members if isinstance(chat, Chat) else [person]
        return "ask" if kind in PERMITTED and self._cast.owner not in members else kind

    def say(self, person: Person, place: Place, text: str, kind: str, reply_to: SentMessage | None = None) -> Asked:
        return self._heard_by_all(self._world.say(person, place, text, reply_to), person, kind)

    def _heard_by_all(self, said: SentMessage, person: Person, kind: str) -> Asked:
        asked = Asked(said, person, said.chat, kind)
        self.asked.append(asked)
        return asked

    def _carry(self) -> Media | None:
        (kind,) = self._chance.choices(list(CARRIED), weights=list(CARRIED.values()))
        match kind:
            case "photo":
                return self._world.media("photo", content=PNG)
            case "document":
                return self._world.media("document", "note.txt", NOTE, "text/plain")
            case _:
                return None

    def _place(self, person: Person) -> Place:
        valor, bot = self._cast.fronts
        groups = [chat.moved_to or chat for chat in self._cast.groups.values() if person in chat.members]
        topics = [topic for chat in groups for topic in chat.topics.values()]
        return self._chance.choice([valor, valor, bot, *groups, *topics])

    def _edit(self, person: Person) -> None:
        own = [asked for asked in self.asked[-30:] if asked.person is person and asked.nonce and asked.wanted]
        own = [asked for asked in own if asked.message.post.origin is None]  # nobody changes the words of others
        if own and not own[-1].chat.moved_to:
            self._world.edit(own[-1].message, f"{own[-1].reads} please{'!' * self._chance.randrange(1, 4)}")

    def _press(self, person: Person) -> None:
        said = self._newest(person, lambda one: bool(self._buttons(one)))
        if said is not None:
            self.press(person, said, self._chance.choice(self._buttons(said)))

    def press(self, person: Person, said: SentMessage, words: str) -> None:
        self.pressed.append(Pressed(self._api.press(person, said, words), said, words))

    def _buttons(self, said: SentMessage) -> list[str]:
        """What anybody may press under a message."""
        return [words for words in self._api.buttons(said) if words not in DECIDING.values()]

    def decide(self) -> None:
        """Have the owner answer what was asked of the owner, by words, by a button or by a thumb."""
        for question, deed, words in self.owner.decide():
            with contextlib.suppress(RefusalError, KeyError):  # as when the button is gone, or the thumb there already
                match deed:
                    case "press":
                        self.press(self._cast.owner, question, words)
                    case "react":
                        self._world.react(self._cast.owner, question, words)
                    case _:
                        replied = question if deed == "reply" else None
                        self.say(self._cast.owner, where(question), words, "command", replied)

    def _reply(self, person: Person) -> None:
        said = self._last_word(person, ANSWERS)
        if said is not None:
            self.ask(person, where(said), reply_to=said)

    def _cancel(self, person: Person) -> None:
        """By reply, or by number, whatever has become of the promise since."""
        said = self._last_word(person, PROMISE)
        number = said and PROMISE.search(said.text)
        if said is not None and number:
            by_number = self._chance.random() < 0.5 and said.chat is not self._cast.groups[ASKED_ONLY]
            text = f"/cancel {number[1]}" if by_number else "cancel"
            self.say(person, where(said), text, "command", None if by_number else said)

    def _mention_late(self) -> None:
        """A message that asks for nothing is edited until it does."""
        group = self._cast.groups[ASKED_ONLY]
        person = self._chance.choice([one for one in group.members if one not in self._cast.fronts])
        nonce = f"{self._chance.getrandbits(32):08x}"
        asked = self.say(person, group, f"ask:{nonce}", "ask")
        asked.nonce = nonce
        asked.wanted = self._chance.random() < 0.7
        if asked.wanted:
            self.open[nonce] = time.monotonic()
            later = 0.3 * self._chance.random()
            asyncio.get_running_loop().call_later(later, self._mention_now, asked)

    def _mention_now(self, asked: Asked) -> None:
        self._world.edit(asked.message, f"{MENTION}{asked.reads}")

    def _last_word(self, person: Person, pattern: re.Pattern[str]) -> SentMessage | None:
        """The newest message of ours in a chat of this person's that holds the pattern."""
        return self._newest(person, lambda said: bool(pattern.search(said.text)))

    def _newest(self, person: Person, is_meant: Callable[[SentMessage], bool]) -> SentMessage | None:
        for deed in reversed(self._world.ledger.deeds[-200:]):
            is_ours = deed.number and deed.kind == "message" and deed.person in self._cast.fronts
            if is_ours and person in deed.chat.members and not deed.chat.moved_to:
                said = self._world.ledger.message(deed.number or 0)
                if not said.deleted and is_meant(said):
                    return said
        return None

    @property
    def promises(self) -> int:
        """How many promises were asked for."""
        return sum((asked.kind in PROMISED) + (asked.kind == "chain") for asked in self.asked)

    @property
    def appending(self) -> int:
        """How many of them append a line to a file."""
        return sum(APPENDING.get(asked.kind, 0) for asked in self.asked)


def _beginning_of(said: SentMessage) -> str:
    """A few words before anything that it gives back, which is not to be given back once more for being quoted."""
    return said.text.partition(":")[0][:40]
