# pyright: basic
"""Who is who: what Telegram told about people and chats, without its objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from telethon import utils
from telethon.tl import types as tl

from core.message import Person


@dataclass(frozen=True, slots=True)
class Account:
    """The signed-in account: `usernames` as spelled, without @, the main one first."""

    id: int
    usernames: tuple[str, ...] = ()
    name: str = ""

    @property
    def front(self) -> str:
        """The name of its front."""
        return f"account:{self.id}"


@dataclass(slots=True)
class Directory:
    """People and chats by marked id, as far as they have been seen; `partial` are those known without a username."""

    own: Account
    parties: dict[int, Person] = field(default_factory=dict)
    partial: set[int] = field(default_factory=set)

    def learn(self, *groups: Iterable[Any]) -> None:
        """Take in Telethon users and chats; a partial ("min") user takes nothing from a full one."""
        for entity in (entity for group in groups for entity in group):
            party = to_person(entity)
            known = self.parties.get(party.id)
            if not getattr(entity, "min", None):
                self.partial.discard(party.id)
            elif known:
                party = replace(party, username=party.username or known.username, name=party.name or known.name)
            else:
                self.partial.add(party.id)
            self.parties[party.id] = party

    def person(self, marked_id: int) -> Person:
        """Somebody by marked id; with the id alone when nothing is known."""
        return self.parties.get(marked_id) or Person(marked_id)

    def knows(self, marked_id: int) -> bool:
        """Tell whether everything that matters about somebody has been seen."""
        return marked_id in self.parties and marked_id not in self.partial


def to_person(entity: Any) -> Person:
    """A Telethon user or chat as the sender of a message; chats have their marked id."""
    names = usernames_of(entity)
    return Person(
        id=utils.get_peer_id(entity),
        username=names[0] if names else None,
        name=(utils.get_display_name(entity) or getattr(entity, "title", "") or "").replace("\0", ""),
        is_bot=bool(getattr(entity, "bot", None)),
    )


def usernames_of(entity: Any) -> tuple[str, ...]:
    """All active usernames, the main one first."""
    main = getattr(entity, "username", None)
    more = [name.username for name in getattr(entity, "usernames", None) or () if name.active]
    return tuple(dict.fromkeys([main, *more] if main else more))


def to_account(me: tl.User) -> Account:
    return Account(me.id, usernames_of(me), utils.get_display_name(me))
