# pyright: basic
"""Who is who: what Telegram told about people and chats, without its objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from telethon import utils
from telethon.tl import types as tl

from core.message import Person

FRESH_SECONDS = 600.0  # how long somebody's names are believed without having been told again


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
    """People and chats by marked id, as far as they have been seen.

    Names change hands, and rights hang on them: `told_at` is when, by `boot`, Telegram last told all of somebody's
    names, and `holders` is whom each was last seen with, for a name belongs to one alone.
    """

    own: Account
    boot: Callable[[], float] = lambda: 0.0
    parties: dict[int, Person] = field(default_factory=dict)
    told_at: dict[int, float] = field(default_factory=dict)
    holders: dict[str, int] = field(default_factory=dict)

    def learn(self, *groups: Iterable[Any]) -> None:
        """Take in Telethon users and chats; a partial ("min") user takes nothing from a full one."""
        for entity in (entity for group in groups for entity in group):
            party = to_person(entity)
            known = self.parties.get(party.id)
            if not getattr(entity, "min", None):
                self.told_at[party.id] = self.boot()
            elif known:
                party = self._with_known(party, known)
            self._keep(party)

    def _with_known(self, party: Person, known: Person) -> Person:
        """What a partial user leaves out is as it was; a name that is new says that the others may be, too."""
        name = party.name or known.name
        if set(party.usernames) <= set(known.usernames):
            return _named(replace(party, name=name), known.usernames)
        self.told_at.pop(party.id, None)
        return replace(party, name=name)

    def rename(self, update: Any) -> bool:
        """Take in that somebody goes by other names now, if the update says so; True where that is our account."""
        if not isinstance(update, tl.UpdateUserName):
            return False
        if (known := self.parties.get(update.user_id)) is not None:
            self._keep(_named(known, usernames_of(update)))
            self.told_at[update.user_id] = self.boot()
        if update.user_id == self.own.id:
            self.own = replace(self.own, usernames=usernames_of(update))
        return update.user_id == self.own.id

    def _keep(self, party: Person) -> None:
        for name in map(str.lower, party.usernames):
            former = self.parties.get(self.holders.get(name, party.id))
            if former is not None and former.id != party.id:
                self._take_name(former, name)
            self.holders[name] = party.id
        self.parties[party.id] = party

    def _take_name(self, former: Person, name: str) -> None:
        """Somebody else has it: what its former holder is called by now is to be asked."""
        left = tuple(one for one in former.usernames if one.lower() != name)
        if left != former.usernames:
            self.parties[former.id] = _named(former, left)
            self.told_at.pop(former.id, None)

    def person(self, marked_id: int) -> Person:
        """Somebody by marked id; with the id alone when nothing is known."""
        return self.parties.get(marked_id) or Person(marked_id)

    def knows(self, marked_id: int) -> bool:
        """Tell whether everything that matters about somebody has been seen, not long ago."""
        told_at = self.told_at.get(marked_id)
        return marked_id in self.parties and told_at is not None and self.boot() - told_at < FRESH_SECONDS


def _named(person: Person, usernames: tuple[str, ...]) -> Person:
    return replace(person, username=next(iter(usernames), None), more_usernames=usernames[1:])


def to_person(entity: Any) -> Person:
    """A Telethon user or chat as the sender of a message; chats have their marked id."""
    unnamed = Person(
        id=utils.get_peer_id(entity),
        name=(utils.get_display_name(entity) or getattr(entity, "title", "") or "").replace("\0", ""),
        is_bot=bool(getattr(entity, "bot", None)),
    )
    return _named(unnamed, usernames_of(entity))


def usernames_of(entity: Any) -> tuple[str, ...]:
    """All active usernames, the main one first."""
    main = getattr(entity, "username", None)
    more = [name.username for name in getattr(entity, "usernames", None) or () if name.active]
    return tuple(dict.fromkeys([main, *more] if main else more))


def to_account(me: tl.User) -> Account:
    return Account(me.id, usernames_of(me), utils.get_display_name(me))
