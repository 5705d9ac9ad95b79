"""Promises as agents and people ask for them: made, listed, cancelled, with the rights that each needs."""

from __future__ import annotations

from dataclasses import replace

import structlog
from sqlalchemy import Connection

from conversations import delivery_store, question_store
from conversations.buttons import cancel_button, decide_buttons
from conversations.delivery import Draft
from core.access import Action, may
from core.clock import Clock
from core.database import Database
from core.errors import NotAllowed, RequestError, Unknown
from core.message import Button
from core.protocols import Asker, Call, Parked, PromiseOrder, PromiseView
from promises import consent_store, retry_store, settle_store, store, wording
from promises.consent_store import Question
from promises.promise import CONSENT_PATIENCE, PICTURES, PROMPT, TASK_TYPES, Promise, Status, WaitingFor
from promises.rings import Rings
from promises.schedule import note_first, plan, read_schedule
from promises.settle_store import Settled
from promises.store import NewPromise

LONGEST = 16_000  # characters of a description
HIGHEST = 1_000
DECIDED_BY = "decided_by"  # in `metadata`: the runs whose word to a question has counted
log = structlog.get_logger(__name__)


class Promises:
    """The PromiseMaker of core.protocols. Raises RequestError and its subclasses for what the asker must change."""

    def __init__(
        self, database: Database, rings: Rings, clock: Clock, task_types: tuple[str, ...] = TASK_TYPES
    ) -> None:
        self._database = database
        self._rings = rings
        self._clock = clock
        self._task_types = task_types

    async def make(self, order: PromiseOrder, asker: Asker, call: Call | None) -> PromiseView:
        order = self._checked(order, asker)
        unheard: list[tuple[int, int]] = []
        promise, is_new = await self._database.write(
            "promise-make",
            lambda connection: self._make(connection, order, asker, call),
            then=lambda made: unheard.extend(self._rings.offer(_to_ring(made[0]))),
        )
        await self._rings.call_again(unheard)
        self._tell_of(promise)
        if is_new:
            log.info("promise made", promise=promise.id, run=promise.run_id, status=promise.status)
        return promise.view

    def _tell_of(self, promise: Promise) -> None:
        if promise.status is not Status.PENDING and promise.due_at is not None:
            self._rings.call_keepers()  # so that the reconcilers know when to wake
        self._rings.call_server()

    async def list_for(self, asker: Asker, limit: int = 20) -> list[PromiseView]:
        found = await self._database.read(lambda connection: store.newest(connection, asker.workspace, limit))
        return [promise.view for promise in found]

    async def cancel(self, promise_id: int, asker: Asker, call: Call | None = None) -> PromiseView:
        """Cancel at once what is not begun; work under way is told to stop and settles itself within a second.

        Of a repeated promise any occurrence means the one that stands now, and all that would follow.
        """

        def cancel(connection: Connection) -> tuple[Promise, Settled | None]:
            promise, settled = self._cancel(connection, promise_id, asker)
            _note(connection, call, promise)
            return promise, settled

        promise, settled = await self._database.write("promise-cancel", cancel)
        log.info("promise cancel asked", promise=promise_id, by=asker.name, status=promise.status)
        if settled is None:
            self._rings.call_keepers()
        else:
            self._rings.call_server()
        return promise.view

    async def retry(self, promise_id: int, asker: Asker, call: Call | None) -> PromiseView:
        promise = await self._database.write(
            "promise-retry", lambda connection: self._retry(connection, promise_id, asker, call)
        )
        log.info("promise retried", promise=promise_id, by=asker.name, run=promise.run_id, status=promise.status)
        await self._rings.call_worker(_to_ring(promise))
        self._tell_of(promise)
        return promise.view

    async def park(self, parked: Parked, asker: Asker, call: Call) -> PromiseView:
        promise = await self._database.write(
            "promise-park", lambda connection: self._park(connection, parked, asker, call)
        )
        log.info("turn parked", promise=promise.id, run=promise.run_id, tool=parked.needed.tool)
        self._rings.call_keepers()  # so that the reconcilers know when to wake
        return promise.view

    async def grant(
        self, promise_id: int, asker: Asker, question: int | None = None, call: Call | None = None
    ) -> PromiseView:
        promise = await self._database.write(
            "promise-grant", lambda connection: self._grant(connection, promise_id, asker, question, call)
        )
        log.info("consent granted", promise=promise_id, by=asker.name)
        await self._rings.call_worker([(promise.id, promise.priority)])
        self._rings.call_server()
        return promise.view

    async def refuse(
        self, promise_id: int, asker: Asker, question: int | None = None, call: Call | None = None
    ) -> PromiseView:
        settled = await self._database.write(
            "promise-refuse", lambda connection: self._refuse(connection, promise_id, asker, question, call)
        )
        log.info("consent refused", promise=promise_id, by=asker.name)
        self._rings.call_server()
        return settled.promise.view

    def _checked(self, order: PromiseOrder, asker: Asker) -> PromiseOrder:
        description = order.task_description.replace("\0", "").strip()
        if not description:
            raise RequestError("Say what is to be done: the description is empty.")
        if len(description) > LONGEST:
            raise RequestError(f"The description has {len(description):,} characters; at most {LONGEST:,} fit.")
        if order.task_type not in self._task_types:
            raise Unknown(f"There is no task type {order.task_type!r}: choose one of {', '.join(self._task_types)}.")
        _check_may_have_done(order.task_type, asker)
        if abs(order.priority) > HIGHEST:
            raise RequestError(f"A priority lies between -{HIGHEST} and {HIGHEST}.")
        after = tuple(dict.fromkeys(order.after))
        return read_schedule(replace(order, task_description=description, after=after))

    def _make(
        self, connection: Connection, order: PromiseOrder, asker: Asker, call: Call | None
    ) -> tuple[Promise, bool]:
        if call is not None and (known := store.made_by(connection, call)):
            _note(connection, call, known)
            return known, False
        now = self._clock.now()
        order = plan(order, now)
        waiting_for = WaitingFor.SCHEDULE if order.at else None
        if _must_wait(connection, order, asker):
            waiting_for = WaitingFor.DEPENDENCY
        new = NewPromise(order, asker, call, waiting_for, order.at, metadata=note_first(order))
        promise = store.add(connection, new, now)
        acknowledgement = wording.acknowledge(promise, order.after)
        delivery_store.owe(connection, _hold(promise, acknowledgement, call, cancel_button(promise.id)), now)
        _note(connection, call, promise)
        return promise, True

    def _park(self, connection: Connection, parked: Parked, asker: Asker, call: Call) -> Promise:
        if known := store.made_by(connection, call):
            return known
        now = self._clock.now()
        question = Question(parked.needed, now + CONSENT_PATIENCE)
        new = NewPromise(
            PromiseOrder(parked.task),
            asker,
            call,
            WaitingFor.APPROVAL,
            question.expires_at,
            parked.run_id,
            {PROMPT: parked.prompt} | ({PICTURES: list(parked.pictures)} if parked.pictures else {}),
        )
        promise = store.add(connection, new, now)
        number = consent_store.write(connection, promise, question, now)
        spent = consent_store.spent(connection, promise)
        asked = wording.ask_consent(promise, question.needed, question.expires_at, spent)
        buttons = decide_buttons(promise.id, number, question.needed.tool)
        delivery_store.owe(connection, _hold(promise, asked, call, buttons), now)
        return promise

    def _grant(
        self, connection: Connection, promise_id: int, asker: Asker, question: int | None, call: Call | None
    ) -> Promise:
        asking = _in_reach(connection, promise_id, asker)
        if _has_decided(asking, call):
            return asking
        _check_asks(connection, asking, asker, question)
        promise = consent_store.grant(connection, promise_id, asker.name, self._clock.now())
        if promise is None:
            raise RequestError(f"The time to allow what promise #{promise_id} wants is over.")
        _note_decision(connection, promise, call)
        return promise

    def _refuse(
        self, connection: Connection, promise_id: int, asker: Asker, question: int | None, call: Call | None
    ) -> Settled:
        asking = _in_reach(connection, promise_id, asker)
        if _has_decided(asking, call):
            return Settled(asking)
        _check_asks(connection, asking, asker, question)
        _note_decision(connection, asking, call)
        settled = consent_store.refuse(connection, promise_id, asker.name, self._clock.now())
        assert settled is not None, "it waited for approval in this very transaction"
        return settled

    def _cancel(self, connection: Connection, promise_id: int, asker: Asker) -> tuple[Promise, Settled | None]:
        promise = _standing(connection, _own(connection, promise_id, asker, "cancel"))
        if promise.status is Status.CANCELLED:
            return promise, None  # also: this very wish, asked again after a restart
        if promise.status.is_settled:
            raise RequestError(f"Promise #{promise.id} is {promise.status} already.")
        now = self._clock.now()
        settled = settle_store.cancel_unstarted(connection, promise.id, asker.name, now)
        if settled is not None:
            return settled.promise, settled
        settle_store.ask_cancel(connection, promise.id, asker.name, now)
        return promise, None

    def _retry(self, connection: Connection, promise_id: int, asker: Asker, call: Call | None) -> Promise:
        promise = _own(connection, promise_id, asker, "retry")
        if retry_store.was_retried_by(promise, call):
            return promise
        _check_may_have_done(promise.task_type, asker)
        _check_can_be_retried(connection, promise)
        now = self._clock.now()
        retried = retry_store.open_again(connection, promise, call, now)
        told = wording.tell_retried(retried.promise, is_anew=retried.is_anew, left=retried.left)
        its_turn = call if promise.chat == asker.chat else None  # elsewhere asked for, it is told at once
        draft = _hold(promise, told, its_turn, cancel_button(promise.id))
        delivery_store.owe(connection, replace(draft, kind=f"retry {retried.number}"), now)
        return retried.promise


def _to_ring(promise: Promise) -> list[tuple[int, int]]:
    return [(promise.id, promise.priority)] if promise.status is Status.PENDING else []


def _check_may_have_done(task_type: str, asker: Asker) -> None:
    if task_type == "code" and not may(asker.role, Action.CODE):
        raise NotAllowed(f"A {asker.role} may not have code run in {asker.workspace}: ask an owner or a member.")


def _check_can_be_retried(connection: Connection, promise: Promise) -> None:
    if promise.status not in {Status.FAILED, Status.CANCELLED}:
        raise RequestError(f"Promise #{promise.id} is {promise.status}: only what failed or was cancelled is retried.")
    for lead in retry_store.broken_dependencies(connection, promise.id):
        raise RequestError(f"Promise #{promise.id} follows #{lead.id}, which is {lead.status}: retry that one first.")


def _standing(connection: Connection, promise: Promise) -> Promise:
    """Where a repeated promise stands now, by the number of any occurrence.

    One that was retried by itself is repeated no more: a cancel means itself while it is open, and when it was that.
    """
    is_errand = promise.every is None and (not promise.status.is_settled or promise.cancel_requested_by is not None)
    return promise if is_errand else store.last_occurrence(connection, promise)


def _note(connection: Connection, call: Call | None, promise: Promise) -> None:
    """Let the tool call that had this effect have its step in the same transaction."""
    if call is not None and call.note is not None:
        call.note(connection, promise.view)


def _must_wait(connection: Connection, order: PromiseOrder, asker: Asker) -> bool:
    """Whether what the promise follows is still open. Raises where it cannot follow."""
    found = store.find_all(connection, order.after, asker.workspace)
    for number in order.after:
        if number not in found:
            raise Unknown(f"There is no promise #{number} in {asker.workspace} to follow.")
        if found[number].status in {Status.FAILED, Status.CANCELLED}:
            raise RequestError(f"Promise #{number} is {found[number].status}: nothing can follow it.")
    return any(promise.status is not Status.COMPLETED for promise in found.values())


def _check_asks(connection: Connection, promise: Promise, asker: Asker, question: int | None) -> None:
    """Raises unless the promise waits for this person's word, to that question where one is meant."""
    if not may(asker.role, Action.APPROVE):
        raise NotAllowed(f"A {asker.role} may not decide that in {asker.workspace}: ask an owner.")
    if promise.waiting_for is not WaitingFor.APPROVAL:
        raise RequestError(f"Promise #{promise.id} waits for nobody's approval: it is {promise.status}.")
    if question is not None and question != question_store.newest(connection, promise.id):
        raise RequestError(f"Promise #{promise.id} asks something else by now: answer its newest question.")


def _has_decided(promise: Promise, call: Call | None) -> bool:
    """Whether this very wish was fulfilled: it is asked again after a restart, when something else may be asked."""
    return call is not None and call.run_id in promise.metadata.get(DECIDED_BY, ())


def _note_decision(connection: Connection, promise: Promise, call: Call | None) -> None:
    if call is not None:
        decided = [*promise.metadata.get(DECIDED_BY, ()), call.run_id]
        store.annotate(connection, promise, {DECIDED_BY: decided})


def _in_reach(connection: Connection, promise_id: int, asker: Asker) -> Promise:
    promise = store.find_all(connection, [promise_id], asker.workspace).get(promise_id)
    if promise is None:
        raise Unknown(f"There is no promise #{promise_id} in {asker.workspace}.")
    return promise


def _own(connection: Connection, promise_id: int, asker: Asker, what: str) -> Promise:
    promise = _in_reach(connection, promise_id, asker)
    needed = Action.CANCEL_OWN if promise.requester_id == asker.person_id else Action.CANCEL_OTHERS
    if not may(asker.role, needed):
        raise NotAllowed(
            f"Promise #{promise_id} belongs to {promise.requester_name}: only they or an owner may {what} it."
        )
    return promise


def _hold(promise: Promise, acknowledgement: str, call: Call | None, buttons: tuple[Button, ...]) -> Draft:
    turn_id = call.turn_id if call else None
    return Draft(
        promise.chat,
        "ack",
        acknowledgement,
        reply_to=promise.message_id,
        turn_id=turn_id,
        promise_id=promise.id,
        held=turn_id is not None,
        buttons=buttons,
    )
