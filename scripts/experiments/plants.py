"""Planted bugs, which the experiment must find. None is in the product: each is a patch of one forked process."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Plant:
    """`ordeals` and `points` (part and fail point) are what the experiment visits first to find it."""

    sentence: str
    patch: Callable[[], None]
    ordeals: tuple[str, ...] = ()
    points: tuple[str, ...] = ()


def plant(name: str) -> None:
    """Plant a bug in this process; '' plants none."""
    if name:
        PLANTS[name].patch()


def fencing_off() -> None:
    from promises import settle_store
    from promises.keeper import Keeper
    from runtime import store

    build: Any = settle_store._ending_statement

    def without_epoch(columns: tuple[str, ...], is_lease: bool) -> Any:
        statement = build(columns, is_lease)
        kept = [one for one in statement._where_criteria if "epoch" not in str(one)]
        fresh = statement._clone()
        fresh._where_criteria = tuple(kept)
        return fresh

    async def hear_nothing(_self: Keeper) -> None:
        return None

    patch(settle_store, "_ending_statement", without_epoch)
    patch(store, "check_epoch", lambda connection, run: None)
    patch(Keeper, "renew", hear_nothing)


def inbound_key_not_unique() -> None:
    from conversations import store
    from web import server

    migrate: Callable[[Any], Awaitable[None]] = server.migrate

    async def migrate_and_drop(database: Any) -> None:
        await migrate(database)
        await database.write("plant", drop_unique)

    patch(server, "migrate", migrate_and_drop)
    patch(store, "find_message", lambda connection, message: None)


def drop_unique(connection: Connection) -> None:
    """The table of messages without its key."""

    def ask(sql: str) -> Any:
        return connection.exec_driver_sql(sql)

    table = ask("SELECT sql FROM sqlite_master WHERE name = 'messages'").scalar()
    fresh = re.sub(r",\s*CONSTRAINT \S+ UNIQUE \([^)]*\)", "", table)
    if fresh == table:
        return
    indexes = ask("SELECT sql FROM sqlite_master WHERE tbl_name = 'messages' AND type = 'index' AND sql <> ''")
    made = [row[0] for row in indexes]
    ask("ALTER TABLE messages RENAME TO former")
    ask(fresh)
    ask("INSERT INTO messages SELECT * FROM former")
    ask("DROP TABLE former")
    for sql in made:
        ask(sql)


def random_id_not_stored() -> None:
    from conversations.delivery import Delivery

    stored: Any = Delivery.part
    patch(Delivery, "part", property(lambda self: replace(stored.fget(self), random_id=secrets.randbits(62) + 1)))


def settle_and_delivery_apart() -> None:
    from promises import settle_store
    from promises.keeper import Keeper

    tell: Any = settle_store._tell
    settle: Any = Keeper._settle
    owed: list[tuple[Any, ...]] = []

    async def settle_then_tell(self: Any, promise: Any, ending: Any) -> Any:
        settled = await settle(self, promise, ending)
        later, owed[:] = list(owed), []
        await self._database.write("promise-tell", lambda connection: [tell(connection, *one) for one in later])
        return settled

    patch(settle_store, "_tell", lambda connection, *rest: owed.append(rest))
    patch(Keeper, "_settle", settle_then_tell)


def no_intent_before_tool() -> None:
    from runtime.journal import Journal
    from runtime.store import StepStatus

    write: Any = Journal.write

    async def write_results_alone(self: Any, step: Any) -> None:
        if step.status is not StepStatus.INTENT:
            await write(self, step)

    patch(Journal, "write", write_results_alone)


def mark_moved_by_live() -> None:
    from conversations import store
    from conversations.inbox import Inbox

    take: Any = Inbox._take

    def take_and_mark(self: Any, connection: Any, message: Any, via: str) -> Any:
        receipt = take(self, connection, message, via)
        store.set_mark(connection, message.chat, message.id)
        return receipt

    patch(Inbox, "_take", take_and_mark)


def resend_without_look() -> None:
    from conversations.outbox import Outbox

    async def see_nothing(_self: Any, _front: Any, _delivery: Any) -> None:
        return None

    patch(Outbox, "_look", see_nothing)


def directory_lock_off() -> None:
    import os

    from runtime.directory_lock import DirectoryLocks, Held

    async def take_nothing(self: Any, _directory: Any, _holder: Any) -> Held:
        return Held(os.open(os.devnull, os.O_RDONLY), self._folder / "nobody.json")

    patch(DirectoryLocks, "acquire", take_nothing)


def journal_not_read() -> None:
    from runtime.journal import Journal

    recorded: Any = Journal.recorded
    patch(Journal, "recorded", lambda self, key: None if key.startswith("model:") else recorded(self, key))


def newest_first() -> None:
    from conversations import outbox

    next_due: Any = outbox.next_due
    patch(outbox, "next_due", lambda owed: next_due(owed[::-1]))


def tools_outlive_their_worker() -> None:
    from runtime import directory_lock, fence, process, sandbox

    async def sweep_nothing(_markers: Any) -> int:
        return 0

    patch(sandbox, "ISOLATION", tuple(one for one in sandbox.ISOLATION if one != "--die-with-parent"))
    for module in (process, fence, directory_lock):
        patch(module, "sweep", sweep_nothing)


def told_past_the_table() -> None:
    from conversations.outbox import Outbox

    show: Any = Outbox._show

    async def show_and_chat(self: Any, front: Any, delivery: Any) -> Any:
        shown = await show(self, front, delivery)
        if delivery.kind == "result":
            part = replace(delivery.part, text="By the way …", entities=(), random_id=secrets.randbits(62) + 1)
            await front.send(part)
        return shown

    patch(Outbox, "_show", show_and_chat)


def patch(owner: Any, name: str, value: Any) -> None:
    assert hasattr(owner, name), f"{owner} has no {name} any more"
    setattr(owner, name, value)


PLANTS = {
    "fencing-off": Plant("a worker that slept goes on with its old epoch", fencing_off, ("slept worker",)),
    "inbound-key-not-unique": Plant("a message may have two rows", inbound_key_not_unique, ("restart",)),
    "random-id-not-stored": Plant("every send has a key of its own", random_id_not_stored, ("late send",)),
    "settle-and-delivery-apart": Plant(
        "a promise is settled and told in two transactions",
        settle_and_delivery_apart,
        points=("worker promise-settle:after-commit",),
    ),
    "no-intent-before-tool": Plant(
        "nothing is written before a tool that must not be repeated",
        no_intent_before_tool,
        points=("worker tool.run_command:after", "server tool.run_command:after"),
    ),
    "mark-moved-by-live": Plant("live messages move the mark of catching up", mark_moved_by_live, ("gap",)),
    "resend-without-look": Plant("what may have arrived is sent again", resend_without_look, ("forgotten keys",)),
    "directory-lock-off": Plant("nobody locks a directory", directory_lock_off, ("crowded directory",)),
    "journal-not-read": Plant(
        "finished model calls are made again", journal_not_read, points=("worker step:after-commit#2",)
    ),
    "newest-first": Plant("the newest delivery goes first", newest_first, ("backlog",)),
    "tools-outlive-their-worker": Plant("nobody ends a dead worker's tools", tools_outlive_their_worker, ("nap",)),
    "told-past-the-table": Plant("something is said that no row tells of", told_past_the_table, ("crowded directory",)),
}
