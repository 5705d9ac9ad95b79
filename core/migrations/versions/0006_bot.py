"""The bot: sends without keys, buttons, and which front serves a group since when."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("admitted_since", sa.Column("front", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("sends", sa.Integer(), server_default="0", nullable=False))
    op.add_column("deliveries", sa.Column("buttons", sa.JSON(), nullable=True))
    op.drop_index("ix_deliveries_owed", table_name="deliveries")
    op.create_index(
        "ix_deliveries_owed",
        "deliveries",
        ["status", "front", "chat_id", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('held', 'open', 'ready', 'ambiguous')"),
    )
