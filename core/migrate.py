"""Bringing `system.db` to this program's version. Only the server migrates; the others wait for it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from core.clock import Clock
from core.database import Database
from core.errors import DatabaseError, NewerDatabase

VERSIONS = Path(__file__).with_name("migrations")
HEAD = "0011"


def version_of(connection: Connection) -> str | None:
    """The version on disk; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


async def migrate(database: Database) -> None:
    """Bring the tables to HEAD. Raises NewerDatabase when they are newer than this program."""
    if not await is_current(database):
        await database.write("migrate", _upgrade)


async def is_current(database: Database) -> bool:
    """Whether the tables are this program's. Raises NewerDatabase when they are newer."""
    found = await database.read(version_of)
    if found is not None and found > HEAD:
        raise NewerDatabase(
            f"system.db is of version {found}, newer than this Valor ({HEAD}): "
            "start the newer Valor, or restore the copy made before it ran."
        )
    return found == HEAD


async def wait_until_current(database: Database, clock: Clock, seconds: float) -> None:
    """Wait for the server to migrate. Raises DatabaseError after `seconds`."""
    until = clock.boot() + seconds
    while not await is_current(database):
        if clock.boot() >= until:
            raise DatabaseError("system.db has no tables yet: start the server, it makes them (scripts/start.sh).")
        await clock.sleep(0.05)


def _upgrade(connection: Connection) -> None:
    # Alembic takes a third of a second to import, and nearly every start finds nothing to do.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(VERSIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
