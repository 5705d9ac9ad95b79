"""Queries that forget promises settled long ago. Each function runs inside the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, exists, or_, select, text

from conversations import retention_store
from conversations.retention_store import Page
from core.schema import promise_dependencies, promises
from promises.promise import SETTLED
from runtime import store as run_store

FREED_AT_ONCE = 2_000  # pages of the file that one transaction gives back
FOLLOWER = promises.alias("follower")
IS_NEEDED = exists(
    select(promise_dependencies.c.promise_id)
    .join(FOLLOWER, FOLLOWER.c.id == promise_dependencies.c.promise_id)
    .where(promise_dependencies.c.after_id == promises.c.id, FOLLOWER.c.status.not_in(SETTLED))
)


def forget_promises(connection: Connection, page: Page) -> int | None:
    """Those that are settled and told and that nothing open follows, with their steps. Where to go on."""
    may_go = and_(
        promises.c.status.in_(SETTLED),
        promises.c.completed_at < page.before,
        ~IS_NEEDED,
        ~retention_store.has_untold(),
    )
    found, last = retention_store.walk(connection, select(promises.c.id, promises.c.created_at), may_go, page)
    links = promise_dependencies.c
    connection.execute(delete(promise_dependencies).where(or_(links.promise_id.in_(found), links.after_id.in_(found))))
    retention_store.forget_told(connection, found)
    runs = connection.execute(select(promises.c.run_id).where(promises.c.id.in_(found))).scalars().all()
    run_store.forget_runs(connection, runs)
    connection.execute(delete(promises).where(promises.c.id.in_(found)))
    return last


def give_back(connection: Connection) -> bool:
    """Let the file shrink by some of what is free in it; whether there is more to do."""
    free = _count_free(connection)
    cursor = connection.connection.cursor()
    for _ in range(min(free, FREED_AT_ONCE)):
        cursor.execute("PRAGMA incremental_vacuum(1)")  # Python's driver takes one step, and each step frees one page
    return 0 < _count_free(connection) < free


def _count_free(connection: Connection) -> int:
    return connection.execute(text("PRAGMA freelist_count")).scalar_one()
