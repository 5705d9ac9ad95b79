"""Misbehaviour on command: what the server does wrong for whom, how often."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tests.world.telegram.model import Event, EventKind, Person


class FaultKind(enum.Enum):
    ERROR = "error"
    SLOW = "slow"
    LOSE = "lose"
    CUT = "cut"
    TOO_LONG = "too_long"


@dataclass(eq=False)
class Fault:
    """One planned failure. `person` or `method` None means any; `times` None means until cleared."""

    kind: FaultKind
    person: Person | None
    method: str | None
    times: int | None
    code: int = 0
    name: str = ""
    seconds: float = 0.0
    met: int = 0

    def fits(self, person: Person | None, method: str) -> bool:
        return self.person in (None, person) and self.method in (None, method) and self.times != self.met

    def clear(self) -> None:
        """Stop it."""
        self.times = self.met


@dataclass
class Withheld:
    """Updates of one account that are not delivered live."""

    drop: int = 0
    hold: int = 0
    double: int = 0
    held: list[Event] = field(default_factory=list)


class Faults:
    """Plans of failures. Each method adds one; `Fault.clear()` or `clear()` ends it early."""

    def __init__(self) -> None:
        self._plans: list[Fault] = []
        self._withheld: dict[Person, Withheld] = {}

    def error(
        self,
        name: str,
        code: int = 400,
        *,
        person: Person | None = None,
        method: str | None = None,
        times: int | None = 1,
    ) -> Fault:
        """Answer with an RPC error, the request not accepted (`AUTH_KEY_UNREGISTERED` 401, `AUTH_KEY_DUPLICATED` 406).

        `times` None: until the fault is cleared.
        """
        return self._plan(Fault(FaultKind.ERROR, person, method, times, code=code, name=name))

    def flood_wait(
        self, seconds: int, person: Person | None = None, method: str | None = None, times: int | None = 1
    ) -> Fault:
        return self.error(f"FLOOD_WAIT_{seconds}", 420, person=person, method=method, times=times)

    def slow(
        self, seconds: float, person: Person | None = None, method: str | None = None, times: int | None = 1
    ) -> Fault:
        """Accept at once, answer after `seconds`."""
        return self._plan(Fault(FaultKind.SLOW, person, method, times, seconds=seconds))

    def lose_answer(
        self, person: Person | None = None, method: str | None = None, times: int | None = 1, *, cut: bool = True
    ) -> Fault:
        """Accept, then never answer: the connection drops (`cut`) or just stays silent."""
        return self._plan(Fault(FaultKind.LOSE, person, method, times, seconds=1.0 if cut else 0.0))

    def cut_before(self, person: Person | None = None, method: str | None = None, times: int | None = 1) -> Fault:
        """Drop the connection when the request arrives; it is not accepted."""
        return self._plan(Fault(FaultKind.CUT, person, method, times))

    def difference_too_long(self, person: Person | None = None, times: int = 1, *, channel: bool = False) -> Fault:
        """Answer the next difference (of a supergroup: `channel`) with "too long"."""
        method = "updates.getChannelDifference" if channel else "updates.getDifference"
        return self._plan(Fault(FaultKind.TOO_LONG, person, method, times))

    def drop_updates(self, person: Person, count: int = 1) -> None:
        """The next `count` counted updates are never pushed; a difference still has them."""
        self._of(person).drop += count

    def drops_left(self, person: Person) -> int:
        """How many are still to be lost."""
        return self._of(person).drop

    def hold_updates(self, person: Person, count: int = 1) -> None:
        """The next `count` counted updates wait for release_updates; later ones go out live."""
        self._of(person).hold += count

    def release_updates(self, person: Person) -> None:
        """Push what was held back, oldest first."""
        withheld = self._of(person)
        held, withheld.held, withheld.hold = withheld.held, [], 0
        for event in held:
            for listener in tuple(person.listeners):
                listener.hear(event)

    def double_updates(self, person: Person, count: int = 1) -> None:
        """The next `count` updates are pushed twice."""
        self._of(person).double += count

    def clear(self) -> None:
        """End all misbehaviour; held updates stay unpushed."""
        self._plans.clear()
        self._withheld.clear()

    def take(self, person: Person | None, method: str) -> list[Fault]:
        """The failures that this request meets; each is used up by one."""
        met = [fault for fault in self._plans if fault.fits(person, method)]
        for fault in met:
            fault.met += 1
        return met

    def updates_due(self, person: Person, event: Event) -> list[Event]:
        """How often an event is pushed now: none, once or twice."""
        withheld = self._withheld.get(person)
        if withheld is None or event.kind is EventKind.TYPING:
            return [event]
        if withheld.drop:
            withheld.drop -= 1
            return []
        if withheld.hold:
            withheld.hold -= 1
            withheld.held.append(event)
            return []
        if withheld.double:
            withheld.double -= 1
            return [event, event]
        return [event]

    def _of(self, person: Person) -> Withheld:
        return self._withheld.setdefault(person, Withheld())

    def _plan(self, fault: Fault) -> Fault:
        self._plans.append(fault)
        return fault
