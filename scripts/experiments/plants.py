"""Planted bugs, which the experiment must find. None is in the product: each is a patch of one forked process."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Plant:
    """`ordeals` and `points` (part and fail point) are what the experiment visits first to find it.

    `signs` is how a violation begins that shows just this bug.
    """

    sentence: str
    patch: Callable[[], None]
    signs: tuple[str, ...]
    ordeals: tuple[str, ...] = ()
    points: tuple[str, ...] = ()

    def is_shown_by(self, violations: list[str]) -> bool:
        return any(re.match(sign, line) for sign in self.signs for line in violations)


def plant(name: str) -> None:
    """Plant a bug in this process; '' plants none."""
    if name:
        PLANTS[name].patch()


def find(owner: Any, name: str) -> Any:
    """What the product has under this name."""
    assert hasattr(owner, name), f"{owner} has no {name} any more"
    return getattr(owner, name)


def patch(owner: Any, name: str, value: Any) -> None:
    find(owner, name)
    setattr(owner, name, value)


def do_nothing(*_: Any) -> None:
    return None


async def wait_for_nothing(*_: Any) -> None:
    return None


def fencing_off() -> None:
    from promises import settle_store
    from promises.keeper import Keeper
    from runtime import store

    build = find(settle_store, "_ending_statement")

    def without_epoch(columns: tuple[str, ...], is_lease: bool) -> Any:
        statement = build(columns, is_lease)
        fresh = find(statement, "_clone")()
        kept = (one for one in find(statement, "_where_criteria") if "epoch" not in str(one))
        patch(fresh, "_where_criteria", tuple(kept))
        return fresh

    patch(settle_store, "_ending_statement", without_epoch)
    patch(store, "check_epoch", do_nothing)
    patch(Keeper, "renew", wait_for_nothing)


def inbound_key_not_unique() -> None:
    from conversations import store
    from web import server

    migrate = find(server, "migrate")

    async def migrate_and_drop(database: Any) -> None:
        await migrate(database)
        await database.write("plant", drop_unique)

    patch(server, "migrate", migrate_and_drop)
    patch(store, "find_message", do_nothing)


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

    stored = find(Delivery, "part")

    def with_a_new_key(delivery: Delivery) -> Any:
        return replace(stored.fget(delivery), random_id=secrets.randbits(62) + 1)

    patch(Delivery, "part", property(with_a_new_key))


def settle_and_delivery_apart() -> None:
    do_after_settling("_tell")


def next_time_apart() -> None:
    do_after_settling("_repeat")


def do_after_settling(name: str) -> None:
    """Have a part of the transaction that settles a promise done in one of its own, behind it."""
    from promises import settle_store
    from promises.keeper import Keeper

    part, settle = find(settle_store, name), find(Keeper, "_settle")
    owed: list[tuple[Any, ...]] = []

    def note(_connection: Connection, *rest: Any) -> None:
        owed.append(rest)

    async def settle_then_do(keeper: Any, promise: Any, ending: Any) -> Any:
        settled = await settle(keeper, promise, ending)
        later, owed[:] = list(owed), []

        def do_all(connection: Connection) -> None:
            for rest in later:
                part(connection, *rest)

        await find(keeper, "_database").write("promise-afterwards", do_all)
        return settled

    patch(settle_store, name, note)
    patch(Keeper, "_settle", settle_then_do)


def no_intent_before_tool() -> None:
    from runtime.journal import Journal
    from runtime.store import StepStatus

    write = find(Journal, "write")

    async def write_results_alone(journal: Any, step: Any) -> None:
        if step.status is not StepStatus.INTENT:
            await write(journal, step)

    patch(Journal, "write", write_results_alone)


def mark_moved_by_live() -> None:
    from conversations import chat_store
    from conversations.catchup import CatchUp
    from conversations.inbox import Inbox

    take = find(Inbox, "_take")

    def take_and_mark(inbox: Any, connection: Any, message: Any, via: str) -> Any:
        receipt = take(inbox, connection, message, via)
        chat_store.set_mark(connection, message.chat, message.id)
        return receipt

    patch(Inbox, "_take", take_and_mark)
    patch(CatchUp, "has_read", wait_for_nothing)  # what waits for its chat's history moves the mark too late to harm


def resend_without_look() -> None:
    from conversations.outbox import Outbox

    patch(Outbox, "_look", wait_for_nothing)


def directory_lock_off() -> None:
    from runtime.directory_lock import DirectoryLocks, Held

    async def take_nothing(locks: Any, _directory: Any, _holder: Any) -> Held:
        return Held(os.open(os.devnull, os.O_RDONLY), find(locks, "_folder") / "nobody.json")

    patch(DirectoryLocks, "acquire", take_nothing)


def journal_not_read() -> None:
    from runtime.journal import Journal

    recorded = find(Journal, "recorded")

    def forget_models(journal: Any, key: str) -> Any:
        return None if key.startswith("model:") else recorded(journal, key)

    patch(Journal, "recorded", forget_models)


def newest_first() -> None:
    from conversations import outbox

    rank = find(outbox, "_rank")

    def rank_backwards(row: Any) -> tuple[bool, bool, int]:
        is_change, is_less, number = rank(row)
        return is_change, is_less, -number

    patch(outbox, "_rank", rank_backwards)


def tools_outlive_their_worker() -> None:
    from promises import reconciler
    from runtime import directory_lock, fence, process, sandbox
    from web import server

    patch(sandbox, "ISOLATION", tuple(one for one in sandbox.ISOLATION if one != "--die-with-parent"))
    for module in (process, fence, directory_lock, reconciler):
        patch(module, "sweep", wait_for_nothing)
    for module in (reconciler, server):
        patch(module, "sweep_orphans", wait_for_nothing)


def told_past_the_table() -> None:
    from conversations.outbox import Outbox

    show = find(Outbox, "_show")

    async def show_and_chat(outbox: Any, front: Any, delivery: Any) -> Any:
        shown = await show(outbox, front, delivery)
        if delivery.kind == "result":
            part = replace(delivery.part, text="By the way …", entities=(), random_id=secrets.randbits(62) + 1)
            await front.send(part)
        return shown

    patch(Outbox, "_show", show_and_chat)


def service_messages_answered() -> None:
    from core import access

    judge = find(access, "why_never")

    def take_for_words(message: Any, config: Any, accounts: Any) -> Any:
        return judge(replace(message, service=None), config, accounts)

    patch(access, "why_never", take_for_words)


PLANTS = {
    "fencing-off": Plant(
        "a worker that slept goes on with its old epoch", fencing_off, ("[2-9] lines", "told"), ("slept worker",)
    ),
    "inbound-key-not-unique": Plant(
        "a message may have two rows", inbound_key_not_unique, ("answered [2-9] times",), ("restart",)
    ),
    "random-id-not-stored": Plant(
        "every send has a key of its own", random_id_not_stored, ("answered [2-9] times",), ("late send",)
    ),
    "settle-and-delivery-apart": Plant(
        "a promise is settled and told in two transactions",
        settle_and_delivery_apart,
        ("told 0 times",),
        points=("worker promise-settle:after-commit",),
    ),
    "next-time-apart": Plant(
        "a repeated promise is settled, and its next time written, in two transactions",
        next_time_apart,
        ("not one series",),
        ("schedules",),
    ),
    "no-intent-before-tool": Plant(
        "nothing is written before a tool that must not be repeated",
        no_intent_before_tool,
        ("[2-9] lines",),
        points=("worker tool.run_command:after", "server tool.run_command:after"),
    ),
    "mark-moved-by-live": Plant(
        "live messages wait for nothing and move the mark of catching up",
        mark_moved_by_live,
        ("lost: .* has no row",),
        ("gap",),
    ),
    "resend-without-look": Plant(
        "what may have arrived is sent again", resend_without_look, ("answered [2-9] times",), ("forgotten keys",)
    ),
    "directory-lock-off": Plant(
        "nobody locks a directory", directory_lock_off, ("two writers",), ("crowded directory",)
    ),
    "journal-not-read": Plant(
        "finished model calls are made again",
        journal_not_read,
        ("paid twice",),
        points=("worker step:after-commit#2",),
    ),
    "newest-first": Plant("the newest delivery goes first", newest_first, ("out of order",), ("backlog",)),
    "tools-outlive-their-worker": Plant(
        "nobody ends a dead worker's tools", tools_outlive_their_worker, ("left running",), ("nap",)
    ),
    "told-past-the-table": Plant(
        "something is said that no row tells of", told_past_the_table, ("not in the table",), ("crowded directory",)
    ),
    "service-messages-answered": Plant(
        "what Telegram says of a group is answered as if somebody had said it",
        service_messages_answered,
        (".* unasked: ",),
        ("moved group",),
    ),
}
