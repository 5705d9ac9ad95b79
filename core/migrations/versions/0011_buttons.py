"""Buttons under messages; who knocks at the bot."""

import sqlalchemy as sa
from alembic import op

from core.columns import Key, Moment

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("buttons", sa.JSON(), nullable=True))
    op.create_table(
        "knocks",
        sa.Column("id", Key, nullable=False),
        sa.Column("front", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("is_group", sa.Boolean(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("front", "chat_id"),
        sqlite_autoincrement=True,
    )
