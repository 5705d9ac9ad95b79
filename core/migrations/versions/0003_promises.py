"""Promises that wait for their directory."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"


def upgrade() -> None:
    where = sa.text("waiting_for = 'directory'")
    op.create_index("ix_promises_directory", "promises", ["workspace"], unique=False, sqlite_where=where)
